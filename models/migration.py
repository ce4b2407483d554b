"""Bringing a database to the version of the tables that this service knows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, OperationalError

from models import row_security
from models.database import Database
from models.metadata import metadata
from models.search_index import INDEXES, make_search_index

NEWER = "The database was written by a newer version of this service. Start that version, or restore a backup."
JOB_QUEUE = "procrastinate_"
"""How the tables begin that are not ours but the job queue's (PostgreSQL)."""


class MigrationError(RuntimeError):
    """The database cannot be used as it is; the message is one line that says why and what to do."""


def alembic_config(connection: Connection | None = None) -> Config:
    """Returns Alembic's configuration for our steps, on the given connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Returns the newest version of the tables that this service knows."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def _explain(database: Database, error: Exception) -> MigrationError:
    """Returns the one line that a person needs to act on what the database said."""
    said = str(getattr(error, "orig", error)).strip().splitlines()[0].lower()
    where = database.url.database if database.is_sqlite else database.url.render_as_string(hide_password=True)
    reasons = {
        "file is not a database": f"{where} is not an SQLite database. Name another file in CAM_DATABASE_URL.",
        "readonly": f"{where} is read-only for this user. Make the file and its folder writable.",
        "unable to open": f"{where} cannot be opened. Check that the folder exists and may be written.",
        "is locked": f"{where} is locked by another process. Stop it, or wait until it has finished, and try again.",
        "disk is full": f"No space is left for {where}.",
        "disk i/o error": f"{where} cannot be read or written: the disk may be full or broken. Make room there, and try again.",
        "malformed": f"{where} is damaged. Restore it from a backup.",
    }
    for sign, message in reasons.items():
        if sign in said:
            return MigrationError(message)
    return MigrationError(f"The database {where} cannot be used: {said}")


async def _explained(database: Database, error: Exception) -> MigrationError:
    if database.is_sqlite:
        # The driver's thread answers once more after a failed opening; to a loop closed by then it would print a traceback.
        await asyncio.sleep(0.05)
    return _explain(database, error)


async def _run(database: Database, step: Callable[[Connection], None]) -> None:
    try:
        async with database.write() as session:
            await (await session.connection()).run_sync(step)
    except CommandError as error:
        if "Can't locate revision" in str(error):
            raise MigrationError(NEWER) from error
        raise
    except (OperationalError, DatabaseError) as error:
        raise await _explained(database, error) from error


@asynccontextmanager
async def _without_references(database: Database) -> AsyncIterator[Database]:
    """Yields the database with connections of its own that let a table go to which others refer: SQLite makes some anew.

    SQLite settles that when a transaction begins. On PostgreSQL nothing is made anew.
    """
    if database.file is None:
        yield database
        return
    apart = Database(database.url)

    def let_go(connection: DBAPIConnection, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.close()

    event.listen(apart.engine.sync_engine, "connect", let_go)
    try:
        yield apart
    finally:
        await apart.dispose()


def _check_references(connection: Connection) -> None:
    """Makes sure, before they count again, that all references of SQLite lead somewhere."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            # Of a table without row numbers SQLite does not say which.
            row = "A row" if broken[1] is None else f"Row {broken[1]}"
            raise MigrationError(
                f"{row} of {broken[0]} refers to a row of {broken[2]} that is not there, so nothing was changed: "
                "restore a backup, or run cam verify with the version that wrote the database."
            )


async def upgrade(database: Database, revision: str = "head") -> None:
    """Moves the tables up to a version, all steps in one transaction; makes the file where the database is one.

    Raises:
        MigrationError: if the database cannot be opened, is locked or read-only, is not a database or comes from a newer
            version.
    """

    def move(connection: Connection) -> None:
        before = _revision(connection)
        is_secured = row_security.is_on(connection)
        if is_secured and before != head():
            # No column can change that a policy names; nobody else sees it gone, for it is all one transaction.
            row_security.switch_off(connection)
        command.upgrade(alembic_config(connection), revision)
        if before != _revision(connection):
            _check_references(connection)
        if is_secured:
            row_security.refresh(connection)
        if revision == "head":
            make_search_index(connection)
        _write_nothing(connection)

    database.make_folder()
    async with _without_references(database) as apart:
        await _run(apart, move)


async def downgrade(database: Database, revision: str) -> None:
    """Moves the tables down to a version, without row-level security: a service of that version may know nothing of it.

    Raises:
        MigrationError: as ``upgrade``.
    """

    def move(connection: Connection) -> None:
        row_security.switch_off(connection)
        command.downgrade(alembic_config(connection), revision)
        _check_references(connection)

    async with _without_references(database) as apart:
        await _run(apart, move)


async def secure(database: Database, role: str | None = None) -> None:
    """Switches row-level security on, for the role of this connection or another one.

    Raises:
        MigrationError: as ``upgrade``.
        RowSecurityError: if it cannot hold for that role, and on SQLite.
    """
    await _run(database, lambda connection: row_security.switch_on(connection, role))


async def unsecure(database: Database) -> None:
    """Switches row-level security off.

    Raises:
        MigrationError: as ``upgrade``.
    """
    await _run(database, row_security.switch_off)


def _revision(connection: Connection) -> str | None:
    """Returns the version of our tables; refuses a database that holds somebody else's."""
    revision: str | None = MigrationContext.configure(connection).get_current_revision()
    tables = inspect(connection).get_table_names() if revision is None else []
    if set(tables) - {"alembic_version"}:
        raise MigrationError(
            f"The database holds tables of something else ({', '.join(sorted(tables)[:3])}): "
            "name another file or database in CAM_DATABASE_URL."
        )
    return revision


async def check_writable(database: Database) -> None:
    """Finds out before the first request whether the migrated database can be written, and whether its walls hold for us.

    Raises:
        MigrationError: as ``upgrade``.
        RowSecurityError: if row-level security is on, but not for the role of this connection.
    """

    def judge(connection: Connection) -> None:
        _write_nothing(connection)
        row_security.check(connection)

    await _run(database, judge)


def _write_nothing(connection: Connection) -> None:
    # On a read-only file SQLite begins even a writing transaction without a word; only a write tells.
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


async def current(database: Database) -> str | None:
    """Returns the version of the tables in the database; None for an empty one, and for a file that is not there.

    Raises:
        MigrationError: if the database cannot be read.
    """
    if database.is_missing():
        return None
    try:
        async with database.read() as connection:
            return await connection.run_sync(_revision)
    except (OperationalError, DatabaseError) as error:
        raise await _explained(database, error) from error


async def state(database: Database) -> str | None:
    """Returns one sentence about what keeps the service from working with the database as it is, or None.

    Never raises: the sentence says what is wrong, and what to do.
    """
    if database.is_missing():
        return (
            f"There is no database file {database.file}: check CAM_DATABASE_URL, or run cam migrate to make one there."
        )
    try:
        version = await current(database)
    except MigrationError as error:
        return str(error)
    if version is None:
        return "The database is empty: run cam migrate."
    known = {step.revision for step in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if version not in known:
        return NEWER
    return (
        None
        if version == head()
        else f"The database is at version {version}, this service at {head()}: run cam migrate."
    )


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    if kind == "index":
        return name not in INDEXES
    return kind != "table" or not (name or "").startswith(JOB_QUEUE)


async def differences(database: Database) -> list[object]:
    """Returns what differs between the tables in the database and those in the code: nothing, when migrations are fresh."""
    options = {"compare_type": True, "include_name": _is_ours}
    async with database.read() as connection:
        return list(
            await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync, opts=options), metadata)
            )
        )
