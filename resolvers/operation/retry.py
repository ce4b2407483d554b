"""Trying again what failed in an operation, and, if asked for, what was rejected: a new operation on those cells alone (P01, R5)."""

from dataclasses import dataclass, replace

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from models.database import Database
from models.operation import OperationKind, OutcomeStatus, operation_retries
from models.outcome import outcomes
from models.table import now
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.issuer import Issuer
from resolvers.operation.ended import OPERATION, ended_operation
from resolvers.operation.execute import DryRun, preview, run
from resolvers.operation.expected import seen_again
from resolvers.operation.queue import QueueLimits
from resolvers.operation.removal import check_token
from resolvers.operation.request import (
    AsWished,
    CopyFrom,
    CurrentVersion,
    DefaultSet,
    FromSet,
    Key,
    OperationRequest,
    Pairs,
    RequestedAccess,
    WriteOptions,
)
from resolvers.operation.stored_request import read_again
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Retry:
    """What is to be tried again."""

    operation_id: int | None
    issuer: Issuer
    """Judges the token of a review."""
    rejected_too: bool = False
    review_token: str | None = None
    """For removals: the token of a new review, for the old one may be what was wrong (STALE_REVIEW)."""
    expected_versions: tuple[tuple[Key, int], ...] = ()
    """What whoever asks has seen by now, where it is no longer what was sent the first time (CONFLICT, P03)."""
    accept_lockout: bool | None = None
    """None as it was asked for the first time."""
    dry_run: bool = False
    reason: str | None = None


async def retry_operation(
    database: Database,
    viewer: Viewer,
    retry: Retry,
    call: IdempotentCall | None,
    limits: QueueLimits,
) -> int:
    """Tries the failed outcomes of an operation again, under the authority of whoever asks now; returns the new operation's key.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN or NOT_A_PARTNER (F01, F02), CONFLICT if the operation has not ended or cannot be
            tried again, INVALID_INPUT if nothing in it failed, and as ``seen_again``.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        operation_id = await _run(session, viewer, retry, limits)
        await remember(session, call, operation_id)
    return operation_id


async def preview_retry(database: Database, viewer: Viewer, retry: Retry) -> DryRun:
    """Returns what ``retry_operation`` would do (P02).

    Raises:
        RefusedError: as ``retry_operation``.
    """
    async with database.snapshot() as connection:
        _, request = await _request(connection, viewer, retry)
    return await preview(database, viewer, request)


async def _run(session: AsyncSession, viewer: Viewer, retry: Retry, limits: QueueLimits) -> int:
    connection = await session.connection()
    partner_id, request = await _request(connection, viewer, retry)
    operation_id = await run(session, viewer, request, limits)
    row = {"operation_id": operation_id, "partner_id": partner_id, "retried_id": retry.operation_id}
    await connection.execute(insert(operation_retries).values(row))
    return operation_id


async def _request(connection: AsyncConnection, viewer: Viewer, retry: Retry) -> tuple[int, OperationRequest]:
    """Returns the partner and the request on the cells that are to be tried again."""
    found = await ended_operation(connection, viewer, retry.operation_id)
    statuses = [OutcomeStatus.FAILED.value, *([OutcomeStatus.REJECTED.value] if retry.rejected_too else [])]
    cells = (
        select(outcomes.c.member_id, outcomes.c.client_id)
        .where(outcomes.c.operation_id == found.id, outcomes.c.status.in_(statuses))
        .order_by(outcomes.c.position)
    )
    pairs = tuple((row.member_id, row.client_id) for row in await connection.execute(cells))
    if not pairs:
        what = (
            "failed or was rejected"
            if retry.rejected_too
            else "failed (to try the rejected again, say includeRejected: true)"
        )
        raise refuse(RefusalCode.INVALID_INPUT, f"Nothing in this operation {what}.", *OPERATION)
    request = read_again(found.request, retry.issuer, Pairs(pairs, listed=False))
    if request is None:
        raise refuse(
            RefusalCode.CONFLICT,
            "This operation is part of something else, or was not asked for in the manager: ask for that again instead.",
            *OPERATION,
        )
    expected = await seen_again(connection, viewer, request.expected_versions, retry.expected_versions, pairs)
    request = replace(request, expected_versions=expected)
    if isinstance(request.access, AsWished):
        # What was wanted in each cell is in the caller's file, or in what was undone, and not here.
        if request.kind is OperationKind.UNDO:
            raise refuse(
                RefusalCode.CONFLICT,
                "This operation undoes another one: undo that again instead; what was taken back already stays so.",
                *OPERATION,
            )
        raise refuse(
            RefusalCode.CONFLICT,
            "An access matrix is tried again by applying the file again: what is as wanted by now stays as it is.",
            *OPERATION,
        )
    if request.expiry is not None and request.expiry.at is not None and request.expiry.at <= now():
        raise refuse(
            RefusalCode.CONFLICT,
            "The expiry that was asked for has passed: make a new request with a later one.",
            *OPERATION,
        )
    return found.partner_id, _again(request, retry, by_the_same=found.requested_by_id == viewer.user_id)


def _again(request: OperationRequest, retry: Retry, *, by_the_same: bool) -> OperationRequest:
    """Returns the request as it is made now: what it named was checked the first time, and is a part of that now.

    What somebody else has agreed to, be it a lockout or a change of their own access, nobody agrees to by trying again.
    """
    options: WriteOptions = replace(request.options, dry_run=retry.dry_run, run_at=None)
    if not by_the_same:
        options = replace(options, accept_lockout=False, include_self=False)
    if retry.accept_lockout is not None:
        options = replace(options, accept_lockout=retry.accept_lockout)
    if retry.reason is not None:
        options = replace(options, reason=retry.reason)
    removal = request.removal
    if removal is not None:
        # What changed until an operation was due was agreed to for then only (F38).
        removal = replace(removal, changed_too=False)
        if retry.review_token is not None:
            check_token(retry.review_token)
            removal = replace(removal, review_token=retry.review_token)
    return replace(request, access=_as_now(request.access), options=options, removal=removal, checked=True)


def _as_now(access: RequestedAccess | None) -> RequestedAccess | None:
    """Returns the access as it is asked for now: what has been taken out of a set meanwhile is given to nobody any more."""
    match access:
        case FromSet():
            return replace(access, version_id=None)
        case CopyFrom():
            return replace(access, copied=None)
        case DefaultSet() | CurrentVersion():
            return replace(access, versions=None)
        case _:
            return access
