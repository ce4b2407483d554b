"""What the operator sees of the outbox, and does with it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.mail import mails
from models.table import now
from resolvers.error import ServiceError


class MailState(StrEnum):
    """How far a mail has come."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given up"


class OutboxError(ServiceError):
    """There is no such mail, or nothing to do with it; the message says so."""


@dataclass(frozen=True, slots=True)
class ListedMail:
    """A mail without its text, which is for its recipient."""

    id: int
    event: str
    recipient: str
    subject: str
    created_at: datetime
    due_at: datetime
    tries: int
    last_error: str | None
    sent_at: datetime | None
    given_up_at: datetime | None

    @property
    def state(self) -> MailState:
        """How far it has come."""
        if self.sent_at is not None:
            return MailState.SENT
        return MailState.WAITING if self.given_up_at is None else MailState.GIVEN_UP


@dataclass(frozen=True, slots=True)
class WrittenMail(ListedMail):
    """A mail with its text."""

    text: str


async def newest_mails(connection: AsyncConnection, count: int, *, unsent: bool) -> Sequence[ListedMail]:
    """Returns the newest mails, the newest first; only those that were not sent, if so wished."""
    query = _listed().order_by(mails.c.id.desc()).limit(count)
    if unsent:
        query = query.where(mails.c.sent_at.is_(None))
    return [ListedMail(*row) for row in await connection.execute(query)]


async def untried_mails(connection: AsyncConnection, since: datetime) -> Sequence[ListedMail]:
    """Returns the mails written since a moment that nobody has tried to send, in their order."""
    fresh = (mails.c.due_at >= since, mails.c.sent_at.is_(None), mails.c.tries == 0)
    query = _listed().where(*fresh).order_by(mails.c.due_at, mails.c.id)
    return [ListedMail(*row) for row in await connection.execute(query)]


async def written_mail(connection: AsyncConnection, key: int) -> WrittenMail:
    """Returns one mail with its text.

    Raises:
        OutboxError: if there is none with this number.
    """
    query = _listed().add_columns(mails.c.text).where(mails.c.id == key)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise OutboxError(f"There is no mail {key}; see cam outbox --all.")
    return WrittenMail(*row)


async def retry(connection: AsyncConnection, key: int) -> None:
    """Makes a mail due now, also one that was given up.

    Raises:
        OutboxError: if there is none with this number, or it was sent.
    """
    again = update(mails).where(mails.c.id == key, mails.c.sent_at.is_(None)).values(due_at=now(), given_up_at=None)
    if not (await connection.execute(again)).rowcount:
        known = await written_mail(connection, key)
        raise OutboxError(f"Mail {key} was sent at {known.sent_at:%Y-%m-%d %H:%M}; there is nothing to try again.")


def _listed() -> Select[*tuple[Any, ...]]:
    return select(*(mails.c[field.name] for field in fields(ListedMail)))
