"""The mutation that makes super admins partner admins: an operation of the pipeline."""

from typing import Annotated, Any

import strawberry

from models.operation import OperationKind
from resolvers.error import RefusalCode, refuse
from resolvers.operation.request import BillingChoice, Migration, OperationRequest
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.node import decode_key
from schema.operation import Operation
from schema.operation_write import ExpectedVersions, carried_out, expected_versions, versions_of
from schema.requested_access import WriteOptionsInput, options_of
from schema.targets import TargetsInput, targets_of

MOST_CHOICES = 1_000


@strawberry.input(description="Whether one person keeps the billing permissions.")
class KeepBillingInput:
    """F43, by target."""

    member: strawberry.ID = strawberry.field(description="The person, one of the targets.")
    client: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The client, one of the targets; all of them if left out."
    )
    keep: bool = strawberry.field(description="Whether they keep them.")


@strawberry.input(description="Which super admins become partner admins.")
class MigrateToPartnerAdminInput:
    """F42 to F45."""

    targets: TargetsInput = strawberry.field(
        description="Which people and clients. You yourself are among them only where you name or select yourself."
    )
    keep_billing: bool | None = strawberry.field(
        default=False, description="Whether the permissions for billing and financial transactions are kept."
    )
    keep_billing_for: list[KeepBillingInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"Who is to be treated otherwise, at most {MOST_CHOICES:,}; what is said of a person in one client counts most.",
    )
    expected_versions: ExpectedVersions = expected_versions()
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.type(description="The answer to migrating super admins.")
class MigrateToPartnerAdminPayload(Payload):
    """What migrateToPartnerAdmin answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


def _choices(listed: Any) -> tuple[BillingChoice, ...]:
    choices: list[KeepBillingInput] = given(listed) or []
    if len(choices) > MOST_CHOICES:
        raise refuse(RefusalCode.INVALID_INPUT, f"List at most {MOST_CHOICES:,} exceptions.", "input", "keepBillingFor")
    return tuple(
        BillingChoice(
            member_id=decode_key(str(choice.member), "Member"),
            client_id="ALL" if given(choice.client) is None else decode_key(str(choice.client), "Client"),
            keep=choice.keep,
        )
        for choice in choices
    )


@strawberry.type
class MigrationMutation:
    """The part of the root of all writes that moves away from super admins."""

    @field(
        "Makes super admins partner admins: super admin off, the PARTNER seat and the whole Partner Admin set, with billing if you "
        "keep it. You may migrate yourself, and others where you are an active partner admin. An account's last active super "
        "admin, its own people counted, always stays. There is no way back through the manager. Needs EDIT in the manager."
    )
    @refusing(MigrateToPartnerAdminPayload)
    async def migrate_to_partner_admin(
        self,
        info: Info,
        input: Annotated[
            MigrateToPartnerAdminInput, strawberry.argument(description="Which super admins become partner admins.")
        ],
    ) -> MigrateToPartnerAdminPayload:
        """Migrates super admins (F42 to F45, M1 to M11)."""
        request = OperationRequest(
            kind=OperationKind.MIGRATE,
            targets=targets_of(input.targets),
            migration=Migration(bool(input.keep_billing), _choices(input.keep_billing_for)),
            expected_versions=versions_of(input.expected_versions),
            options=options_of(given(input.options)),
        )
        return MigrateToPartnerAdminPayload(operation=await carried_out(info, request, input))
