"""Writing events with their totals and last moments: a fixed number of statements, however many events."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.activity import activity_days, activity_events, activity_sources, last_activities
from models.dialect import insert_or_ignore, insert_or_update, lock_rows
from models.period import day_of
from models.plain_insert import insert_new

MOST_AT_ONCE = 10_000
"""The most events in one transaction."""


class Event(NamedTuple):
    """An event that is all right; a row of the table."""

    partner_id: int
    source_id: int
    client_id: int
    member_id: int
    event_id: str
    kind: str
    permission: str | None
    subject: str | None
    at: datetime
    """In UTC."""


async def source_of(connection: AsyncConnection, partner_id: int, name: str) -> int:
    """Returns the key of a source, locked until the transaction ends: nobody else records its events meanwhile.

    So an event that is not there yet is new, also where two calls have the same events.
    """
    row = {"partner_id": partner_id, "name": name}
    await connection.execute(insert_or_ignore(connection, activity_sources).values(row))
    ours = select(activity_sources.c.id).filter_by(**row)
    await lock_rows(connection, ours)
    key: int = (await connection.execute(ours)).scalar_one()
    return key


async def write_events(connection: AsyncConnection, events: Sequence[Event]) -> int:
    """Writes the events that are not there yet, with the totals and last moments that follow, and returns how many they are.

    All are of one source, which ``source_of`` has locked. In whatever order they come, the result is the same.
    """
    if not events:
        return 0
    unique = ("source_id", "event_id")
    number, first = await insert_new(connection, activity_events, Event._fields, unique, events)
    if number:
        await _count(connection, events[0].source_id, first)
    return number


async def _count(connection: AsyncConnection, source_id: int, first: int) -> None:
    """Adds the events from a key on to the totals, and moves the last moments, never back."""
    event = activity_events.c
    # Not by the index of the source, which has all that it ever told.
    new = and_(event.id >= first, event.source_id + 0 == source_id)
    key = [event.partner_id, day_of(event.at), event.client_id, event.member_id, event.kind]
    key.append(func.coalesce(event.permission, ""))
    counted = select(*key, func.count(), func.max(event.at)).where(new).group_by(*key)
    # In the order of the keys: two that record at the same time on PostgreSQL lock them in the same order.
    days = insert_or_update(connection, activity_days).from_select(list(activity_days.c), counted.order_by(*key))
    kept, more = activity_days.c, days.excluded
    await connection.execute(
        days.on_conflict_do_update(
            index_elements=list(activity_days.primary_key),
            set_={"total": kept.total + more.total, "last_at": _later(kept.last_at, more.last_at)},
        )
    )
    place = [event.client_id, event.member_id, event.partner_id]
    latest = select(*place, func.max(event.at)).where(new).group_by(*place).order_by(*place)
    last = insert_or_update(connection, last_activities).from_select(list(last_activities.c), latest)
    await connection.execute(
        last.on_conflict_do_update(
            index_elements=list(last_activities.primary_key),
            set_={"at": last.excluded.at},
            where=last_activities.c.at < last.excluded.at,
        )
    )


def _later(one: ColumnElement[datetime], other: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return case((one < other, other), else_=one)
