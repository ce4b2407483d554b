"""Sends what is in the outbox: at least once, by one process at a time, and the same message at each try.

A mail is claimed by moving its due moment forward in a short transaction, as a lease: nothing is locked while the servers talk,
and what a process leaves behind that dies is taken over when the lease has run out.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any, TypeAlias

import structlog
from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPNotSupported, SMTPRecipientsRefused
from sqlalchemy import select, update

from models.database import Database
from models.mail import mails
from models.table import now
from resolvers.mail_server import MailServer, mailbox

log = structlog.stdlib.get_logger(__name__)

LEASE = timedelta(minutes=5)
"""How long a mail is one process's."""
SENDING_SECONDS = 120.0
"""How long the sending of one mail may take: well within its lease."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
"""How long a mail waits after its first failure, and after many."""
LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A mail that is this process's to send until ``due_at``."""

    id: int
    event: str
    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime
    due_at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mail was not sent."""

    reason: str
    is_final: bool = False
    """Whether the server will never take it."""
    is_everybodys: bool = False
    """Whether the next mail would not fare better: there is no connection."""


Stop: TypeAlias = Callable[[], bool]
"""Says whether to end before the next mail."""


async def deliver(database: Database, server: MailServer, sender: Address, stop: Stop = lambda: False) -> int:
    """Sends the mails that are due, in their order, over one connection; returns how many.

    A mail that the server does not take now waits, longer after each try; one that it refuses for good is given up. Without a
    connection the others are left for later.
    """
    sent = 0
    client = server.client()
    async with AsyncExitStack() as connected:
        while not stop() and (mail := await claim(database)) is not None:
            failure = await _send(client, connected, mail, sender)
            await _record(database, mail, failure)
            if failure is None:
                sent += 1
            elif failure.is_everybodys:
                client.close()
                break
    return sent


async def claim(database: Database) -> ClaimedMail | None:
    """Takes the mail that has been due longest, if there is any; no other process gets it before the lease has run out."""
    moment = now()
    due = (
        select(mails.c.id)
        .where(mails.c.sent_at.is_(None), mails.c.given_up_at.is_(None), mails.c.due_at <= moment)
        .order_by(mails.c.due_at, mails.c.id)
        .limit(1)
    )
    async with database.read() as connection:
        # Most rounds find nothing, and a look does not wait for whoever writes.
        if await connection.scalar(due) is None:
            return None
    claiming = (
        update(mails)
        .where(mails.c.id == due.with_for_update(skip_locked=True).scalar_subquery())
        .values(due_at=moment + LEASE, tries=mails.c.tries + 1)
        .returning(*(mails.c[field.name] for field in fields(ClaimedMail)))
    )
    async with database.write() as session:
        row = (await (await session.connection()).execute(claiming)).one_or_none()
    return None if row is None else ClaimedMail(*row)


def message(mail: ClaimedMail, sender: Address) -> EmailMessage:
    """Returns the mail as it is sent: the same at each try.

    Raises:
        ValueError: if it cannot be sent to such an address.
    """
    made = EmailMessage(policy=SMTP_POLICY)
    made["From"] = sender
    made["To"] = mailbox(mail.recipient)
    made["Subject"] = mail.subject
    made["Date"] = mail.created_at
    made["Message-ID"] = f"<{mail.message_id}>"
    # Nobody's holiday notice answers it (RFC 3834).
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(mail.text)
    made.add_alternative(mail.html, subtype="html")
    # Otherwise by chance, and another at each try.
    made.set_boundary(mail.message_id.partition("@")[0])
    return made


async def _send(client: SMTP, connected: AsyncExitStack, mail: ClaimedMail, sender: Address) -> Failure | None:
    try:
        async with asyncio.timeout(SENDING_SECONDS):
            if not client.is_connected:
                await connected.enter_async_context(client)
    except (SMTPException, OSError) as error:
        return Failure(f"no connection to the mail server: {_said(error)}", is_everybodys=True)
    try:
        async with asyncio.timeout(SENDING_SECONDS):
            await client.send_message(message(mail, sender))
    except (SMTPException, OSError, ValueError) as error:
        return Failure(_said(error), is_final=_is_final(error), is_everybodys=isinstance(error, OSError))
    return None


def _is_final(error: Exception) -> bool:
    """Tells whether trying again is of no use; a refused sender or password is the operator's to mend, and can be."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(refused.code >= 500 for refused in error.recipients)
    if isinstance(error, SMTPDataError):
        return error.code >= 500
    return isinstance(error, SMTPNotSupported | ValueError)


def _said(error: Exception) -> str:
    if isinstance(error, SMTPRecipientsRefused):
        text = "; ".join(f"{refused.code} {refused.message}" for refused in error.recipients)
    else:
        text = " ".join(map(str, error.args)) or type(error).__name__
    return " ".join(text.split())[:LONGEST_ERROR]


async def _record(database: Database, mail: ClaimedMail, failure: Failure | None) -> None:
    moment = now()
    known: dict[str, Any] = {"about": mail.event, "recipient": mail.recipient, "tries": mail.tries}
    if failure is None:
        # Sent is sent, even if the lease ran out meanwhile.
        await _update(database, mail, sent_at=moment, given_up_at=None, last_error=None)
        log.info("mail sent", **known)
    elif failure.is_final:
        await _update(database, mail, failure, given_up_at=moment)
        log.warning("mail given up", **known, reason=failure.reason)
    else:
        again = moment + min(FIRST_WAIT * 2 ** min(mail.tries - 1, 16), LONGEST_WAIT)
        await _update(database, mail, failure, due_at=again)
        log.warning("mail not sent", **known, reason=failure.reason, again=again.isoformat(timespec="seconds"))


async def _update(database: Database, mail: ClaimedMail, failure: Failure | None = None, **values: Any) -> None:
    ours = update(mails).where(mails.c.id == mail.id, mails.c.sent_at.is_(None))
    if failure is not None:
        # Whoever took it over after the lease knows better.
        ours = ours.where(mails.c.due_at == mail.due_at)
        values["last_error"] = failure.reason
    async with database.write() as session:
        await (await session.connection()).execute(ours.values(**values))
