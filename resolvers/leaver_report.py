"""What would happen if somebody left the partner now (N03)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, ScalarSelect, Select, func, select

from models.access_link import access_links
from models.asset import AssetKind, asset_holdings
from models.client import clients
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.grant import grants
from models.member import members
from models.operation import OperationState, operations
from models.partner import partners
from models.table import now
from resolvers.cursor import SortKind
from resolvers.invitation import eligible, is_living
from resolvers.last_editor import last_editor
from resolvers.leaver_consequence import LeaverConsequence, consequence
from resolvers.member import MemberRecord
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.readable import readable_clients, readable_grants, readable_members, readable_operations
from resolvers.reader import Reader
from resolvers.removal_review import AssetCount, asset_counts
from resolvers.viewer import Viewer

_UNFINISHED = (OperationState.QUEUED.value, OperationState.RUNNING.value)
_BLOCKING = (LeaverConsequence.LAST_SUPER_ADMIN, LeaverConsequence.NO_PARTNER_ADMIN_LEFT)


@dataclass(slots=True, eq=False)
class LeaverReportRecord:
    """What depends on one person, in numbers."""

    member: MemberRecord
    last_editor: bool
    access_links: int
    confirmation_links: int
    consequences: Mapping[LeaverConsequence, int]
    """In how many of the person's clients the leaving does what."""

    @property
    def can_leave(self) -> bool:
        """Says whether the person could be removed as things are, without accepting a lockout (R14, N04)."""
        return not self.last_editor and not any(self.consequences.get(blocking) for blocking in _BLOCKING)

    def count(self, consequences: Sequence[LeaverConsequence] | None) -> int:
        """Returns how many clients have one of these consequences; all of them for None."""
        chosen = set(LeaverConsequence if consequences is None else consequences)
        return sum(count for known, count in self.consequences.items() if known in chosen)


@dataclass(slots=True, eq=False)
class LeaverClientRecord:
    """One client that a person would leave."""

    grant_id: int
    client_id: int
    member_id: int
    consequence: LeaverConsequence


def _client_columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id, rows.c.client_id, rows.c.member_id, consequence(rows, now())).select_from(source)


def _client_record(grant_id: int, client_id: int, member_id: int, told: str) -> LeaverClientRecord:
    return LeaverClientRecord(grant_id, client_id, member_id, LeaverConsequence(told))


def _key_column(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id).select_from(source)


_CLIENTS = Projection(grants, _client_columns, _client_record)
_LED = Projection(clients, _key_column, int)
_OPERATIONS = Projection(operations, _key_column, int)
_BY_CLIENT = Order("leaver.client", SortKind.NUMBER, lambda rows: rows.c.client_id)
_BY_KEY = Order("leaver.lead", SortKind.KEY, lambda rows: rows.c.id)
_NEWEST_FIRST = Order("leaver.operation", SortKind.KEY, lambda rows: rows.c.id, descending=True)


async def leaver_reports_by_member(reader: Reader, parents: Sequence[MemberRecord]) -> list[LeaverReportRecord]:
    """Returns the report of each person, in one statement."""
    at = now()
    keys = {parent.id for parent in parents}
    there = (
        readable_grants(reader.viewer)
        .where(grants.c.member_id.in_(keys), grants.c.ended == 0)
        .with_only_columns(*[grants.c.member_id, consequence(grants, at).label("consequence")])
        .subquery("leaver_client")
    )
    counted = (
        select(there.c.member_id, there.c.consequence, func.count().label("number"))
        .group_by(there.c.member_id, there.c.consequence)
        .subquery("counted")
    )
    columns = (
        members.c.id,
        last_editor(members).label("last_editor"),
        _living_access_links(at).label("access_links"),
        _open_confirmation_links(at).label("confirmation_links"),
        counted.c.consequence,
        counted.c.number,
    )
    statement = (
        readable_members(reader.viewer)
        .outerjoin(counted, counted.c.member_id == members.c.id)
        .where(members.c.id.in_(keys))
        .with_only_columns(*columns)
    )
    rows: dict[int, list[Any]] = {}
    # With the super admins of all tenants: the people whom it is about were found behind the wall.
    for row in await reader.everything().rows(statement):
        rows.setdefault(row.id, []).append(row)
    return [_report(parent, rows[parent.id]) for parent in parents]


def _report(member: MemberRecord, rows: Sequence[Any]) -> LeaverReportRecord:
    first = rows[0]
    told = {LeaverConsequence(row.consequence): row.number for row in rows if row.consequence is not None}
    return LeaverReportRecord(member, bool(first.last_editor), first.access_links, first.confirmation_links, told)


def _living_access_links(at: datetime) -> ScalarSelect[int]:
    """Counts the links of a person that a client could approve now."""
    # Without an eligible owner a link is suspended (R12).
    own = (
        select(func.count())
        .select_from(access_links.join(partners, partners.c.id == access_links.c.partner_id))
        .where(access_links.c.member_id == members.c.id, is_living(access_links, at), eligible(members))
    )
    return own.correlate(members).scalar_subquery()


def _open_confirmation_links(at: datetime) -> ScalarSelect[int]:
    """Counts the links that name a person and that their clients have not answered yet."""
    links, named = confirmation_links, confirmation_link_members
    return (
        select(func.count())
        .select_from(named.join(links, links.c.id == named.c.link_id))
        .where(named.c.member_id == members.c.id, is_living(links, at))
        .correlate(members)
        .scalar_subquery()
    )


async def leaver_clients_by_member(
    reader: Reader,
    parents: Sequence[MemberRecord],
    *,
    consequences: tuple[LeaverConsequence, ...] | None = None,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[LeaverClientRecord]]:
    """Returns one page of the clients that each person would leave."""
    choice = readable_grants(reader.viewer).where(grants.c.member_id == members.c.id, grants.c.ended == 0)
    if consequences is not None:
        choice = choice.where(consequence(grants, now()).in_([told.value for told in consequences]))
    keys = [parent.id for parent in parents]
    return await _CLIENTS.pages(reader.everything(), members, keys, choice, order=_BY_CLIENT, request=page)


async def led_clients_by_member(
    reader: Reader,
    parents: Sequence[MemberRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[int]]:
    """Returns one page of the keys of the clients that each person leads (P21)."""
    keys = [parent.id for parent in parents]
    return await _LED.pages(reader, members, keys, _led(reader.viewer), order=_BY_KEY, request=page)


async def led_client_totals_by_member(reader: Reader, parents: Sequence[MemberRecord]) -> list[int]:
    """Returns how many clients each person leads."""
    return await totals(reader, clients.c.lead_id, [parent.id for parent in parents], _led(reader.viewer))


def _led(viewer: Viewer) -> Select[Any]:
    return readable_clients(viewer).where(clients.c.lead_id == members.c.id)


async def unfinished_operations_by_member(
    reader: Reader,
    parents: Sequence[MemberRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[int]]:
    """Returns one page of the keys of the operations that each person has asked for in the partner and that go on, newest first."""
    keys = [parent.id for parent in parents]
    choice = _unfinished(reader.viewer)
    return await _OPERATIONS.pages(reader, members, keys, choice, order=_NEWEST_FIRST, request=page)


async def unfinished_operation_totals_by_member(reader: Reader, parents: Sequence[MemberRecord]) -> list[int]:
    """Returns how many such operations each person has."""
    return await totals(reader, members.c.id, [parent.id for parent in parents], _unfinished(reader.viewer))


def _unfinished(viewer: Viewer) -> Select[Any]:
    return readable_operations(viewer).where(
        operations.c.requested_by_id == members.c.user_id,
        operations.c.partner_id == members.c.partner_id,
        operations.c.state.in_(_UNFINISHED),
    )


async def asset_counts_by_leaver(reader: Reader, parents: Sequence[MemberRecord]) -> list[list[AssetCount]]:
    """Returns how many assets of each kind each person owns in all clients together."""
    columns = (asset_holdings.c.member_id, asset_holdings.c.kind, func.sum(asset_holdings.c.total))
    statement = (
        _holdings(reader.viewer, [parent.id for parent in parents])
        .with_only_columns(*columns)
        .group_by(asset_holdings.c.member_id, asset_holdings.c.kind)
    )
    found: dict[int, dict[AssetKind, int]] = {parent.id: {} for parent in parents}
    rows: Sequence[Any] = await reader.rows(statement)
    for member_id, kind, total in rows:
        found[member_id][AssetKind(kind)] = int(total)
    return [asset_counts(found[parent.id]) for parent in parents]


async def asset_counts_by_leaver_client(
    reader: Reader, parents: Sequence[LeaverClientRecord]
) -> list[list[AssetCount]]:
    """Returns how many assets of each kind the person owns in each client."""
    columns = (
        asset_holdings.c.member_id,
        asset_holdings.c.client_id,
        asset_holdings.c.kind,
        asset_holdings.c.total,
    )
    statement = (
        _holdings(reader.viewer, [parent.member_id for parent in parents])
        .with_only_columns(*columns)
        .where(asset_holdings.c.client_id.in_({parent.client_id for parent in parents}))
    )
    found: dict[tuple[int, int], dict[AssetKind, int]] = {}
    rows: Sequence[Any] = await reader.rows(statement)
    for member_id, client_id, kind, total in rows:
        found.setdefault((member_id, client_id), {})[AssetKind(kind)] = total
    return [asset_counts(found.get((parent.member_id, parent.client_id), {})) for parent in parents]


def _holdings(viewer: Viewer, keys: Sequence[int]) -> Select[Any]:
    """Selects what these people own; who owns nothing of a kind any more is not in it."""
    return (
        readable_members(viewer)
        .join(asset_holdings, asset_holdings.c.member_id == members.c.id)
        .where(asset_holdings.c.total > 0, asset_holdings.c.member_id.in_(set(keys)))
    )
