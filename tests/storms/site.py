"""Processes of the service behind a proxy, and workers, any of which can be killed and is replaced then."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx2
from sqlalchemy.engine import URL

from tests.server.queued_work import until
from tests.server.round_robin import RoundRobin
from tests.storms.nursery import Nursery, kill

QUEUE_ABOVE, CHUNK_CELLS = 60, 100
"""Cells: what has more is carried out by workers, in chunks of so many."""
ADDRESS = re.compile(r"^Client Access Manager: http://127\.0\.0\.1:(\d+)/graphql$", re.MULTILINE)


class Site:
    """What runs, by process id."""

    def __init__(self, born: Nursery, url: URL) -> None:
        self._born = born
        self._url = url.render_as_string(hide_password=False)
        self.workers: list[int] = []
        self.services: dict[int, int] = {}
        """Ports by process id."""
        self.proxy = RoundRobin([])

    @property
    def address(self) -> str:
        """Where the services are reached, whichever of them is there."""
        return f"http://127.0.0.1:{self.proxy.port}/graphql"

    def start_worker(self) -> None:
        self.workers.append(self._born.worker(self._url))

    async def start_service(self) -> None:
        """Starts one and waits until it can be asked."""
        known = len(self._ports())
        limits = {"CAM_QUEUE_ABOVE": str(QUEUE_ABOVE), "CAM_CHUNK_CELLS": str(CHUNK_CELLS)}
        pid = self._born.service(self._url, **limits)

        async def listens() -> bool:
            return len(self._ports()) > known

        await until(listens)
        port = self._ports()[-1]

        async def answers() -> bool:
            async with httpx2.AsyncClient() as http:
                try:
                    return (await http.get(f"http://127.0.0.1:{port}/readyz")).is_success
                except httpx2.TransportError:
                    return False

        await until(answers)
        self.services[pid] = port
        self.proxy.ports = list(self.services.values())

    def _ports(self) -> Sequence[int]:
        return [int(port) for port in ADDRESS.findall(self._born.log)]

    async def replace_worker(self, pid: int) -> None:
        """Kills a worker and starts another one."""
        self.workers.remove(pid)
        await asyncio.to_thread(kill, pid)
        self.start_worker()

    async def replace_service(self, pid: int) -> None:
        """Kills a process of the service and starts another one; whoever waited for its answer gets none."""
        del self.services[pid]
        self.proxy.ports = list(self.services.values())
        await asyncio.to_thread(kill, pid)
        await self.start_service()


@asynccontextmanager
async def running(
    born: Nursery, url: URL, *, services: int, workers: int, foreseen: frozenset[str] = frozenset()
) -> AsyncIterator[Site]:
    """Yields a site; nothing of it runs afterwards, and nothing in it may have been at a loss but over what was foreseen."""
    site, said = Site(born, url), len(born.log)
    try:
        for _ in range(services):
            await site.start_service()
        for _ in range(workers):
            site.start_worker()
        async with site.proxy.running():
            yield site
    finally:
        for pid in [*site.services, *site.workers]:
            await asyncio.to_thread(kill, pid)
    lines = [line for line in born.log[said:].splitlines() if "Traceback" in line]
    assert [line for line in lines if not line.startswith("{") or json.loads(line)["event"] not in foreseen] == []
