"""Carries out queued operations in this process, without a job queue (SQLite): a chunk at a time, the partners in turn."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from models.database import Database, Topic
from resolvers.issuer import Issuer
from resolvers.operation.chunk import waiting_partners, work_once
from resolvers.operation.passing_error import PASSING
from resolvers.worker import WorkerError

log = structlog.stdlib.get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks for work that nobody has told of: another process has queued it."""
ROOM = 0.05
"""How long the others may write after a chunk, as a part of its time: another process asks again and again for its turn."""
LONGEST_ROOM = 0.1
"""Seconds; SQLite lets a process that waits try at least this often."""
LONGEST_DELAY = 300.0

Check = Callable[[], Awaitable[None]]
"""Raises ``WorkerError`` if this process may not go on."""


def delay_after(failures: int) -> float:
    """Returns the seconds to wait after so many failures one after the other."""
    return min(2.0 ** min(failures - 1, 16), LONGEST_DELAY)


class OperationRunner:
    """Looks for work as long as it runs, woken by whoever queues some in this process."""

    def __init__(self, database: Database, issuer: Issuer, check: Check) -> None:
        self._database = database
        self._issuer = issuer
        self._check = check
        self._last = 0
        self._failures: dict[int, tuple[int, float]] = {}
        """How often a partner's work went wrong, and when it is tried again."""

    async def run(self, ending: asyncio.Event) -> None:
        """Works until told to end.

        Raises:
            OperationalError, InterfaceError, TimeoutError, OSError: if the database is gone, locked or full.
            WorkerError: if this process may not go on.
        """
        woken = asyncio.Event()

        def hear(topics: frozenset[Topic]) -> None:
            if any(kind == "work" for kind, _ in topics):
                woken.set()

        self._database.on_commit.append(hear)
        try:
            while not ending.is_set():
                woken.clear()
                await self._work_all(ending)
                await first_of(ending, woken, seconds=LOOK_EVERY)
        finally:
            self._database.on_commit.remove(hear)

    async def _work_all(self, ending: asyncio.Event) -> None:
        """Works until nothing is left that this process can do now."""
        loop = asyncio.get_running_loop()
        passed: set[int] = set()
        while not ending.is_set():
            partner_id = await self._next(passed)
            if partner_id is None:
                return
            self._last = partner_id
            started = loop.time()
            if not await self._work(partner_id):
                passed.add(partner_id)
            await first_of(ending, seconds=min(ROOM * (loop.time() - started), LONGEST_ROOM))

    async def _next(self, passed: set[int]) -> int | None:
        """Returns the partner whose turn it is: however much one has queued, the next one comes after a chunk."""
        moment = asyncio.get_running_loop().time()
        waiting = sorted(
            partner_id
            for partner_id in await waiting_partners(self._database)
            if partner_id not in passed and self._failures.get(partner_id, (0, 0.0))[1] <= moment
        )
        return next((partner_id for partner_id in waiting if partner_id > self._last), next(iter(waiting), None))

    async def _work(self, partner_id: int) -> bool:
        """Does a chunk; returns whether there was one."""
        try:
            await self._check()
            worked = await work_once(self._database, self._issuer, partner_id)
        except (*PASSING, WorkerError):
            raise
        except Exception:
            # What nobody foresaw in one partner's operation must not keep the others waiting.
            failures = self._failures.get(partner_id, (0, 0.0))[0] + 1
            again = delay_after(failures)
            self._failures[partner_id] = failures, asyncio.get_running_loop().time() + again
            log.exception("operation interrupted", partner=partner_id, again_in_seconds=again)
            return False
        self._failures.pop(partner_id, None)
        return worked is not None


def one_line(error: BaseException) -> str:
    """Returns what the database said, without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split()) or type(error).__name__


async def first_of(*events: asyncio.Event, seconds: float) -> None:
    """Waits until one of the events has happened, or the time is over."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
