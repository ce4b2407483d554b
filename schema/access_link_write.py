"""The mutations about access links: the partner's, and the client's answers."""

from typing import Annotated

import strawberry

from models.access_link import LinkAnswer
from resolvers.access_link import access_links_by_id
from resolvers.access_link_edit import DAYS, LinkDraft, get_access_link, revoke_access_link
from resolvers.approval import CEILING, Answered, approve_access_link, decline_access_link
from resolvers.invitation import InvitationKind, answered_invitation
from schema.access_link import AccessLink
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import field
from schema.idempotency import idempotent_call
from schema.invitation import AccessLinkInvitation, way_in
from schema.node import decode_key
from schema.record import shown
from schema.requested_access import PermissionInput, permission_list

BEHIND_THE_HASH = "What follows the # in the link's address. Give either this or `invitation`."
INVITATION = "The id of one of `account.pendingInvitations`. Give either this or `token`."
ACCOUNT = "The account for which you answer: see `viewer.accounts`."


@strawberry.input(description="The access link that is wanted.")
class GetAccessLinkInput:
    """What getAccessLink takes."""

    member: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Who is to become partner admin; you, if left out. Others need EDIT."
    )
    partner: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="For which partner; needed only if you are a member of several."
    )
    client: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The only client that may answer; it also finds the link among its pending invitations, where at most 10 "
        "access links of yours can await its answer.",
    )
    single_use: bool | None = strawberry.field(default=False, description="Whether it can be approved only once.")
    reference: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What you call it, up to 100 characters; the client sees it too. Another reference is another link.",
    )
    expires_in_days: int | None = strawberry.field(
        default=DAYS,
        description="After how many days a new link ends by itself: 1 to 365. A link that is there keeps its own.",
    )


@strawberry.input(description="The access link that is to end.")
class RevokeAccessLinkInput:
    """What revokeAccessLink takes."""

    access_link: strawberry.ID = strawberry.field(description="One of partner.accessLinks; other people's need EDIT.")


@strawberry.input(description="Approves an access link for your account.")
class ApproveAccessLinkInput:
    """What approveAccessLink takes."""

    account: strawberry.ID = strawberry.field(description=ACCOUNT)
    token: str | None = strawberry.field(default=strawberry.UNSET, description=BEHIND_THE_HASH)
    invitation: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=INVITATION)
    ceiling: list[PermissionInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The most that this agency's people may be given in your account, at most 500 permissions with all that they "
        "require, the Partner Admin permission among them. If left out, a ceiling that is there stays.",
    )


@strawberry.input(description="Declines an access link for your account.")
class DeclineAccessLinkInput:
    """What declineAccessLink takes."""

    account: strawberry.ID = strawberry.field(description=ACCOUNT)
    token: str | None = strawberry.field(default=strawberry.UNSET, description=BEHIND_THE_HASH)
    invitation: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=INVITATION)


@strawberry.type(description="The answer to asking for an access link.")
class GetAccessLinkPayload(Payload):
    """What getAccessLink answers with."""

    access_link: AccessLink | None = strawberry.field(default=None, description="The link that lives now.")


@strawberry.type(description="The answer to revoking an access link.")
class RevokeAccessLinkPayload(Payload):
    """What revokeAccessLink answers with."""

    access_link: AccessLink | None = strawberry.field(
        default=None, description="The link. What clients have approved stays."
    )


@strawberry.type(description="The answer to approving an access link.")
class ApproveAccessLinkPayload(Payload):
    """What approveAccessLink answers with."""

    answer: LinkAnswer | None = strawberry.field(default=None, description="What was said; null if it was refused.")
    changed: bool = strawberry.field(
        default=False,
        description="False if the person was partner admin already, by this link or otherwise: nothing was changed, and nobody got "
        "a mail.",
    )
    invitation: AccessLinkInvitation | None = strawberry.field(default=None, description="What was answered.")


@strawberry.type(description="The answer to declining an access link.")
class DeclineAccessLinkPayload(Payload):
    """What declineAccessLink answers with."""

    answer: LinkAnswer | None = strawberry.field(default=None, description="What was said; null if it was refused.")
    changed: bool = strawberry.field(
        default=False, description="False if you had declined it before: nobody got a second mail."
    )
    invitation: AccessLinkInvitation | None = strawberry.field(default=None, description="What was answered.")


async def _link(info: Info, key: int) -> AccessLink:
    info.context.loaders.clear()
    found: AccessLink = shown(await info.context.load(access_links_by_id, key))
    return found


async def _invitation(info: Info, answered: Answered) -> AccessLinkInvitation:
    record = await answered_invitation(info.context.reader, InvitationKind.ACCESS_LINK, answered.link_id)
    found: AccessLinkInvitation = shown(record)
    return found


def _key(value: strawberry.ID | None, type_name: str) -> int | None:
    named = given(value)
    return None if named is None else decode_key(str(named), type_name) or 0


@strawberry.type
class AccessLinkMutation:
    """The part of the root of all writes that is about access links."""

    @field(
        "Returns an access link: the one that lives, or a new one. Needs the manager to be open to you, and EDIT for others' links."
    )
    @refusing(GetAccessLinkPayload)
    async def get_access_link(
        self, info: Info, input: Annotated[GetAccessLinkInput, strawberry.argument(description="Which link.")]
    ) -> GetAccessLinkPayload:
        """Returns a member's link, made on first use (F15)."""
        context = info.context
        days = given(input.expires_in_days)
        draft = LinkDraft(
            member_id=_key(input.member, "Member"),
            partner_id=_key(input.partner, "Partner"),
            client_id=_key(input.client, "Client"),
            single_use=bool(input.single_use),
            reference=given(input.reference) or "",
            expires_in_days=DAYS if days is None else days,
        )
        call = idempotent_call(info, input)
        key = await get_access_link(context.database, context.reader.viewer, context.issuer, draft, call)
        return GetAccessLinkPayload(access_link=await _link(info, key))

    @field("Revokes an access link for good. What clients have approved stays; revoking it again changes nothing.")
    @refusing(RevokeAccessLinkPayload)
    async def revoke_access_link(
        self, info: Info, input: Annotated[RevokeAccessLinkInput, strawberry.argument(description="Which link ends.")]
    ) -> RevokeAccessLinkPayload:
        """Revokes a link (P06)."""
        context, link_id = info.context, decode_key(str(input.access_link), "AccessLink")
        call = idempotent_call(info, input)
        key = await revoke_access_link(context.database, context.reader.viewer, link_id, call)
        return RevokeAccessLinkPayload(access_link=await _link(info, key))

    @field(
        "By the client: makes the person of an access link partner admin in your account. Needs you to be super admin there, or to "
        "have the permissions to add and edit its users."
    )
    @refusing(ApproveAccessLinkPayload)
    async def approve_access_link(
        self,
        info: Info,
        input: Annotated[ApproveAccessLinkInput, strawberry.argument(description="What is approved, and how far.")],
    ) -> ApproveAccessLinkPayload:
        """Approves a link (F16 to F18)."""
        context, listed = info.context, given(input.ceiling)
        answered = await approve_access_link(
            context.database,
            context.reader.viewer,
            way_in(input.token, input.invitation),
            _key(input.account, "Account") or 0,
            ceiling=None if listed is None else permission_list(listed, *CEILING),
            call=idempotent_call(info, input),
        )
        invitation = await _invitation(info, answered)
        return ApproveAccessLinkPayload(answer=LinkAnswer.APPROVED, changed=answered.changed, invitation=invitation)

    @field("By the client: says no to an access link. The agency's person is told; you can still approve it later.")
    @refusing(DeclineAccessLinkPayload)
    async def decline_access_link(
        self, info: Info, input: Annotated[DeclineAccessLinkInput, strawberry.argument(description="What is declined.")]
    ) -> DeclineAccessLinkPayload:
        """Declines a link (P07)."""
        context = info.context
        answered = await decline_access_link(
            context.database,
            context.reader.viewer,
            way_in(input.token, input.invitation),
            _key(input.account, "Account") or 0,
            call=idempotent_call(info, input),
        )
        invitation = await _invitation(info, answered)
        return DeclineAccessLinkPayload(answer=LinkAnswer.DECLINED, changed=answered.changed, invitation=invitation)
