"""Confirmation links, as the partner sees them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.access_link import LinkAnswer
from resolvers.client import clients_by_id
from resolvers.confirmation_link import (
    REASONS,
    ConfirmationLinkRecord,
    ConfirmationLinkState,
    NamedMemberRecord,
    RefusedAdmission,
    confirmation_links_by_id,
    members_by_confirmation_link,
)
from resolvers.grant import grants_by_id
from resolvers.member import members_by_id
from resolvers.user import users_by_id
from schema.connection import Connection
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.node import Node
from schema.record import shown, shown_all, shows
from schema.user import User

if TYPE_CHECKING:
    from schema.client import Client
    from schema.grant import Grant
    from schema.member import Member

described(
    ConfirmationLinkState,
    "Whether a confirmation link can be answered.",
    LIVE="It can be answered.",
    ANSWERED="The client has answered it.",
    REVOKED="It was revoked.",
    EXPIRED="It has ended by itself.",
)
described(
    RefusedAdmission,
    "Why somebody whom a confirmation link names did not become partner admin. More codes may come.",
    **{code.value: reason for code, reason in REASONS.items()},
)


@shows(NamedMemberRecord)
@strawberry.type(description="Somebody whom a confirmation link names, and what came of it.")
class ConfirmationLinkMember:
    """A named person (L11)."""

    record: strawberry.Private[NamedMemberRecord]
    code: RefusedAdmission | None = column(
        "Why the person did not become partner admin when the client confirmed; null if they did, or before the answer."
    )

    @field("The person.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member

    @field("The code in words, with what to do next.")
    def message(self) -> str | None:
        """Returns the reason for people."""
        return None if self.record.code is None else REASONS[self.record.code]

    @field("The access that the client has given; null before the answer and without any.")
    async def grant(self, info: Info) -> Annotated["Grant", strawberry.lazy("schema.grant")] | None:
        """Returns the grant."""
        key = self.record.grant_id
        grant: Grant | None = None if key is None else shown(await info.context.load(grants_by_id, key))
        return grant


@shows(ConfirmationLinkRecord, confirmation_links_by_id)
@strawberry.type(
    description="A link for one client: who decides for its account opens it, and confirms that the client works with the partner. Whom "
    "it names becomes partner admin there."
)
class ConfirmationLink(Node):
    """A confirmation link (F53)."""

    record: strawberry.Private[ConfirmationLinkRecord]
    state: ConfirmationLinkState = column("Whether it can be answered.")
    created_at: datetime = column("When it was made.")
    expires_at: datetime = column("When it ends by itself.")
    revoked_at: datetime | None = column("When it was revoked; null if it was not.")
    answer: LinkAnswer | None = column("What the client has said; null before it did.")
    answered_at: datetime | None = column("When the client has said it.")

    @field(
        "The address to send to the client; whoever decides for its account can open it. Null when the link has ended, without EDIT, "
        "and if the service's secret key was changed since the link was made."
    )
    def url(self, info: Info) -> str | None:
        """Returns the link itself, whose token is made again: only its hash is stored (L8)."""
        return self.record.url(info.context.issuer, info.context.reader.viewer)

    @field("The client that it is for.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("Who made it.")
    async def created_by(self, info: Info) -> User | None:
        """Returns who made it; None for somebody whom the viewer does not know of."""
        user: User | None = shown(await info.context.load(users_by_id, self.record.created_by_id))
        return user

    @field("Who becomes partner admin when the client confirms, at most 50, and what came of it.")
    async def members(self, info: Info) -> list[ConfirmationLinkMember]:
        """Returns whom the link names (L11)."""
        found: list[ConfirmationLinkMember] = shown_all(
            await info.context.load(members_by_confirmation_link, self.record)
        )
        return found


@strawberry.type(description="One page of a list of confirmation links, the newest first.")
class ConfirmationLinkConnection(Connection[ConfirmationLink]):
    """A page of confirmation links."""
