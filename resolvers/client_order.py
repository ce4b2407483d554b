"""What clients can be sorted by (F23)."""

from decimal import Decimal
from enum import StrEnum

from sqlalchemy import func, literal, select

from models.account import accounts
from models.table import Amount
from resolvers.cursor import SortKind
from resolvers.page import Order

# Below every amount that the column can hold in practice, so that clients without one come first.
_NO_AMOUNT = Decimal(-(10**14))


class ClientOrderField(StrEnum):
    """What clients can be sorted by."""

    NAME = "NAME"
    HUB_ID = "HUB_ID"
    MANAGED_MRR = "MANAGED_MRR"
    TOTAL_EMPLOYEES = "TOTAL_EMPLOYEES"
    SINCE = "SINCE"


_VALUES = {
    ClientOrderField.NAME: (SortKind.TEXT, lambda rows: rows.c.sort_name),
    ClientOrderField.HUB_ID: (
        SortKind.NUMBER,
        lambda rows: (
            select(accounts.c.hub_id).where(accounts.c.id == rows.c.account_id).correlate(rows).scalar_subquery()
        ),
    ),
    ClientOrderField.MANAGED_MRR: (
        SortKind.AMOUNT,
        lambda rows: func.coalesce(rows.c.managed_mrr, literal(_NO_AMOUNT, Amount())),
    ),
    ClientOrderField.TOTAL_EMPLOYEES: (SortKind.NUMBER, lambda rows: rows.c.active_people),
    ClientOrderField.SINCE: (SortKind.MOMENT, lambda rows: rows.c.since),
}


def client_order(by: ClientOrderField, *, descending: bool = False) -> Order:
    """Returns the order of clients by one of its fields; those without managed MRR count as less than any amount."""
    kind, value = _VALUES[by]
    return Order(f"client.{by}", kind, value, descending)


BY_NAME = client_order(ClientOrderField.NAME)
