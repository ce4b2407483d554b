"""Pods: a group of clients × a group of people × a permission set (P09)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.client import clients_by_id
from resolvers.grant import grants_by_id
from resolvers.member import members_by_id
from resolvers.permission_set import permission_sets_by_id
from resolvers.pod.record import (
    PodCellRecord,
    PodExclusionRecord,
    PodRecord,
    cell_totals_by_pod,
    cells_by_pod,
    client_totals_by_pod,
    clients_by_pod,
    exclusion_totals_by_pod,
    exclusions_by_pod,
    member_totals_by_pod,
    members_by_pod,
    pods_by_id,
)
from resolvers.pod.state import PodCellState
from resolvers.user import users_by_id
from schema.connection import After, Before, Connection, First, Last, connection, requested, several
from schema.context import Info
from schema.enum import described
from schema.field import column, field
from schema.node import Node
from schema.permission_set import PermissionSet
from schema.record import shown, shows
from schema.user import User

if TYPE_CHECKING:
    from schema.client import Client, ClientConnection
    from schema.grant import Grant
    from schema.member import Member, MemberConnection

described(
    PodCellState,
    "How it stands with a person in a client of a pod.",
    GIVEN="The person has there what the pod gave, be it active or deactivated.",
    NOT_GIVEN="The person has no access there: whoever put them into the pod could not give it, or it has ended since. applyPod "
    "tries again.",
    FORMER_SET="The person has there what the pod gave of its former set; applyPod tries again to change it.",
    OTHER_ACCESS="The person has access there that the pod did not give, or that somebody has changed since: the pod leaves it alone.",
    LEFT_OVER="The pair has left the pod, and its access could not be taken away yet: applyPod with a review token does.",
)


@shows(PodCellRecord)
@strawberry.type(description="A person in a client of a pod.")
class PodCell:
    """One pair of a pod's groups."""

    record: strawberry.Private[PodCellRecord]
    state: PodCellState = column("How it stands.")

    @field("The client.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("The person.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member

    @field("The access that the person has there, whoever gave it; null without any.")
    async def grant(self, info: Info) -> Annotated["Grant", strawberry.lazy("schema.grant")] | None:
        """Returns the living grant."""
        key = self.record.grant_id
        grant: Grant | None = None if key is None else shown(await info.context.load(grants_by_id, key))
        return grant


@strawberry.type(description="One page of a pod's people in its clients, in the order in which they came.")
class PodCellConnection(Connection[PodCell]):
    """A page of cells."""


@shows(PodExclusionRecord)
@strawberry.type(description="A person in a client to whom a pod gives nothing there.")
class PodExclusion:
    """An exclusion."""

    record: strawberry.Private[PodExclusionRecord]

    @field("The client.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        client: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return client

    @field("The person.")
    async def member(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")]:
        """Returns the person."""
        member: Member = shown(await info.context.load(members_by_id, self.record.member_id))
        return member


@strawberry.type(description="One page of a pod's exclusions, in the order in which they came.")
class PodExclusionConnection(Connection[PodExclusion]):
    """A page of exclusions."""


PodStates = Annotated[
    list[PodCellState] | None,
    strawberry.argument(description="Only those with which it stands so; all if left out, none for an empty list."),
]


@shows(PodRecord, pods_by_id)
@strawberry.type(
    description="Gives a group of people a permission set in a group of clients. Who or what comes into a group gets what the pod "
    "gives; who or what leaves it loses what only the pod gave. Access of another origin stays as it is, and so does what somebody "
    "has changed since."
)
class Pod(Node):
    """A pod (P09)."""

    record: strawberry.Private[PodRecord]
    name: str = column("Its name; no two pods of a partner have the same.")
    created_at: datetime = column("When it was made.")

    @field("Who made it.")
    async def created_by(self, info: Info) -> User | None:
        """Returns the person."""
        found: User | None = shown(await info.context.load(users_by_id, self.record.created_by_id))
        return found

    @field("What it gives; deleted sets stay here, and can be given no more.")
    async def permission_set(self, info: Info) -> PermissionSet:
        """Returns the set."""
        found: PermissionSet = shown(await info.context.load(permission_sets_by_id, self.record.set_id))
        return found

    @field("Its clients, by name.")
    async def clients(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["ClientConnection", strawberry.lazy("schema.client")]:
        """Returns one page of the clients."""
        load, page = info.context.load, requested(first, after, last, before)
        found: ClientConnection = connection(
            await load(clients_by_pod, self.record, page=page), lambda: load(client_totals_by_pod, self.record)
        )
        return found

    @field("Its people, by name.")
    async def members(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["MemberConnection", strawberry.lazy("schema.member")]:
        """Returns one page of the people."""
        load, page = info.context.load, requested(first, after, last, before)
        found: MemberConnection = connection(
            await load(members_by_pod, self.record, page=page), lambda: load(member_totals_by_pod, self.record)
        )
        return found

    @field("To whom it gives nothing where, be they in its groups now or not.")
    async def exclusions(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> PodExclusionConnection:
        """Returns one page of the exclusions."""
        load, page = info.context.load, requested(first, after, last, before)
        found: PodExclusionConnection = connection(
            await load(exclusions_by_pod, self.record, page=page), lambda: load(exclusion_totals_by_pod, self.record)
        )
        return found

    @field(
        "Each of its people in each of its clients, and how it stands: NOT_GIVEN and FORMER_SET are what applyPod tries again, LEFT_OVER "
        "what is still to be taken away."
    )
    async def cells(
        self,
        info: Info,
        *,
        states: PodStates = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> PodCellConnection:
        """Returns one page of the cells."""
        load, page, wanted = info.context.load, requested(first, after, last, before), several(states)
        found: PodCellConnection = connection(
            await load(cells_by_pod, self.record, states=wanted, page=page),
            lambda: load(cell_totals_by_pod, self.record, states=wanted),
        )
        return found


@strawberry.type(description="One page of a list of pods, by name.")
class PodConnection(Connection[Pod]):
    """A page of pods."""
