"""Undoing an operation: a new one that brings back what was there before, wherever nobody has changed it since (N06)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.asset import asset_holdings
from models.database import Database
from models.grant import AccessType, GrantStatus, Seat, grants, has_ended
from models.operation import CELLS, OperationKind, operation_undos
from models.table import now
from models.team import grant_teams
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.operation.cell import team_list
from resolvers.operation.ended import OPERATION, ended_operation
from resolvers.operation.execute import DryRun, preview_in, run
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.queue import QueueLimits
from resolvers.operation.record import MOST_UNDONE
from resolvers.operation.request import AsWished, Expiry, OperationRequest, WishedPairs, WriteOptions
from resolvers.operation.wish import NEVER, UNSEEN, Wish, WishedCell, WishedTeams, WishForm, teams_listed
from resolvers.viewer import Viewer

_NOTHING = (0, 0)
_newest, _told = timeline_entries.alias("newest_entry"), timeline_entries.alias("told_entry")
_living, _later = grants.alias("living_grant"), grants.alias("later_grant")


@dataclass(frozen=True, slots=True)
class Undo:
    """What is to be undone."""

    operation_id: int | None
    options: WriteOptions = field(default_factory=WriteOptions)


async def undo_operation(
    database: Database, viewer: Viewer, undo: Undo, call: IdempotentCall | None, limits: QueueLimits
) -> int:
    """Takes back what an operation did, or queues that; returns the new operation's key.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN or NOT_A_PARTNER (F01, F02), CONFLICT if the operation has not ended, was the client's
            or the service's, or has changed nothing; INVALID_INPUT if it changed too much.
        AccessError: IDEMPOTENCY_KEY_MISMATCH.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        operation_id = await _run(session, viewer, undo, limits)
        await remember(session, call, operation_id)
    return operation_id


async def preview_undo(database: Database, viewer: Viewer, undo: Undo) -> DryRun:
    """Returns what ``undo_operation`` would do (P02).

    Raises:
        RefusedError: as ``undo_operation``.
    """
    async with database.snapshot() as connection:
        _, request = await _request(connection, viewer, undo)
        return await preview_in(connection, viewer, request)


async def _run(session: AsyncSession, viewer: Viewer, undo: Undo, limits: QueueLimits) -> int:
    connection = await session.connection()
    partner_id, request = await _request(connection, viewer, undo)
    operation_id = await run(session, viewer, request, limits)
    row = {"operation_id": operation_id, "partner_id": partner_id, "undone_id": undo.operation_id}
    await connection.execute(insert(operation_undos).values(row))
    return operation_id


async def _request(connection: AsyncConnection, viewer: Viewer, undo: Undo) -> tuple[int, OperationRequest]:
    """Returns the partner and the request that brings back what was there."""
    found = await _operation(connection, viewer, undo.operation_id)
    await check_acting(connection, viewer, found.partner_id)
    entries = await _entries(connection, found)
    if not entries:
        raise refuse(
            RefusalCode.CONFLICT, "This operation has changed nothing, so there is nothing to undo.", *OPERATION
        )
    owned = await _owned(connection, [entry for entry in entries if entry.before_status is None])
    at = now()
    cells = [_cell(entry, owned, at) for entry in entries]
    targets = WishedPairs(tuple((entry.member_id, entry.client_id) for entry in entries), tuple(cells))
    return found.partner_id, OperationRequest(
        kind=OperationKind.UNDO,
        targets=targets,
        access=AsWished(),
        expiry=Expiry(None, of_cell=True),
        options=undo.options,
    )


async def _operation(connection: AsyncConnection, viewer: Viewer, operation_id: int | None) -> Row[Any]:
    found: Row[Any] = await ended_operation(connection, viewer, operation_id)
    if found.by_client or found.requested_by_id is None:
        raise refuse(
            RefusalCode.CONFLICT,
            "This was not decided in your manager, but by the client or by the service itself: nobody here takes that back.",
            *OPERATION,
        )
    if found.applied > MOST_UNDONE:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"This operation changed {found.applied:,} grants, and at most {MOST_UNDONE:,} are undone at once: use changeAccess or "
            "removeAccess on a part of them.",
            *OPERATION,
        )
    return found


async def _entries(connection: AsyncConnection, operation: Row[Any]) -> Sequence[Any]:
    """Returns what the operation changed, with what there is now: the grant's version, or another grant in its place."""
    first, last = (
        await connection.execute(
            select(func.min(timeline_blocks.c.id), func.max(timeline_blocks.c.id)).where(
                timeline_blocks.c.operation_id == operation.id
            )
        )
    ).one()
    entry = timeline_entries.c
    newest = (
        select(func.max(_newest.c.id)).where(_newest.c.grant_id == entry.grant_id).correlate(timeline_entries)
    ).scalar_subquery()
    living = and_(_living.c.client_id == entry.client_id, _living.c.member_id == entry.member_id, _living.c.ended == 0)
    # Access that was given anew since, even if that is gone again: whoever took it away meant it.
    of_cell = (_later.c.client_id == entry.client_id, _later.c.member_id == entry.member_id)
    # By the keys of its entries: moments may be the same, and a grant's own key tells of its operation, not of the block.
    since = exists().where(_told.c.grant_id == _later.c.id, _told.c.id > entry.id).correlate(_later, timeline_entries)
    anew = exists().where(*of_cell, _later.c.id != entry.grant_id, since)
    # What lives and what has ended are in two indexes.
    later = or_(*(anew.where(part).correlate(timeline_entries) for part in (_later.c.ended == 0, has_ended(_later))))
    present_teams = select(team_list(grant_teams)).where(grant_teams.c.grant_id == entry.grant_id)
    statement = (
        select(
            *(entry[name] for name in ("client_id", "member_id", "grant_id", "before_status", "before_access_type")),
            *(entry[name] for name in ("before_state_id", "before_seat", "before_set_version_id", "before_expires_at")),
            *(entry[name] for name in ("before_teams", "after_teams", "after_status", "after_access_type")),
            (newest == entry.id).label("is_newest"),
            grants.c.version,
            _living.c.id.label("living_id"),
            present_teams.correlate(timeline_entries).scalar_subquery().label("present_teams"),
            later.label("given_since"),
        )
        .join(grants, grants.c.id == entry.grant_id)
        .outerjoin(_living, living)
        .where(entry.partner_id == operation.partner_id, entry.operation_id == operation.id)
        .where(entry.id >= (first or operation.id) * CELLS, entry.id < ((last or operation.id) + 1) * CELLS)
        .order_by(entry.id)
    )
    rows: Sequence[Any] = (await connection.execute(statement)).all()
    return rows


async def _owned(connection: AsyncConnection, given: Sequence[Row[Any]]) -> set[tuple[int, int]]:
    """Returns where the people to whom access was given own something by now."""
    if not given:
        return set()
    holding = asset_holdings.c
    clients = sorted({entry.client_id for entry in given})
    found = set()
    for start in range(0, len(clients), 1_000):
        owners = select(holding.client_id, holding.member_id).where(
            holding.total > 0, holding.client_id.in_(clients[start : start + 1_000])
        )
        found |= {(row.client_id, row.member_id) for row in await connection.execute(owners)}
    return found


def _cell(entry: Row[Any], owned: set[tuple[int, int]], at: datetime) -> WishedCell:
    """Returns what is to be brought back in a cell, and on what there has to be now."""
    if entry.after_status == GrantStatus.REMOVED.value:
        seen = _NOTHING if entry.living_id is None and not entry.given_since else UNSEEN
    else:
        seen = (entry.grant_id, entry.version) if entry.is_newest else UNSEEN
    obstacle = _obstacle(entry, owned, at)
    if entry.before_status is None:
        return WishedCell(Wish(WishForm.RESTORE, obstacle=obstacle), None, seen)
    wish = Wish(
        form=WishForm.RESTORE,
        teams=_teams(entry),
        set_version_id=entry.before_set_version_id,
        status=GrantStatus(entry.before_status),
        seat=None if entry.before_seat is None else Seat(entry.before_seat),
        state_id=entry.before_state_id,
        obstacle=obstacle,
    )
    # Only a moment of its own is brought back: nothing else says when access is to end.
    return WishedCell(wish, entry.before_expires_at or NEVER, seen)


def _obstacle(entry: Row[Any], owned: set[tuple[int, int]], at: datetime) -> str | None:
    """Returns why a change cannot be undone by anybody."""
    if AccessType.SUPER_ADMIN.value in {entry.before_access_type, entry.after_access_type}:
        return OutcomeCode.NO_WAY_BACK.value
    if entry.after_status == GrantStatus.REMOVED.value:
        over = entry.before_expires_at is not None and entry.before_expires_at <= at
        if over or entry.before_status != GrantStatus.ACTIVE.value:
            return OutcomeCode.NO_WAY_BACK.value
    if entry.before_status is None:
        return OutcomeCode.OWNS_ASSETS.value if (entry.client_id, entry.member_id) in owned else None
    about_teams = entry.after_status != GrantStatus.REMOVED.value and _teams(entry) is not None
    if about_teams and teams_listed(entry.present_teams) != teams_listed(entry.after_teams):
        return OutcomeCode.TEAMS_DIFFER.value
    return None


def _teams(entry: Row[Any]) -> WishedTeams | None:
    """Returns the teams that are to be brought back; None for those that there are, or none where there is no access."""
    if entry.after_status == GrantStatus.REMOVED.value:
        # Access that was removed keeps the teams that it had; an entry tells of teams only where they were asked for.
        return teams_listed(entry.present_teams) or None
    before = teams_listed(entry.before_teams)
    return None if before == teams_listed(entry.after_teams) else before
