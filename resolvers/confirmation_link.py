"""Confirmation links as the partner sees them, and what came of the people whom they name (F53, L11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.access_link import LinkAnswer
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.partner import partners
from models.table import now
from resolvers.cursor import SortKind
from resolvers.issuer import Issuer
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_confirmation_links
from resolvers.reader import Reader
from resolvers.viewer import Viewer

PURPOSE = "confirmation link"
"""What tokens of confirmation links are made for: no other token of the service is one."""


class ConfirmationLinkState(StrEnum):
    """Whether a link can be answered, and if not, why."""

    LIVE = "LIVE"
    ANSWERED = "ANSWERED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class RefusedAdmission(StrEnum):
    """Why somebody whom a link names did not become partner admin when the client confirmed (L11)."""

    NOT_A_PARTNER = "NOT_A_PARTNER"
    NOT_A_MEMBER = "NOT_A_MEMBER"
    NOT_ACTIVE = "NOT_ACTIVE"
    NOT_VERIFIED = "NOT_VERIFIED"
    ALREADY_SUPER_ADMIN = "ALREADY_SUPER_ADMIN"
    EXCEEDS_AUTHORITY = "EXCEEDS_AUTHORITY"


REASONS: dict[RefusedAdmission, str] = {
    RefusedAdmission.NOT_A_PARTNER: "The agency is in no program that can have partner admins.",
    RefusedAdmission.NOT_A_MEMBER: "The person has left the agency.",
    RefusedAdmission.NOT_ACTIVE: "The person is deactivated in the agency: to be activated there, and asked for by a new link.",
    RefusedAdmission.NOT_VERIFIED: "The person is not verified: to be verified by the agency, and asked for by a new link.",
    RefusedAdmission.ALREADY_SUPER_ADMIN: (
        "The person is super admin of the account and stays that: migrateToPartnerAdmin makes them partner admin."
    ),
    RefusedAdmission.EXCEEDS_AUTHORITY: (
        "The ceiling that the client has set leaves the Partner Admin permission out: to be raised by the client, and asked for "
        "by a new link."
    ),
}
"""What each reason says to a person of either side."""


@dataclass(slots=True, eq=False)
class ConfirmationLinkRecord:
    """A link for one client; the token is not in it, but can be made again."""

    id: int
    partner_id: int
    client_id: int
    nonce: str
    token_hash: str
    created_by_id: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    answer: LinkAnswer | None
    answered_at: datetime | None

    @property
    def state(self) -> ConfirmationLinkState:
        """Says what the link is at this moment."""
        if self.answer is not None:
            return ConfirmationLinkState.ANSWERED
        if self.revoked_at is not None:
            return ConfirmationLinkState.REVOKED
        return ConfirmationLinkState.EXPIRED if self.expires_at <= now() else ConfirmationLinkState.LIVE

    def url(self, issuer: Issuer, viewer: Viewer) -> str | None:
        """Returns the address that opens the link while it lives, for those who may act for the partner (F02).

        None too if it was made under another secret key.
        """
        place = viewer.membership(self.partner_id)
        if place is None or not place.acts or self.state is not ConfirmationLinkState.LIVE:
            return None
        token = issuer.shown(PURPOSE, self.nonce, self.token_hash)
        return None if token is None else issuer.url(token)


@dataclass(slots=True, eq=False)
class NamedMemberRecord:
    """Somebody whom a link names, and what came of it."""

    member_id: int
    grant_id: int | None
    code: RefusedAdmission | None


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    names = ConfirmationLinkRecord.__slots__
    return select(*(rows.c[name] for name in names)).select_from(source)


_LINKS = Projection(confirmation_links, _columns, ConfirmationLinkRecord)
_NEWEST = Order("confirmation_link.newest", SortKind.KEY, lambda rows: rows.c.id, descending=True)


async def confirmation_links_by_id(reader: Reader, keys: Sequence[int]) -> list[ConfirmationLinkRecord | None]:
    """Returns the links with these keys; None for those the viewer does not know of (T1)."""
    return await _LINKS.by_key(reader, readable_confirmation_links(reader.viewer), keys)


async def confirmation_links_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ConfirmationLinkRecord]]:
    """Returns one page of each partner's links, the newest first, with those that have ended."""
    choice = readable_confirmation_links(reader.viewer).where(confirmation_links.c.partner_id == partners.c.id)
    keys = [parent.id for parent in parents]
    return await _LINKS.pages(reader, partners, keys, choice, order=_NEWEST, request=page)


async def confirmation_link_totals_by_partner(reader: Reader, parents: Sequence[PartnerRecord]) -> list[int]:
    """Returns how many links each partner has in such a list."""
    keys = [parent.id for parent in parents]
    choice = readable_confirmation_links(reader.viewer)
    return await totals(reader, confirmation_links.c.partner_id, keys, choice)


async def members_by_confirmation_link(
    reader: Reader, parents: Sequence[ConfirmationLinkRecord]
) -> list[list[NamedMemberRecord]]:
    """Returns whom each link names."""
    named = confirmation_link_members
    statement = (
        readable_confirmation_links(reader.viewer)
        .join(named, named.c.link_id == confirmation_links.c.id)
        .where(named.c.link_id.in_({parent.id for parent in parents}))
        .with_only_columns(*[named.c.link_id, named.c.member_id, named.c.grant_id, named.c.code])
        .order_by(named.c.link_id, named.c.member_id)
    )
    by_link: dict[int, list[NamedMemberRecord]] = {parent.id: [] for parent in parents}
    rows: Sequence[Any] = await reader.rows(statement)
    for link_id, member_id, grant_id, code in rows:
        by_link[link_id].append(NamedMemberRecord(member_id, grant_id, code and RefusedAdmission(code)))
    return [by_link[parent.id] for parent in parents]
