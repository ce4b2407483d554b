"""PostgreSQL does not wait for a machine that hangs inside a writing transaction: its rows are free again, and it is told."""

import asyncio

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from models import idle_limit
from models.database import Database
from models.partner import partners
from models.tenancy import Tenancy
from resolvers.operation.passing_error import is_passing
from tests.factory import Factory

SHOWN = text("SHOW idle_in_transaction_session_timeout")

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.mark.parametrize("tenancy", [None, Tenancy((1,), (2,), 3)], ids=["everything", "a tenant"])
async def test_what_writes_may_be_idle_for_a_while_and_what_reads_as_long_as_it_likes(
    database: Database, tenancy: Tenancy | None
) -> None:
    """Also what only tries, and whatever the connection did before: behind a pooler it is somebody else's next."""
    seen = database if tenancy is None else database.for_tenants(tenancy)
    async with seen.write() as session:
        assert await (await session.connection()).scalar(SHOWN) == "1min"
    async with seen.rehearse() as session:
        assert await (await session.connection()).scalar(SHOWN) == "1min"
    async with seen.read() as connection:
        assert await connection.scalar(SHOWN) == "0"
    async with seen.snapshot() as connection:
        assert await connection.scalar(SHOWN) == "0"


async def test_the_rows_of_who_hangs_are_free_again(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of what was to be written: it can be tried again."""
    partner = await factory.partner()
    row = select(partners.c.id).where(partners.c.id == partner.id).with_for_update()
    monkeypatch.setattr(idle_limit, "SETTING", "set_config('idle_in_transaction_session_timeout', '100', true)")
    holds, is_free = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        async with database.write() as session:
            connection = await session.connection()
            await connection.execute(row)
            holds.set()
            await is_free.wait()
            await connection.execute(row)

    hanging = asyncio.create_task(hang())
    try:
        await holds.wait()
        async with database.engine.connect() as other:
            assert await other.scalar(row) == partner.id
    finally:
        is_free.set()
        (told,) = await asyncio.gather(hanging, return_exceptions=True)
    assert isinstance(told, DBAPIError)
    assert is_passing(told)
