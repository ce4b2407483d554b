"""What people did in client accounts, as the tools of their partner tell it (F52), and what is kept of it for reading.

Only events are told. Totals and last moments are made of them by the transaction that writes them (``resolvers.activity.write``), so
that neither a summary nor a list of people ever goes through the events.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.table import BigKey, one_of, primary_key, reference, table


class ActivityKind(StrEnum):
    """What somebody did, as coarse as people want to count it; what exactly stands in the subject."""

    SIGNED_IN = "SIGNED_IN"
    VIEWED = "VIEWED"
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    COMMUNICATED = "COMMUNICATED"
    IMPORTED = "IMPORTED"
    EXPORTED = "EXPORTED"
    CONFIGURED = "CONFIGURED"
    OTHER = "OTHER"


class ActivitySource(SQLModel, table=True):
    """A tool that tells what people did, as a partner names it; event ids are unique within it.

    Whoever records locks its row, so two calls with the same events count them once.
    """

    __tablename__ = "activity_source"
    __table_args__ = (UniqueConstraint("partner_id", "name"),)

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    name: str


class ActivityEvent(SQLModel, table=True):
    """Something that a person did in a client's account. The account follows from the client."""

    __tablename__ = "activity_event"
    __table_args__ = (
        one_of("kind", ActivityKind),
        UniqueConstraint("source_id", "event_id"),
        Index("ix_activity_event_partner", "partner_id", "at", "id"),
        Index("ix_activity_event_client", "client_id", "at", "id"),
        Index("ix_activity_event_member", "member_id", "at", "id"),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")
    member_id: int = reference("member.id")
    source_id: int = reference("activity_source.id")
    event_id: str
    """What the source calls it."""
    kind: ActivityKind = Field(sa_type=String)
    permission: str | None = None
    """The key of the permission that it needed, if the source knows (N09)."""
    subject: str | None = None
    at: datetime


class ActivityDay(SQLModel, table=True):
    """How often a person did something in a client on a day in UTC, and when last: all that a summary reads."""

    __tablename__ = "activity_day"
    __table_args__ = (
        one_of("kind", ActivityKind),
        CheckConstraint("total > 0", name="total"),
        Index("ix_activity_day_client", "client_id", "member_id", "day"),
        Index("ix_activity_day_member", "member_id", "day"),
        {"sqlite_with_rowid": False},
    )

    partner_id: int = reference("partner.id", primary_key=True)
    day: date = Field(primary_key=True)
    client_id: int = reference("client.id", primary_key=True)
    member_id: int = reference("member.id", primary_key=True)
    kind: ActivityKind = Field(sa_type=String, primary_key=True)
    permission: str = Field(primary_key=True)
    """The key of the permission; empty for events that name none."""
    total: int = Field(sa_type=BigKey)
    last_at: datetime


class LastActivity(SQLModel, table=True):
    """When a person last did something in a client. Apart from the grants, whose rows many operations wait for."""

    __tablename__ = "last_activity"
    __table_args__ = ({"sqlite_with_rowid": False},)

    client_id: int = reference("client.id", primary_key=True)
    member_id: int = reference("member.id", primary_key=True, index=True)
    partner_id: int = reference("partner.id")
    at: datetime


activity_sources = table(ActivitySource)
activity_events = table(ActivityEvent)
activity_days = table(ActivityDay)
last_activities = table(LastActivity)
