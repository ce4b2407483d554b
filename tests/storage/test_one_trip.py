"""Each statement on SQLite makes one trip to the thread of its connection, and a cancelled one leaves no transaction behind."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import func, select, text

from models.database import Database
from models.permission_state import permission_states
from resolvers.interning import intern_states

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns the names of what was done in the threads of connections, as it is done."""
    made: list[str] = []
    plain: Callable[..., Any] = aiosqlite.Connection._execute

    async def counted(connection: aiosqlite.Connection, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        made.append(getattr(work, "__name__", "?"))
        return await plain(connection, work, *args, **named)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return made


@SQLITE
async def test_a_reading_statement_is_one_trip(database: Database, trips: list[str]) -> None:
    statement = select(permission_states.c.id, permission_states.c.content).order_by(permission_states.c.id)
    first = await database.rows(statement)
    trips.clear()
    rows = await database.rows(statement)
    assert trips == ["_run"]
    assert rows == first
    assert rows
    assert tuple(rows[0]._mapping) == ("id", "content")


@SQLITE
async def test_a_transaction_makes_a_trip_for_each_statement_and_for_its_begin_and_end(
    database: Database, trips: list[str]
) -> None:
    async with database.read() as connection:
        for _ in range(3):
            assert await connection.scalar(select(func.count()).select_from(permission_states))
    trips.clear()
    async with database.read() as connection:
        for _ in range(3):
            await connection.scalar(select(func.count()).select_from(permission_states))
    assert trips == ["_run"] * 4 + ["rollback"]


@SQLITE
async def test_what_a_statement_tells_beside_its_rows_is_there(database: Database) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(text("CREATE TABLE note (id INTEGER PRIMARY KEY, words TEXT)"))
        one = await connection.execute(text("INSERT INTO note (words) VALUES ('a')"))
        assert (one.rowcount, one.lastrowid) == (1, 1)
        many = await connection.execute(
            text("INSERT INTO note (words) VALUES (:words)"), [{"words": "b"}, {"words": "c"}]
        )
        assert many.rowcount == 2
        changed = await connection.execute(
            text("UPDATE note SET words = words || '!' WHERE id > 1 RETURNING id, words")
        )
        assert sorted(changed) == [(2, "b!"), (3, "c!")]
        async with connection.stream(text("SELECT id FROM note ORDER BY id")) as rows:
            assert [row.id async for row in rows] == [1, 2, 3]
        await connection.execute(text("DROP TABLE note"))


@SQLITE
async def test_a_write_that_is_cancelled_while_it_begins_keeps_no_lock(database: Database) -> None:
    """R26: nobody waits any more for the statement that takes the lock, and it is given back all the same."""
    other = Database(database.url, durable=False)
    try:
        async with other.write() as session:
            await session.connection()
            waiting = asyncio.create_task(_touch(database))
            await asyncio.sleep(0.2)
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(10):
            await _touch(other)
            await _touch(database)
    finally:
        await other.dispose()


async def _touch(database: Database) -> None:
    async with database.write() as session:
        await intern_states(await session.connection(), [0])
