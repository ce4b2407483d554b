"""The mutations that deactivate, reactivate and remove access: each one is an operation of the pipeline."""

from typing import Annotated

import strawberry

from models.operation import OperationKind
from resolvers.operation.request import OperationRequest, Removal
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.operation import Operation
from schema.operation_write import ExpectedVersions, carried_out, expected_versions, versions_of
from schema.reassignment import ACCEPT_CHANGES, REASSIGN, ReassignInput, accepts_changes, reassignments_of
from schema.requested_access import WriteOptionsInput, options_of
from schema.targets import TargetsInput, targets_of

EDIT = "Needs EDIT in the manager, and no access of your own in the clients."


@strawberry.input(description="Whose access is deactivated where.")
class DeactivateAccessInput:
    """F34, F36."""

    targets: TargetsInput = strawberry.field(description="Which people and clients.")
    expected_versions: ExpectedVersions = expected_versions()
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Whose access is reactivated where.")
class ReactivateAccessInput:
    """F35, F40."""

    targets: TargetsInput = strawberry.field(description="Which people and clients.")
    expected_versions: ExpectedVersions = expected_versions()
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Whose access is removed where, and what becomes of their assets.")
class RemoveAccessInput:
    """F38, F39."""

    targets: TargetsInput = strawberry.field(description="Which people and clients.")
    review_token: str = strawberry.field(
        description="The `token` of member.removalReview or client.removalReview. Whatever has changed since the review, or was "
        "not in it, is rejected with STALE_REVIEW."
    )
    reassign: list[ReassignInput] | None = strawberry.field(default=strawberry.UNSET, description=REASSIGN)
    accept_changes: bool | None = strawberry.field(default=False, description=ACCEPT_CHANGES)
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.type(description="The answer to deactivating access.")
class DeactivateAccessPayload(Payload):
    """What deactivateAccess answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


@strawberry.type(description="The answer to reactivating access.")
class ReactivateAccessPayload(Payload):
    """What reactivateAccess answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


@strawberry.type(description="The answer to removing access.")
class RemoveAccessPayload(Payload):
    """What removeAccess answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


@strawberry.type
class StatusMutation:
    """The part of the root of all writes that deactivates, reactivates and removes access."""

    @field(
        "Deactivates the access of many employees in many clients: it counts for nothing until it is reactivated, and keeps its "
        f"permissions. A contractor's access can only be removed. {EDIT}"
    )
    @refusing(DeactivateAccessPayload)
    async def deactivate_access(
        self,
        info: Info,
        input: Annotated[DeactivateAccessInput, strawberry.argument(description="Whose access where.")],
    ) -> DeactivateAccessPayload:
        """Deactivates access (F34, F36, F37)."""
        request = OperationRequest(
            kind=OperationKind.DEACTIVATE,
            targets=targets_of(input.targets),
            expected_versions=versions_of(input.expected_versions),
            options=options_of(given(input.options)),
        )
        return DeactivateAccessPayload(operation=await carried_out(info, request, input))

    @field(
        "Reactivates deactivated access as it was. Needs EDIT in the manager and, in each client, that you are an active partner "
        "admin there and have everything yourself that comes back; so nobody reactivates themselves."
    )
    @refusing(ReactivateAccessPayload)
    async def reactivate_access(
        self,
        info: Info,
        input: Annotated[ReactivateAccessInput, strawberry.argument(description="Whose access where.")],
    ) -> ReactivateAccessPayload:
        """Reactivates access (F35, F40, R10)."""
        request = OperationRequest(
            kind=OperationKind.REACTIVATE,
            targets=targets_of(input.targets),
            expected_versions=versions_of(input.expected_versions),
            options=options_of(given(input.options)),
        )
        return ReactivateAccessPayload(operation=await carried_out(info, request, input))

    @field(
        "Removes the access of many people in many clients, after a review of what they own there. A later grant for the same "
        f"person and client is a new one. {EDIT}"
    )
    @refusing(RemoveAccessPayload)
    async def remove_access(
        self,
        info: Info,
        input: Annotated[RemoveAccessInput, strawberry.argument(description="Whose access where, as reviewed.")],
    ) -> RemoveAccessPayload:
        """Removes access (F34, F38, F39, R4 to R7)."""
        options = options_of(given(input.options))
        request = OperationRequest(
            kind=OperationKind.REMOVE,
            targets=targets_of(input.targets),
            removal=Removal(
                info.context.issuer,
                input.review_token,
                reassignments_of(input.reassign),
                # A preview says what could be planned now, and nothing may have changed by then.
                accepts_changes(options.run_at, "input", accepted=input.accept_changes) and not options.dry_run,
            ),
            options=options,
        )
        return RemoveAccessPayload(operation=await carried_out(info, request, input))
