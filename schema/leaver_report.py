"""What would happen if somebody left the partner now."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry

from resolvers.client import clients_by_id
from resolvers.grant import grants_by_id
from resolvers.leaver_consequence import LeaverConsequence
from resolvers.leaver_report import (
    LeaverClientRecord,
    LeaverReportRecord,
    asset_counts_by_leaver,
    asset_counts_by_leaver_client,
    leaver_clients_by_member,
    led_client_totals_by_member,
    led_clients_by_member,
    unfinished_operation_totals_by_member,
    unfinished_operations_by_member,
)
from resolvers.member import members_by_id
from resolvers.operation.record import operations_by_id
from resolvers.page import Page
from resolvers.successor import successors_by_leaver_client
from schema.connection import After, Before, Connection, First, Last, connection, given, requested, several
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.grant import Grant
from schema.record import shown, shown_all, shows

if TYPE_CHECKING:
    from schema.asset import AssetCount
    from schema.client import Client, ClientConnection
    from schema.member import Member
    from schema.operation import OperationConnection

described(
    LeaverConsequence,
    "What one person's leaving does to a client.",
    NONE="Nothing that needs somebody's care.",
    ONE_PARTNER_ADMIN_LEFT="One active partner admin is left, and nobody could stand in for them.",
    NO_PARTNER_ADMIN_LEFT="People are left, but no active partner admin: nobody could change their access. Refused unless "
    "acceptLockout says otherwise.",
    LAST_SUPER_ADMIN="The person is the account's only active super admin, its own people counted. Refused: the account needs "
    "another one first.",
)

ConsequencesArgument: TypeAlias = Annotated[
    list[LeaverConsequence] | None,
    strawberry.argument(description="Only clients with any of these consequences; all if left out."),
]


@shows(LeaverClientRecord)
@strawberry.type(description="One client that a person would leave.")
class LeaverClient:
    """What the leaving means to one client."""

    record: strawberry.Private[LeaverClientRecord]
    consequence: LeaverConsequence = column("What the client is left with.")

    @field("The client.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("The access that would end.")
    async def grant(self, info: Info) -> Grant:
        """Returns the grant."""
        grant: Grant = shown(await info.context.load(grants_by_id, self.record.grant_id))
        return grant

    @field("What the person owns there, by kind.")
    async def assets(self, info: Info) -> list[Annotated["AssetCount", strawberry.lazy("schema.asset")]]:
        """Returns the numbers of the person's assets in the client (F38)."""
        found: list[AssetCount] = shown_all(await info.context.load(asset_counts_by_leaver_client, self.record))
        return found

    @field(
        "Who could take over: the partner admin who has been there longest; else, of the verified people active there, whoever "
        "has the most permissions; else the client's lead, if verified and active. Null if there is nobody."
    )
    async def suggested_successor(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")] | None:
        """Returns the member who is suggested."""
        key = await info.context.load(successors_by_leaver_client, self.record)
        found: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return found


@strawberry.type(description="One page of the clients that a person would leave.")
class LeaverClientConnection(Connection[LeaverClient]):
    """A page of clients."""


@shows(LeaverReportRecord)
@strawberry.type(
    description="What would happen if the person left the partner now. It changes nothing: `removeMember` carries it out."
)
class LeaverReport:
    """The leaver simulation (N03)."""

    record: strawberry.Private[LeaverReportRecord]
    can_leave: bool = column(
        "Whether `removeMember` would go through as things are: somebody else can act in the manager, no account loses its only "
        "super admin, and no client is locked out, which `acceptLockout` would allow."
    )
    last_editor: bool = column("Whether nobody else can act in the manager: then the person cannot leave.")
    access_links: int = column("How many of the person's access links a client could approve now. They are suspended.")
    confirmation_links: int = column(
        "How many confirmation links name the person and wait for their client: it would not get this partner admin."
    )

    @field("The clients that the person would leave, with what it does to each.")
    async def clients(
        self,
        info: Info,
        *,
        consequences: ConsequencesArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> LeaverClientConnection:
        """Returns one page of the person's clients."""
        return await self._clients(info, several(given(consequences)), first, after, last, before)

    @field("The clients that would have people but no active partner admin any more.")
    async def clients_without_partner_admin(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> LeaverClientConnection:
        """Returns one page of the clients that would be locked out (N04)."""
        return await self._clients(info, (LeaverConsequence.NO_PARTNER_ADMIN_LEFT,), first, after, last, before)

    @field("The clients that would have only one active partner admin left.")
    async def clients_with_one_partner_admin(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> LeaverClientConnection:
        """Returns one page of the clients that would depend on one person."""
        return await self._clients(info, (LeaverConsequence.ONE_PARTNER_ADMIN_LEFT,), first, after, last, before)

    @field(
        "The clients in whose account the person is the only active super admin: they cannot leave before that changes."
    )
    async def last_super_admin_clients(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> LeaverClientConnection:
        """Returns one page of the clients that block the leaving."""
        return await self._clients(info, (LeaverConsequence.LAST_SUPER_ADMIN,), first, after, last, before)

    @field("What the person owns in all clients together, by kind.")
    async def assets(self, info: Info) -> list[Annotated["AssetCount", strawberry.lazy("schema.asset")]]:
        """Returns the numbers of the person's assets (F38)."""
        found: list[AssetCount] = shown_all(await info.context.load(asset_counts_by_leaver, self.record.member))
        return found

    @field("The clients that the person leads: they would have no lead.")
    async def leads(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["ClientConnection", strawberry.lazy("schema.client")]:
        """Returns one page of the clients that the person leads (P21)."""
        load, member = info.context.load, self.record.member
        keys = await load(led_clients_by_member, member, page=requested(first, after, last, before))
        page = await _records(info, keys, clients_by_id)
        found: ClientConnection = connection(page, lambda: load(led_client_totals_by_member, member))
        return found

    @field("The operations that the person has asked for and that are not finished.")
    async def operations(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["OperationConnection", strawberry.lazy("schema.operation")]:
        """Returns one page of the operations that wait or run (R13)."""
        load, member = info.context.load, self.record.member
        keys = await load(unfinished_operations_by_member, member, page=requested(first, after, last, before))
        page = await _records(info, keys, operations_by_id)
        found: OperationConnection = connection(page, lambda: load(unfinished_operation_totals_by_member, member))
        return found

    async def _clients(  # noqa: PLR0917 private
        self,
        info: Info,
        consequences: tuple[LeaverConsequence, ...] | None,
        first: Any,
        after: Any,
        last: Any,
        before: Any,
    ) -> LeaverClientConnection:
        page = requested(first, after, last, before)

        async def total() -> int:
            return self.record.count(consequences)

        found: LeaverClientConnection = connection(
            await info.context.load(leaver_clients_by_member, self.record.member, consequences=consequences, page=page),
            total,
        )
        return found


async def _records(info: Info, keys: Page[int], by_id: Any) -> Page[Any]:
    """Returns the same page with the records of its keys."""
    return replace(keys, items=await asyncio.gather(*(info.context.load(by_id, key) for key in keys.items)))
