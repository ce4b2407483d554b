"""Access links as the partner sees them, and what clients have said to them (F15, P06)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.access_link import LinkAnswer, access_links, link_approvals
from models.account import accounts
from models.client import clients
from models.member import members
from models.partner import partners
from models.table import now
from resolvers.cursor import SortKind
from resolvers.invitation import eligible, is_living
from resolvers.issuer import Issuer
from resolvers.member import MemberRecord
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_access_links, readable_link_approvals
from resolvers.reader import Reader
from resolvers.viewer import Viewer

PURPOSE = "access link"
"""What tokens of access links are made for: no other token of the service is one."""

_OWNER, _OF = members.alias("link_owner"), partners.alias("link_partner")
_CLIENT = clients.alias("answering_client")


class LinkState(StrEnum):
    """Whether a link can be approved, and if not, why."""

    LIVE = "LIVE"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    USED = "USED"


@dataclass(slots=True, eq=False)
class AccessLinkRecord:
    """A member's link; the token is not in it, but can be made again."""

    id: int
    partner_id: int
    member_id: int
    client_id: int | None
    reference: str
    single_use: bool
    nonce: str
    token_hash: str
    created_by_id: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    owner_user_id: int
    owner_eligible: bool

    @property
    def state(self) -> LinkState:
        """Says what the link is at this moment; a suspended one works again when its owner may be partner admin again (R12)."""
        if self.revoked_at is not None:
            return LinkState.REVOKED
        if self.used_at is not None:
            return LinkState.USED
        if self.expires_at <= now():
            return LinkState.EXPIRED
        return LinkState.LIVE if self.owner_eligible else LinkState.SUSPENDED

    @property
    def age_in_days(self) -> int:
        """Returns how many whole days ago the link was made (P06)."""
        return (now() - self.created_at).days

    def token(self, issuer: Issuer) -> str | None:
        """Returns the token while the link lives; None too if it was made under another secret key."""
        lives = self.state in {LinkState.LIVE, LinkState.SUSPENDED}
        return issuer.shown(PURPOSE, self.nonce, self.token_hash) if lives else None

    def url(self, issuer: Issuer, viewer: Viewer) -> str | None:
        """Returns the address that opens the link, for its owner and for those who may act for the partner (F02)."""
        place = viewer.membership(self.partner_id)
        may_use = self.owner_user_id == viewer.user_id or (place is not None and place.acts)
        token = self.token(issuer) if may_use else None
        return None if token is None else issuer.url(token)


@dataclass(slots=True, eq=False)
class LinkApprovalRecord:
    """What one account said to a link, as the partner sees it: its people are not named."""

    id: int
    client_id: int | None
    account_name: str
    answer: LinkAnswer
    answered_at: datetime


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.partner_id,
        rows.c.member_id,
        rows.c.client_id,
        rows.c.reference,
        rows.c.single_use,
        rows.c.nonce,
        rows.c.token_hash,
        rows.c.created_by_id,
        rows.c.created_at,
        rows.c.expires_at,
        rows.c.used_at,
        rows.c.revoked_at,
        _OWNER.c.user_id,
        eligible(_OWNER, _OF),
    ).select_from(source.join(_OWNER, _OWNER.c.id == rows.c.member_id).join(_OF, _OF.c.id == rows.c.partner_id))


def _approval_columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    # The partner may have got the account as a client only after it declined.
    known = (_CLIENT.c.partner_id == rows.c.partner_id) & (_CLIENT.c.account_id == rows.c.account_id)
    joined = source.join(accounts, accounts.c.id == rows.c.account_id).outerjoin(_CLIENT, known)
    return select(rows.c.id, _CLIENT.c.id, accounts.c.official_name, rows.c.answer, rows.c.answered_at).select_from(
        joined
    )


_ACCESS_LINKS = Projection(access_links, _columns, AccessLinkRecord)
_APPROVALS = Projection(link_approvals, _approval_columns, LinkApprovalRecord)
_NEWEST = Order("access_link.newest", SortKind.KEY, lambda rows: rows.c.id, descending=True)
_NEWEST_ANSWER = Order("link_approval.newest", SortKind.KEY, lambda rows: rows.c.id, descending=True)


async def access_links_by_id(reader: Reader, keys: Sequence[int]) -> list[AccessLinkRecord | None]:
    """Returns the links with these keys; None for those the viewer does not know of (T1)."""
    return await _ACCESS_LINKS.by_key(reader, readable_access_links(reader.viewer), keys)


async def access_links_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[AccessLinkRecord]]:
    """Returns one page of each partner's links, the newest first, with those that have ended (P06)."""
    choice = readable_access_links(reader.viewer).where(access_links.c.partner_id == partners.c.id)
    keys = [parent.id for parent in parents]
    return await _ACCESS_LINKS.pages(reader, partners, keys, choice, order=_NEWEST, request=page)


async def access_link_totals_by_partner(reader: Reader, parents: Sequence[PartnerRecord]) -> list[int]:
    """Returns how many links each partner has in such a list."""
    keys = [parent.id for parent in parents]
    return await totals(reader, access_links.c.partner_id, keys, readable_access_links(reader.viewer))


async def personal_links_by_member(reader: Reader, parents: Sequence[MemberRecord]) -> list[AccessLinkRecord | None]:
    """Returns each person's own link that lives now: for any client, for several times, without a reference (F15)."""
    chosen = readable_access_links(reader.viewer).where(
        access_links.c.member_id.in_({parent.id for parent in parents}),
        access_links.c.client_id.is_(None),
        access_links.c.single_use.is_(False),
        access_links.c.reference == "",
        is_living(access_links, now()),
    )
    by_member = {link.member_id: link for link in await _ACCESS_LINKS.records(reader, chosen)}
    return [by_member.get(parent.id) for parent in parents]


async def approvals_by_access_link(
    reader: Reader,
    parents: Sequence[AccessLinkRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[LinkApprovalRecord]]:
    """Returns one page of what accounts said to each link, the newest first (P06)."""
    choice = readable_link_approvals(reader.viewer).where(link_approvals.c.link_id == access_links.c.id)
    keys = [parent.id for parent in parents]
    return await _APPROVALS.pages(reader, access_links, keys, choice, order=_NEWEST_ANSWER, request=page)


async def approval_totals_by_access_link(reader: Reader, parents: Sequence[AccessLinkRecord]) -> list[int]:
    """Returns how often accounts have answered each link."""
    keys = [parent.id for parent in parents]
    return await totals(reader, link_approvals.c.link_id, keys, readable_link_approvals(reader.viewer))
