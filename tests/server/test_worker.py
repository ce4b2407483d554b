"""Workers: what is queued is done, whoever is killed, told to stop or of another version, and the agencies take turns."""

import asyncio
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import OperationalError

from models.database import Database
from models.worker import workers
from resolvers.issuer import EPHEMERAL, Issuer
from resolvers.operation import chunk
from resolvers.operation.chunk import Worked
from resolvers.worker import LostPlaceError, OtherTablesError, OtherVersionError, be_seen, enrol, own_version
from server import job_queue, operation_runner
from server import worker as worker_module
from server.command import main
from server.setting import load_settings
from server.worker import working
from tests.factory import Factory
from tests.server.queued_work import (
    KEY,
    PATIENCE_SECONDS,
    STALLED_AFTER,
    QueuedWork,
    at_work,
    settings_of,
    try_again_at_once,
    until,
)

GONE = timedelta(seconds=30)


@contextmanager
def worker_process(database_url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``cam worker`` as it is started."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CAM_")}
    environment |= {"CAM_DATABASE_URL": database_url, "CAM_SECRET_KEY": KEY, "CAM_STALLED_AFTER": str(STALLED_AFTER)}
    with (folder / "worker.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "worker"],
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
            env=environment,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)


async def enter(database: Database, version: str, seen_at: datetime | None = None) -> int:
    """Another process at work."""
    moment = seen_at or datetime.now(UTC)
    values = {"name": "elsewhere:1", "version": version, "started_at": moment, "seen_at": moment}
    async with database.write() as session:
        made = await (await session.connection()).execute(insert(workers).values(values).returning(workers.c.id))
        place: int = made.scalar_one()
    return place


async def entered(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(workers.c.version))).scalars())


class Interrupted:
    """Stands before the real work: counts whose turn it was, and does what the test says before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turns: list[int] = []
        self.errors: list[BaseException] = []
        self.only: int | None = None
        for module in (job_queue, operation_runner):
            monkeypatch.setattr(module, "work_once", self.work_once)

    async def work_once(self, database: Database, issuer: Issuer, partner_id: int) -> Worked | None:
        self.turns.append(partner_id)
        if self.errors and self.only in {None, partner_id}:
            raise self.errors.pop(0)
        return await chunk.work_once(database, issuer, partner_id)


async def test_what_is_queued_before_and_during_the_work_is_done_once(database: Database, factory: Factory) -> None:
    """And the worker is among those at work as long as it is."""
    first = await QueuedWork.begin(factory, places=3)
    queued = await first.ask()
    async with at_work(database):
        await first.until_ended(queued)
        assert await entered(database) == [own_version()]
        second = await QueuedWork.begin(factory, places=2)
        await second.until_ended(await second.ask())
    assert await entered(database) == []


async def test_agencies_take_turns(database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large operation of one does not hold up a small one of another."""
    large, small = await QueuedWork.begin(factory, places=4), await QueuedWork.begin(factory, places=1)
    operations = await large.ask(), await small.ask()
    interrupted = Interrupted(monkeypatch)
    async with at_work(database):
        await small.until_ended(operations[1])
        await large.until_ended(operations[0])
    assert small.story.partner.id in interrupted.turns[:3]


async def test_work_goes_on_when_the_database_is_back(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    """Disk full, locked, gone: one line each time, and nothing is done twice."""
    queued = await QueuedWork.begin(factory, places=3)
    operation = await queued.ask()
    try_again_at_once(monkeypatch)
    interrupted = Interrupted(monkeypatch)
    interrupted.errors = [OperationalError("INSERT …", {}, Exception("disk is full")) for _ in range(2)]
    async with at_work(database):
        await queued.until_ended(operation)
    log = lines.getvalue()
    assert log.count('"reason": "disk is full"') == 2
    assert "INSERT" not in log
    assert "Traceback" not in log


async def test_what_nobody_foresaw_in_one_agency_keeps_no_other_waiting(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    unlucky, lucky = await QueuedWork.begin(factory, places=2), await QueuedWork.begin(factory, places=2)
    operations = await unlucky.ask(), await lucky.ask()
    try_again_at_once(monkeypatch)
    interrupted = Interrupted(monkeypatch)
    interrupted.only, interrupted.errors = unlucky.story.partner.id, [RuntimeError("unforeseen") for _ in range(5)]
    async with at_work(database):
        await lucky.until_ended(operations[1])
        await unlucky.until_ended(operations[0])
    assert lines.getvalue().count("operation interrupted") == 5


async def test_a_worker_that_is_told_to_stop_leaves_its_chunk_to_the_next(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "STOP_SECONDS", 0.05)
    queued = await QueuedWork.begin(factory, places=2)
    operation = await queued.ask()
    reached = asyncio.Event()

    async def hang(*_arguments: Any) -> None:
        reached.set()
        await asyncio.sleep(PATIENCE_SECONDS)

    with monkeypatch.context() as patch:
        patch.setattr(chunk, "carry_out", hang)
        async with at_work(database):
            await asyncio.wait_for(reached.wait(), PATIENCE_SECONDS)
    assert await queued.unfinished(operation) == 2
    async with at_work(database):
        await queued.until_ended(operation)


async def test_a_worker_killed_in_the_middle_is_replaced_by_another(
    database: Database, factory: Factory, database_url: str, tmp_path: Path
) -> None:
    """Machine lost for good (issue): it is not started again, and each cell is done once."""
    queued = await QueuedWork.begin(factory, places=8)
    operation = await queued.ask()

    async def begun() -> bool:
        return await queued.unfinished(operation) <= 6

    with worker_process(database_url, tmp_path) as first:
        await until(begun)
        os.kill(first.pid, signal.SIGKILL)
        await asyncio.to_thread(first.wait, PATIENCE_SECONDS)
    assert await queued.unfinished(operation) > 0
    async with at_work(database):
        await queued.until_ended(operation)
    assert "Traceback" not in (tmp_path / "worker.txt").read_text(encoding="utf-8")


async def test_a_worker_stops_though_the_database_hangs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = asyncio.Event()

    async def hang(*_arguments: Any) -> None:
        reached.set()
        await asyncio.sleep(PATIENCE_SECONDS)

    monkeypatch.setattr(worker_module, "LONGEST_STOP", 0.05)
    monkeypatch.setattr(worker_module, "enrol", hang)
    async with at_work(database) as task:
        await asyncio.wait_for(reached.wait(), PATIENCE_SECONDS)
    assert task.done()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_works_until_it_is_told_to_stop(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: io.StringIO
) -> None:
    def stop() -> None:
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            while connection.execute("SELECT count(*) FROM worker").fetchone() == (0,):
                time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setenv("CAM_DATABASE_URL", database_url)
    monkeypatch.setattr(sys, "argv", ["cam", "worker"])
    with ThreadPoolExecutor() as threads:
        stopped = threads.submit(stop)
        with pytest.raises(SystemExit, match="0"):
            main()
        stopped.result()
    told = capsys.readouterr()
    assert told.out == "Working on queued operations; Ctrl+C stops.\n"
    assert [json.loads(line)["event"] for line in told.err.splitlines()] == ["worker started", "worker stopped"]


async def test_two_versions_do_not_work_side_by_side(database: Database) -> None:
    await enter(database, "0.0.9, tables 0003, permissions abc")
    with pytest.raises(
        OtherVersionError, match=r"elsewhere:1 works .* in another version \(0\.0\.9.*Stop it, or start"
    ):
        await enrol(database, "here:2", GONE)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_of_another_version_ends_with_one_line(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: io.StringIO
) -> None:
    """And says it to a person, not in the log."""
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection, connection:
        values = ("elsewhere:1", "0.0.9", "2026-01-01 00:00:00.000000", "9999-01-01 00:00:00.000000")
        connection.execute("INSERT INTO worker (name, version, started_at, seen_at) VALUES (?, ?, ?, ?)", values)
    monkeypatch.setenv("CAM_DATABASE_URL", database_url)
    monkeypatch.setattr(sys, "argv", ["cam", "worker"])
    with pytest.raises(SystemExit, match="1"):
        main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cam: elsewhere:1 works on this database in another version")
    assert "Stop it, or start this one in its version" in line


async def test_a_worker_that_is_gone_stands_in_nobodys_way(database: Database) -> None:
    """By the database's clock, and however it ended."""
    await enter(database, "0.0.9", datetime.now(UTC) - GONE - timedelta(seconds=1))
    await enter(database, own_version())
    await enrol(database, "here:2", GONE)
    assert await entered(database) == [own_version(), own_version()]


async def test_who_was_taken_for_gone_enters_anew(database: Database) -> None:
    place = await enrol(database, "here:2", GONE)
    await be_seen(database, place)
    async with database.write() as session:
        await (await session.connection()).execute(update(workers).values(seen_at=datetime.now(UTC) - 2 * GONE))
    await enrol(database, "there:3", GONE)
    with pytest.raises(LostPlaceError):
        await be_seen(database, place)


async def test_a_service_serves_on_and_works_when_the_other_version_is_gone(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    monkeypatch.setattr(worker_module, "REFUSED_SECONDS", 0.02)
    queued = await QueuedWork.begin(factory, places=1)
    operation = await queued.ask()
    other = await enter(database, "0.0.9")

    async def told() -> bool:
        return "leaves queued operations to other processes" in lines.getvalue()

    async with working(settings_of(database), database, EPHEMERAL):
        await until(told)
        await asyncio.sleep(0.1)
        assert await queued.unfinished(operation) == 1
        async with database.write() as session:
            await (await session.connection()).execute(workers.delete().where(workers.c.id == other))
        await queued.until_ended(operation)
    assert lines.getvalue().count("leaves queued operations to other processes") == 1


async def test_a_worker_stops_when_the_database_is_migrated_past_it(database: Database, factory: Factory) -> None:
    queued = await QueuedWork.begin(factory, places=1)
    async with at_work(database) as task:
        await until(lambda: _is_entered(database))
        async with database.write() as session:
            connection = await session.connection()
            known = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        operation = await queued.ask()
        with pytest.raises(OtherTablesError, match=r"The database is at version 9999 now.*install"):
            await asyncio.wait_for(task, PATIENCE_SECONDS)
    assert await queued.unfinished(operation) == 1
    async with database.write() as session:
        await (await session.connection()).execute(
            text("UPDATE alembic_version SET version_num = :known"), {"known": known}
        )
    async with at_work(database):
        await queued.until_ended(operation)


async def _is_entered(database: Database) -> bool:
    return bool(await entered(database))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_service_leaves_the_queue_to_workers_where_it_is_told_to(
    database: Database, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    asked: list[bool] = []

    async def work_when_allowed(*_: object) -> None:
        asked.append(settings.work_queue)

    monkeypatch.setattr(worker_module, "_work_when_allowed", work_when_allowed)
    for said in ("true", "false"):
        monkeypatch.setenv("CAM_WORK_QUEUE", said)
        settings = load_settings()
        async with working(settings, database, EPHEMERAL):
            pass
    assert asked == [True]
    assert lines.getvalue().count("this service leaves queued operations to cam worker") == 1
