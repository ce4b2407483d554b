"""The elevated-access report as rows of a file, client by client (P23)."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select

from models.client import clients
from models.table import now
from models.timeline_entry import timeline_entries
from resolvers.elevated_access.report import (
    ElevatedAccessFilter,
    ElevatedAccessRecord,
    check_filter,
    chosen_entries,
    elevated_access_records,
    span_conditions,
)
from resolvers.elevated_access.span import spans
from resolvers.export import text
from resolvers.export.source import ExportSource, Identify
from resolvers.readable import readable_account_partners, readable_clients
from resolvers.reader import Reader
from resolvers.timeline import TimelineRecord

ROWS_AT_ONCE = 1_000
_OF_PART = timeline_entries.alias("entry_of_part")
CLIENTS_AT_ONCE = 100
"""The database sorts all entries of so many clients at once."""
COLUMNS = (
    *("id", "partner", "hub_id", "client", "person_name", "person_email", "access_type", "sensitive_permissions"),
    *("since", "until", "still_held", "begun_at", "granted_for", "granted_by_name", "grant_kind", "grant_reason"),
    *("ended_at", "expired", "ended_for", "ended_by_name", "end_kind", "end_reason"),
)


async def export_elevated_access(
    reader: Reader, source: ExportSource, filter_: ElevatedAccessFilter, identify: Identify
) -> AsyncIterator[list[text.Row]]:
    """Yields the rows of the report of a partner or an account, in each client by when it began.

    Raises:
        AccessError: as ``ExportSource.check``, before anything is read.
        InputError: for a filter that cannot be.
    """
    await source.check(reader)
    at, for_account = now(), source.account_id is not None
    check_filter(filter_, at)
    async for part in _parts(reader, source, filter_):
        held = spans(chosen_entries(reader.viewer, filter_, for_account=for_account).where(*part))
        conditions, last = span_conditions(held, filter_, at), 0
        statement = select(*(held.c[name] for name in ("id", "access_type", "at", "until", "ended_id")))
        statement = statement.where(*conditions).order_by(held.c.id).limit(ROWS_AT_ONCE)
        rows: Sequence[Row[Any]] = await reader.rows(statement)
        while rows:
            records = await elevated_access_records(reader, rows, filter_, at, for_account=for_account)
            places = await source.places(reader, [record.begun for record in records])
            yield [_row(record, place, identify) for record, place in zip(records, places, strict=True)]
            last = rows[-1].id
            rows = await reader.rows(statement.where(held.c.id > last)) if len(rows) == ROWS_AT_ONCE else ()


async def _parts(
    reader: Reader, source: ExportSource, filter_: ElevatedAccessFilter
) -> AsyncIterator[list[ColumnElement[bool]]]:
    """Yields the conditions on entries that choose, part by part, all that is to be exported: of each grant all or none."""
    entries, place = timeline_entries.c, _clients(reader, source)
    if filter_.client_ids is not None:
        place = place.where(clients.c.id.in_(filter_.client_ids), clients.c.id.in_(readable_clients(reader.viewer)))
    statement = place.order_by(clients.c.id).limit(CLIENTS_AT_ONCE)
    keys = [row.id for row in await reader.rows(statement)]
    while keys:
        # By their keys: else SQLite goes through all entries of the partner for each part.
        yield [
            entries.client_id.in_(keys),
            entries.id.in_(select(_OF_PART.c.id).where(_OF_PART.c.client_id.in_(keys))),
        ]
        keys = [row.id for row in await reader.rows(statement.where(clients.c.id > keys[-1]))]
    if source.account_id is not None:
        yield [entries.client_id.is_(None), entries.account_id == source.account_id]


def _clients(reader: Reader, source: ExportSource) -> Select[Any]:
    if source.partner_id is not None:
        return readable_clients(reader.viewer).where(clients.c.partner_id == source.partner_id)
    return readable_account_partners(reader.viewer).where(clients.c.account_id == source.account_id)


def _row(record: ElevatedAccessRecord, place: tuple[str | None, str | None], identify: Identify) -> text.Row:
    begun = record.begun
    values = (
        *(identify("ElevatedAccess", record.id), begun.partner_name, *place, begun.person_name, begun.person_email),
        *(record.access_type, [permission.key for permission in record.sensitive_permissions]),
        *(record.since, record.until, record.still_held, record.begun_at, *_asked(begun)),
        *(record.ended_at, record.expired, *_asked(record.ended)),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _asked(entry: TimelineRecord | None) -> tuple[str | None, ...]:
    """Returns for whom and by whom a change was asked for, which kind it was, and why."""
    if entry is None:
        return (None,) * 4
    return entry.asked_for, entry.asked_by_name, entry.kind, entry.reason
