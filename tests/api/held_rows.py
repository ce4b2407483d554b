"""Rows that a test holds while others wait for them: what happens meanwhile is what they find when their turn comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.member import members
from models.table import now
from tests.factory import ClientRow, MemberRow

PATIENCE_SECONDS = 20
_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@asynccontextmanager
async def holding(database: Database, row: ClientRow | MemberRow) -> AsyncIterator[AsyncConnection]:
    """Yields a connection that writes at once, and holds a row until the end; SQLite's one writer holds them all."""
    kind = clients if isinstance(row, ClientRow) else members
    async with database.write() as session:
        connection = await session.connection()
        await lock_rows(connection, select(kind.c.id).where(kind.c.id == row.id))
        yield connection


async def until_waiting(database: Database, count: int = 1) -> None:
    """Returns when so many transactions wait for a row; on SQLite at once, for there they have not begun."""
    if database.is_sqlite:
        await asyncio.sleep(0)
        return
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await _waiting(database) < count:  # noqa: ASYNC110 the server tells nobody
            await asyncio.sleep(0.01)


async def _waiting(database: Database) -> int:
    # A transaction of its own: within one, the server goes on saying what it said first.
    async with database.read() as connection:
        found: int = (await connection.execute(_WAITING)).scalar_one()
        return found


async def end_now(connection: AsyncConnection, rows: Any, condition: ColumnElement[bool]) -> None:
    """Lets rows expire at this moment: not before whoever waits began to, and before their turn comes."""
    await connection.execute(update(rows).where(condition).values(expires_at=now()))
