"""The teams of the grants are those of their accounts, and as the timeline tells (F54)."""

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import grants
from models.operation import CELLS, operations
from models.team import grant_teams, teams
from models.timeline_entry import timeline_entries
from resolvers.consistency.check import Check, Statement, selected, streamed

_entry = timeline_entries.alias("entry")
_DEMO = '{"demo": '


def _accounts() -> Check:
    joined = grant_teams.join(teams, teams.c.id == grant_teams.c.team_id).join(
        grants, grants.c.id == grant_teams.c.grant_id
    )
    return Check(
        "team_accounts",
        "each grant is in teams of its own account",
        [grant_teams],
        selected(
            select(grant_teams.c.grant_id, grant_teams.c.team_id)
            .select_from(joined)
            .where(teams.c.account_id != grants.c.account_id),
            lambda row: f"grant {row.grant_id} is in team {row.team_id}, which is another account's",
        ),
    )


def _told() -> Statement:
    """Selects the entries that tell of teams; those of operations that were not about teams tell nothing."""
    return (
        select(_entry.c.grant_id, _entry.c.id, _entry.c.before_teams, _entry.c.after_teams, _recorded_elsewhere())
        .join(operations, operations.c.id == _entry.c.grant_id // CELLS)
        .where(or_(_entry.c.before_teams.is_not(None), _entry.c.after_teams.is_not(None)))
        .order_by(_entry.c.grant_id, _entry.c.id)
    )


def _present() -> Statement:
    return (
        select(grant_teams.c.grant_id, grant_teams.c.team_id, grant_teams.c.is_primary, _recorded_elsewhere())
        .join(operations, operations.c.id == grant_teams.c.grant_id // CELLS)
        .order_by(grant_teams.c.grant_id, grant_teams.c.team_id)
    )


def _recorded_elsewhere() -> Any:
    """Says whether the grant was made by no request: the demo puts such grants into teams without telling of it."""
    return (operations.c.request == "{}").label("recorded")


async def _search(connection: AsyncConnection) -> AsyncIterator[str]:
    demos = await connection.execute(
        select(operations.c.id).where(operations.c.request.startswith(_DEMO, autoescape=True)).limit(1)
    )
    has_demo = demos.first() is not None
    async for grant_id, told, present in _side_by_side(
        _grouped(streamed(connection, _told())), _grouped(streamed(connection, _present()))
    ):
        excused = has_demo and bool((told or present)[0].recorded)
        for fault in _faults(told, present, excused=excused):
            yield f"grant {grant_id}: {fault}"


def _faults(told: Sequence[Row[Any]], present: Sequence[Row[Any]], *, excused: bool) -> list[str]:
    there = {f"{row.team_id}*" if row.is_primary else str(row.team_id) for row in present}
    if not told:
        return [] if excused or not there else [f"it is in teams {_shown(there)}, of which no entry tells"]
    found = []
    if not excused and _set(told[0].before_teams):
        found.append(f"entry {told[0].id} says that it was in teams {told[0].before_teams}, of which no entry tells")
    found += [
        f"entry {after.id} says that it was in teams {_shown(_set(after.before_teams))} and not "
        f"{_shown(_set(before.after_teams))}"
        for before, after in pairwise(told)
        if _set(after.before_teams) != _set(before.after_teams)
    ]
    if _set(told[-1].after_teams) != there:
        found.append(f"it is in teams {_shown(there)} and not {_shown(_set(told[-1].after_teams))}")
    return found


def _set(text: str | None) -> set[str]:
    return set((text or "").split())


def _shown(keys: set[str]) -> str:
    return " ".join(sorted(keys)) or "none"


async def _grouped(rows: AsyncIterator[Row[Any]]) -> AsyncIterator[list[Row[Any]]]:
    """Yields rows of the same grant together."""
    group: list[Row[Any]] = []
    async for row in rows:
        if group and group[0].grant_id != row.grant_id:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


async def _side_by_side(
    told: AsyncIterator[list[Row[Any]]], present: AsyncIterator[list[Row[Any]]]
) -> AsyncIterator[tuple[int, list[Row[Any]], list[Row[Any]]]]:
    """Yields each grant with what is told of it and what there is; both come in the order of the grants."""
    left, right = await anext(told, None), await anext(present, None)
    while left or right:
        keys = [group[0].grant_id for group in (left, right) if group]
        grant_id = min(keys)
        of_left = left if left and left[0].grant_id == grant_id else []
        of_right = right if right and right[0].grant_id == grant_id else []
        yield grant_id, of_left, of_right
        left = await anext(told, None) if of_left else left
        right = await anext(present, None) if of_right else right


TEAM_CHECKS = (
    _accounts(),
    Check(
        "timeline_teams", "the teams of the grants are as the timeline tells", [grant_teams, timeline_entries], _search
    ),
)
