"""Access links, as the partner sees them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from models.access_link import LinkAnswer
from resolvers.access_link import (
    AccessLinkRecord,
    LinkApprovalRecord,
    LinkState,
    access_links_by_id,
    approval_totals_by_access_link,
    approvals_by_access_link,
)
from resolvers.client import clients_by_id
from resolvers.member import members_by_id
from resolvers.user import users_by_id
from schema.connection import After, Before, Connection, First, Last, connection, requested
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.node import Node
from schema.record import shown, shows
from schema.user import User

if TYPE_CHECKING:
    from schema.client import Client
    from schema.member import Member

described(
    LinkAnswer,
    "What a client says to a link.",
    APPROVED="Yes.",
    DECLINED="No.",
)
described(
    LinkState,
    "Whether a link can be approved.",
    LIVE="It can be approved.",
    SUSPENDED="Not now: its owner cannot become partner admin. It works again when they can.",
    EXPIRED="It has ended by itself.",
    REVOKED="It was revoked.",
    USED="It could be approved once, and was.",
)


@shows(LinkApprovalRecord)
@strawberry.type(description="What one account has said to an access link.")
class AccessLinkApproval:
    """An answer to a link (P06)."""

    record: strawberry.Private[LinkApprovalRecord]
    account_name: str = column("The account's own name.")
    answer: LinkAnswer = column("What it said.")
    answered_at: datetime = column("When.")

    @field("The account as a client of your partner; null if it declined and is none.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")] | None:
        """Returns the client."""
        key = self.record.client_id
        client: Client | None = None if key is None else shown(await info.context.load(clients_by_id, key))
        return client


@strawberry.type(description="One page of the answers to an access link, the newest first.")
class AccessLinkApprovalConnection(Connection[AccessLinkApproval]):
    """A page of answers."""


@shows(AccessLinkRecord, access_links_by_id)
@strawberry.type(
    description="A person's link: who decides for a client's account opens it, and approves that the person becomes partner admin there."
)
class AccessLink(Node):
    """A member's link (F15)."""

    record: strawberry.Private[AccessLinkRecord]
    reference: str = column("What you call it, so that you know it again; empty if it has no name.")
    single_use: bool = column("Whether it can be approved only once.")
    state: LinkState = column("Whether it can be approved.")
    age_in_days: int = column("How many whole days ago it was made.")
    created_at: datetime = column("When it was made.")
    expires_at: datetime = column("When it ends by itself.")
    revoked_at: datetime | None = column("When it was revoked; null if it was not.")
    used_at: datetime | None = column("When it was approved, if it could be approved once only; else null.")

    @field(
        "The address to send to the client; whoever has it can open it. Null when the link has ended, for other people's links "
        "unless you have EDIT, and if the service's secret key was changed since the link was made."
    )
    def url(self, info: Info) -> str | None:
        """Returns the link itself, whose token is made again: only its hash is stored (L8)."""
        return self.record.url(info.context.issuer, info.context.reader.viewer)

    @field("Who becomes partner admin.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the owner."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member

    @field("The only client that it is for; null if any client may approve it.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")] | None:
        """Returns the client whom the link is addressed to."""
        key = self.record.client_id
        client: Client | None = None if key is None else shown(await info.context.load(clients_by_id, key))
        return client

    @field("Who made it.")
    async def created_by(self, info: Info) -> User | None:
        """Returns who made it; None for somebody whom the viewer does not know of."""
        user: User | None = shown(await info.context.load(users_by_id, self.record.created_by_id))
        return user

    @field("What clients have said to it, the newest first.")
    async def approvals(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> AccessLinkApprovalConnection:
        """Returns one page of the answers (P06)."""
        load, link = info.context.load, self.record
        found: AccessLinkApprovalConnection = connection(
            await load(approvals_by_access_link, link, page=requested(first, after, last, before)),
            lambda: load(approval_totals_by_access_link, link),
        )
        return found


@strawberry.type(description="One page of a list of access links, the newest first.")
class AccessLinkConnection(Connection[AccessLink]):
    """A page of access links."""
