"""News between the processes on one PostgreSQL: LISTEN and NOTIFY.

A NOTIFY inside a writing transaction makes all commits of the database wait for each other, so each process has one sender, which
gathers what its transactions have changed and tells it a moment after they are committed. A notice may be lost, with its process or
with a connection: it costs those who wait a moment's delay, since they also look by themselves.
"""

import asyncio
import json
import logging
import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from models.database import Database, Topic

log = logging.getLogger(__name__)

CHANNEL = "cam_change"
GATHER_SECONDS = 0.02
TOPICS_AT_ONCE = 150
"""A payload holds less than 8,000 bytes; a topic takes at most 45."""
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.2, 30.0
KEEPALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""A listener that only waits would not notice for hours that the other end has vanished."""

_NOTIFY = text("SELECT pg_notify(:channel, :payload)")


def new_origin() -> str:
    """Returns what tells one sender's notices from those of others; processes forked from one must not have the same."""
    return secrets.token_hex(4)


class Sender:
    """Tells other processes what this one has committed."""

    def __init__(self, database: Database, origin: str) -> None:
        self._database = database
        self._origin = origin
        self._pending: set[Topic] = set()
        self._sending: asyncio.Task[None] | None = None

    def send(self, topics: Iterable[Topic]) -> None:
        """Adds to what is told next."""
        self._pending.update(topics)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def finish(self) -> None:
        """Tells the rest."""
        while self._sending is not None:
            await self._sending

    async def _send(self) -> None:
        try:
            await asyncio.sleep(GATHER_SECONDS)
            topics, self._pending = sorted(self._pending), set()
            engine = self._database.everything().engine.execution_options(isolation_level="AUTOCOMMIT")
            async with engine.connect() as connection:
                for start in range(0, len(topics), TOPICS_AT_ONCE):
                    payload = json.dumps([self._origin, *topics[start : start + TOPICS_AT_ONCE]])
                    await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})
        except (SQLAlchemyError, OSError):
            log.warning("other processes were not told of a change; they will find it by themselves", exc_info=True)
        finally:
            self._sending = None
            if self._pending:
                self.send(())


@asynccontextmanager
async def sending(database: Database) -> AsyncIterator[None]:
    """Tells other processes what this one commits, as long as the block runs; on SQLite there is nobody to tell it that way.

    A worker needs no more than this; a process that serves subscriptions has a ``models.broadcaster.Broadcaster``.
    """
    if database.is_sqlite:
        yield
        return
    sender = Sender(database, new_origin())
    database.on_commit.append(sender.send)
    try:
        yield
    finally:
        database.on_commit.remove(sender.send)
        await sender.finish()


class Listener:
    """Hears what other processes have committed, on a connection of its own, which it makes anew whenever it is lost."""

    def __init__(
        self,
        database: Database,
        *,
        heard: Callable[[set[Topic]], None],
        connected: Callable[[], None],
        origin: str,
    ) -> None:
        """Does not connect yet.

        Args:
            database: listened to at its direct address; a pooler that shares connections cannot listen.
            heard: called with what has changed.
            connected: called after each connection is made, when everything may have changed.
            origin: whose notices to pass over.
        """
        self.listening = False
        self._database = database
        self._heard = heard
        self._connected = connected
        self._origin = origin

    async def listen(self) -> None:
        """Listens until it is cancelled."""
        back_off = FIRST_BACK_OFF
        while True:
            try:
                async with await self._connection() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.listening, back_off = True, FIRST_BACK_OFF
                    self._connected()
                    async for notice in connection.notifies():
                        self._hear(notice.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("the connection that hears of changes was lost; trying again: %s", error)
            finally:
                self.listening = False
            await asyncio.sleep(back_off * random.uniform(0.5, 1.5))  # noqa: S311 spreads the processes, keeps no secret
            back_off = min(back_off * 2, LONGEST_BACK_OFF)

    async def _connection(self) -> psycopg.AsyncConnection[Any]:
        arguments, options = self._database.engine.dialect.create_connect_args(self._database.direct_url)
        return await psycopg.AsyncConnection.connect(*arguments, **{**KEEPALIVE, **options}, autocommit=True)

    def _hear(self, payload: str) -> None:
        """Passes on what a notice says; what is none of ours says nothing."""
        with suppress(ValueError, TypeError):
            origin, *topics = json.loads(payload)
            if origin != self._origin:
                self._heard({(str(kind), int(key)) for kind, key in topics})
