"""Letting people leave when their time has come, as whoever planned it could do it then (P14, R13)."""

import logging
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database
from models.member import members
from models.operation import OutcomeStatus, decisions
from models.schedule import scheduled_leaves
from models.table import now
from models.user import full_name, users
from resolvers.due_work import each_by_itself
from resolvers.error import RefusalCode, RefusedError
from resolvers.issuer import Issuer
from resolvers.locked_member import lock_partner
from resolvers.mail import Letter, post
from resolvers.member_removal import remove_in
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode
from resolvers.operation.passing_error import is_passing
from resolvers.schedule.leave import planned_removal
from resolvers.schedule.planner import planners
from resolvers.sign_in import viewer_of

log = logging.getLogger(__name__)

AT_ONCE = 1_000
_LOST = frozenset({RefusalCode.FORBIDDEN, RefusalCode.NOT_A_PARTNER, RefusalCode.NOT_FOUND})
"""Refusals to somebody who could do it when it was planned (R13)."""

_MESSAGES = MESSAGES | {
    OutcomeCode.ACTOR_LOST_AUTHORITY: (
        "Whoever planned it may not let this person leave any more. Somebody who may, with EDIT in the manager (for a super admin of "
        "the partner account another one), has to plan it themselves."
    ),
    OutcomeCode.INTERNAL_ERROR: (
        "There was an error in the service, which is in its log. Plan it again; if that fails as well, tell whoever runs the service."
    ),
    OutcomeCode.STALE_REVIEW: "Access or assets of the person have changed since the review, and acceptChanges was not said.",
    OutcomeCode.WOULD_LOCK_OUT: (
        "Clients would be left with people but without an active partner admin. Make somebody else partner admin there first, or say "
        "acceptLockout: true; member.leaverReport names the clients."
    ),
}
"""What a plan says that a single outcome says otherwise: it cannot be tried again, only planned anew."""
_plan = scheduled_leaves.c


async def leave_due(database: Database, issuer: Issuer) -> int:
    """Lets everybody leave whose time has come, each in a transaction of their own; returns how many plans have ended."""
    due = select(_plan.id).where(_plan.ended_at.is_(None), _plan.run_at <= now())
    async with database.read() as connection:
        keys = list((await connection.execute(due.order_by(_plan.run_at, _plan.id).limit(AT_ONCE))).scalars())
    return await each_by_itself(keys, lambda key: _carry_out(database, issuer, key), "carrying out leaving")


async def _carry_out(database: Database, issuer: Issuer, key: int) -> bool:
    try:
        return await _leave(database, issuer, key)
    except Exception as error:
        if is_passing(error):
            raise
        log.exception("A leaving that was planned cannot be carried out.")
    async with database.write() as session:
        row = await _waiting(session, key)
        if row is not None:
            code = OutcomeCode.INTERNAL_ERROR
            await _end(await session.connection(), row, None, code.value, _MESSAGES[code])
    return row is not None


async def _leave(database: Database, issuer: Issuer, key: int) -> bool:
    """Lets a person leave; who is at it holds the lock of the plan."""
    async with database.write() as session:
        row = await _waiting(session, key)
        if row is None:
            return False
        connection = await session.connection()
        viewer = await viewer_of(connection, row.requested_by_id)
        operation_id, code, message = None, None, None
        try:
            removed = await remove_in(session, viewer, planned_removal(row, issuer))
        except RefusedError as error:
            code, message = error.refusals[0].code.value, str(error)
            if error.refusals[0].code in _LOST:
                code, message = OutcomeCode.ACTOR_LOST_AUTHORITY.value, _MESSAGES[OutcomeCode.ACTOR_LOST_AUTHORITY]
        else:
            operation_id = removed.operation_id
            found = None if operation_id is None else await _refusal(connection, operation_id)
            if found is not None:
                code, message = found.value, _MESSAGES[found]
        await _end(connection, row, operation_id, code, message)
    return True


async def _waiting(session: AsyncSession, key: int) -> Row[Any] | None:
    """Returns a plan that has not ended, locked; None if it has, or somebody else is at it."""
    statement = select(scheduled_leaves).where(_plan.id == key, _plan.ended_at.is_(None))
    connection = await session.connection()
    partner_id = await connection.scalar(statement.with_only_columns(_plan.partner_id))
    if partner_id is None:
        return None
    # First, as whoever removes the person at this moment does, and ends the plan with it.
    await lock_partner(connection, partner_id)
    return (await connection.execute(statement.with_for_update(skip_locked=True))).one_or_none()


async def _refusal(connection: AsyncConnection, operation_id: int) -> OutcomeCode | None:
    """Returns why access could not end; None if all of it has."""
    refused = (OutcomeStatus.REJECTED.value, OutcomeStatus.FAILED.value)
    statement = (
        select(decisions.c.code)
        .where(decisions.c.operation_id == operation_id, decisions.c.status.in_(refused))
        .where(decisions.c.code != OutcomeCode.ATOMIC_REJECTED.value)
        .order_by(decisions.c.number)
        .limit(1)
    )
    code = await connection.scalar(statement)
    return None if code is None else OutcomeCode(code)


async def _end(
    connection: AsyncConnection, row: Row[Any], operation_id: int | None, code: str | None, message: str | None
) -> None:
    values = {"ended_at": now(), "operation_id": operation_id, "code": code, "message": message}
    await connection.execute(update(scheduled_leaves).where(_plan.id == row.id).values(values))
    if message is not None:
        await _tell(connection, row, message)


async def _tell(connection: AsyncConnection, row: Row[Any], message: str) -> None:
    """Tells whoever planned it that the person has not left: nobody is looking when it happens."""
    person = (
        await connection.execute(
            select(members.c.first_name, members.c.last_name, users.c.email)
            .join(users, users.c.id == members.c.user_id)
            .where(members.c.id == row.member_id)
        )
    ).one()
    name = full_name(person.first_name, person.last_name, person.email)
    for planner in await planners(connection, row.partner_id, row.requested_by_id):
        letter = Letter(
            event=f"scheduled-leave:{row.id}:{planner.user_id}",
            recipient=planner.email_key,
            subject=f"{name} has not left as planned",
            lines=(
                f"{planner.planned} that {name} leaves on {row.run_at:%Y-%m-%d %H:%M} UTC.",
                "It could not be carried out, and nothing was changed: the person still has all of their access.",
                message,
                "Review the person's access again and remove them with removeMember, or plan it anew with scheduleLeave.",
            ),
        )
        await post(connection, letter)
