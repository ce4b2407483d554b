"""The job queue on PostgreSQL: a job for each partner with work, whatever is undone, repeated, lost or cut off."""

import asyncio
import hashlib
import io
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import select, text
from sqlalchemy.engine import URL

from models.database import Database
from models.operation import CELLS
from models.operation_chunk import queued_operations
from resolvers.issuer import EPHEMERAL
from resolvers.operation.chunk import waiting_partners
from resolvers.operation.delivery import announce, announce_again, announce_forgotten, lend
from server.job_queue import JobQueue
from server.worker import STOP_SECONDS
from tests.factory import Factory
from tests.postgresql import administer
from tests.server.queued_work import STALLED_AFTER, QueuedWork, at_work, try_again_at_once, until

JOBS = "SELECT lock, status::text, args FROM procrastinate_jobs WHERE task_name = 'work' ORDER BY id"
FETCH = text("SELECT id FROM procrastinate_fetch_job_v2(ARRAY['operation'], NULL)")

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def rows(database: Database, statement: str, **values: Any) -> Sequence[Any]:
    async with database.write() as session:
        result = await (await session.connection()).execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else ()


async def announced(database: Database, *partners: int) -> None:
    async with database.write() as session:
        for partner_id in partners:
            await announce(await session.connection(), partner_id)


async def test_a_job_is_written_by_the_transaction_that_has_the_work(database: Database, factory: Factory) -> None:
    async with database.rehearse() as session:
        await announce(await session.connection(), 7)
    assert await rows(database, JOBS) == []
    queued = await QueuedWork.begin(factory, places=1)
    await queued.ask()
    partner = queued.story.partner.id
    assert await rows(database, JOBS) == [(f"partner:{partner}", "todo", {"partner_id": partner, "failures": 0})]


async def test_a_partner_has_one_waiting_job_and_keeps_its_place(database: Database) -> None:
    """A repeated announcement is no error: the transaction goes on."""
    await announced(database, 1, 2, 1, 1)
    await announced(database, 2)
    assert [lock for lock, _, _ in await rows(database, JOBS)] == ["partner:1", "partner:2"]


async def test_nobody_takes_a_waiting_job_before_what_was_announced_can_be_seen(database: Database) -> None:
    """Else a worker would find nothing, and the work would have no job any more."""
    await announced(database, 1)
    async with database.write() as session, database.engine.connect() as other:
        await announce(await session.connection(), 1)
        assert (await other.execute(FETCH)).scalar_one() is None
        await other.rollback()
    async with database.read() as connection:
        assert (await connection.execute(FETCH)).scalar_one() is not None


async def test_after_a_failure_a_partner_waits_unless_there_is_something_new(database: Database) -> None:
    await announce_again(database, 1, failures=3, delay=600)
    await announce_again(database, 1, failures=4, delay=600)
    ((_, _, arguments),) = await rows(database, JOBS)
    assert arguments == {"partner_id": 1, "failures": 3}
    assert await rows(database, "SELECT scheduled_at > now() + interval '590 s' FROM procrastinate_jobs") == [(True,)]
    await announced(database, 1)
    assert await rows(database, "SELECT scheduled_at FROM procrastinate_jobs") == [(None,)]


async def test_work_without_a_job_is_announced(database: Database, factory: Factory) -> None:
    """As after a restored backup."""
    first, second = await QueuedWork.begin(factory, places=1), await QueuedWork.begin(factory, places=1)
    operation = await first.ask()
    await second.ask()
    await rows(database, "DELETE FROM procrastinate_jobs WHERE lock = :lock", lock=f"partner:{first.story.partner.id}")
    waiting = await waiting_partners(database)
    assert await announce_forgotten(database, waiting) == [first.story.partner.id]
    assert await announce_forgotten(database, waiting) == []
    await rows(database, "DELETE FROM procrastinate_jobs")
    async with at_work(database):
        await first.until_ended(operation)


async def test_the_job_of_a_lost_worker_is_taken_over(database: Database, factory: Factory, lines: io.StringIO) -> None:
    """Whether its place is still there or not, and though a newer job of the partner waits behind it (procrastinate's own retry fails then)."""
    for lost in ("(SELECT max(id) FROM procrastinate_workers)", "NULL"):
        queued = await QueuedWork.begin(factory, places=1)
        operation = await queued.ask()
        await rows(database, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '10 s')")
        await rows(
            database, f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {lost} WHERE task_name = 'work'"
        )
        await announced(database, queued.story.partner.id)
        async with at_work(database):
            await queued.until_ended(operation)
    # More, if this machine is so busy that a living worker is not heard of in time.
    assert lines.getvalue().count("another takes over") >= 2


async def test_a_cut_connection_costs_delay_and_nothing_else(
    database: Database,
    factory: Factory,
    lines: io.StringIO,
    postgresql_server: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL closes every connection again and again; each cell is done once (issue, faults)."""
    try_again_at_once(monkeypatch)
    queued = await QueuedWork.begin(factory, places=8)
    operation = await queued.ask()
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.url.database}'"
    async with at_work(database):
        for unfinished in (7, 4):

            async def so_far(unfinished: int = unfinished) -> bool:
                return await queued.unfinished(operation) <= unfinished

            await until(so_far)
            await asyncio.to_thread(administer, postgresql_server, cut)
        await queued.until_ended(operation)
    assert "Traceback" not in lines.getvalue()


async def test_a_partner_whom_somebody_else_works_for_is_announced_again(database: Database, factory: Factory) -> None:
    """Whoever that is may be lost: nothing waits for the periodic look. Without work there is nothing to announce."""
    queued = await QueuedWork.begin(factory, places=1)
    operation, partner = await queued.ask(), queued.story.partner.id
    await rows(database, "DELETE FROM procrastinate_jobs")

    async def check() -> None:
        """This process may work."""

    queue = JobQueue(database, EPHEMERAL, check, stalled_after=STALLED_AFTER, stop_seconds=STOP_SECONDS)
    async with database.engine.connect() as other:
        await other.execute(select(queued_operations.c.operation_id).with_for_update())
        await queue._work(partner)
    waits = "SELECT args, scheduled_at BETWEEN now() AND now() + interval '1 s' FROM procrastinate_jobs"
    assert await rows(database, waits) == [({"partner_id": partner, "failures": 0}, True)]
    await rows(database, "DELETE FROM procrastinate_jobs")
    await queue._work(partner)
    await queued.until_ended(operation)
    await queue._work(partner)
    assert await rows(database, JOBS) == []


@pytest.mark.parametrize(("cells", "limit"), [(0, "20s"), (20_000, "30s"), (CELLS, "2min")])
async def test_the_transaction_of_a_lost_machine_is_undone(database: Database, cells: int, limit: str) -> None:
    """Its connection stays open for hours: the server must not wait for it with the operation locked, however large that is."""
    async with database.write() as session:
        connection = await session.connection()
        await lend(connection, cells)
        assert await connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == limit


def test_the_tables_are_those_of_the_installed_procrastinate(database_url: str) -> None:
    """If this fails, procrastinate was raised: write a step with its migrations, and note the digest of its new tables there."""
    step = import_module("models.migrations.versions.0004_worker_and_job_queue")
    assert hashlib.sha256(SchemaManager.get_schema().encode()).hexdigest() == step.SCHEMA_DIGEST
