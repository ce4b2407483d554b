"""What a dry run would leave undone: its outcomes are in memory, and the access would be as they say (N01, N02)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.grant import grants
from models.member import members
from models.operation import OutcomeStatus
from models.team import grant_teams
from resolvers.hand_off.asked import Asked
from resolvers.hand_off.colleague import FEW, able_admins
from resolvers.hand_off.fact import Cell, Person, Teams, left_by, teams_of
from resolvers.hand_off.undone import undone
from resolvers.operation.cell import team_list
from resolvers.operation.execute import DryRun
from resolvers.operation.situation import Decision
from resolvers.operation.target import member_of, member_rows, rows_by_key
from resolvers.readable import readable_clients, readable_grants
from resolvers.viewer import Viewer

KEY = -1
"""Stands for the key of the operation, of which there is no row."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What the outcomes do not say."""

    persons: Mapping[int, Person]
    admins: Collection[tuple[int, int]]
    """Who is an able partner admin where."""
    special: Mapping[tuple[int, int], tuple[datetime | None, Teams]]
    """Where access ends some day, or is in teams."""
    accounts: Mapping[int, int]
    """By client, where teams are asked for."""


def undone_decisions(dry_run: DryRun) -> dict[tuple[int, int], Decision]:
    """Returns the decisions that would leave something undone, by the key and their number."""
    return {(KEY, number): made for number, made in dry_run.verdicts.numbered() if undone(made) is not None}


async def foreseen_cells(
    connection: AsyncConnection, viewer: Viewer, dry_run: DryRun, asked: Asked
) -> dict[Cell, list[int]]:
    """Returns the outcomes that would leave something undone, those that are alike once, with their positions.

    The number of statements is fixed.

    Args:
        connection: of the transaction.
        viewer: who asks.
        dry_run: whose outcomes.
        asked: what was asked for in it.
    """
    made = undone_decisions(dry_run)
    meant = [position for position, number in enumerate(dry_run.decisions) if (KEY, number) in made]
    keys = {dry_run.client_ids[position] for position in meant}
    statement = member_rows(viewer, locked=False)
    people = await rows_by_key(connection, statement, members, {dry_run.member_ids[position] for position in meant})
    pair = (grants.c.client_id, grants.c.member_id)
    admins = await _in_clients(connection, able_admins(viewer).with_only_columns(*pair), keys)
    teams = select(team_list(grant_teams)).where(grant_teams.c.grant_id == grants.c.id).scalar_subquery()
    in_teams = exists().where(grant_teams.c.grant_id == grants.c.id).correlate(grants)
    special = (
        readable_grants(viewer)
        .where(grants.c.ended == 0, or_(grants.c.expires_at.is_not(None), in_teams))
        .with_only_columns(*[*pair, grants.c.expires_at, teams.label("teams")])
    )
    accounts: dict[int, int] = {}
    if asked.teams is not None:
        of_client = readable_clients(viewer).with_only_columns(*[clients.c.id, clients.c.account_id])
        accounts = {
            row.id: row.account_id for row in (await rows_by_key(connection, of_client, clients, keys)).values()
        }
    around = _Around(
        {one.id: Person(one.status, one.verified, one.default_version_id) for one in map(member_of, people.values())},
        {(row.client_id, row.member_id) for row in admins},
        {
            (row.client_id, row.member_id): (row.expires_at, teams_of(row.teams))
            for row in await _in_clients(connection, special, keys)
        },
        accounts,
    )
    alike: dict[Any, list[int]] = {}
    for position in meant:
        client_id, member_id = place = dry_run.client_ids[position], dry_run.member_ids[position]
        known = place in around.admins or place in around.special or asked.migrates
        key = client_id, dry_run.decisions[position], member_id if known else around.persons[member_id], known
        alike.setdefault(key, []).append(position)
    found: dict[Cell, list[int]] = {}
    for positions in alike.values():
        found.setdefault(_cell(dry_run, asked, around, positions[0]), []).extend(positions)
    return found


async def _in_clients(connection: AsyncConnection, statement: Select[Any], keys: Collection[int]) -> list[Any]:
    """Returns the grants of a statement that are in these clients."""
    if len(keys) <= FEW:
        statement = statement.where(grants.c.client_id.in_(sorted(keys)))
    return [row for row in await connection.execute(statement) if row.client_id in keys]


def _cell(dry_run: DryRun, asked: Asked, around: _Around, position: int) -> Cell:
    client_id, member_id = pair = dry_run.client_ids[position], dry_run.member_ids[position]
    number = dry_run.decisions[position]
    decision = dry_run.verdicts[number]
    expires_at, teams = around.special.get(pair, (None, frozenset()))
    if decision.status is OutcomeStatus.APPLIED and asked.request is not None:
        if asked.request.expiry is not None:
            expires_at = asked.request.expiry.at
        given = [
            (team.team_id, team.primary)
            for team in asked.teams or ()
            if team.team_id and asked.team_accounts.get(team.team_id) == around.accounts[client_id]
        ]
        if given or asked.request.teams == ():
            teams = frozenset(given)
    return Cell(
        KEY,
        number,
        client_id,
        around.persons[member_id],
        member_id if asked.migrates or pair in around.admins else None,
        left_by(decision, expires_at, teams),
        position if asked.migrates else None,
    )
