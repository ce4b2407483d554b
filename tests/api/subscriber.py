"""Somebody who subscribes: runs subscriptions against the schema as the service does, without a transport."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

from models.broadcaster import TIMELINE, Broadcaster
from models.database import Database
from resolvers.sign_in import sign_in
from schema.context import Context
from schema.schema import schema
from tests.api.caller import operation
from tests.factory import Factory, MemberRow

PATIENCE_SECONDS = 15.0
"""Nothing is measured by it: a test that hangs ends."""
PROGRESS = operation("operation_progress")
ENTRIES = operation("timeline_entries")


class Stream:
    """One subscription and what it has sent."""

    def __init__(self, results: Any, broadcaster: Broadcaster) -> None:
        self._results = results
        self._broadcaster = broadcaster
        self._coming: asyncio.Task[Any] | None = None

    async def begin(self) -> None:
        """Returns when everybody who watches a timeline waits for news."""
        coming = self.expect()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (coming.done() or self._is_waiting()):  # noqa: ASYNC110 nothing tells that somebody waits
                await asyncio.sleep(0.005)

    def expect(self) -> asyncio.Task[Any]:
        """Begins to wait for the next result."""
        self._coming = asyncio.ensure_future(anext(self._results, None))
        return self._coming

    def _is_waiting(self) -> bool:
        watches = {
            watch for topic, found in self._broadcaster._watches.items() if topic[0] == TIMELINE for watch in found
        }
        return bool(watches) and all(watch._changed._waiters for watch in watches)

    async def result(self) -> Any:
        """The next result, an ``ExecutionResult``; None after the last."""
        coming, self._coming = self._coming or anext(self._results, None), None
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await cast(Any, coming)

    async def next(self) -> Any:
        """The next event."""
        result = await self.result()
        assert result.errors is None
        (root,) = result.data.values()
        return root

    async def take(self, number: int) -> list[Any]:
        return [await self.next() for _ in range(number)]

    async def error(self) -> tuple[str, str]:
        """The code and the message with which it ends."""
        result = await self.result()
        assert result.data is None
        (error,) = result.errors
        assert await anext(self._results, None) is None
        return getattr(error.original_error, "code", ""), error.message

    async def rest(self) -> list[Any]:
        """All that comes until it is complete."""
        found = []
        while (result := await self.result()) is not None:
            assert result.errors is None
            found += result.data.values()
        return found


class Subscriber:
    """A person with a token, looked up anew for each event."""

    def __init__(self, broadcaster: Broadcaster, database: Database, token: str | None) -> None:
        self.broadcaster = broadcaster
        self.database = database
        self.token = token

    @classmethod
    async def of(
        cls, broadcaster: Broadcaster, factory: Factory, person: MemberRow, scopes: str = "read write"
    ) -> "Subscriber":
        return cls(broadcaster, factory.database, await factory.api_token(person, scopes))

    @asynccontextmanager
    async def open(self, query: str, **variables: Any) -> AsyncIterator[Stream]:
        async def again() -> Any:
            if self.token is None:
                return None
            token = self.token
            return await self.broadcaster.reads.read(("sign-in", token), lambda: sign_in(self.database, token))

        context = Context(self.database, await again(), broadcaster=self.broadcaster, sign_in_again=again)
        async with aclosing(cast(Any, await schema.subscribe(query, variables, context_value=context))) as results:
            stream = Stream(results, self.broadcaster)
            try:
                yield stream
            finally:
                if stream._coming is not None:
                    stream._coming.cancel()
                    await asyncio.gather(stream._coming, return_exceptions=True)

    async def error(self, query: str, **variables: Any) -> tuple[str, str]:
        """The code and the message with which a subscription is refused."""
        async with self.open(query, **variables) as stream:
            return await stream.error()
