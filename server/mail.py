"""Delivers mails while the service runs; without a mail server it tells the log of each that waits in the outbox."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from models.database import Database
from models.table import now
from resolvers.mail_delivery import Round, deliver
from resolvers.mail_server import mail_sender, mail_server
from resolvers.outbox import untried_mails
from server.setting import Settings

log = structlog.stdlib.get_logger(__name__)

LOOK_EVERY = 2.0
"""Seconds between two looks into the outbox."""
LONGEST_PAUSE = 300.0
"""Seconds between two looks when the mail server has failed again and again: the pause doubles each time."""
STOP_SECONDS = 2.0
"""How long the mail under way may take when the service stops; then it is left for the next start."""
FRESH = timedelta(minutes=10)
"""How far back the log tells of mails that wait: longer than any transaction takes from writing one to its commit."""

Look = Callable[[], Awaitable[float]]
"""Looks into the outbox; returns how many seconds later to look again."""


@asynccontextmanager
async def mail_delivery(settings: Settings, database: Database) -> AsyncIterator[None]:
    """Looks into the outbox every few seconds; at the end the mail under way may still be sent, and no other is begun."""
    stopping = asyncio.Event()
    task = asyncio.create_task(_looking(_look(settings, database, stopping), stopping))
    try:
        yield
    finally:
        stopping.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(task, STOP_SECONDS)


def _look(settings: Settings, database: Database, stopping: asyncio.Event) -> Look:
    """Returns what is done at each look."""
    if settings.smtp_url is None or settings.mail_from is None:
        return _Waiting(database).look
    server, sender = mail_server(settings.smtp_url), mail_sender(settings.mail_from)
    return _Sending(partial(deliver, database, server, sender, stopping.is_set)).look


async def _looking(look: Look, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        pause = LOOK_EVERY
        try:
            pause = await look()
        except SQLAlchemyError:
            log.warning("outbox out of reach", exc_info=True)
        except Exception:
            # One mail that nobody foresaw must not keep the others in the outbox until the next start.
            log.exception("mails not delivered")
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)


class _Sending:
    """Delivers what is due; a mail server that fails is asked again less and less often, until it answers about a mail."""

    def __init__(self, delivery: Callable[[], Awaitable[Round]]) -> None:
        self._delivery = delivery
        self._pause = LOOK_EVERY

    async def look(self) -> float:
        done = await self._delivery()
        if done.answered:
            self._pause = LOOK_EVERY
        if done.failure is not None:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            log.warning("mails wait for the mail server", reason=done.failure.reason, again_in_seconds=self._pause)
        return self._pause


class _Waiting:
    """Tells the log once of each new mail: who and what about, never what it says."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: frozenset[int] = frozenset()

    async def look(self) -> float:
        async with self._database.read() as connection:
            fresh = await untried_mails(connection, now() - FRESH)
        for mail in fresh:
            if mail.id not in self._told:
                log.info(
                    "mail waits in the outbox: set CAM_SMTP_URL to have it sent",
                    id=mail.id,
                    about=mail.event,
                    recipient=mail.recipient,
                    subject=mail.subject,
                )
        self._told = frozenset(mail.id for mail in fresh)
        return LOOK_EVERY
