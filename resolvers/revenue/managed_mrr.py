"""Managed revenue of a partner's clients: totals by currency, as a whole and by lead person (F56, P21)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, case, func, literal, select

from models.client import clients
from models.member import members
from models.partner import partners
from models.table import Amount
from resolvers.cursor import SortKind
from resolvers.page import Order, Page, PageRequest, Projection
from resolvers.readable import readable_clients, readable_members
from resolvers.reader import Reader
from resolvers.viewer import Viewer

BY_NAME = Order("managed_mrr_lead", SortKind.TEXT, lambda rows: rows.c.sort_name)

_NOTHING = literal(Decimal(0), Amount())


@dataclass(slots=True, eq=False)
class RevenueTotalRecord:
    """What the clients that are billed in one currency come to."""

    currency: str
    managed_amount: Decimal
    sold_amount: Decimal
    clients_with_managed_mrr: int


@dataclass(slots=True, eq=False)
class RevenueRecord:
    """The totals of some clients, by currency."""

    total_clients: int = 0
    clients_with_managed_mrr: int = 0
    totals: list[RevenueTotalRecord] = field(default_factory=list)

    @property
    def clients_without_managed_mrr(self) -> int:
        """Returns how many clients the filter ``hasManagedMrr: false`` finds among them (F22)."""
        return self.total_clients - self.clients_with_managed_mrr


@dataclass(slots=True, eq=False)
class LeadRevenueRecord(RevenueRecord):
    """The same of the clients that one person leads, or nobody."""

    member_id: int | None = None


async def revenue_by_partner(reader: Reader, parents: Sequence[int]) -> list[RevenueRecord]:
    """Returns the totals of all clients of each partner, one statement for all (T3)."""
    revenues = [RevenueRecord() for _ in parents]
    await _fill(
        reader, clients.c.partner_id, dict(zip(parents, revenues, strict=True)), readable_clients(reader.viewer)
    )
    return revenues


async def revenue_without_lead_by_partner(reader: Reader, parents: Sequence[int]) -> list[LeadRevenueRecord]:
    """Returns the totals of those clients of each partner that nobody leads."""
    revenues = [LeadRevenueRecord() for _ in parents]
    nobodys = readable_clients(reader.viewer).where(clients.c.lead_id.is_(None))
    await _fill(reader, clients.c.partner_id, dict(zip(parents, revenues, strict=True)), nobodys)
    return revenues


async def revenue_leads_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[LeadRevenueRecord]]:
    """Returns one page of the people who lead clients of each partner, by name, each with the totals of these clients."""
    viewer = reader.viewer
    choice = readable_members(viewer).where(members.c.id.in_(_leads(viewer)), members.c.partner_id == partners.c.id)
    found = await _LEADS.pages(reader, partners, parents, choice, order=BY_NAME, request=page)
    revenues = {lead.member_id or 0: lead for part in found for lead in part.items}
    await _fill(reader, clients.c.lead_id, revenues, readable_clients(viewer))
    return found


async def revenue_lead_total_by_partner(reader: Reader, parents: Sequence[int]) -> list[int]:
    """Returns how many people lead clients of each partner."""
    counted: list[ColumnElement[Any]] = [clients.c.partner_id, func.count(clients.c.lead_id.distinct())]
    chosen = readable_clients(reader.viewer).with_only_columns(*counted).where(clients.c.partner_id.in_(set(parents)))
    rows: Sequence[Any] = await reader.rows(chosen.group_by(clients.c.partner_id))
    found: dict[int, int] = dict(rows)
    return [found.get(key, 0) for key in parents]


def _leads(viewer: Viewer) -> Select[Any]:
    # By itself and not correlated with the partner: SQLite would read the clients again for each person.
    return readable_clients(viewer).with_only_columns(*[clients.c.lead_id]).where(clients.c.lead_id.is_not(None))


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id).select_from(source)


_LEADS = Projection(members, _columns, lambda member_id: LeadRevenueRecord(member_id=member_id))


async def _fill(
    reader: Reader, parent: ColumnElement[int], revenues: Mapping[int, RevenueRecord], chosen: Select[Any]
) -> None:
    """Adds up the chosen clients of each parent, by currency."""
    managed, sold = (func.coalesce(column, _NOTHING) for column in (clients.c.managed_mrr, clients.c.sold_mrr))
    columns: list[ColumnElement[Any]] = [
        parent,
        clients.c.currency,
        func.count(),
        # As the filter hasManagedMrr says it (F22).
        func.count(case((managed > _NOTHING, 1))),
        func.sum(managed, type_=Amount()),
        func.sum(sold, type_=Amount()),
    ]
    grouped = chosen.with_only_columns(*columns).where(parent.in_(revenues.keys()))
    grouped = grouped.group_by(parent, clients.c.currency)
    rows: Sequence[Any] = await reader.rows(grouped)
    for key, currency, number, with_managed, managed_amount, sold_amount in rows:
        revenue = revenues[key]
        revenue.total_clients += number
        revenue.clients_with_managed_mrr += with_managed
        if currency is not None:
            revenue.totals.append(RevenueTotalRecord(currency, managed_amount, sold_amount, with_managed))
    for revenue in revenues.values():
        # Here and not by the database, whose language would decide.
        revenue.totals.sort(key=lambda total: total.currency)
