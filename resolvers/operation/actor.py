"""Who acts, as the database says it now: authority is taken when a change executes, inside its transaction (spec 2.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Subquery, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import AccessType, GrantStatus, grants, unexpired
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from models.permission.state import State
from models.team import grant_teams
from resolvers.acting_partner import acting_place
from resolvers.interning import state_contents
from resolvers.operation.target import TargetClient

_FEW = 1_000
"""Up to so many clients are asked for by key; for more, all grants of the actor are read."""


@dataclass(frozen=True, slots=True)
class Actor:
    """What a viewer may do in each target client, judged inside the writing transaction."""

    member_id: int | None
    authorities: dict[int, State] = field(default_factory=dict)
    """By client: G of the bounded rule. Clients where the actor is no ACTIVE partner admin are not in it (F04)."""
    teams: dict[int, frozenset[int]] = field(default_factory=dict)
    """By client: the teams that the actor is in."""


async def find_actor(
    connection: AsyncConnection,
    user_id: int,
    partner_id: int,
    found: Sequence[TargetClient],
    at: datetime,
    *,
    with_teams: bool,
) -> Actor:
    """Returns the actor's authority in every target client; none without EDIT in an eligible partner (F01, F02).

    Nor has somebody who is not verified any more any: nobody else can hold the Partner Admin permission (F09).
    """
    place = (await connection.execute(acting_place(user_id, partner_id))).one_or_none()
    if place is None:
        return Actor(None)
    member_id: int = place.id
    if not place.verified:
        return Actor(member_id)
    mine = (
        select(grants.c.client_id, grants.c.state_id, grants.c.id)
        .where(grants.c.member_id == member_id, grants.c.ended == 0, grants.c.status == GrantStatus.ACTIVE.value)
        .where(grants.c.access_type == AccessType.PARTNER_ADMIN.value, unexpired(grants, at))
    )
    ceilings = {client.id: client.ceiling_id for client in found}
    if len(ceilings) <= _FEW:
        mine = mine.where(grants.c.client_id.in_(sorted(ceilings)))
    rows = [row for row in await connection.execute(mine) if row.client_id in ceilings]
    ceiling_ids = {ceiling_id for ceiling_id in ceilings.values() if ceiling_id is not None}
    states = await state_contents(connection, {row.state_id for row in rows} | ceiling_ids)
    authorities: dict[int, State] = {}
    for row in rows:
        ceiling_id = ceilings[row.client_id]
        ceiling = None if ceiling_id is None else states[ceiling_id]
        authorities[row.client_id] = authority(states[row.state_id], ceiling, catalogue)
    return Actor(member_id, authorities, await _teams(connection, mine.subquery("mine")) if with_teams else {})


async def _teams(connection: AsyncConnection, mine: Subquery) -> dict[int, frozenset[int]]:
    """Returns the teams that the actor is in, by client."""
    rows = await connection.execute(
        select(mine.c.client_id, grant_teams.c.team_id).join(grant_teams, grant_teams.c.grant_id == mine.c.id)
    )
    teams: dict[int, set[int]] = {}
    for client_id, team_id in rows:
        teams.setdefault(client_id, set()).add(team_id)
    return {client_id: frozenset(ids) for client_id, ids in teams.items()}
