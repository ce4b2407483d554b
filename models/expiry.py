"""How long access may last in a partner's clients, and what becomes of it when it ends by itself (P04)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, String
from sqlmodel import Field, SQLModel

from models.table import one_of, reference, table

REMIND_DAYS = "14 3"
"""How many days before its end people are reminded of it, if the partner has said nothing else."""


class ExpiryAction(StrEnum):
    """What becomes of access that has expired."""

    DEACTIVATE = "DEACTIVATE"
    REMOVE = "REMOVE"


class ExpiryRule(SQLModel, table=True):
    """What a partner has decided about the end of access; without a row, nothing is limited."""

    __tablename__ = "expiry_rule"
    __table_args__ = (one_of("action", ExpiryAction), CheckConstraint("longest_days > 0", name="longest"))

    partner_id: int = reference("partner.id", primary_key=True)
    longest_days: int | None = None
    """For how many days access is given at most; None for no limit."""
    action: ExpiryAction = Field(default=ExpiryAction.DEACTIVATE, sa_type=String)
    remind_days: str = REMIND_DAYS
    """Days, the most first, separated by spaces."""
    reminded_at: datetime | None = None
    """When the last round was."""
    set_by_id: int | None = reference("user.id", nullable=True)
    """Who decided it last, and when; None as long as nobody has."""
    set_at: datetime | None = None


class ExpiryHold(SQLModel, table=True):
    """Says why access that has expired stays as it is; it holds for this expiry and no later one."""

    __tablename__ = "expiry_hold"

    grant_id: int = reference("grant.id", primary_key=True)
    partner_id: int = reference("partner.id", index=True)
    expires_at: datetime
    code: str
    """An ``OutcomeCode``."""
    at: datetime


class ExpiryReminder(SQLModel, table=True):
    """Of which end of a grant people were reminded last, so that nothing is told twice; it is forgotten once that end is over."""

    __tablename__ = "expiry_reminder"

    grant_id: int = reference("grant.id", primary_key=True)
    partner_id: int = reference("partner.id", index=True)
    expires_at: datetime
    days: int
    """By which of the partner's reminders."""


expiry_rules = table(ExpiryRule)
expiry_holds = table(ExpiryHold)
expiry_reminders = table(ExpiryReminder)
