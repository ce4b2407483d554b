"""Connections to PostgreSQL are opened once, also those of a rush."""

import asyncio

import pytest
from sqlalchemy import text

from models.database import Database


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_connections_of_a_rush_are_kept(database_url: str) -> None:
    database = Database(database_url, pool_size=2)

    async def rush(number: int) -> set[int]:
        """Returns which of the server's processes answered so many at once."""
        there = asyncio.Barrier(number)

        async def one() -> int:
            async with database.read() as connection:
                answered: int = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                await there.wait()
                return answered

        return set(await asyncio.gather(*(one() for _ in range(number))))

    try:
        first = await rush(4)
        assert len(first) == 4
        assert await rush(1) < first
        assert await rush(4) == first
    finally:
        await database.dispose()
