"""Planning and applying an access matrix: one operation of the pipeline, with an access of its own for each cell (P28)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.operation import OperationKind, OutcomeStatus
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.issuer import Issuer
from resolvers.matrix.entry import Matrix
from resolvers.matrix.plan_token import LONGEST_TOKEN, cell_stamp, plan_token, planned
from resolvers.matrix.resolution import Resolved, resolve
from resolvers.operation.execute import DryRun, preview_in, run
from resolvers.operation.queue import QueueLimits
from resolvers.operation.request import AsWished, Expiry, OnExisting, OperationRequest, WishedPairs, WriteOptions
from resolvers.operation.wish import UNSEEN, WishedCell
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class MatrixChange:
    """What is asked for."""

    partner_id: int
    matrix: Matrix
    issuer: Issuer
    options: WriteOptions
    plan_token: str | None = None
    """Of the plan that is to be carried out; without it only the grants' versions in the rows say what was seen."""


@dataclass(frozen=True, slots=True)
class MatrixPlan:
    """What applying a matrix would do, and what stands for the state on which it was planned."""

    dry_run: DryRun
    token: str
    rows: Sequence[Resolved]


async def plan_matrix(database: Database, viewer: Viewer, change: MatrixChange) -> MatrixPlan:
    """Returns the outcomes that ``apply_matrix`` would give, and writes nothing.

    Raises:
        RefusedError: as ``apply_matrix``.
    """
    async with database.snapshot() as connection:
        rows = await _resolved(connection, viewer, change)
        request = _request(replace(change, options=replace(change.options, dry_run=True)), rows)
        dry_run = await preview_in(connection, viewer, request)
    # What is as wanted needs no stamp: it stays as it is, or, if it has changed meanwhile, is other than planned.
    changing = (
        _stamp(change.issuer, row)
        for row, number in zip(rows, dry_run.decisions, strict=True)
        if dry_run.verdicts[number].status is not OutcomeStatus.NOOP
    )
    return MatrixPlan(dry_run, plan_token(change.issuer, changing), rows)


async def apply_matrix(
    database: Database, viewer: Viewer, change: MatrixChange, call: IdempotentCall | None, limits: QueueLimits
) -> int:
    """Brings access to what a matrix says, or queues that, and returns the operation's key.

    It is of the kind GRANT: what granting with ``onExisting: CHANGE`` does, cell by cell. Cells that no row names are left alone.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER; INVALID_INPUT and NOT_FOUND by row, if any row is wrong.
        AccessError: IDEMPOTENCY_KEY_MISMATCH.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        rows = await _resolved(connection, viewer, change)
        operation_id = await run(session, viewer, _request(change, rows), limits)
        await remember(session, call, operation_id)
    return operation_id


async def _resolved(connection: AsyncConnection, viewer: Viewer, change: MatrixChange) -> list[Resolved]:
    await check_acting(connection, viewer, change.partner_id)
    if change.plan_token is not None and len(change.plan_token) > LONGEST_TOKEN:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "This is no token of a plan: send the one that planAccessMatrix has given.",
            "input",
            "planToken",
        )
    return await resolve(connection, viewer, change.partner_id, change.matrix)


def _request(change: MatrixChange, rows: Sequence[Resolved]) -> OperationRequest:
    stamps = None if change.plan_token is None else planned(change.issuer, change.plan_token)
    wishes = tuple(
        WishedCell(
            row.wish, row.entry.expires_at, _seen(row, None if stamps is None else _stamp(change.issuer, row) in stamps)
        )
        for row in rows
    )
    return OperationRequest(
        kind=OperationKind.GRANT,
        targets=WishedPairs(tuple(row.cell for row in rows), wishes),
        access=AsWished(),
        expiry=Expiry(None, of_cell=True),
        on_existing=OnExisting.CHANGE,
        options=change.options,
    )


def _seen(row: Resolved, as_planned: bool | None) -> tuple[int, int] | None:  # noqa: FBT001 what was found out
    """Returns on which grant a wish was made, as far as plan and row say so; what is there then is watched to the end."""
    version = row.entry.grant_version
    if as_planned is None and version is None:
        return None
    same_version = version is None or version == row.present[1]
    return row.present if as_planned is not False and same_version else UNSEEN


def _stamp(issuer: Issuer, row: Resolved) -> bytes:
    return cell_stamp(issuer, row.cell, row.present, row.wish.set_version_id)
