"""Carrying out queued operations, a chunk at a time: each takes effect exactly once, however often it is delivered (P01).

The transaction that writes a chunk's grants, outcomes and timeline entries marks the chunk as finished, and holds the lock of the
operation's place in the queue: whoever is killed leaves nothing behind, and nobody else works on the same operation meanwhile.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database, touch
from models.operation import OperationState, OutcomeStatus, decisions, operations
from models.operation_chunk import MOST_ATTEMPTS, operation_chunks, queued_operations
from models.table import now
from resolvers.error import RefusalCode, RefusedError
from resolvers.interning import intern_states
from resolvers.issuer import Issuer
from resolvers.operation.chunk_scope import cells_of, chunk_scope, failed_outcomes, narrowed, positions_of, same_outcome
from resolvers.operation.delivery import announce, lend
from resolvers.operation.execute import carry_out
from resolvers.operation.failing_cell import failing_cells
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.passing_error import PASSING, is_passing
from resolvers.operation.plan import Part, make_plan
from resolvers.operation.queue import forget_targets
from resolvers.operation.request import OperationRequest
from resolvers.operation.scope import Scope
from resolvers.operation.situation import Decision
from resolvers.operation.stored_request import read_again
from resolvers.operation.verdict import Verdicts
from resolvers.operation.write import CellWriter
from resolvers.sign_in import viewer_of
from resolvers.timeline_chain.block import next_block, open_block
from resolvers.viewer import Viewer

log = logging.getLogger(__name__)

_REFUSED = {
    RefusalCode.FORBIDDEN: OutcomeCode.ACTOR_LOST_AUTHORITY,
    RefusalCode.NOT_A_PARTNER: OutcomeCode.ACTOR_LOST_AUTHORITY,
    RefusalCode.NOT_FOUND: OutcomeCode.NO_PERMISSION_SET,
    RefusalCode.SOURCE_IS_SUPER_ADMIN: OutcomeCode.SOURCE_IS_SUPER_ADMIN,
    RefusalCode.UNKNOWN_PERMISSION: OutcomeCode.UNKNOWN_PERMISSION,
    RefusalCode.INVALID_LEVEL: OutcomeCode.INVALID_LEVEL,
    RefusalCode.INVALID_PREREQUISITE: OutcomeCode.INVALID_PREREQUISITE,
    RefusalCode.NON_DELEGABLE: OutcomeCode.NON_DELEGABLE,
}
"""What becomes of the cells if whoever asked has lost the authority (R13), what they are to get is not there any more, or a newer
catalogue has other permissions; nothing else can be wrong with a request that was found to be right when it was asked for."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What was done for a partner."""

    operation_id: int
    ended: bool
    """Whether the operation has ended."""
    more: bool
    """Whether the partner has more to be done."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A chunk that this process is about to carry out."""

    operation_id: int
    partner_id: int
    number: int
    size: int
    attempts: int
    """How often it was begun before, and its worker lost."""
    requested_by_id: int
    asked_at: datetime
    request: str


_owed: WeakKeyDictionary[Database, set[tuple[int, int]]] = WeakKeyDictionary()
"""The chunks that this process took and could not carry out, and could not give back either, for the database was gone."""


async def waiting_partners(database: Database) -> list[int]:
    """Returns the partners with operations that have not ended; whoever has waited longest is first."""
    queue = queued_operations.c
    statement = select(queue.partner_id).group_by(queue.partner_id).order_by(func.min(queue.turn), queue.partner_id)
    async with database.read() as connection:
        return list((await connection.execute(statement)).scalars())


async def work_once(database: Database, issuer: Issuer, partner_id: int) -> Worked | None:
    """Carries out the next chunk of that of a partner's operations whose turn it is; None if there is none, or others are at it.

    What is no cell's fault is raised: the chunk is as it was, and can be tried again.

    Raises:
        OperationalError, InterfaceError, TimeoutError, OSError: if the database is gone, locked or full.
    """
    taken = await _take(database, partner_id)
    if taken is None:
        return None
    if taken.attempts >= MOST_ATTEMPTS:
        log.error(
            "A part of operation %s stopped its worker %s times: it is set aside.", taken.operation_id, MOST_ATTEMPTS
        )
        return await _finish_all(database, taken, OutcomeStatus.FAILED, OutcomeCode.CHUNK_SET_ASIDE)
    try:
        worked = await _work(database, issuer, taken)
    except asyncio.CancelledError:
        await _give_back(database, taken)
        raise
    except Exception as error:
        if is_passing(error):
            await _give_back(database, taken)
            raise
        log.exception("A part of operation %s cannot even be looked at.", taken.operation_id)
        return await _finish_all(database, taken, OutcomeStatus.FAILED, OutcomeCode.INTERNAL_ERROR)
    if worked is None:
        await _give_back(database, taken)
    return worked


async def _take(database: Database, partner_id: int) -> _Taken | None:
    """Chooses the chunk whose turn it is, and counts the attempt: if the process dies of it, that stays."""
    owed = frozenset(_owed.get(database, ()))
    async with database.write() as session:
        connection = await session.connection()
        await lend(connection, 0)
        for operation_id, number in owed:
            await _count_attempt(connection, operation_id, number, -1)
        taken = await _choose(connection, partner_id)
    _owed.get(database, set()).difference_update(owed)
    return taken


async def _choose(connection: AsyncConnection, partner_id: int) -> _Taken | None:
    queue, chunk = queued_operations.c, operation_chunks.c
    turn = (
        select(queue.operation_id, operations.c.requested_by_id, operations.c.created_at, operations.c.request)
        .join(operations, operations.c.id == queue.operation_id)
        .where(queue.partner_id == partner_id)
        .order_by(queue.turn, queue.operation_id)
        .limit(1)
        .with_for_update(skip_locked=True, of=queued_operations)
    )
    row = (await connection.execute(turn)).one_or_none()
    if row is None:
        return None
    unfinished = (
        select(chunk.number, chunk.size, chunk.attempts)
        .where(chunk.operation_id == row.operation_id, chunk.finished_at.is_(None))
        .order_by(chunk.number)
        .limit(1)
    )
    found = (await connection.execute(unfinished)).one()
    await _count_attempt(connection, row.operation_id, found.number, 1)
    ours = queue.operation_id == row.operation_id
    await connection.execute(update(queued_operations).where(ours).values(turn=queue.turn + 1))
    queued = (operations.c.id == row.operation_id, operations.c.state == OperationState.QUEUED.value)
    await connection.execute(update(operations).where(*queued).values(state=OperationState.RUNNING.value))
    touch(connection, ("operation", row.operation_id))
    return _Taken(
        row.operation_id,
        partner_id,
        found.number,
        found.size,
        found.attempts,
        row.requested_by_id,
        row.created_at,
        row.request,
    )


async def _count_attempt(connection: AsyncConnection, operation_id: int, number: int, difference: int) -> None:
    chunk = operation_chunks.c
    await connection.execute(
        update(operation_chunks)
        .where(chunk.operation_id == operation_id, chunk.number == number)
        .where(chunk.attempts + difference >= 0)
        .values(attempts=chunk.attempts + difference)
    )


async def _give_back(database: Database, taken: _Taken) -> None:
    """Takes the attempt back, for the worker lives; at once, or with the next chunk if the database is gone."""
    _owed.setdefault(database, set()).add((taken.operation_id, taken.number))
    try:
        async with database.write() as session:
            connection = await session.connection()
            await lend(connection, 0)
            await _count_attempt(connection, taken.operation_id, taken.number, -1)
        _owed[database].discard((taken.operation_id, taken.number))
    except PASSING:
        log.debug("The attempt at a part of operation %s is taken back later.", taken.operation_id)


async def _work(database: Database, issuer: Issuer, taken: _Taken) -> Worked | None:
    """Carries a chunk out; if something in it goes wrong, all but the cells that are to blame."""
    try:
        return await _carry_out(database, issuer, taken)
    except Exception as error:
        if is_passing(error):
            raise
        log.exception("A part of operation %s cannot be carried out: looking for the cells.", taken.operation_id)
    scope = await _scope(database, taken)

    async def works(cells: Sequence[tuple[int, int, int]]) -> bool:
        try:
            async with database.rehearse() as session:
                await _try(await session.connection(), issuer, taken, cells)
        except RefusedError:
            # That is no cell's fault, and all of them are told so.
            return True
        except Exception as error:
            if is_passing(error):
                raise
            return False
        return True

    failing = await failing_cells(cells_of(scope), works)
    if len(failing) < taken.size:
        try:
            return await _carry_out(database, issuer, taken, failing)
        except Exception as error:
            if is_passing(error):
                raise
            # Each cell works for itself, and they do not work together: that is nothing that a person could sort out.
            log.exception("A part of operation %s fails as a whole.", taken.operation_id)
    return await _finish_all(database, taken, OutcomeStatus.FAILED, OutcomeCode.INTERNAL_ERROR)


async def _scope(database: Database, taken: _Taken) -> Scope:
    async with database.rehearse() as session:
        connection = await session.connection()
        await lend(connection, taken.size)
        _, scope = await _lock(connection, taken)
    return scope


async def _lock(connection: AsyncConnection, taken: _Taken) -> tuple[Viewer, Scope]:
    """Returns whoever asked, as they are now, and the cells of the chunk, locked.

    Raises:
        RefusedError: as ``chunk_scope``.
    """
    viewer = await viewer_of(connection, taken.requested_by_id)
    scope = await chunk_scope(connection, viewer, taken.partner_id, taken.operation_id, taken.number)
    return viewer, scope


async def _try(
    connection: AsyncConnection, issuer: Issuer, taken: _Taken, cells: Sequence[tuple[int, int, int]]
) -> None:
    """Carries some cells of a chunk out, under the same locks as all of it."""
    await lend(connection, taken.size)
    viewer, scope = await _lock(connection, taken)
    first = await _next_decision(connection, taken.operation_id)
    part = Part(narrowed(scope, cells), first, asked_at=taken.asked_at)
    request = _request(taken, issuer)
    plan = await make_plan(connection, viewer, request, part)
    await carry_out(connection, taken.operation_id, plan, request, viewer.user_id)


def _request(taken: _Taken, issuer: Issuer) -> OperationRequest:
    request = read_again(taken.request, issuer)
    if request is None:
        raise RuntimeError(f"Operation {taken.operation_id} was queued without a request.")
    return replace(request, checked=True)


async def _carry_out(
    database: Database, issuer: Issuer, taken: _Taken, failing: Sequence[tuple[int, int, int]] = ()
) -> Worked | None:
    """Carries a chunk out, but for the cells that fail, in one transaction; None if it was done meanwhile, or somebody else is at it."""
    async with database.write() as session:
        connection = await session.connection()
        await lend(connection, taken.size)
        if not await _is_ours(connection, taken):
            return None
        first = await _next_decision(connection, taken.operation_id)
        try:
            viewer, scope = await _lock(connection, taken)
            positions = positions_of(scope)
            request = _request(taken, issuer)
            if request.expiry and request.expiry.at and request.expiry.at <= now():
                counts = await _same_for_all(connection, taken, OutcomeStatus.REJECTED, OutcomeCode.EXPIRED)
                return await _finish(connection, taken, counts)
            if failing:
                others = set(cells_of(scope)).difference(failing)
                scope = narrowed(scope, sorted(others))
            part = Part(scope, first, lacks_cells=bool(failing), asked_at=taken.asked_at)
            plan = await make_plan(connection, viewer, request, part)
        except RefusedError as error:
            code = _REFUSED.get(error.refusals[0].code)
            if code is None:
                raise
            counts = await _same_for_all(connection, taken, OutcomeStatus.REJECTED, code)
        else:
            # Only now, when the clients are locked: its entries come after whatever happened in them before.
            block_id = await next_block(connection)
            open_block(connection, taken.operation_id, block_id, positions)
            author = taken.requested_by_id
            counts = await carry_out(connection, taken.operation_id, plan, request, author, block_id=block_id)
            if failing:
                status, code = OutcomeStatus.FAILED, OutcomeCode.INTERNAL_ERROR
                number = await _decide_unseen(connection, taken, status, code, len(failing))
                await failed_outcomes(connection, taken.operation_id, failing, number, block_id)
                counts[status] = len(failing)
        return await _finish(connection, taken, counts)


async def _is_ours(connection: AsyncConnection, taken: _Taken) -> bool:
    """Locks the operation's place in the queue; says whether the chunk is still to be done."""
    queue, chunk = queued_operations.c, operation_chunks.c
    place = select(queue.operation_id).where(queue.operation_id == taken.operation_id)
    if await connection.scalar(place.with_for_update(skip_locked=True)) is None:
        return False
    open_chunk = select(chunk.number).where(
        chunk.operation_id == taken.operation_id, chunk.number == taken.number, chunk.finished_at.is_(None)
    )
    return await connection.scalar(open_chunk) is not None


async def _next_decision(connection: AsyncConnection, operation_id: int) -> int:
    highest = select(func.coalesce(func.max(decisions.c.number) + 1, 0)).where(decisions.c.operation_id == operation_id)
    return await connection.scalar(highest) or 0


async def _finish_all(database: Database, taken: _Taken, status: OutcomeStatus, code: OutcomeCode) -> Worked | None:
    """Gives all cells of a chunk the same outcome, without trying to carry them out."""
    async with database.write() as session:
        connection = await session.connection()
        await lend(connection, taken.size)
        if not await _is_ours(connection, taken):
            return None
        counts = await _same_for_all(connection, taken, status, code)
        error = code.value if code is OutcomeCode.CHUNK_SET_ASIDE else None
        return await _finish(connection, taken, counts, error)


async def _same_for_all(
    connection: AsyncConnection, taken: _Taken, status: OutcomeStatus, code: OutcomeCode
) -> dict[OutcomeStatus, int]:
    number = await _decide_unseen(connection, taken, status, code, taken.size)
    block_id = await next_block(connection)
    open_block(connection, taken.operation_id, block_id)
    await same_outcome(connection, taken.operation_id, taken.number, decision=number, status=status, block_id=block_id)
    return {status: taken.size}


async def _decide_unseen(
    connection: AsyncConnection, taken: _Taken, status: OutcomeStatus, code: OutcomeCode, size: int
) -> int:
    """Writes the decision over so many cells that nobody has looked at, and returns its number."""
    verdicts = Verdicts(await _next_decision(connection, taken.operation_id))
    number = verdicts.number(Decision(status=status, code=code))
    writer = CellWriter(connection, taken.operation_id, taken.partner_id, now())
    await writer.record_decisions(verdicts, {number: size}, await intern_states(connection, {0}))
    return number


async def _finish(
    connection: AsyncConnection, taken: _Taken, counts: dict[OutcomeStatus, int], error: str | None = None
) -> Worked:
    """Marks a chunk as finished and moves the operation's counters; after the last one the operation has ended."""
    chunk, queue, operation = operation_chunks.c, queued_operations.c, operations.c
    moment = now()
    ours = (chunk.operation_id == taken.operation_id, chunk.number == taken.number)
    await connection.execute(update(operation_chunks).where(*ours).values(finished_at=moment))
    unfinished = select(chunk.number).where(chunk.operation_id == taken.operation_id, chunk.finished_at.is_(None))
    ended = await connection.scalar(unfinished.limit(1)) is None
    values = {
        "applied": operation.applied + counts.get(OutcomeStatus.APPLIED, 0),
        "noop": operation.noop + counts.get(OutcomeStatus.NOOP, 0),
        "rejected": operation.rejected + counts.get(OutcomeStatus.REJECTED, 0),
        "failed": operation.failed + counts.get(OutcomeStatus.FAILED, 0),
        "error": func.coalesce(operation.error, error),
    }
    this = operation.id == taken.operation_id
    await connection.execute(update(operations).where(this).values(values))
    if ended:
        failed = operation.error.is_not(None)
        for condition, state in ((failed, OperationState.FAILED), (~failed, OperationState.COMPLETED)):
            finished = {"state": state.value, "finished_at": moment}
            await connection.execute(update(operations).where(this, condition).values(finished))
        await forget_targets(connection, taken.operation_id)
    more = await connection.scalar(select(queue.operation_id).where(queue.partner_id == taken.partner_id).limit(1))
    if more is not None:
        await announce(connection, taken.partner_id)
        touch(connection, ("work", taken.partner_id))
    touch(connection, ("operation", taken.operation_id))
    return Worked(taken.operation_id, ended=ended, more=more is not None)
