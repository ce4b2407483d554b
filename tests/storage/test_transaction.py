"""Writes are never lost, readers are never held up, and a failure leaves nothing behind."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Select, func, select, text, update
from sqlalchemy.exc import IntegrityError

from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.partner import PartnerProgram, partners
from tests.factory import MOMENT, ClientRow, Factory, PartnerRow

TASKS, ROUNDS = 8, 25
ROOT = Path(__file__).parents[2]
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _people(client: ClientRow) -> Select[int]:
    return select(clients.c.active_people).where(clients.c.id == client.id)


async def _read(database: Database, client: ClientRow) -> int:
    async with database.read() as connection:
        return int((await connection.execute(_people(client))).scalar_one())


async def _count_on(database: Database, client: ClientRow, by: int = 1) -> None:
    """Reads, lets the others run, and writes: what loses updates where reading does not take part in the transaction."""
    async with database.write() as session:
        connection = await session.connection()
        await lock_rows(connection, select(clients.c.id).where(clients.c.id == client.id))
        before = (await connection.execute(_people(client))).scalar_one()
        await asyncio.sleep(0)
        await connection.execute(update(clients).where(clients.c.id == client.id).values(active_people=before + by))


@pytest.fixture
async def client(factory: Factory) -> ClientRow:
    return await factory.client(await factory.partner())


async def test_concurrent_read_modify_write_loses_nothing(database: Database, client: ClientRow) -> None:
    async def task() -> None:
        for _ in range(ROUNDS):
            await _count_on(database, client)

    await asyncio.gather(*(task() for _ in range(TASKS)))
    assert await _read(database, client) == TASKS * ROUNDS


async def test_without_the_writing_transaction_updates_would_be_lost(database: Database, client: ClientRow) -> None:
    """The race is real: the same rounds through a plain reading transaction lose updates or are refused."""

    async def task() -> bool:
        try:
            async with database.read() as connection:
                before = (await connection.execute(_people(client))).scalar_one()
                await asyncio.sleep(0.01)
                values = update(clients).where(clients.c.id == client.id).values(active_people=before + 1)
                await connection.execute(values)
                await connection.execute(text("COMMIT"))
        except Exception:  # noqa: BLE001 however the database refuses
            return False
        return True

    results = await asyncio.gather(*(task() for _ in range(4)))
    assert not all(results) or await _read(database, client) < 4


async def test_several_processes_on_one_database_lose_nothing(database_url: str, factory: Factory) -> None:
    client = await factory.client(await factory.partner())
    program = f"""
import asyncio
from models.database import Database
from tests.factory import ClientRow
from tests.storage.test_transaction import _count_on
async def main():
    database = Database({database_url!r}, durable=False)
    for _ in range({ROUNDS}):
        await _count_on(database, {client!r})
    await database.dispose()
asyncio.run(main())
"""
    command = [sys.executable, "-W", "error", "-c", program]
    processes = [await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    for _ in range(ROUNDS):
        await _count_on(factory.database, client)
    for process in processes:
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
    assert await _read(factory.database, client) == 4 * ROUNDS


async def test_a_reader_does_not_wait_for_a_writer_and_sees_one_moment(database: Database, client: ClientRow) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(update(clients).values(active_people=7))
        async with asyncio.timeout(5), database.read() as reader:
            assert (await reader.execute(_people(client))).scalar_one() == 0
    assert await _read(database, client) == 7


async def test_a_long_reader_does_not_hold_up_a_writer(database: Database, client: ClientRow) -> None:
    async with database.read() as reader:
        assert (await reader.execute(_people(client))).scalar_one() == 0
        async with asyncio.timeout(5):
            await _count_on(database, client)
        if database.is_sqlite:
            assert (await reader.execute(_people(client))).scalar_one() == 0, "a reading transaction is of one moment"
    assert await _read(database, client) == 1


async def test_an_exception_rolls_everything_back(database: Database, client: ClientRow) -> None:
    with pytest.raises(LookupError):  # noqa: PT012 the exception comes from within
        async with database.write() as session:
            await (await session.connection()).execute(update(clients).values(active_people=7))
            raise LookupError
    assert await _read(database, client) == 0


async def test_a_cancelled_write_rolls_back_and_frees_the_writer(database: Database, client: ClientRow) -> None:
    """A caller that hangs up in the middle of a write must not leave the lock behind."""
    begun = asyncio.Event()

    async def write() -> None:
        async with database.write() as session:
            await (await session.connection()).execute(update(clients).values(active_people=7))
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        await _count_on(database, client)
    assert await _read(database, client) == 1


async def test_failures_leave_the_pool_healthy(database: Database, factory: Factory, client: ClientRow) -> None:
    """More failures, and failures within failures, than the pool has connections."""

    async def fail() -> None:
        async with database.read() as connection:
            await connection.execute(_people(client))
            async with database.write() as session:
                await (await session.connection()).execute(update(clients).values(active_people=-1))

    for _ in range(4):
        results = await asyncio.gather(*(fail() for _ in range(4)), return_exceptions=True)
        assert all(isinstance(result, IntegrityError) for result in results), results
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await _count_on(database, client)
    assert await _read(database, client) == 1


async def test_a_savepoint_can_fail_alone(database: Database, client: ClientRow) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(clients).values(active_people=3))
        with pytest.raises(IntegrityError):
            async with connection.begin_nested():
                await connection.execute(update(clients).values(active_people=-1))
    assert await _read(database, client) == 3


async def test_what_the_session_holds_is_written_at_the_end(database: Database) -> None:
    from models.partner import Partner

    async with database.write() as session:
        partner = Partner(hub_id=77, name="Agency", program=PartnerProgram.PROVIDER, created_at=MOMENT)
        session.add(partner)
    assert partner.id is not None, "still readable after the commit"
    async with database.read() as connection:
        assert (
            await connection.execute(select(partners.c.name).where(partners.c.hub_id == 77))
        ).scalar_one() == "Agency"


@ON_SQLITE
async def test_writers_come_in_the_order_in_which_they_asked(database: Database, factory: Factory) -> None:
    """On SQLite, where waiting for the file would be unfair."""
    order: list[int] = []

    async def write(number: int) -> None:
        async with database.write() as session:
            await (await session.connection()).execute(select(func.count()).select_from(clients))
            order.append(number)

    await asyncio.gather(*(write(number) for number in range(10)))
    assert order == list(range(10))


@ON_SQLITE
async def test_a_write_has_the_file_before_it_has_written_anything_and_a_read_never_has_it(database: Database) -> None:
    """BEGIN IMMEDIATE: what a write reads first is still so when it writes."""
    file = database.file
    assert file is not None
    other = sqlite3.connect(file, timeout=0, isolation_level=None)
    try:
        async with database.write():
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        async with database.read() as connection:
            await connection.execute(select(clients.c.id))
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
    finally:
        other.close()


@ON_SQLITE
async def test_of_this_process_one_writer_is_at_the_file_and_the_others_wait_outside(database: Database) -> None:
    """They take no connection, so readers have the pool's meanwhile."""
    tasks = [asyncio.create_task(_enter_write(database)) for _ in range(TASKS)]
    async with database.write():
        await asyncio.sleep(0.05)
        assert database.engine.pool.checkedout() == 1  # type: ignore[attr-defined]
    await asyncio.gather(*tasks)


async def _enter_write(database: Database) -> None:
    async with database.write():
        pass


@ON_SQLITE
async def test_a_reading_connection_on_sqlite_checks_references_and_keeps_a_log(database: Database) -> None:
    async with database.read() as connection:
        for pragma, expected in (("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 15_000)):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one() == expected


async def test_commits_reach_the_disk_unless_a_test_says_otherwise(tmp_path: Path) -> None:
    for durable, level in ((True, 2), (False, 0)):
        database = Database(f"sqlite:///{tmp_path / 'cam.sqlite3'}", durable=durable)
        async with database.read() as connection:
            assert (await connection.execute(text("PRAGMA synchronous"))).scalar_one() == level
        await database.dispose()


async def test_a_temporary_table_is_empty_each_time(database: Database, factory: Factory) -> None:
    from sqlalchemy import Column, Integer, MetaData, Table, insert

    from models.dialect import create_temporary, insert_many

    plan = Table("plan", MetaData(), Column("n", Integer), prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    for _ in range(3):
        async with database.write() as session:
            connection = await session.connection()
            await create_temporary(connection, plan)
            await insert_many(connection, plan, [])
            await insert_many(connection, plan, [{"n": 1}, {"n": 2}])
            await insert_many(connection, insert(plan), [{"n": 3}])
            assert (await connection.execute(select(func.sum(plan.c.n)))).scalar_one() == 6


async def test_a_row_that_is_there_already_is_passed_over(database: Database, factory: Factory) -> None:
    from models.dialect import insert_or_ignore

    known: PartnerRow = await factory.partner()
    rows = [
        {"hub_id": hub_id, "name": "Second", "program": PartnerProgram.PROVIDER, "created_at": MOMENT}
        for hub_id in (known.hub_id, 5)
    ]
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(insert_or_ignore(connection, partners), rows)
    async with database.read() as connection:
        names = (await connection.execute(select(partners.c.name).order_by(partners.c.hub_id))).scalars().all()
    assert names == ["Second", known.name]
