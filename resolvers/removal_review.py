"""What taking access away would end: reviewed before it is done (F38, F40)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind
from models.client import clients
from models.grant import AccessType, GrantStatus, active_super_admin, grants, working_partner_admin
from models.member import members
from models.table import now
from models.tenancy import everything
from resolvers.client import ClientRecord
from resolvers.cursor import SortKind, decode_cursor
from resolvers.error import InputError
from resolvers.issuer import Issuer
from resolvers.member import MemberRecord
from resolvers.operation.place import MOST_KEYS
from resolvers.operation.request import Key
from resolvers.operation.review_stamp import MOST_GRANTS, StampedGrant, stamped_grants, stamped_rows, token_of
from resolvers.page import Order, Page, PageRequest
from resolvers.readable import readable_clients, readable_grants, readable_members
from resolvers.reader import Reader

BY_NAME = Order("removal_review", SortKind.TEXT, lambda rows: rows.c.sort_name)

_other = grants.alias("other")


@dataclass(frozen=True, slots=True)
class AssetCount:
    """How many assets of a kind there are."""

    kind: AssetKind
    total: int


@dataclass(slots=True, eq=False)
class ReviewEntryRecord:
    """One person in one client, and what removing the access would end and leave behind."""

    grant_id: int
    client_id: int
    member_id: int
    sort_name: str
    assets: list[AssetCount]
    would_lock_out: bool
    last_super_admin: bool

    @property
    def place(self) -> tuple[str, int]:
        """Returns where the entry stands in the review."""
        return self.sort_name, self.grant_id


@dataclass(slots=True, eq=False)
class RemovalReviewRecord:
    """A review, whole: its token stands for all entries, whichever of them are shown."""

    token: str
    entries: list[ReviewEntryRecord]
    totals: list[AssetCount]

    @property
    def grant_count(self) -> int:
        """Returns how many grants were reviewed."""
        return len(self.entries)


async def removal_reviews_by_member(
    reader: Reader, parents: Sequence[MemberRecord], *, issuer: Issuer, narrowed: tuple[Key, ...] | None = None
) -> list[RemovalReviewRecord]:
    """Returns the review of each person: all clients where they have access, or those named, by client name (F38).

    Raises:
        InputError: for a client that the viewer does not know of, and for more than can be reviewed at once.
    """
    client_ids = None if narrowed is None else await _named(reader, clients, readable_clients(reader.viewer), narrowed)
    own = (grants.c.member_id, grants.c.client_id, clients.c.sort_name)
    return await _reviews(reader, issuer, own, [parent.id for parent in parents], client_ids)


async def removal_reviews_by_client(
    reader: Reader, parents: Sequence[ClientRecord], *, issuer: Issuer, narrowed: tuple[Key, ...] | None = None
) -> list[RemovalReviewRecord]:
    """Returns the review of each client: all of the partner's people there, or those named, by name (F40).

    Raises:
        InputError: as ``removal_reviews_by_member``.
    """
    member_ids = None if narrowed is None else await _named(reader, members, readable_members(reader.viewer), narrowed)
    own = (grants.c.client_id, grants.c.member_id, members.c.sort_name)
    return await _reviews(reader, issuer, own, [parent.id for parent in parents], member_ids)


async def removal_review_of_grants(
    reader: Reader, partner_id: int, grant_ids: set[int], *, issuer: Issuer
) -> RemovalReviewRecord:
    """Returns one review of the grants with these keys, as far as they are a partner's, by client name (P09).

    Raises:
        InputError: for more than can be reviewed at once.
    """
    own = (grants.c.partner_id, grants.c.id, clients.c.sort_name)
    (review,) = await _reviews(reader, issuer, own, [partner_id], grant_ids)
    return review


async def _named(reader: Reader, rows: Table, readable: Select[Any], keys: tuple[Key, ...]) -> set[int]:
    """Returns the keys that narrow a review; what the viewer does not know of is refused, for nobody would notice (T1)."""
    argument = f"{rows.name}s"
    if len(keys) > MOST_KEYS:
        raise InputError(f"{argument} takes at most {MOST_KEYS:,} ids: leave it out to review all.")
    wanted = {key for key in keys if key is not None}
    found = {
        row.id
        for row in await reader.latest().rows(select(rows.c.id).where(rows.c.id.in_(wanted), rows.c.id.in_(readable)))
    }
    if None in keys or found != wanted:
        raise InputError(
            f"{argument}: there is no such {rows.name}. Take ids of the same partner, as its lists give them."
        )
    return found


async def _reviews(
    reader: Reader,
    issuer: Issuer,
    own: tuple[ColumnElement[int], ColumnElement[int], ColumnElement[str]],
    keys: Sequence[int],
    narrowed: set[int] | None,
) -> list[RemovalReviewRecord]:
    """Returns one review for each key, all by two statements however many grants there are (T3).

    Args:
        reader: what to read with.
        issuer: makes the stamps.
        own: the columns with the parent's key, with the key of what can be narrowed, and what the entries are sorted by.
        keys: the parents' keys.
        narrowed: what is reviewed of each parent; None for all.
    """
    parent, other, sorting = own
    chosen = readable_grants(reader.viewer).where(grants.c.ended == 0, parent.in_(set(keys)))
    if narrowed is not None:
        chosen = chosen.where(other.in_(narrowed))
    async with reader.database.snapshot() as connection:
        found = await _found(connection, chosen, parent, sorting)
        async with everything(connection):
            around = await _around(connection, chosen) if found else {}
    by_parent: dict[int, list[StampedGrant]] = {key: [] for key in keys}
    for grant in found:
        by_parent[grant.row.parent].append(grant)
    reviews = {key: _review(issuer, listed, around) for key, listed in by_parent.items()}
    return [reviews[key] for key in keys]


async def _found(
    connection: AsyncConnection, chosen: Select[Any], parent: ColumnElement[int], sorting: ColumnElement[str]
) -> list[StampedGrant]:
    at = now()
    statement = (
        stamped_rows(
            chosen.limit(MOST_GRANTS + 1),
            parent.label("parent"),
            sorting.label("sort_name"),
            and_(grants.c.access_type == AccessType.PARTNER_ADMIN, grants.c.status == GrantStatus.ACTIVE).label(
                "is_admin"
            ),
            working_partner_admin(grants, at).label("counts_as_admin"),
            active_super_admin(grants, at).label("counts_as_super_admin"),
        )
        .join(clients, clients.c.id == grants.c.client_id)
        .join(members, members.c.id == grants.c.member_id)
    )
    found = [grant async for grant in stamped_grants(connection, statement)]
    if len(found) > MOST_GRANTS:
        raise InputError(
            f"More than {MOST_GRANTS:,} grants are too many to review at once: narrow the review, or ask for fewer in one request. "
            "Somebody with more leaves the partner in parts: removeAccess first, by narrowed reviews, and then removeMember."
        )
    return found


async def _around(connection: AsyncConnection, chosen: Select[Any]) -> dict[int, Any]:
    """Returns, for each reviewed client, how many people, partner admins and super admins there are in all (N04, F42)."""
    at = now()
    admins = select(func.count()).where(_other.c.client_id == clients.c.id, working_partner_admin(_other, at))
    super_admins = select(func.count()).where(
        _other.c.account_id == clients.c.account_id, active_super_admin(_other, at)
    )
    people = clients.c.active_people + clients.c.deactivated_people
    rows = await connection.execute(
        select(
            clients.c.id,
            people.label("people"),
            admins.scalar_subquery().label("admins"),
            super_admins.scalar_subquery().label("super_admins"),
        ).where(clients.c.id.in_(chosen.with_only_columns(grants.c.client_id)))
    )
    return {row.id: row for row in rows}


def _review(issuer: Issuer, found: list[StampedGrant], around: dict[int, Any]) -> RemovalReviewRecord:
    rows = [grant.row for grant in found]
    people = Counter(row.client_id for row in rows)
    admins = Counter(row.client_id for row in rows if row.counts_as_admin)
    super_admins = Counter(row.client_id for row in rows if row.counts_as_super_admin)
    # Whoever is in the review goes with the others of it, so only those beside it count.
    orphaned = {key for key, all_ in around.items() if all_.people > people[key] and all_.admins <= admins[key]}
    bare = {key for key, all_ in around.items() if all_.super_admins <= super_admins[key]}
    entries = [
        ReviewEntryRecord(
            grant_id=grant.row.id,
            client_id=grant.row.client_id,
            member_id=grant.row.member_id,
            sort_name=grant.row.sort_name,
            assets=asset_counts({holding.kind: holding.total for holding in grant.holdings}),
            would_lock_out=grant.row.is_admin and grant.row.client_id in orphaned,
            last_super_admin=grant.row.counts_as_super_admin and grant.row.client_id in bare,
        )
        for grant in found
    ]
    totals: Counter[AssetKind] = Counter()
    for grant in found:
        totals.update({holding.kind: holding.total for holding in grant.holdings})
    token = token_of(issuer, (grant.stamp(issuer) for grant in found))
    return RemovalReviewRecord(token, sorted(entries, key=lambda entry: entry.place), asset_counts(totals))


def asset_counts(totals: Mapping[AssetKind, int]) -> list[AssetCount]:
    """Returns the kinds of which there are any, in one order."""
    return [AssetCount(kind, totals[kind]) for kind in AssetKind if totals.get(kind)]


def review_page(review: RemovalReviewRecord, request: PageRequest) -> Page[ReviewEntryRecord]:
    """Returns one part of a review.

    Raises:
        InputError: BAD_CURSOR.
    """
    entries = review.entries
    if request.after is not None:
        after = decode_cursor(BY_NAME.name, BY_NAME.kind, request.after)
        entries = [entry for entry in entries if entry.place > after]
    if request.before is not None:
        before = decode_cursor(BY_NAME.name, BY_NAME.kind, request.before)
        entries = [entry for entry in entries if entry.place < before]
    more = len(entries) > request.size
    shown = entries[-request.size :] if request.backward else entries[: request.size]
    return Page(
        items=shown,
        places=[entry.place for entry in shown],
        order=BY_NAME,
        has_next=request.before is not None if request.backward else more,
        has_previous=more if request.backward else request.after is not None,
    )
