"""What people tell about the product: feedback, permissions that do not work as they should, votes for wishes (F46 to F48)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, Text
from sqlmodel import Field, SQLModel

from models.table import now, one_of, primary_key, reference, table


class FeedbackKind(StrEnum):
    """What feedback is about (F46)."""

    BUG = "BUG"
    FEEDBACK = "FEEDBACK"


class Feedback(SQLModel, table=True):
    """A message to whoever runs the service."""

    __tablename__ = "feedback"
    __table_args__ = (one_of("kind", FeedbackKind),)

    id: int | None = primary_key()
    partner_id: int | None = reference("partner.id", nullable=True)
    user_id: int = reference("user.id")
    kind: FeedbackKind = Field(sa_type=String)
    subject: str
    details: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now)


class PermissionIssue(SQLModel, table=True):
    """A report that a person's permission in a client does not work as it should (F47)."""

    __tablename__ = "permission_issue"

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")
    member_id: int = reference("member.id")
    permission: str
    details: str = Field(sa_type=Text)
    user_id: int = reference("user.id")
    created_at: datetime = Field(default_factory=now)


class WishVote(SQLModel, table=True):
    """One person's vote for one wish (F48); wishes are data, known by their key."""

    __tablename__ = "wish_vote"

    wish: str = Field(primary_key=True)
    user_id: int = reference("user.id", primary_key=True)
    created_at: datetime = Field(default_factory=now)


feedback = table(Feedback)
permission_issues = table(PermissionIssue)
wish_votes = table(WishVote)
