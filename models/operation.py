"""One request that touches many grants, and what was decided for each kind of situation in it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Index, String, Text, false
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlmodel import Field, SQLModel

from models.grant import AccessType, GrantStatus, Seat
from models.table import BigKey, now, one_of, reference, table

CELLS = 2**24
"""The most cells that one operation can have."""


class NextOperationKey(ColumnElement[int]):
    """The next key of an operation, or of a later block of one (``models.timeline_block``): they are counted together."""

    inherit_cache = True
    type = BigKey


@compiles(NextOperationKey, "postgresql")
def _from_sequence(_element: NextOperationKey, _compiler: SQLCompiler, **_: Any) -> str:
    return "nextval('operation_id_seq')"


@compiles(NextOperationKey, "sqlite")
def _after_the_highest(_element: NextOperationKey, _compiler: SQLCompiler, **_: Any) -> str:
    return "(SELECT max(coalesce((SELECT max(id) FROM operation), 0), coalesce((SELECT max(id) FROM timeline_block), 0)) + 1)"


class OperationKind(StrEnum):
    """The verbs of the write pipeline."""

    GRANT = "GRANT"
    CHANGE = "CHANGE"
    DEACTIVATE = "DEACTIVATE"
    REACTIVATE = "REACTIVATE"
    REMOVE = "REMOVE"
    MIGRATE = "MIGRATE"
    ASSIGN_TEAMS = "ASSIGN_TEAMS"
    REAPPLY = "REAPPLY"
    UNDO = "UNDO"
    EXPIRE = "EXPIRE"


class OperationState(StrEnum):
    """How far an operation is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


UNENDED = frozenset({OperationState.QUEUED, OperationState.RUNNING})
"""The states of an operation that still has something to do."""
ENDED = frozenset(OperationState) - UNENDED
"""The others: nothing more comes of it."""


class OutcomeStatus(StrEnum):
    """What became of one cell."""

    PENDING = "PENDING"
    APPLIED = "APPLIED"
    NOOP = "NOOP"
    REJECTED = "REJECTED"
    FAILED = "FAILED"


class RuleMode(StrEnum):
    """CLAMP applies the bounded rule; STRICT rejects what it would withhold or retain (spec 2.2)."""

    CLAMP = "CLAMP"
    STRICT = "STRICT"


class Operation(SQLModel, table=True):
    """A bulk write with its counts (P01); ``request`` is what was asked for, as JSON, so that it can be read and retried."""

    __tablename__ = "operation"
    __table_args__ = (
        one_of("kind", OperationKind),
        one_of("state", OperationState),
        one_of("mode", RuleMode),
        Index("ix_operation_partner_id", "partner_id", "id"),
    )

    id: int | None = Field(
        default=None, primary_key=True, sa_type=BigKey, sa_column_kwargs={"default": NextOperationKey()}
    )
    partner_id: int | None = reference("partner.id", nullable=True)
    kind: OperationKind = Field(sa_type=String)
    state: OperationState = Field(sa_type=String)
    mode: RuleMode = Field(default=RuleMode.CLAMP, sa_type=String)
    atomic: bool = False
    requested_by_id: int | None = reference("user.id", nullable=True)
    """The person who asked; none for the service itself."""
    by_client: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether they asked for the client and not for the partner: somebody may belong to both."""
    reason: str | None = Field(default=None, sa_type=Text)
    request: str = Field(default="{}", sa_type=Text)
    created_at: datetime = Field(default_factory=now)
    finished_at: datetime | None = None
    total: int = 0
    applied: int = 0
    noop: int = 0
    rejected: int = 0
    failed: int = 0
    error: str | None = None
    """Why it FAILED, as a code."""


class OperationRetry(SQLModel, table=True):
    """Says that an operation tries the outcomes of another one again (P01)."""

    __tablename__ = "operation_retry"
    __table_args__ = ({"sqlite_strict": True},)

    operation_id: int = reference("operation.id", primary_key=True)
    partner_id: int = reference("partner.id")
    retried_id: int = reference("operation.id", index=True)


class OperationUndo(SQLModel, table=True):
    """Says that an operation takes back what another one did (N06)."""

    __tablename__ = "operation_undo"
    __table_args__ = ({"sqlite_strict": True},)

    operation_id: int = reference("operation.id", primary_key=True)
    partner_id: int = reference("partner.id")
    undone_id: int = reference("operation.id", index=True)


class OperationCancellation(SQLModel, table=True):
    """Says who stopped an operation before its end, and when."""

    __tablename__ = "operation_cancellation"

    operation_id: int = reference("operation.id", primary_key=True)
    partner_id: int = reference("partner.id")
    user_id: int = reference("user.id")
    at: datetime


class Decision(SQLModel, table=True):
    """What the rule said for one situation of one operation; many outcomes share a decision.

    ``granted``, ``revoked``, ``withheld`` and ``retained`` follow from the four states (spec 2.2), so they are not stored.
    """

    __tablename__ = "decision"
    __table_args__ = (one_of("status", OutcomeStatus),)

    operation_id: int = reference("operation.id", primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    status: OutcomeStatus = Field(sa_type=String)
    code: str | None = None
    requested_state_id: int | None = reference("permission_state.id", nullable=True)
    authority_state_id: int | None = reference("permission_state.id", nullable=True)
    dropped_state_id: int | None = reference("permission_state.id", nullable=True)
    """What a copied grant had and this client cannot have (E27)."""
    dropped_teams: str | None = Field(default=None, sa_type=Text)
    """The keys of a copied grant's teams that this client does not have, separated by spaces (E27)."""
    before_status: GrantStatus | None = Field(default=None, sa_type=String)
    before_access_type: AccessType | None = Field(default=None, sa_type=String)
    before_state_id: int | None = reference("permission_state.id", nullable=True)
    before_seat: Seat | None = Field(default=None, sa_type=String)
    before_set_version_id: int | None = reference("permission_set_version.id", nullable=True)
    after_status: GrantStatus | None = Field(default=None, sa_type=String)
    after_access_type: AccessType | None = Field(default=None, sa_type=String)
    after_state_id: int | None = reference("permission_state.id", nullable=True)
    seat: Seat | None = Field(default=None, sa_type=String)
    set_version_id: int | None = reference("permission_set_version.id", nullable=True)
    customised: bool = False


operations = table(Operation)
operation_retries = table(OperationRetry)
operation_undos = table(OperationUndo)
operation_cancellations = table(OperationCancellation)
decisions = table(Decision)


def cell_key(operation_id: int, position: int) -> int:
    """Returns the key of the grant that cell ``position`` of an operation makes, or of the timeline entry that its block has.

    Made by the service, so that grants, outcomes and timeline entries are written set-based with no round trip for keys;
    keys of one operation lie together and those of later operations are higher.
    """
    return operation_id * CELLS + position
