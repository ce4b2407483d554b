"""Locking access to permission sets, and unlocking it: by a super admin of the agency, or by those who decide for an account (P27).

What is there already stays, and is listed; so is what a client itself brings about under it, by approving a link for somebody
with other access or by enforcing a ceiling, for the client decides over its account. Reactivated access comes back as it was. The
timeline tells of access and not of this; the rows of lockdowns stay instead.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.client import clients
from models.database import Database
from models.dialect import insert_many, lock_rows
from models.permission_set import permission_sets
from models.table import now
from models.template_lockdown import template_lockdown_sets, template_lockdowns
from resolvers.account_manager import check_account_manager
from resolvers.acting_partner import check_acting
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.readable import readable_account_sets, readable_permission_sets
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class LockdownDraft:
    """What is to hold from now on."""

    locked: bool
    sets: tuple[int | None, ...] | None = None
    """The only sets that may be given; None for all. A key is None for an id that cannot be read."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose lockdown it is, and what that says about rows."""

    values: dict[str, int]
    of_lockdown: ColumnElement[bool]
    of_clients: ColumnElement[bool]
    sets: Select[Any]
    """Selects the sets that the owner may name."""
    check: Callable[[AsyncConnection], Awaitable[None]]


async def lock_partner_to_sets(
    database: Database, viewer: Viewer, partner_id: int, draft: LockdownDraft, call: IdempotentCall | None = None
) -> int | None:
    """Locks or unlocks all clients of a partner, and returns the key of the lockdown that was in force last; None if none was.

    Raises:
        RefusedError: FORBIDDEN for anybody but a super admin of the partner account who may act (F02), NOT_A_PARTNER (F01),
            NOT_FOUND for a set that the partner does not know of (T1), INVALID_INPUT.
    """

    async def check(connection: AsyncConnection) -> None:
        if not await check_acting(connection, viewer, partner_id):
            raise refuse(
                RefusalCode.FORBIDDEN,
                "Only a super admin of the partner account locks access to permission sets: ask one of them.",
                "input",
                "partner",
            )

    foreign = permission_sets.c.partner_id.is_not(None) & (permission_sets.c.partner_id != partner_id)
    owner = _Owner(
        values={"partner_id": partner_id},
        of_lockdown=template_lockdowns.c.partner_id == partner_id,
        of_clients=clients.c.partner_id == partner_id,
        sets=readable_permission_sets(viewer).where(~foreign),
        check=check,
    )
    async with _once(database, call) as (session, first):
        return first[0] if first is not None else await _change(session, viewer, owner, draft, call)


async def lock_account_to_sets(
    database: Database, viewer: Viewer, account_id: int | None, draft: LockdownDraft, call: IdempotentCall | None = None
) -> int | None:
    """Locks or unlocks an account for all of its partners, as ``lock_partner_to_sets`` does a partner.

    Raises:
        RefusedError: as ``check_account_manager``; NOT_FOUND for a set that is neither built in nor the account's own (T1),
            INVALID_INPUT.
    """

    async def check(connection: AsyncConnection) -> None:
        await check_account_manager(connection, viewer, account_id, "input", "account")

    foreign = permission_sets.c.account_id.is_not(None) & (permission_sets.c.account_id != account_id)
    owner = _Owner(
        values={"account_id": account_id or 0},
        of_lockdown=template_lockdowns.c.account_id == account_id,
        of_clients=clients.c.account_id == account_id,
        sets=readable_account_sets(viewer).where(~foreign),
        check=check,
    )
    async with _once(database.everything(), call) as (session, first):
        return first[0] if first is not None else await _change(session, viewer, owner, draft, call)


@asynccontextmanager
async def _once(database: Database, call: IdempotentCall | None) -> AsyncIterator[tuple[AsyncSession, Any]]:
    """Yields a writing session, and the first answer if the call was answered before."""
    async with database.write() as session:
        yield session, await remembered(session, call)


async def _change(
    session: AsyncSession, viewer: Viewer, owner: _Owner, draft: LockdownDraft, call: IdempotentCall | None
) -> int | None:
    connection = await session.connection()
    await owner.check(connection)
    # Whoever gives access holds its clients: so they are done by now, or find the lockdown.
    await lock_rows(connection, select(clients.c.id).where(owner.of_clients).order_by(clients.c.id))
    await owner.check(connection)
    sets = await _known_sets(connection, owner, draft)
    in_force = select(template_lockdowns.c.id).where(owner.of_lockdown, template_lockdowns.c.ended_at.is_(None))
    present = await connection.scalar(in_force)
    key: int | None = present
    if present is None or not draft.locked or await _listed(connection, present) != sets:
        if present is not None:
            ended = {"ended_at": now(), "ended_by_id": viewer.user_id}
            await connection.execute(update(template_lockdowns).where(template_lockdowns.c.id == present).values(ended))
        if draft.locked:
            key = await _begin(connection, viewer, owner, draft, sets)
    await remember(session, call, [key])
    return key


async def _begin(
    connection: AsyncConnection, viewer: Viewer, owner: _Owner, draft: LockdownDraft, sets: Sequence[int]
) -> int:
    values = {**owner.values, "reason": draft.reason, "set_by_id": viewer.user_id, "since": now()}
    made = await connection.execute(insert(template_lockdowns).values(values).returning(template_lockdowns.c.id))
    key: int = made.scalar_one()
    await insert_many(connection, template_lockdown_sets, [{"lockdown_id": key, "set_id": set_id} for set_id in sets])
    return key


async def _listed(connection: AsyncConnection, lockdown_id: int) -> list[int]:
    rows = template_lockdown_sets.c
    statement = select(rows.set_id).where(rows.lockdown_id == lockdown_id).order_by(rows.set_id)
    return list((await connection.execute(statement)).scalars())


async def _known_sets(connection: AsyncConnection, owner: _Owner, draft: LockdownDraft) -> list[int]:
    """Returns the keys of the sets that are named, each once; none for all sets."""
    if draft.sets is None:
        return []
    named = {key for key in draft.sets if key is not None}
    usable = owner.sets.where(permission_sets.c.id.in_(named), permission_sets.c.archived_at.is_(None))
    known = set((await connection.execute(usable)).scalars())
    refusals = [
        Refusal(
            RefusalCode.NOT_FOUND,
            "There is no such permission set: take an id from permissionSets of the partner, the client or the account.",
            ("input", "permissionSets", str(index)),
        )
        for index, key in enumerate(draft.sets)
        if key not in known
    ]
    if refusals:
        raise RefusedError(refusals)
    if not known:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "Name at least one set that may be given, or leave permissionSets out: then all may.",
            "input",
            "permissionSets",
        )
    return sorted(known)
