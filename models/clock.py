"""The clock of the service: it follows the database's, so that what several machines write is in one order."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

TOLERANCE = timedelta(milliseconds=50)
"""Differences as small as this are left alone: time would go back and forth with the noise of the network."""


class Clock:
    """This machine's clock, set right by the database's."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        """How far the database's clock is ahead of this machine's."""

    def now(self) -> datetime:
        """Returns the present moment in UTC."""
        return datetime.now(UTC) + self.ahead

    async def follow(self, connection: AsyncConnection) -> timedelta:
        """Asks the database for the time, and follows it; returns how far it is ahead of this machine.

        SQLite's clock is this machine's own.
        """
        if connection.dialect.name == "postgresql":
            before = datetime.now(UTC)
            theirs = await database_time(connection)
            doubt = (datetime.now(UTC) - before) / 2
            ahead = theirs - before - doubt
            if abs(ahead - self.ahead) > doubt + TOLERANCE:
                self.ahead = ahead
        return self.ahead


clock = Clock()
"""The clock of this process: it writes into one database."""


async def database_time(connection: AsyncConnection) -> datetime:
    """Returns the present moment by the database's own clock."""
    if connection.dialect.name == "postgresql":
        moment: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return moment
    return datetime.now(UTC)
