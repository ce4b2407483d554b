"""Values come back as they went in, and compare alike, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import StatementError

from models.client import clients
from models.database import Database
from models.member import members
from models.partner import PartnerProgram, partners
from models.text import fold
from tests.factory import MOMENT, ClientRow, Factory

AMOUNTS = ["0", "0.0001", "-0.0001", "0.1", "19.99", "1234567.8901", "-5", "922337203685477.5807", "1E+3", "100.00"]
NAMES = ["Zoë", "zoe", "Zoé & Söhne", "Ångström", "angel", "Éclair", "eclair 2", "O'Neil", "o-neil", "Straße", "Strasse",
         "株式会社", "Ω", "Ωmega", "10 Downing", "9 Lives", "_x", "x y", "x  y", "-", "Ł", "łódź", "🦊", "ﬀ"]  # fmt: skip


@pytest.fixture
async def client(factory: Factory) -> ClientRow:
    return await factory.client(await factory.partner())


@pytest.mark.parametrize("amount", AMOUNTS)
async def test_an_amount_comes_back_exactly(database: Database, client: ClientRow, amount: str) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(clients).values(managed_mrr=Decimal(amount), sold_mrr=None))
    async with database.read() as connection:
        row = (await connection.execute(select(clients.c.managed_mrr, clients.c.sold_mrr))).one()
        found = await connection.scalar(select(clients.c.id).where(clients.c.managed_mrr == Decimal(amount)))
    assert isinstance(row.managed_mrr, Decimal)
    assert (row.managed_mrr, row.sold_mrr, found) == (Decimal(amount), None, client.id)


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
async def test_what_is_no_amount_is_refused(database: Database, client: ClientRow, amount: str) -> None:
    with pytest.raises((StatementError, OverflowError)):
        async with database.write() as session:
            await (await session.connection()).execute(update(clients).values(managed_mrr=Decimal(amount)))


@pytest.mark.parametrize("amount", ["0.00001", "1.23456"])
async def test_an_amount_that_would_not_come_back_exactly_is_refused(
    database: Database, client: ClientRow, amount: str
) -> None:
    with pytest.raises(StatementError):
        async with database.write() as session:
            await (await session.connection()).execute(update(clients).values(managed_mrr=Decimal(amount)))


async def test_amounts_are_in_the_order_of_their_values(database: Database, factory: Factory) -> None:
    partner = await factory.partner()
    for amount in AMOUNTS:
        await factory.client(partner, managed_mrr=Decimal(amount))
    async with database.read() as connection:
        found = (
            (await connection.execute(select(clients.c.managed_mrr).order_by(clients.c.managed_mrr))).scalars().all()
        )
    assert found == sorted(Decimal(amount) for amount in AMOUNTS)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 21, 20, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=-11))),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
async def test_a_moment_goes_in_aware_and_comes_out_in_utc(
    database: Database, client: ClientRow, moment: datetime
) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(update(clients).values(since=moment))
    async with database.read() as connection:
        found = (await connection.execute(select(clients.c.since).where(clients.c.since == moment))).scalar_one()
    assert (found, found.utcoffset()) == (moment, timedelta(0))


async def test_a_moment_without_zone_is_refused(database: Database, client: ClientRow) -> None:
    with pytest.raises(StatementError):
        async with database.write() as session:
            await (await session.connection()).execute(update(clients).values(since=datetime(2026, 11, 21)))  # noqa: DTZ001


async def test_names_are_in_the_order_of_their_folded_bytes(database: Database, factory: Factory) -> None:
    """T3: a page's order, and so its cursors, are the same on both databases, whatever language the server speaks."""
    partner = await factory.partner()
    for name in NAMES:
        await factory.client(partner, name)
        await factory.member(partner, name, email=f"{NAMES.index(name)}@example.com")
    expected = sorted(fold(name) for name in NAMES)
    async with database.read() as connection:
        for table in (clients, members):
            column = table.c.sort_name
            assert (await connection.execute(select(column).order_by(column))).scalars().all() == expected
            for edge in expected:
                after = (await connection.execute(select(column).where(column > edge))).scalars().all()
                assert sorted(after) == [name for name in expected if name > edge], (
                    "Python compares as the database does"
                )


async def test_enumerations_are_stored_as_their_words(database: Database) -> None:
    async with database.write() as session:
        row = {"hub_id": 1, "name": "A", "program": PartnerProgram.PROVIDER, "created_at": MOMENT}
        await (await session.connection()).execute(insert(partners).values(row))
    async with database.read() as connection:
        assert (await connection.execute(select(partners.c.program))).scalar_one() == "PROVIDER"
