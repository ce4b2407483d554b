"""The fields about pods of partners, clients and people (P09, P10)."""

import strawberry

from resolvers.client import ClientRecord
from resolvers.member import MemberRecord
from resolvers.partner import PartnerRecord
from resolvers.pod.record import (
    pod_totals_by_client,
    pod_totals_by_member,
    pod_totals_by_partner,
    pods_by_client,
    pods_by_member,
    pods_by_partner,
)
from resolvers.pod.right import pod_editing_by_member
from schema.connection import After, Before, First, Last, connection, requested
from schema.context import Info
from schema.field import field
from schema.pod import PodConnection

_OPEN = "Needs the partner's manager to be open to you."


@strawberry.type
class PartnerPods:
    """What a partner shows of its pods."""

    record: strawberry.Private[PartnerRecord]

    @field(f"The partner's pods, by name. {_OPEN}")
    async def pods(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> PodConnection:
        """Returns one page of the pods."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, page = info.context.load, requested(first, after, last, before)
        found: PodConnection = connection(
            await load(pods_by_partner, self.record, page=page), lambda: load(pod_totals_by_partner, self.record)
        )
        return found


@strawberry.type
class ClientPods:
    """What a client shows of pods."""

    record: strawberry.Private[ClientRecord]

    @field("The pods in which the client is, by name.")
    async def pods(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> PodConnection:
        """Returns one page of the pods."""
        load, page = info.context.load, requested(first, after, last, before)
        found: PodConnection = connection(
            await load(pods_by_client, self.record, page=page), lambda: load(pod_totals_by_client, self.record)
        )
        return found


@strawberry.type
class MemberPods:
    """What a person shows of pods."""

    record: strawberry.Private[MemberRecord]

    @field(f"The pods in which the person is, by name. {_OPEN}")
    async def pods(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> PodConnection:
        """Returns one page of the pods."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        load, page = info.context.load, requested(first, after, last, before)
        found: PodConnection = connection(
            await load(pods_by_member, self.record, page=page), lambda: load(pod_totals_by_member, self.record)
        )
        return found

    @field(
        "Whether the person may edit the partner's pods: its super admins may, and those to whom they gave the right. It goes with EDIT "
        f"in the manager, without which it is nothing. {_OPEN}"
    )
    async def edits_pods(self, info: Info) -> bool:
        """Says whether they have the right (P10)."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        return await info.context.load(pod_editing_by_member, self.record)
