"""The database: one engine, short reading transactions and one way to write."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

from sqlalchemy import Row, Select, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction
from sqlmodel.ext.asyncio.session import AsyncSession

from models import idle_limit
from models.conflict import note_commit
from models.postgresql import one_host_each, postgresql_engine
from models.replica import Freshness, Replica
from models.sqlite import SINGLE, WRITING, sqlite_engine
from models.tenancy import OPTION, Tenancy

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
REPLICA_CONNECT_SECONDS = "2"
"""The primary answers as well, so nobody waits long for a copy that does not."""
TURN_SECONDS = 60
"""How long a writer waits for the others of this process: a large operation takes its time."""

Topic: TypeAlias = tuple[str, int]
"""What a transaction has changed, so that whoever waits for it looks again: a kind and a key."""


Closing: TypeAlias = Callable[[AsyncConnection], Awaitable[None]]
"""What is still to be done before a transaction commits."""

_touched: WeakKeyDictionary[Any, set[Topic]] = WeakKeyDictionary()
_closings: WeakKeyDictionary[Any, dict[Topic, Closing]] = WeakKeyDictionary()


class DatabaseUrlError(ValueError):
    """The address of the database cannot be used; the message says what to write instead."""


def database_url(text: str) -> URL:
    """Returns the address with the driver that the service uses: ``sqlite:///file`` and ``postgresql://…`` are enough.

    Raises:
        DatabaseUrlError: if it is no address, or one of another kind of database.
    """
    try:
        url = make_url(one_host_each(text))
        driver = DRIVERS[url.get_backend_name()]
    except (ArgumentError, ValueError, KeyError) as error:
        raise DatabaseUrlError(
            "CAM_DATABASE_URL must be like sqlite:///data/cam.sqlite3 or postgresql://user@host/name."
        ) from error
    if driver == DRIVERS["sqlite"] and url.database in {None, "", ":memory:"}:
        raise DatabaseUrlError("CAM_DATABASE_URL must name a file: sqlite:///data/cam.sqlite3.")
    return url.set(drivername=driver)


def postgresql_url(text: str, setting: str) -> URL:
    """Returns the address of a PostgreSQL database with the driver that the service uses.

    Raises:
        DatabaseUrlError: if it is none.
    """
    with suppress(DatabaseUrlError):
        url = database_url(text)
        if url.get_backend_name() == "postgresql":
            return url
    raise DatabaseUrlError(f"{setting} must be like postgresql://user@host/name.")


class Database:
    """An engine with its two doors: ``read`` and ``write``."""

    def __init__(
        self,
        url: str | URL,
        *,
        durable: bool = True,
        pool_size: int = 5,
        sorts_in_files: bool = False,
        pooled: bool = False,
        replica: URL | None = None,
        direct: URL | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            url: the address, with or without a driver.
            durable: False lets SQLite skip the flush to disk at commit (tests).
            pool_size: connections kept open.
            sorts_in_files: lets SQLite sort what is large on the disk, with little memory.
            pooled: a pooler stands before PostgreSQL, which shares its connections between transactions.
            replica: the address of a streaming copy of a PostgreSQL database, for lists and reports.
            direct: the address past the pooler.
        """
        self.url = database_url(url) if isinstance(url, str) else url
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._writer = asyncio.Lock() if self.is_sqlite else None
        self.direct_url = direct or self.url
        """Where LISTEN works, and whatever else keeps a connection to itself."""
        self.engine = (
            sqlite_engine(self.url, durable=durable, pool_size=pool_size, sorts_in_files=sorts_in_files)
            if self.is_sqlite
            else postgresql_engine(self.url, pool_size=pool_size, pooled=pooled)
        )
        self.replica: Replica | None = None
        if replica is not None:
            if "connect_timeout" not in replica.query:
                replica = replica.update_query_dict({"connect_timeout": REPLICA_CONNECT_SECONDS})
            copies = postgresql_engine(replica, pool_size=pool_size, pooled=pooled)
            self.replica = Replica(copies, self.engine, pooled=pooled)
        self._whole: Database | None = None
        """What this is a view of (``for_tenants``)."""
        self.on_commit: list[Callable[[frozenset[Topic]], None]] = []
        """Called with the topics of each transaction that was committed and had any (``touch``)."""

    @property
    def file(self) -> Path | None:
        """Returns the file that the database is, if it is one."""
        name = self.url.database or ""
        if not self.is_sqlite or self.url.query.get("mode") == "memory":
            return None
        # SQLite's own form of an address is file:name?mode=…
        name = unquote(urlsplit(name).path) if name.startswith("file:") else name
        return None if name == ":memory:" else Path(name)

    def is_missing(self) -> bool:
        """Says whether the database is a file that is not there; opening it would make it."""
        file = self.file
        try:
            return file is not None and not file.exists()
        except OSError:
            # Opening it says better what is wrong with it.
            return False

    def make_folder(self) -> None:
        """Makes the folder of the database that is a file."""
        file = self.file
        if file is not None:
            # Opening the file says better what is wrong with it.
            with suppress(OSError):
                file.parent.mkdir(parents=True, exist_ok=True)

    def for_tenants(self, tenancy: Tenancy) -> "Database":
        """Returns this database as somebody may see it: where row-level security is on, no transaction finds other rows."""
        if self.is_sqlite:
            return self
        whole = self.everything()
        view = copy(whole)
        view.engine = whole.engine.execution_options(**{OPTION: tenancy})
        view._whole = whole  # noqa: SLF001 of the same class
        return view

    def everything(self) -> "Database":
        """Returns this database with all of its rows, for what is decided across tenants."""
        return self._whole or self

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Yields a connection for a few reading statements, all of one moment on SQLite."""
        async with self.engine.connect() as connection:
            yield connection

    async def rows(self, statement: Select[Any], freshness: Freshness | None = None) -> Sequence[Row[Any]]:
        """Returns what one statement selects, from the copy where ``freshness`` lets it answer and it is there and fresh enough."""
        if self.replica is not None and freshness is not None and freshness.copy:
            found = await self.replica.rows(statement, freshness.position, self.engine.get_execution_options())
            if found is not None:
                return found
        async with self.read() as connection:
            if self.is_sqlite:
                connection = await connection.execution_options(**{SINGLE: True})  # noqa: PLW2901 the same connection
            rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
            return rows

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Yields a connection for several reading statements that must agree: all of one moment on both databases."""
        async with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = await connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901 the same connection
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Yields the session of one transaction; it commits at the end and rolls back on any exception.

        Nothing else in the service commits.
        """
        async with self._transaction() as transaction, _session(transaction) as session:
            yield session
            await session.flush()
            connection = await session.connection()
            for close in _closings.pop(connection.sync_connection, {}).values():
                await close(connection)
            touched = _touched.pop(connection.sync_connection, None)
        note_commit()
        if touched:
            for listener in self.on_commit:
                listener(frozenset(touched))

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator[AsyncSession]:
        """Yields the session of a transaction that is undone at the end, whatever was written in it (P02)."""
        async with self._transaction() as transaction:
            async with _session(transaction) as session:
                yield session
            await transaction.rollback()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncTransaction]:
        """Yields a writing transaction. One writer at a time on SQLite: waiting here is fair, SQLite's own waiting is not."""
        async with self._turn(), self.engine.connect() as connection:
            option = WRITING if self.is_sqlite else idle_limit.OPTION
            connection = await connection.execution_options(**{option: True})  # noqa: PLW2901 the same connection
            async with connection.begin() as transaction:
                yield transaction

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Waits for this process's turn to write on SQLite."""
        if self._writer is None:
            yield
            return
        try:
            await asyncio.wait_for(self._writer.acquire(), TURN_SECONDS)
        except TimeoutError as error:
            raise PoolTimeoutError("No turn to write came up in time.") from error
        try:
            yield
        finally:
            self._writer.release()

    async def dispose(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()
        if self.replica is not None:
            await self.replica.engine.dispose()


def touch(connection: AsyncConnection, *topics: Topic) -> None:
    """Notes what a transaction of ``Database.write`` changes; ``Database.on_commit`` is told when it is committed."""
    if connection.sync_connection is not None:
        _touched.setdefault(connection.sync_connection, set()).update(topics)


def before_commit(connection: AsyncConnection, topic: Topic, closing: Closing) -> None:
    """Notes what is to be done at the end of a transaction of ``Database.write``, once for each topic, in the order of their coming."""
    if connection.sync_connection is not None:
        _closings.setdefault(connection.sync_connection, {}).setdefault(topic, closing)


@asynccontextmanager
async def _session(transaction: AsyncTransaction) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(bind=transaction.connection, expire_on_commit=False) as session:
        yield session
        await session.flush()
