"""The mutations with which a client decides about the agencies that work in its account."""

import asyncio
from typing import Annotated

import strawberry

from resolvers.account import accounts_by_id
from resolvers.account_partner import account_partners_by_id
from resolvers.account_person import account_people_by_id
from resolvers.ceiling_edit import CeilingDraft, set_ceiling
from resolvers.client_authority import ClientAnswer, ClientOrder
from resolvers.client_edit import KEEP
from resolvers.free_text import refusing_at, several_lines
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode
from resolvers.partner_access_edit import revoke_partner_access
from resolvers.permission import granted_permissions
from schema.account import Account, AccountPartner, AccountPerson
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import as_json, idempotent_call
from schema.node import decode_key
from schema.permission import GrantedPermission
from schema.record import shown, shown_all
from schema.requested_access import LONGEST_REASON, PermissionInput, permission_list

DECIDES = "For the account's super admins, and for those of its people who may add and edit users."
_REASON = "Why: at most 1,000 characters. The agency can read it."
_DRY_RUN = (
    "Writes nothing, and answers with what would become of it; `account` and `partner` show what is there at present."
)
_LEAVES = (
    "Whether the agency then has people in the account but no active partner admin, who alone can give and change access there. "
    "You are not asked to accept it, for you can let a partner admin in again: by an access link, or by a confirmation link."
)
_ACCOUNT, _PARTNER = "Your account.", "One of the account's partners."

_FOR_CLIENT = {
    OutcomeCode.TARGET_IS_SUPER_ADMIN: (
        "This person is super admin of your account: no ceiling applies to them, and only your account's own super admins end "
        "their access. Ask one of these to revoke it, or have the agency make the person partner admin first."
    ),
    OutcomeCode.LAST_SUPER_ADMIN: (
        "This is your account's only active super admin: make one of your own people super admin first, then revoke the access."
    ),
}


@strawberry.input(description="The most that an agency's people may hold in your account.")
class SetCeilingInput:
    """What setCeiling takes (P08)."""

    account: strawberry.ID = strawberry.field(description=_ACCOUNT)
    partner: strawberry.ID = strawberry.field(description=_PARTNER)
    permissions: strawberry.Maybe[list[PermissionInput] | None] = strawberry.field(
        description="The ceiling, at most 500 permissions; what a permission requires must be among them. An empty list allows "
        "nothing at all, null is no ceiling; left out, the ceiling stays."
    )
    enforce: bool | None = strawberry.field(
        default=False,
        description="Whether access that is there already is lowered to the ceiling at once. Otherwise it stays as it is, and only "
        "what is given from now on keeps to it.",
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)
    dry_run: bool | None = strawberry.field(default=False, description=_DRY_RUN)


@strawberry.input(description="Whose access to your account ends.")
class RevokePartnerAccessInput:
    """What revokePartnerAccess takes (P07)."""

    account: strawberry.ID = strawberry.field(description=_ACCOUNT)
    partner: strawberry.ID = strawberry.field(description=_PARTNER)
    person: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="One of the agency's people; all of them if left out."
    )
    reason: str | None = strawberry.field(default=None, description=_REASON)
    dry_run: bool | None = strawberry.field(default=False, description=_DRY_RUN)


@strawberry.type(description="Somebody whose access stays as it is although it was meant, and why.")
class UnchangedPerson:
    """A person whom a client's decision could not reach."""

    person: AccountPerson = strawberry.field(description="The person.")
    code: OutcomeCode = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people: what is in the way and what to do.")


@strawberry.type(description="The answer to setting a ceiling.")
class SetCeilingPayload(Payload):
    """What setCeiling answers with."""

    account: Account | None = strawberry.field(default=None, description="Your account.")
    partner: AccountPartner | None = strawberry.field(
        default=None, description="The agency as it is now; after a dry run, as it was."
    )
    ceiling: list[GrantedPermission] | None = strawberry.field(
        default=None, description="The ceiling that holds then, also in a dry run; null for no ceiling."
    )
    lowered: int = strawberry.field(
        default=0, description="How many people's access was lowered to the ceiling; in a dry run, would be."
    )
    lowered_people: list[AccountPerson] = strawberry.field(
        default_factory=list, description="Whose access that is; after a dry run, as it was."
    )
    not_lowered: list[UnchangedPerson] = strawberry.field(
        default_factory=list, description="Whose access lies beyond the ceiling and could not be lowered."
    )
    leaves_without_partner_admin: bool = strawberry.field(default=False, description=_LEAVES)


@strawberry.type(description="The answer to revoking an agency's access.")
class RevokePartnerAccessPayload(Payload):
    """What revokePartnerAccess answers with."""

    account: Account | None = strawberry.field(default=None, description="Your account.")
    partner: AccountPartner | None = strawberry.field(
        default=None, description="The agency as it is now; after a dry run, as it was."
    )
    revoked: int = strawberry.field(
        default=0, description="How many people's access has ended; in a dry run, would end."
    )
    not_revoked: list[UnchangedPerson] = strawberry.field(
        default_factory=list, description="Whose access could not be revoked."
    )
    leaves_without_partner_admin: bool = strawberry.field(default=False, description=_LEAVES)


def _order(request: SetCeilingInput | RevokePartnerAccessInput) -> ClientOrder:
    with refusing_at("The reason", "input", "reason"):
        reason = several_lines(request.reason or "", LONGEST_REASON) or None
    return ClientOrder(
        account_id=decode_key(str(request.account), "Account"),
        client_id=decode_key(str(request.partner), "AccountPartner"),
        reason=reason,
        dry_run=bool(request.dry_run),
        as_json=as_json(request),
    )


async def _shown(info: Info, answer: ClientAnswer) -> tuple[Account, AccountPartner, list[UnchangedPerson]]:
    load = info.context.load
    info.context.loaders.clear()
    records = await asyncio.gather(*(load(account_people_by_id, key) for key, _ in answer.refused))
    people = [
        UnchangedPerson(person=shown(record), code=code, message=_FOR_CLIENT.get(code, MESSAGES[code]))
        for record, (_, code) in zip(records, answer.refused, strict=True)
        if record is not None
    ]
    account: Account = shown(await load(accounts_by_id, answer.account_id))
    partner: AccountPartner = shown(await load(account_partners_by_id, answer.client_id))
    return account, partner, people


@strawberry.type
class AccountMutation:
    """The part of the root of all writes that is the client's own."""

    @field(f"Sets, changes or removes the ceiling of an agency in your account, or enforces it. {DECIDES}")
    @refusing(SetCeilingPayload)
    async def set_ceiling(
        self, info: Info, input: Annotated[SetCeilingInput, strawberry.argument(description="Which ceiling for whom.")]
    ) -> SetCeilingPayload:
        """Sets a ceiling (P08, E24)."""
        context, told = info.context, input.permissions
        listed = None if told is None or told.value is None else permission_list(told.value, "input", "permissions")
        draft = CeilingDraft(KEEP if told is None else listed, enforce=bool(input.enforce))
        call = idempotent_call(info, input)
        answer = await set_ceiling(context.database, context.reader.viewer, _order(input), draft, call)
        account, partner, people = await _shown(info, answer)
        lowered = await asyncio.gather(*(context.load(account_people_by_id, key) for key in answer.changed))
        return SetCeilingPayload(
            account=account,
            partner=partner,
            ceiling=None if answer.ceiling is None else shown_all(granted_permissions(answer.ceiling, answer.ceiling)),
            lowered=len(answer.changed),
            lowered_people=shown_all([record for record in lowered if record is not None]),
            not_lowered=people,
            leaves_without_partner_admin=answer.lacks_partner_admin,
        )

    @field(f"Ends the access of one of an agency's people to your account, or of all of them, at once. {DECIDES}")
    @refusing(RevokePartnerAccessPayload)
    async def revoke_partner_access(
        self,
        info: Info,
        input: Annotated[RevokePartnerAccessInput, strawberry.argument(description="Whose access ends.")],
    ) -> RevokePartnerAccessPayload:
        """Revokes one person or the whole partner (P07)."""
        context, person = info.context, given(input.person)
        grant_id = KEEP if person is None else decode_key(str(person), "AccountPerson")
        call = idempotent_call(info, input)
        answer = await revoke_partner_access(context.database, context.reader.viewer, _order(input), grant_id, call)
        account, partner, people = await _shown(info, answer)
        return RevokePartnerAccessPayload(
            account=account,
            partner=partner,
            revoked=len(answer.changed),
            not_revoked=people,
            leaves_without_partner_admin=answer.lacks_partner_admin,
        )
