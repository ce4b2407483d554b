"""What happens when its time has come: scheduled operations and leavings, the end of access, and reminders of it (P04, P14).

Each process at work looks by itself; whatever is due is taken up under a lock, so it happens once, whoever looks, and whoever was
stopped leaves it to the next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from models.database import Database, Topic
from models.table import now
from resolvers.expiry.end import end_due
from resolvers.expiry.reminder import remind_due
from resolvers.issuer import Issuer
from resolvers.operation.passing_error import is_passing
from resolvers.schedule.departure import leave_due
from resolvers.schedule.release import next_due, queue_due
from resolvers.schedule.result import tell_due
from server.operation_runner import first_of

log = structlog.stdlib.get_logger(__name__)

LOOK_EVERY = 10.0
"""Seconds between two looks, if nothing is known to be due before."""
SHORTEST_PAUSE = 0.05


class Timekeeper:
    """Looks what is due, again when the next is, and every few seconds for what other processes have planned."""

    def __init__(self, database: Database, issuer: Issuer, link: str | None = None) -> None:
        self._database = database
        self._issuer = issuer
        self._link = link
        """The address of the service, for mails."""

    async def run(self, ending: asyncio.Event) -> None:
        """Looks until told to end.

        Raises:
            OperationalError, InterfaceError, TimeoutError, OSError: if the database is gone, locked or full.
        """
        woken = asyncio.Event()

        def hear(topics: frozenset[Topic]) -> None:
            if any(kind == "schedule" for kind, _ in topics):
                woken.set()

        self._database.on_commit.append(hear)
        try:
            while not ending.is_set():
                woken.clear()
                began = now()
                done = await self.look()
                await first_of(ending, woken, seconds=await self._pause(began, done))
        finally:
            self._database.on_commit.remove(hear)

    async def look(self) -> int:
        """Does once what is due, and returns how much it was."""
        done = 0
        for what, work in self._works().items():
            try:
                done += await work()
            except Exception as error:
                if is_passing(error):
                    raise
                # One kind of work that goes wrong keeps no other waiting.
                log.exception("what is due was not done", what=what)
        return done

    def _works(self) -> dict[str, Callable[[], Awaitable[int]]]:
        return {
            "scheduled operations": lambda: queue_due(self._database),
            "results of scheduled operations": lambda: tell_due(self._database),
            "scheduled leavings": lambda: leave_due(self._database, self._issuer),
            "expired access": lambda: end_due(self._database),
            "reminders": lambda: remind_due(self._database, self._link),
        }

    async def _pause(self, began: datetime, done: int) -> float:
        due = await next_due(self._database)
        # A look that was due and did nothing has failed, or another process is at it: trying at once again would not end.
        if due is None or (due <= began and not done):
            return LOOK_EVERY
        return max(min((due - now()).total_seconds(), LOOK_EVERY), SHORTEST_PAUSE)
