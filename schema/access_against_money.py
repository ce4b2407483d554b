"""Clients ranked by the access there is in them, beside the money and the last activity (N10)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from models.grant import AccessType
from resolvers.client import clients_by_id
from resolvers.page import Order, PageRequest
from resolvers.revenue.access_against_money import (
    MOST_ACCESS_FIRST,
    AccessAgainstMoneyRecord,
    AccessFilter,
    AccessOrderField,
    access_against_money_by_partner,
    access_against_money_total_by_partner,
    access_order,
)
from resolvers.revenue.access_weight import WEIGHTS
from schema.client import ClientFilter, client_filter
from schema.connection import Connection, connection, given
from schema.context import Info
from schema.enum import OrderDirection, described
from schema.field import column, field
from schema.money import Money, money
from schema.record import shown, shows

if TYPE_CHECKING:
    from schema.client import Client

_FORMULA = (
    f"{WEIGHTS[AccessType.SUPER_ADMIN]} for each active super admin, {WEIGHTS[AccessType.PARTNER_ADMIN]} for each active partner "
    f"admin, {WEIGHTS[AccessType.STANDARD]} for everybody else who is active"
)
RANKED = (
    "The clients ranked by the access that your partner's people have there, beside managed MRR and last activity: finds where there "
    "is much access and no money, or nobody active. Those with the most access come first unless told otherwise."
)

described(
    AccessOrderField,
    "What clients can be ranked by. By money only within one currency: say which in the filter.",
    WEIGHT=f"How much access there is: {_FORMULA}.",
    ELEVATED="How many people are partner admins or super admins.",
    PEOPLE="How many people are active.",
    LAST_ACTIVE="When any of the people was last active there; never comes before all others.",
    MANAGED_MRR="The managed MRR, none being nothing. Needs `currency` in the filter.",
    MANAGED_MRR_PER_WEIGHT="The managed MRR for each unit of `WEIGHT`; where there is no access, endless. Needs `currency` in the filter.",
)


@shows(AccessAgainstMoneyRecord)
@strawberry.type(description="One client: who has access, what it pays, and when anybody was last active.")
class AccessAgainstMoney:
    """A client's access, money and activity."""

    record: strawberry.Private[AccessAgainstMoneyRecord]
    people: int = column("How many of your partner's people are active there: the three kinds below.")
    super_admins: int = column("How many of them are super admins.")
    partner_admins: int = column("How many of them are partner admins.")
    standard: int = column("How many of them are neither.")
    elevated: int = column("How many of them are partner admins or super admins.")
    deactivated: int = column("How many of your partner's people are deactivated there; they count for nothing.")
    weight: int = column(f"How much access there is: {_FORMULA}.")
    last_active_at: datetime | None = column("When any of the people was last active there; null for never.")

    @field("The client.")
    async def client(self, info: Info) -> Annotated["Client", strawberry.lazy("schema.client")]:
        """Returns the client."""
        found: Client = shown(await info.context.load(clients_by_id, self.record.client_id))
        return found

    @field("The monthly recurring revenue that your partner manages there.")
    def managed_mrr(self) -> Money | None:
        """Returns the managed MRR (F56)."""
        return money(self.record.managed_amount, self.record.currency)

    @field("The monthly recurring revenue that your partner sold there.")
    def sold_mrr(self) -> Money | None:
        """Returns the sold MRR."""
        return money(self.record.sold_amount, self.record.currency)

    @field("The managed MRR for each unit of `weight`, cut to a ten-thousandth; null without access or managed MRR.")
    def managed_mrr_per_weight(self) -> Money | None:
        """Returns the share."""
        return money(self.record.amount_per_weight, self.record.currency)


@strawberry.type(description="One page of the clients ranked by access.")
class AccessAgainstMoneyConnection(Connection[AccessAgainstMoney]):
    """A page of clients."""


@strawberry.input(description="Which clients: every field must fit. Fields that are left out do not filter.")
class AccessAgainstMoneyFilter:
    """The filter of the ranking."""

    clients: ClientFilter | None = strawberry.field(
        default=strawberry.UNSET,
        description="As in any list of clients; `hasManagedMrr: false` finds those without money.",
    )
    currency: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Only clients that are billed in this currency, by its three letters (ISO 4217), and those without any money. An "
        "order by money needs it: "
        "amounts of different currencies are not compared.",
    )
    elevated: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Only clients where somebody is partner admin or super admin, or only those where nobody is.",
    )
    inactive_since: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Only clients where nobody was active from this moment on, or ever."
    )


@strawberry.input(description="How the clients are ranked. Those with equal values keep a fixed order.")
class AccessAgainstMoneyOrder:
    """The order of the ranking."""

    field: AccessOrderField = strawberry.field(description="What they are ranked by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")


AccessAgainstMoneyFilterArgument: TypeAlias = Annotated[
    AccessAgainstMoneyFilter | None, strawberry.argument(description="Which clients; all if left out.")
]
AccessAgainstMoneyOrderArgument: TypeAlias = Annotated[
    AccessAgainstMoneyOrder | None,
    strawberry.argument(description="How they are ranked; by WEIGHT, the most first, if left out."),
]


async def access_against_money_of(  # noqa: PLR0917 the arguments of one field
    info: Info,
    key: int,
    search: str | None,
    filter_: AccessAgainstMoneyFilter | None,
    order_by: AccessAgainstMoneyOrder | None,
    page: PageRequest,
) -> AccessAgainstMoneyConnection:
    """Returns one page of a partner's clients, ranked (N10)."""
    load, text, rows = info.context.load, given(search), _filter(given(filter_))
    order = _order(given(order_by), rows)
    found = await load(access_against_money_by_partner, key, search=text, filter=rows, order=order, page=page)
    made: AccessAgainstMoneyConnection = connection(
        found, lambda: load(access_against_money_total_by_partner, key, search=text, filter=rows)
    )
    return made


def _filter(asked: AccessAgainstMoneyFilter | None) -> AccessFilter | None:
    if not asked:
        return None
    return AccessFilter(
        of_clients=client_filter(given(asked.clients)),
        currency=given(asked.currency),
        elevated=given(asked.elevated),
        inactive_since=given(asked.inactive_since),
    )


def _order(asked: AccessAgainstMoneyOrder | None, rows: AccessFilter | None) -> Order:
    if not asked:
        return MOST_ACCESS_FIRST
    return access_order(asked.field, rows, descending=asked.direction is OrderDirection.DESC)
