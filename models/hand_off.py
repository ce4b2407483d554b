"""Hand-offs: somebody asks a colleague to do what their own permissions did not allow (N02)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlmodel import Field, SQLModel

from models.table import now, one_of, primary_key, reference, table


class HandOffState(StrEnum):
    """How far a hand-off is."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    """Follows from the moment, and from who has left; no row holds it."""


class HandOff(SQLModel, table=True):
    """Outcomes of an operation that one member asks another one to carry out under the other's own authority."""

    __tablename__ = "hand_off"
    __table_args__ = (
        one_of("state", [state for state in HandOffState if state is not HandOffState.EXPIRED]),
        CheckConstraint("(state = 'OPEN') = (answered_at IS NULL)", name="answered"),
        CheckConstraint("(state = 'ACCEPTED') = (accepted_id IS NOT NULL)", name="accepted"),
        CheckConstraint("asker_id <> asked_id", name="colleagues"),
        CheckConstraint("total > 0 AND left_out >= 0 AND left_out < total", name="size"),
        Index("ix_hand_off_partner", "partner_id", "id"),
        Index("ix_hand_off_asked", "asked_id", "id"),
        Index("ix_hand_off_asker", "asker_id", "id"),
        Index("ix_hand_off_operation", "operation_id", "id"),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    operation_id: int = reference("operation.id")
    """In which the outcomes are."""
    asker_id: int = reference("member.id")
    asked_id: int = reference("member.id")
    note: str = Field(default="", sa_type=Text)
    state: HandOffState = Field(default=HandOffState.OPEN, sa_type=String)
    reply: str = Field(default="", sa_type=Text)
    """Why it was declined."""
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime
    answered_at: datetime | None = None
    accepted_id: int | None = reference("operation.id", nullable=True)
    """The operation that the colleague's yes has become."""
    total: int
    """How many outcomes it has."""
    left_out: int = 0
    """How many of them the colleague's operation is not about, because something else would be given by then."""


class HandOffCell(SQLModel, table=True):
    """One outcome of a hand-off, with the grant that was there when it was handed off: what has changed since is a CONFLICT."""

    __tablename__ = "hand_off_cell"
    __table_args__ = ({"sqlite_with_rowid": False, "sqlite_strict": True},)

    hand_off_id: int = reference("hand_off.id", primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """The outcome's in its operation."""
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")
    member_id: int = reference("member.id")
    seen_grant_id: int | None = reference("grant.id", nullable=True)
    """None where the person had no access then."""
    seen_version: int | None = None


hand_offs = table(HandOff)
hand_off_cells = table(HandOffCell)
