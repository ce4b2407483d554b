"""Accepting a hand-off: a new operation under the colleague's own authority, on exactly those people and clients (N02).

What was asked for is asked again and judged anew. What has changed since it was handed off is left as it is: access that is another
one is rejected with CONFLICT, and left out is whoever had access that was removed since, or would get something else by now because
a permission set, a default or the copied grant has changed.
"""

from dataclasses import dataclass, replace

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.client import clients
from models.database import Database
from models.dialect import lock_keys
from models.hand_off import HandOffState, hand_offs
from models.member import members
from models.operation import OperationKind
from models.table import now
from resolvers.error import RefusalCode, refuse
from resolvers.hand_off.answer import open_hand_off
from resolvers.hand_off.cell import HandedCell, as_asked, handed_cells, handed_request
from resolvers.hand_off.letter import tell_asker
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.issuer import Issuer
from resolvers.operation.execute import DryRun, preview_in, run
from resolvers.operation.queue import QueueLimits
from resolvers.operation.request import OperationRequest, Pairs
from resolvers.viewer import Viewer

_NO_VERSION = 0
"""No grant has it: whatever is there is not what was seen."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a colleague accepts."""

    hand_off_id: int | None
    issuer: Issuer
    reason: str | None = None
    """None as whoever asked has put it."""


@dataclass(frozen=True, slots=True)
class _Task:
    request: OperationRequest
    left_out: int


async def accept_hand_off(
    database: Database, viewer: Viewer, acceptance: Acceptance, call: IdempotentCall | None, limits: QueueLimits
) -> int:
    """Carries a hand-off out or queues it, tells whoever asked, and returns its key.

    Raises:
        RefusedError: as ``open_hand_off``; FORBIDDEN or NOT_A_PARTNER (F01, F02), CONFLICT if nothing of it is as it was.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        key = await _accept(session, viewer, acceptance, limits)
        await remember(session, call, key)
    return key


async def preview_acceptance(database: Database, viewer: Viewer, acceptance: Acceptance) -> DryRun:
    """Returns what accepting would do, and writes nothing (P02).

    Raises:
        RefusedError: as ``accept_hand_off``.
    """
    async with database.snapshot() as connection:
        found = await open_hand_off(connection, viewer, acceptance.hand_off_id, by_asked=True, locked=False)
        cells = await handed_cells(connection, viewer, found.id)
        task = await _task(connection, viewer, acceptance, cells)
        options = replace(task.request.options, dry_run=True)
        return await preview_in(connection, viewer, replace(task.request, options=options))


async def _accept(session: AsyncSession, viewer: Viewer, acceptance: Acceptance, limits: QueueLimits) -> int:
    connection = await session.connection()
    found = await open_hand_off(connection, viewer, acceptance.hand_off_id, by_asked=True)
    cells = await handed_cells(connection, viewer, found.id)
    # As the pipeline locks them, so that nothing of it changes between looking and writing.
    await lock_keys(connection, clients, {cell.client_id for cell in cells})
    await lock_keys(connection, members, {cell.member_id for cell in cells})
    task = await _task(connection, viewer, acceptance, await handed_cells(connection, viewer, found.id))
    operation_id = await run(session, viewer, task.request, limits)
    values = {
        "state": HandOffState.ACCEPTED.value,
        "answered_at": now(),
        "accepted_id": operation_id,
        "left_out": task.left_out,
    }
    await connection.execute(update(hand_offs).where(hand_offs.c.id == found.id).values(values))
    await tell_asker(connection, found, accepted=True)
    key: int = found.id
    return key


async def _task(connection: AsyncConnection, viewer: Viewer, acceptance: Acceptance, cells: list[HandedCell]) -> _Task:
    """Returns what is to be done of a hand-off as things stand now."""
    partner_id, asked = await handed_request(
        connection, viewer, acceptance.issuer, acceptance.hand_off_id, acceptance.reason
    )
    still = await as_asked(connection, viewer, partner_id, asked, cells)
    chosen = [cell for cell in still if not cell.is_gone(gives=_gives(asked))]
    if not chosen:
        raise refuse(
            RefusalCode.CONFLICT,
            "Nothing of it is as it was: the access was removed, or something else would be given by now. If it is still to be "
            "done, do it as a request of your own.",
            "input",
            "handOff",
        )
    request = replace(
        asked,
        targets=Pairs(tuple((cell.member_id, cell.client_id) for cell in chosen), listed=False),
        # That nobody else is changed, these see to.
        expected_versions=tuple(seen for cell in chosen for seen in _expected(cell)),
    )
    return _Task(request, len(cells) - len(chosen))


def _gives(request: OperationRequest) -> bool:
    return request.kind is OperationKind.GRANT


def _expected(cell: HandedCell) -> list[tuple[int, int]]:
    """Returns the grant and version that must be there; one that has come since is no version that anybody has seen (P03)."""
    if cell.seen_grant_id is not None and cell.seen_version is not None:
        return [(cell.seen_grant_id, cell.seen_version)]
    return [] if cell.grant_id is None else [(cell.grant_id, _NO_VERSION)]
