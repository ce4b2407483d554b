"""What makes a retry of a write return the first answer."""

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.table import now, primary_key, reference, table


class IdempotencyKey(SQLModel, table=True):
    """A caller's key for one mutation field, with a digest of what was asked and a reference to what came of it (R22)."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("user_id", "field", "key"),)

    id: int | None = primary_key()
    user_id: int = reference("user.id")
    field: str
    key: str
    request_digest: str
    answer: str = Field(default="", sa_type=Text)
    created_at: datetime = Field(default_factory=now)


idempotency_keys = table(IdempotencyKey)
