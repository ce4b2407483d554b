"""The processes that carry out queued operations know of each other: two versions do not work side by side."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.metadata import version

from sqlalchemy import ColumnElement, and_, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import migration
from models.clock import database_time
from models.database import Database
from models.permission.catalogue import CATALOGUE_FILE
from models.worker import workers


class WorkerError(RuntimeError):
    """This process may not carry out operations; the message is one line that says what to do."""


class OtherVersionError(WorkerError):
    """A process of another version is at work."""


class OtherTablesError(WorkerError):
    """The database is not at the version of this process any more."""


class LostPlaceError(ConnectionError):
    """This process was out of reach so long that the others believe it is gone."""


@cache
def own_version() -> str:
    """Returns what two processes must have in common to work side by side."""
    permissions = hashlib.sha256(CATALOGUE_FILE.read_bytes()).hexdigest()[:8]
    return f"{version('client-access-manager')}, tables {migration.head()}, permissions {permissions}"


@dataclass(frozen=True, slots=True)
class Place:
    """A process's entry among those at work; by the key alone, SQLite would give it to the next one."""

    id: int
    name: str

    @property
    def condition(self) -> ColumnElement[bool]:
        """Says that a row is this entry."""
        return and_(workers.c.id == self.id, workers.c.name == self.name)


async def enrol(database: Database, name: str, gone_after: timedelta) -> Place:
    """Enters this process among those at work, and returns its place; those not seen for so long are gone.

    Raises:
        OtherVersionError: if one of another version is at work.
        OtherTablesError: if the database is at another version.
    """
    async with database.write() as session:
        connection = await session.connection()
        await check_tables(connection)
        if not database.is_sqlite:
            # Of two that start at the same time, the second sees the first.
            await connection.execute(text("LOCK TABLE worker IN SHARE ROW EXCLUSIVE MODE"))
        moment = await database_time(connection)
        await connection.execute(delete(workers).where(workers.c.seen_at < moment - gone_after))
        others = select(workers.c.name, workers.c.version).where(workers.c.version != own_version())
        other = (await connection.execute(others.order_by(workers.c.id).limit(1))).one_or_none()
        if other is not None:
            raise OtherVersionError(
                f"{other.name} works on this database in another version ({other.version}; this one is {own_version()}). "
                f"Stop it, or start this one in its version; if it was killed, wait {gone_after.total_seconds():.0f} seconds."
            )
        values = {"name": name, "version": own_version(), "started_at": moment, "seen_at": moment}
        made = await connection.execute(insert(workers).values(values).returning(workers.c.id))
        return Place(made.scalar_one(), name)


async def check_tables(connection: AsyncConnection) -> None:
    """Finds out whether the database still is at the version that this process knows.

    Raises:
        OtherTablesError: if it is not.
    """
    found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found != migration.head():
        raise OtherTablesError(
            f"The database is at version {found} now, and this worker at {migration.head()}: "
            "install the service's version that belongs to the database, and start the worker again."
        )


async def be_seen(database: Database, place: Place) -> None:
    """Tells the others that this process is still at work.

    Raises:
        LostPlaceError: if they do not count on it any more.
        OtherTablesError: if the database is at another version.
    """
    async with database.write() as session:
        connection = await session.connection()
        await check_tables(connection)
        seen = update(workers).where(place.condition).values(seen_at=await database_time(connection))
        if (await connection.execute(seen)).rowcount == 0:
            raise LostPlaceError("This worker was out of reach for so long that the others took it for gone.")


async def leave(database: Database, place: Place) -> None:
    """Takes this process from those at work."""
    async with database.write() as session:
        await (await session.connection()).execute(delete(workers).where(place.condition))
