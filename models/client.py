"""An account as one partner knows it: the relationship."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.table import Amount, SortText, now, primary_key, reference, table


class Client(SQLModel, table=True):
    """A row of exactly one partner.

    ``active_people``, ``deactivated_people`` and ``active_partner_admins`` count this partner's grants in the account (R15);
    the transaction that writes the grants keeps them, so that a page need not count.
    """

    __tablename__ = "client"
    __table_args__ = (
        UniqueConstraint("partner_id", "account_id"),
        Index("ix_client_page", "partner_id", "sort_name", "id"),
        Index("ix_client_account_id", "account_id"),
        CheckConstraint(
            "active_people >= 0 AND deactivated_people >= 0 AND active_partner_admins >= 0", name="counters"
        ),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    account_id: int = reference("account.id")
    display_name: str | None = None
    """From the partner's own company record; without one the official name stands in (F20)."""
    managed_mrr: Decimal | None = Field(default=None, sa_type=Amount)
    sold_mrr: Decimal | None = Field(default=None, sa_type=Amount)
    currency: str | None = None
    lead_id: int | None = reference("member.id", nullable=True)
    ceiling_id: int | None = reference("permission_state.id", nullable=True)
    """The most that this partner's people may hold here, set by the client (P08); none means no ceiling."""
    longest_days: int | None = None
    """For how many days this partner's people are given access at most, set by the client (P04); none means no limit."""
    longest_days_by_id: int | None = reference("user.id", nullable=True)
    """Which of the client's people decided so last, and when; none as long as nobody has."""
    longest_days_at: datetime | None = None
    confirmed_at: datetime | None = None
    """When the client confirmed that it works with the partner (F53)."""
    active_people: int = 0
    deactivated_people: int = 0
    active_partner_admins: int = 0
    sort_name: str = Field(default="", sa_type=SortText)
    search_text: str = Field(default="", sa_type=Text)
    since: datetime = Field(default_factory=now)


clients = table(Client)
