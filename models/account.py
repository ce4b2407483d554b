"""A client's account itself, the same for every partner that works in it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, String, Text
from sqlmodel import Field, SQLModel

from models.table import now, one_of, primary_key, reference, table


class AccountType(StrEnum):
    """What kind of account it is (F22)."""

    STANDARD = "STANDARD"
    SANDBOX = "SANDBOX"
    DEVELOPER_TEST = "DEVELOPER_TEST"
    APP_DEVELOPER = "APP_DEVELOPER"


class Account(SQLModel, table=True):
    """One client account, known by its Hub ID."""

    __tablename__ = "account"
    __table_args__ = (one_of("account_type", AccountType),)

    id: int | None = primary_key()
    hub_id: int = Field(sa_type=BigInteger, unique=True)
    official_name: str
    domain: str | None = None
    account_type: AccountType = Field(default=AccountType.STANDARD, sa_type=String)
    tiers: str = Field(default="", sa_type=Text)
    """The product tiers it pays for, sorted and separated by spaces (F11)."""
    registered_by_id: int | None = reference("partner.id", nullable=True)
    """The partner whose import brought the account in; only its later imports change the official data."""
    created_at: datetime = Field(default_factory=now)


accounts = table(Account)
