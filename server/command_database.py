"""What each command starts with: the settings and a database at the right version."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from models import migration
from models.clock import clock
from models.database import Database
from resolvers.interning import publish_catalogue
from resolvers.timeline_chain.window import seal_everything
from server.database import open_database
from server.setting import load_settings

_Result = TypeVar("_Result")


def with_database(work: Callable[[Database], Awaitable[_Result]], *, migrated: bool = True) -> _Result:
    """Runs a piece of work on the database that the settings name, which is migrated unless the work sees to that.

    Raises:
        SettingError: if a setting is wrong.
        MigrationError: if the database cannot be used or is not migrated.
    """
    settings = load_settings()

    async def run() -> _Result:
        database = open_database(settings)
        try:
            if migrated:
                reason = await migration.state(database)
                if reason is not None:
                    raise migration.MigrationError(reason)
                async with database.read() as connection:
                    await clock.follow(connection)
            return await work(database)
        finally:
            await database.dispose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def reading(work: Callable[[AsyncConnection], Awaitable[_Result]]) -> _Result:
    """Runs a piece of work that only reads on a migrated database; it waits for nobody who writes."""

    async def read(database: Database) -> _Result:
        async with database.read() as connection:
            return await work(connection)

    return with_database(read)


def in_transaction(work: Callable[[AsyncConnection], Awaitable[_Result]]) -> _Result:
    """Runs a piece of work in one writing transaction of a migrated database."""

    async def write(database: Database) -> _Result:
        async with database.write() as session:
            return await work(await session.connection())

    return with_database(write)


async def migrate(database: Database, *, walls: bool | None = None, role: str | None = None) -> None:
    """Brings tables and built-in permission sets up to date; nothing changes when they are.

    Args:
        database: which one.
        walls: whether to switch row-level security on or off; None leaves it as it is, and up to date where it is on.
        role: the service's, if another one runs the migrations.

    Raises:
        MigrationError: if the database cannot be used.
        RowSecurityError: if row-level security cannot be switched on.
    """
    await migration.upgrade(database)
    if walls:
        await migration.secure(database, role)
    elif walls is not None:
        await migration.unsecure(database)
    async with database.write() as session:
        await publish_catalogue(await session.connection())
    await seal_everything(database)
