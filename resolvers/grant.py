"""Grants: who holds which access where (F25, F29, F30)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table, func, select

from models.client import clients
from models.grant import AccessType, GrantStatus, Seat, active_partner_admin, grants, has_ended
from models.member import members
from models.partner import partners
from models.permission_set import permission_set_versions, permission_sets
from models.table import now
from resolvers.client import ClientRecord
from resolvers.cursor import SortKind
from resolvers.member import MemberRecord
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.permission_set import PermissionSetRecord
from resolvers.readable import readable_grants
from resolvers.reader import Reader
from resolvers.viewer import Viewer

_GIVEN, _CURRENT = permission_set_versions.alias("given_version"), permission_sets.alias("given_set")


@dataclass(slots=True, eq=False)
class GrantRecord:
    """One user's access in one account on behalf of a partner, and which version of which set it was given."""

    id: int
    client_id: int
    member_id: int
    status: GrantStatus
    access_type: AccessType
    seat: Seat
    customised: bool
    expires_at: datetime | None
    version: int
    granted_by_id: int | None
    since: datetime
    permission_set_id: int | None
    permission_set_version: int | None
    outdated: bool
    """The set has a newer version than the one that the grant was given (P12)."""


@dataclass(frozen=True, slots=True)
class GrantFilter:
    """What is None does not filter, but REMOVED grants are found only by asking for that status."""

    statuses: tuple[GrantStatus, ...] | None = None
    access_types: tuple[AccessType, ...] | None = None
    expires_before: datetime | None = None
    """Only what ends before this moment, or has ended (P05)."""


def grant_conditions(filter: GrantFilter | None) -> list[ColumnElement[bool]]:  # noqa: A002 the argument's name in the API
    """Returns the conditions on the table of grants that the filter makes."""
    asked = filter or GrantFilter()
    conditions: list[ColumnElement[bool]] = []
    if asked.statuses is not None:
        conditions.append(grants.c.status.in_(asked.statuses))
    # What lives and what has ended are in two indexes: said even where it follows from the status.
    if asked.statuses is None or GrantStatus.REMOVED not in asked.statuses:
        conditions.append(grants.c.ended == 0)
    elif set(asked.statuses) == {GrantStatus.REMOVED}:
        conditions.append(has_ended(grants))
    if asked.access_types is not None:
        conditions.append(grants.c.access_type.in_(asked.access_types))
    if asked.expires_before is not None:
        conditions.append(grants.c.expires_at < asked.expires_before)
    return conditions


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.client_id,
        rows.c.member_id,
        rows.c.status,
        rows.c.access_type,
        rows.c.seat,
        rows.c.customised,
        rows.c.expires_at,
        rows.c.version,
        rows.c.granted_by_id,
        rows.c.since,
        _GIVEN.c.set_id,
        _GIVEN.c.version,
        func.coalesce(_GIVEN.c.version < _CURRENT.c.version, False),
    ).select_from(
        source.outerjoin(_GIVEN, _GIVEN.c.id == rows.c.set_version_id).outerjoin(
            _CURRENT, _CURRENT.c.id == _GIVEN.c.set_id
        )
    )


GRANTS = Projection(grants, _columns, GrantRecord)

# A person has at most one living grant in a client, so a client's list is by person and a person's by client: the unique key.
_BY_MEMBER = Order("grant.member", SortKind.NUMBER, lambda rows: rows.c.member_id)
_BY_CLIENT = Order("grant.client", SortKind.NUMBER, lambda rows: rows.c.client_id)
_BY_KEY = Order("grant", SortKind.KEY, lambda rows: rows.c.id)
_BY_END = Order("grant.end", SortKind.MOMENT, lambda rows: rows.c.expires_at)


async def grants_by_id(reader: Reader, keys: Sequence[int]) -> list[GrantRecord | None]:
    """Returns the grants with these keys; None for those the viewer does not know of (T1)."""
    return await GRANTS.by_key(reader, readable_grants(reader.viewer), keys)


async def grants_by_client(
    reader: Reader,
    parents: Sequence[ClientRecord],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[GrantRecord]]:
    """Returns one page of the partner's people in each client (F29)."""
    return await _pages(reader, clients, parents, grants.c.client_id, filter, _BY_MEMBER, page)


async def grants_by_member(
    reader: Reader,
    parents: Sequence[MemberRecord],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[GrantRecord]]:
    """Returns one page of each person's access in clients (F30)."""
    return await _pages(reader, members, parents, grants.c.member_id, filter, _BY_CLIENT, page)


async def expiring_grants_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[GrantRecord]]:
    """Returns one page of each partner's access that ends before a moment, the earliest end first (P05)."""
    choice = readable_grants(reader.viewer).where(
        grants.c.partner_id == partners.c.id, *grant_conditions(filter), grants.c.expires_at.is_not(None)
    )
    keys = [parent.id for parent in parents]
    return await GRANTS.pages(reader, partners, keys, choice, order=_BY_END, request=page)


async def expiring_grant_totals_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how much access such a list has."""
    choice = readable_grants(reader.viewer).where(*grant_conditions(filter), grants.c.expires_at.is_not(None))
    return await totals(reader, grants.c.partner_id, [parent.id for parent in parents], choice)


async def grants_by_permission_set(
    reader: Reader,
    parents: Sequence[PermissionSetRecord],
    *,
    outdated_only: bool = False,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[GrantRecord]]:
    """Returns one page of the living grants that were given each set, or only those of an older version (P12)."""
    versions = permission_set_versions
    given = select(versions.c.id).where(versions.c.set_id == permission_sets.c.id).correlate(permission_sets)
    if outdated_only:
        given = given.where(versions.c.version < permission_sets.c.version)
    choice = readable_grants(reader.viewer).where(grants.c.ended == 0, grants.c.set_version_id.in_(given))
    keys = [parent.id for parent in parents]
    return await GRANTS.pages(reader, permission_sets, keys, choice, order=_BY_KEY, request=page)


async def grant_totals_by_client(
    reader: Reader,
    parents: Sequence[ClientRecord],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many grants each client has in such a list."""
    return await _totals(reader, parents, grants.c.client_id, filter)


async def grant_totals_by_member(
    reader: Reader,
    parents: Sequence[MemberRecord],
    *,
    filter: GrantFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many grants each person has in such a list."""
    return await _totals(reader, parents, grants.c.member_id, filter)


async def grant_totals_by_permission_set(
    reader: Reader, parents: Sequence[PermissionSetRecord], *, outdated_only: bool = False
) -> list[int]:
    """Returns how many living grants were given each set."""
    versions = permission_set_versions
    choice = readable_grants(reader.viewer).join(versions, versions.c.id == grants.c.set_version_id)
    if outdated_only:
        current = permission_sets.c.version
        choice = choice.join(permission_sets, permission_sets.c.id == versions.c.set_id).where(
            versions.c.version < current
        )
    return await totals(reader, versions.c.set_id, [parent.id for parent in parents], choice.where(grants.c.ended == 0))


async def partner_admins_by_client(reader: Reader, parents: Sequence[ClientRecord]) -> list[list[GrantRecord]]:
    """Returns the ACTIVE partner admins of each client."""
    chosen = readable_grants(reader.viewer).where(
        grants.c.client_id.in_({parent.id for parent in parents}),
        active_partner_admin(grants, now()),
    )
    by_client: dict[int, list[GrantRecord]] = {parent.id: [] for parent in parents}
    for grant in await GRANTS.records(reader, chosen):
        by_client[grant.client_id].append(grant)
    return [by_client[parent.id] for parent in parents]


async def _pages(  # noqa: PLR0917 private
    reader: Reader,
    parents_table: Table,
    parents: Sequence[ClientRecord] | Sequence[MemberRecord],
    parent: ColumnElement[int],
    filter_: GrantFilter | None,
    order: Order,
    page: PageRequest,
) -> list[Page[GrantRecord]]:
    choice = readable_grants(reader.viewer).where(parent == parents_table.c.id, *grant_conditions(filter_))
    keys = [record.id for record in parents]
    return await GRANTS.pages(reader, parents_table, keys, choice, order=order, request=page)


async def _totals(
    reader: Reader,
    parents: Sequence[ClientRecord] | Sequence[MemberRecord],
    parent: ColumnElement[int],
    filter_: GrantFilter | None,
) -> list[int]:
    choice = readable_grants(reader.viewer).where(*grant_conditions(filter_))
    return await totals(reader, parent, [record.id for record in parents], choice)
