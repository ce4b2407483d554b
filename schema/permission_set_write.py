"""The mutations of permission sets: of a partner's own and of an account's own."""

import asyncio
from typing import Annotated

import strawberry

from resolvers.account_partner import account_partners_by_id
from resolvers.account_person import account_people_by_id
from resolvers.client_set.edit import (
    ClientSetEdit,
    account_of_set,
    create_client_set,
    delete_client_set,
    update_client_set,
)
from resolvers.client_set.reach import Reached
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import refusing_at, several_lines
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode
from resolvers.operation.request import OnCustomised
from resolvers.permission_set import permission_sets_by_id
from resolvers.permission_set_edit import create_permission_set, delete_permission_set, update_permission_set
from resolvers.set_draft import SetDraft
from schema.account import AccountPartner
from schema.account_write import UnchangedPerson
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import as_json, idempotent_call
from schema.node import decode_key
from schema.partner_argument import acting_partner
from schema.permission_set import PermissionSet
from schema.record import shown, shown_all
from schema.requested_access import LONGEST_REASON, PermissionInput, permission_list

EDIT = (
    "Your partner's own sets need EDIT in the manager; your account's own are for its super admins, and for those of its people with "
    "the permission Custom permission sets; into these, what makes people partner admins or is sensitive comes only by those who decide "
    "for the account."
)
_FOR_CLIENT = {
    OutcomeCode.LOCKED_TO_SETS: (
        "Access here is locked to permission sets, and this person's would still differ from the set, by what was changed for them or "
        "by the ceiling. Say onCustomised: RESET to make it exactly the set, or raise the ceiling; until then it stays as it is."
    ),
    OutcomeCode.NOT_VERIFIED: (
        "The set makes people partner admins now, and the agency has not verified this person. Have the agency do so, then save the "
        "set's permissions again."
    ),
    OutcomeCode.EXCEEDS_AUTHORITY: (
        "This is your own access on behalf of the agency, which the set would raise, and nobody raises their own. Have somebody else "
        "who may edit the account's sets save the set's permissions again; until then it stays as it is."
    ),
    OutcomeCode.NOT_A_PARTNER: (
        "The set makes people partner admins now, and this person's agency is in no program that may have any: take the Partner "
        "Admin permission out of the set, or leave the access as it is."
    ),
}


@strawberry.input(description="A new permission set.")
class CreatePermissionSetInput:
    """What a set is made of (F13)."""

    name: str = strawberry.field(
        description="Its name: 1 to 100 characters, unlike those of your partner's, or account's, other sets."
    )
    permissions: list[PermissionInput] = strawberry.field(
        description="What it contains; what a permission requires must be among them."
    )
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The partner whose own it is to be; needed only if you act for several. Not together with `account`.",
    )
    account: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Your account whose own it is to be: the agencies that work in it can use it there and nowhere else.",
    )


@strawberry.input(description="What is to change in a permission set; what is left out stays.")
class UpdatePermissionSetInput:
    """An edit of a set (P12)."""

    permission_set: strawberry.ID = strawberry.field(description="The set.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="A new name.")
    description: strawberry.Maybe[str | None] = strawberry.field(description="A new description; null for none.")
    permissions: list[PermissionInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="All that it contains from now on: this makes a new version. Everybody who was given a set of your account's own "
        "follows at once; send the same permissions again to reach those who could not.",
    )
    expected_version: int | None = strawberry.field(
        default=strawberry.UNSET, description="Its `version` when you read it; if it has another by now: CONFLICT."
    )
    on_customised: OnCustomised | None = strawberry.field(
        default=OnCustomised.KEEP,
        description="For a set of your account's own: what happens with access that was given it and differs from it.",
    )
    reason: str | None = strawberry.field(
        default=None,
        description="For a set of your account's own: why, at most 1,000 characters. The agencies can read it.",
    )
    dry_run: bool | None = strawberry.field(
        default=False,
        description="Writes nothing, and answers with what would become of it; `permissionSet` shows what is there at present.",
    )


@strawberry.input(description="The permission set that nobody is to be given any more.")
class DeletePermissionSetInput:
    """The end of a set."""

    permission_set: strawberry.ID = strawberry.field(description="The set.")


@strawberry.type(description="The answer to making a permission set.")
class CreatePermissionSetPayload(Payload):
    """What createPermissionSet answers with."""

    permission_set: PermissionSet | None = strawberry.field(default=None, description="The new set.")


@strawberry.type(description="The answer to changing a permission set.")
class UpdatePermissionSetPayload(Payload):
    """What updatePermissionSet answers with."""

    permission_set: PermissionSet | None = strawberry.field(
        default=None, description="The set as it is now; after a dry run, as it was."
    )
    reached: int = strawberry.field(
        default=0,
        description="Of a set of your account's own: how many people's access has followed; in a dry run, would follow.",
    )
    not_reached: list[UnchangedPerson] = strawberry.field(
        default_factory=list,
        description="Whose access could not follow: it stays on the version that it has, which `outdated` tells. Empty unless you "
        "decide for the account.",
    )
    leaves_without_partner_admin: list[AccountPartner] = strawberry.field(
        default_factory=list,
        description="The agencies that then have people in the account but no active partner admin, who alone can give and change "
        "access there. Empty unless you decide for the account.",
    )


@strawberry.type(description="The answer to deleting a permission set.")
class DeletePermissionSetPayload(Payload):
    """What deletePermissionSet answers with."""

    permission_set: PermissionSet | None = strawberry.field(
        default=None, description="The set, which its grants still name."
    )


async def _set(info: Info, key: int) -> PermissionSet:
    info.context.loaders.clear()
    found: PermissionSet = shown(await info.context.load(permission_sets_by_id, key))
    return found


async def _updated(info: Info, key: int, reached: Reached) -> UpdatePermissionSetPayload:
    """Returns what the client is told: of each agency's people, whom the agencies are not told of each other's."""
    load, made = info.context.load, await _set(info, key)
    people = await asyncio.gather(*(load(account_people_by_id, grant_id) for grant_id, _ in reached.refused))
    agencies = await asyncio.gather(*(load(account_partners_by_id, key) for key in reached.without_partner_admin))
    return UpdatePermissionSetPayload(
        permission_set=made,
        reached=len(reached.changed),
        not_reached=[
            UnchangedPerson(person=shown(record), code=code, message=_FOR_CLIENT.get(code, MESSAGES[code]))
            for record, (_, code) in zip(people, reached.refused, strict=True)
            if record is not None
        ],
        leaves_without_partner_admin=shown_all([record for record in agencies if record is not None]),
    )


@strawberry.type
class PermissionSetMutation:
    """The part of the root of all writes that is about permission sets."""

    @field(f"Makes a permission set of your partner's own, or of your account's own. {EDIT}")
    @refusing(CreatePermissionSetPayload)
    async def create_permission_set(
        self, info: Info, input: Annotated[CreatePermissionSetInput, strawberry.argument(description="The new set.")]
    ) -> CreatePermissionSetPayload:
        """Makes a set (F13)."""
        context, viewer = info.context, info.context.reader.viewer
        draft = SetDraft(
            name=input.name,
            description=given(input.description),
            permissions=permission_list(input.permissions, "input", "permissions"),
        )
        account, partner, call = given(input.account), given(input.partner), idempotent_call(info, input)
        if account is not None and partner is not None:
            raise refuse(RefusalCode.INVALID_INPUT, "A set has one owner: name partner or account.", "input", "account")
        if account is None:
            key = await create_permission_set(context.database, viewer, acting_partner(viewer, partner), draft, call)
        else:
            key = await create_client_set(context.database, viewer, decode_key(str(account), "Account"), draft, call)
        return CreatePermissionSetPayload(permission_set=await _set(info, key))

    @field(
        "Changes a permission set of your partner's own, whose grants stay on the version they were given, or of your account's own, "
        f"whose grants follow at once. {EDIT}"
    )
    @refusing(UpdatePermissionSetPayload)
    async def update_permission_set(
        self,
        info: Info,
        input: Annotated[UpdatePermissionSetInput, strawberry.argument(description="What changes in which set.")],
    ) -> UpdatePermissionSetPayload:
        """Changes a set (P12)."""
        context, viewer = info.context, info.context.reader.viewer
        permissions = given(input.permissions)
        draft = SetDraft(
            name=given(input.name),
            description=None if input.description is None else input.description.value or "",
            permissions=None if permissions is None else permission_list(permissions, "input", "permissions"),
        )
        if draft == SetDraft():
            raise refuse(RefusalCode.INVALID_INPUT, "Say what to change: name, description or permissions.", "input")
        set_id, call = decode_key(str(input.permission_set), "PermissionSet"), idempotent_call(info, input)
        account_id = await account_of_set(context.reader, set_id)
        expected, dry_run = given(input.expected_version), bool(given(input.dry_run))
        if account_id is None:
            key = await update_permission_set(
                context.database, viewer, set_id, draft, expected_version=expected, dry_run=dry_run, call=call
            )
            return UpdatePermissionSetPayload(permission_set=await _set(info, key))
        with refusing_at("The reason", "input", "reason"):
            reason = several_lines(given(input.reason) or "", LONGEST_REASON) or None
        edit = ClientSetEdit(
            account_id=account_id,
            set_id=set_id,
            draft=draft,
            expected_version=expected,
            on_customised=given(input.on_customised) or OnCustomised.KEEP,
            reason=reason,
            dry_run=dry_run,
            as_json=as_json(input),
        )
        return await _updated(info, set_id or 0, await update_client_set(context.database, viewer, edit, call))

    @field(
        "Ends a permission set of your partner's own or of your account's own: nobody can be given it any more, its grants stay. "
        f"{EDIT}"
    )
    @refusing(DeletePermissionSetPayload)
    async def delete_permission_set(
        self, info: Info, input: Annotated[DeletePermissionSetInput, strawberry.argument(description="Which set ends.")]
    ) -> DeletePermissionSetPayload:
        """Archives a set."""
        context, set_id = info.context, decode_key(str(input.permission_set), "PermissionSet")
        call, viewer = idempotent_call(info, input), context.reader.viewer
        account_id = await account_of_set(context.reader, set_id)
        if account_id is None:
            key = await delete_permission_set(context.database, viewer, set_id, call)
        else:
            key = await delete_client_set(context.database, viewer, account_id, set_id, call)
        return DeletePermissionSetPayload(permission_set=await _set(info, key))
