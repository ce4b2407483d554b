"""What became of each person and client of an operation."""

from sqlalchemy import Index, String, text
from sqlmodel import Field, SQLModel

from models.operation import OutcomeStatus
from models.table import BigKey, one_of, reference, table

_NOT_APPLIED = text("status <> 'APPLIED'")


class Outcome(SQLModel, table=True):
    """One cell of an operation; what was decided stands in its decision, which many outcomes share."""

    __tablename__ = "outcome"
    __table_args__ = (
        one_of("status", OutcomeStatus),
        Index(
            "ix_outcome_not_applied",
            "operation_id",
            "status",
            "position",
            sqlite_where=_NOT_APPLIED,
            postgresql_where=_NOT_APPLIED,
        ),
        # What was tried in vain for somebody somewhere: those who ask why they lack something ask that (P11).
        Index(
            "ix_outcome_in_vain",
            "client_id",
            "member_id",
            "operation_id",
            sqlite_where=_NOT_APPLIED,
            postgresql_where=_NOT_APPLIED,
        ),
        {"sqlite_with_rowid": False},
    )

    operation_id: int = reference("operation.id", primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    client_id: int = reference("client.id")
    member_id: int = reference("member.id")
    grant_id: int | None = reference("grant.id", nullable=True)
    decision: int
    status: OutcomeStatus = Field(sa_type=String)
    block_id: int | None = Field(default=None, sa_type=BigKey)
    """The block of the timeline in which it is sealed, where that is not the one with the operation's own key."""


outcomes = table(Outcome)
