"""DataLoaders made of batch functions and of nothing else, run in waves.

Usual DataLoaders run as soon as the event loop gets to them, so two branches of a query that lead to the same rows share a
statement only if their earlier statements happen to end together: how many statements a query takes is then a matter of luck.
Here a wave is everything that can be loaded now, and the next one begins when all of it is there and no field has anything
left to ask for. So the number of statements follows from the query alone (T3), and it is the least there can be.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from resolvers.reader import Reader

Parent = TypeVar("Parent", bound=Hashable)
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")
BatchFunction = Callable[Concatenate[Reader, Sequence[Parent], Arguments], Awaitable[Sequence[Result]]]

_BATCH = 10_000
"""More parents than this are read in several rounds: both databases limit the parameters of a statement."""
_QUIET_TURNS = 5
"""So many turns of the event loop without a new parent, and every field that could go on has gone on."""


class Loader:
    """A batch function with its arguments, and what it has found so far."""

    def __init__(self, name: str, batch: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]) -> None:
        """Begins with nothing found."""
        self.name = name
        self.found: dict[Hashable, asyncio.Future[Any]] = {}
        self.waiting: list[Hashable] = []
        self._batch = batch

    async def run(self) -> None:
        """Calls the batch function for all parents that wait, and gives each its result or the common exception."""
        parents, self.waiting = self.waiting, []
        for start in range(0, len(parents), _BATCH):
            part = parents[start : start + _BATCH]
            futures = [self.found[parent] for parent in part]
            try:
                results = await self._batch(part)
                for future, result in zip(futures, results, strict=True):
                    future.set_result(result)
            except asyncio.CancelledError:
                for future in futures:
                    future.cancel()
                raise
            except Exception as error:  # noqa: BLE001 it is raised again in each field that waits
                for future in futures:
                    future.set_exception(error)
                    # An exception whose field nobody waits for any more is nothing to complain about.
                    future.exception()


class Loaders:
    """The loaders of one request: one for each batch function and the arguments it is called with."""

    def __init__(self, reader: Reader) -> None:
        """Starts empty; loaders are made on first use."""
        self._reader = reader
        self._loaders: dict[Hashable, Loader] = {}
        self._waves: asyncio.Task[None] | None = None
        self._closed = False

    def load(
        self,
        function: BatchFunction[Parent, Arguments, Result],
        parent: Parent,
        *args: Arguments.args,
        **arguments: Arguments.kwargs,
    ) -> Awaitable[Result]:
        """Returns the function's result for one parent; parents asked for in the same wave are one call (T3)."""
        if self._closed:
            raise RuntimeError("Nothing is read for an operation that has been answered.")
        key = (function, args, tuple(sorted(arguments.items())))
        loader = self._loaders.get(key)
        if loader is None:

            async def batch(parents: Sequence[Any]) -> Sequence[Any]:
                return await function(self._reader, parents, *args, **arguments)

            loader = self._loaders[key] = Loader(loader_name(function), batch)
        future = loader.found.get(parent)
        if future is None:
            future = loader.found[parent] = asyncio.get_running_loop().create_future()
            loader.waiting.append(parent)
            if self._waves is None:
                self._waves = asyncio.create_task(self._run_waves(), name=loader.name)
        # A field that is given up must not take along the others that wait for the same row.
        return asyncio.shield(future)

    def clear(self) -> None:
        """Forgets everything that was read, so that a mutation's payload shows what it wrote."""
        self._loaders = {key: loader for key, loader in self._loaders.items() if loader.waiting}

    async def close(self) -> None:
        """Waits for what is being read, and lets nothing more be read.

        A field that fails can give the answer away while others still read: they would go on after it, with a connection each.
        """
        self._closed = True
        for loader in self._loaders.values():
            for parent in loader.waiting:
                loader.found[parent].cancel()
            loader.waiting.clear()
        if self._waves is not None:
            await self._waves

    async def _run_waves(self) -> None:
        try:
            while await self._settled():
                await asyncio.gather(*(loader.run() for loader in list(self._loaders.values()) if loader.waiting))
        finally:
            self._waves = None

    async def _settled(self) -> int:
        """Returns how many parents wait, once no field adds any."""
        waiting = quiet = 0
        while quiet < _QUIET_TURNS:
            await asyncio.sleep(0)
            now = sum(len(loader.waiting) for loader in self._loaders.values())
            quiet, waiting = (quiet + 1, waiting) if now == waiting else (0, now)
        return waiting


def loader_name(function: Callable[..., Any]) -> str:
    """Returns the name of a batch function's loader: grants_by_client makes the GrantsByClientLoader."""
    return "".join(word.capitalize() for word in function.__name__.split("_")) + "Loader"
