"""GraphQL over server-sent events: one operation a request, in the protocol's form of distinct connections.

Two things differ from what Strawberry has. Only a request that names `text/event-stream` before any other media type gets a stream:
clients that take everything name it last, and mean JSON. And lines end with a line feed alone, since some clients look for two of
those and nothing else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types.execution import ExecutionResult, PreExecutionError

from server.error import ErrorCode, RequestError, masked

EVENT_STREAM = "text/event-stream"
PING_SECONDS = 15.0
"""Between two comments that keep proxies from ending a quiet stream, and find out that the client has gone."""
PING = b":\n\n"
RETRY_SECONDS = "5"


class Streams:
    """The subscriptions of this process, over whichever transport: how many there may be, and their end when it stops."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._ends: set[Callable[[], object]] = set()

    @contextmanager
    def one(self, end: Callable[[], object] | None = None) -> Iterator[None]:
        """Counts one, as long as the block runs.

        Args:
            end: ends it when the process stops; not needed where the server ends the connection itself.

        Raises:
            RequestError: TOO_MANY_SUBSCRIPTIONS.
        """
        if self.count >= self.limit:
            raise RequestError(
                503,
                "This server has as many subscriptions as it may. Try again in a few seconds.",
                ErrorCode.TOO_MANY_SUBSCRIPTIONS,
                {"Retry-After": RETRY_SECONDS},
            )
        self.count += 1
        if end is not None:
            self._ends.add(end)
        try:
            yield
        finally:
            self.count -= 1
            if end is not None:
                self._ends.discard(end)

    def end(self) -> None:
        """Ends them: the process stops. Their clients connect again, elsewhere or later."""
        for end in list(self._ends):
            end()


def wants_stream(accept: str) -> bool:
    """Says whether the first media type of an ``Accept`` header is that of server-sent events."""
    name, *options = (part.strip() for part in accept.lower().partition(",")[0].split(";"))
    return name == EVENT_STREAM and not any(option in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for option in options)


def event(name: str, data: bytes = b"") -> bytes:
    """Returns an event; JSON of ours has no line breaks."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


class EventStreamResponse(Response):
    """Sends the results of an operation as they come; ends when they do, when the client goes, or when the process stops."""

    def __init__(
        self, results: AsyncIterator[ExecutionResult], streams: Streams, encode: Callable[[object], bytes]
    ) -> None:
        """Does not begin yet.

        Args:
            results: what to send; closed in the end.
            streams: counts this one.
            encode: makes JSON.
        """
        super().__init__(
            headers={
                "Content-Type": f"{EVENT_STREAM}; charset=utf-8",
                "Cache-Control": "no-store",
                "Vary": "Accept",
                "X-Accel-Buffering": "no",
            }
        )
        # Its length is not known.
        del self.headers["Content-Length"]
        self._results = results
        self._streams = streams
        self._encode = encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 ASGI's signature
        """Sends the stream."""
        turn, stopped = asyncio.Lock(), asyncio.Event()

        async def write(part: bytes) -> None:
            # Waits as long as the client does not read: what happens meanwhile is not kept, the next result says it.
            async with turn:
                await send({"type": "http.response.body", "body": part, "more_body": True})

        with self._streams.one(stopped.set):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            gone = asyncio.create_task(_gone(receive))
            others = (self._send_results(write), stopped.wait(), _ping(write))
            tasks = [gone, *(asyncio.create_task(cast(Any, other)) for other in others)]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                has_gone = gone.done()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if not has_gone:
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_results(self, write: Callable[[bytes], Any]) -> None:
        async with aclosing(cast(Any, self._results)) as results:
            try:
                async for result in results:
                    await write(event("next", self._encode(_payload(result))))
            except OSError:
                # The client has gone.
                return
            except Exception as error:  # noqa: BLE001 nothing may leave the process unmasked
                await write(event("next", self._encode({"errors": [masked(error)]})))
            await write(event("complete"))


def _payload(result: ExecutionResult) -> dict[str, object]:
    payload: dict[str, object] = {} if isinstance(result, PreExecutionError) else {"data": result.data}
    if result.errors:
        payload["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        payload["extensions"] = result.extensions
    return payload


async def _ping(write: Callable[[bytes], Any]) -> None:
    while True:
        await asyncio.sleep(PING_SECONDS)
        await write(PING)


async def _gone(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
