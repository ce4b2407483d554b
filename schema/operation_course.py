"""The mutations that stop an operation, and that try again what failed in one."""

from typing import Annotated

import strawberry

from resolvers.free_text import refusing_at, several_lines
from resolvers.operation.cancel import cancel_operation
from resolvers.operation.record import of_dry_run
from resolvers.operation.retry import Retry, preview_retry, retry_operation
from resolvers.operation.undo import Undo, preview_undo, undo_operation
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.operation import Operation
from schema.operation_write import MOST_VERSIONS, ExpectedVersions, shown_operation, versions_of
from schema.requested_access import LONGEST_REASON, WriteOptionsInput, options_of


@strawberry.input(description="Which operation is stopped.")
class CancelOperationInput:
    """P01."""

    operation: strawberry.ID = strawberry.field(description="The operation.")


@strawberry.input(
    description="How an operation is tried again; what is left out is as it was asked for the first time."
)
class RetryOptions:
    """P01, P02."""

    dry_run: bool | None = strawberry.field(
        default=False, description="Answers with the exact outcomes and writes nothing."
    )
    accept_lockout: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Accepts that clients are left with people but without an active partner admin.",
    )
    reason: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why, for the record: at most 1,000 characters."
    )


@strawberry.input(description="What of an operation is tried again.")
class RetryOperationInput:
    """P01, R5."""

    operation: strawberry.ID = strawberry.field(description="The operation; it has to have ended.")
    include_rejected: bool | None = strawberry.field(
        default=False, description="Tries the REJECTED outcomes again as well, not only the FAILED ones."
    )
    review_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="For a removal: the token of a new review of what was not removed.",
    )
    expected_versions: ExpectedVersions = strawberry.field(
        default=strawberry.UNSET,
        description=f"At most {MOST_VERSIONS:,} versions that you have seen by now, where that ended in CONFLICT; for all other "
        "grants, those that were sent the first time still count.",
    )
    options: RetryOptions | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.type(description="The answer to stopping an operation.")
class CancelOperationPayload(Payload):
    """What cancelOperation answers with."""

    operation: Operation | None = strawberry.field(
        default=None, description="The operation: its counts say what was done before it was stopped, and what was not."
    )


@strawberry.type(description="The answer to trying an operation again.")
class RetryOperationPayload(Payload):
    """What retryOperation answers with."""

    operation: Operation | None = strawberry.field(
        default=None, description="The new operation, about the outcomes that are tried again and nothing else."
    )


@strawberry.input(description="Which operation is undone, and how.")
class UndoOperationInput:
    """N06."""

    operation: strawberry.ID = strawberry.field(description="The operation; it has to have ended.")
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.type(description="The answer to undoing an operation.")
class UndoOperationPayload(Payload):
    """What undoOperation answers with."""

    operation: Operation | None = strawberry.field(
        default=None,
        description="The new operation. What cannot be undone is REJECTED in it, with the reason: CHANGED_SINCE for what somebody has "
        "changed since, TEAMS_DIFFER and TEAM_GONE where teams cannot be put back. SET_EDITED: done, with the client's set as it is now.",
    )


@strawberry.type
class OperationCourseMutation:
    """The part of the root of all writes that is about operations themselves."""

    @field(
        "Stops a queued or running operation before its next chunk: what is done stays done. Waits for the chunk that is being "
        "carried out. Needs EDIT in the manager. An operation that has ended by itself: CONFLICT; stopping again changes nothing."
    )
    @refusing(CancelOperationPayload)
    async def cancel_operation(
        self,
        info: Info,
        input: Annotated[CancelOperationInput, strawberry.argument(description="Which operation.")],
    ) -> CancelOperationPayload:
        """Stops an operation (P01)."""
        context, call = info.context, idempotent_call(info, input)
        asked = decode_key(str(input.operation), "Operation")
        key = await cancel_operation(context.database, context.reader.viewer, asked, call)
        return CancelOperationPayload(operation=await shown_operation(info, key))

    @field(
        "Tries again what FAILED in an operation and, on request, what was REJECTED, as a new operation under your own authority; "
        "whatever was carried out is not touched. Needs EDIT in the manager."
    )
    @refusing(RetryOperationPayload)
    async def retry_operation(
        self,
        info: Info,
        input: Annotated[RetryOperationInput, strawberry.argument(description="What is tried again.")],
    ) -> RetryOperationPayload:
        """Tries again what failed (P01, R5)."""
        context, options = info.context, given(input.options)
        reason = given(options.reason) if options else None
        with refusing_at("The reason", "input", "options", "reason"):
            reason = several_lines(reason or "", LONGEST_REASON) or None
        retry = Retry(
            operation_id=decode_key(str(input.operation), "Operation"),
            issuer=context.issuer,
            rejected_too=bool(input.include_rejected),
            review_token=given(input.review_token),
            expected_versions=versions_of(input.expected_versions),
            accept_lockout=given(options.accept_lockout) if options else None,
            dry_run=bool(options.dry_run) if options else False,
            reason=reason,
        )
        if retry.dry_run:
            dry_run = await preview_retry(context.database, context.reader.viewer, retry)
            return RetryOperationPayload(operation=Operation(record=of_dry_run(dry_run)))
        call = idempotent_call(info, input)
        key = await retry_operation(context.database, context.reader.viewer, retry, call, context.queue_limits)
        return RetryOperationPayload(operation=await shown_operation(info, key))

    @field(
        "Takes back what an operation did, as a new operation under your own authority: what it gave is removed, what it changed is "
        "as before, what it deactivated counts again. Whatever was changed since is left as it is. Needs EDIT in the manager, and for "
        "more than taking away, that you are partner admin there."
    )
    @refusing(UndoOperationPayload)
    async def undo_operation(
        self,
        info: Info,
        input: Annotated[UndoOperationInput, strawberry.argument(description="What is undone.")],
    ) -> UndoOperationPayload:
        """Takes back what an operation did (N06)."""
        context = info.context
        undo = Undo(decode_key(str(input.operation), "Operation"), options_of(given(input.options)))
        if undo.options.dry_run:
            dry_run = await preview_undo(context.database, context.reader.viewer, undo)
            return UndoOperationPayload(operation=Operation(record=of_dry_run(dry_run)))
        call = idempotent_call(info, input)
        key = await undo_operation(context.database, context.reader.viewer, undo, call, context.queue_limits)
        return UndoOperationPayload(operation=await shown_operation(info, key))
