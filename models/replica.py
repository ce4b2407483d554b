"""A streaming copy of the PostgreSQL database, from which lists and reports are read as long as it is fresh enough.

A copy is some way behind: a few milliseconds when all is well, hours when it is not. So each read says up to which place of the
primary's log (its LSN) the copy must have come:

* whoever has written is told that place, and sends it back with what they read next: the copy is waited for, a short while;
* for everybody else it is a place that the primary had reached at most ``MOST_BEHIND`` seconds ago.

Whatever a copy cannot answer, the primary does.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy import Row, Select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = logging.getLogger(__name__)

MOST_BEHIND = 10.0
"""How old what the copy says may be, in seconds."""
SAMPLE_EVERY = 1.0
WAIT_SECONDS = 0.5
"""How long the copy is waited for by somebody who has written."""
LOOK_EVERY = 0.02
RETRY_SECONDS = 5.0
"""How long a copy that failed is left alone."""

_POSITION = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})")
# What was committed without waiting for the disk lies beyond what is on the disk.
_PRIMARY = text(
    "SELECT CASE WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn() "
    "ELSE pg_current_wal_flush_lsn() END - '0/0'::pg_lsn, system_identifier FROM pg_control_system()"
)
_COPY = text(
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() - '0/0'::pg_lsn END, system_identifier "
    "FROM pg_control_system()"
)
_REACHED = "reached"


@dataclass(slots=True)
class Freshness:
    """How fresh the reads of one request must be."""

    position: int = 0
    """The place of the primary's log that the caller has seen."""
    copy: bool = False
    """Whether a copy may answer: only what is a query throughout says so; authority and writes always ask the primary."""


def position_of(token: str) -> int:
    """Returns the place of the log that a token names.

    Raises:
        ValueError: if it is none of our tokens.
    """
    matched = _POSITION.fullmatch(token)
    if matched is None:
        raise ValueError(token)
    return int(matched[1], 16) << 32 | int(matched[2], 16)


class _NoCopyError(Exception):
    """What was reached is no copy of this database; the message says what it is."""


class Replica:
    """The copy, with what is known of it."""

    def __init__(self, engine: AsyncEngine, primary: AsyncEngine, *, pooled: bool = False) -> None:
        """Opens nothing yet.

        Args:
            engine: reaches the copy, or several.
            primary: reaches the database that it copies.
            pooled: a pooler stands between, so a connection says nothing about where the next statement goes.
        """
        self.engine = engine
        self._primary = primary
        self._pooled = pooled
        self._samples: deque[tuple[float, int]] = deque()
        self._sampling = asyncio.Lock()
        self._system = 0
        self._left_alone_until = 0.0
        self._state = ""

    async def token(self) -> str:
        """Returns how far the primary is, for whoever has just written."""
        position = await self._written()
        return f"{position >> 32:X}/{position & 0xFFFF_FFFF:X}"

    async def rows(
        self, statement: Select[Any], position: int, options: Mapping[str, Any]
    ) -> Sequence[Row[Any]] | None:
        """Returns what a statement selects, or None if the primary has to answer.

        Args:
            statement: only reads.
            position: the place of the log that the copy must have reached; 0 for whoever has not written.
            options: the execution options of its transaction.
        """
        if monotonic() < self._left_alone_until:
            return None
        least = await self._least()
        wanted = max(least, position)
        # One that has been waited for in vain is only looked at, until it has caught up.
        deadline = monotonic() + (0 if self._state else WAIT_SECONDS)
        try:
            while True:
                async with self.engine.connect() as connection:
                    await connection.execution_options(**options)
                    reached = await self._reached(connection, wanted)
                    if reached >= wanted:
                        found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
                        self._note("")
                        return found
                if monotonic() >= deadline:
                    if reached < least:
                        self._note("is too far behind")
                    return None
                # Without a connection: others may use it meanwhile.
                await asyncio.sleep(LOOK_EVERY)
        except (DBAPIError, PoolTimeoutError, OSError, _NoCopyError) as error:
            self._fail(error)
            return None

    async def _least(self) -> int:
        """Returns a place that the primary had reached at most ``MOST_BEHIND`` seconds ago."""
        async with self._sampling:
            moment = monotonic()
            if not self._samples or moment - self._samples[-1][0] >= SAMPLE_EVERY:
                self._samples.append((moment, await self._written()))
            while moment - self._samples[0][0] > MOST_BEHIND:
                self._samples.popleft()
            return self._samples[0][1]

    async def _written(self) -> int:
        async with self._primary.connect() as connection:
            position, self._system = (await connection.execute(_PRIMARY)).one()
        return int(position)

    async def _reached(self, connection: AsyncConnection, wanted: int) -> int:
        """Returns how far the server behind a connection has come at least."""
        known = {} if self._pooled or connection.sync_connection is None else connection.sync_connection.info
        if known.get(_REACHED, -1) < wanted:
            position, system = (await connection.execute(_COPY)).one()
            if system != self._system:
                raise _NoCopyError("it is another database")
            if position is None:
                raise _NoCopyError("it is no streaming copy, or one that was promoted")
            known[_REACHED] = int(position)
        return int(known[_REACHED])

    def _fail(self, error: Exception) -> None:
        """Leaves the copy alone for a while; a read that only had to give way to what the copy repeats is no reason."""
        if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == "40001":
            return
        self._left_alone_until = monotonic() + RETRY_SECONDS
        reason = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
        self._note("cannot be used: %s", reason.splitlines()[0])

    def _note(self, state: str, *values: object) -> None:
        """Logs when a copy begins or ceases to answer, once each."""
        if state and not self._state:
            log.warning(f"The database of CAM_READ_DATABASE_URL {state}. Reads go to the primary.", *values)  # noqa: G004 one of two sentences
        elif self._state and not state:
            log.warning("The database of CAM_READ_DATABASE_URL answers again.")
        self._state = state
