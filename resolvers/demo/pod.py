"""The demo agency's pod: what some of its people have in some of its clients, as if the pod had given it (P09)."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import GrantStatus, grants
from models.member import MemberStatus
from models.permission_set import permission_set_versions, permission_sets
from models.pod import pod_cells, pods
from models.text import fold
from resolvers.demo.blueprint import BEGINNING, DAYS
from resolvers.demo.cast import Part
from resolvers.demo.population import Troupe
from resolvers.pod.group import Groups, add_groups, follow

_NAME = "On call"
_CLIENTS, _PEOPLE = 4, 5


async def write_pod(connection: AsyncConnection, troupe: Troupe) -> None:
    """Writes a pod with the set that is given most often, in the clients and to the people who have it most often.

    What they lack of it is not given yet, and one of them is excluded in one client.
    """
    workers = {
        place.member_id
        for place in troupe.places
        if place.person.part is Part.WORKER and place.person.status is MemberStatus.ACTIVE
    }
    whole = _whole_grants(troupe.partner_id).where(grants.c.member_id.in_(workers)).subquery("whole")
    (set_id,) = await _most(connection, select(whole.c.set_id, func.count()).group_by(whole.c.set_id), 1)
    of_set = whole.c.set_id == set_id
    by_client = select(whole.c.client_id, func.count()).where(of_set).group_by(whole.c.client_id)
    clients = await _most(connection, by_client, _CLIENTS)
    there = select(whole.c.member_id, func.count()).where(of_set, whole.c.client_id.in_(clients))
    people = await _most(connection, there.group_by(whole.c.member_id), _PEOPLE)
    values = {
        "partner_id": troupe.partner_id,
        "name": _NAME,
        "name_key": fold(_NAME),
        "set_id": set_id,
        "created_by_id": troupe.places[0].user_id,
        "created_at": BEGINNING + timedelta(days=DAYS),
    }
    pod = (await connection.execute(insert(pods).values(values).returning(pods))).one()
    await add_groups(connection, pod, Groups(tuple(clients), tuple(people), ((people[-1], clients[-1]),)))
    await follow(connection, pod)
    same = and_(whole.c.client_id == pod_cells.c.client_id, whole.c.member_id == pod_cells.c.member_id)
    given = select(whole.c.id).where(of_set, same).correlate(pod_cells).scalar_subquery()
    noted = update(pod_cells).where(pod_cells.c.pod_id == pod.id, given.is_not(None))
    await connection.execute(noted.values(grant_id=given, set_id=set_id))


def _whole_grants(partner_id: int) -> Select[Any]:
    """Selects the active access that is exactly a set which the partner may give in all of its clients."""
    return (
        select(grants.c.id, grants.c.client_id, grants.c.member_id, permission_set_versions.c.set_id)
        .join(permission_set_versions, permission_set_versions.c.id == grants.c.set_version_id)
        .join(permission_sets, permission_sets.c.id == permission_set_versions.c.set_id)
        .where(grants.c.partner_id == partner_id, grants.c.status == GrantStatus.ACTIVE.value, ~grants.c.customised)
        .where(permission_sets.c.account_id.is_(None), permission_sets.c.archived_at.is_(None))
    )


async def _most(connection: AsyncConnection, counted: Select[Any], number: int) -> list[int]:
    """Returns the keys that a statement has counted most of."""
    key, count = counted.selected_columns
    return [row[0] for row in await connection.execute(counted.order_by(count.desc(), key).limit(number))]
