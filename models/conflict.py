"""Transactions that PostgreSQL has undone in favour of others: deadlocks and serialization failures."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

UNDONE = frozenset({"40001", "40P01"})
TRIES = 4
PAUSE_SECONDS = 0.05

Result = TypeVar("Result")

_commits: ContextVar[list[None] | None] = ContextVar("commits", default=None)


def note_commit() -> None:
    """Tells ``again_after_conflict`` that something of the work is there for good."""
    commits = _commits.get()
    if commits is not None:
        commits.append(None)


async def again_after_conflict(work: Callable[[], Awaitable[Result]]) -> Result:
    """Does a piece of work, and does it again a few times when another transaction has won, unless some of it is committed already.

    Raises:
        DBAPIError: of the last try; a caller may well try later.
    """
    commits: list[None] = []
    mark = _commits.set(commits)
    try:
        for tried in range(1, TRIES):
            try:
                return await work()
            except DBAPIError as error:
                if commits or getattr(error.orig, "sqlstate", None) not in UNDONE:
                    raise
            # Whoever has won is given the time to finish.
            await asyncio.sleep(PAUSE_SECONDS * tried * random.uniform(0.5, 1.5))  # noqa: S311 spreads those who lost, keeps no secret
        return await work()
    finally:
        _commits.reset(mark)
