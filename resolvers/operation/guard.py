"""What holds for a client over the whole batch, whatever each cell alone may do."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Integer, func, select, update
from sqlalchemy import cast as cast_to
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import active_partner_admin, grants
from models.operation import OutcomeStatus
from resolvers.operation.cell import cells
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.verdict import Verdicts


async def guard_lockout(connection: AsyncConnection, verdicts: Verdicts, at: datetime) -> None:
    """Rejects the cells that would leave a client with people but without an ACTIVE partner admin (N04, E14, R7).

    Those count whom the batch does not touch and whose access has not expired, and those whom it leaves as partner admins.
    """
    losing = [number for number, decision in verdicts.numbered() if decision.loses_partner_admin]
    if not losing:
        return
    leaving = [number for number, decision in verdicts.numbered() if decision.leaves_partner_admin]
    applied = [number for number, decision in verdicts.numbered() if decision.status is OutcomeStatus.APPLIED]
    of_batch = cells.alias("touched")
    touched = select(of_batch.c.grant_id).where(of_batch.c.decision.in_(applied), of_batch.c.grant_id.is_not(None))
    untouched = (
        select(func.count())
        .where(grants.c.client_id == cells.c.client_id, active_partner_admin(grants, at))
        .where(grants.c.id.not_in(touched))
        .correlate(cells)
        .scalar_subquery()
    )
    losses = func.sum(cast_to(cells.c.decision.in_(losing), Integer))
    left = func.sum(cast_to(cells.c.decision.in_(leaving), Integer))
    locked = select(cells.c.client_id).group_by(cells.c.client_id).having(losses > 0).having(untouched + left <= 0)
    locked_ids = (await connection.execute(locked)).scalars().all()
    for number in losing if locked_ids else ():
        twin = verdicts.rejected_twin(number, OutcomeCode.WOULD_LOCK_OUT)
        refused = update(cells).where(cells.c.decision == number, cells.c.client_id.in_(locked_ids))
        await connection.execute(refused.values(decision=twin))


async def guard_atomic(connection: AsyncConnection, verdicts: Verdicts, counts: Mapping[int, int]) -> bool:
    """Rejects everything if anything was rejected; says whether it had to."""
    statuses = {number: decision.status for number, decision in verdicts.numbered() if counts.get(number)}
    if OutcomeStatus.REJECTED not in statuses.values():
        return False
    for number, status in statuses.items():
        if status is OutcomeStatus.APPLIED:
            twin = verdicts.rejected_twin(number, OutcomeCode.ATOMIC_REJECTED)
            await connection.execute(update(cells).where(cells.c.decision == number).values(decision=twin))
    return True
