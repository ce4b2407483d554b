"""Keeps the clock of the service right by the database's, as long as the process lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from models.clock import clock
from models.database import Database
from resolvers.operation.passing_error import PASSING

log = structlog.stdlib.get_logger(__name__)

MEASURE_EVERY = 60.0
"""Seconds."""
SUSPICIOUS = timedelta(seconds=5)
"""A difference that somebody should look into."""


@asynccontextmanager
async def following_clock(database: Database) -> AsyncIterator[None]:
    """Follows the database's clock, where that is another machine's."""
    if database.is_sqlite:
        yield
        return
    await measure(database)
    task = asyncio.create_task(_measure_again(database))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _measure_again(database: Database) -> None:
    while True:
        await asyncio.sleep(MEASURE_EVERY)
        await measure(database)


async def measure(database: Database) -> None:
    """Asks the database for the time; while it is gone, the difference last measured holds."""
    before = clock.ahead
    with suppress(*PASSING):
        async with database.read() as connection:
            ahead = await clock.follow(connection)
        if abs(ahead) > SUSPICIOUS and ahead != before:
            log.warning(
                "the clocks of this machine and the database differ: the database's counts; set one of them right",
                seconds_ahead=round(ahead.total_seconds(), 1),
            )
