"""Operations as they are read: what was asked, by whom, and what came of it (P01)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, case, null, select

from models.operation import (
    ENDED,
    OperationKind,
    OperationState,
    OutcomeStatus,
    operation_cancellations,
    operation_retries,
    operation_undos,
    operations,
)
from models.partner import partners
from models.schedule import scheduled_operations
from resolvers.cursor import SortKind
from resolvers.operation.execute import DryRun
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_operations
from resolvers.reader import Reader
from resolvers.viewer import Viewer

MOST_UNDONE = 100_000
"""The most changes that are undone at once: each is looked at (N06)."""
NEWEST_FIRST = Order("operation", SortKind.KEY, lambda rows: rows.c.id, descending=True)


@dataclass(slots=True, eq=False)
class OperationRecord:
    """An operation with its counts; that of a dry run has its outcomes in memory, and a key of no row."""

    id: int
    partner_id: int | None
    kind: OperationKind
    state: OperationState
    atomic: bool
    requested_by_id: int | None
    """None for the service itself, and where it was the client: who of its people it was is the client's own (T1)."""
    reason: str | None
    created_at: datetime
    finished_at: datetime | None
    total: int
    applied: int
    noop: int
    rejected: int
    failed: int
    error: str | None = None
    """Why it FAILED, as a code."""
    cancelled_by_id: int | None = None
    retry_of_id: int | None = None
    undo_of_id: int | None = None
    run_at: datetime | None = None
    """When it was to be carried out, if it was asked for ahead of time (P14)."""
    previewed: DryRun | None = None

    @property
    def dry_run(self) -> bool:
        """Says whether nothing was written (P02)."""
        return self.previewed is not None

    @property
    def can_undo(self) -> bool:
        """Says whether the partner can take back what it did (N06); for each of its changes, a dry run of that says it."""
        return (
            self.state in ENDED
            and not self.dry_run
            and self.requested_by_id is not None
            and 0 < self.applied <= MOST_UNDONE
        )

    @property
    def done(self) -> int:
        """Returns how many cells have their outcome."""
        return self.applied + self.noop + self.rejected + self.failed

    @property
    def pending(self) -> int:
        """Returns how many cells still wait."""
        return self.total - self.done

    def count(self, status: OutcomeStatus) -> int:
        """Returns how many outcomes have a status."""
        count: int = getattr(self, status.value.lower())
        return count


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.partner_id,
        rows.c.kind,
        rows.c.state,
        rows.c.atomic,
        case((rows.c.by_client, null()), else_=rows.c.requested_by_id),
        rows.c.reason,
        rows.c.created_at,
        rows.c.finished_at,
        rows.c.total,
        rows.c.applied,
        rows.c.noop,
        rows.c.rejected,
        rows.c.failed,
        rows.c.error,
        select(operation_cancellations.c.user_id)
        .where(operation_cancellations.c.operation_id == rows.c.id)
        .scalar_subquery(),
        select(operation_retries.c.retried_id).where(operation_retries.c.operation_id == rows.c.id).scalar_subquery(),
        select(operation_undos.c.undone_id).where(operation_undos.c.operation_id == rows.c.id).scalar_subquery(),
        select(scheduled_operations.c.run_at).where(scheduled_operations.c.operation_id == rows.c.id).scalar_subquery(),
    ).select_from(source)


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """What is None does not filter."""

    states: tuple[OperationState, ...] | None = None
    kinds: tuple[OperationKind, ...] | None = None
    scheduled: bool | None = None
    """Whether it waits for its time (P14)."""

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns the conditions on the table of operations that the filter makes."""
        found: list[ColumnElement[bool]] = []
        if self.states is not None:
            found.append(operations.c.state.in_(self.states))
        if self.kinds is not None:
            found.append(operations.c.kind.in_(self.kinds))
        if self.scheduled is not None:
            waiting = select(scheduled_operations.c.operation_id).where(scheduled_operations.c.taken_at.is_(None))
            waits = operations.c.id.in_(waiting)
            found.append(waits if self.scheduled else ~waits)
        return found


_OPERATIONS = Projection(operations, _columns, OperationRecord)


async def operations_by_id(reader: Reader, keys: Sequence[int]) -> list[OperationRecord | None]:
    """Returns the operations with these keys; None for those the viewer does not know of (T1)."""
    return await _OPERATIONS.by_key(reader, readable_operations(reader.viewer), keys)


async def operations_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    filter: OperationFilter = OperationFilter(),  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[OperationRecord]]:
    """Returns one page of each partner's operations, the newest first."""
    ours = operations.c.partner_id == partners.c.id
    choice = readable_operations(reader.viewer).where(ours, *filter.conditions)
    keys = [parent.id for parent in parents]
    return await _OPERATIONS.pages(reader, partners, keys, choice, order=NEWEST_FIRST, request=page)


async def operation_totals_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    filter: OperationFilter = OperationFilter(),  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many operations each partner has had."""
    keys = [parent.id for parent in parents]
    choice = readable_operations(reader.viewer).where(*filter.conditions)
    return await totals(reader, operations.c.partner_id, keys, choice)


def of_dry_run(dry_run: DryRun) -> OperationRecord:
    """Returns the operation that a dry run would have been; its key is of no row, and another one each time."""
    counts = dry_run.counts
    return OperationRecord(
        id=-1 - secrets.randbelow(2**62),
        partner_id=dry_run.partner_id,
        kind=dry_run.kind,
        state=OperationState.COMPLETED,
        atomic=dry_run.atomic,
        requested_by_id=dry_run.requested_by_id,
        reason=dry_run.reason,
        created_at=dry_run.at,
        finished_at=dry_run.at,
        total=sum(counts.values()),
        applied=counts.get(OutcomeStatus.APPLIED, 0),
        noop=counts.get(OutcomeStatus.NOOP, 0),
        rejected=counts.get(OutcomeStatus.REJECTED, 0),
        failed=0,
        previewed=dry_run,
    )
