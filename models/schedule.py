"""What was asked for ahead of its time: operations, and people's leaving (P14)."""

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from models.table import now, primary_key, reference, table

_WAITS = text("taken_at IS NULL")
_UNTOLD = text("told_at IS NULL")
_PLANNED = text("ended_at IS NULL")


class ScheduledOperation(SQLModel, table=True):
    """When an operation is to be carried out; until then it has its targets, and no place in the queue."""

    __tablename__ = "scheduled_operation"
    __table_args__ = (
        Index("ix_scheduled_operation_run_at", "run_at", sqlite_where=_WAITS, postgresql_where=_WAITS),
        Index("ix_scheduled_operation_untold", "operation_id", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
        Index("ix_scheduled_operation_partner_id", "partner_id"),
    )

    operation_id: int = reference("operation.id", primary_key=True)
    partner_id: int = reference("partner.id")
    run_at: datetime
    taken_at: datetime | None = None
    """When it was put into the queue, or cancelled."""
    told_at: datetime | None = None
    """When whoever asked was told what could not be done, or it was found out that there is nothing to tell."""


class ScheduledLeave(SQLModel, table=True):
    """Somebody's leaving the partner, on a day to come."""

    __tablename__ = "scheduled_leave"
    __table_args__ = (
        Index("ix_scheduled_leave_run_at", "run_at", sqlite_where=_PLANNED, postgresql_where=_PLANNED),
        Index("uq_scheduled_leave_member", "member_id", unique=True, sqlite_where=_PLANNED, postgresql_where=_PLANNED),
        Index("ix_scheduled_leave_partner_id", "partner_id"),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    member_id: int = reference("member.id")
    requested_by_id: int = reference("user.id")
    run_at: datetime
    request: str = Field(sa_type=Text)
    """What was asked for, as JSON; ``resolvers.schedule.leave`` reads it."""
    created_at: datetime = Field(default_factory=now)
    ended_at: datetime | None = None
    code: str | None = None
    """Why the person has not left; none if they have."""
    message: str | None = Field(default=None, sa_type=Text)
    operation_id: int | None = reference("operation.id", nullable=True)
    """The operation that has ended their access, or says why it could not."""
    cancelled_by_id: int | None = reference("user.id", nullable=True)


scheduled_operations = table(ScheduledOperation)
scheduled_leaves = table(ScheduledLeave)
