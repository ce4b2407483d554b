"""Links by which a client lets a partner's person in, and what clients have said to them."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.table import BigKey, now, one_of, primary_key, reference, table


class LinkAnswer(StrEnum):
    """What a client says to a link (P07)."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"


class AccessLink(SQLModel, table=True):
    """A member's link (F15): whoever may, approves it for their account, and the member becomes partner admin there.

    The token is made of ``nonce`` with the service's secret key, so that the link can be shown again although only the
    token's hash is stored (L8).
    """

    __tablename__ = "access_link"
    __table_args__ = (
        # `ended` is 0 while the link can be shown and its own key afterwards: a member has one living link of each kind.
        UniqueConstraint("member_id", "single_use", "client_key", "reference", "ended"),
        Index("ix_access_link_partner", "partner_id", "id"),
        CheckConstraint("client_key = coalesce(client_id, 0)", name="client_key"),
        CheckConstraint("ended = 0 OR ended = id", name="ended"),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    member_id: int = reference("member.id")
    """Who becomes partner admin."""
    client_id: int | None = reference("client.id", nullable=True, index=True)
    """The only client whom the link is for; none for a link that any client may approve."""
    client_key: int = Field(default=0, sa_type=BigKey)
    """The client's key or 0, for the unique key."""
    single_use: bool = False
    nonce: str
    token_hash: str = Field(unique=True)
    ended: int = Field(default=0, sa_type=BigKey)
    created_by_id: int = reference("user.id")
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime
    used_at: datetime | None = None
    """When a single-use link was approved."""
    revoked_at: datetime | None = None
    revoked_by_id: int | None = reference("user.id", nullable=True)
    reference: str = ""
    """What the partner calls it (P06)."""


class LinkApproval(SQLModel, table=True):
    """What one account said to a link, each time that it changed anything (F17, L1, P06)."""

    __tablename__ = "link_approval"
    __table_args__ = (
        one_of("answer", LinkAnswer),
        Index("ix_link_approval_link", "link_id", "id"),
        Index("ix_link_approval_account", "account_id", "id"),
    )

    id: int | None = primary_key()
    link_id: int = reference("access_link.id")
    partner_id: int = reference("partner.id")
    account_id: int = reference("account.id")
    client_id: int | None = reference("client.id", nullable=True)
    """The account as the partner's client; none where a client declined of whom the partner does not know yet."""
    grant_id: int | None = reference("grant.id", nullable=True)
    answer: LinkAnswer = Field(sa_type=String)
    answered_by_id: int = reference("user.id")
    answered_at: datetime = Field(default_factory=now)


access_links = table(AccessLink)
link_approvals = table(LinkApproval)
