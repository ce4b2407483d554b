"""One user's access in one account."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    FromClause,
    Index,
    String,
    UniqueConstraint,
    and_,
    exists,
    literal,
    or_,
    text,
)
from sqlmodel import Field, SQLModel

from models.member import MemberStatus, members
from models.table import BigKey, one_of, reference, table


class AccessType(StrEnum):
    """What a grant makes of a person in an account; without a grant it is NONE (F19)."""

    SUPER_ADMIN = "SUPER_ADMIN"
    PARTNER_ADMIN = "PARTNER_ADMIN"
    STANDARD = "STANDARD"
    NONE = "NONE"


class Seat(StrEnum):
    """The seat a grant takes; PARTNER is free and for eligible people only (F12)."""

    PARTNER = "PARTNER"
    CORE = "CORE"
    SALES = "SALES"
    SERVICE = "SERVICE"
    VIEW_ONLY = "VIEW_ONLY"


class GrantStatus(StrEnum):
    """(none) → ACTIVE ⇄ DEACTIVATED → REMOVED; a later grant for the same person and client is a new one."""

    ACTIVE = "ACTIVE"
    DEACTIVATED = "DEACTIVATED"
    REMOVED = "REMOVED"


_OWN_PEOPLE = text("client_id IS NULL AND ended = 0")
_OF_ACCOUNT = text("client_id IS NULL")
_SUPER_ADMIN = text("access_type = 'SUPER_ADMIN' AND status = 'ACTIVE'")
_PARTNER_ADMIN = text("access_type = 'PARTNER_ADMIN' AND status = 'ACTIVE'")
_ENDS = text("status = 'ACTIVE' AND expires_at IS NOT NULL")
_ENDED = text("ended <> 0")
_FILED = text("fork IS NOT NULL")


class Grant(SQLModel, table=True):
    """Access on behalf of a partner, or, without partner, client and member, as one of the account's own people.

    The key is made by the service: ``operation.id * 2**24 + position`` of the outcome that created the grant, so that a bulk
    write needs no round trip to learn its keys (see ``models.operation.cell_key``).
    """

    __tablename__ = "grant"
    __table_args__ = (
        # `ended` is 0 while a grant lives and its own key once it is REMOVED: one plain unique key, on every database,
        # says that a person has at most one living grant in a client, and serves the page of a client's people. It comes before
        # the person, so that what has ended is apart and costs those nothing who ask for what lives.
        UniqueConstraint("client_id", "ended", "member_id"),
        Index("ix_grant_member", "member_id", "ended", "client_id"),
        # Nothing that lives is in these, so that granting costs no more: the lists of what was removed, and `models.lifetime`.
        *(
            Index(f"ix_grant_{name}", *columns, sqlite_where=condition, postgresql_where=condition)
            for name, columns, condition in (
                ("client_removed", ("client_id", "member_id"), _ENDED),
                ("member_removed", ("member_id", "client_id"), _ENDED),
                ("client_since", ("client_id", "fork", "since"), _FILED),
                ("client_removed_at", ("client_id", "fork", "removed_at"), _FILED),
                ("member_since", ("member_id", "fork", "since"), _FILED),
                ("member_removed_at", ("member_id", "fork", "removed_at"), _FILED),
            )
        ),
        Index(
            "uq_grant_own_people",
            "account_id",
            "user_id",
            unique=True,
            sqlite_where=_OWN_PEOPLE,
            postgresql_where=_OWN_PEOPLE,
        ),
        Index("ix_grant_own_user", "user_id", sqlite_where=_OF_ACCOUNT, postgresql_where=_OF_ACCOUNT),
        Index("ix_grant_super_admin", "account_id", sqlite_where=_SUPER_ADMIN, postgresql_where=_SUPER_ADMIN),
        Index("ix_grant_partner_admin", "client_id", sqlite_where=_PARTNER_ADMIN, postgresql_where=_PARTNER_ADMIN),
        Index("ix_grant_set_version", "set_version_id", "partner_id", "id"),
        Index("ix_grant_expires_at", "expires_at", sqlite_where=_ENDS, postgresql_where=_ENDS),
        one_of("status", GrantStatus),
        one_of("seat", Seat),
        one_of("access_type", [kind for kind in AccessType if kind is not AccessType.NONE]),
        CheckConstraint("access_type <> 'PARTNER_ADMIN' OR seat = 'PARTNER'", name="partner_seat"),
        CheckConstraint("(status = 'REMOVED') = (ended = id)", name="ended"),
        CheckConstraint("(status = 'REMOVED') = (removed_at IS NOT NULL)", name="removed"),
        CheckConstraint("(fork IS NOT NULL) = (removed_at IS NOT NULL AND since < removed_at)", name="filed"),
        CheckConstraint(
            "(partner_id IS NULL) = (client_id IS NULL) AND (partner_id IS NULL) = (member_id IS NULL)",
            name="on_behalf",
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs={"autoincrement": False})
    partner_id: int | None = reference("partner.id", nullable=True)
    client_id: int | None = reference("client.id", nullable=True)
    member_id: int | None = reference("member.id", nullable=True)
    account_id: int = reference("account.id")
    user_id: int = reference("user.id")
    status: GrantStatus = Field(sa_type=String)
    ended: int = Field(default=0, sa_type=BigKey)
    access_type: AccessType = Field(sa_type=String)
    seat: Seat = Field(sa_type=String)
    state_id: int = reference("permission_state.id")
    set_version_id: int | None = reference("permission_set_version.id", nullable=True)
    customised: bool = False
    expires_at: datetime | None = None
    version: int = 1
    granted_by_id: int | None = reference("user.id", nullable=True)
    since: datetime
    removed_at: datetime | None = None
    fork: int | None = Field(default=None, sa_type=BigKey)
    """Where in the tree of ``models.lifetime`` its life hangs, once that is over."""


grants = table(Grant)
_WORKER = members.alias("worker")


def active_partner_admin(rows: FromClause, at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant makes somebody partner admin at a moment (F04)."""
    return _active(rows, AccessType.PARTNER_ADMIN, at)


def working_partner_admin(rows: FromClause, at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant makes somebody partner admin who can open the manager: an ACTIVE member (N04)."""
    works = exists().where(_WORKER.c.id == rows.c.member_id, _WORKER.c.status == MemberStatus.ACTIVE.value)
    return and_(active_partner_admin(rows, at), works.correlate(rows))


def own_person(rows: FromClause, at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant makes somebody one of the account's own people at a moment."""
    active = and_(rows.c.ended == 0, rows.c.status == GrantStatus.ACTIVE.value, unexpired(rows, at))
    return and_(rows.c.client_id.is_(None), active)


def active_super_admin(rows: FromClause, at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant makes somebody super admin at a moment (F42)."""
    return _active(rows, AccessType.SUPER_ADMIN, at)


def _active(rows: FromClause, access_type: AccessType, at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant is of an access type at a moment; as ``is_active`` says, a partial index serves."""
    kind = literal(access_type.value, String, literal_execute=True)
    return and_(rows.c.access_type == kind, is_active(rows), unexpired(rows, at))


def is_active(rows: FromClause) -> ColumnElement[bool]:
    """Returns the condition that the status of a grant is ACTIVE, expired or not.

    The value stands in the statement and not in a parameter: only then do the databases see that a partial index serves.
    """
    return rows.c.status == literal(GrantStatus.ACTIVE.value, String, literal_execute=True)


def has_ended(rows: FromClause) -> ColumnElement[bool]:
    """Returns the condition that a grant is REMOVED; as ``is_active`` says, a partial index serves."""
    return rows.c.ended != literal(0, BigInteger, literal_execute=True)


def unexpired(rows: FromClause, at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a grant still counts at a moment, though nobody may have ended it yet (P04)."""
    return or_(rows.c.expires_at.is_(None), rows.c.expires_at > at)
