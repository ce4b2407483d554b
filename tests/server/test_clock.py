"""The service's clock follows the database's, where that is another machine's."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from models import clock as clock_module
from models.clock import TOLERANCE, clock, database_time
from models.database import Database
from models.table import now
from server import clock as follower
from server.clock import following_clock, measure
from tests.server.queued_work import until

NEAR = timedelta(seconds=30)


class Elsewhere:
    """A database whose clock differs from ours."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    async def time(self, connection: AsyncConnection) -> datetime:
        return await database_time(connection) + self.ahead


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    found = Elsewhere()
    monkeypatch.setattr(clock_module, "database_time", found.time)
    yield found
    clock.ahead = timedelta(0)


def difference() -> timedelta:
    return now() - datetime.now(UTC)


async def test_the_database_counts(database: Database, elsewhere: Elsewhere, lines: io.StringIO) -> None:
    elsewhere.ahead = timedelta(hours=-1)
    for _ in range(2):
        await measure(database)
    if database.is_sqlite:
        # Its clock is this machine's.
        assert clock.ahead == timedelta(0)
        assert lines.getvalue() == ""
        return
    assert abs(difference() - elsewhere.ahead) < NEAR
    assert lines.getvalue().count("the clocks of this machine and the database differ") == 1
    elsewhere.ahead = timedelta(0)
    await measure(database)
    assert abs(difference()) < NEAR


async def test_the_noise_of_the_network_does_not_move_time(database: Database, elsewhere: Elsewhere) -> None:
    elsewhere.ahead = TOLERANCE / 5
    async with database.read() as connection:
        await database_time(connection)
        assert await clock.follow(connection) == timedelta(0)
    assert clock.ahead == timedelta(0)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_it_is_followed_as_long_as_the_service_runs(
    database: Database, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the database was gone at the start."""
    monkeypatch.setattr(follower, "MEASURE_EVERY", 0.01)
    elsewhere.ahead = timedelta(minutes=10)
    gone = [ConnectionError("gone"), ConnectionError("gone")]
    real = elsewhere.time

    async def time(connection: AsyncConnection) -> datetime:
        if gone:
            raise gone.pop()
        return await real(connection)

    async def followed() -> bool:
        return clock.ahead != timedelta(0)

    monkeypatch.setattr(clock_module, "database_time", time)
    async with following_clock(database):
        assert clock.ahead == timedelta(0)
        await until(followed)
    assert abs(difference() - elsewhere.ahead) < NEAR
