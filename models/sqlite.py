"""SQLite under SQLAlchemy: an engine whose statements each make one trip to the thread of their connection.

It is opened in WAL mode and each writing transaction begins with ``BEGIN IMMEDIATE``: plain SQLAlchemy begins only at the first
write, so two tasks that read and then write lose updates without an error.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    SQLiteDialect_aiosqlite,
)
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import EMPTY_DICT

BUSY_MILLISECONDS = 15_000
"""How long a writer waits for another process's write."""
SINGLE = "single"
"""The execution option of a connection for one reading statement, which is a transaction of itself."""
WRITING = "writing"
"""The execution option of a connection that writes."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is left of a cursor when all of its rows are there."""

    description: Sequence[tuple[Any, ...]] | None = None
    rowcount: int = -1
    lastrowid: int | None = None
    arraysize: int = 1


_NOTHING_YET = _Answer()


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Runs a statement and takes its rows in one trip; SQLAlchemy's own makes four: cursor, execute, fetchall, close."""

    __slots__ = ()

    def __init__(self, adapt_connection: "_Connection") -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._soft_closed_memoized = EMPTY_DICT
        self._cursor: Any = _NOTHING_YET
        self._rows = deque()

    async def _execute_async(self, operation: Any, parameters: Any = None) -> Any:
        await self._travel("execute", operation, () if parameters is None else parameters)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        await self._travel("executemany", operation, seq_of_parameters)

    async def _travel(self, method: str, statement: str, parameters: Any) -> None:
        adapted: Any = self._adapt_connection
        connection: Any = self._connection
        async with adapted._execute_mutex:
            self._cursor, rows = await connection._execute(_run, connection._conn, method, statement, parameters)
        self._rows = deque(rows)

    async def _async_soft_close(self) -> None:
        """Has nothing to close any more."""

    def close(self) -> None:
        self._rows.clear()


def _run(connection: Any, method: str, statement: str, parameters: Any) -> tuple[_Answer, list[Any]]:
    """Does in the connection's thread all that there is to do for a statement."""
    cursor = connection.cursor()
    try:
        run: Callable[..., Any] = getattr(cursor, method)
        run(statement, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return _Answer(cursor.description, cursor.rowcount, cursor.lastrowid, cursor.arraysize), rows
    finally:
        cursor.close()


class _Connection(AsyncAdapt_aiosqlite_connection):
    """A connection of aiosqlite that makes no trip for nothing."""

    __slots__ = ()

    _cursor_cls: Any = _Cursor

    def rollback(self) -> None:
        # A cancelled statement may still begin a transaction, but SQLAlchemy closes its connection and does not come here.
        if self._connection._connection and self._connection.in_transaction:
            super().rollback()

    def commit(self) -> None:
        if not self._connection.in_transaction:
            # After some errors it undoes everything by itself, and what came then was not part of any transaction.
            raise sqlite3.OperationalError("SQLite had ended the transaction before it was committed.")
        super().commit()


class Dialect(SQLiteDialect_aiosqlite):
    """SQLite by way of aiosqlite, with the connections of this module."""

    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Returns a new connection."""
        plain: Any = super().connect(*arguments, **options)
        return _Connection(plain.dbapi, plain._connection)


registry.register("sqlite.one_trip", __name__, Dialect.__name__)


def sqlite_engine(url: URL, *, durable: bool, pool_size: int, sorts_in_files: bool) -> AsyncEngine:
    """Returns an engine in WAL mode, whose transactions begin at once.

    Args:
        url: the address, with driver.
        durable: False skips the flush to disk at commit (tests).
        pool_size: connections kept open, and the most there are.
        sorts_in_files: sorts what is large on the disk, with little memory.
    """
    engine = create_async_engine(
        url.set(drivername="sqlite+one_trip"),
        pool_size=pool_size,
        max_overflow=0,
        # Whoever comes next gets the connection that was used last, whose pages are in memory: the others need not have them too.
        pool_use_lifo=True,
    )

    def set_pragmas(connection: DBAPIConnection, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_MILLISECONDS}",
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'OFF'}",
            "foreign_keys=ON",
            f"temp_store={'FILE' if sorts_in_files else 'MEMORY'}",
            f"cache_size={-16_384 if sorts_in_files else -65_536}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(SINGLE, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITING, False) else "BEGIN")

    event.listen(engine.sync_engine, "connect", set_pragmas)
    event.listen(engine.sync_engine, "begin", begin)
    return engine
