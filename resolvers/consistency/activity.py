"""Totals and last moments of activity are those of the events (F52), and each event is of one agency."""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, union_all

from models.activity import activity_days, activity_events, activity_sources, last_activities
from models.client import clients
from models.member import members
from models.period import day_of
from resolvers.consistency.check import Check, differ, selected

_EVENT = activity_events.c


def _days() -> Check:
    key: dict[str, ColumnElement[Any]] = {
        "partner_id": _EVENT.partner_id,
        "day": day_of(_EVENT.at),
        "client_id": _EVENT.client_id,
        "member_id": _EVENT.member_id,
        "kind": _EVENT.kind,
        "permission": func.coalesce(_EVENT.permission, ""),
    }
    counted = (
        select(
            *(column.label(name) for name, column in key.items()),
            func.count().label("number"),
            func.max(_EVENT.at).label("latest"),
        )
        .group_by(*key.values())
        .subquery("counted")
    )
    same = and_(*(activity_days.c[name] == counted.c[name] for name in key))
    columns = ("client_id", "member_id", "kind", "day")
    kept = func.coalesce(activity_days.c.total, 0)
    wrong = (
        select(*(counted.c[name] for name in columns), kept.label("kept"), counted.c.number)
        .select_from(counted.outerjoin(activity_days, same))
        .where(or_(kept != counted.c.number, differ((activity_days.c.last_at, counted.c.latest))))
    )
    unfounded = (
        select(*(activity_days.c[name] for name in columns), activity_days.c.total, literal(0))
        .select_from(activity_days.outerjoin(counted, same))
        .where(counted.c.number.is_(None))
    )
    return Check(
        "activity_days",
        "the totals by day count the events, and know the last of each day",
        [activity_events, activity_days],
        selected(
            union_all(wrong, unfounded),
            lambda row: (
                f"member {row.member_id} in client {row.client_id} on {row.day}: {row.kept} {row.kind} by the total, or another last "
                f"moment, and {row.number} by the events"
            ),
        ),
    )


def _last() -> Check:
    pair = ("client_id", "member_id")
    latest = (
        select(*(_EVENT[name] for name in pair), func.max(_EVENT.at).label("at"))
        .group_by(*(_EVENT[name] for name in pair))
        .subquery("latest")
    )
    same = and_(*(last_activities.c[name] == latest.c[name] for name in pair))
    wrong = (
        select(*(latest.c[name] for name in pair), last_activities.c.at.label("kept"), latest.c.at.label("truth"))
        .select_from(latest.outerjoin(last_activities, same))
        .where(differ((last_activities.c.at, latest.c.at)))
    )
    unfounded = (
        select(*(last_activities.c[name] for name in pair), last_activities.c.at, latest.c.at)
        .select_from(last_activities.outerjoin(latest, same))
        .where(latest.c.at.is_(None))
    )
    return Check(
        "last_activity",
        "everybody was last active when the last of their events happened",
        [activity_events, last_activities],
        selected(
            union_all(wrong, unfounded),
            lambda row: (
                f"member {row.member_id} in client {row.client_id}: last active {row.kept}, by the events {row.truth}"
            ),
        ),
    )


def _places() -> Check:
    joined = (
        activity_events.outerjoin(clients, clients.c.id == _EVENT.client_id)
        .outerjoin(members, members.c.id == _EVENT.member_id)
        .outerjoin(activity_sources, activity_sources.c.id == _EVENT.source_id)
    )
    agencies = [(_EVENT.partner_id, table.c.partner_id) for table in (clients, members, activity_sources)]
    return Check(
        "activity_places",
        "each event is of its client's agency, and so are its person and its source",
        [activity_events],
        selected(
            select(_EVENT.id, _EVENT.client_id, _EVENT.member_id).select_from(joined).where(differ(*agencies)),
            lambda row: (
                f"event {row.id}: client {row.client_id}, member {row.member_id} or the source is another agency's"
            ),
        ),
    )


ACTIVITY_CHECKS = (_days(), _last(), _places())
