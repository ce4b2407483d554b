"""Ends access when its time is over: the service's own operation, one for each partner and round (P04).

Access that has expired counts for nothing from that moment on; here it is taken off the lists, as the partner has decided:
deactivated, to be extended and reactivated, or removed. Of a contractor it is always removed (F37). What was deactivated before its
end stays so, whoever did it. The guard against lockouts (N04) does not hold it up: whoever was partner admin until then is none any more, whether it is written down or not. An account's
last super admin stays (F42), and with it the reason in ``expiry_hold``, until there is another one.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.database import Database
from models.dialect import insert_many, lock_keys
from models.expiry import ExpiryAction, expiry_holds, expiry_rules
from models.grant import AccessType, GrantStatus, active_super_admin, grants, is_active
from models.member import MemberKind, members
from models.operation import OperationKind, OutcomeStatus
from models.table import now
from resolvers.direct_operation import DirectCell, DirectOperation, unchanged, write_directly
from resolvers.due_work import each_by_itself
from resolvers.interning import state_contents
from resolvers.moment import moment_after
from resolvers.operation.failing_cell import failing_cells
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.passing_error import is_passing
from resolvers.operation.situation import Decision

log = logging.getLogger(__name__)

AT_ONCE = 5_000
"""The most grants of one transaction, which is one operation."""
AGAIN_AFTER = timedelta(days=1)
"""When access is tried again that could not be ended because of an error."""
REASON = "The access has expired."

_others = grants.alias("other_grant")
_removes = or_(
    func.coalesce(expiry_rules.c.action, ExpiryAction.DEACTIVATE.value) == ExpiryAction.REMOVE.value,
    members.c.kind == MemberKind.CONTRACTOR.value,
)


def _source() -> FromClause:
    return grants.join(members, members.c.id == grants.c.member_id).outerjoin(
        expiry_rules, expiry_rules.c.partner_id == grants.c.partner_id
    )


def _due(at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant is to be ended now."""
    return and_(is_active(grants), grants.c.expires_at <= at, not_(_held(at)))


def _held(at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant was found to stay, and still does."""
    hold = expiry_holds.c
    another = exists().where(_others.c.account_id == grants.c.account_id, active_super_admin(_others, at))
    stays = or_(
        and_(hold.code == OutcomeCode.LAST_SUPER_ADMIN.value, not_(another.correlate(grants))),
        # What lies in a time to come was written by a clock that was wrong.
        and_(hold.code == OutcomeCode.INTERNAL_ERROR.value, hold.at > at - AGAIN_AFTER, hold.at <= at),
    )
    same = and_(hold.grant_id == grants.c.id, hold.expires_at == grants.c.expires_at)
    return exists().where(same, stays).correlate(grants)


async def end_due(database: Database) -> int:
    """Ends all access whose time is over, each once whoever else is at it, and returns how many operations it took."""
    due = select(grants.c.partner_id).select_from(_source()).where(_due(now())).distinct()
    async with database.read() as connection:
        partner_ids = sorted((await connection.execute(due)).scalars())

    async def end(partner_id: int) -> int:
        made = 0
        while await _end_some(database, partner_id):
            made += 1
        return made

    return await each_by_itself(partner_ids, end, "ending the expired access of partner")


async def _end_some(database: Database, partner_id: int) -> bool:
    """Ends a partner's access that is due, at most so much at once; says whether there was any."""
    keys: list[int] = []
    try:
        async with database.write() as session:
            connection = await session.connection()
            keys = await _keys(connection, partner_id)
            return bool(keys) and await _end(connection, partner_id, keys)
    except Exception as error:
        if is_passing(error) or not keys:
            raise
        log.exception("Expired access of partner %s cannot be ended: looking for the grants.", partner_id)

    async def works(part: Sequence[int]) -> bool:
        try:
            async with database.rehearse() as session:
                await _end(await session.connection(), partner_id, part)
        except Exception as error:
            if is_passing(error):
                raise
            return False
        return True

    failing = await failing_cells(keys, works)
    async with database.write() as session:
        connection = await session.connection()
        rows = await _rows(connection, failing, now())
        await _hold(connection, rows, dict.fromkeys(failing, OutcomeCode.INTERNAL_ERROR), now())
    return bool(rows)


async def _keys(connection: AsyncConnection, partner_id: int) -> list[int]:
    statement = select(grants.c.id).select_from(_source()).where(_due(now()), grants.c.partner_id == partner_id)
    found = await connection.execute(statement.order_by(grants.c.client_id, grants.c.member_id).limit(AT_ONCE))
    return list(found.scalars())


async def _end(connection: AsyncConnection, partner_id: int, keys: Sequence[int]) -> bool:
    """Ends grants of a partner that are still due once they are locked, as all writers lock them."""
    targets: Select[Any] = select(grants.c.client_id, grants.c.member_id).where(grants.c.id.in_(keys))
    places = (await connection.execute(targets)).all()
    await lock_keys(connection, clients, {place.client_id for place in places})
    await lock_keys(connection, members, {place.member_id for place in places})
    at = now()
    rows = await _rows(connection, keys, at)
    if not rows:
        return False
    states = await state_contents(connection, {row.state_id for row in rows})
    last = await _last_super_admins(connection, rows, at)
    cells = [
        DirectCell(
            client_id=row.client_id,
            account_id=row.account_id,
            member_id=row.member_id,
            user_id=row.user_id,
            decision=_decision(row, unchanged(row, states[row.state_id]), is_last=row.id in last),
            grant_id=row.id,
            expires_at=row.expires_at,
        )
        for row in rows
    ]
    written_at = await moment_after(connection, {row.client_id for row in rows})
    operation = DirectOperation(partner_id=partner_id, kind=OperationKind.EXPIRE, at=written_at, reason=REASON)
    recorded = await write_directly(connection, operation, cells)
    stays = {
        row.id: done.decision.code
        for row, done in zip(rows, recorded, strict=True)
        if done.decision.status is OutcomeStatus.REJECTED and done.decision.code
    }
    await _hold(connection, rows, stays, at)
    return True


async def _rows(connection: AsyncConnection, keys: Sequence[int], at: datetime) -> Sequence[Row[Any]]:
    statement = select(grants, _removes.label("removes")).select_from(_source()).where(grants.c.id.in_(keys), _due(at))
    return (await connection.execute(statement.order_by(grants.c.client_id, grants.c.member_id))).all()


def _decision(row: Any, as_is: Decision, *, is_last: bool) -> Decision:
    if is_last:
        return replace(as_is, status=OutcomeStatus.REJECTED, code=OutcomeCode.LAST_SUPER_ADMIN)
    after = GrantStatus.REMOVED if row.removes else GrantStatus.DEACTIVATED
    return replace(as_is, status=OutcomeStatus.APPLIED, code=None, after_status=after)


async def _last_super_admins(connection: AsyncConnection, rows: Sequence[Any], at: datetime) -> set[int]:
    """Returns which of the grants are those of super admins in accounts where nobody else is one (F42)."""
    admins = {
        row.id: row.account_id
        for row in rows
        if (row.access_type, row.status) == (AccessType.SUPER_ADMIN, GrantStatus.ACTIVE)
    }
    if not admins:
        return set()
    await lock_keys(connection, accounts, admins.values())
    safe = select(_others.c.account_id).where(_others.c.account_id.in_(set(admins.values())))
    others = set((await connection.execute(safe.where(active_super_admin(_others, at)))).scalars())
    return {key for key, account_id in admins.items() if account_id not in others}


async def _hold(connection: AsyncConnection, rows: Sequence[Any], stays: dict[int, OutcomeCode], at: datetime) -> None:
    """Writes down which of the grants stay and why; of the others nothing is to be said any more."""
    await connection.execute(delete(expiry_holds).where(expiry_holds.c.grant_id.in_([row.id for row in rows])))
    held = [
        {
            "grant_id": row.id,
            "partner_id": row.partner_id,
            "expires_at": row.expires_at,
            "code": stays[row.id].value,
            "at": at,
        }
        for row in rows
        if row.id in stays
    ]
    await insert_many(connection, expiry_holds, held)
