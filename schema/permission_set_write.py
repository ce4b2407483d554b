"""The mutations of a partner's permission sets and of people's default sets."""

from typing import Annotated

import strawberry

from resolvers.error import RefusalCode, refuse
from resolvers.member import members_by_id
from resolvers.permission_set import permission_sets_by_id
from resolvers.permission_set_edit import (
    SetDraft,
    create_permission_set,
    delete_permission_set,
    set_default_permission_set,
    update_permission_set,
)
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.member import Member
from schema.node import decode_key
from schema.partner_argument import acting_partner
from schema.permission_set import PermissionSet
from schema.record import shown
from schema.requested_access import PermissionInput, permission_list

EDIT = "Needs EDIT in the manager."


@strawberry.input(description="A new permission set.")
class CreatePermissionSetInput:
    """What a set is made of (F13)."""

    name: str = strawberry.field(
        description="Its name: 1 to 100 characters, unlike those of your partner's other sets."
    )
    permissions: list[PermissionInput] = strawberry.field(
        description="What it contains; what a permission requires must be among them."
    )
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is for.")
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )


@strawberry.input(description="What is to change in a permission set; what is left out stays.")
class UpdatePermissionSetInput:
    """An edit of a set (P12)."""

    permission_set: strawberry.ID = strawberry.field(description="The set.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="A new name.")
    description: strawberry.Maybe[str | None] = strawberry.field(description="A new description; null for none.")
    permissions: list[PermissionInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All that it contains from now on: this makes a new version."
    )
    expected_version: int | None = strawberry.field(
        default=strawberry.UNSET, description="Its `version` when you read it; if it has another by now: CONFLICT."
    )


@strawberry.input(description="The permission set that nobody is to be given any more.")
class DeletePermissionSetInput:
    """The end of a set."""

    permission_set: strawberry.ID = strawberry.field(description="The set.")


@strawberry.input(description="The permission set that a person is given unless another is named.")
class SetDefaultPermissionSetInput:
    """F51."""

    member: strawberry.ID = strawberry.field(description="The person.")
    permission_set: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="The set; null for none. Must be mentioned."
    )


@strawberry.type(description="The answer to making a permission set.")
class CreatePermissionSetPayload(Payload):
    """What createPermissionSet answers with."""

    permission_set: PermissionSet | None = strawberry.field(default=None, description="The new set.")


@strawberry.type(description="The answer to changing a permission set.")
class UpdatePermissionSetPayload(Payload):
    """What updatePermissionSet answers with."""

    permission_set: PermissionSet | None = strawberry.field(default=None, description="The set as it is now.")


@strawberry.type(description="The answer to deleting a permission set.")
class DeletePermissionSetPayload(Payload):
    """What deletePermissionSet answers with."""

    permission_set: PermissionSet | None = strawberry.field(
        default=None, description="The set, which its grants still name."
    )


@strawberry.type(description="The answer to setting a person's default permission set.")
class SetDefaultPermissionSetPayload(Payload):
    """What setDefaultPermissionSet answers with."""

    member: Member | None = strawberry.field(default=None, description="The person.")


async def _set(info: Info, key: int) -> PermissionSet:
    info.context.loaders.clear()
    found: PermissionSet = shown(await info.context.load(permission_sets_by_id, key))
    return found


@strawberry.type
class PermissionSetMutation:
    """The part of the root of all writes that is about permission sets."""

    @field(f"Makes a permission set of your partner's own. {EDIT}")
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
        partner_id = acting_partner(viewer, given(input.partner))
        key = await create_permission_set(context.database, viewer, partner_id, draft, idempotent_call(info, input))
        return CreatePermissionSetPayload(permission_set=await _set(info, key))

    @field(f"Changes a permission set of your partner's own. Its grants stay on the version they were given. {EDIT}")
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
        key = await update_permission_set(
            context.database,
            viewer,
            decode_key(str(input.permission_set), "PermissionSet"),
            draft,
            expected_version=given(input.expected_version),
            call=idempotent_call(info, input),
        )
        return UpdatePermissionSetPayload(permission_set=await _set(info, key))

    @field(f"Ends a permission set of your partner's own: nobody can be given it any more, its grants stay. {EDIT}")
    @refusing(DeletePermissionSetPayload)
    async def delete_permission_set(
        self, info: Info, input: Annotated[DeletePermissionSetInput, strawberry.argument(description="Which set ends.")]
    ) -> DeletePermissionSetPayload:
        """Archives a set."""
        context, set_id = info.context, decode_key(str(input.permission_set), "PermissionSet")
        call = idempotent_call(info, input)
        key = await delete_permission_set(context.database, context.reader.viewer, set_id, call)
        return DeletePermissionSetPayload(permission_set=await _set(info, key))

    @field(f"Sets, or clears, the permission set that a person is given by `defaultSet`. {EDIT}")
    @refusing(SetDefaultPermissionSetPayload)
    async def set_default_permission_set(
        self,
        info: Info,
        input: Annotated[SetDefaultPermissionSetInput, strawberry.argument(description="Whose default it is to be.")],
    ) -> SetDefaultPermissionSetPayload:
        """Sets a person's default (F51)."""
        context = info.context
        member_id = decode_key(str(input.member), "Member")
        if input.permission_set is None:
            raise refuse(RefusalCode.INVALID_INPUT, "Name a set, or null for none.", "input", "permissionSet")
        named = input.permission_set.value
        set_id, clear = None if named is None else decode_key(str(named), "PermissionSet"), named is None
        call = idempotent_call(info, input)
        await set_default_permission_set(
            context.database, context.reader.viewer, member_id, set_id, clear=clear, call=call
        )
        context.loaders.clear()
        member: Member = shown(await context.load(members_by_id, member_id or 0))
        return SetDefaultPermissionSetPayload(member=member)
