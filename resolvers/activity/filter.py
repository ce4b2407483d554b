"""Which activity a list, a count or a summary is about (F52)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import ColumnElement, FromClause, exists

from models.activity import ActivityKind
from models.member import members
from resolvers.error import InputError
from resolvers.search import contains

_PERSON = members.alias("active_person")


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What is None does not filter."""

    member_ids: tuple[int, ...] | None = None
    client_ids: tuple[int, ...] | None = None
    kinds: tuple[ActivityKind, ...] | None = None
    permissions: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    """In the person's name and e-mail address."""

    @property
    def is_of_whole_days(self) -> bool:
        """Says whether totals by day answer it."""
        return all(at is None or at.astimezone(UTC).time() == time() for at in (self.since, self.until))

    @property
    def days(self) -> tuple[date | None, date | None]:
        """Returns the first day, and the first day no more.

        Raises:
            InputError: if the period begins or ends within a day.
        """
        if not self.is_of_whole_days:
            raise InputError(
                "A summary counts whole days in UTC: since and until are written like 2026-11-21T00:00:00Z. "
                "For hours and minutes read `activity`."
            )
        return tuple(None if at is None else at.astimezone(UTC).date() for at in (self.since, self.until))  # type: ignore[return-value]


def event_conditions(filter: ActivityFilter | None, rows: FromClause) -> list[ColumnElement[bool]]:  # noqa: A002 the argument's name in the API
    """Returns the conditions on the table of events, or an alias of it."""
    asked = filter or ActivityFilter()
    conditions = _conditions(asked, rows)
    if asked.since is not None:
        conditions.append(rows.c.at >= asked.since)
    if asked.until is not None:
        conditions.append(rows.c.at < asked.until)
    return conditions


def day_conditions(filter: ActivityFilter | None, rows: FromClause) -> list[ColumnElement[bool]]:  # noqa: A002 the argument's name in the API
    """Returns the conditions on the totals by day.

    Raises:
        InputError: if the period begins or ends within a day.
    """
    asked = filter or ActivityFilter()
    conditions = _conditions(asked, rows)
    since, until = asked.days
    if since is not None:
        conditions.append(rows.c.day >= since)
    if until is not None:
        conditions.append(rows.c.day < until)
    return conditions


def _conditions(asked: ActivityFilter, rows: FromClause) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.member_ids is not None:
        conditions.append(rows.c.member_id.in_(asked.member_ids))
    if asked.client_ids is not None:
        conditions.append(rows.c.client_id.in_(asked.client_ids))
    if asked.kinds is not None:
        conditions.append(rows.c.kind.in_([kind.value for kind in asked.kinds]))
    if asked.permissions is not None:
        conditions.append(rows.c.permission.in_(asked.permissions))
    if asked.search is not None:
        is_person = exists().where(_PERSON.c.id == rows.c.member_id, contains(_PERSON.c.search_text, asked.search))
        conditions.append(is_person.correlate(rows))
    return conditions
