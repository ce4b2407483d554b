"""Named, versioned templates of permissions."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from models.table import now, one_of, primary_key, reference, table


class PermissionSetOrigin(StrEnum):
    """Whose set it is."""

    BUILT_IN = "BUILT_IN"
    PARTNER = "PARTNER"
    CLIENT = "CLIENT"


class PermissionSet(SQLModel, table=True):
    """A template; editing makes a new version and the grants remember theirs (P12)."""

    __tablename__ = "permission_set"
    __table_args__ = (
        one_of("origin", PermissionSetOrigin),
        CheckConstraint(
            "(origin = 'BUILT_IN' AND key IS NOT NULL AND partner_id IS NULL AND account_id IS NULL)"
            " OR (origin = 'PARTNER' AND partner_id IS NOT NULL AND account_id IS NULL)"
            " OR (origin = 'CLIENT' AND account_id IS NOT NULL AND partner_id IS NULL)",
            name="owner",
        ),
        Index(
            "uq_permission_set_partner_name",
            "partner_id",
            "name_key",
            unique=True,
            sqlite_where=text("archived_at IS NULL"),
            postgresql_where=text("archived_at IS NULL"),
        ),
        Index(
            "uq_permission_set_account_name",
            "account_id",
            "name_key",
            unique=True,
            sqlite_where=text("archived_at IS NULL"),
            postgresql_where=text("archived_at IS NULL"),
        ),
    )

    id: int | None = primary_key()
    origin: PermissionSetOrigin = Field(sa_type=String)
    key: str | None = Field(default=None, unique=True)
    """The name of a built-in set in its data file."""
    partner_id: int | None = reference("partner.id", nullable=True)
    account_id: int | None = reference("account.id", nullable=True)
    name: str
    name_key: str
    """The folded name: two sets of one owner may not differ by case or accents only."""
    description: str = Field(default="", sa_type=Text)
    version: int = 1
    archived_at: datetime | None = None


class PermissionSetVersion(SQLModel, table=True):
    """What a set contained from one edit to the next."""

    __tablename__ = "permission_set_version"
    __table_args__ = (UniqueConstraint("set_id", "version"),)

    id: int | None = primary_key()
    set_id: int = reference("permission_set.id")
    version: int
    state_id: int = reference("permission_state.id")
    created_by_id: int | None = reference("user.id", nullable=True)
    created_at: datetime = Field(default_factory=now)


permission_sets = table(PermissionSet)
permission_set_versions = table(PermissionSetVersion)
