"""Who could: the partner admins of a client, each with what they can give there (N02, F02, F04)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.grant import active_partner_admin, grants
from models.member import ManagerRights, MemberStatus, members
from models.partner import PartnerProgram, partners
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from models.permission.state import State
from models.table import now
from models.team import grant_teams
from resolvers.client import ClientRecord
from resolvers.interning import state_contents
from resolvers.readable import readable_grants
from resolvers.reader import Reader
from resolvers.viewer import Viewer

FEW = 1_000
"""Up to so many clients are asked for by key; for more, all grants of partner admins are read."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who can give access in a client, and how much."""

    member_id: int
    authority: State
    """G of the bounded rule (spec 2.2)."""
    teams: frozenset[int] = frozenset()
    """The teams of the client that they are in (E6)."""

    def could(self, need: State) -> bool:
        """Says whether they can give and take all of it."""
        return not need & ~self.authority


def able_admins(viewer: Viewer) -> Select[tuple[int]]:
    """Selects the grants whose holders can give access by them, as ``resolvers.operation.actor`` finds them (F02, F04, F09)."""
    works = and_(members.c.status == MemberStatus.ACTIVE.value, members.c.verified)
    edits = or_(members.c.super_admin, members.c.manager_rights == ManagerRights.EDIT.value)
    return (
        readable_grants(viewer)
        .join(members, members.c.id == grants.c.member_id)
        .join(partners, partners.c.id == members.c.partner_id)
        .join(clients, clients.c.id == grants.c.client_id)
        .where(active_partner_admin(grants, now()), grants.c.ended == 0, works, edits)
        .where(partners.c.program != PartnerProgram.NONE.value)
    )


async def colleagues_of(
    connection: AsyncConnection,
    viewer: Viewer,
    client_ids: Collection[int],
    *,
    only_id: int | None = None,
    with_teams: bool = True,
) -> dict[int, list[Colleague]]:
    """Returns who can give access in each of these clients, by name.

    Args:
        connection: of the transaction.
        viewer: who asks.
        client_ids: the clients.
        only_id: the only colleague that is asked about; None for all.
        with_teams: whether it matters in which teams they are.
    """
    able = able_admins(viewer)
    if len(client_ids) <= FEW:
        able = able.where(grants.c.client_id.in_(sorted(client_ids)))
    if only_id is not None:
        able = able.where(grants.c.member_id == only_id)
    listed = able.order_by(members.c.sort_name, members.c.id).with_only_columns(
        *[grants.c.id, grants.c.client_id, grants.c.member_id, grants.c.state_id, clients.c.ceiling_id]
    )
    wanted = set(client_ids)
    rows = [row for row in await connection.execute(listed) if row.client_id in wanted]
    states = await state_contents(connection, {key for row in rows for key in (row.state_id, row.ceiling_id)} - {None})
    teams: dict[int, set[int]] = {}
    if with_teams:
        of_grant = grant_teams.c
        for key, team_id in await connection.execute(
            select(of_grant.grant_id, of_grant.team_id).where(of_grant.grant_id.in_(able))
        ):
            teams.setdefault(key, set()).add(team_id)
    found: dict[int, list[Colleague]] = {client_id: [] for client_id in wanted}
    for row in rows:
        held = authority(states[row.state_id], states.get(row.ceiling_id), catalogue)
        found[row.client_id].append(Colleague(row.member_id, held, frozenset(teams.get(row.id, ()))))
    return found


async def who_could_by_client(reader: Reader, parents: Sequence[ClientRecord], *, need: State) -> list[list[int]]:
    """Returns the members who can give all of this in each client, by name."""
    async with reader.database.read() as connection:
        keys = {parent.id for parent in parents}
        found = await colleagues_of(connection, reader.viewer, keys, with_teams=False)
    return [[colleague.member_id for colleague in found[parent.id] if colleague.could(need)] for parent in parents]
