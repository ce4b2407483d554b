"""The mutations about the end of access: what limits it, and how it is extended."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.expiry import ExpiryAction
from models.operation import OperationKind
from resolvers.account import accounts_by_id
from resolvers.account_partner import account_partners_by_id
from resolvers.client_authority import ClientOrder
from resolvers.client_edit import KEEP
from resolvers.error import RefusalCode, refuse
from resolvers.expiry.limit import set_access_limit
from resolvers.expiry.rule import ExpiryRulePatch, set_expiry_rule
from resolvers.operation.request import OperationRequest
from resolvers.partner import partners_by_id
from schema.account import DECIDES, Account, AccountPartner
from schema.connection import given, several
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.grant_write import expiry_of
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.operation import Operation
from schema.operation_write import ExpectedVersions, carried_out, expected_versions, versions_of
from schema.partner import Partner
from schema.partner_argument import acting_partner
from schema.record import shown
from schema.requested_access import WriteOptionsInput, options_of
from schema.targets import TargetsInput, targets_of


@strawberry.input(description="What a partner decides about the end of access; what is left out stays.")
class SetExpiryRuleInput:
    """What setExpiryRule takes (P04)."""

    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    longest_days: strawberry.Maybe[int | None] = strawberry.field(
        description="For how many days access is given at most, 1 to 3,650; null for no limit. Access that is there keeps its end."
    )
    action: ExpiryAction | None = strawberry.field(
        default=strawberry.UNSET,
        description="What becomes of access that expires from now on; what has been deactivated stays so.",
    )
    remind_days: list[int] | None = strawberry.field(
        default=strawberry.UNSET,
        description="How many days before the end people are reminded: at most 5 numbers from 1 to 90; none for never.",
    )


@strawberry.input(description="For how long an agency's people are given access to your account.")
class SetAccessLimitInput:
    """What setAccessLimit takes (P04)."""

    account: strawberry.ID = strawberry.field(description="Your account.")
    partner: strawberry.ID = strawberry.field(description="One of the account's partners.")
    longest_days: strawberry.Maybe[int | None] = strawberry.field(
        description="For how many days at most, 1 to 3,650; null for no limit. Access that is there keeps its end."
    )


@strawberry.input(description="Whose access lasts longer.")
class ExtendAccessInput:
    """What extendAccess takes (P05)."""

    targets: TargetsInput = strawberry.field(description="Which people and clients.")
    expires_at: strawberry.Maybe[datetime | None] = strawberry.field(
        description="When it ends from now on; null for never. What ends later already stays as it is."
    )
    expected_versions: ExpectedVersions = expected_versions()
    options: WriteOptionsInput | None = strawberry.field(default=strawberry.UNSET, description="How it is carried out.")


@strawberry.type(description="The answer to deciding about the end of access.")
class SetExpiryRulePayload(Payload):
    """What setExpiryRule answers with."""

    partner: Partner | None = strawberry.field(default=None, description="The partner as it is now.")


@strawberry.type(description="The answer to limiting how long access lasts.")
class SetAccessLimitPayload(Payload):
    """What setAccessLimit answers with."""

    account: Account | None = strawberry.field(default=None, description="Your account.")
    partner: AccountPartner | None = strawberry.field(default=None, description="The agency as it is now.")


@strawberry.type(description="The answer to extending access.")
class ExtendAccessPayload(Payload):
    """What extendAccess answers with."""

    operation: Operation | None = strawberry.field(default=None, description="What became of it.")


@strawberry.type
class ExpiryMutation:
    """The part of the root of all writes that is about the end of access."""

    @field(
        "Decides how long access lasts at most that your partner's people are given, what becomes of it when it has expired, and who "
        "is reminded before. Needs a super admin of the partner account."
    )
    @refusing(SetExpiryRulePayload)
    async def set_expiry_rule(
        self, info: Info, input: Annotated[SetExpiryRuleInput, strawberry.argument(description="What is decided.")]
    ) -> SetExpiryRulePayload:
        """Changes a partner's rule (P04)."""
        context = info.context
        viewer = context.reader.viewer
        patch = ExpiryRulePatch(
            longest_days=KEEP if input.longest_days is None else input.longest_days.value,
            action=given(input.action),
            remind_days=several(input.remind_days),
        )
        call = idempotent_call(info, input)
        partner_id = acting_partner(viewer, given(input.partner))
        key = await set_expiry_rule(context.database, viewer, partner_id, patch, call)
        context.loaders.clear()
        return SetExpiryRulePayload(partner=shown(await context.load(partners_by_id, key)))

    @field(f"Limits how long access lasts that an agency's people are given to your account. {DECIDES}")
    @refusing(SetAccessLimitPayload)
    async def set_access_limit(
        self,
        info: Info,
        input: Annotated[SetAccessLimitInput, strawberry.argument(description="Which limit for whom.")],
    ) -> SetAccessLimitPayload:
        """Sets a client's own limit (P04)."""
        context = info.context
        if input.longest_days is None:
            raise refuse(
                RefusalCode.INVALID_INPUT, "Say for how many days, or null for no limit.", "input", "longestDays"
            )
        order = ClientOrder(
            account_id=decode_key(str(input.account), "Account"),
            client_id=decode_key(str(input.partner), "AccountPartner"),
        )
        call = idempotent_call(info, input)
        answer = await set_access_limit(context.database, context.reader.viewer, order, input.longest_days.value, call)
        context.loaders.clear()
        return SetAccessLimitPayload(
            account=shown(await context.load(accounts_by_id, answer.account_id)),
            partner=shown(await context.load(account_partners_by_id, answer.client_id)),
        )

    @field(
        "Lets access last longer, never beyond `Client.accessLimit`; it changes nothing else. Expired access counts again; what was "
        "deactivated stays so until it is reactivated. Needs EDIT in the manager and, in each client, that you are an active partner "
        "admin there and have everything yourself that is extended; nobody extends their own."
    )
    @refusing(ExtendAccessPayload)
    async def extend_access(
        self,
        info: Info,
        input: Annotated[ExtendAccessInput, strawberry.argument(description="Whose access, until when.")],
    ) -> ExtendAccessPayload:
        """Extends access under the rule (P05)."""
        if input.expires_at is None:
            raise refuse(RefusalCode.INVALID_INPUT, "Say until when, or null for ever.", "input", "expiresAt")
        request = OperationRequest(
            kind=OperationKind.CHANGE,
            targets=targets_of(input.targets),
            expiry=expiry_of(input.expires_at.value),
            expected_versions=versions_of(input.expected_versions),
            options=options_of(given(input.options)),
            extends=True,
        )
        return ExtendAccessPayload(operation=await carried_out(info, request, input))
