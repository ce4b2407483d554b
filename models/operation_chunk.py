"""What a queued operation still has to do: its targets, fixed when it was asked for, and the chunks in which they are worked.

A chunk is a number of whole clients, so that the guards see all that happens in a client. Its mark is set by the transaction that
writes its grants, outcomes and timeline entries: however often a chunk is delivered, it takes effect once.
"""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from models.table import BigKey, reference, table

MOST_ATTEMPTS = 3
"""How often a chunk may take its worker down with it; then it is set aside."""


class QueuedOperation(SQLModel, table=True):
    """The place of an operation in the queue, as long as it has not ended; whoever works on it holds the lock of this row."""

    __tablename__ = "queued_operation"
    __table_args__ = (
        Index("ix_queued_operation_partner_id", "partner_id", "turn", "operation_id"),
        {"sqlite_strict": True},
    )

    operation_id: int = reference("operation.id", primary_key=True)
    partner_id: int = reference("partner.id")
    turn: int = 0
    """How many of its chunks were taken up: the operations of a partner take turns."""


class OperationChunk(SQLModel, table=True):
    """A part of a queued operation that is carried out in one transaction."""

    __tablename__ = "operation_chunk"
    __table_args__ = (CheckConstraint("attempts >= 0", name="attempts"), {"sqlite_with_rowid": False})

    operation_id: int = reference("operation.id", primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    partner_id: int = reference("partner.id")
    size: int
    """How many cells it has."""
    attempts: int = 0
    """How often it was begun and neither finished nor given back: its worker was lost each time."""
    finished_at: datetime | None = None


class OperationClient(SQLModel, table=True):
    """A client of a queued operation whose targets are people × clients."""

    __tablename__ = "operation_client"
    __table_args__ = ({"sqlite_with_rowid": False, "sqlite_strict": True},)

    operation_id: int = reference("operation.id", primary_key=True)
    chunk: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")


class OperationMember(SQLModel, table=True):
    """A person of a queued operation whose targets are people × clients."""

    __tablename__ = "operation_member"
    __table_args__ = ({"sqlite_with_rowid": False, "sqlite_strict": True},)

    operation_id: int = reference("operation.id", primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    partner_id: int = reference("partner.id")
    member_id: int = reference("member.id")


class OperationPair(SQLModel, table=True):
    """A person in a client, of a queued operation whose targets are single pairs."""

    __tablename__ = "operation_pair"
    __table_args__ = ({"sqlite_with_rowid": False},)

    operation_id: int = reference("operation.id", primary_key=True)
    chunk: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")
    member_id: int = reference("member.id")
    wish: str | None = None
    """What is wanted in this pair, where they differ in it (P28); ``resolvers.operation.wish`` packs and reads it."""
    expires_at: datetime | None = None
    """When the access is to end, by such a wish."""
    seen_grant_id: int | None = Field(default=None, sa_type=cast(Any, BigKey))
    """The grant on which the wish was made, 0 for no grant; it may be gone by now."""
    seen_version: int | None = None


queued_operations = table(QueuedOperation)
operation_chunks = table(OperationChunk)
operation_clients = table(OperationClient)
operation_members = table(OperationMember)
operation_pairs = table(OperationPair)
