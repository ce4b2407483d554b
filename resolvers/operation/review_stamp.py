"""The token of a removal review: a keyed stamp of each grant as it was shown, with what its holder owned there (F38).

The token lists nothing that can be read and is bound to nobody: it opens no door, it only tells whether what it was made for is
still so. A stamp that no present grant gives stands for what has changed.
"""

import base64
import binascii
import hmac
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind, asset_holdings
from models.grant import grants
from resolvers.issuer import Issuer

MOST_GRANTS = 10_000
"""The most grants in one review."""

REVIEW = "review token"
STAMP_LENGTH = 8

_VERSION = b"\x01"
_ROWS_AT_ONCE = 10_000

LONGEST_TOKEN = (len(_VERSION) + STAMP_LENGTH * (MOST_GRANTS + 1)) * 4 // 3 + 4


@dataclass(frozen=True, slots=True)
class Holding:
    """How many assets of a kind the holder of a grant owns in the client; the version counts changes."""

    kind: AssetKind
    total: int
    version: int


@dataclass(slots=True)
class StampedGrant:
    """A grant that lives, and the holdings that its removal concerns."""

    row: Row[Any]
    holdings: list[Holding] = field(default_factory=list)

    def stamp(self, issuer: Issuer) -> bytes:
        """Returns what stands for the grant in a token: another one as soon as anything of it is other than now."""
        held = sorted(f"{holding.kind.value} {holding.total} {holding.version}" for holding in self.holdings)
        return issuer.stamp("review", "\n".join([f"{self.row.id} {self.row.version}", *held]))[:STAMP_LENGTH]


def stamped_rows(chosen: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
    """Selects what the stamps of grants are made of, and more columns of the grants; a row for each kind of assets.

    Args:
        chosen: selects the keys of the grants.
        columns: what else is wanted of each grant; the caller joins what they need.
    """
    held = and_(
        asset_holdings.c.client_id == grants.c.client_id,
        asset_holdings.c.member_id == grants.c.member_id,
    )
    return (
        select(
            grants.c.id,
            grants.c.version,
            grants.c.client_id,
            grants.c.member_id,
            asset_holdings.c.kind,
            asset_holdings.c.total,
            asset_holdings.c.version.label("holding_version"),
            *columns,
        )
        .select_from(grants)
        .outerjoin(asset_holdings, held)
        .where(grants.c.id.in_(chosen))
        .order_by(grants.c.id)
    )


async def stamped_grants(connection: AsyncConnection, rows: Select[Any]) -> AsyncIterator[StampedGrant]:
    """Yields the grants that a statement of ``stamped_rows`` selects; memory does not grow with their number."""
    grant: StampedGrant | None = None
    async with connection.stream(rows) as result:
        async for part in result.partitions(_ROWS_AT_ONCE):
            for row in part:
                if grant is None or grant.row.id != row.id:
                    if grant is not None:
                        yield grant
                    grant = StampedGrant(row)
                if row.kind is not None:
                    grant.holdings.append(Holding(AssetKind(row.kind), row.total, row.holding_version))
    if grant is not None:
        yield grant


def token_of(issuer: Issuer, stamps: Iterable[bytes], purpose: str = REVIEW) -> str:
    """Returns the token of a review that showed the grants with these stamps; or, for another purpose, of what was shown there."""
    body = b"".join(stamps)
    return _text(_VERSION + _seal(issuer, body, purpose) + body)


def stamps_of(issuer: Issuer, token: str, purpose: str = REVIEW) -> frozenset[bytes]:
    """Returns the stamps in a token; none if it was not made here just so, be it cut, changed or of another key."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (binascii.Error, UnicodeError):
        return frozenset()
    start = len(_VERSION) + STAMP_LENGTH
    body = raw[start:]
    sealed = hmac.compare_digest(raw[:start], _VERSION + _seal(issuer, body, purpose))
    if not sealed or _text(raw) != token:
        return frozenset()
    return frozenset(body[place : place + STAMP_LENGTH] for place in range(0, len(body), STAMP_LENGTH))


def _seal(issuer: Issuer, body: bytes, purpose: str) -> bytes:
    return issuer.stamp(purpose, body.hex())[:STAMP_LENGTH]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
