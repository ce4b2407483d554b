"""Teams that are to be given: which of them each client has, and whether the actor may give them (F54, E6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.team import teams
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.operation.actor import Actor
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import TeamRequest
from resolvers.operation.target import TargetClient, rows_by_key
from resolvers.operation.wish import WishedCell, WishedTeams
from resolvers.readable import readable_teams
from resolvers.viewer import Viewer

EDIT_TEAMS = catalogue.state({"teams.edit": PermissionLevel.ALL})


@dataclass(frozen=True, slots=True)
class TeamPlan:
    """The teams asked for, by client; a team of one client's account means nothing in the others."""

    by_client: Mapping[int, tuple[TeamRequest, ...]] = field(default_factory=dict)
    accounts: Mapping[int, int] = field(default_factory=dict)
    """By team, whose it is."""
    gone: frozenset[int] = frozenset()
    """The clients that had one of the teams when it was asked for, and have it no more."""

    def placed(self, asked: tuple[TeamRequest, ...]) -> tuple[TeamRequest, ...]:
        """Returns the teams asked for with whose they are, so that it can be told where one is missed when it is gone."""
        return tuple(replace(t, account_id=self.accounts.get(t.team_id or 0, t.account_id)) for t in asked)

    def held(self, actor: Actor, client_id: int) -> bool:
        """Says whether the actor may give the teams asked for in a client: by being in them, or by editing teams."""
        asked = {team.team_id for team in self.by_client.get(client_id, ())}
        return edits_teams(actor, client_id) or asked <= actor.teams.get(client_id, frozenset())

    def refusal(self, actor: Actor, client_id: int, wished: WishedTeams) -> OutcomeCode | None:
        """Returns why the actor cannot put somebody back into teams of a client; None if they can (N06)."""
        keys = {team_id for team_id, _ in wished}
        if not keys <= self.accounts.keys():
            return OutcomeCode.TEAM_GONE
        held = edits_teams(actor, client_id) or keys <= actor.teams.get(client_id, frozenset())
        return None if held else OutcomeCode.TEAM_NOT_HELD

    def dropped(self, client_id: int, copied: Sequence[TeamRequest]) -> tuple[int, ...]:
        """Returns which of the copied teams a client does not have (E27)."""
        kept = {team.team_id for team in self.by_client.get(client_id, ())}
        return tuple(team.team_id for team in copied if team.team_id is not None and team.team_id not in kept)


def edits_teams(actor: Actor, client_id: int) -> bool:
    """Says whether the actor may give and take any team of a client."""
    return bool(actor.authorities.get(client_id, 0) & EDIT_TEAMS)


async def find_teams(
    connection: AsyncConnection,
    viewer: Viewer,
    asked: Sequence[TeamRequest],
    found: Sequence[TargetClient],
    *,
    copied: bool = False,
    checked: bool = False,
) -> TeamPlan:
    """Returns which of the teams belong to which target client; asking for none takes everybody out of all teams.

    Args:
        connection: of the transaction.
        viewer: who asks.
        asked: the teams.
        found: the clients.
        copied: whether they are a copied grant's: those that a client does not have are dropped (E27).
        checked: whether they were found when they were asked for: a team that is gone since then is missed where it was.

    Raises:
        RefusedError: NOT_FOUND for a team of none of the clients, unless copied or checked; INVALID_INPUT for two primary teams
            in one client.
    """
    if not asked:
        return planned_teams(asked, {}, found, copied=copied)
    keys = [team.team_id for team in asked if team.team_id is not None]
    rows = await connection.execute(
        select(teams.c.id, teams.c.account_id).where(teams.c.id.in_(keys), teams.c.id.in_(readable_teams(viewer)))
    )
    account_of: dict[int, int] = {row.id: row.account_id for row in rows}
    accounts = {client.account_id for client in found}
    if not copied and not checked:
        _check_known(asked, account_of, accounts)
    return planned_teams(asked, account_of, found, copied=copied)


def planned_teams(
    asked: Sequence[TeamRequest], account_of: Mapping[int, int], found: Sequence[TargetClient], *, copied: bool
) -> TeamPlan:
    """Returns which of the teams belong to which target client.

    Args:
        asked: the teams.
        account_of: whose those of them are that there are.
        found: the clients.
        copied: whether they are a copied grant's.

    Raises:
        RefusedError: INVALID_INPUT for two primary teams in one client.
    """
    if not asked:
        return TeamPlan({client.id: () for client in found})
    missing = [team.account_id for team in asked if (team.team_id or 0) not in account_of]
    gone = {account_id for account_id in missing if account_id is not None or not copied}
    merged = {team.team_id: team for team in asked}
    by_account: dict[int, list[TeamRequest]] = {}
    for team in merged.values():
        if (account_id := account_of.get(team.team_id or 0)) is not None:
            by_account.setdefault(account_id, []).append(team)
    if any(sum(team.primary for team in listed) > 1 for listed in by_account.values()):
        raise refuse(RefusalCode.INVALID_INPUT, "A person has one primary team in a client.", "input", "teams")
    return TeamPlan(
        {c.id: tuple(by_account[c.account_id]) for c in found if c.account_id in by_account},
        account_of,
        # What was asked for before it was kept whose a team is may be missed anywhere.
        frozenset(client.id for client in found if client.account_id in gone or None in gone),
    )


async def find_wished_teams(connection: AsyncConnection, viewer: Viewer, cells: Sequence[WishedCell]) -> TeamPlan:
    """Returns which of the teams that single pairs had there still are (N06)."""
    keys = {team_id for cell in cells for team_id, _ in cell.wish.teams or ()}
    if not keys:
        return TeamPlan()
    known = select(teams.c.id, teams.c.account_id).where(teams.c.id.in_(readable_teams(viewer)))
    found: dict[object, Row[Any]] = await rows_by_key(connection, known, teams, keys)
    return TeamPlan(accounts={row.id: row.account_id for row in found.values()})


def _check_known(asked: Sequence[TeamRequest], account_of: Mapping[int, int], accounts: set[int]) -> None:
    refusals = [
        Refusal(
            RefusalCode.NOT_FOUND,
            "None of these clients has such a team: take an id from client.teams.",
            ("input", "teams", str(index), "team"),
        )
        for index, team in enumerate(asked)
        if account_of.get(team.team_id or 0) not in accounts
    ]
    if refusals:
        raise RefusedError(refusals)
