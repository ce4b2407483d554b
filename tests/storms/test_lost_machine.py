"""A machine that is lost for good in the middle of a chunk: the others do all the rest, and nothing twice (issue, Shown)."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.database import Database
from resolvers.operation import chunk, execute
from tests.factory import Factory
from tests.server.queued_work import QueuedWork, until
from tests.storms.nursery import kill, nursery
from tests.storms.soundness import assert_sound

WAITING = text("SELECT application_name FROM pg_stat_activity WHERE wait_event = 'transactionid' AND datname = :name")


async def waiting(database: Database) -> set[str]:
    """Which workers wait for a row that somebody holds."""
    async with database.read() as connection:
        return set((await connection.execute(WAITING, {"name": database.url.database})).scalars())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        # PostgreSQL waits 20 seconds and more before it undoes the transaction of somebody who says nothing.
        pytest.param(signal.SIGSTOP, id="hanging with its connection open", marks=pytest.mark.thorough),
    ],
)
async def test_the_others_finish_what_a_lost_machine_has_begun(
    database: Database, factory: Factory, tmp_path: Path, how: signal.Signals
) -> None:
    """It is lost inside the transaction of a chunk, for it waits there for a row that we hold."""
    queued = await QueuedWork.begin(factory, places=8)
    names = {f"machine-{number}" for number in range(2)}
    with nursery(tmp_path) as workers:
        urls = {name: database.url.update_query_dict({"application_name": name}) for name in names}
        async with database.engine.connect() as holder:
            held = select(clients.c.id).where(clients.c.id == queued.places[3].id)
            await holder.execute(held.with_for_update(key_share=True))
            operation = await queued.ask()
            pids = {name: workers.worker(url.render_as_string(hide_password=False)) for name, url in urls.items()}

            async def reached() -> bool:
                return await queued.unfinished(operation) == 5 and bool(await waiting(database) & names)

            await until(reached)
            (lost,) = await waiting(database) & names
            os.kill(pids[lost], how)
            await holder.rollback()
        assert await queued.unfinished(operation) == 5
        await queued.until_ended(operation)
        if how is signal.SIGSTOP:
            # It comes back, and finds that its work was done by others.
            os.kill(pids[lost], signal.SIGCONT)
            back = await QueuedWork.begin(factory, places=2)
            await back.until_ended(await back.ask())
        for pid in {pids[name] for name in names if how is signal.SIGSTOP or name != lost}:
            await asyncio.to_thread(kill, pid)
        assert "Traceback" not in workers.log
    await assert_sound(database)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_no_transaction_of_a_chunk_is_lent_for_ever(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server undoes it when nothing is heard of the machine; also where it looks for a cell that fails."""
    queued = await QueuedWork.begin(factory, places=1)
    await queued.ask()
    lent: list[str] = []
    take, carry_out, fails = chunk._count_attempt, execute.carry_out, iter([True])

    async def note(connection: AsyncConnection) -> None:
        lent.append(str(await connection.scalar(text("SHOW idle_in_transaction_session_timeout"))))

    async def count_attempt(connection: AsyncConnection, *rest: Any) -> None:
        await note(connection)
        await take(connection, *rest)

    async def carry_out_at_second(connection: AsyncConnection, *rest: Any) -> Any:
        await note(connection)
        if next(fails, False):
            raise ValueError("a cell that cannot be carried out")
        return await carry_out(connection, *rest)

    monkeypatch.setattr(chunk, "_count_attempt", count_attempt)
    monkeypatch.setattr(chunk, "carry_out", carry_out_at_second)
    assert await queued.story.work() == 1
    assert len(lent) >= 3
    assert "0" not in lent
