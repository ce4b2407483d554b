"""The groups of a pod: who and what comes into them and leaves them, and the cells that follow (P09)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, Table, and_, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.dialect import insert_many, insert_or_ignore, lock_keys
from models.member import MemberStatus, members
from models.pod import pod_cells, pod_clients, pod_editors, pod_exclusions, pod_members
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.operation.place import MOST_KEYS
from resolvers.operation.request import Key
from resolvers.pod.hold import is_held, is_in_groups, is_shared, wanted
from resolvers.readable import readable_clients, readable_members
from resolvers.viewer import Viewer

MOST_CELLS = 10_000
"""The most clients × people of a pod: what one review is about at most, and what one request carries out at once."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Whom and what a change of a pod names; a key is None for an id that cannot be read."""

    clients: tuple[Key, ...] = ()
    members: tuple[Key, ...] = ()
    exclusions: tuple[tuple[Key, Key], ...] = ()
    """Each a person and a client."""

    @property
    def all_clients(self) -> set[int]:
        """Returns the clients that are named anywhere."""
        return {key for key in (*self.clients, *(client for _, client in self.exclusions)) if key is not None}

    @property
    def all_members(self) -> set[int]:
        """Returns the people who are named anywhere."""
        return {key for key in (*self.members, *(member for member, _ in self.exclusions)) if key is not None}


async def known_groups(connection: AsyncConnection, viewer: Viewer, partner_id: int, groups: Groups) -> Groups:
    """Returns the groups with each name once, if the partner has all that are named.

    Raises:
        RefusedError: NOT_FOUND for each that the partner does not have (T1), INVALID_INPUT for too many.
    """
    for place in ("clients", "members", "exclusions"):
        if len(getattr(groups, place)) > MOST_KEYS:
            raise refuse(RefusalCode.INVALID_INPUT, f"Name at most {MOST_KEYS:,} in one request.", "input", place)
    ours = select(clients.c.id).where(clients.c.id.in_(readable_clients(viewer)), clients.c.partner_id == partner_id)
    people = select(members.c.id).where(members.c.id.in_(readable_members(viewer)), members.c.partner_id == partner_id)
    found_clients = await _found(connection, ours, clients, groups.all_clients)
    found_members = await _found(connection, people, members, groups.all_members)
    named = [
        *((key, found_clients, "client", ("clients", str(index))) for index, key in enumerate(groups.clients)),
        *((key, found_members, "member", ("members", str(index))) for index, key in enumerate(groups.members)),
        *((key, found_members, "member", ("exclusions", str(i), "member")) for i, (key, _) in _places(groups)),
        *((key, found_clients, "client", ("exclusions", str(i), "client")) for i, (_, key) in _places(groups)),
    ]
    refusals = [
        Refusal(RefusalCode.NOT_FOUND, f"There is no such {noun}.", ("input", *place))
        for key, found, noun, place in named
        if key not in found
    ]
    if refusals:
        raise RefusedError(refusals)
    once = {name: tuple(dict.fromkeys(getattr(groups, name))) for name in ("clients", "members", "exclusions")}
    return replace(groups, **once)


async def refuse_leavers(connection: AsyncConnection, groups: Groups) -> None:
    """Refuses to put anybody into a pod who has left the partner; only when they are locked nobody is leaving meanwhile (R8).

    Raises:
        RefusedError: INVALID_INPUT for each.
    """
    if not groups.all_members:
        return
    gone = select(members.c.id).where(members.c.status == MemberStatus.LEFT.value)
    left = await _found(connection, gone, members, groups.all_members)
    named = [
        *((key, ("members", str(index))) for index, key in enumerate(groups.members)),
        *((key, ("exclusions", str(index), "member")) for index, (key, _) in _places(groups)),
    ]
    refusals = [
        Refusal(RefusalCode.INVALID_INPUT, "This person has left the partner.", ("input", *place))
        for key, place in named
        if key in left
    ]
    if refusals:
        raise RefusedError(refusals)


def _places(groups: Groups) -> list[tuple[int, tuple[Key, Key]]]:
    return list(enumerate(groups.exclusions))


async def _found(connection: AsyncConnection, rows: Select[Any], table: Table, keys: set[int]) -> dict[Key, Any]:
    return {row.id: row for row in await connection.execute(rows.where(table.c.id.in_(keys)))}


async def lock_groups(connection: AsyncConnection, pod_id: int, groups: Groups) -> None:
    """Locks all clients and people of a pod and of a change, in the order in which all writers lock them.

    So whoever changes another pod of the same people sees what this one has given, or is seen.
    """
    for table, rows, named in (
        (clients, select(pod_cells.c.client_id).where(pod_cells.c.pod_id == pod_id), groups.all_clients),
        (members, select(pod_cells.c.member_id).where(pod_cells.c.pod_id == pod_id), groups.all_members),
    ):
        side = pod_clients if table is clients else pod_members
        column = side.c.client_id if table is clients else side.c.member_id
        of_group = select(column).where(side.c.pod_id == pod_id)
        keys = {*(await connection.execute(rows.distinct())).scalars(), *(await connection.execute(of_group)).scalars()}
        await lock_keys(connection, table, keys | named)


async def add_groups(connection: AsyncConnection, pod: Any, groups: Groups) -> None:
    """Puts clients and people into the groups, and pairs among the exclusions; what is there already stays.

    Raises:
        RefusedError: INVALID_INPUT for a pod that would be too large.
    """
    place = {"pod_id": pod.id, "partner_id": pod.partner_id}
    for table, rows in (
        (pod_clients, [{**place, "client_id": key} for key in groups.clients]),
        (pod_members, [{**place, "member_id": key} for key in groups.members]),
        (pod_exclusions, [{**place, "member_id": member, "client_id": client} for member, client in groups.exclusions]),
    ):
        await insert_many(connection, insert_or_ignore(connection, table), rows)
    of_clients, of_members = (
        select(func.count()).select_from(table).where(table.c.pod_id == pod.id).scalar_subquery()
        for table in (pod_clients, pod_members)
    )
    if (await connection.scalar(select(of_clients * of_members)) or 0) > MOST_CELLS:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"A pod has at most {MOST_CELLS:,} clients × people: make several pods of it.",
            "input",
        )


async def take_groups(connection: AsyncConnection, pod: Any, groups: Groups) -> None:
    """Takes clients and people out of the groups, and pairs out of the exclusions; what is not there is passed over."""
    for table, column, keys in (
        (pod_clients, pod_clients.c.client_id, groups.clients),
        (pod_members, pod_members.c.member_id, groups.members),
    ):
        await connection.execute(delete(table).where(table.c.pod_id == pod.id, column.in_(keys)))
    if groups.exclusions:
        named = or_(
            *(
                and_(pod_exclusions.c.member_id == member, pod_exclusions.c.client_id == client)
                for member, client in groups.exclusions
            )
        )
        await connection.execute(delete(pod_exclusions).where(pod_exclusions.c.pod_id == pod.id, named))


async def follow(connection: AsyncConnection, pod: Any) -> int:
    """Brings the cells of a pod to its groups; returns the key after which those lie that have come by it."""
    cell = pod_cells.c
    pairs = wanted(pod.id).subquery("wanted")
    ours, is_wanted = cell.pod_id == pod.id, is_in_groups(pod_cells)
    await connection.execute(update(pod_cells).where(ours, cell.leaving, is_wanted).values(leaving=False))
    await connection.execute(delete(pod_cells).where(ours, cell.grant_id.is_(None), ~is_wanted))
    await connection.execute(update(pod_cells).where(ours, ~cell.leaving, ~is_wanted).values(leaving=True))
    await release(connection, pod)
    last = await connection.scalar(select(func.max(cell.id)).where(ours)) or 0
    known = exists().where(cell.pod_id == pod.id, cell.client_id == pairs.c.client_id)
    known = known.where(cell.member_id == pairs.c.member_id).correlate(pairs)
    fresh = select(literal(pod.id), literal(pod.partner_id), pairs.c.client_id, pairs.c.member_id).where(~known)
    fresh = fresh.order_by(pairs.c.client_id, pairs.c.member_id)
    names = ["pod_id", "partner_id", "client_id", "member_id"]
    await connection.execute(insert(pod_cells).from_select(names, fresh))
    return last


async def release(connection: AsyncConnection, pod: Any) -> None:
    """Forgets what has left the pod where there is nothing to take away: it has ended, is somebody else's by now, or another pod's too."""
    nothing = or_(~is_held(pod_cells), is_shared(pod_cells))
    await connection.execute(delete(pod_cells).where(pod_cells.c.pod_id == pod.id, pod_cells.c.leaving, nothing))


async def leave_pods(connection: AsyncConnection, member_id: int) -> None:
    """Takes a person who leaves the partner, and whose access has ended there, out of all pods (R8)."""
    for table in (pod_cells, pod_exclusions, pod_members, pod_editors):
        await connection.execute(delete(table).where(table.c.member_id == member_id))


def pairs_of(rows: Sequence[Any]) -> tuple[tuple[Key, Key], ...]:
    """Returns the person and the client of cells."""
    return tuple((row.member_id, row.client_id) for row in rows)
