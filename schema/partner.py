"""The agency: a partner's own account."""

from typing import Any

import strawberry

from models.member import ManagerRights, MemberKind
from models.partner import PartnerProgram
from resolvers.access_link import access_link_totals_by_partner, access_links_by_partner
from resolvers.client import client_totals_by_partner, clients_by_partner
from resolvers.confirmation_link import confirmation_link_totals_by_partner, confirmation_links_by_partner
from resolvers.expiry.rule import expiry_rules_by_partner
from resolvers.grant import expiring_grant_totals_by_partner, expiring_grants_by_partner
from resolvers.hand_off.record import hand_off_totals_by_partner, hand_offs_by_partner
from resolvers.lockdown.record import lockdown_by_partner
from resolvers.member import member_totals_by_partner, members_by_partner
from resolvers.operation.record import operation_totals_by_partner, operations_by_partner
from resolvers.partner import PartnerRecord, partners_by_id, viewer_rights
from resolvers.permission_set import permission_set_totals_by_partner, permission_sets_by_partner
from resolvers.schedule.record import scheduled_leave_totals_by_partner, scheduled_leaves_by_partner
from resolvers.timeline import timeline_by_partner, timeline_total_by_partner
from resolvers.wish import wishes_by_partner
from schema.access_against_money import (
    RANKED,
    AccessAgainstMoneyConnection,
    AccessAgainstMoneyFilterArgument,
    AccessAgainstMoneyOrderArgument,
    access_against_money_of,
)
from schema.access_link import AccessLinkConnection
from schema.activity_field import PartnerActivity
from schema.client import ClientConnection, ClientFilterArgument, ClientOrderArgument, client_filter, order_of_clients
from schema.confirmation_link import ConfirmationLinkConnection
from schema.connection import After, Before, First, Last, Search, connection, given, requested
from schema.context import Info
from schema.elevated_access import (
    ELEVATED,
    ElevatedAccessConnection,
    ElevatedAccessFilterArgument,
    elevated_access_of_partner,
)
from schema.expiry import ExpiryRule
from schema.field import column, field
from schema.grant import GrantConnection, GrantFilterArgument, grant_filter
from schema.hand_off import HandOffConnection, HandOffFilterArgument, hand_off_filter
from schema.managed_mrr import ManagedMrrOverview, managed_mrr_of
from schema.member import MemberConnection, MemberFilterArgument, MemberOrderArgument, member_filter, order_of_members
from schema.node import Node
from schema.operation import OperationConnection
from schema.operation_list import OperationFilterArgument, operation_filter
from schema.permission_set import PermissionSetConnection
from schema.pod_field import PartnerPods
from schema.record import shown, shown_all, shows
from schema.scheduled_leave import ScheduledLeaveConnection
from schema.template_lockdown import TemplateLockdown
from schema.timeline import TimelineConnection, TimelineFilterArgument, timeline_filter
from schema.timeline_chain import PartnerTimelineProof
from schema.wish import Wish

OPEN = "Needs the manager to be open to you: the right Partner employee management, or super admin of the partner."


@shows(PartnerRecord, partners_by_id)
@strawberry.type(description="An agency with its people, clients and permission sets.")
class Partner(PartnerActivity, PartnerPods, PartnerTimelineProof, Node):
    """A partner that the viewer is a member of."""

    record: strawberry.Private[PartnerRecord]
    name: str = column("The agency's name.")
    hub_id: str = column("The number by which people know the agency's own account.")
    program: PartnerProgram = column("The program it is in. The manager is closed outside of a program.")

    @field("What you may do in its manager.")
    def viewer_rights(self, info: Info) -> ManagerRights:
        """Returns the viewer's rights (F02)."""
        return viewer_rights(info.context.reader.viewer, self.record.id)

    @field(f"All clients, also those where you have no access. {OPEN}")
    async def clients(
        self,
        info: Info,
        *,
        search: Search = strawberry.UNSET,
        filter: ClientFilterArgument = strawberry.UNSET,
        order_by: ClientOrderArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ClientConnection:
        """Returns one page of clients (F19 to F23); the search is in display and official name, domain and Hub ID."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner = info.context.load, self.record
        text, rows = given(search), client_filter(given(filter))
        order, page = order_of_clients(given(order_by)), requested(first, after, last, before)
        found: ClientConnection = connection(
            await load(clients_by_partner, partner, search=text, filter=rows, order=order, page=page),
            lambda: load(client_totals_by_partner, partner, search=text, filter=rows),
        )
        return found

    @field(f"The agency's lockdown of all its clients to permission sets, if one is in force. {OPEN}")
    async def template_lockdown(self, info: Info) -> TemplateLockdown | None:
        """Returns the lockdown (P27)."""
        info.context.reader.viewer.open_manager(self.record.id)
        found: TemplateLockdown | None = shown(await info.context.load(lockdown_by_partner, self.record.id))
        return found

    @field(f"Employees and contractors in one list, also those without any client. {OPEN}")
    async def members(
        self,
        info: Info,
        *,
        search: Search = strawberry.UNSET,
        filter: MemberFilterArgument = strawberry.UNSET,
        order_by: MemberOrderArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> MemberConnection:
        """Returns one page of all people (F24); the search is in name and e-mail address."""
        page = requested(first, after, last, before)
        return await self._people(
            info, search=given(search), filter_=given(filter), order_by=given(order_by), kind=None, page=page
        )

    @field(f"The employees, also those without any client. {OPEN}")
    async def employees(
        self,
        info: Info,
        *,
        search: Search = strawberry.UNSET,
        filter: MemberFilterArgument = strawberry.UNSET,
        order_by: MemberOrderArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> MemberConnection:
        """Returns one page of the employees (F24)."""
        page = requested(first, after, last, before)
        kind = MemberKind.EMPLOYEE
        return await self._people(
            info, search=given(search), filter_=given(filter), order_by=given(order_by), kind=kind, page=page
        )

    @field(f"The contractors, also those without any client. {OPEN}")
    async def contractors(
        self,
        info: Info,
        *,
        search: Search = strawberry.UNSET,
        filter: MemberFilterArgument = strawberry.UNSET,
        order_by: MemberOrderArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> MemberConnection:
        """Returns one page of the contractors (F24)."""
        page = requested(first, after, last, before)
        kind = MemberKind.CONTRACTOR
        return await self._people(
            info, search=given(search), filter_=given(filter), order_by=given(order_by), kind=kind, page=page
        )

    @field(f"The built-in permission sets and the partner's own. {OPEN}")
    async def permission_sets(
        self,
        info: Info,
        *,
        search: Search = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> PermissionSetConnection:
        """Returns one page of permission sets."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, text = info.context.load, self.record, given(search)
        found: PermissionSetConnection = connection(
            await load(permission_sets_by_partner, partner, search=text, page=requested(first, after, last, before)),
            lambda: load(permission_set_totals_by_partner, partner, search=text),
        )
        return found

    @field(f"What was changed in bulk, the newest first. {OPEN}")
    async def operations(
        self,
        info: Info,
        *,
        filter: OperationFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> OperationConnection:
        """Returns one page of operations (P01)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, page = info.context.load, self.record, requested(first, after, last, before)
        rows = operation_filter(given(filter))
        found: OperationConnection = connection(
            await load(operations_by_partner, partner, filter=rows, page=page),
            lambda: load(operation_totals_by_partner, partner, filter=rows),
        )
        return found

    @field(f"What your partner has decided about the end of access. {OPEN}")
    async def expiry_rule(self, info: Info) -> ExpiryRule:
        """Returns the rule (P04)."""
        info.context.reader.viewer.open_manager(self.record.id)
        found: ExpiryRule = shown(await info.context.load(expiry_rules_by_partner, self.record))
        return found

    @field(f"Access that ends by itself, the earliest end first, with what has expired and is still there. {OPEN}")
    async def expiring_grants(
        self,
        info: Info,
        *,
        filter: GrantFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> GrantConnection:
        """Returns one page of what is to be extended, or not (P05)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, page = info.context.load, self.record, requested(first, after, last, before)
        rows = grant_filter(given(filter))
        found: GrantConnection = connection(
            await load(expiring_grants_by_partner, partner, filter=rows, page=page),
            lambda: load(expiring_grant_totals_by_partner, partner, filter=rows),
        )
        return found

    @field(f"Who is to leave on a day to come, the earliest first. {OPEN}")
    async def scheduled_leaves(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ScheduledLeaveConnection:
        """Returns one page of planned leavings (P14)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, page = info.context.load, self.record, requested(first, after, last, before)
        found: ScheduledLeaveConnection = connection(
            await load(scheduled_leaves_by_partner, partner, page=page),
            lambda: load(scheduled_leave_totals_by_partner, partner),
        )
        return found

    @field("What people want the product to do: what has the most votes first. The same for all partners.")
    async def wishes(self, info: Info) -> list[Wish]:
        """Returns the wishes by rank (F48)."""
        found: list[Wish] = shown_all(await info.context.load(wishes_by_partner, self.record))
        return found

    @field("Where you are asked what you think of the service; null while there is no survey.")
    def survey_url(self, info: Info) -> str | None:
        """Returns the address that the operator has set (F57)."""
        return info.context.survey_url

    @field(f"Every change of the access of the partner's people, the newest first. {OPEN}")
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
        """Returns one page of what happened to access (F55)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, key, rows = info.context.load, self.record.id, timeline_filter(given(filter))
        page = await load(timeline_by_partner, key, filter=rows, page=requested(first, after, last, before))
        found: TimelineConnection = connection(page, lambda: load(timeline_total_by_partner, key, filter=rows))
        return found

    @field(f"The clients' monthly recurring revenue: totals by currency, by lead person, and who has none. {OPEN}")
    async def managed_mrr(self, info: Info) -> ManagedMrrOverview:
        """Returns the overview (F56)."""
        info.context.reader.viewer.open_manager(self.record.id)
        return await managed_mrr_of(info, self.record)

    @field(f"{RANKED} {OPEN}")
    async def access_against_money(
        self,
        info: Info,
        *,
        search: Search = strawberry.UNSET,
        filter: AccessAgainstMoneyFilterArgument = strawberry.UNSET,
        order_by: AccessAgainstMoneyOrderArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> AccessAgainstMoneyConnection:
        """Returns one page of the ranking (N10); the search is as in the list of clients."""
        info.context.reader.viewer.open_manager(self.record.id)
        page = requested(first, after, last, before)
        return await access_against_money_of(info, self.record.id, search, filter, order_by, page)

    @field(f"{ELEVATED} {OPEN}")
    async def elevated_access(
        self,
        info: Info,
        *,
        filter: ElevatedAccessFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ElevatedAccessConnection:
        """Returns one page of the report (P23)."""
        info.context.reader.viewer.open_manager(self.record.id)
        return await elevated_access_of_partner(info, self.record.id, filter, requested(first, after, last, before))

    @field(f"What your colleagues ask each other to do because they could not themselves, the newest first. {OPEN}")
    async def hand_offs(
        self,
        info: Info,
        *,
        filter: HandOffFilterArgument = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> HandOffConnection:
        """Returns one page of hand-offs (N02)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, rows = info.context.load, self.record, hand_off_filter(given(filter))
        page = await load(hand_offs_by_partner, partner, filter=rows, page=requested(first, after, last, before))
        found: HandOffConnection = connection(page, lambda: load(hand_off_totals_by_partner, partner, filter=rows))
        return found

    @field(f"The people's access links, the newest first; those that have ended are among them. {OPEN}")
    async def access_links(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> AccessLinkConnection:
        """Returns one page of access links (P06)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, page = info.context.load, self.record, requested(first, after, last, before)
        found: AccessLinkConnection = connection(
            await load(access_links_by_partner, partner, page=page),
            lambda: load(access_link_totals_by_partner, partner),
        )
        return found

    @field(f"The links with which clients confirm, the newest first; those that have ended are among them. {OPEN}")
    async def confirmation_links(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> ConfirmationLinkConnection:
        """Returns one page of confirmation links (F53)."""
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, page = info.context.load, self.record, requested(first, after, last, before)
        found: ConfirmationLinkConnection = connection(
            await load(confirmation_links_by_partner, partner, page=page),
            lambda: load(confirmation_link_totals_by_partner, partner),
        )
        return found

    async def _people(
        self, info: Info, *, search: str | None, filter_: Any, order_by: Any, kind: MemberKind | None, page: Any
    ) -> MemberConnection:
        info.context.reader.viewer.open_manager(self.record.id)
        load, partner, rows = info.context.load, self.record, member_filter(filter_)
        order = order_of_members(order_by)
        found: MemberConnection = connection(
            await load(members_by_partner, partner, search=search, filter=rows, kind=kind, order=order, page=page),
            lambda: load(member_totals_by_partner, partner, search=search, filter=rows, kind=kind),
        )
        return found
