"""The mutations that plan and apply an access matrix: wanted access as a file (P28)."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.grant import GrantStatus, Seat
from resolvers.error import RefusalCode, refuse
from resolvers.matrix.change import MatrixChange, apply_matrix, plan_matrix
from resolvers.matrix.entry import COLUMNS, MOST_LISTED, MOST_ROWS, NEVER_ENDS, Matrix, read_csv, read_json, read_listed
from resolvers.operation.record import of_dry_run
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.operation import Operation
from schema.operation_write import shown_operation
from schema.partner_argument import acting_partner
from schema.requested_access import WriteOptionsInput, options_of

_FILE = f"with the columns {', '.join(COLUMNS)}, as `GET /export/matrix` gives it; at most {MOST_ROWS:,} rows"


@strawberry.input(description="What one person should have in one client.")
class MatrixEntryInput:
    """A row of a matrix."""

    email: str = strawberry.field(description="The person's e-mail address.")
    hub_id: str = strawberry.field(description="The client's Hub ID.")
    permission_set: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The name of a permission set; where several are called so, with built-in:, partner: or client: before it. "
        "Empty for no access: where there is some, the outcome says how it is removed.",
    )
    version: int | None = strawberry.field(
        default=strawberry.UNSET, description="The version of the set; the newest if left out."
    )
    seat: Seat | None = strawberry.field(default=strawberry.UNSET, description="The seat; as it is if left out.")
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When the access ends by itself; as it is if left out."
    )
    never_expires: bool | None = strawberry.field(default=False, description="The access does not end by itself.")
    customised: bool | None = strawberry.field(
        default=False,
        description="The access differs from what the set gives, and stays as it is: a set alone does not describe it.",
    )
    status: GrantStatus | None = strawberry.field(
        default=strawberry.UNSET, description="ACTIVE or DEACTIVATED, as it is: a matrix does not change it."
    )
    grant_version: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="The grant's `version` when you read it; if it would be changed and has another by now: CONFLICT.",
    )


@strawberry.input(one_of=True, description="A matrix in exactly one form. Rows that are left out are left alone.")
class MatrixInput:
    """The forms of a matrix."""

    csv: str | None = strawberry.field(default=strawberry.UNSET, description=f"CSV text {_FILE}.")
    json: str | None = strawberry.field(default=strawberry.UNSET, description=f"A JSON list of objects {_FILE}.")
    entries: list[MatrixEntryInput] | None = strawberry.field(
        default=strawberry.UNSET, description=f"Single entries, at most {MOST_LISTED:,}."
    )


@strawberry.input(description="A matrix that is to be planned.")
class PlanAccessMatrixInput:
    """What planAccessMatrix takes."""

    matrix: MatrixInput = strawberry.field(description="Who should have what where.")
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    options: WriteOptionsInput | None = strawberry.field(
        default=strawberry.UNSET, description="How it would be carried out; nothing is written in any case."
    )


@strawberry.input(description="A matrix that is to be applied.")
class ApplyAccessMatrixInput:
    """What applyAccessMatrix takes."""

    matrix: MatrixInput = strawberry.field(description="Who should have what where.")
    plan_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What planAccessMatrix has given: what has changed since then is left alone, with CONFLICT.",
    )
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.type(description="The answer to planning a matrix.")
class PlanAccessMatrixPayload(Payload):
    """What planAccessMatrix answers with."""

    operation: Operation | None = strawberry.field(
        default=None, description="What applying it would do, an outcome for each row; nothing was written."
    )
    plan_token: str | None = strawberry.field(
        default=None, description="Stands for the access as it was planned on; what applyAccessMatrix takes."
    )


@strawberry.type(description="The answer to applying a matrix.")
class ApplyAccessMatrixPayload(Payload):
    """What applyAccessMatrix answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it, by row.")


@strawberry.type
class MatrixMutation:
    """The part of the root of all writes that is about access matrices."""

    @field(
        "Says what applying an access matrix would do, row by row, and writes nothing. A mistake in any row refuses all of them, "
        "each mistake with its line. Needs EDIT in the manager."
    )
    @refusing(PlanAccessMatrixPayload)
    async def plan_access_matrix(
        self, info: Info, input: Annotated[PlanAccessMatrixInput, strawberry.argument(description="The matrix.")]
    ) -> PlanAccessMatrixPayload:
        """Plans a matrix (P28)."""
        plan = await plan_matrix(info.context.database, info.context.reader.viewer, await _change(info, input))
        return PlanAccessMatrixPayload(operation=Operation(record=of_dry_run(plan.dry_run)), plan_token=plan.token)

    @field(
        "Brings access to what a matrix says, as one operation with an outcome for each row: new access is given, other access "
        "changed, within what you have yourself; none is taken away. What is so already needs no change, so applying twice changes "
        "nothing. Needs EDIT in the manager and, in each client where something changes, that you are an active partner admin there."
    )
    @refusing(ApplyAccessMatrixPayload)
    async def apply_access_matrix(
        self, info: Info, input: Annotated[ApplyAccessMatrixInput, strawberry.argument(description="The matrix.")]
    ) -> ApplyAccessMatrixPayload:
        """Applies a matrix (P28)."""
        context, viewer = info.context, info.context.reader.viewer
        change = await _change(info, input, given(input.plan_token))
        if change.options.dry_run:
            plan = await plan_matrix(context.database, viewer, change)
            return ApplyAccessMatrixPayload(operation=Operation(record=of_dry_run(plan.dry_run)))
        call = idempotent_call(info, input)
        key = await apply_matrix(context.database, viewer, change, call, context.queue_limits)
        return ApplyAccessMatrixPayload(operation=await shown_operation(info, key))


async def _change(info: Info, input_: Any, token: str | None = None) -> MatrixChange:
    """Returns what is asked for, in the words of the resolvers.

    Raises:
        RefusedError: INVALID_FILE, and as ``acting_partner`` and ``options_of``.
    """
    partner_id = acting_partner(info.context.reader.viewer, given(input_.partner))
    options = options_of(given(input_.options))
    return MatrixChange(partner_id, await _matrix(input_.matrix), info.context.issuer, options, token)


async def _matrix(matrix: MatrixInput) -> Matrix:
    if (text := given(matrix.csv)) is not None:
        return await asyncio.to_thread(read_csv, text)
    if (text := given(matrix.json)) is not None:
        return await asyncio.to_thread(read_json, text)
    return read_listed([_told(index, entry) for index, entry in enumerate(given(matrix.entries) or [])])


def _told(index: int, entry: MatrixEntryInput) -> Mapping[str, object]:
    """Returns an entry under the names of the columns."""
    told = {column: given(getattr(entry, column)) for column in COLUMNS}
    if entry.never_expires:
        if told["expires_at"] is not None:
            raise refuse(
                RefusalCode.INVALID_INPUT,
                "Say either expiresAt or neverExpires.",
                *("input", "matrix", "entries", str(index), "expiresAt"),
            )
        told["expires_at"] = NEVER_ENDS
    return told
