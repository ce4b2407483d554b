"""One read for all who ask the same thing at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast

Result = TypeVar("Result")


class SharedReads:
    """Reads that are going on, by what they are of.

    Whoever asks while a read is going on may have been told of a change that it does not see. So they wait for the next one, and
    share it: however many ask, there are at most two reads of one thing at a time, and nobody gets what was read before they asked.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Task[Any]] = {}

    async def read(self, key: Hashable, load: Callable[[], Awaitable[Result]]) -> Result:
        """Returns what ``load`` gives, begun after this call, by whichever of those who ask for ``key``."""
        running = self._running.get(key)
        if running is None:
            task = self._start(key, load)
        elif (waiting := self._next.get(key)) is not None:
            task = waiting
        else:
            task = self._next[key] = asyncio.create_task(self._follow(running, key, load))
            task.add_done_callback(_heard)
        # One who goes away must not end the read of the others.
        return cast(Result, await asyncio.shield(task))

    def _start(self, key: Hashable, load: Callable[[], Awaitable[Result]]) -> asyncio.Task[Any]:
        task = self._running[key] = asyncio.ensure_future(_of(load))
        task.add_done_callback(lambda _task: self._running.pop(key, None))
        task.add_done_callback(_heard)
        return task

    async def _follow(self, running: asyncio.Task[Any], key: Hashable, load: Callable[[], Awaitable[Result]]) -> Result:
        await asyncio.wait({running})
        del self._next[key]
        return cast(Result, await asyncio.shield(self._start(key, load)))


async def _of(load: Callable[[], Awaitable[Result]]) -> Result:
    return await load()


def _heard(task: asyncio.Task[Any]) -> None:
    """Looks at the error of a read whose askers have all gone, so that asyncio does not complain of it."""
    if not task.cancelled():
        task.exception()
