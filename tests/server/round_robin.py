"""A reverse proxy as small as one can be: hands each connection to the next of several servers, past those that are gone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

CHUNK = 65_536


class RoundRobin:
    """The proxy, and which server got which connection."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self.port = 0
        self.handed: list[int] = []
        """For each connection, the place of its server in ``ports``."""
        self._turn = 0
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["RoundRobin"]:
        """Listens on any free port as long as the block runs."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._hand_over(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _hand_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await self._next_server()
            try:
                ways = [asyncio.create_task(_pass(reader, back)), asyncio.create_task(_pass(there, writer))]
                # When one side has gone, so is the connection.
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
            finally:
                back.close()
        finally:
            writer.close()

    async def _next_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self.ports:
            place, self._turn = self._turn, (self._turn + 1) % len(self.ports)
            with suppress(OSError):
                opened = await asyncio.open_connection("127.0.0.1", self.ports[place])
                self.handed.append(place)
                return opened
        raise ConnectionRefusedError("All servers are gone.")


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(CHUNK):
            writer.write(part)
            await writer.drain()
