"""The append-only record of every change to access."""

from datetime import datetime

from sqlalchemy import Index, String, Text, text
from sqlmodel import Field, SQLModel

from models.grant import AccessType, GrantStatus, Seat
from models.table import BigKey, reference, table

_OF_ACCOUNT = text("client_id IS NULL")


class TimelineEntry(SQLModel, table=True):
    """One change of one grant: what it was before and after. Who asked, and why, stands in its operation.

    The key is that of the block in which it was written (``models.timeline_block``) and of the cell: what happened in a client, or to
    a grant, is in the order of the keys, and so are the moments ``at``; both are taken when the client is locked.
    """

    __tablename__ = "timeline_entry"
    __table_args__ = (
        Index("ix_timeline_entry_partner", "partner_id", "id"),
        Index("ix_timeline_entry_client", "client_id", "id"),
        Index("ix_timeline_entry_member", "member_id", "id"),
        Index("ix_timeline_entry_grant", "grant_id", "at", "id"),
        Index("ix_timeline_entry_account", "account_id", "id", sqlite_where=_OF_ACCOUNT, postgresql_where=_OF_ACCOUNT),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs={"autoincrement": False})
    operation_id: int = reference("operation.id")
    partner_id: int | None = reference("partner.id", nullable=True)
    account_id: int = reference("account.id")
    client_id: int | None = reference("client.id", nullable=True)
    member_id: int | None = reference("member.id", nullable=True)
    grant_id: int = reference("grant.id")
    at: datetime
    before_status: GrantStatus | None = Field(default=None, sa_type=String)
    before_access_type: AccessType | None = Field(default=None, sa_type=String)
    before_seat: Seat | None = Field(default=None, sa_type=String)
    before_state_id: int | None = reference("permission_state.id", nullable=True)
    before_set_version_id: int | None = reference("permission_set_version.id", nullable=True)
    before_expires_at: datetime | None = None
    before_teams: str | None = Field(default=None, sa_type=Text)
    """The keys of the teams, the primary one with a *, separated by spaces; none where teams were not asked for."""
    after_status: GrantStatus = Field(sa_type=String)
    after_access_type: AccessType = Field(sa_type=String)
    after_seat: Seat = Field(sa_type=String)
    after_state_id: int = reference("permission_state.id")
    after_set_version_id: int | None = reference("permission_set_version.id", nullable=True)
    after_expires_at: datetime | None = None
    after_teams: str | None = Field(default=None, sa_type=Text)


timeline_entries = table(TimelineEntry)
