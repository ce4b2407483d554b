"""Planning that somebody leaves the partner on a day to come, and taking it back (P14, R8)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database, touch
from models.grant import grants
from models.member import MemberStatus, members
from models.schedule import scheduled_leaves
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.issuer import Issuer
from resolvers.member_removal import MemberRemoval, check_leaving
from resolvers.operation.removal import check_reviewed, check_token
from resolvers.operation.request import Removal
from resolvers.operation.stored_request import read_again, stored
from resolvers.readable import readable_members, readable_scheduled_leaves
from resolvers.viewer import Viewer

_MEMBER = ("input", "member")


@dataclass(frozen=True, slots=True)
class LeavePlan:
    """Who is to leave as reviewed, and when."""

    removal: MemberRemoval
    run_at: datetime


async def schedule_leave(
    database: Database, viewer: Viewer, plan: LeavePlan, call: IdempotentCall | None = None
) -> int:
    """Plans that somebody leaves, and returns the plan's key.

    Whoever plans it must be able to remove the person now; whether they still are, and all else, is judged when the time comes.

    Raises:
        RefusedError: as ``remove_member`` for what is refused as a whole; CONFLICT if the person has left, or is to leave already;
            STALE_REVIEW for access that is not as reviewed.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        # Also what may change until then is reviewed now (F38).
        reviewed = replace(plan.removal, changed_too=False)
        member_id, _ = await check_leaving(connection, viewer, reviewed, locked=True)
        check_token(plan.removal.review_token or "")
        partner_id = await _partner_id(connection, member_id)
        held = select(grants.c.id).where(grants.c.member_id == member_id, grants.c.ended == 0)
        await check_reviewed(connection, Removal(plan.removal.issuer, plan.removal.review_token or ""), held)
        values = {
            "partner_id": partner_id,
            "member_id": member_id,
            "requested_by_id": viewer.user_id,
            "run_at": plan.run_at,
            "request": stored(replace(plan.removal, member_id=member_id).request(dry_run=False), with_review=True),
            "created_at": now(),
        }
        made = await connection.execute(insert(scheduled_leaves).values(values).returning(scheduled_leaves.c.id))
        key: int = made.scalar_one()
        touch(connection, ("schedule", partner_id))
        await remember(session, call, key)
    return key


async def _partner_id(connection: AsyncConnection, member_id: int) -> int:
    """Returns whose member it is, who neither has left nor is to leave already."""
    status, partner_id = (
        await connection.execute(select(members.c.status, members.c.partner_id).where(members.c.id == member_id))
    ).one()
    if status == MemberStatus.LEFT.value:
        raise refuse(RefusalCode.CONFLICT, "This person has left already.", *_MEMBER)
    planned = select(scheduled_leaves.c.id).where(scheduled_leaves.c.member_id == member_id)
    if await connection.scalar(planned.where(scheduled_leaves.c.ended_at.is_(None))) is not None:
        raise refuse(
            RefusalCode.CONFLICT,
            "This person is to leave already, see member.scheduledLeave: stop that with cancelLeave to plan it anew.",
            *_MEMBER,
        )
    key: int = partner_id
    return key


async def cancel_leave(
    database: Database, viewer: Viewer, member_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Takes back that somebody is to leave, and returns the plan's key.

    Raises:
        RefusedError: NOT_FOUND (T1), NOT_A_PARTNER or FORBIDDEN (F01, F02), CONFLICT if there is nothing planned.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        known = select(members.c.partner_id).where(
            members.c.id == member_id, members.c.id.in_(readable_members(viewer))
        )
        partner_id = await connection.scalar(known)
        if partner_id is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", *_MEMBER)
        await check_acting(connection, viewer, partner_id)
        planned = select(scheduled_leaves.c.id).where(
            scheduled_leaves.c.member_id == member_id,
            scheduled_leaves.c.ended_at.is_(None),
            scheduled_leaves.c.id.in_(readable_scheduled_leaves(viewer)),
        )
        # Whoever has to wait here finds it ended afterwards.
        key = await connection.scalar(planned.with_for_update())
        if key is None:
            raise refuse(RefusalCode.CONFLICT, "This person's leaving is not planned, or is over already.", *_MEMBER)
        ended = {"ended_at": now(), "cancelled_by_id": viewer.user_id}
        await connection.execute(update(scheduled_leaves).where(scheduled_leaves.c.id == key).values(ended))
        await remember(session, call, key)
    return int(key)


def planned_removal(row: Any, issuer: Issuer) -> MemberRemoval:
    """Returns what was asked for in a row of ``scheduled_leave``."""
    request = read_again(row.request, issuer)
    if request is None or request.removal is None:
        raise RuntimeError(f"Leaving {row.id} was planned without a request.")
    return MemberRemoval(
        member_id=row.member_id,
        issuer=issuer,
        review_token=request.removal.review_token or None,
        reassign=request.removal.reassign,
        accept_lockout=request.options.accept_lockout,
        reason=request.options.reason,
        changed_too=request.removal.changed_too,
    )
