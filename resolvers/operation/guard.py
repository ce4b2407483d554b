"""What holds for a client or an account over the whole batch, whatever each cell alone may do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy import cast as cast_to
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.asset import asset_holdings
from models.dialect import create_temporary, lock_rows
from models.grant import GrantStatus, active_super_admin, grants, has_ended, working_partner_admin
from models.operation import OutcomeStatus
from models.table import now
from models.tenancy import everything
from resolvers.operation.cell import cells, held_back
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.verdict import Verdicts


async def count_cells(connection: AsyncConnection) -> dict[int, int]:
    """Returns how many cells each decision has."""
    decision = cells.c.decision
    rows = await connection.execute(select(decision, func.count()).group_by(decision))
    return {row[0]: row[1] for row in rows}


async def guard_super_admins(connection: AsyncConnection, verdicts: Verdicts, at: datetime, *, locked: bool) -> None:
    """Rejects the cells that would take an account's last ACTIVE super admin, its own people counted (F42, M1 to M4, R11).

    An ACTIVE grant counts, also of somebody who is deactivated in the agency: they can still open the account itself. For the
    lockout below only those count who can open the manager. Of several in one batch the last in the order of the input stays (M3). Everybody who takes a super admin away locks the account
    first, so of two at once the second counts what the first has left (M4).
    """
    losing = [number for number, decision in verdicts.numbered() if decision.loses_super_admin]
    if not losing:
        return
    counts = or_(cells.c.expires_at.is_(None), cells.c.expires_at > at)
    lost = and_(cells.c.decision.in_(losing), counts)
    if locked:
        touched = select(cells.c.account_id).where(lost)
        await lock_rows(connection, select(accounts.c.id).where(accounts.c.id.in_(touched)).order_by(accounts.c.id))
        # Whoever had to wait counts who is left now.
        at = now()
    going = cells.alias("going")
    gone = select(going.c.grant_id).where(going.c.decision.in_(losing), going.c.grant_id.is_not(None))
    remains = exists().where(grants.c.account_id == cells.c.account_id, active_super_admin(grants, at))
    last = (
        select(func.max(cells.c.position))
        .where(lost, ~remains.where(grants.c.id.not_in(gone)).correlate(cells))
        .group_by(cells.c.account_id)
    )
    async with everything(connection):
        await _hold_back(connection, verdicts, losing, last, OutcomeCode.LAST_SUPER_ADMIN)


async def guard_lockout(connection: AsyncConnection, verdicts: Verdicts, at: datetime) -> None:
    """Rejects the cells that would leave a client with people but without an ACTIVE partner admin (N04, E14, R7).

    Those count whom the batch does not touch, who work for the partner and whose access has not expired, and those whom it leaves
    as partner admins. People are all whose access is not removed, the deactivated among them (F41).
    """
    losing = [number for number, decision in verdicts.numbered() if decision.loses_partner_admin]
    if not losing:
        return
    leaving = [number for number, decision in verdicts.numbered() if decision.leaves_partner_admin]
    staying = [number for number, decision in verdicts.numbered() if decision.lives_on]
    applied = [number for number, decision in verdicts.numbered() if decision.status is OutcomeStatus.APPLIED]
    of_batch = cells.alias("touched")
    touched = select(of_batch.c.grant_id).where(of_batch.c.decision.in_(applied), of_batch.c.grant_id.is_not(None))
    others = select(func.count()).where(grants.c.client_id == cells.c.client_id, grants.c.id.not_in(touched))
    admins = others.where(working_partner_admin(grants, at)).correlate(cells).scalar_subquery()
    people = others.where(grants.c.ended == 0).correlate(cells).scalar_subquery()
    locked = (
        select(cells.c.client_id)
        .group_by(cells.c.client_id)
        .having(_number_of(losing) > 0)
        .having(admins + _number_of(leaving) <= 0)
        .having(people + _number_of(staying) > 0)
    )
    meant = select(cells.c.position).where(cells.c.decision.in_(losing), cells.c.client_id.in_(locked))
    await _hold_back(connection, verdicts, losing, meant, OutcomeCode.WOULD_LOCK_OUT)


def _number_of(numbers: list[int]) -> Any:
    return func.sum(cast_to(cells.c.decision.in_(numbers), Integer))


async def _hold_back(
    connection: AsyncConnection, verdicts: Verdicts, numbers: list[int], positions: Select[Any], code: OutcomeCode
) -> None:
    """Rejects the cells at these positions, all of which have one of these decisions."""
    await create_temporary(connection, held_back)
    # PostgreSQL keeps what an earlier guard of the transaction has put in.
    await connection.execute(delete(held_back))
    await connection.execute(insert(held_back).from_select(["position"], positions))
    if await connection.scalar(select(held_back.c.position).limit(1)) is None:
        return
    for number in numbers:
        refused = update(cells).where(cells.c.decision == number, cells.c.position.in_(select(held_back.c.position)))
        await connection.execute(refused.values(decision=verdicts.rejected_twin(number, code)))


async def guard_undone(connection: AsyncConnection, verdicts: Verdicts, asked_at: datetime | None) -> None:
    """Keeps an undo from taking access away with assets, which needs a review (F38)."""
    removing = [n for n, decision in verdicts.numbered() if decision.after_status is GrantStatus.REMOVED]
    owned = select(asset_holdings.c.total).where(
        asset_holdings.c.client_id == cells.c.client_id,
        asset_holdings.c.member_id == cells.c.member_id,
        asset_holdings.c.total > 0,
    )
    owning = select(cells.c.position).where(cells.c.decision.in_(removing), owned.exists())
    await _hold_back(connection, verdicts, removing, owning, OutcomeCode.OWNS_ASSETS)
    if asked_at is None:
        return
    # Access that was given anew while the undo waited, and is gone again: whoever took it away meant it.
    giving = [n for n, decision in verdicts.numbered() if decision.lives_on]
    same = (grants.c.client_id == cells.c.client_id, grants.c.member_id == cells.c.member_id)
    gone = exists().where(*same, has_ended(grants), grants.c.removed_at >= asked_at).correlate(cells)
    again = select(cells.c.position).where(cells.c.grant_id.is_(None), cells.c.decision.in_(giving), gone)
    await _hold_back(connection, verdicts, giving, again, OutcomeCode.CHANGED_SINCE)


async def guard_over(connection: AsyncConnection, verdicts: Verdicts, at: datetime, *, undone: bool) -> None:
    """Rejects the cells whose own end has passed, which it had not when they were asked for (P14).

    An undo gives access that has an end in the past back to nobody (N06); what is there gets the end that it had.
    """
    given = [n for n, decision in verdicts.numbered() if decision.status is OutcomeStatus.APPLIED]
    changed = cells.c.grant_id.is_(None) if undone else cells.c.until.is_distinct_from(cells.c.expires_at)
    over = select(cells.c.position).where(changed, cells.c.until <= at, cells.c.decision.in_(given))
    code = OutcomeCode.NO_WAY_BACK if undone else OutcomeCode.EXPIRED
    await _hold_back(connection, verdicts, given, over, code)


async def guard_atomic(
    connection: AsyncConnection, verdicts: Verdicts, counts: Mapping[int, int], *, spoiled: bool
) -> bool:
    """Rejects everything if anything was rejected, or ``spoiled`` by what is not even among the cells; says whether it had to."""
    statuses = {number: decision.status for number, decision in verdicts.numbered() if counts.get(number)}
    if not spoiled and OutcomeStatus.REJECTED not in statuses.values():
        return False
    for number, status in statuses.items():
        if status is OutcomeStatus.APPLIED:
            twin = verdicts.rejected_twin(number, OutcomeCode.ATOMIC_REJECTED)
            await connection.execute(update(cells).where(cells.c.decision == number).values(decision=twin))
    return True
