"""The mutation that locks access to permission sets, and unlocks it (P27)."""

from typing import Annotated

import strawberry

from resolvers.account import accounts_by_id
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import refusing_at, several_lines
from resolvers.lockdown.edit import LockdownDraft, lock_account_to_sets, lock_partner_to_sets
from resolvers.lockdown.record import lockdowns_by_id
from resolvers.operation.place import MOST_KEYS
from resolvers.partner import partners_by_id
from schema.account import Account
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.node import decode_key
from schema.partner import Partner
from schema.partner_argument import acting_partner
from schema.record import shown
from schema.requested_access import LONGEST_REASON
from schema.template_lockdown import TemplateLockdown


@strawberry.input(description="Whether access is given by permission sets only, and where.")
class SetTemplateLockdownInput:
    """What setTemplateLockdown takes (P27)."""

    locked: bool = strawberry.field(description="Whether it is; false unlocks.")
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Your agency, for all of its clients; needed only if you act for several. Not together with `account`.",
    )
    account: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Your own account, for all agencies that work in it."
    )
    permission_sets: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"The only sets that may be given, at most {MOST_KEYS:,}; all that can be used there if left out.",
    )
    reason: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why: at most 1,000 characters. Whoever it holds for can read it."
    )


@strawberry.type(description="The answer to locking access to permission sets.")
class SetTemplateLockdownPayload(Payload):
    """What setTemplateLockdown answers with."""

    template_lockdown: TemplateLockdown | None = strawberry.field(
        default=None, description="The lockdown that is in force, or the one that has ended; null if there was none."
    )
    partner: Partner | None = strawberry.field(default=None, description="Your agency, if it is the agency's.")
    account: Account | None = strawberry.field(default=None, description="Your account, if it is the account's.")


def _draft(request: SetTemplateLockdownInput) -> LockdownDraft:
    listed = given(request.permission_sets)
    if listed is not None and not request.locked:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "Without a lockdown any set may be given: leave permissionSets out.",
            "input",
            "permissionSets",
        )
    if listed is not None and len(listed) > MOST_KEYS:
        raise refuse(
            RefusalCode.INVALID_INPUT, f"Name at most {MOST_KEYS:,} permission sets.", "input", "permissionSets"
        )
    with refusing_at("The reason", "input", "reason"):
        reason = several_lines(given(request.reason) or "", LONGEST_REASON) or None
    sets = None if listed is None else tuple(decode_key(str(key), "PermissionSet") for key in listed)
    return LockdownDraft(request.locked, sets, reason)


@strawberry.type
class TemplateLockdownMutation:
    """The part of the root of all writes that is about lockdowns."""

    @field(
        "Lets access be given by permission sets only, or no longer. What is there already stays, and is listed. For super admins of "
        "the partner account with EDIT in the manager; for an account, for its super admins and those of its people who may add and "
        "edit users."
    )
    @refusing(SetTemplateLockdownPayload)
    async def set_template_lockdown(
        self,
        info: Info,
        input: Annotated[SetTemplateLockdownInput, strawberry.argument(description="Whether, and where.")],
    ) -> SetTemplateLockdownPayload:
        """Locks or unlocks (P27)."""
        context, viewer = info.context, info.context.reader.viewer
        draft, account, partner = _draft(input), given(input.account), given(input.partner)
        call, payload = idempotent_call(info, input), SetTemplateLockdownPayload()
        if account is not None and partner is not None:
            raise refuse(RefusalCode.INVALID_INPUT, "Name either your agency or your account.", "input", "account")
        if account is None:
            partner_id = acting_partner(viewer, partner)
            key = await lock_partner_to_sets(context.database, viewer, partner_id, draft, call)
            context.loaders.clear()
            payload.partner = shown(await context.load(partners_by_id, partner_id))
        else:
            account_id = decode_key(str(account), "Account")
            key = await lock_account_to_sets(context.database, viewer, account_id, draft, call)
            context.loaders.clear()
            payload.account = shown(await context.load(accounts_by_id, account_id or 0))
        payload.template_lockdown = None if key is None else shown(await context.load(lockdowns_by_id, key))
        return payload
