"""The timeline as rows of a file, the oldest first (F55)."""

from collections.abc import AsyncIterator
from datetime import datetime

from models.permission.level import PermissionLevel
from models.permission.state import State
from resolvers.export.source import ExportSource, Identify
from resolvers.export.text import Row
from resolvers.page import Page, PageRequest
from resolvers.permission import permissions_at_level
from resolvers.reader import Reader
from resolvers.timeline import (
    TimelineRecord,
    TimelineStateRecord,
    timeline_by_account,
    timeline_by_operation,
    timeline_by_partner,
)
from resolvers.timeline_filter import TimelineFilter

ROWS_AT_ONCE = 1_000
"""Each carries two permission states, of some 2 KB."""
STATE_COLUMNS = ("status", "access_type", "seat", "expires_at")
COLUMNS = (
    *("id", "at", "kind", "operation", "partner", "hub_id", "client", "person_name", "person_email"),
    *("asked_for", "asked_by_name", "reason"),
    *(f"{when}_{name}" for when in ("before", "after") for name in STATE_COLUMNS),
    *("granted", "revoked"),
)


async def export_timeline(
    reader: Reader, source: ExportSource, filter_: TimelineFilter, identify: Identify
) -> AsyncIterator[list[Row]]:
    """Yields the entries that a list with this filter shows; each that was there throughout once, whatever is written meanwhile (T4).

    Raises:
        AccessError: as ``ExportSource.check``, before anything is read.
        InputError: for a filter that cannot be.
    """
    await source.check(reader)
    before = None
    while True:
        page = await _page(reader, source, filter_, PageRequest(ROWS_AT_ONCE, backward=True, before=before))
        entries = page.items[::-1]
        places = await source.places(reader, entries)
        yield [_row(source, entry, place, identify) for entry, place in zip(entries, places, strict=True)]
        if not page.has_previous:
            return
        before = page.cursor(0)


async def _page(
    reader: Reader, source: ExportSource, filter_: TimelineFilter, request: PageRequest
) -> Page[TimelineRecord]:
    if source.partner_id is not None:
        (page,) = await timeline_by_partner(reader, [source.partner_id], filter=filter_, page=request)
    elif source.operation_id is not None:
        (page,) = await timeline_by_operation(reader, [source.operation_id], filter=filter_, page=request)
    else:
        (page,) = await timeline_by_account(reader, [source.account_id or 0], filter=filter_, page=request)
    return page


def _row(source: ExportSource, entry: TimelineRecord, place: tuple[str | None, str | None], identify: Identify) -> Row:
    # What an operation is called is the partner's own.
    operation = None if source.account_id is not None else identify("Operation", entry.operation_id)
    values = (
        *(identify("TimelineEntry", entry.id), entry.at, entry.kind, operation, entry.partner_name, *place),
        *(entry.person_name, entry.person_email, entry.asked_for, entry.asked_by_name, entry.reason),
        *_state(entry.before),
        *_state(entry.after),
        *(difference(entry.granted), difference(entry.revoked)),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _state(state: TimelineStateRecord | None) -> tuple[str | datetime | None, ...]:
    return (None,) * len(STATE_COLUMNS) if state is None else tuple(getattr(state, name) for name in STATE_COLUMNS)


def difference(atoms: State) -> list[str]:
    """Returns what came or went: `key:LEVEL` for a whole permission, `key:LOWER<LEVEL` for what lies above a level of it."""
    return [
        f"{found.permission.key}:{found.level}"
        if found.above is PermissionLevel.NONE
        else f"{found.permission.key}:{found.above}<{found.level}"
        for found in permissions_at_level(atoms)
    ]
