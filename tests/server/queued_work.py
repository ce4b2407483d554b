"""An agency with operations in the queue, asked for through the API, and what has become of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, select

from models.database import Database
from models.grant import grants
from models.operation import operations
from models.operation_chunk import operation_chunks
from models.outcome import outcomes
from models.permission.level import PermissionLevel
from resolvers.issuer import EPHEMERAL
from resolvers.operation.queue import QueueLimits
from schema.node import decode
from server import job_queue, operation_runner, worker
from server.setting import Settings
from server.worker import work
from tests.api.write_story import Story, mutation, permissions, product
from tests.factory import ClientRow, Factory, MemberRow

KEY = "k" * 43
PATIENCE_SECONDS = 60.0
STALLED_AFTER = 2
"""Seconds."""
PEOPLE = 2
"""Cells of a chunk: each chunk is one client."""


@dataclass(frozen=True)
class QueuedWork:
    """One agency whose partner admin gives some people access in some clients, a chunk a client."""

    story: Story
    people: list[MemberRow]
    places: list[ClientRow]

    @classmethod
    async def begin(cls, factory: Factory, places: int) -> "QueuedWork":
        story = replace(await Story.begin(factory), limits=QueueLimits(0, PEOPLE))
        clients = [story.client, *await factory.clients(story.partner, places - 1)]
        for client in clients[1:]:
            await story.admin(client)
        return cls(story, await factory.members(story.partner, PEOPLE), clients)

    @property
    def database(self) -> Database:
        return self.story.database

    async def ask(self) -> int:
        """Queues the operation and returns its key."""
        targets = product(self.people, self.places)
        access = permissions({"contacts.view": PermissionLevel.ALL.value})
        query = mutation("grantAccess", fragment="fragment Told on Operation { id state }")
        data, codes = await self.story.run(query, input={"targets": targets, "access": access})
        assert codes == []
        made = data["grantAccess"]["operation"]
        assert made["state"] == "QUEUED"
        found = decode(made["id"])
        assert found is not None
        return found[1]

    async def unfinished(self, operation: int) -> int:
        """How many chunks are still to be done."""
        statement = select(func.count()).where(
            operation_chunks.c.operation_id == operation, operation_chunks.c.finished_at.is_(None)
        )
        async with self.database.read() as connection:
            return int(await connection.scalar(statement) or 0)

    async def row(self, operation: int) -> Any:
        async with self.database.read() as connection:
            return (await connection.execute(select(operations).where(operations.c.id == operation))).one()

    async def until_ended(self, operation: int) -> None:
        """Waits for the end; each cell must have been done once, and the counters say so."""

        async def ended() -> bool:
            return (await self.row(operation)).finished_at is not None

        await until(ended)
        row = await self.row(operation)
        cells = len(self.people) * len(self.places)
        assert (row.state, row.total, row.applied) == ("COMPLETED", cells, cells)
        ours = grants.c.member_id.in_([person.id for person in self.people])
        async with self.database.read() as connection:
            given = await connection.execute(select(grants.c.member_id, grants.c.client_id).where(ours))
            wanted = [(person.id, place.id) for person in self.people for place in self.places]
            assert sorted(map(tuple, given)) == sorted(wanted)
            told = select(func.count()).where(outcomes.c.operation_id == operation)
            assert await connection.scalar(told) == cells


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Waits until something is so."""
    for _ in range(int(PATIENCE_SECONDS / 0.05)):
        if await met():
            return
        await asyncio.sleep(0.05)
    pytest.fail("It did not happen in time.")


def settings_of(database: Database) -> Settings:
    url = database.url.render_as_string(hide_password=False)
    return Settings(database_url=url, secret_key=KEY, stalled_after=STALLED_AFTER)


@asynccontextmanager
async def at_work(database: Database) -> AsyncIterator[asyncio.Task[None]]:
    """A worker in this process."""
    stopping = asyncio.Event()
    task = asyncio.create_task(work(settings_of(database), database, EPHEMERAL, stopping))
    try:
        yield task
    finally:
        stopping.set()
        await asyncio.wait([task], timeout=PATIENCE_SECONDS)


def try_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong waits for nothing."""
    for module in (job_queue, operation_runner, worker):
        monkeypatch.setattr(module, "delay_after", lambda _failures: 0.01)
