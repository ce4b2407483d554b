"""The mutation of people's default permission sets (F51)."""

import asyncio
from typing import Annotated

import strawberry

from resolvers.default_set_edit import DefaultSetDraft, set_default_permission_set
from resolvers.error import RefusalCode, refuse
from resolvers.member import members_by_id
from resolvers.operation.place import MOST_KEYS
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.member import Member
from schema.node import decode_key
from schema.record import shown_all


@strawberry.input(description="The permission set that people are given unless another access is named.")
class SetDefaultPermissionSetInput:
    """F51. Exactly one of the two ways to say whose."""

    permission_set: strawberry.Maybe[strawberry.ID | None] = strawberry.field(
        description="The set; null for none. Must be mentioned."
    )
    member: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="One person.")
    members: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"Several people of one partner, at most {MOST_KEYS:,}: all of them or none.",
    )


@strawberry.type(description="The answer to setting people's default permission set.")
class SetDefaultPermissionSetPayload(Payload):
    """What setDefaultPermissionSet answers with."""

    member: Member | None = strawberry.field(default=None, description="The person, if `member` named one.")
    members: list[Member] = strawberry.field(default_factory=list, description="The people, each once, in order.")


@strawberry.type
class DefaultSetMutation:
    """The part of the root of all writes that is about default sets."""

    @field(
        "Sets, or clears, the permission set that one person or many are given by `defaultSet`. Needs EDIT in the manager."
    )
    @refusing(SetDefaultPermissionSetPayload)
    async def set_default_permission_set(
        self,
        info: Info,
        input: Annotated[SetDefaultPermissionSetInput, strawberry.argument(description="Whose default it is to be.")],
    ) -> SetDefaultPermissionSetPayload:
        """Sets people's default (F51)."""
        context, one, several = info.context, given(input.member), given(input.members)
        if (one is None) == (several is None):
            raise refuse(RefusalCode.INVALID_INPUT, "Give either member or members.", "input")
        named = [one] if several is None else several
        if not 1 <= len(named) <= MOST_KEYS:
            raise refuse(
                RefusalCode.INVALID_INPUT,
                f"Name 1 to {MOST_KEYS:,} people, and the others in another request.",
                "input",
                "members",
            )
        if input.permission_set is None:
            raise refuse(RefusalCode.INVALID_INPUT, "Name a set, or null for none.", "input", "permissionSet")
        set_id, keys = input.permission_set.value, [decode_key(str(key), "Member") for key in named]
        draft = DefaultSetDraft(
            members=keys,
            set_id=None if set_id is None else decode_key(str(set_id), "PermissionSet"),
            clear=set_id is None,
            place="member" if several is None else "members",
        )
        await set_default_permission_set(context.database, context.reader.viewer, draft, idempotent_call(info, input))
        context.loaders.clear()
        found = await asyncio.gather(*(context.load(members_by_id, key) for key in dict.fromkeys(keys) if key))
        members: list[Member] = shown_all(found)
        return SetDefaultPermissionSetPayload(member=members[0] if several is None else None, members=members)
