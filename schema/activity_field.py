"""The fields about activity of partners, clients and people (F52, P25)."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers.activity.inactivity import inactive_by_partner, inactive_total_by_partner
from resolvers.activity.last_active import last_active_by_client, last_active_by_member
from resolvers.activity.summary import summary_by_client, summary_by_member, summary_by_partner
from resolvers.client import ClientRecord
from resolvers.member import MemberRecord
from resolvers.partner import PartnerRecord
from schema.activity import ActivityConnection, ActivityFilterArgument, activity_filter, activity_page
from schema.activity_summary import ActivitySummary, By, dimensions
from schema.connection import After, Before, First, Last, connection, given, requested
from schema.context import Info
from schema.field import field
from schema.inactivity import InactiveGrantConnection, InactivityFilterArgument, inactivity_filter
from schema.record import shown_all

_SUMMED = "Each group with its total: in the order of time, and at one time the most active first."
_OPEN = "Needs the partner's manager to be open to you."


@strawberry.type
class PartnerActivity:
    """What a partner shows of the activity of all of its people."""

    record: strawberry.Private[PartnerRecord]

    @field(f"What the partner's people did in client accounts, the latest first. {_OPEN}")
    async def activity(
        self,
        info: Info,
        *,
        filter: ActivityFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ActivityConnection:
        """Returns one page of the feed."""
        info.context.reader.viewer.open_manager(self.record.id)
        return await activity_page(info, "Partner", self.record.id, filter, first, after, last, before)

    @field(f"How active the partner's people were in client accounts. {_SUMMED} {_OPEN}")
    async def activity_summary(
        self, info: Info, *, by: By, filter: ActivityFilterArgument = strawberry.UNSET
    ) -> list[ActivitySummary]:
        """Returns the groups."""
        info.context.reader.viewer.open_manager(self.record.id)
        key, rows = self.record.id, activity_filter(given(filter))
        groups = await info.context.load(summary_by_partner, key, by=dimensions(by), filter=rows)
        found: list[ActivitySummary] = shown_all(groups)
        return found

    @field(
        "Active access that the person has not used for so many days, the longest unused first: each grant once. Access that "
        f"began since then is not among it. {_OPEN}"
    )
    async def inactivity(
        self,
        info: Info,
        *,
        days: Annotated[int, strawberry.argument(description="For how many days at least: 1 to 3,650.")] = 90,
        filter: InactivityFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> InactiveGrantConnection:
        """Returns one page of the inactivity list (P25)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, key, rows = info.context.load, self.record.id, inactivity_filter(given(filter))
        page = await load(inactive_by_partner, key, days=days, filter=rows, page=requested(first, after, last, before))
        found: InactiveGrantConnection = connection(
            page, lambda: load(inactive_total_by_partner, key, days=days, filter=rows)
        )
        return found


@strawberry.type
class ClientActivity:
    """What a client shows of the activity of the partner's people there."""

    record: strawberry.Private[ClientRecord]

    @field("When any of your partner's people was last active there, as far as your tools have told; null for never.")
    async def last_active_at(self, info: Info) -> datetime | None:
        """Returns the last moment."""
        found: datetime | None = await info.context.load(last_active_by_client, self.record.id)
        return found

    @field("What your partner's people did there, the latest first.")
    async def activity(
        self,
        info: Info,
        *,
        filter: ActivityFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ActivityConnection:
        """Returns one page of the feed."""
        return await activity_page(info, "Client", self.record.id, filter, first, after, last, before)

    @field(f"How active your partner's people were there. {_SUMMED}")
    async def activity_summary(
        self, info: Info, *, by: By, filter: ActivityFilterArgument = strawberry.UNSET
    ) -> list[ActivitySummary]:
        """Returns the groups."""
        key, rows = self.record.id, activity_filter(given(filter))
        groups = await info.context.load(summary_by_client, key, by=dimensions(by), filter=rows)
        found: list[ActivitySummary] = shown_all(groups)
        return found


@strawberry.type
class MemberActivity:
    """What a person's place in a partner shows of their activity."""

    record: strawberry.Private[MemberRecord]

    @field(
        "When the person was last active in any client, as far as your tools have told; null for never, and where the partner's "
        "manager is not open to you."
    )
    async def last_active_at(self, info: Info) -> datetime | None:
        """Returns the last moment."""
        found: datetime | None = await info.context.load(last_active_by_member, self.record.id)
        return found

    @field(f"What the person did in client accounts, the latest first. {_OPEN}")
    async def activity(
        self,
        info: Info,
        *,
        filter: ActivityFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ActivityConnection:
        """Returns one page of the feed."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        return await activity_page(info, "Member", self.record.id, filter, first, after, last, before)

    @field(f"How active the person was in client accounts. {_SUMMED} {_OPEN}")
    async def activity_summary(
        self, info: Info, *, by: By, filter: ActivityFilterArgument = strawberry.UNSET
    ) -> list[ActivitySummary]:
        """Returns the groups."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        key, rows = self.record.id, activity_filter(given(filter))
        groups = await info.context.load(summary_by_member, key, by=dimensions(by), filter=rows)
        found: list[ActivitySummary] = shown_all(groups)
        return found
