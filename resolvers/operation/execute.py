"""Carrying out an operation: the whole pipeline in one transaction, or, for a dry run, all of it but the writing."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database, touch
from models.operation import Operation, OperationKind, OperationState, OutcomeStatus, operations
from models.table import now
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.interning import intern_states
from resolvers.operation.cell import cells
from resolvers.operation.plan import Plan, make_plan, targets_of
from resolvers.operation.queue import QueueLimits, enqueue
from resolvers.operation.removal import AssetTransferRecord, foresee_transfers, settle_assets
from resolvers.operation.request import OperationRequest
from resolvers.operation.stored_request import stored
from resolvers.operation.verdict import Verdicts
from resolvers.operation.write import CellWriter
from resolvers.timeline_chain.block import open_block
from resolvers.viewer import Viewer

_ROWS_AT_ONCE = 10_000


@dataclass(slots=True)
class DryRun:
    """What an operation would do (P02, N01): four numbers a cell, so that a million of them stay small."""

    kind: OperationKind
    partner_id: int
    requested_by_id: int
    at: datetime
    atomic: bool
    reason: str | None
    request: OperationRequest
    """What was asked for."""
    verdicts: Verdicts
    counts: dict[OutcomeStatus, int]
    client_ids: "array[int]" = field(default_factory=lambda: array("q"))
    member_ids: "array[int]" = field(default_factory=lambda: array("q"))
    grant_ids: "array[int]" = field(default_factory=lambda: array("q"))
    """0 where there is no grant."""
    decisions: "array[int]" = field(default_factory=lambda: array("l"))
    transfers: dict[int, Sequence[AssetTransferRecord]] = field(default_factory=dict)
    """By position, where access would be removed: what would become of the assets."""


async def preview(database: Database, viewer: Viewer, request: OperationRequest) -> DryRun:
    """Returns the outcomes that ``execute`` would give, and writes nothing.

    Raises:
        RefusedError: if the request as a whole cannot be carried out.
    """
    async with database.snapshot() as connection:
        return await preview_in(connection, viewer, request)


async def preview_in(connection: AsyncConnection, viewer: Viewer, request: OperationRequest) -> DryRun:
    """Returns what ``preview`` does, as seen in a snapshot.

    Raises:
        RefusedError: as ``preview``.
    """
    plan = await make_plan(connection, viewer, request)
    dry_run = DryRun(
        kind=request.kind,
        partner_id=plan.scope.partner_id,
        requested_by_id=viewer.user_id,
        at=plan.at,
        atomic=request.options.atomic,
        reason=request.options.reason,
        request=request,
        verdicts=plan.verdicts,
        counts=_by_status(plan),
    )
    await _collect(connection, dry_run)
    dry_run.transfers = await foresee_transfers(connection, plan.verdicts)
    return dry_run


async def _collect(connection: AsyncConnection, dry_run: DryRun) -> None:
    columns = (cells.c.client_id, cells.c.member_id, cells.c.grant_id, cells.c.decision)
    async with connection.stream(select(*columns).order_by(cells.c.position)) as rows:
        async for part in rows.partitions(_ROWS_AT_ONCE):
            for client_id, member_id, grant_id, decision in part:
                dry_run.client_ids.append(client_id)
                dry_run.member_ids.append(member_id)
                dry_run.grant_ids.append(grant_id or 0)
                dry_run.decisions.append(decision)


async def execute(
    database: Database,
    viewer: Viewer,
    request: OperationRequest,
    call: IdempotentCall | None = None,
    limits: QueueLimits | None = None,
) -> int:
    """Carries a request out or queues it, all of it or, on an error, nothing, and returns the operation's key.

    With an idempotent call that was answered before, returns the operation of the first answer (R22).

    Raises:
        RefusedError: if the request as a whole cannot be carried out.
        AccessError: IDEMPOTENCY_KEY_MISMATCH.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        operation_id = await run(session, viewer, request, limits)
        await remember(session, call, operation_id)
    return operation_id


async def run(
    session: AsyncSession, viewer: Viewer, request: OperationRequest, limits: QueueLimits | None = None
) -> int:
    """Carries a request out inside a transaction, and returns the operation's key.

    Args:
        session: of the transaction.
        viewer: who asks.
        request: what is asked for.
        limits: from how many cells on it is queued instead; None for never, but what is asked for ahead of time.

    Raises:
        RefusedError: if the request as a whole cannot be carried out.
    """
    connection = await session.connection()
    later = request.options.run_at is not None
    if later or (limits is not None and limits.may_exceed(request.targets)):
        known = limits or QueueLimits()
        scope = await targets_of(connection, viewer, request, locked=False)
        if scope.size > (0 if later else known.queue_above):
            return await enqueue(connection, viewer, request, scope, known)
    plan = await make_plan(connection, viewer, request)
    operation = Operation(
        partner_id=plan.scope.partner_id,
        kind=request.kind,
        state=OperationState.RUNNING,
        mode=request.options.mode,
        atomic=request.options.atomic,
        requested_by_id=viewer.user_id,
        reason=request.options.reason,
        request=stored(replace(request, teams=plan.teams)) if request.repeatable else "{}",
        created_at=plan.at,
    )
    session.add(operation)
    await session.flush()
    operation_id = operation.id
    if operation_id is None:
        raise RuntimeError("The database gave the operation no key.")
    open_block(connection, operation_id)
    counts = await carry_out(connection, operation_id, plan, request, viewer.user_id)
    await connection.execute(
        update(operations)
        .where(operations.c.id == operation_id)
        .values(
            state=OperationState.COMPLETED.value,
            finished_at=now(),
            total=sum(counts.values()),
            applied=counts.get(OutcomeStatus.APPLIED, 0),
            noop=counts.get(OutcomeStatus.NOOP, 0),
            rejected=counts.get(OutcomeStatus.REJECTED, 0),
        )
    )
    return operation_id


async def carry_out(
    connection: AsyncConnection,
    operation_id: int,
    plan: Plan,
    request: OperationRequest,
    granted_by_id: int,
    *,
    block_id: int | None = None,
) -> dict[OutcomeStatus, int]:
    """Writes a plan, of all or a part of an operation, and returns how many outcomes have each status.

    Args:
        connection: of the transaction.
        operation_id: the operation, which is written already.
        plan: what was decided.
        request: what was asked for.
        granted_by_id: who asked.
        block_id: the block of the timeline, if it is not the operation's first.
    """
    writer = CellWriter(connection, operation_id, plan.scope.partner_id, plan.at, block_id)
    await _write(connection, writer, plan, request, granted_by_id)
    touch(connection, ("operation", operation_id), ("timeline", plan.scope.partner_id))
    return _by_status(plan)


async def _write(
    connection: AsyncConnection, writer: CellWriter, plan: Plan, request: OperationRequest, granted_by_id: int
) -> None:
    """Writes decisions, grants, teams, timeline, outcomes and counters (steps *write* and *record* of the pipeline)."""
    made = [decision for number, decision in plan.verdicts.numbered() if plan.counts.get(number)]
    states = {state for d in made for state in (d.before, d.after, d.requested, d.authority, d.dropped)}
    state_ids = await intern_states(connection, states)
    await writer.record_decisions(plan.verdicts, plan.counts, state_ids)
    applied = [decision for decision in made if decision.status is OutcomeStatus.APPLIED]
    if applied:
        # Each looks through all cells: not for nothing.
        if any(decision.before_status is None for decision in applied):
            await writer.create_grants(granted_by_id, request.expiry)
        if any(decision.before_status is not None for decision in applied):
            await writer.change_grants(request.expiry)
        if plan.has_teams:
            await writer.assign_teams()
        await writer.record_timeline(request.expiry, teams=plan.has_teams)
        await writer.keep_counters()
    await writer.record_outcomes()
    if writer.ends_grants:
        await settle_assets(connection, writer.operation_id, writer.at)


def _by_status(plan: Plan) -> dict[OutcomeStatus, int]:
    counts: dict[OutcomeStatus, int] = {}
    for number, count in plan.counts.items():
        status = plan.verdicts[number].status
        counts[status] = counts.get(status, 0) + count
    return counts
