"""People in their partner (F24, F25, F30)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.partner import partners
from models.user import users
from resolvers.error import InputError
from resolvers.member_filter import MemberFilter, member_conditions
from resolvers.member_order import BY_NAME
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_members
from resolvers.reader import Reader
from resolvers.user import UserRecord, user_columns
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class MemberRecord:
    """A person's place in a partner, and who the person is."""

    user: UserRecord
    id: int
    partner_id: int
    kind: MemberKind
    status: MemberStatus
    verified: bool
    manager_rights: ManagerRights
    default_permission_set_id: int | None
    total_clients: int


def _columns(viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.partner_id,
        rows.c.kind,
        rows.c.status,
        rows.c.verified,
        rows.c.manager_rights,
        rows.c.default_permission_set_id,
        rows.c.active_clients,
        *user_columns(viewer, users),
    ).select_from(source.join(users, users.c.id == rows.c.user_id))


def _record(*row: Any) -> MemberRecord:
    return MemberRecord(UserRecord(*row[8:]), *row[:8])


_MEMBERS = Projection(members, _columns, _record)


async def members_by_id(reader: Reader, keys: Sequence[int]) -> list[MemberRecord | None]:
    """Returns the members with these keys; None for those the viewer does not know of (T1)."""
    return await _MEMBERS.by_key(reader, readable_members(reader.viewer), keys)


async def member_by_email(reader: Reader, email: str, partner_id: int | None = None) -> MemberRecord | None:
    """Returns the member with this address in whatever case, None for those the viewer does not know of (T1).

    Raises:
        InputError: if the person is a member of several of the viewer's partners and none of them is named.
    """
    user = select(users.c.id).where(users.c.email_key == email.lower())
    chosen = readable_members(reader.viewer).where(members.c.user_id.in_(user))
    if partner_id is not None:
        chosen = chosen.where(members.c.partner_id == partner_id)
    found = await _MEMBERS.records(reader, chosen)
    if len(found) > 1:
        raise InputError("Several of your partners have this member: say which partner with the argument partner.")
    return found[0] if found else None


async def members_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    search: str | None = None,
    filter: MemberFilter | None = None,  # noqa: A002 the argument's name in the API
    kind: MemberKind | None = None,
    order: Order = BY_NAME,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[MemberRecord]]:
    """Returns one page of each partner's people, those without any client included (F21), or those of one kind (F24)."""
    choice = _choice(reader, search, filter, kind).where(members.c.partner_id == partners.c.id)
    return await _MEMBERS.pages(reader, partners, [parent.id for parent in parents], choice, order=order, request=page)


async def member_totals_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    search: str | None = None,
    filter: MemberFilter | None = None,  # noqa: A002 the argument's name in the API
    kind: MemberKind | None = None,
) -> list[int]:
    """Returns how many people each partner has in such a list."""
    keys = [parent.id for parent in parents]
    return await totals(reader, members.c.partner_id, keys, _choice(reader, search, filter, kind))


def _choice(reader: Reader, search: str | None, filter_: MemberFilter | None, kind: MemberKind | None) -> Select[Any]:
    choice = readable_members(reader.viewer).where(*member_conditions(reader.viewer, filter_, search))
    return choice if kind is None else choice.where(members.c.kind == kind)
