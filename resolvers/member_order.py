"""What people can be sorted by (F24)."""

from enum import StrEnum

from sqlalchemy import select

from models.user import users
from resolvers.cursor import SortKind
from resolvers.page import Order


class MemberOrderField(StrEnum):
    """What people can be sorted by."""

    NAME = "NAME"
    EMAIL = "EMAIL"
    TOTAL_CLIENTS = "TOTAL_CLIENTS"
    KIND = "KIND"


_VALUES = {
    MemberOrderField.NAME: (SortKind.TEXT, lambda rows: rows.c.sort_name),
    MemberOrderField.EMAIL: (
        SortKind.TEXT,
        lambda rows: select(users.c.email_key).where(users.c.id == rows.c.user_id).correlate(rows).scalar_subquery(),
    ),
    MemberOrderField.TOTAL_CLIENTS: (SortKind.NUMBER, lambda rows: rows.c.active_clients),
    MemberOrderField.KIND: (SortKind.TEXT, lambda rows: rows.c.kind),
}


def member_order(by: MemberOrderField, *, descending: bool = False) -> Order:
    """Returns the order of people by one of its fields."""
    kind, value = _VALUES[by]
    return Order(f"member.{by}", kind, value, descending)


BY_NAME = member_order(MemberOrderField.NAME)
