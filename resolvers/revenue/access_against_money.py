"""Clients ranked by the access there is in them, beside the money and the last activity (N10).

Amounts are compared within one currency only: an order by money needs the filter ``currency``. An order by access or activity says
nothing about money, and may mix currencies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, and_, exists, func, literal, not_, or_, select
from sqlalchemy import cast as as_type
from sqlalchemy import type_coerce as taken_as

from models.activity import last_activities
from models.client import clients
from models.partner import partners
from models.table import Amount
from resolvers.client_filter import ClientFilter, client_conditions
from resolvers.currency import CURRENCIES
from resolvers.cursor import SortKind
from resolvers.error import InputError
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.readable import readable_clients
from resolvers.reader import Reader
from resolvers.revenue.access_weight import elevated, super_admins, weight
from resolvers.viewer import Viewer

_NOTHING = literal(Decimal(0), Amount())
# More than the column holds in practice: where there is no access, each bit of it has earned endlessly much.
_MOST = literal(Decimal(10**14), Amount())
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class AccessOrderField(StrEnum):
    """What clients can be ranked by."""

    WEIGHT = "WEIGHT"
    ELEVATED = "ELEVATED"
    PEOPLE = "PEOPLE"
    LAST_ACTIVE = "LAST_ACTIVE"
    MANAGED_MRR = "MANAGED_MRR"
    MANAGED_MRR_PER_WEIGHT = "MANAGED_MRR_PER_WEIGHT"


_BY_MONEY = {AccessOrderField.MANAGED_MRR, AccessOrderField.MANAGED_MRR_PER_WEIGHT}


@dataclass(frozen=True, slots=True)
class AccessFilter:
    """What is None does not filter."""

    of_clients: ClientFilter | None = None
    """As in any list of clients."""
    currency: str | None = None
    """Billed in this one, or without any money."""
    elevated: bool | None = None
    """Whether anybody is partner admin or super admin there."""
    inactive_since: datetime | None = None
    """Where nobody was active from then on, or ever."""


@dataclass(slots=True, eq=False)
class AccessAgainstMoneyRecord:
    """One client with its people, its money and its last activity."""

    client_id: int
    people: int
    partner_admins: int
    super_admins: int
    weight: int
    deactivated: int
    managed_amount: Decimal | None
    sold_amount: Decimal | None
    currency: str | None
    last_active_at: datetime | None

    @property
    def elevated(self) -> int:
        """Returns how many are partner admins or super admins."""
        return self.partner_admins + self.super_admins

    @property
    def standard(self) -> int:
        """Returns how many are neither."""
        return self.people - self.elevated

    @property
    def amount_per_weight(self) -> Decimal | None:
        """Returns the managed MRR for each unit of weight, down to the ten-thousandth below; None without access or money."""
        if self.managed_amount is None or not self.weight:
            return None
        return (self.managed_amount / self.weight).quantize(Decimal("0.0001"), "ROUND_DOWN")


def _last_active(rows: FromClause) -> ColumnElement[Any]:
    at = last_activities.c.at
    found = select(func.max(at, type_=at.type)).where(last_activities.c.client_id == rows.c.id)
    return found.correlate(rows).scalar_subquery()


def _managed(rows: FromClause) -> ColumnElement[Any]:
    return func.coalesce(rows.c.managed_mrr, _NOTHING, type_=Amount())


def _per_weight(rows: FromClause) -> ColumnElement[Any]:
    # Whole ten-thousandths, as the column holds them, so that both databases round alike.
    shares = taken_as(_managed(rows), BigInteger) // func.nullif(
        as_type(weight(rows), BigInteger), 0, type_=BigInteger()
    )
    return func.coalesce(taken_as(shares, Amount()), _MOST, type_=Amount())


_VALUES = {
    AccessOrderField.WEIGHT: (SortKind.NUMBER, weight),
    AccessOrderField.ELEVATED: (SortKind.NUMBER, elevated),
    AccessOrderField.PEOPLE: (SortKind.NUMBER, lambda rows: rows.c.active_people),
    AccessOrderField.LAST_ACTIVE: (
        SortKind.MOMENT,
        lambda rows: func.coalesce(
            _last_active(rows), literal(_NEVER, last_activities.c.at.type), type_=last_activities.c.at.type
        ),
    ),
    AccessOrderField.MANAGED_MRR: (SortKind.AMOUNT, _managed),
    AccessOrderField.MANAGED_MRR_PER_WEIGHT: (SortKind.AMOUNT, _per_weight),
}
# Made once: a page's loader knows equal orders by being the same.
_ORDERS = {
    (by, descending): Order(f"access_against_money.{by}", kind, value, descending)
    for by, (kind, value) in _VALUES.items()
    for descending in (False, True)
}


def access_order(by: AccessOrderField, filter_: AccessFilter | None, *, descending: bool) -> Order:
    """Returns the ranking by one of its fields.

    Raises:
        InputError: for one by money that does not say in which currency.
    """
    if by in _BY_MONEY and (filter_ is None or filter_.currency is None):
        raise InputError(
            f"{by} compares amounts, and those of different currencies cannot be compared: say which in filter.currency."
        )
    return _ORDERS[by, descending]


MOST_ACCESS_FIRST = access_order(AccessOrderField.WEIGHT, None, descending=True)


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.active_people,
        rows.c.active_partner_admins,
        super_admins(rows),
        weight(rows),
        rows.c.deactivated_people,
        rows.c.managed_mrr,
        rows.c.sold_mrr,
        rows.c.currency,
        _last_active(rows),
    ).select_from(source)


_CLIENTS = Projection(clients, _columns, AccessAgainstMoneyRecord)


async def access_against_money_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    search: str | None = None,
    filter: AccessFilter | None = None,  # noqa: A002 the argument's name in the API
    order: Order = MOST_ACCESS_FIRST,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[AccessAgainstMoneyRecord]]:
    """Returns one page of each partner's clients, those without any access included (F21), by one statement."""
    choice = _choice(reader.viewer, search, filter).where(clients.c.partner_id == partners.c.id)
    return await _CLIENTS.pages(reader, partners, parents, choice, order=order, request=page)


async def access_against_money_total_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    search: str | None = None,
    filter: AccessFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many clients each partner has in such a list."""
    return await totals(reader, clients.c.partner_id, parents, _choice(reader.viewer, search, filter))


def _choice(viewer: Viewer, search: str | None, filter_: AccessFilter | None) -> Select[Any]:
    """Selects the clients that are meant.

    Raises:
        InputError: for what is no currency.
    """
    chosen = readable_clients(viewer)
    if filter_ is None:
        return chosen.where(*client_conditions(viewer, None, search))
    chosen = chosen.where(*client_conditions(viewer, filter_.of_clients, search))
    if filter_.currency is not None:
        if filter_.currency not in CURRENCIES:
            raise InputError("currency is the three capital letters of ISO 4217, such as EUR.")
        # Those that no money is known of at all are what the ranking is to find.
        without = and_(clients.c.currency.is_(None), clients.c.managed_mrr.is_(None))
        chosen = chosen.where(or_(clients.c.currency == filter_.currency, without))
    if filter_.elevated is not None:
        somebody = elevated(clients) > 0
        chosen = chosen.where(somebody if filter_.elevated else not_(somebody))
    if filter_.inactive_since is not None:
        last = last_activities.alias("since_then")
        active = exists().where(and_(last.c.client_id == clients.c.id, last.c.at >= filter_.inactive_since))
        chosen = chosen.where(not_(active.correlate(clients)))
    return chosen
