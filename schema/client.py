"""Clients: accounts as one partner knows them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from models.account import AccountType
from models.grant import AccessType
from models.permission.level import PermissionLevel
from resolvers import client_filter as client_rows
from resolvers.client import ClientRecord, clients_by_id
from resolvers.client_order import BY_NAME, ClientOrderField, client_order
from resolvers.expiry.limit import access_limits_by_client
from resolvers.explanation.history import histories_by_pair
from resolvers.explanation.subject import colleague_there, named_level
from resolvers.grant import grant_totals_by_client, grants_by_client, partner_admins_by_client
from resolvers.hand_off.colleague import who_could_by_client
from resolvers.lockdown.record import lockdowns_by_client
from resolvers.member import members_by_id
from resolvers.page import Order
from resolvers.partner import partners_by_id
from resolvers.permission_set import permission_sets_by_client
from resolvers.team import teams_by_client
from resolvers.timeline import timeline_by_client, timeline_total_by_client
from schema.activity_field import ClientActivity
from schema.connection import After, Before, Connection, First, Last, connection, given, requested, several
from schema.context import Info
from schema.enum import OrderDirection
from schema.expiry import AccessLimit
from schema.explanation import PermissionArgument, PermissionExplanation, explained, permission_key
from schema.field import column, field
from schema.grant import Grant, GrantConnection, GrantFilterArgument, grant_filter
from schema.historical_grant import ClientPast
from schema.member import Member
from schema.money import Money, money
from schema.node import Node, decode_key
from schema.permission_set import PermissionSet
from schema.pod_field import ClientPods
from schema.record import shown, shown_all, shows
from schema.removal_review import RemovalReview, ReviewedMembers, review_of_client
from schema.team import Team
from schema.template_lockdown import TemplateLockdown
from schema.timeline import TimelineConnection, TimelineFilterArgument, timeline_filter
from schema.who_could import listed_members

if TYPE_CHECKING:
    from schema.partner import Partner


@shows(ClientRecord, clients_by_id)
@strawberry.type(description="A client account as your partner knows it.")
class Client(ClientActivity, ClientPast, ClientPods, Node):
    """A client."""

    record: strawberry.Private[ClientRecord]
    hub_id: str = column("The number by which people know the account.")
    display_name: str = column("The name in the partner's own company record; without one, the official name.")
    official_name: str = column("The account's own name.")
    domain: str | None = column("The client's web domain.")
    account_type: AccountType = column("What kind of account it is.")
    viewer_access_type: AccessType = column("What you are there; NONE without an active grant of your own.")
    total_employees: int = column("How many of your partner's people are active there.")
    deactivated_employees: int = column("How many of your partner's people are deactivated there.")
    since: datetime = column("Since when your partner knows the client.")
    confirmed_at: datetime | None = column(
        "When the client first confirmed that it works with your partner, by a confirmation link; null if it did not."
    )

    @field("The partner whose client it is.")
    async def partner(self, info: Info) -> Annotated["Partner", strawberry.lazy("schema.partner")]:
        """Returns the partner."""
        partner: Partner = shown(await info.context.load(partners_by_id, self.record.partner_id))
        return partner

    @field("Your partner's people there: one grant for each.")
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
        """Returns one page of the partner's people there (F29)."""
        load, rows = info.context.load, grant_filter(given(filter))
        page = await load(grants_by_client, self.record, filter=rows, page=requested(first, after, last, before))
        found: GrantConnection = connection(page, lambda: load(grant_totals_by_client, self.record, filter=rows))
        return found

    @field("Your partner's active partner admins there: those who can give access.")
    async def partner_admins(self, info: Info) -> list[Grant]:
        """Returns the grants of the partner admins."""
        found: list[Grant] = shown_all(await info.context.load(partner_admins_by_client, self.record))
        return found

    @field(
        "What removing your partner's people from here would end and leave behind, with the token that the removal needs. "
        "At most 10,000 grants."
    )
    async def removal_review(self, info: Info, *, members: ReviewedMembers = strawberry.UNSET) -> RemovalReview:
        """Returns the review (F40)."""
        return await review_of_client(info, self.record, members)

    @field(
        "Why one of your partner's people has a permission here, or has it not, also where there is no access at all. An unknown "
        "person: NOT_FOUND."
    )
    async def explain(
        self,
        info: Info,
        member: Annotated[strawberry.ID, strawberry.argument(description="The person.")],
        permission: PermissionArgument,
    ) -> PermissionExplanation:
        """Returns the explanation of one permission (P11)."""
        key = decode_key(str(member), "Member")
        person = colleague_there(self.record, None if key is None else await info.context.load(members_by_id, key))
        history = await info.context.load(histories_by_pair, (self.record.id, person.id))
        return explained(history, self.record.id, person.id, permission)

    @field(
        "Those of your colleagues who can give a permission at a level here, now: the partner admins who have it themselves."
    )
    async def who_could(
        self,
        info: Info,
        permission: PermissionArgument,
        level: Annotated[PermissionLevel, strawberry.argument(description="A level of it above NONE.")],
    ) -> list[Member]:
        """Returns those who could, by name (N02)."""
        need = named_level(permission_key(permission), level)
        return await listed_members(info, await info.context.load(who_could_by_client, self.record, need=need))

    @field("The teams of the account, by name.")
    async def teams(self, info: Info) -> list[Team]:
        """Returns the teams (F54)."""
        found: list[Team] = shown_all(await info.context.load(teams_by_client, self.record))
        return found

    @field("What can be used here: the built-in permission sets, your partner's and the client's own.")
    async def permission_sets(self, info: Info) -> list[PermissionSet]:
        """Returns the sets (F49)."""
        found: list[PermissionSet] = shown_all(await info.context.load(permission_sets_by_client, self.record))
        return found

    @field("Why access here is given by permission sets only: your partner's lockdown, the client's, both, or neither.")
    async def template_lockdowns(self, info: Info) -> list[TemplateLockdown]:
        """Returns what is in force here (P27)."""
        found: list[TemplateLockdown] = shown_all(await info.context.load(lockdowns_by_client, self.record))
        return found

    @field("Every change of the access of your partner's people here, the newest first.")
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
        load, key, rows = info.context.load, self.record.id, timeline_filter(given(filter))
        page = await load(timeline_by_client, key, filter=rows, page=requested(first, after, last, before))
        found: TimelineConnection = connection(page, lambda: load(timeline_total_by_client, key, filter=rows))
        return found

    @field("For how long access may be given here; null where nothing limits it.")
    async def access_limit(self, info: Info) -> AccessLimit | None:
        """Returns the limit (P04)."""
        found: AccessLimit | None = shown(await info.context.load(access_limits_by_client, self.record))
        return found

    @field("The monthly recurring revenue that your partner manages here.")
    def managed_mrr(self) -> Money | None:
        """Returns the managed MRR (F56)."""
        return money(self.record.managed_amount, self.record.currency)

    @field("The monthly recurring revenue that your partner sold here.")
    def sold_mrr(self) -> Money | None:
        """Returns the sold MRR."""
        return money(self.record.sold_amount, self.record.currency)

    @field("Who leads the work for this client.")
    async def lead(self, info: Info) -> Member | None:
        """Returns the lead person (P21)."""
        key = self.record.lead_id
        found: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return found


@strawberry.type(description="One page of a list of clients.")
class ClientConnection(Connection[Client]):
    """A page of clients."""


@strawberry.input(
    description="Which clients: every field must fit, and of a list any value. Fields that are left out do not filter; "
    "an empty list finds nothing."
)
class ClientFilter:
    """The filter of a list of clients."""

    account_types: list[AccountType] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    access_types: list[AccessType] | None = strawberry.field(
        default=strawberry.UNSET,
        description="What you yourself are there: any of these. NONE finds where you have no access.",
    )
    has_managed_mrr: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Only clients with managed MRR, or only those without any."
    )
    without_partner_admin: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Access problems: true finds clients with people of your partner but no active partner admin, "
        "so that nobody can change access there; false finds all others.",
    )


@strawberry.input(description="How a list of clients is sorted. Clients with equal values keep a fixed order.")
class ClientOrder:
    """The order of a list of clients."""

    field: ClientOrderField = strawberry.field(description="What it is sorted by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which way.")


ClientFilterArgument: TypeAlias = Annotated[
    ClientFilter | None, strawberry.argument(description="Which clients; all if left out.")
]
ClientOrderArgument: TypeAlias = Annotated[
    ClientOrder | None, strawberry.argument(description="How the list is sorted; by name if left out.")
]


def client_filter(filter: ClientFilter | None) -> client_rows.ClientFilter | None:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return None
    return client_rows.ClientFilter(
        account_types=several(filter.account_types),
        access_types=several(filter.access_types),
        has_managed_mrr=given(filter.has_managed_mrr),
        without_partner_admin=given(filter.without_partner_admin),
    )


def order_of_clients(order_by: ClientOrder | None) -> Order:
    """Returns the order in the words of the resolvers."""
    if not order_by:
        return BY_NAME
    return client_order(order_by.field, descending=order_by.direction is OrderDirection.DESC)
