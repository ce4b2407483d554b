"""Whether what an operation has left undone is still to be done: the access must be as the operation has left it (N02)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, not_, null, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import FromClause

from models.grant import GrantStatus, grants
from models.member import MemberStatus, members
from models.operation import OperationKind, decisions
from models.outcome import outcomes
from models.permission_set import permission_set_versions, permission_sets
from models.team import grant_teams
from resolvers.hand_off.asked import Asked
from resolvers.hand_off.colleague import able_admins
from resolvers.hand_off.fact import Cell, Living, Person
from resolvers.interning import state_contents
from resolvers.operation.cell import team_list
from resolvers.viewer import Viewer

LIVING = grants.alias("living")
"""The access that is there now."""
_FACTS = ("status", "access_type", "seat", "state_id", "set_version_id", "customised", "expires_at")


def standing_cells(viewer: Viewer, asked: Mapping[int, Asked]) -> Select[Any]:
    """Selects outcomes that nobody has overtaken since, with all that decides about who could do what they have left undone.

    What has changed since was somebody else's decision: a hand-off neither overwrites nor revives it.

    Args:
        viewer: who asks.
        asked: what was asked for in each operation.
    """
    outcome = outcomes.c
    migrating = outcome.operation_id.in_(sorted(key for key, what in asked.items() if what.migrates))
    admins = able_admins(viewer).with_only_columns(*[grants.c.client_id, grants.c.member_id]).subquery("own_grant")
    own = and_(admins.c.client_id == outcome.client_id, admins.c.member_id == outcome.member_id)
    teams = select(team_list(grant_teams)).where(grant_teams.c.grant_id == LIVING.c.id).scalar_subquery()
    columns: list[ColumnElement[Any]] = [
        *(outcome[name] for name in ("operation_id", "decision", "client_id")),
        members.c.status.label("member_status"),
        members.c.verified,
        *(LIVING.c[name] for name in _FACTS),
        teams.label("teams"),
        case((migrating, outcome.member_id), else_=admins.c.member_id).label("known_member_id"),
        case((migrating, outcome.position)).label("known_position"),
    ]
    source: FromClause = _with_living(outcomes).outerjoin(admins, own)
    if any(what.source is not None and what.source.by_default for what in asked.values()):
        usable = and_(
            permission_sets.c.id == members.c.default_permission_set_id, permission_sets.c.archived_at.is_(None)
        )
        version = permission_set_versions.c
        newest = and_(version.set_id == permission_sets.c.id, version.version == permission_sets.c.version)
        source = source.outerjoin(permission_sets, usable).outerjoin(permission_set_versions, newest)
        columns.append(version.id.label("default_version_id"))
    else:
        columns.append(null().label("default_version_id"))
    return select(*columns).select_from(source).where(_stands(asked))


def _with_living(source: FromClause) -> FromClause:
    """Joins outcomes with their decisions, their people and the access that is there now, if any is."""
    ours = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    there = and_(
        LIVING.c.client_id == outcomes.c.client_id, LIVING.c.member_id == outcomes.c.member_id, LIVING.c.ended == 0
    )
    return source.join(decisions, ours).join(members, members.c.id == outcomes.c.member_id).outerjoin(LIVING, there)


def _stands(asked: Mapping[int, Asked]) -> ColumnElement[bool]:
    """Says whether the access is as the operation has left it."""
    reactivating = decisions.c.operation_id.in_(
        sorted(key for key, what in asked.items() if what.kind is OperationKind.REACTIVATE)
    )
    # Deactivated access counts for nothing in its decision: what would have counted was asked for.
    state_id = case((reactivating, decisions.c.requested_state_id), else_=decisions.c.after_state_id)
    had = and_(decisions.c.after_status.is_not(None), decisions.c.after_status != GrantStatus.REMOVED.value)
    same = and_(LIVING.c.status == decisions.c.after_status, LIVING.c.state_id == state_id)
    return or_(and_(not_(had), LIVING.c.id.is_(None)), and_(had, same))


def of_decisions(keys: Iterable[tuple[int, int]]) -> ColumnElement[bool]:
    """Returns the condition that an outcome has one of these decisions, by operation and number."""
    numbers: dict[int, list[int]] = {}
    for operation_id, number in keys:
        numbers.setdefault(operation_id, []).append(number)
    outcome = outcomes.c
    return or_(*(and_(outcome.operation_id == key, outcome.decision.in_(sorted(of))) for key, of in numbers.items()))


def counted(statement: Select[Any]) -> Select[Any]:
    """Returns the statement with one row for all outcomes that are alike, and how many they are."""
    rows = statement.subquery("standing")
    return select(*rows.c, func.count().label("alike")).group_by(*rows.c)


async def cells_of(connection: AsyncConnection, rows: Sequence[Any]) -> list[Cell]:
    """Returns what the rows of ``standing_cells`` say."""
    states = await state_contents(connection, {row.state_id for row in rows} - {None})
    return [
        Cell(
            row.operation_id,
            row.decision,
            row.client_id,
            Person(MemberStatus(row.member_status), row.verified, row.default_version_id),
            row.known_member_id,
            None if row.status is None else Living.of_row(row, states[row.state_id]),
            row.known_position,
        )
        for row in rows
    ]
