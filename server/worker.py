"""Carries out queued operations as long as the process lives, whatever the database does meanwhile.

A process enters itself among those at work, tells every few seconds that it is still there, and works: as the job queue tells on
PostgreSQL, by looking for itself on SQLite. When the database is gone it waits, longer each time, and enters itself anew. Nothing
is lost or done twice by that: ``resolvers.operation.chunk`` sees to it.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Protocol

import structlog

from models.database import Database
from resolvers.issuer import Issuer
from resolvers.operation.passing_error import PASSING
from resolvers.worker import WorkerError, be_seen, check_tables, enrol, leave, own_version
from server.operation_runner import OperationRunner, delay_after, one_line
from server.setting import Settings
from server.timekeeper import Timekeeper

log = structlog.stdlib.get_logger(__name__)

STOP_SECONDS = 2.0
"""How long the chunk under way may take when the process stops; then it is rolled back, and done by whoever comes next."""
LEAVE_SECONDS = 2.0
LONGEST_STOP = 12.0
"""Seconds until a process ends whose database hangs."""
REFUSED_SECONDS = 10.0
"""How long a service that may not work on operations waits until it asks again."""


class Runner(Protocol):
    """What finds the work and does it."""

    async def run(self, ending: asyncio.Event) -> None:
        """Works until told to end."""


@asynccontextmanager
async def working(settings: Settings, database: Database, issuer: Issuer) -> AsyncIterator[None]:
    """Works on operations beside the service; as long as it may not, or is not meant to, another process does."""
    if not settings.work_queue:
        log.info("this service leaves queued operations to cam worker")
        yield
        return
    stopping = asyncio.Event()
    task = asyncio.create_task(_work_when_allowed(settings, database, issuer, stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def _work_when_allowed(settings: Settings, database: Database, issuer: Issuer, stopping: asyncio.Event) -> None:
    told = ""
    while not stopping.is_set():
        try:
            await work(settings, database, issuer, stopping)
        except WorkerError as error:
            if str(error) != told:
                told = str(error)
                log.warning("this service leaves queued operations to other processes", reason=told)
            await _pause(stopping, REFUSED_SECONDS)


async def work(settings: Settings, database: Database, issuer: Issuer, stopping: asyncio.Event) -> None:
    """Works on operations until told to stop.

    Raises:
        WorkerError: if this process may not: its version is not that of the others, or of the database.
    """
    task = asyncio.create_task(_work(settings, database, issuer, stopping))
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        with suppress(TimeoutError):
            await asyncio.wait_for(task, LONGEST_STOP)
    finally:
        told.cancel()
        task.cancel()


async def _work(settings: Settings, database: Database, issuer: Issuer, stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    runner, timekeeper = _runner(settings, database, issuer), Timekeeper(database, issuer, settings.public_url)
    failures = 0
    while not stopping.is_set():
        started = loop.time()
        try:
            await _work_enrolled(settings, database, [runner, timekeeper], stopping)
        except WorkerError:
            raise
        except Exception as error:
            failures = 1 if loop.time() - started > delay_after(failures + 1) else failures + 1
            again = delay_after(failures)
            if isinstance(error, PASSING):
                log.warning("work on operations waits for the database", reason=one_line(error), again_in_seconds=again)
            else:
                log.exception("work on operations interrupted", again_in_seconds=again)
            await _pause(stopping, again)


def _runner(settings: Settings, database: Database, issuer: Issuer) -> Runner:
    async def check() -> None:
        async with database.read() as connection:
            await check_tables(connection)

    if database.is_sqlite:
        return OperationRunner(database, issuer, check)
    from server.job_queue import JobQueue  # noqa: PLC0415 slow to load, and SQLite has no use for it

    return JobQueue(database, issuer, check, stalled_after=settings.stalled_after, stop_seconds=STOP_SECONDS)


async def _work_enrolled(
    settings: Settings, database: Database, runners: Sequence[Runner], stopping: asyncio.Event
) -> None:
    name = f"{socket.gethostname()}:{os.getpid()}"
    place = await enrol(database, name, timedelta(seconds=settings.stalled_after))

    async def tell(ending: asyncio.Event) -> None:
        while not await _pause(ending, settings.stalled_after / 3):
            await be_seen(database, place)

    log.info("worker started", name=name, version=own_version())
    try:
        await _together(stopping, *(runner.run for runner in runners), tell)
    finally:
        with suppress(*PASSING):
            async with asyncio.timeout(LEAVE_SECONDS):
                await leave(database, place)
        log.info("worker stopped", name=name)


async def _together(stopping: asyncio.Event, *parts: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Runs all parts until told to stop or one of them ends; raises what one of them has raised."""
    ending = asyncio.Event()
    tasks = [asyncio.ensure_future(part(ending)) for part in parts]
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([*tasks, told], return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        ending.set()
        _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _pause(stopping: asyncio.Event, seconds: float) -> bool:
    """Waits, unless it is time to stop; returns whether it is."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
    return stopping.is_set()
