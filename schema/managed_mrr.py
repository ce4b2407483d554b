"""Managed revenue at a glance: totals by currency, as a whole and by lead person (F56)."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers.client import client_totals_by_partner, clients_by_partner
from resolvers.client_filter import ClientFilter
from resolvers.member import members_by_id
from resolvers.partner import PartnerRecord
from resolvers.revenue.managed_mrr import (
    LeadRevenueRecord,
    RevenueRecord,
    RevenueTotalRecord,
    revenue_by_partner,
    revenue_lead_total_by_partner,
    revenue_leads_by_partner,
    revenue_without_lead_by_partner,
)
from schema.connection import After, Before, Connection, First, Last, connection, requested
from schema.context import Info
from schema.field import column, field
from schema.money import Money
from schema.record import shown, shown_all, shows

if TYPE_CHECKING:
    from schema.client import ClientConnection
    from schema.member import Member

_WITHOUT = ClientFilter(has_managed_mrr=False)


@shows(RevenueTotalRecord)
@strawberry.type(description="What the clients that are billed in one currency come to.")
class RevenueTotal:
    """The total in one currency."""

    record: strawberry.Private[RevenueTotalRecord]
    currency: str = column("The currency's three letters (ISO 4217).")
    clients_with_managed_mrr: int = column("How many clients have managed MRR in it.")

    @field("The monthly recurring revenue that your partner manages, in all.")
    def managed(self) -> Money:
        """Returns the managed MRR."""
        return self._money(self.record.managed_amount)

    @field("The monthly recurring revenue that your partner sold, in all.")
    def sold(self) -> Money:
        """Returns the sold MRR."""
        return self._money(self.record.sold_amount)

    def _money(self, amount: Decimal) -> Money:
        return Money(amount=amount, currency=self.record.currency)


@strawberry.interface(description="The revenue of some clients. Currencies are never added up.")
class Revenue:
    """The totals of some clients."""

    record: strawberry.Private[RevenueRecord]
    total_clients: int = column("How many clients there are.")
    clients_with_managed_mrr: int = column("How many of them have managed MRR.")
    clients_without_managed_mrr: int = column("How many of them have none: those that `hasManagedMrr: false` finds.")

    @field("One total for each currency in which any of the clients is billed, by its letters.")
    def totals(self) -> list[RevenueTotal]:
        """Returns the totals."""
        found: list[RevenueTotal] = shown_all(self.record.totals)
        return found


@shows(LeadRevenueRecord)
@strawberry.type(description="The revenue of the clients that one person leads, or that nobody leads.")
class LeadRevenue(Revenue):
    """The totals of one lead person (P21)."""

    record: strawberry.Private[LeadRevenueRecord]

    @field("Who leads them; null for those that nobody leads.")
    async def lead(self, info: Info) -> Annotated["Member", strawberry.lazy("schema.member")] | None:
        """Returns the lead person."""
        key = self.record.member_id
        found: Member | None = None if key is None else shown(await info.context.load(members_by_id, key))
        return found


@strawberry.type(description="One page of the people who lead clients, by name, with the revenue of these clients.")
class LeadRevenueConnection(Connection[LeadRevenue]):
    """A page of lead people."""


@strawberry.type(description="The managed revenue of a partner's clients at a glance.")
class ManagedMrrOverview(Revenue):
    """The overview of a partner (F56)."""

    partner: strawberry.Private[PartnerRecord]

    @field("The clients without any managed MRR, by name.")
    async def without_managed_mrr(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["ClientConnection", strawberry.lazy("schema.client")]:
        """Returns one page of these clients."""
        load, partner, page = info.context.load, self.partner, requested(first, after, last, before)
        found: ClientConnection = connection(
            await load(clients_by_partner, partner, filter=_WITHOUT, page=page),
            lambda: load(client_totals_by_partner, partner, filter=_WITHOUT),
        )
        return found

    @field("The revenue by lead person: those who lead any client, by name.")
    async def by_lead(
        self,
        info: Info,
        *,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> LeadRevenueConnection:
        """Returns one page of lead people (P21)."""
        load, key, page = info.context.load, self.partner.id, requested(first, after, last, before)
        found: LeadRevenueConnection = connection(
            await load(revenue_leads_by_partner, key, page=page), lambda: load(revenue_lead_total_by_partner, key)
        )
        return found

    @field("The revenue of the clients that nobody leads.")
    async def without_lead(self, info: Info) -> LeadRevenue:
        """Returns the rest."""
        found: LeadRevenue = shown(await info.context.load(revenue_without_lead_by_partner, self.partner.id))
        return found


async def managed_mrr_of(info: Info, partner: PartnerRecord) -> ManagedMrrOverview:
    """Returns the overview of a partner (F56)."""
    revenue: RevenueRecord = await info.context.load(revenue_by_partner, partner.id)
    return ManagedMrrOverview(record=revenue, partner=partner)
