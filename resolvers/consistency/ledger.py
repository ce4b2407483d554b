"""All checks of the database, one after the other and all of one moment, while the service goes on."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from resolvers.consistency.activity import ACTIVITY_CHECKS
from resolvers.consistency.chain import CHAIN_CHECKS
from resolvers.consistency.check import Check, Finding, look
from resolvers.consistency.counter import COUNTER_CHECKS
from resolvers.consistency.grant import GRANT_CHECKS
from resolvers.consistency.hand_off import HAND_OFF_CHECKS
from resolvers.consistency.operation import OPERATION_CHECKS
from resolvers.consistency.outbox import OUTBOX_CHECKS
from resolvers.consistency.pod import POD_CHECKS
from resolvers.consistency.schedule import SCHEDULE_CHECKS
from resolvers.consistency.state import STATE_CHECKS
from resolvers.consistency.storage import STORAGE_CHECKS
from resolvers.consistency.team import TEAM_CHECKS

CHECKS = (
    *STORAGE_CHECKS,
    *STATE_CHECKS,
    *GRANT_CHECKS,
    *CHAIN_CHECKS,
    *TEAM_CHECKS,
    *OPERATION_CHECKS,
    *SCHEDULE_CHECKS,
    *HAND_OFF_CHECKS,
    *POD_CHECKS,
    *COUNTER_CHECKS,
    *ACTIVITY_CHECKS,
    *OUTBOX_CHECKS,
)


async def findings(database: Database, more: Sequence[Check] = ()) -> AsyncIterator[Finding]:
    """Yields what became of each check, as soon as it is known; nothing is written.

    Args:
        database: what is checked.
        more: checks besides those that are always made.
    """
    async with _reading(database) as connection:
        for check in (*CHECKS, *more):
            if check.dialect in {None, connection.dialect.name}:
                yield await _look(connection, check)


@asynccontextmanager
async def _reading(database: Database) -> AsyncIterator[AsyncConnection]:
    """Yields a connection that sees one moment; on SQLite one of its own, which sorts in files and not in memory."""
    if not database.is_sqlite:
        async with database.everything().snapshot() as connection:
            yield connection
        return
    own = Database(database.url, pool_size=1, sorts_in_files=True)
    try:
        async with own.snapshot() as connection:
            yield connection
    finally:
        await own.dispose()


async def _look(connection: AsyncConnection, check: Check) -> Finding:
    try:
        return await look(connection, check)
    except (DatabaseError, ValueError, TypeError, AttributeError, OverflowError) as error:
        if connection.dialect.name != "sqlite":
            raise
        # Of a damaged file, or where somebody has put in what is no value of its column, the other checks tell what they can.
        return Finding(check, faults=1, told=[f"cannot be found out: {getattr(error, 'orig', error)}"])
