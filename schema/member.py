"""People in their partner."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from models.member import ManagerRights, MemberKind, MemberStatus
from resolvers import member_filter as member_rows
from resolvers.access_link import personal_links_by_member
from resolvers.grant import grant_totals_by_member, grants_by_member
from resolvers.leaver_report import leaver_reports_by_member
from resolvers.member import MemberRecord, members_by_id
from resolvers.member_order import BY_NAME, MemberOrderField, member_order
from resolvers.page import Order
from resolvers.partner import partners_by_id
from resolvers.permission_set import permission_sets_by_id
from resolvers.schedule.record import scheduled_leaves_by_member
from resolvers.timeline import timeline_by_member, timeline_total_by_member
from schema.access_link import AccessLink
from schema.activity_field import MemberActivity
from schema.connection import After, Before, Connection, First, Last, connection, given, requested, several
from schema.context import Info
from schema.enum import OrderDirection
from schema.field import column, field
from schema.grant import GrantConnection, GrantFilterArgument, grant_filter
from schema.historical_grant import MemberPast
from schema.node import Node
from schema.permission_set import PermissionSet
from schema.pod_field import MemberPods
from schema.record import shown, shows
from schema.removal_review import RemovalReview, ReviewedClients, review_of_member
from schema.timeline import TimelineConnection, TimelineFilterArgument, timeline_filter
from schema.user import User

if TYPE_CHECKING:
    from schema.leaver_report import LeaverReport
    from schema.partner import Partner
    from schema.scheduled_leave import ScheduledLeave


@shows(MemberRecord, members_by_id)
@strawberry.type(description="A user's place in a partner.")
class Member(MemberActivity, MemberPast, MemberPods, Node):
    """A person in a partner."""

    record: strawberry.Private[MemberRecord]
    kind: MemberKind = column("How the person works for the partner.")
    status: MemberStatus = column("Whether the person works for the partner.")
    verified: bool = column("Only verified people can be partner admins.")
    manager_rights: ManagerRights = column("The right Partner employee management in the partner's own account.")
    total_clients: int = column("In how many clients the person is active.")

    @field("Who it is.")
    def user(self) -> User:
        """Returns the person."""
        return User(record=self.record.user)

    @field("The partner the person works for.")
    async def partner(self, info: Info) -> Annotated["Partner", strawberry.lazy("schema.partner")]:
        """Returns the partner."""
        partner: Partner = shown(await info.context.load(partners_by_id, self.record.partner_id))
        return partner

    @field("Where the person has access: one grant for each client. Needs the partner's manager to be open to you.")
    async def grants(
        self,
        info: Info,
        *,
        filter: GrantFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> GrantConnection:
        """Returns one page of the person's grants (F30)."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        load, rows = info.context.load, grant_filter(given(filter))
        page = await load(grants_by_member, self.record, filter=rows, page=requested(first, after, last, before))
        found: GrantConnection = connection(page, lambda: load(grant_totals_by_member, self.record, filter=rows))
        return found

    @field(
        "What would happen if the person left the partner now; it changes nothing. Needs the partner's manager to be open to you."
    )
    async def leaver_report(self, info: Info) -> Annotated["LeaverReport", strawberry.lazy("schema.leaver_report")]:
        """Returns the leaver simulation (N03)."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        report: LeaverReport = shown(await info.context.load(leaver_reports_by_member, self.record))
        return report

    @field(
        "The latest plan that the person leaves, see scheduleLeave; null if there never was one. Needs the partner's manager to be open to you."
    )
    async def scheduled_leave(
        self, info: Info
    ) -> Annotated["ScheduledLeave", strawberry.lazy("schema.scheduled_leave")] | None:
        """Returns the plan (P14)."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        found: ScheduledLeave | None = shown(await info.context.load(scheduled_leaves_by_member, self.record))
        return found

    @field("Every change of the person's access, the newest first. Needs the partner's manager to be open to you.")
    async def timeline(
        self,
        info: Info,
        *,
        filter: TimelineFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> TimelineConnection:
        """Returns one page of what happened to the person's access (F55)."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        load, key, rows = info.context.load, self.record.id, timeline_filter(given(filter))
        page = await load(timeline_by_member, key, filter=rows, page=requested(first, after, last, before))
        found: TimelineConnection = connection(page, lambda: load(timeline_total_by_member, key, filter=rows))
        return found

    @field(
        "What removing the person's access would end and leave behind, with the token that the removal needs. "
        "Needs the partner's manager to be open to you. At most 10,000 grants."
    )
    async def removal_review(self, info: Info, *, clients: ReviewedClients = strawberry.UNSET) -> RemovalReview:
        """Returns the review (F38)."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        return await review_of_member(info, self.record, clients)

    @field(
        "The person's own access link that lives now: any client may approve it; null if there is none, see getAccessLink. "
        "Needs the partner's manager to be open to you."
    )
    async def access_link(self, info: Info) -> AccessLink | None:
        """Returns the personal link (F15)."""
        info.context.reader.viewer.open_manager(self.record.partner_id)
        found: AccessLink | None = shown(await info.context.load(personal_links_by_member, self.record))
        return found

    @field("What the person gets where `defaultSet` is asked for.")
    async def default_permission_set(self, info: Info) -> PermissionSet | None:
        """Returns the default set (F51)."""
        key = self.record.default_permission_set_id
        found: PermissionSet | None = (
            None if key is None else shown(await info.context.load(permission_sets_by_id, key))
        )
        return found


@strawberry.type(description="One page of a list of people.")
class MemberConnection(Connection[Member]):
    """A page of members."""


@strawberry.input(
    description="Which people: every field must fit, and of a list any value. Fields that are left out do not filter; "
    "an empty list finds nobody."
)
class MemberFilter:
    """The filter of a list of members."""

    kinds: list[MemberKind] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    statuses: list[MemberStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these; if left out, all but LEFT."
    )
    verified: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Only verified people, or only others."
    )
    manager_rights: list[ManagerRights] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")


@strawberry.input(description="How a list of people is sorted. People with equal values keep a fixed order.")
class MemberOrder:
    """The order of a list of members."""

    field: MemberOrderField = strawberry.field(description="What it is sorted by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which way.")


MemberFilterArgument: TypeAlias = Annotated[
    MemberFilter | None, strawberry.argument(description="Which people; if left out, all but those who left.")
]
MemberOrderArgument: TypeAlias = Annotated[
    MemberOrder | None, strawberry.argument(description="How the list is sorted; by name if left out.")
]


def member_filter(filter: MemberFilter | None) -> member_rows.MemberFilter | None:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return None
    return member_rows.MemberFilter(
        kinds=several(filter.kinds),
        statuses=several(filter.statuses),
        verified=given(filter.verified),
        manager_rights=several(filter.manager_rights),
    )


def order_of_members(order_by: MemberOrder | None) -> Order:
    """Returns the order in the words of the resolvers."""
    if not order_by:
        return BY_NAME
    return member_order(order_by.field, descending=order_by.direction is OrderDirection.DESC)
