"""A user's place in a partner."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.table import SortText, now, one_of, primary_key, reference, table


class MemberKind(StrEnum):
    """How a person works for the partner (F24)."""

    EMPLOYEE = "EMPLOYEE"
    CONTRACTOR = "CONTRACTOR"


class MemberStatus(StrEnum):
    """Whether a person still works for the partner (F25)."""

    ACTIVE = "ACTIVE"
    DEACTIVATED = "DEACTIVATED"
    LEFT = "LEFT"


class ManagerRights(StrEnum):
    """The partner-account right *Partner employee management* (F02): VIEW sees, EDIT acts."""

    NONE = "NONE"
    VIEW = "VIEW"
    EDIT = "EDIT"


class Member(SQLModel, table=True):
    """One user in one partner; ``active_clients`` counts the ACTIVE grants and is kept by the writing transaction."""

    __tablename__ = "member"
    __table_args__ = (
        UniqueConstraint("partner_id", "user_id"),
        Index("ix_member_page", "partner_id", "sort_name", "id"),
        Index("ix_member_kind_page", "partner_id", "kind", "sort_name", "id"),
        one_of("kind", MemberKind),
        one_of("status", MemberStatus),
        one_of("manager_rights", ManagerRights),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    user_id: int = reference("user.id", index=True)
    kind: MemberKind = Field(sa_type=String)
    status: MemberStatus = Field(default=MemberStatus.ACTIVE, sa_type=String)
    verified: bool = False
    manager_rights: ManagerRights = Field(default=ManagerRights.NONE, sa_type=String)
    super_admin: bool = False
    """Super admin of the partner's own account: the manager is open to them with EDIT (F02)."""
    first_name: str = ""
    """The name as this partner writes it: no other partner sees or changes it (T1)."""
    last_name: str = ""
    default_permission_set_id: int | None = reference("permission_set.id", nullable=True)
    active_clients: int = 0
    sort_name: str = Field(default="", sa_type=SortText)
    search_text: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=now)


members = table(Member)
