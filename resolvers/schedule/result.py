"""Tells whoever asked for something ahead of time what could not be done then: nobody is looking when it runs (P14)."""

from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.operation import OperationState, operations
from models.schedule import scheduled_operations
from models.table import now
from resolvers.due_work import each_by_itself
from resolvers.mail import Letter, post
from resolvers.schedule.planner import Planner, planners

AT_ONCE = 1_000

_schedule = scheduled_operations.c


async def tell_due(database: Database) -> int:
    """Tells of the scheduled operations that have ended since, each once, and returns how many there were."""
    ended = (
        select(_schedule.operation_id)
        .join(operations, operations.c.id == _schedule.operation_id)
        .where(_schedule.told_at.is_(None), operations.c.finished_at.is_not(None))
        .order_by(_schedule.operation_id)
        .limit(AT_ONCE)
    )
    async with database.read() as connection:
        keys = list((await connection.execute(ended)).scalars())
    return await each_by_itself(keys, lambda key: _tell(database, key), "telling of operation")


async def _tell(database: Database, key: int) -> bool:
    untold = (_schedule.operation_id == key, _schedule.told_at.is_(None))
    async with database.write() as session:
        connection = await session.connection()
        if await connection.scalar(select(_schedule.run_at).where(*untold).with_for_update(skip_locked=True)) is None:
            return False
        await connection.execute(update(scheduled_operations).where(*untold).values(told_at=now()))
        row = await _operation(connection, key)
        if row.state != OperationState.CANCELLED.value and row.rejected + row.failed:
            for planner in await planners(connection, row.partner_id, row.requested_by_id):
                await post(connection, _letter(row, planner))
    return True


async def _operation(connection: AsyncConnection, key: int) -> Row[Any]:
    statement = (
        select(operations, _schedule.run_at)
        .join(scheduled_operations, _schedule.operation_id == operations.c.id)
        .where(operations.c.id == key)
    )
    return (await connection.execute(statement)).one()


def _letter(row: Row[Any], planner: Planner) -> Letter:
    left = row.rejected + row.failed
    return Letter(
        event=f"scheduled-operation:{row.id}:{planner.user_id}",
        recipient=planner.email_key,
        subject=f"{left:,} of {row.total:,} planned changes were not carried out",
        lines=(
            f"{planner.planned} an operation ({row.kind}) for {row.run_at:%Y-%m-%d %H:%M} UTC. Not all of it was carried out.",
            f"Carried out: {row.applied:,}. Nothing to change: {row.noop:,}. Refused: {row.rejected:,}. Failed: {row.failed:,}.",
            "The outcomes of the operation say why; partner.operations lists it.",
            "retryOperation tries again what failed, and with includeRejected: true what was refused as well.",
        ),
    )
