"""The seals of the timeline: a chain of hashes for each partner, so that it proves that it was not altered (N07)."""

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.table import BigKey, reference, table

NOBODYS = 0
"""The chain of the operations that are no partner's."""


class TimelineBlock(SQLModel, table=True):
    """What one transaction wrote of one operation: its entries of the timeline and its outcomes, sealed by a hash.

    Most operations have one block, with the operation's own key. A queued one has a block for being asked for, one for each chunk and
    one for being cancelled; their keys are taken from the operations' when they are written, so that the entries in them come after
    whatever happened before in the same clients.
    """

    __tablename__ = "timeline_block"
    __table_args__ = (
        UniqueConstraint("chain", "number"),
        Index("ix_timeline_block_operation_id", "operation_id"),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs={"autoincrement": False})
    operation_id: int = reference("operation.id")
    chain: int = Field(sa_type=BigKey)
    """The partner's key, or ``NOBODYS``."""
    number: int
    """Counts a chain's blocks in the order in which they were committed, from 1 on."""
    closing: bool
    """Whether the operation had ended: then the seal covers its result and its decisions as well."""
    entries: int
    outcomes: int
    sealed_at: datetime
    hash: str = Field(sa_type=String)
    """SHA-256 of the contents and of the hash before, in hexadecimal digits."""


timeline_blocks = table(TimelineBlock)
