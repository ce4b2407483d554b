"""The mutations about confirmation links: the partner's, and the client's answers."""

from typing import Annotated

import strawberry

from models.access_link import LinkAnswer
from resolvers.access_link_edit import DAYS
from resolvers.approval import CEILING, Answered
from resolvers.confirmation import (
    ConfirmationDraft,
    ConfirmedPersonRecord,
    answer_confirmation,
    confirmed_people,
)
from resolvers.confirmation_link import REASONS, RefusedAdmission, confirmation_links_by_id
from resolvers.confirmation_link_edit import (
    ConfirmationLinkDraft,
    create_confirmation_link,
    revoke_confirmation_link,
)
from resolvers.invitation import InvitationKind, answered_invitation
from schema.access_link_write import ACCOUNT, BEHIND_THE_HASH, INVITATION
from schema.confirmation_link import ConfirmationLink
from schema.connection import given
from schema.context import Info
from schema.error import Payload, refusing
from schema.field import column, field
from schema.idempotency import idempotent_call
from schema.invitation import AccessLinkInvitation, way_in
from schema.node import decode_key
from schema.record import shown, shown_all, shows
from schema.requested_access import PermissionInput, permission_list
from schema.scalar import EmailAddress


@strawberry.input(description="The confirmation link that is wanted.")
class CreateConfirmationLinkInput:
    """What createConfirmationLink takes."""

    client: strawberry.ID = strawberry.field(
        description="The client that is to confirm. At most 10 of your confirmation links can await its answer."
    )
    members: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Who becomes partner admin there when the client confirms: at most 50 active, verified people of your partner; "
        "nobody, if left out.",
    )
    expires_in_days: int | None = strawberry.field(
        default=DAYS, description="After how many days it ends by itself: 1 to 365."
    )


@strawberry.input(description="The confirmation link that is to end.")
class RevokeConfirmationLinkInput:
    """What revokeConfirmationLink takes."""

    confirmation_link: strawberry.ID = strawberry.field(description="One of partner.confirmationLinks.")


@strawberry.input(description="Confirms for your account that it works with an agency.")
class ConfirmRelationshipInput:
    """What confirmRelationship takes."""

    account: strawberry.ID = strawberry.field(description=ACCOUNT)
    token: str | None = strawberry.field(default=strawberry.UNSET, description=BEHIND_THE_HASH)
    invitation: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=INVITATION)
    ceiling: list[PermissionInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The most that this agency's people may be given in your account, at most 500 permissions with all that they "
        "require. Without the Partner Admin permission nobody is let in. If left out, a ceiling that is there stays.",
    )


@strawberry.input(description="Says for your account that it does not confirm.")
class DeclineRelationshipInput:
    """What declineRelationship takes."""

    account: strawberry.ID = strawberry.field(description=ACCOUNT)
    token: str | None = strawberry.field(default=strawberry.UNSET, description=BEHIND_THE_HASH)
    invitation: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=INVITATION)


@strawberry.type(description="The answer to making a confirmation link.")
class CreateConfirmationLinkPayload(Payload):
    """What createConfirmationLink answers with."""

    confirmation_link: ConfirmationLink | None = strawberry.field(
        default=None, description="The link; its `url` is what the client gets."
    )


@strawberry.type(description="The answer to revoking a confirmation link.")
class RevokeConfirmationLinkPayload(Payload):
    """What revokeConfirmationLink answers with."""

    confirmation_link: ConfirmationLink | None = strawberry.field(
        default=None, description="The link, which opens nothing any more."
    )


@shows(ConfirmedPersonRecord)
@strawberry.type(description="Somebody whom a confirmation link named, as the client sees them.")
class ConfirmedPerson:
    """A named person, and what came of it (L11)."""

    record: strawberry.Private[ConfirmedPersonRecord]
    name: str = column("The name, as the agency writes it.")
    email: EmailAddress = column("The e-mail address, in lower case.")
    code: RefusedAdmission | None = column("Why the person was not let in; null if they were.")

    @field("Whether the person is partner admin of your account by this confirmation, or was it before.")
    def let_in(self) -> bool:
        """Says whether the person was let in."""
        return self.record.code is None

    @field("The code in words, with what to do next.")
    def message(self) -> str | None:
        """Returns the reason for people."""
        return None if self.record.code is None else REASONS[self.record.code]


@strawberry.type(description="The answer to confirming that an account works with an agency.")
class ConfirmRelationshipPayload(Payload):
    """What confirmRelationship answers with."""

    answer: LinkAnswer | None = strawberry.field(default=None, description="What was said; null if it was refused.")
    changed: bool = strawberry.field(
        default=False, description="False if your account had confirmed with this link before: nobody got a mail."
    )
    invitation: AccessLinkInvitation | None = strawberry.field(default=None, description="What was answered.")
    people: list[ConfirmedPerson] = strawberry.field(
        default_factory=list, description="Whom the link names, and whether they were let in."
    )


@strawberry.type(description="The answer to declining to confirm.")
class DeclineRelationshipPayload(Payload):
    """What declineRelationship answers with."""

    answer: LinkAnswer | None = strawberry.field(default=None, description="What was said; null if it was refused.")
    changed: bool = strawberry.field(
        default=False, description="False if your account had declined with this link before: nobody got a mail."
    )
    invitation: AccessLinkInvitation | None = strawberry.field(default=None, description="What was answered.")


async def _link(info: Info, key: int) -> ConfirmationLink:
    info.context.loaders.clear()
    found: ConfirmationLink = shown(await info.context.load(confirmation_links_by_id, key))
    return found


async def _answered(
    info: Info, input: ConfirmRelationshipInput | DeclineRelationshipInput, draft: ConfirmationDraft
) -> tuple[Answered, AccessLinkInvitation]:
    context, call = info.context, idempotent_call(info, input)
    answered = await answer_confirmation(context.database, context.reader.viewer, draft, call)
    context.loaders.clear()
    record = await answered_invitation(context.reader, InvitationKind.CONFIRMATION_LINK, answered.link_id)
    invitation: AccessLinkInvitation = shown(record)
    return answered, invitation


@strawberry.type
class ConfirmationLinkMutation:
    """The part of the root of all writes that is about confirmation links."""

    @field(
        "Makes a link with which a client confirms that it works with your partner, and lets in whom the link names. Needs EDIT in "
        "the manager."
    )
    @refusing(CreateConfirmationLinkPayload)
    async def create_confirmation_link(
        self,
        info: Info,
        input: Annotated[CreateConfirmationLinkInput, strawberry.argument(description="Which link.")],
    ) -> CreateConfirmationLinkPayload:
        """Makes a confirmation link (F53)."""
        context, days, call = info.context, given(input.expires_in_days), idempotent_call(info, input)
        draft = ConfirmationLinkDraft(
            decode_key(str(input.client), "Client"),
            tuple(decode_key(str(member), "Member") for member in given(input.members) or ()),
            DAYS if days is None else days,
        )
        key = await create_confirmation_link(context.database, context.reader.viewer, context.issuer, draft, call)
        return CreateConfirmationLinkPayload(confirmation_link=await _link(info, key))

    @field("Revokes a confirmation link for good. Revoking it again changes nothing. Needs EDIT in the manager.")
    @refusing(RevokeConfirmationLinkPayload)
    async def revoke_confirmation_link(
        self,
        info: Info,
        input: Annotated[RevokeConfirmationLinkInput, strawberry.argument(description="Which link ends.")],
    ) -> RevokeConfirmationLinkPayload:
        """Revokes a confirmation link (F53)."""
        context, call = info.context, idempotent_call(info, input)
        link_id = decode_key(str(input.confirmation_link), "ConfirmationLink")
        key = await revoke_confirmation_link(context.database, context.reader.viewer, link_id, call)
        return RevokeConfirmationLinkPayload(confirmation_link=await _link(info, key))

    @field(
        "By the client: confirms that your account works with an agency, and makes those partner admins whom the link names. Needs you "
        "to be super admin there, or to have the permissions to add and edit its users."
    )
    @refusing(ConfirmRelationshipPayload)
    async def confirm_relationship(
        self,
        info: Info,
        input: Annotated[ConfirmRelationshipInput, strawberry.argument(description="What is confirmed, and how far.")],
    ) -> ConfirmRelationshipPayload:
        """Confirms a relation (F53, L11)."""
        ceiling = given(input.ceiling)
        draft = ConfirmationDraft(
            way_in(input.token, input.invitation),
            decode_key(str(input.account), "Account"),
            LinkAnswer.APPROVED,
            None if ceiling is None else permission_list(ceiling, *CEILING),
        )
        answered, invitation = await _answered(info, input, draft)
        people: list[ConfirmedPerson] = shown_all(await info.context.load(confirmed_people, answered.link_id))
        return ConfirmRelationshipPayload(
            answer=LinkAnswer.APPROVED, changed=answered.changed, invitation=invitation, people=people
        )

    @field(
        "By the client: says that it does not confirm, and lets nobody in. The agency is told; the link ends with it."
    )
    @refusing(DeclineRelationshipPayload)
    async def decline_relationship(
        self,
        info: Info,
        input: Annotated[DeclineRelationshipInput, strawberry.argument(description="What is declined.")],
    ) -> DeclineRelationshipPayload:
        """Declines to confirm a relation (P07)."""
        way, account_id = way_in(input.token, input.invitation), decode_key(str(input.account), "Account")
        answered, invitation = await _answered(info, input, ConfirmationDraft(way, account_id, LinkAnswer.DECLINED))
        return DeclineRelationshipPayload(answer=LinkAnswer.DECLINED, changed=answered.changed, invitation=invitation)
