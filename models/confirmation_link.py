"""Links by which a client confirms that it works with a partner, and lets the partner's people in whom the link names (F53)."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlmodel import Field, SQLModel

from models.access_link import LinkAnswer
from models.table import now, one_of, primary_key, reference, table


class ConfirmationLink(SQLModel, table=True):
    """A link for one client; it is answered once. The token is made as an access link's is."""

    __tablename__ = "confirmation_link"
    __table_args__ = (
        one_of("answer", LinkAnswer),
        Index("ix_confirmation_link_partner", "partner_id", "id"),
        Index("ix_confirmation_link_client", "client_id", "id"),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")
    nonce: str
    token_hash: str = Field(unique=True)
    created_by_id: int = reference("user.id")
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime
    revoked_at: datetime | None = None
    answer: LinkAnswer | None = Field(default=None, sa_type=String)
    answered_by_id: int | None = reference("user.id", nullable=True)
    answered_at: datetime | None = None


class ConfirmationLinkMember(SQLModel, table=True):
    """A person who becomes partner admin when the client confirms, and what came of it (L11)."""

    __tablename__ = "confirmation_link_member"

    link_id: int = reference("confirmation_link.id", primary_key=True)
    member_id: int = reference("member.id", primary_key=True)
    grant_id: int | None = reference("grant.id", nullable=True)
    code: str | None = None
    """Why the person was not let in; none if they were, or before the answer."""


confirmation_links = table(ConfirmationLink)
confirmation_link_members = table(ConfirmationLinkMember)
