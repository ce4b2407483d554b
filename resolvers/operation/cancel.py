"""Stopping a queued operation before its next chunk: what is done stays done."""

from sqlalchemy import insert, select, update

from models.database import Database, touch
from models.operation import OperationState, operation_cancellations, operations
from models.operation_chunk import queued_operations
from models.schedule import scheduled_operations
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.operation.queue import forget_targets
from resolvers.readable import readable_operations
from resolvers.timeline_chain.block import next_block, open_block
from resolvers.viewer import Viewer

_FIELD = ("input", "operation")


async def cancel_operation(
    database: Database, viewer: Viewer, operation_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Stops an operation and returns its key; one that was stopped before stays so.

    Waits for the chunk that is being carried out, so what the operation says afterwards is all that was done.

    Raises:
        RefusedError: NOT_FOUND (T1), NOT_A_PARTNER or FORBIDDEN (F01, F02), CONFLICT if it has ended by itself.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        known = operations.c.id.in_(readable_operations(viewer))
        state = select(operations.c.partner_id, operations.c.state).where(operations.c.id == operation_id, known)
        found = (await connection.execute(state)).one_or_none()
        if found is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such operation.", *_FIELD)
        await check_acting(connection, viewer, found.partner_id)
        place = select(queued_operations.c.operation_id).where(queued_operations.c.operation_id == operation_id)
        ahead = (scheduled_operations.c.operation_id == operation_id, scheduled_operations.c.taken_at.is_(None))
        planned = select(scheduled_operations.c.operation_id).where(*ahead)
        # First what its time would put into the queue: whoever waited for that finds it there.
        waits = await connection.scalar(planned.with_for_update()) is not None
        waits = await connection.scalar(place.with_for_update()) is not None or waits
        if waits:
            moment = now()
            await connection.execute(update(scheduled_operations).where(*ahead).values(taken_at=moment))
            values = {"state": OperationState.CANCELLED.value, "finished_at": moment}
            await connection.execute(update(operations).where(operations.c.id == operation_id).values(values))
            row = {
                "operation_id": operation_id,
                "partner_id": found.partner_id,
                "user_id": viewer.user_id,
                "at": moment,
            }
            await connection.execute(insert(operation_cancellations).values(row))
            await forget_targets(connection, operation_id or 0)
            open_block(connection, operation_id or 0, await next_block(connection))
            touch(connection, ("operation", operation_id or 0))
        elif (await connection.execute(state)).one().state != OperationState.CANCELLED.value:
            raise refuse(
                RefusalCode.CONFLICT,
                "This operation has ended already, so there is nothing left to stop. Its outcomes say what it did.",
                *_FIELD,
            )
        await remember(session, call, operation_id)
    return operation_id or 0
