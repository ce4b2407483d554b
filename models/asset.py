"""What people own in client accounts, as the partner has recorded it (F38, F39)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.table import now, one_of, primary_key, reference, table


class AssetKind(StrEnum):
    """The kinds of assets."""

    CONTACT = "CONTACT"
    COMPANY = "COMPANY"
    DEAL = "DEAL"
    TICKET = "TICKET"
    TASK = "TASK"
    WORKFLOW = "WORKFLOW"
    SEQUENCE = "SEQUENCE"
    TEMPLATE = "TEMPLATE"
    LIST = "LIST"
    REPORT = "REPORT"
    DASHBOARD = "DASHBOARD"
    FORM = "FORM"
    MEETING_PAGE = "MEETING_PAGE"
    FILE = "FILE"
    SOCIAL_ACCOUNT = "SOCIAL_ACCOUNT"


class Asset(SQLModel, table=True):
    """Something in a client's account that one of the partner's people owns, or owned until their access was removed."""

    __tablename__ = "asset"
    __table_args__ = (
        one_of("kind", AssetKind),
        UniqueConstraint("client_id", "kind", "external_id"),
        Index("ix_asset_owner", "owner_id", "client_id", "kind"),
    )

    id: int | None = primary_key()
    partner_id: int = reference("partner.id")
    client_id: int = reference("client.id")
    kind: AssetKind = Field(sa_type=String)
    external_id: str
    """Its id in the client's account."""
    name: str
    owner_id: int | None = reference("member.id", nullable=True)
    """None once the owner's access was removed and nobody took it over."""
    former_owner_id: int | None = reference("member.id", nullable=True)
    """Whose it was before the last removal of access that concerned it (F39)."""
    recorded_at: datetime = Field(default_factory=now)
    """When its owner or its name was last written."""


class AssetHolding(SQLModel, table=True):
    """How many assets of a kind a person owns in a client.

    ``version`` goes up with every change of these assets, so that a review can tell whether anything is other than it was.
    The transaction that writes the assets keeps both.
    """

    __tablename__ = "asset_holding"
    __table_args__ = (one_of("kind", AssetKind), CheckConstraint("total >= 0", name="total"))

    client_id: int = reference("client.id", primary_key=True)
    member_id: int = reference("member.id", primary_key=True, index=True)
    kind: AssetKind = Field(sa_type=String, primary_key=True)
    total: int
    version: int = 1


class AssetTransfer(SQLModel, table=True):
    """What became of the assets of one kind when a cell of an operation removed their owner's access (F39, P15)."""

    __tablename__ = "asset_transfer"
    __table_args__ = (one_of("kind", AssetKind),)

    operation_id: int = reference("operation.id", primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: AssetKind = Field(sa_type=String, primary_key=True)
    total: int
    to_id: int | None = reference("member.id", nullable=True)
    """Who took them over; none where they keep the removed person as former owner."""


assets = table(Asset)
asset_holdings = table(AssetHolding)
asset_transfers = table(AssetTransfer)
