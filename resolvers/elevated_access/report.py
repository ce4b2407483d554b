"""The elevated-access report of partners, and of accounts for their own people (P23, F55, T1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, and_, func, not_, or_, select

from models.client import clients
from models.grant import AccessType
from models.permission.catalogue import catalogue
from models.permission.permission import Permission
from models.table import now
from models.timeline_entry import timeline_entries
from resolvers.cursor import SortKind, decode_cursor
from resolvers.elevated_access.span import SENSITIVE, has_permission, spans
from resolvers.error import InputError
from resolvers.page import Order, Page, PageRequest
from resolvers.period import check_period
from resolvers.readable import readable_account_timeline, readable_clients, readable_members, readable_timeline
from resolvers.reader import Reader
from resolvers.timeline import TimelineRecord, account_timeline_entries_by_id, timeline_entries_by_id
from resolvers.timeline_filter import is_about
from resolvers.viewer import Viewer

LATEST_FIRST = Order("elevated_access", SortKind.KEY, lambda rows: rows.c.id, descending=True)


@dataclass(frozen=True, slots=True)
class ElevatedAccessFilter:
    """What is None does not filter; of keys, those that the viewer does not know of are in no row (T1)."""

    since: datetime | None = None
    until: datetime | None = None
    """The period: who held it at any moment from ``since`` on and before ``until``; until the present unless told otherwise."""
    access_types: tuple[AccessType, ...] | None = None
    permissions: tuple[str, ...] | None = None
    """The keys of sensitive permissions: any of these."""
    member_ids: tuple[int, ...] | None = None
    client_ids: tuple[int, ...] | None = None
    still_held: bool | None = None
    search: str | None = None
    """In the name and the e-mail address of the person."""


NOTHING_FILTERED = ElevatedAccessFilter()


@dataclass(slots=True, eq=False)
class ElevatedAccessRecord:
    """A time in which somebody held the same elevated access somewhere without a break."""

    id: int
    """The key of the entry that it began with."""
    access_type: AccessType
    begun_at: datetime
    ended_at: datetime | None
    """None while it is held."""
    since: datetime
    until: datetime | None
    """From when to when it was held within the period; None if it is held and the period has not ended."""
    begun: TimelineRecord
    ended: TimelineRecord | None
    """None while it is held, and where it expired by itself."""

    @property
    def still_held(self) -> bool:
        """Says whether it is held now."""
        return self.ended_at is None

    @property
    def expired(self) -> bool:
        """Says whether it ended by itself."""
        return self.ended_at is not None and self.ended is None

    @property
    def sensitive_permissions(self) -> list[Permission]:
        """Returns the sensitive permissions that it gave, all the time."""
        held = catalogue.levels(self.begun.after.held)
        return [catalogue.permissions[key] for key in SENSITIVE if key in held]


async def elevated_access_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ElevatedAccessFilter = NOTHING_FILTERED,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ElevatedAccessRecord]]:
    """Returns one page of who of each partner's people held elevated access, what began last first: two statements (T3)."""
    held = _of_partners(reader.viewer, parents, filter)
    return await _pages(reader, held, held.c.partner_id, parents, filter, page)


async def elevated_access_by_account(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ElevatedAccessFilter = NOTHING_FILTERED,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ElevatedAccessRecord]]:
    """Returns the same of everybody in each account; the caller has made sure that the viewer decides for it."""
    held = _of_accounts(reader.viewer, parents, filter)
    return await _pages(reader, held, held.c.account_id, parents, filter, page, for_account=True)


async def elevated_access_total_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ElevatedAccessFilter = NOTHING_FILTERED,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many rows each partner has in such a report."""
    held = _of_partners(reader.viewer, parents, filter)
    return await _totals(reader, held, held.c.partner_id, parents, filter)


async def elevated_access_total_by_account(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ElevatedAccessFilter = NOTHING_FILTERED,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many rows each account has in such a report."""
    held = _of_accounts(reader.viewer, parents, filter)
    return await _totals(reader, held, held.c.account_id, parents, filter)


def chosen_entries(viewer: Viewer, filter_: ElevatedAccessFilter, *, for_account: bool = False) -> Select[Any]:
    """Selects all entries of the grants that a report is about, as far as that follows from where they are."""
    entries = timeline_entries.c
    chosen = readable_account_timeline(viewer) if for_account else readable_timeline(viewer)
    if filter_.member_ids is not None:
        chosen = chosen.where(
            entries.member_id.in_(filter_.member_ids), entries.member_id.in_(readable_members(viewer))
        )
    if filter_.client_ids is not None:
        chosen = chosen.where(
            entries.client_id.in_(filter_.client_ids), entries.client_id.in_(readable_clients(viewer))
        )
    return chosen


def check_filter(filter_: ElevatedAccessFilter, at: datetime) -> None:
    """Refuses a filter that cannot be.

    Raises:
        InputError: as ``check_period``, and for a permission that is not sensitive.
    """
    check_period(filter_.since, filter_.until, at)
    if any(key not in SENSITIVE for key in filter_.permissions or ()):
        raise InputError(f"permissions takes keys of sensitive permissions: {', '.join(SENSITIVE)}.")


def span_conditions(held: Subquery, filter_: ElevatedAccessFilter, at: datetime) -> list[ColumnElement[bool]]:
    """Returns the conditions on spans that the filter makes at a moment.

    Raises:
        InputError: as ``check_filter``, and for a text longer than any name is.
    """
    check_filter(filter_, at)
    conditions: list[ColumnElement[bool]] = []
    if filter_.until is not None:
        conditions.append(held.c.at < filter_.until)
    if filter_.since is not None:
        conditions.append(or_(held.c.until.is_(None), held.c.until > filter_.since))
    if filter_.access_types is not None:
        conditions.append(held.c.access_type.in_([kind.value for kind in filter_.access_types]))
    if filter_.permissions is not None:
        # Never alone: of no permissions at all there are no rows.
        conditions.append(or_(held.c.id.is_(None), *(has_permission(held.c.mark, key) for key in filter_.permissions)))
    if filter_.still_held is not None:
        goes_on = or_(held.c.until.is_(None), held.c.until > at)
        conditions.append(goes_on if filter_.still_held else not_(goes_on))
    if filter_.search is not None:
        conditions.append(is_about(filter_.search, held))
    return conditions


async def elevated_access_records(
    reader: Reader, rows: Sequence[Row[Any]], filter_: ElevatedAccessFilter, at: datetime, *, for_account: bool = False
) -> list[ElevatedAccessRecord]:
    """Returns the records of rows of spans: one statement for the entries that they begin and end with.

    The latest: another copy of the database than that of the spans may not have these entries yet.
    """
    read: Callable[[Reader, Sequence[int]], Any] = (
        account_timeline_entries_by_id if for_account else timeline_entries_by_id
    )
    keys = sorted({key for row in rows for key in (row.id, row.ended_id) if key is not None})
    entries = dict(zip(keys, await read(reader.latest(), keys), strict=True)) if keys else {}
    return [_record(row, entries, filter_, at) for row in rows]


def _record(
    row: Row[Any], entries: dict[int, TimelineRecord], filter_: ElevatedAccessFilter, at: datetime
) -> ElevatedAccessRecord:
    begun, ended_at = row.at, row.until if row.until is not None and row.until <= at else None
    # A period that has not ended yet ends nothing.
    period_end = filter_.until if filter_.until is not None and filter_.until <= at else None
    ends = [moment for moment in (ended_at, period_end) if moment is not None]
    return ElevatedAccessRecord(
        id=row.id,
        access_type=AccessType(row.access_type),
        begun_at=begun,
        ended_at=ended_at,
        since=begun if filter_.since is None else max(begun, filter_.since),
        until=min(ends, default=None),
        begun=entries[row.id],
        ended=None if row.ended_id is None else entries[row.ended_id],
    )


def _of_partners(viewer: Viewer, keys: Sequence[int], filter_: ElevatedAccessFilter) -> Subquery:
    of_parents = timeline_entries.c.partner_id.in_(set(keys))
    return spans(chosen_entries(viewer, filter_).where(of_parents))


def _of_accounts(viewer: Viewer, keys: Sequence[int], filter_: ElevatedAccessFilter) -> Subquery:
    entries, accounts = timeline_entries.c, set(keys)
    # By the clients of the accounts: the index by account is of the own people's entries alone.
    theirs = entries.client_id.in_(select(clients.c.id).where(clients.c.account_id.in_(accounts)))
    own = and_(entries.client_id.is_(None), entries.account_id.in_(accounts))
    return spans(chosen_entries(viewer, filter_, for_account=True).where(or_(theirs, own)))


async def _pages(  # noqa: PLR0917 private
    reader: Reader,
    held: Subquery,
    parent: ColumnElement[int],
    keys: Sequence[int],
    filter_: ElevatedAccessFilter,
    request: PageRequest,
    *,
    for_account: bool = False,
) -> list[Page[ElevatedAccessRecord]]:
    at, listed = now(), held.c
    sorting = listed.id.asc() if request.backward else listed.id.desc()
    numbered = select(
        parent.label("parent"),
        *(listed[name] for name in ("id", "access_type", "at", "until", "ended_id")),
        func.row_number().over(partition_by=parent, order_by=sorting).label("number"),
    ).where(*span_conditions(held, filter_, at), *_bounds(listed.id, request))
    found = numbered.subquery("numbered")
    part = select(found).where(found.c.number <= request.size + 1).order_by(found.c.id.desc())
    rows = await reader.rows(part)
    by_parent: dict[int, list[Row[Any]]] = {key: [] for key in keys}
    for row in rows:
        by_parent[row.parent].append(row)
    more = {key: len(part) > request.size for key, part in by_parent.items()}
    for key, part_rows in by_parent.items():
        if more[key]:
            del part_rows[0 if request.backward else -1]
    shown = [row for part_rows in by_parent.values() for row in part_rows]
    records = await elevated_access_records(reader, shown, filter_, at, for_account=for_account)
    by_key = {record.id: record for record in records}
    return [
        Page(
            items=[by_key[row.id] for row in by_parent[key]],
            places=[(row.id, row.id) for row in by_parent[key]],
            order=LATEST_FIRST,
            has_next=request.before is not None if request.backward else more[key],
            has_previous=more[key] if request.backward else request.after is not None,
        )
        for key in keys
    ]


def _bounds(key: ColumnElement[int], request: PageRequest) -> list[ColumnElement[bool]]:
    bounds = []
    for cursor, beyond in ((request.after, False), (request.before, True)):
        if cursor is not None:
            place = decode_cursor(LATEST_FIRST.name, LATEST_FIRST.kind, cursor)[1]
            bounds.append(key > place if beyond else key < place)
    return bounds


async def _totals(
    reader: Reader, held: Subquery, parent: ColumnElement[int], keys: Sequence[int], filter_: ElevatedAccessFilter
) -> list[int]:
    columns: list[ColumnElement[Any]] = [parent, func.count()]
    counted = select(*columns).where(*span_conditions(held, filter_, now())).group_by(parent)
    rows: Sequence[Any] = await reader.rows(counted)
    found: dict[int, int] = dict(rows)
    return [found.get(key, 0) for key in keys]
