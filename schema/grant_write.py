"""The mutations that give and change access: each one is an operation of the pipeline."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.grant import Seat
from models.operation import OperationKind
from models.table import now
from resolvers.error import RefusalCode, refuse
from resolvers.operation.request import (
    CurrentVersion,
    Expiry,
    OnCustomised,
    OnExisting,
    OperationRequest,
    OutdatedGrants,
    Targets,
)
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.node import decode_key
from schema.operation import Operation
from schema.operation_write import ExpectedVersions, carried_out, expected_versions, versions_of
from schema.requested_access import (
    RequestedAccessInput,
    TeamInput,
    WriteOptionsInput,
    access_of,
    options_of,
    teams_of,
)
from schema.targets import TargetsInput, targets_of


@strawberry.input(description="Who gets which access where.")
class GrantAccessInput:
    """F26 to F28, F31."""

    targets: TargetsInput = strawberry.field(description="Which people and clients.")
    access: RequestedAccessInput = strawberry.field(description="Which access.")
    seat: Seat | None = strawberry.field(
        default=strawberry.UNSET,
        description="The seat; if left out, PARTNER for verified people and CORE for others. Partner admins take PARTNER.",
    )
    teams: list[TeamInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Teams of the clients' accounts; one you are not in needs the right to edit teams.",
    )
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="When the access ends by itself. If left out, never; or, where access may not last so long, as late as `Client.accessLimit` "
        "allows.",
    )
    on_existing: OnExisting | None = strawberry.field(
        default=OnExisting.SKIP, description="What happens with people who have access already."
    )
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Which access is changed, and to what. What is left out stays as it is.")
class ChangeAccessInput:
    """F07, F31, F33."""

    targets: TargetsInput = strawberry.field(description="Which people and clients.")
    access: RequestedAccessInput | None = strawberry.field(default=strawberry.UNSET, description="Which access.")
    seat: Seat | None = strawberry.field(default=strawberry.UNSET, description="The seat.")
    teams: list[TeamInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Exactly these teams, in the clients to which they belong; an empty list takes people out of all.",
    )
    expires_at: strawberry.Maybe[datetime | None] = strawberry.field(
        description="When the access ends by itself; null for never."
    )
    expected_versions: ExpectedVersions = expected_versions()
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Who is in which teams.")
class AssignTeamsInput:
    """F54."""

    targets: TargetsInput = strawberry.field(description="Which people and clients.")
    teams: list[TeamInput] = strawberry.field(
        description="Exactly these teams, in the clients to which they belong; an empty list takes people out of all teams."
    )
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.input(description="Which grants are brought to the newest version of their permission set.")
class ReapplyPermissionSetInput:
    """P12. Exactly one of the two ways to say which."""

    permission_set: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="All grants that are on an older version of this set."
    )
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The partner whose grants they are; needed only if you act for several and the set is built in.",
    )
    targets: TargetsInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="Which people and clients: each grant is brought to its own set's newest version.",
    )
    on_customised: OnCustomised | None = strawberry.field(
        default=OnCustomised.RESET, description="What happens with access that differs from its set."
    )
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.type(description="The answer to giving access.")
class GrantAccessPayload(Payload):
    """What grantAccess answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


@strawberry.type(description="The answer to changing access.")
class ChangeAccessPayload(Payload):
    """What changeAccess answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


@strawberry.type(description="The answer to assigning teams.")
class AssignTeamsPayload(Payload):
    """What assignTeams answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


@strawberry.type(description="The answer to applying a permission set again.")
class ReapplyPermissionSetPayload(Payload):
    """What reapplyPermissionSet answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


def expiry_of(at: datetime | None) -> Expiry:
    """Returns a wish about the expiry.

    Raises:
        RefusedError: INVALID_INPUT for a moment that has passed.
    """
    if at is not None and at <= now():
        raise refuse(
            RefusalCode.INVALID_INPUT, "An expiry lies in the future: choose a later moment.", "input", "expiresAt"
        )
    return Expiry(at)


@strawberry.type
class GrantMutation:
    """The part of the root of all writes that gives and changes access."""

    @field(
        "Gives many people access in many clients at once, as far as you have it yourself. "
        "Needs EDIT in the manager and, in each client, that you are an active partner admin there."
    )
    @refusing(GrantAccessPayload)
    async def grant_access(
        self,
        info: Info,
        input: Annotated[GrantAccessInput, strawberry.argument(description="Who gets which access where.")],
    ) -> GrantAccessPayload:
        """Gives access (F26 to F28, F31, F32)."""
        expires_at = given(input.expires_at)
        request = OperationRequest(
            kind=OperationKind.GRANT,
            targets=targets_of(input.targets),
            access=access_of(input.access),
            seat=given(input.seat),
            teams=teams_of(input.teams),
            expiry=None if expires_at is None else expiry_of(expires_at),
            on_existing=given(input.on_existing) or OnExisting.SKIP,
            options=options_of(given(input.options)),
        )
        return GrantAccessPayload(operation=await carried_out(info, request, input))

    @field(
        "Changes the access of many people in many clients at once, within what you have yourself. "
        "Needs EDIT in the manager and, in each client, that you are an active partner admin there."
    )
    @refusing(ChangeAccessPayload)
    async def change_access(
        self,
        info: Info,
        input: Annotated[ChangeAccessInput, strawberry.argument(description="Which access is changed, and to what.")],
    ) -> ChangeAccessPayload:
        """Changes access (F07, F31, F33, P03)."""
        access, teams, seat = access_of(given(input.access)), teams_of(input.teams), given(input.seat)
        expiry = None if input.expires_at is None else expiry_of(input.expires_at.value)
        if access is None and teams is None and seat is None and expiry is None:
            raise refuse(RefusalCode.INVALID_INPUT, "Say what to change: access, seat, teams or expiresAt.", "input")
        request = OperationRequest(
            kind=OperationKind.CHANGE,
            targets=targets_of(input.targets),
            access=access,
            seat=seat,
            teams=teams,
            expiry=expiry,
            expected_versions=versions_of(input.expected_versions),
            options=options_of(given(input.options)),
        )
        return ChangeAccessPayload(operation=await carried_out(info, request, input))

    @field(
        "Puts many people into teams of the clients' accounts. A team you are not in needs the right to edit teams there. "
        "Needs EDIT in the manager and, in each client, that you are an active partner admin there."
    )
    @refusing(AssignTeamsPayload)
    async def assign_teams(
        self,
        info: Info,
        input: Annotated[AssignTeamsInput, strawberry.argument(description="Who is put into which teams.")],
    ) -> AssignTeamsPayload:
        """Assigns teams (F54, E6)."""
        request = OperationRequest(
            kind=OperationKind.ASSIGN_TEAMS,
            targets=targets_of(input.targets),
            teams=teams_of(input.teams),
            options=options_of(given(input.options)),
        )
        return AssignTeamsPayload(operation=await carried_out(info, request, input))

    @field(
        "Brings grants to the newest version of their permission set, within what you have yourself. "
        "Needs EDIT in the manager and, in each client, that you are an active partner admin there."
    )
    @refusing(ReapplyPermissionSetPayload)
    async def reapply_permission_set(
        self,
        info: Info,
        input: Annotated[
            ReapplyPermissionSetInput, strawberry.argument(description="Which grants are brought up to date.")
        ],
    ) -> ReapplyPermissionSetPayload:
        """Applies sets again (P12)."""
        set_id, named, partner = given(input.permission_set), given(input.targets), given(input.partner)
        if (set_id is None) == (named is None):
            raise refuse(RefusalCode.INVALID_INPUT, "Give either permissionSet or targets.", "input")
        targets: Targets = (
            OutdatedGrants(
                decode_key(str(set_id), "PermissionSet"),
                None if partner is None else decode_key(str(partner), "Partner") or 0,
            )
            if named is None
            else targets_of(named)
        )
        request = OperationRequest(
            kind=OperationKind.REAPPLY,
            targets=targets,
            access=CurrentVersion(),
            on_customised=given(input.on_customised) or OnCustomised.RESET,
            options=options_of(given(input.options)),
        )
        return ReapplyPermissionSetPayload(operation=await carried_out(info, request, input))
