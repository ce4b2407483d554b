"""The feed of activity: one event after the other, as the partner and as the client see it (F52)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table, func, literal, select, tuple_

from models.account import accounts
from models.activity import ActivityKind, activity_days, activity_events, activity_sources
from models.client import clients
from models.first_of_each import first_of_each
from models.member import members
from models.partner import partners
from models.user import full_name, users
from resolvers.activity.filter import ActivityFilter, day_conditions, event_conditions
from resolvers.cursor import SortKind, decode_cursor
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.readable import (
    readable_account_activity,
    readable_account_activity_days,
    readable_activity,
    readable_activity_days,
)
from resolvers.reader import Reader
from resolvers.viewer import Viewer

NEWEST_FIRST = Order("activity", SortKind.MOMENT, lambda rows: rows.c.at, descending=True)

# Aliases, because clients, people and partners are the parents around an event.
_PARTNER, _PERSON, _USER = partners.alias("actors_partner"), members.alias("actor"), users.alias("acting_user")


@dataclass(slots=True, eq=False)
class ActivityRecord:
    """Something that a person did, as far as its reader may know of it."""

    id: int
    at: datetime
    kind: ActivityKind
    permission: str | None
    subject: str | None
    client_id: int
    member_id: int
    partner_name: str
    person_name: str
    person_email: str
    source: str | None
    """None for the client: with which tools a partner works is its own business."""
    event_id: str | None


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    joined = (
        source.join(_PARTNER, _PARTNER.c.id == rows.c.partner_id)
        .join(_PERSON, _PERSON.c.id == rows.c.member_id)
        .join(_USER, _USER.c.id == _PERSON.c.user_id)
        # The client does not find the sources.
        .outerjoin(activity_sources, activity_sources.c.id == rows.c.source_id)
    )
    return select(
        rows.c.id,
        rows.c.at,
        rows.c.kind,
        rows.c.permission,
        rows.c.subject,
        rows.c.client_id,
        rows.c.member_id,
        _PARTNER.c.name,
        _PERSON.c.first_name,
        _PERSON.c.last_name,
        # In lower case: the spelling may be another partner's (T1).
        _USER.c.email_key,
        activity_sources.c.name,
        rows.c.event_id,
    ).select_from(joined)


def _record(*row: Any) -> ActivityRecord:
    first, last, email, source, event_id = row[8:]
    seen: Any = (*row[:8], full_name(first, last, email), email, source, event_id)
    return ActivityRecord(*seen)


def _account_record(*row: Any) -> ActivityRecord:
    return _record(*row[:11], None, None)


_EVENTS = Projection(activity_events, _columns, _record)
_ACCOUNT_EVENTS = Projection(activity_events, _columns, _account_record)


async def activity_by_client(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ActivityRecord]]:
    """Returns one page of what the partner's people did in each client, the latest first."""
    return await _pages(reader, clients, activity_events.c.client_id, parents, filter, page)


async def activity_by_member(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ActivityRecord]]:
    """Returns one page of what each person did, the latest first."""
    return await _pages(reader, members, activity_events.c.member_id, parents, filter, page)


async def activity_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ActivityRecord]]:
    """Returns one page of what all of each partner's people did, the latest first."""
    return await _pages(reader, partners, activity_events.c.partner_id, parents, filter, page)


async def activity_by_account(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ActivityRecord]]:
    """Returns one page of what all partners' people did in each account, the latest first."""
    latest = _latest_of_account(filter, page, lateral=not reader.database.is_sqlite)
    choice = readable_account_activity(reader.viewer).where(activity_events.c.id.in_(latest))
    return await _ACCOUNT_EVENTS.pages(reader, accounts, parents, choice, order=NEWEST_FIRST, request=page)


async def activity_total_by_client(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many events each client has in such a list."""
    return await _totals(reader, "client_id", parents, filter)


async def activity_total_by_member(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many events each person has in such a list."""
    return await _totals(reader, "member_id", parents, filter)


async def activity_total_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many events each partner has in such a list."""
    return await _totals(reader, "partner_id", parents, filter)


async def activity_total_by_account(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many events each account has in such a list."""
    rows, choice = _counted(reader, filter, of_account=True)
    joined = choice.join(clients, clients.c.id == rows.c.client_id)
    return await _summed(reader, rows, clients.c.account_id, parents, joined)


async def _pages(  # noqa: PLR0917 private
    reader: Reader,
    parents: Table,
    parent: ColumnElement[int],
    keys: Sequence[int],
    filter_: ActivityFilter | None,
    page: PageRequest,
) -> list[Page[ActivityRecord]]:
    choice = readable_activity(reader.viewer).where(parent == parents.c.id, *event_conditions(filter_, activity_events))
    return await _EVENTS.pages(reader, parents, keys, choice, order=NEWEST_FIRST, request=page)


async def _totals(reader: Reader, parent: str, keys: Sequence[int], filter_: ActivityFilter | None) -> list[int]:
    rows, choice = _counted(reader, filter_, of_account=False)
    return await _summed(reader, rows, rows.c[parent], keys, choice)


def _counted(reader: Reader, filter_: ActivityFilter | None, *, of_account: bool) -> tuple[Table, Select[Any]]:
    """Returns what counts the events: the totals by day, unless the period begins or ends within one."""
    if filter_ is None or filter_.is_of_whole_days:
        days = readable_account_activity_days if of_account else readable_activity_days
        return activity_days, days(reader.viewer).where(*day_conditions(filter_, activity_days))
    events = readable_account_activity if of_account else readable_activity
    return activity_events, events(reader.viewer).where(*event_conditions(filter_, activity_events))


async def _summed(
    reader: Reader, rows: Table, parent: ColumnElement[int], keys: Sequence[int], choice: Select[Any]
) -> list[int]:
    if rows is activity_events:
        return await totals(reader, parent, keys, choice)
    columns: list[ColumnElement[Any]] = [parent, func.sum(rows.c.total)]
    statement = choice.with_only_columns(*columns).where(parent.in_(set(keys))).group_by(parent)
    rows_found: Sequence[Any] = await reader.rows(statement)
    found = {key: int(number) for key, number in rows_found}
    return [found.get(key, 0) for key in keys]


def _latest_of_account(filter_: ActivityFilter | None, page: PageRequest, *, lateral: bool) -> Select[Any]:
    """Selects the keys among which one account's page is: as many as it needs of each of the account's partners.

    Refers to the row of `accounts` around it. Without it both databases would sort all that ever happened there.
    """
    event, row = activity_events.alias("client_event"), activity_events.alias("client_row")
    first = select(event.c.id).where(event.c.client_id == clients.c.id, *event_conditions(filter_, event))
    for cursor, beyond in ((page.after, False), (page.before, True)):
        if cursor is not None:
            place = decode_cursor(NEWEST_FIRST.name, NEWEST_FIRST.kind, cursor)
            there = tuple_(literal(place[0], event.c.at.type), literal(place[1], event.c.id.type))
            here = tuple_(event.c.at, event.c.id)
            first = first.where(here > there if beyond else here < there)
    order = (event.c.at, event.c.id) if page.backward else (event.c.at.desc(), event.c.id.desc())
    first = first.order_by(*order).limit(page.size + 1)
    of_clients = first_of_each(clients, row, first, lateral=lateral)
    return select(row.c.id).select_from(of_clients).where(clients.c.account_id == accounts.c.id).correlate(accounts)
