"""Pods: a group of clients × a group of people × a permission set (P09), and who may edit them (P10)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from models.table import SortText, now, primary_key, reference, table


class Pod(SQLModel, table=True):
    """What a partner gives some of its people in some of its clients."""

    __tablename__ = "pod"
    __table_args__ = (UniqueConstraint("partner_id", "name_key", name="uq_pod_name"),)

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    name: str
    name_key: str = Field(sa_type=SortText)
    """The name without case and accents: no two pods of a partner have the same."""
    set_id: int = reference("permission_set.id")
    created_by_id: int = reference("user.id")
    created_at: datetime = Field(default_factory=now)


class PodClient(SQLModel, table=True):
    """A client of a pod."""

    __tablename__ = "pod_client"
    __table_args__ = (Index("ix_pod_client_client", "client_id", "pod_id"), {"sqlite_with_rowid": False})

    pod_id: int = reference("pod.id", primary_key=True)
    client_id: int = reference("client.id", primary_key=True)
    partner_id: int = reference("partner.id")


class PodMember(SQLModel, table=True):
    """A person of a pod."""

    __tablename__ = "pod_member"
    __table_args__ = (Index("ix_pod_member_member", "member_id", "pod_id"), {"sqlite_with_rowid": False})

    pod_id: int = reference("pod.id", primary_key=True)
    member_id: int = reference("member.id", primary_key=True)
    partner_id: int = reference("partner.id")


class PodExclusion(SQLModel, table=True):
    """A person in a client to whom the pod gives nothing there, be they in its groups or not."""

    __tablename__ = "pod_exclusion"
    __table_args__ = (
        UniqueConstraint("pod_id", "client_id", "member_id"),
        Index("ix_pod_exclusion_member", "member_id", "pod_id"),
    )

    id: int | None = primary_key()
    pod_id: int = reference("pod.id")
    client_id: int = reference("client.id")
    member_id: int = reference("member.id")
    partner_id: int = reference("partner.id")


class PodCell(SQLModel, table=True):
    """A person in a client to whom the pod gives its set, or gave it and has not taken it away yet.

    There is a row for each pair of the pod's groups that is not excluded, and one for whatever is still to be taken away.
    """

    __tablename__ = "pod_cell"
    __table_args__ = (
        UniqueConstraint("pod_id", "client_id", "member_id"),
        Index("ix_pod_cell_grant", "grant_id"),
        Index("ix_pod_cell_member", "member_id", "pod_id"),
        CheckConstraint("(grant_id IS NULL) = (set_id IS NULL)", name="given"),
        CheckConstraint("NOT leaving OR grant_id IS NOT NULL", name="leaving"),
    )

    id: int | None = primary_key()
    pod_id: int = reference("pod.id")
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")
    member_id: int = reference("member.id")
    leaving: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether the pair is in the pod no more."""
    grant_id: int | None = reference("grant.id", nullable=True)
    """The access that the pod gave; None where it gave none."""
    set_id: int | None = reference("permission_set.id", nullable=True)
    """The pod's set when it gave it: access that has another set by now, or differs from it, is somebody else's doing."""


class PodEditor(SQLModel, table=True):
    """A person who may edit the partner's pods; its super admins may without it."""

    __tablename__ = "pod_editor"

    member_id: int = reference("member.id", primary_key=True)
    partner_id: int = reference("partner.id")
    given_by_id: int = reference("user.id")
    since: datetime = Field(default_factory=now)


pods = table(Pod)
pod_clients = table(PodClient)
pod_members = table(PodMember)
pod_exclusions = table(PodExclusion)
pod_cells = table(PodCell)
pod_editors = table(PodEditor)
