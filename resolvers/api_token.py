"""API tokens: made once, shown once, stored only as a hash (P30)."""

import hashlib
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.api_token import api_tokens
from models.table import now
from models.user import users
from resolvers.email_address import email_key
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import optional_line, refusing_at

PREFIX = "cam_"
LONGEST_NAME = 100
SCOPES = ("read", "write")
LONGEST_LIFE = 3650
"""Days."""

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_BITS = 256


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A new token; ``secret`` is nowhere else and never again."""

    id: int
    secret: str


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What may be shown of a token."""

    id: int
    email: str
    name: str
    scopes: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def state(self, moment: datetime) -> str:
        """Returns whether it still opens anything."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= moment else "active"


def new_secret() -> str:
    """Returns ``cam_``, 256 random bits and six digits of a checksum, by which secret scanners tell it from chance."""
    body = _base_62(secrets.randbits(_SECRET_BITS), 43)
    return f"{PREFIX}{body}{_base_62(zlib.crc32(body.encode()), 6)}"


def is_token(text: str) -> bool:
    """Says whether the text is a token of this service with an intact checksum; for secret scanners and tests."""
    body, checksum = text[len(PREFIX) : -6], text[-6:]
    return text.startswith(PREFIX) and len(body) == 43 and checksum == _base_62(zlib.crc32(body.encode()), 6)


def token_hash(secret: str) -> str:
    """Returns what is stored: with 256 random bits, one round of SHA-256 cannot be turned back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _base_62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits.rjust(width, "0")


async def create_token(
    connection: AsyncConnection,
    user_id: int,
    *,
    scopes: Iterable[str] = SCOPES,
    name: str = "",
    expires_in_days: int | None = None,
    no_later_than: datetime | None = None,
) -> MadeToken:
    """Makes a token of a user, which ends after some days or at a moment, whichever comes first.

    Raises:
        RefusedError: INVALID_INPUT, for no or unknown scopes, a long name or an expiry out of range.
    """
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise refuse(RefusalCode.INVALID_INPUT, f"The scopes are {' and '.join(SCOPES)}; name one or both.", "scopes")
    if expires_in_days is not None and not 1 <= expires_in_days <= LONGEST_LIFE:
        raise refuse(RefusalCode.INVALID_INPUT, f"A token can expire in 1 to {LONGEST_LIFE} days.", "expiresInDays")
    with refusing_at("The name", "name"):
        shown = optional_line(name, LONGEST_NAME)
    secret, moment = new_secret(), now()
    ends = (no_later_than, None if expires_in_days is None else moment + timedelta(days=expires_in_days))
    values = {
        "user_id": user_id,
        "name": shown,
        "token_hash": token_hash(secret),
        "scopes": " ".join(wanted),
        "created_at": moment,
        "expires_at": min((end for end in ends if end is not None), default=None),
    }
    made = await connection.execute(api_tokens.insert().values(values).returning(api_tokens.c.id))
    return MadeToken(made.scalar_one(), secret)


async def list_tokens(connection: AsyncConnection, *, email: str | None = None) -> list[TokenRecord]:
    """Returns the tokens of everybody, or of one user, the oldest first."""
    shown = (users.c.email, *(api_tokens.c[name] for name in TokenRecord.__slots__ if name not in {"id", "email"}))
    statement = (
        select(api_tokens.c.id, *shown).join(users, users.c.id == api_tokens.c.user_id).order_by(api_tokens.c.id)
    )
    if email is not None:
        statement = statement.where(users.c.email_key == email_key(email))
    return [TokenRecord(**row._mapping) for row in await connection.execute(statement)]  # noqa: SLF001 SQLAlchemy's public name


async def revoke_token(connection: AsyncConnection, token_id: int, *, user_id: int | None = None) -> bool:
    """Revokes a token for good, if it is there (and the user's, when one is given); says whether it is revoked now."""
    mine = api_tokens.c.id == token_id
    if user_id is not None:
        mine &= api_tokens.c.user_id == user_id
    await connection.execute(update(api_tokens).where(mine, api_tokens.c.revoked_at.is_(None)).values(revoked_at=now()))
    return await connection.scalar(select(api_tokens.c.id).where(mine)) is not None
