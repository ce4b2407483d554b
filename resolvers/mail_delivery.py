"""Sends what is in the outbox: at least once, by one process at a time, and the same message at each try.

A mail is claimed by moving its due moment forward in a short transaction, as a lease: nothing is locked while the servers talk,
and what a process leaves behind that dies is taken over when the lease has run out. What is nobody's fault but the mail server's
own, and a stop, gives the mail back as it was.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any, TypeAlias

import structlog
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from sqlalchemy import Select, select, update

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
GIVE_BACK_SECONDS = 5.0
"""How long a service that stops waits for the database to take the mail under way back."""
LONGEST_ERROR = 500
_NOT_FROM_US = frozenset({421, 530, 535, 550, 553, 554})
"""Answers to the sender that have nothing to do with the mail, unlike one about its size."""


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A mail that is this process's to send until ``leased_until``; the rest is the row as it was before."""

    leased_until: datetime
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
    """Whether it has nothing to do with the mail: no connection, or the server does not let us in."""
    ends_round: bool = False
    """Whether the next mail would hardly fare better."""


@dataclass(frozen=True, slots=True)
class Round:
    """How far one delivery came."""

    sent: int = 0
    answered: int = 0
    """How many mails the server took or refused: it works."""
    failure: Failure | None = None
    """What ended it before all that was due had its turn."""


Stop: TypeAlias = Callable[[], bool]
"""Says whether to end before the next mail."""


async def deliver(database: Database, server: MailServer, sender: Address, stop: Stop = lambda: False) -> Round:
    """Sends the mails that are due, in their order, over one connection; returns how far it came.

    A mail that the server does not take now waits, longer after each try; one that it refuses for good is given up. Where it is the
    server that fails, no mail pays for it: the mail keeps its tries and its place, and the round ends. A connection that breaks
    within a mail ends the round too, but the mail waits, for it may be the mail that breaks it.
    """
    sent = answered = 0
    client = server.client()
    async with AsyncExitStack() as connected:
        while not stop() and (mail := await claim(database)) is not None:
            try:
                failure = await _send(client, connected, mail, sender)
            except asyncio.CancelledError:
                # Not politely: a server that hangs would not hear it.
                client.close()
                await _leave(database, mail)
                raise
            await _record(database, mail, failure)
            if failure is not None and failure.ends_round:
                client.close()
                return Round(sent, answered, failure)
            answered += 1
            sent += failure is None
    return Round(sent, answered)


async def claim(database: Database) -> ClaimedMail | None:
    """Takes the mail that has been due longest, if there is any; no other process gets it before the lease has run out."""
    moment = now()
    columns: list[Any] = [mails.c[field.name] for field in fields(ClaimedMail)[1:]]
    waits = (mails.c.sent_at.is_(None), mails.c.given_up_at.is_(None), mails.c.due_at <= moment)
    due: Select[Any] = select(*columns).where(*waits).order_by(mails.c.due_at, mails.c.id).limit(1)
    async with database.read() as connection:
        # Most rounds find nothing, and a look does not wait for whoever writes.
        if (await connection.execute(due)).one_or_none() is None:
            return None
    async with database.write() as session:
        connection = await session.connection()
        row = (await connection.execute(due.with_for_update(skip_locked=True))).one_or_none()
        if row is None:
            return None
        mail = ClaimedMail(moment + LEASE, *row)
        taken = update(mails).where(mails.c.id == mail.id).values(due_at=mail.leased_until, tries=mail.tries + 1)
        await connection.execute(taken)
    return mail


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
    except SMTPAuthenticationError as error:
        return _of_server(f"the mail server refused the sign-in: check CAM_SMTP_URL ({_said(error)})")
    except (SMTPException, OSError) as error:
        return _of_server(f"no connection to the mail server: {_said(error)}")
    try:
        async with asyncio.timeout(SENDING_SECONDS):
            await client.send_message(message(mail, sender))
    except SMTPSenderRefused as error:
        if error.code in _NOT_FROM_US:
            return _of_server(
                f"the mail server refused the sender: check CAM_MAIL_FROM and CAM_SMTP_URL ({_said(error)})"
            )
        return Failure(_said(error))
    except (SMTPException, OSError, ValueError) as error:
        return Failure(_said(error), is_final=_is_final(error), ends_round=isinstance(error, OSError))
    return None


def _of_server(reason: str) -> Failure:
    return Failure(reason[:LONGEST_ERROR], is_everybodys=True, ends_round=True)


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
    elif isinstance(error, SMTPResponseException):
        text = f"{error.code} {error.message}"
    else:
        text = " ".join(map(str, error.args)) or type(error).__name__
    return " ".join(text.split())[:LONGEST_ERROR]


async def _record(database: Database, mail: ClaimedMail, failure: Failure | None) -> None:
    moment = now()
    known: dict[str, Any] = {"about": mail.event, "recipient": mail.recipient, "tries": mail.tries + 1}
    if failure is None:
        # Sent is sent, even if the lease ran out meanwhile.
        await _update(database, mail, sent_at=moment, given_up_at=None, last_error=None)
        log.info("mail sent", **known)
    elif failure.is_everybodys:
        await _give_back(database, mail, failure.reason)
    elif failure.is_final:
        await _update(database, mail, failure.reason, given_up_at=moment)
        log.warning("mail given up", **known, reason=failure.reason)
    else:
        again = moment + min(FIRST_WAIT * 2 ** min(mail.tries, 16), LONGEST_WAIT)
        await _update(database, mail, failure.reason, due_at=again)
        log.warning("mail not sent", **known, reason=failure.reason, again=again.isoformat(timespec="seconds"))


async def _leave(database: Database, mail: ClaimedMail) -> None:
    """Gives back the mail under way when the service stops, so that the next start sends it at once."""
    # Where there is no time for it, the lease runs out by itself.
    with suppress(TimeoutError):
        async with asyncio.timeout(GIVE_BACK_SECONDS):
            await _give_back(database, mail, "the service stopped while it was sent")
    log.info("mail left for the next start", about=mail.event, recipient=mail.recipient)


async def _give_back(database: Database, mail: ClaimedMail, reason: str) -> None:
    await _update(database, mail, reason, due_at=mail.due_at, tries=mail.tries)


async def _update(database: Database, mail: ClaimedMail, reason: str | None = None, **values: Any) -> None:
    ours = update(mails).where(mails.c.id == mail.id, mails.c.sent_at.is_(None))
    if reason is not None:
        # Whoever took it over after the lease knows better.
        ours = ours.where(mails.c.due_at == mail.leased_until)
        values["last_error"] = reason
    async with database.write() as session:
        await (await session.connection()).execute(ours.values(**values))
