"""What was asked for ahead of its time: it waits outside of the queue, and is put there once (P14)."""

from sqlalchemy import or_, select

from models.operation import OperationState, operations
from models.operation_chunk import queued_operations
from models.schedule import scheduled_operations
from resolvers.consistency.check import Check, selected


def _schedule() -> Check:
    waits = operations.c.state == OperationState.QUEUED.value
    return Check(
        "schedule",
        "what waits for its time has not begun, and is not in the queue",
        [scheduled_operations],
        selected(
            select(operations.c.id, operations.c.state, scheduled_operations.c.run_at)
            .join(scheduled_operations, scheduled_operations.c.operation_id == operations.c.id)
            .outerjoin(queued_operations, queued_operations.c.operation_id == operations.c.id)
            .where(scheduled_operations.c.taken_at.is_(None))
            .where(or_(~waits, queued_operations.c.operation_id.is_not(None)))
            .order_by(operations.c.id),
            lambda row: f"operation {row.id} is planned for {row.run_at}, and {row.state} before",
        ),
    )


SCHEDULE_CHECKS = (_schedule(),)
