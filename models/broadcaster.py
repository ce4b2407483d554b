"""Tells whoever waits for a change that they should look again.

What has changed stands in the database and is read there: nothing is carried or kept here but one flag for each who waits, however
much happens while they are busy. News comes from the transactions of this process (``Database.on_commit``), from other processes
by ``models.notice`` on PostgreSQL, and from a look at the operations every few moments, which finds what nobody has told.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from weakref import WeakSet

from sqlalchemy import ColumnElement, Row, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database, Topic
from models.horizon import Horizon
from models.notice import Listener, Sender, new_origin
from models.operation import operations
from models.operation_chunk import queued_operations
from models.shared_read import SharedReads

log = logging.getLogger(__name__)

OPERATION, TIMELINE = "operation", "timeline"
SOON_SECONDS = 1.0
"""Between two looks where no notice can come: on SQLite, and as long as the listener has no connection."""
LATER_SECONDS = 5.0
"""Between two looks where notices come."""
KEYS_AT_ONCE = 1_000

# Others are written and ended by one transaction.
NOT_ENDED: ColumnElement[bool] = operations.c.id.in_(select(queued_operations.c.operation_id))
_COLUMNS = (
    operations.c.id,
    operations.c.partner_id,
    operations.c.state,
    operations.c.applied,
    (operations.c.noop + operations.c.rejected + operations.c.failed).label("others"),
)


class Watch:
    """Somebody who waits for changes of some topics: a flag, set by however many changes."""

    __slots__ = ("__weakref__", "_changed", "topics")

    def __init__(self, topics: tuple[Topic, ...]) -> None:
        self.topics = topics
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Says that something has changed."""
        self._changed.set()

    async def wait(self, seconds: float) -> None:
        """Waits for a change, at most so long; one that came since the last call counts."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()


class Broadcaster:
    """Wakes those who wait, in one process."""

    def __init__(self, database: Database, *, origin: str | None = None) -> None:
        """Wakes nobody before ``running``.

        Args:
            database: whose changes are told.
            origin: tells this one's notices from those of others; by default it is made up.
        """
        origin = origin or new_origin()
        self.reads = SharedReads()
        """What those who wait read together."""
        self.horizon = Horizon()
        self._database = database
        self._everything = database.everything()
        # Weak: one that was never waited with goes without a word.
        self._watches: dict[Topic, WeakSet[Watch]] = {}
        self._known: dict[int, Row[Any]] = {}
        self._floor: int | None = None
        self._new: set[Topic] = set()
        self._sender = None if database.is_sqlite else Sender(database, origin)
        self._listener = None
        if not database.is_sqlite:
            self._listener = Listener(database, heard=self.wake, connected=self.wake_all, origin=origin)

    def watch(self, *topics: Topic) -> Watch:
        """Returns a flag that is set by each change of one of the topics, as long as it is kept."""
        made = Watch(topics)
        for topic in topics:
            self._watches.setdefault(topic, WeakSet()).add(made)
        self._new.update(topics)
        return made

    def release(self, watch: Watch) -> None:
        """Wakes it no more."""
        for topic in watch.topics:
            self._watches.get(topic, WeakSet()).discard(watch)
        self._forget()

    def watches(self) -> int:
        """Returns how many wait."""
        return len({watch for watches in self._watches.values() for watch in watches})

    def wake(self, topics: Iterable[Topic]) -> None:
        """Wakes those who wait for one of the topics."""
        for topic in topics:
            for watch in self._watches.get(topic, ()):
                watch.wake()

    def wake_all(self) -> None:
        """Wakes everybody: after a gap, anything may have changed."""
        self.wake(list(self._watches))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Wakes those who wait, as long as the block runs."""
        self._database.on_commit.append(self._committed)
        tasks = [asyncio.create_task(self._look())]
        if self._listener is not None:
            tasks.append(asyncio.create_task(self._listener.listen()))
        try:
            yield
        finally:
            self._database.on_commit.remove(self._committed)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._sender is not None:
                await self._sender.finish()

    def _committed(self, topics: frozenset[Topic]) -> None:
        self.wake(topics)
        if self._sender is not None:
            self._sender.send(topics)

    async def _look(self) -> None:
        """Finds what nobody has told, again and again."""
        unavailable = False
        while True:
            try:
                await self.look()
                unavailable = False
            except (SQLAlchemyError, OSError):
                if not unavailable:
                    log.warning("the database cannot be asked for changes; trying again", exc_info=True)
                unavailable = True
            told = self._listener is not None and self._listener.listening
            await asyncio.sleep(LATER_SECONDS if told else SOON_SECONDS)

    async def look(self) -> None:
        """Wakes those whose operations have changed since the last look, with a few statements for all of them."""
        self._forget()
        waiting, new = bool(self._watches), self._new
        self._new = set()
        if self._database.is_sqlite and not waiting:
            self._known, self._floor = {}, None
            return
        async with self._everything.read() as connection:
            await self.horizon.advance(connection)
            reached = await self.horizon.key(connection)
            rows = await self._operations(connection, reached if self._floor is None else self._floor)
        changed = [row for key, row in rows.items() if self._known.get(key) != row]
        # One that is no longer among them has ended, unless it had before: then it only lies below the horizon now.
        ended = [row for key, row in self._known.items() if key not in rows and row.state in {"QUEUED", "RUNNING"}]
        self._known, self._floor = rows, reached
        # What was not looked at before may have changed between their own first look and this one.
        topics = new | {(OPERATION, row.id) for row in changed}
        for row in (*changed, *ended):
            if row.partner_id is not None:
                topics.add((TIMELINE, row.partner_id))
            else:
                # The service's own operations have entries of any partner.
                topics.update(topic for topic in self._watches if topic[0] == TIMELINE)
        self.wake(topics)

    async def _operations(self, connection: AsyncConnection, floor: int) -> dict[int, Row[Any]]:
        """Returns the operations that may have changed and for which somebody waits."""
        by_kind: dict[str, list[int]] = {OPERATION: [], TIMELINE: []}
        for kind, key in self._watches:
            by_kind.setdefault(kind, []).append(key)
        found: dict[int, Row[Any]] = {}
        for column, keys, more in (
            (operations.c.id, by_kind[OPERATION], None),
            (operations.c.partner_id, by_kind[TIMELINE], operations.c.id > floor),
            (operations.c.partner_id, by_kind[TIMELINE], NOT_ENDED),
        ):
            for start in range(0, len(keys), KEYS_AT_ONCE):
                one_of: ColumnElement[bool] = column.in_(keys[start : start + KEYS_AT_ONCE])
                if more is not None:
                    one_of = or_(one_of, operations.c.partner_id.is_(None)) & more
                rows = await connection.execute(select(*_COLUMNS).where(one_of))
                found.update((row.id, cast(Row[Any], row)) for row in rows)
        return found

    def _forget(self) -> None:
        """Forgets topics for which nobody waits any more."""
        for topic in [topic for topic, watches in self._watches.items() if not watches]:
            del self._watches[topic]
