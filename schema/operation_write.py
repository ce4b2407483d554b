"""What all mutations of the write pipeline share: the versions that the caller has seen, and the operation that comes of it."""

from typing import Any, TypeAlias

import strawberry

from resolvers.error import RefusalCode, refuse
from resolvers.operation.execute import execute, preview
from resolvers.operation.record import of_dry_run, operations_by_id
from resolvers.operation.request import Key, OperationRequest
from schema.connection import given
from schema.context import Info
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.operation import Operation
from schema.record import shown

MOST_VERSIONS = 1_000


@strawberry.input(description="The version of a grant that you have seen.")
class ExpectedVersionInput:
    """What makes a write fail when somebody else was faster (P03)."""

    grant: strawberry.ID = strawberry.field(description="The grant.")
    version: int = strawberry.field(description="Its `version` when you read it; if it has another by now: CONFLICT.")


ExpectedVersions: TypeAlias = list[ExpectedVersionInput] | None


def expected_versions() -> Any:
    """Returns the field of an input that lists the versions the caller has seen (P03)."""
    return strawberry.field(
        default=strawberry.UNSET, description=f"At most {MOST_VERSIONS:,} versions that you have seen."
    )


def versions_of(versions: Any) -> tuple[tuple[Key, int], ...]:
    """Returns the versions in the words of the resolvers.

    Raises:
        RefusedError: INVALID_INPUT for too many.
    """
    listed: list[ExpectedVersionInput] = given(versions) or []
    if len(listed) > MOST_VERSIONS:
        raise refuse(
            RefusalCode.INVALID_INPUT, f"List at most {MOST_VERSIONS:,} versions.", "input", "expectedVersions"
        )
    return tuple((decode_key(str(seen.grant), "Grant"), seen.version) for seen in listed)


async def carried_out(info: Info, request: OperationRequest, written: object) -> Operation:
    """Carries a request out, or previews it, and returns the operation to show.

    Raises:
        RefusedError: if the request as a whole cannot be carried out.
    """
    context = info.context
    if request.options.dry_run:
        return Operation(record=of_dry_run(await preview(context.database, context.reader.viewer, request)))
    call = idempotent_call(info, written)
    key = await execute(context.database, context.reader.viewer, request, call, context.queue_limits)
    return await shown_operation(info, key)


async def shown_operation(info: Info, key: int) -> Operation:
    """Returns an operation that was just carried out, or was before under the same idempotency key.

    Raises:
        RefusedError: FORBIDDEN, if the caller may not see it any more.
    """
    info.context.loaders.clear()
    record = await info.context.load(operations_by_id, key)
    if record is None:
        raise refuse(
            RefusalCode.FORBIDDEN,
            "This was carried out before, but you may not see it any more: ask for your rights again.",
        )
    operation: Operation = shown(record)
    return operation
