"""Summaries of activity: how often and when last, by any combination of dimensions; read from the totals by day alone (F52)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, func

from models.activity import ActivityKind, activity_days
from models.period import month_of, week_of
from resolvers.activity.filter import ActivityFilter, day_conditions
from resolvers.error import InputError
from resolvers.readable import readable_activity_days
from resolvers.reader import Reader

MOST_GROUPS = 10_000


class ActivityDimension(StrEnum):
    """By what activity is summed up."""

    PERSON = "PERSON"
    CLIENT = "CLIENT"
    KIND = "KIND"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


_DAYS = activity_days.c
# In the order in which the groups are sorted.
_COLUMNS: dict[ActivityDimension, ColumnElement[Any]] = {
    ActivityDimension.MONTH: month_of(_DAYS.day),
    ActivityDimension.WEEK: week_of(_DAYS.day),
    ActivityDimension.DAY: _DAYS.day,
    ActivityDimension.CLIENT: _DAYS.client_id,
    ActivityDimension.PERSON: _DAYS.member_id,
    ActivityDimension.KIND: _DAYS.kind,
}
_TIMES = (ActivityDimension.MONTH, ActivityDimension.WEEK, ActivityDimension.DAY)


@dataclass(slots=True, eq=False)
class ActivitySummaryRecord:
    """One group; what it is not summed up by is None."""

    total: int
    last_at: datetime
    month: date | None = None
    week: date | None = None
    day: date | None = None
    client_id: int | None = None
    member_id: int | None = None
    kind: ActivityKind | None = None


_NAMES = {
    ActivityDimension.MONTH: "month",
    ActivityDimension.WEEK: "week",
    ActivityDimension.DAY: "day",
    ActivityDimension.CLIENT: "client_id",
    ActivityDimension.PERSON: "member_id",
    ActivityDimension.KIND: "kind",
}


async def summary_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    by: tuple[ActivityDimension, ...],
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[list[ActivitySummaryRecord]]:
    """Returns the groups of each partner: in the order of time, and at one time the most active first.

    Raises:
        InputError: if there would be too many groups.
    """
    return await _summary(reader, _DAYS.partner_id, parents, by, filter)


async def summary_by_client(
    reader: Reader,
    parents: Sequence[int],
    *,
    by: tuple[ActivityDimension, ...],
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[list[ActivitySummaryRecord]]:
    """Returns the groups of each client."""
    return await _summary(reader, _DAYS.client_id, parents, by, filter)


async def summary_by_member(
    reader: Reader,
    parents: Sequence[int],
    *,
    by: tuple[ActivityDimension, ...],
    filter: ActivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[list[ActivitySummaryRecord]]:
    """Returns the groups of each person."""
    return await _summary(reader, _DAYS.member_id, parents, by, filter)


async def _summary(
    reader: Reader,
    parent: ColumnElement[int],
    keys: Sequence[int],
    by: tuple[ActivityDimension, ...],
    filter_: ActivityFilter | None,
) -> list[list[ActivitySummaryRecord]]:
    asked = [dimension for dimension in _COLUMNS if dimension in by]
    groups = [_COLUMNS[dimension] for dimension in asked]
    total = func.sum(_DAYS.total)
    times = [_COLUMNS[dimension] for dimension in asked if dimension in _TIMES]
    columns: list[ColumnElement[Any]] = [parent, total, func.max(_DAYS.last_at), *groups]
    statement = (
        readable_activity_days(reader.viewer)
        .where(parent.in_(set(keys)), *day_conditions(filter_, activity_days))
        .with_only_columns(*columns)
        .group_by(parent, *groups)
        .order_by(*times, total.desc(), *groups)
        .limit(MOST_GROUPS + 1)
    )
    rows: Sequence[Any] = await reader.rows(statement)
    if len(rows) > MOST_GROUPS:
        raise InputError(
            f"This summary has more than {MOST_GROUPS:,} groups: take fewer dimensions, longer ones such as MONTH instead of DAY, "
            "or a filter with a shorter period, fewer persons or fewer clients."
        )
    names = [_NAMES[dimension] for dimension in asked]
    found: dict[int, list[ActivitySummaryRecord]] = {key: [] for key in keys}
    for key, number, last_at, *values in rows:
        found[key].append(ActivitySummaryRecord(int(number), last_at, **dict(zip(names, values, strict=True))))
    return [found[key] for key in keys]
