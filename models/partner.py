"""The agency: a partner's own account."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, String
from sqlmodel import Field, SQLModel

from models.table import now, one_of, primary_key, table


class PartnerProgram(StrEnum):
    """The programs a partner can be in; NONE owns no access data and can have no partner admins (F01)."""

    SOLUTIONS_PARTNER = "SOLUTIONS_PARTNER"
    PROVIDER = "PROVIDER"
    NONE = "NONE"


class Partner(SQLModel, table=True):
    """An agency with members and clients."""

    __tablename__ = "partner"
    __table_args__ = (one_of("program", PartnerProgram),)

    id: int | None = primary_key()
    hub_id: int = Field(sa_type=BigInteger, unique=True)
    name: str
    program: PartnerProgram = Field(sa_type=String)
    created_at: datetime = Field(default_factory=now)


partners = table(Partner)
