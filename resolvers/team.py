"""Teams of client accounts, and the teams of a grant (F54)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.team import grant_teams, teams
from resolvers.client import ClientRecord
from resolvers.grant import GrantRecord
from resolvers.page import Projection
from resolvers.readable import readable_teams
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class TeamRecord:
    """A team of an account."""

    id: int
    account_id: int
    name: str


@dataclass(slots=True, eq=False)
class TeamMembershipRecord:
    """A grant's place in a team."""

    team: TeamRecord
    primary: bool


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id, rows.c.account_id, rows.c.name).select_from(source)


_TEAMS = Projection(teams, _columns, TeamRecord)


async def teams_by_id(reader: Reader, keys: Sequence[int]) -> list[TeamRecord | None]:
    """Returns the teams with these keys; None for those the viewer does not know of (T1)."""
    return await _TEAMS.by_key(reader, readable_teams(reader.viewer), keys)


async def teams_by_client(reader: Reader, parents: Sequence[ClientRecord]) -> list[list[TeamRecord]]:
    """Returns all teams of each client's account, by name."""
    accounts = {parent.account_id for parent in parents}
    found = await _TEAMS.records(reader, readable_teams(reader.viewer).where(teams.c.account_id.in_(accounts)))
    by_account: dict[int, list[TeamRecord]] = {key: [] for key in accounts}
    for team in sorted(found, key=lambda team: team.name):
        by_account[team.account_id].append(team)
    return [by_account[parent.account_id] for parent in parents]


async def teams_by_grant(reader: Reader, parents: Sequence[GrantRecord]) -> list[list[TeamMembershipRecord]]:
    """Returns the teams of each grant, the primary one first and the others by name."""
    statement = (
        readable_teams(reader.viewer)
        .join(grant_teams, grant_teams.c.team_id == teams.c.id)
        .where(grant_teams.c.grant_id.in_({parent.id for parent in parents}))
        .with_only_columns(
            *[grant_teams.c.grant_id, grant_teams.c.is_primary, teams.c.id, teams.c.account_id, teams.c.name]
        )
    )
    by_grant: dict[int, list[TeamMembershipRecord]] = {parent.id: [] for parent in parents}
    rows: Sequence[Any] = await reader.rows(statement)
    for grant_id, primary, *team in rows:
        by_grant[grant_id].append(TeamMembershipRecord(TeamRecord(*team), primary))
    for memberships in by_grant.values():
        memberships.sort(key=lambda membership: (not membership.primary, membership.team.name))
    return [by_grant[parent.id] for parent in parents]
