"""Puts operations that were asked for ahead of time into the queue when their time has come, each once (P14)."""

from datetime import datetime

from sqlalchemy import func, select, update

from models.database import Database
from models.schedule import scheduled_leaves, scheduled_operations
from models.table import now
from resolvers.due_work import each_by_itself
from resolvers.operation.queue import join_queue

AT_ONCE = 1_000

_schedule = scheduled_operations.c


async def queue_due(database: Database) -> int:
    """Puts what is due into the queue, in transactions of their own, and returns how many operations it was.

    Until then they have no place there, so they neither hold up what else their partner asks for nor come before it.
    """
    due = select(_schedule.operation_id).where(_schedule.taken_at.is_(None), _schedule.run_at <= now())
    async with database.read() as connection:
        found = await connection.execute(due.order_by(_schedule.run_at, _schedule.operation_id).limit(AT_ONCE))
        keys = list(found.scalars())
    return await each_by_itself(keys, lambda key: _queue(database, key), "queueing operation")


async def _queue(database: Database, operation_id: int) -> bool:
    waits = (_schedule.operation_id == operation_id, _schedule.taken_at.is_(None))
    async with database.write() as session:
        connection = await session.connection()
        place = select(_schedule.partner_id).where(*waits).with_for_update(skip_locked=True)
        partner_id = await connection.scalar(place)
        if partner_id is None:
            return False
        await join_queue(connection, operation_id, partner_id)
        await connection.execute(update(scheduled_operations).where(*waits).values(taken_at=now()))
    return True


async def next_due(database: Database) -> datetime | None:
    """Returns when the next operation or leaving is due; None if there is none."""
    operation = select(func.min(_schedule.run_at)).where(_schedule.taken_at.is_(None)).scalar_subquery()
    leave = select(func.min(scheduled_leaves.c.run_at)).where(scheduled_leaves.c.ended_at.is_(None)).scalar_subquery()
    async with database.read() as connection:
        (moments,) = await connection.execute(select(operation, leave))
    return min((moment for moment in moments if moment is not None), default=None)
