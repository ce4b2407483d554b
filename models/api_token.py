"""The tokens with which callers sign in."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.table import now, primary_key, reference, table


class ApiToken(SQLModel, table=True):
    """An API token of a user; only a hash of it is stored (spec P30)."""

    __tablename__ = "api_token"

    id: int | None = primary_key()
    user_id: int = reference("user.id", index=True)
    name: str
    token_hash: str = Field(unique=True)
    scopes: str
    """``read`` and ``write``, sorted and separated by spaces."""
    created_at: datetime = Field(default_factory=now)
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


api_tokens = table(ApiToken)
