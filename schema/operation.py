"""Operations: bulk writes with their counts and outcomes."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.operation import OperationKind, OperationState, OutcomeStatus
from resolvers.hand_off.capability import capabilities_by_operation
from resolvers.operation.record import OperationRecord, operations_by_id
from resolvers.outcome import outcomes_by_operation
from resolvers.timeline import timeline_by_operation, timeline_total_by_operation
from resolvers.user import users_by_id
from schema.connection import After, Before, Connection, First, Last, connection, given, requested, several
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.node import Node
from schema.outcome import OutcomeConnection
from schema.record import shown, shows
from schema.timeline import TimelineConnection, TimelineFilterArgument, timeline_filter
from schema.user import User
from schema.who_could import OperationWhoCould

described(
    OperationState,
    "How far an operation is.",
    QUEUED="Waits to be carried out: one of many cells after the answer, one with `runAt` when its time has come.",
    RUNNING="Is being carried out.",
    COMPLETED="Every outcome is there.",
    CANCELLED="Was stopped before its end.",
    FAILED="Has ended, and a part of it could not be carried out: see `error`.",
)


@strawberry.type(description="How many outcomes of an operation have each status.")
class OutcomeCounts:
    """The counts of an operation."""

    record: strawberry.Private[OperationRecord]
    pending: int = column("How many still wait.")
    applied: int = column("How many were carried out.")
    noop: int = column("How many needed no change.")
    rejected: int = column("How many were refused.")
    failed: int = column("How many went wrong.")


@shows(OperationRecord, operations_by_id)
@strawberry.type(description="One request that touches many grants, with one outcome for each person and client.")
class Operation(Node):
    """An operation (P01)."""

    record: strawberry.Private[OperationRecord]
    kind: OperationKind = column("What it does.")
    state: OperationState = column("How far it is.")
    dry_run: bool = column(
        "Whether nothing was written: the outcomes are what would happen now. A dry run is not kept, `node` finds none."
    )
    atomic: bool = column("Whether one rejection rejects all.")
    reason: str | None = column("Why, in the words of who asked.")
    created_at: datetime = column("When it was asked for.")
    finished_at: datetime | None = column("When its last outcome was there.")
    run_at: datetime | None = column("When it is to be carried out, or was, if it was asked for ahead of time.")
    error: str | None = column(
        "Why it FAILED, as a code: CHUNK_SET_ASIDE for a part that stopped the service each time it was tried."
    )
    can_undo: bool = column(
        "Whether undoOperation can take back what it did: it has ended, was asked for in the manager, and changed something. What of "
        "it can still be taken back, and by you, a dry run says."
    )
    total: int = column("How many outcomes it has in the end: one for each person and client.")
    done: int = column("How many outcomes are there already.")

    @field("Who asked for it; null for the service itself, and where one of the client's own people did.")
    async def requested_by(self, info: Info) -> User | None:
        """Returns who asked."""
        key = self.record.requested_by_id
        found: User | None = None if key is None else shown(await info.context.load(users_by_id, key))
        return found

    @field("Who stopped it before its end.")
    async def cancelled_by(self, info: Info) -> User | None:
        """Returns who stopped it."""
        key = self.record.cancelled_by_id
        found: User | None = None if key is None else shown(await info.context.load(users_by_id, key))
        return found

    @field("The operation of which this one tries the failed outcomes again.")
    async def retry_of(self, info: Info) -> Annotated["Operation", strawberry.lazy("schema.operation")] | None:
        """Returns the operation that is tried again."""
        key = self.record.retry_of_id
        found: Operation | None = None if key is None else shown(await info.context.load(operations_by_id, key))
        return found

    @field("The operation that this one takes back.")
    async def undo_of(self, info: Info) -> Annotated["Operation", strawberry.lazy("schema.operation")] | None:
        """Returns the operation that is undone."""
        key = self.record.undo_of_id
        found: Operation | None = None if key is None else shown(await info.context.load(operations_by_id, key))
        return found

    @field(
        "Who in the agency could do what was left undone because whoever asked could not, grouped: however many outcomes there are, "
        "the answer is short. `whoCould` of an outcome says it for one person in one client."
    )
    async def who_could(self, info: Info) -> OperationWhoCould:
        """Returns who could (N02)."""
        found: OperationWhoCould = shown(await info.context.load(capabilities_by_operation, self.record))
        return found

    @field("How many outcomes have each status.")
    def counts(self) -> OutcomeCounts:
        """Returns the counts."""
        return OutcomeCounts(record=self.record)

    @field("The outcomes that are there, in the order of the request: client by client, and in each person by person.")
    async def outcomes(
        self,
        info: Info,
        *,
        status: Annotated[
            list[OutcomeStatus] | None, strawberry.argument(description="Any of these; all if left out.")
        ] = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> OutcomeConnection:
        """Returns one page of the outcomes."""
        statuses, page = several(given(status)), requested(first, after, last, before)

        async def total() -> int:
            # What still waits has no outcome yet.
            chosen = set(OutcomeStatus if statuses is None else statuses) - {OutcomeStatus.PENDING}
            return sum(self.record.count(known) for known in chosen)

        found: OutcomeConnection = connection(
            await info.context.load(outcomes_by_operation, self.record, statuses=statuses, page=page), total
        )
        return found

    @field("What it changed: one entry for each grant, the newest first. A dry run changes nothing.")
    async def timeline(
        self,
        info: Info,
        *,
        filter: TimelineFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> TimelineConnection:
        """Returns one page of the entries that it wrote (F55)."""
        load, key, rows = info.context.load, self.record.id, timeline_filter(given(filter))
        page = await load(timeline_by_operation, key, filter=rows, page=requested(first, after, last, before))
        found: TimelineConnection = connection(page, lambda: load(timeline_total_by_operation, key, filter=rows))
        return found


@strawberry.type(description="One page of a list of operations, the newest first.")
class OperationConnection(Connection[Operation]):
    """A page of operations."""
