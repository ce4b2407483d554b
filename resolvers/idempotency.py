"""Idempotency: a retry with the same key gets the first answer, and nothing is done twice (R22)."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from models.dialect import insert_or_ignore
from models.idempotency_key import idempotency_keys
from models.table import now
from resolvers.error import AccessCode, AccessError

KEPT = timedelta(hours=24)
"""For how long an answer is kept; then the key is as good as new."""


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """One call of a mutation field under a caller's key."""

    user_id: int
    field: str
    key: str
    request: str
    """What was asked, as text: the same key for something else is a mistake of the caller."""

    @property
    def digest(self) -> str:
        """Returns what stands for the request in the database."""
        return hashlib.sha256(self.request.encode()).hexdigest()


async def remembered(session: AsyncSession, call: IdempotentCall | None) -> Any:
    """Claims the key for this transaction; returns the first answer if the call was answered before, else None.

    Raises:
        AccessError: IDEMPOTENCY_KEY_MISMATCH, if the key was used for another request.
    """
    if call is None:
        return None
    connection = await session.connection()
    outlived = delete(idempotency_keys).where(
        idempotency_keys.c.user_id == call.user_id, idempotency_keys.c.created_at < now() - KEPT
    )
    await connection.execute(outlived)
    # Writing first and reading afterwards: on PostgreSQL a second call waits here until the first has committed.
    row = {"user_id": call.user_id, "field": call.field, "key": call.key}
    claim = insert_or_ignore(connection, idempotency_keys).values(
        **row, request_digest=call.digest, answer="", created_at=now()
    )
    await connection.execute(claim)
    found = (
        await connection.execute(select(idempotency_keys.c.request_digest, idempotency_keys.c.answer).filter_by(**row))
    ).one()
    if found.request_digest != call.digest:
        raise AccessError(
            AccessCode.IDEMPOTENCY_KEY_MISMATCH,
            "This idempotency key was used for another request: send a new key with a new request.",
        )
    return json.loads(found.answer) if found.answer else None


async def remember(session: AsyncSession, call: IdempotentCall | None, answer: Any) -> None:
    """Keeps the answer to a call: the key of what it made, or a list of plain values."""
    if call is None:
        return
    connection = await session.connection()
    await connection.execute(
        update(idempotency_keys)
        .where(
            idempotency_keys.c.user_id == call.user_id,
            idempotency_keys.c.field == call.field,
            idempotency_keys.c.key == call.key,
        )
        .values(answer=json.dumps(answer))
    )
