"""The mutations that add and change people."""

from typing import Annotated

import strawberry

from models.member import ManagerRights, MemberKind, MemberStatus
from resolvers.member import members_by_id
from resolvers.member_edit import MemberPatch, NewMember, add_member, update_member
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.member import Member
from schema.node import decode_key
from schema.partner_argument import acting_partner
from schema.patch import told, told_text
from schema.record import shown
from schema.scalar import EmailAddress

EDIT = "Needs EDIT in the manager."
NAME = "At most 200 characters. It is your partner's own: others whom the person works for neither see nor change it."


@strawberry.input(description="A person who is to work for the partner.")
class AddMemberInput:
    """What addMember takes."""

    email: EmailAddress = strawberry.field(
        description="The person's address, in whatever case: one address is one user."
    )
    kind: MemberKind = strawberry.field(description="How the person works for the partner.")
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The partner; needed only if you act for several."
    )
    first_name: str | None = strawberry.field(default=strawberry.UNSET, description=f"The first name. {NAME}")
    last_name: str | None = strawberry.field(default=strawberry.UNSET, description=f"The last name. {NAME}")
    manager_rights: ManagerRights | None = strawberry.field(
        default=strawberry.UNSET, description="The right Partner employee management; NONE if left out."
    )
    verified: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether you have made sure who it is: only verified people can be partner admins. No if left out.",
    )


@strawberry.input(description="What is to change about a person; what is left out stays.")
class UpdateMemberInput:
    """What updateMember takes (R12)."""

    member: strawberry.ID = strawberry.field(description="The person.")
    first_name: strawberry.Maybe[str | None] = strawberry.field(description=f"The first name; null for none. {NAME}")
    last_name: strawberry.Maybe[str | None] = strawberry.field(description=f"The last name; null for none. {NAME}")
    kind: strawberry.Maybe[MemberKind] = strawberry.field(
        description="Moves the person to the other list; all access stays as it is."
    )
    manager_rights: strawberry.Maybe[ManagerRights] = strawberry.field(
        description="The right Partner employee management. The last person with EDIT keeps it."
    )
    verified: strawberry.Maybe[bool] = strawberry.field(
        description="Whether you have made sure who it is. An active partner admin stays verified."
    )
    status: strawberry.Maybe[MemberStatus] = strawberry.field(
        description="ACTIVE or DEACTIVATED. Deactivated people cannot open the manager and are given no access; what they "
        "have in clients stays until it is taken away. The last person with EDIT stays active."
    )
    accept_lockout: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="With `status: DEACTIVATED`: accepts that clients are left with people but without an active partner admin.",
    )


@strawberry.type(description="The answer to adding a person.")
class AddMemberPayload(Payload):
    """What addMember answers with."""

    member: Member | None = strawberry.field(default=None, description="The person.")


@strawberry.type(description="The answer to changing a person.")
class UpdateMemberPayload(Payload):
    """What updateMember answers with."""

    member: Member | None = strawberry.field(default=None, description="The person as they are now.")


async def _member(info: Info, key: int) -> Member:
    info.context.loaders.clear()
    found: Member = shown(await info.context.load(members_by_id, key))
    return found


@strawberry.type
class MemberMutation:
    """The part of the root of all writes that is about people."""

    @field(
        "Adds a person to the partner, by e-mail address. Somebody who has left comes back with this, as ACTIVE and with what "
        "the input says: their access of the former time is not restored, nor are rights and default permission set. For "
        f"somebody who is a member already, deactivated or not: CONFLICT. {EDIT}"
    )
    @refusing(AddMemberPayload)
    async def add_member(
        self, info: Info, input: Annotated[AddMemberInput, strawberry.argument(description="Who is to be added.")]
    ) -> AddMemberPayload:
        """Adds a person (F24)."""
        context, viewer = info.context, info.context.reader.viewer
        new = NewMember(
            email=input.email,
            kind=input.kind,
            first_name=given(input.first_name) or "",
            last_name=given(input.last_name) or "",
            manager_rights=given(input.manager_rights) or ManagerRights.NONE,
            verified=bool(given(input.verified)),
        )
        partner_id = acting_partner(viewer, given(input.partner))
        key = await add_member(context.database, viewer, partner_id, new, idempotent_call(info, input))
        return AddMemberPayload(member=await _member(info, key))

    @field(f"Changes a person: name, kind, rights, verification, status. {EDIT}")
    @refusing(UpdateMemberPayload)
    async def update_member(
        self,
        info: Info,
        input: Annotated[UpdateMemberInput, strawberry.argument(description="What changes about whom.")],
    ) -> UpdateMemberPayload:
        """Changes a person (F09, R14, R16)."""
        context = info.context
        patch = MemberPatch(
            first_name=told_text(input.first_name),
            last_name=told_text(input.last_name),
            kind=told(input.kind),
            manager_rights=told(input.manager_rights),
            verified=told(input.verified),
            status=told(input.status),
            accept_lockout=bool(given(input.accept_lockout)),
        )
        member_id, call = decode_key(str(input.member), "Member"), idempotent_call(info, input)
        key = await update_member(context.database, context.reader.viewer, member_id, patch, call)
        return UpdateMemberPayload(member=await _member(info, key))
