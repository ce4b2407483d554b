"""Making, changing, applying and deleting pods (P09, P10)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database
from models.dialect import lock_rows
from models.permission_set import permission_sets
from models.pod import pod_cells, pod_clients, pod_exclusions, pod_members, pods
from models.table import now
from models.text import fold
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import one_line, refusing_at
from resolvers.idempotency import remember, remembered
from resolvers.operation.execute import DryRun
from resolvers.pod.group import Groups, add_groups, follow, known_groups, lock_groups, refuse_leavers, take_groups
from resolvers.pod.hold import living_grant
from resolvers.pod.right import check_editor
from resolvers.pod.settlement import PodOptions, Settlement
from resolvers.readable import readable_permission_sets, readable_pods
from resolvers.viewer import Viewer

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class PodDraft:
    """What a pod is to be; None leaves that part as it is."""

    name: str | None = None
    set_id: int | None = None
    """0 for an id that cannot be read."""
    groups: Groups = Groups()  # noqa: RUF009 an immutable value
    """What it begins with, for a new one."""


@dataclass(frozen=True, slots=True)
class PodResult:
    """What became of a request about a pod."""

    pod_id: int | None
    """None for a pod that is not there: a new one in a dry run, or a deleted one."""
    partner_id: int
    operation_ids: tuple[int, ...] = ()
    dry_runs: tuple[DryRun, ...] = ()
    left_over: frozenset[int] = frozenset()
    """The keys of the access that is to be taken away, and has not been."""


_Work: TypeAlias = Callable[[Settlement], Awaitable[None]]


async def create_pod(
    database: Database,
    viewer: Viewer,
    partner_id: int,
    draft: PodDraft,
    options: PodOptions,
) -> PodResult:
    """Makes a pod with its groups, and gives what it gives.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, NAME_TAKEN, NOT_FOUND, INVALID_INPUT.
    """
    name = _name(draft.name or "")
    async with _writing(database, options) as (session, first):
        if first is not None:
            return _again(first)
        connection = await session.connection()
        await check_editor(connection, viewer, partner_id)
        known = await known_groups(connection, viewer, partner_id, draft.groups)
        row = {
            "partner_id": partner_id,
            "name": name,
            "name_key": fold(name),
            "set_id": await _known_set(connection, viewer, partner_id, draft.set_id),
            "created_by_id": viewer.user_id,
            "created_at": now(),
        }
        pod = (await connection.execute(insert(pods).values(row).returning(pods))).one()
        await lock_groups(connection, pod.id, known)
        await refuse_leavers(connection, draft.groups)
        settlement = Settlement(session, viewer, pod, options)
        await _grow(settlement, known)
        return await _kept(settlement, None if options.dry_run else pod.id)


async def update_pod(
    database: Database,
    viewer: Viewer,
    pod_id: int | None,
    draft: PodDraft,
    options: PodOptions,
) -> PodResult:
    """Renames a pod, or gives another set from now on: what it gave becomes that.

    Raises:
        RefusedError: as ``create_pod``, CONFLICT for a set that was deleted.
    """

    async def work(settlement: Settlement) -> None:
        connection, pod = await settlement.session.connection(), settlement.pod
        values: dict[str, Any] = {}
        if draft.name is not None:
            name = _name(draft.name)
            values |= {"name": name, "name_key": fold(name)}
        if draft.set_id is not None:
            values["set_id"] = await _known_set(connection, viewer, pod.partner_id, draft.set_id)
        if values:
            changed = update(pods).where(pods.c.id == pod.id).values(values).returning(pods)
            settlement.pod = (await connection.execute(changed)).one()
        await settlement.change()

    return await _edit(database, viewer, pod_id, options, work)


async def add_to_pod(
    database: Database,
    viewer: Viewer,
    pod_id: int | None,
    groups: Groups,
    options: PodOptions,
) -> PodResult:
    """Puts clients and people into a pod, who get what it gives, and exclusions, who lose it.

    Raises:
        RefusedError: as ``create_pod``, CONFLICT for a set that was deleted.
    """

    async def work(settlement: Settlement) -> None:
        await _grow(settlement, groups)

    return await _edit(database, viewer, pod_id, options, work, groups=groups, coming=True)


async def remove_from_pod(
    database: Database,
    viewer: Viewer,
    pod_id: int | None,
    groups: Groups,
    options: PodOptions,
) -> PodResult:
    """Takes clients and people out of a pod, who lose what only it gave, and exclusions, who get it.

    Raises:
        RefusedError: as ``add_to_pod``.
    """

    async def work(settlement: Settlement) -> None:
        await take_groups(await settlement.session.connection(), settlement.pod, groups)
        await _follow(settlement)

    return await _edit(database, viewer, pod_id, options, work, groups=groups)


async def apply_pod(database: Database, viewer: Viewer, pod_id: int | None, options: PodOptions) -> PodResult:
    """Tries again what a pod has not given and not taken away, for anybody with EDIT: under their own authority.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN, NOT_A_PARTNER, CONFLICT for a set that was deleted.
    """

    async def work(settlement: Settlement) -> None:
        await follow(await settlement.session.connection(), settlement.pod)
        await settlement.take_away()
        await settlement.change()
        await settlement.give(living_grant(pod_cells).is_(None))

    return await _edit(database, viewer, pod_id, options, work, by_editor=False)


async def delete_pod(database: Database, viewer: Viewer, pod_id: int | None, options: PodOptions) -> PodResult:
    """Takes away all that only the pod gave, and deletes it; if any of it cannot be taken away, everything stays.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN, NOT_A_PARTNER, INVALID_INPUT for access that was not reviewed.
    """
    async with _writing(database, options) as (session, first):
        if first is not None:
            return _again(first)
        connection = await session.connection()
        pod = await _own_pod(connection, viewer, pod_id, by_editor=True)
        await lock_groups(connection, pod.id, Groups())
        settlement = Settlement(session, viewer, pod, options)
        given = frozenset(await settlement.all_given())
        if not await settlement.take_all():
            return await _kept(settlement, pod.id, given)
        for table in (pod_cells, pod_exclusions, pod_members, pod_clients):
            await connection.execute(delete(table).where(table.c.pod_id == pod.id))
        await connection.execute(delete(pods).where(pods.c.id == pod.id))
        return await _kept(settlement, pod.id if options.dry_run else None, frozenset())


async def _edit(
    database: Database,
    viewer: Viewer,
    pod_id: int | None,
    options: PodOptions,
    work: _Work,
    *,
    groups: Groups = Groups(),  # noqa: B008 an immutable value
    coming: bool = False,
    by_editor: bool = True,
) -> PodResult:
    async with _writing(database, options) as (session, first):
        if first is not None:
            return _again(first)
        connection = await session.connection()
        pod = await _own_pod(connection, viewer, pod_id, by_editor=by_editor)
        await known_groups(connection, viewer, pod.partner_id, groups)
        await lock_groups(connection, pod.id, groups)
        if coming:
            await refuse_leavers(connection, groups)
        settlement = Settlement(session, viewer, pod, options)
        await work(settlement)
        return await _kept(settlement, pod.id)


async def _grow(settlement: Settlement, groups: Groups) -> None:
    await add_groups(await settlement.session.connection(), settlement.pod, groups)
    await _follow(settlement)


async def _follow(settlement: Settlement) -> None:
    """Takes away what has left the pod, and gives what has come into it; what it could not give before stays for ``apply_pod``."""
    last = await follow(await settlement.session.connection(), settlement.pod)
    await settlement.take_away()
    await settlement.give(pod_cells.c.id > last)


@asynccontextmanager
async def _writing(database: Database, options: PodOptions) -> AsyncIterator[tuple[AsyncSession, Any]]:
    """Yields a session, and the first answer if the call was answered before; a name that is there already is refused."""
    try:
        async with database.rehearse() if options.dry_run else database.write() as session:
            yield session, None if options.dry_run else await remembered(session, options.call)
    except IntegrityError as error:
        if "name" not in str(error.orig):
            raise
        message = "There is a pod of this name already, whatever its case and accents: choose another name."
        raise refuse(RefusalCode.NAME_TAKEN, message, "input", "name") from error


async def _kept(settlement: Settlement, pod_id: int | None, left_over: frozenset[int] | None = None) -> PodResult:
    """Returns the answer, and keeps it for a retry."""
    result = PodResult(
        pod_id,
        settlement.pod.partner_id,
        tuple(settlement.operation_ids),
        tuple(settlement.dry_runs),
        frozenset(await settlement.left_over()) if left_over is None else left_over,
    )
    if not settlement.options.dry_run:
        answer = [pod_id, result.partner_id, list(result.operation_ids), sorted(result.left_over)]
        await remember(settlement.session, settlement.options.call, answer)
    return result


def _again(first: Any) -> PodResult:
    pod_id, partner_id, operation_ids, left_over = first
    return PodResult(pod_id, partner_id, tuple(operation_ids), (), frozenset(left_over))


async def _own_pod(connection: AsyncConnection, viewer: Viewer, pod_id: int | None, *, by_editor: bool) -> Row[Any]:
    """Returns a pod that the viewer may edit, or apply, locked until the transaction ends."""
    known = select(pods.c.id).where(pods.c.id == pod_id, pods.c.id.in_(readable_pods(viewer)))
    await lock_rows(connection, known)
    found = (await connection.execute(select(pods).where(pods.c.id.in_(known)))).one_or_none()
    if found is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such pod.", "input", "pod")
    await (check_editor if by_editor else check_acting)(connection, viewer, found.partner_id)
    return found


async def _known_set(connection: AsyncConnection, viewer: Viewer, partner_id: int, set_id: int | None) -> int:
    """Returns a set that the partner may give in all of its clients: a built-in one, or its own."""
    column = permission_sets.c
    usable = select(column.id).where(column.id == set_id, column.id.in_(readable_permission_sets(viewer)))
    usable = usable.where(column.archived_at.is_(None), column.account_id.is_(None))
    usable = usable.where(or_(column.partner_id.is_(None), column.partner_id == partner_id))
    found: int | None = await connection.scalar(usable)
    if found is None:
        message = "There is no such permission set of the partner: take one of partner.permissionSets."
        raise refuse(RefusalCode.NOT_FOUND, message, "input", "permissionSet")
    return found


def _name(name: str) -> str:
    with refusing_at("The name", "input", "name"):
        return one_line(name, LONGEST_NAME)
