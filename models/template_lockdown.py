"""Access that is given by permission sets only, and never permission by permission (P27)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from models.table import now, primary_key, reference, table

_IN_FORCE = text("ended_at IS NULL")


class TemplateLockdown(SQLModel, table=True):
    """A partner's, for all of its clients, or an account's, for all of its partners; one of each is in force at a time.

    Rows stay when they have ended. Access is not changed by it, so the timeline does not tell of it.
    """

    __tablename__ = "template_lockdown"
    __table_args__ = (
        CheckConstraint("(partner_id IS NULL) <> (account_id IS NULL)", name="owner"),
        Index(
            "uq_template_lockdown_partner_id",
            "partner_id",
            unique=True,
            sqlite_where=_IN_FORCE,
            postgresql_where=_IN_FORCE,
        ),
        Index(
            "uq_template_lockdown_account_id",
            "account_id",
            unique=True,
            sqlite_where=_IN_FORCE,
            postgresql_where=_IN_FORCE,
        ),
    )

    id: int | None = primary_key()
    partner_id: int | None = reference("partner.id", nullable=True)
    account_id: int | None = reference("account.id", nullable=True)
    reason: str | None = Field(default=None, sa_type=Text)
    set_by_id: int = reference("user.id")
    since: datetime = Field(default_factory=now)
    ended_by_id: int | None = reference("user.id", nullable=True)
    ended_at: datetime | None = None


class TemplateLockdownSet(SQLModel, table=True):
    """A permission set that may be given under a lockdown; without any row all may."""

    __tablename__ = "template_lockdown_set"

    lockdown_id: int = reference("template_lockdown.id", primary_key=True)
    set_id: int = reference("permission_set.id", primary_key=True)


template_lockdowns = table(TemplateLockdown)
template_lockdown_sets = table(TemplateLockdownSet)
