"""Workers that are killed at random moments, again and again, while operations are carried out: each cell is done once (issue, Shown)."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select, text

from models.client import clients
from models.database import Database
from models.grant import grants
from models.operation import operations
from models.operation_chunk import MOST_ATTEMPTS, operation_chunks
from models.outcome import outcomes
from models.timeline_entry import timeline_entries
from resolvers.operation.queue import QueueLimits
from schema.node import decode, encode
from tests.api.write_story import Story
from tests.factory import Factory
from tests.server.queued_work import QueuedWork, until
from tests.storms.nursery import Nursery, kill, nursery
from tests.storms.soundness import assert_sound

AGENCIES = 2
OPERATIONS = 2
"""Of each agency; they take turns."""
WORKERS = {"sqlite": 1, "postgresql": 3}
AT_WORK = text(
    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
    "WHERE relation = 'queued_operation'::regclass AND mode = 'RowShareLock'"
)
"""Who holds the place of an operation in the queue."""
HELD_UP = text(f"{AT_WORK} AND wait_event_type = 'Lock'")
"""Those of them who wait for a client that is locked."""
RETRY = """mutation($input: RetryOperationInput!) { retryOperation(input: $input) {
  userErrors { code message } operation { id } } }"""


@dataclass(frozen=True)
class Size:
    """How large a storm is."""

    kills: int
    people: int
    """Of each operation."""
    places: int
    """Clients of each agency."""
    chunk_cells: int
    last: float
    """The share of the cells that may be done when somebody is killed for the last time."""
    pause: float
    """The longest time, in seconds, between that share and the kill: about a chunk's."""

    @property
    def cells(self) -> int:
        return AGENCIES * OPERATIONS * self.people * self.places


SHORT = Size(kills=2, people=10, places=3, chunk_cells=10, last=0.4, pause=0.05)
LONG = Size(kills=20, people=250, places=100, chunk_cells=1_000, last=0.9, pause=0.5)


@dataclass
class Storm:
    """The workers of a database, and whoever kills them."""

    database: Database
    workers: Nursery
    random: Random
    living: dict[str, int] = field(default_factory=dict)
    """Process ids by the names under which PostgreSQL knows them."""
    kills: int = 0
    hits: int = 0
    """How often a worker was killed that had begun a chunk for certain, and had not finished it."""
    done_at_last_kill: int = 0
    """SQLite does not tell who is at work, but who has come this far is."""
    attempts: dict[tuple[int, int], int] = field(default_factory=dict)
    """The most that was seen of each chunk."""

    @property
    def lost(self) -> int:
        """In how many attempts at a chunk the worker was killed."""
        return sum(attempts - 1 for attempts in self.attempts.values())

    def start(self) -> None:
        name, url = f"storm-{self.kills}-{len(self.living)}", self.database.url
        if not self.database.is_sqlite:
            url = url.update_query_dict({"application_name": name})
        self.living[name] = self.workers.worker(url.render_as_string(hide_password=False))

    async def kill(self) -> None:
        """Kills a worker and starts another one in its place: by turns one that is at a chunk, and whichever it is.

        The first ones are killed until a chunk was lost for certain.
        """
        while not self.hits:
            await until(self._at_one_chunk if self.database.is_sqlite else self._held_up)
            await self._replace()
        targets = sorted(self.living)
        if self.kills % 2 == 0:
            await until(self._somebody_is_at_work)
            targets = sorted(await self._at_work()) or targets
        await self._kill_one(targets)
        await self._replace()

    async def _kill_one(self, targets: Sequence[str]) -> None:
        await asyncio.to_thread(kill, self.living.pop(self.random.choice(targets)))

    async def _replace(self) -> None:
        self.done_at_last_kill = await self.done()
        self.kills += 1
        self.start()

    async def _held_up(self) -> bool:
        """Kills a worker that is held up in a chunk, for its clients are locked; says whether there was one."""
        async with self.database.write() as session:
            connection = await session.connection()
            await connection.execute(select(clients.c.id).order_by(clients.c.id).with_for_update())
            await asyncio.sleep(0.05)
            found = sorted(set((await connection.execute(HELD_UP)).scalars()) & self.living.keys())
            if found:
                await self._kill_one(found)
        self.hits += bool(found)
        return bool(found)

    async def _at_one_chunk(self) -> bool:
        """Kills the only worker once it has begun a chunk, which it may just have finished; says whether it was killed."""
        for _ in range(100):
            if await self._is_begun():
                await self._kill_one(sorted(self.living))
                self.hits += await self._is_begun()
                return True
        return False

    async def _is_begun(self) -> bool:
        chunk = operation_chunks.c
        begun = select(chunk.number).where(chunk.finished_at.is_(None), chunk.attempts > 0)
        async with self.database.read() as connection:
            return await connection.scalar(begun.limit(1)) is not None

    async def _somebody_is_at_work(self) -> bool:
        return bool(await self._at_work())

    async def _at_work(self) -> set[str]:
        if self.database.is_sqlite:
            return set(self.living) if await self.done() > self.done_at_last_kill else set()
        async with self.database.read() as connection:
            return set((await connection.execute(AT_WORK)).scalars()) & self.living.keys()

    async def done(self) -> int:
        """Returns how many cells have an outcome by now."""
        chunk = operation_chunks.c
        counted = operations.c.applied + operations.c.noop + operations.c.rejected + operations.c.failed
        async with self.database.read() as connection:
            for row in await connection.execute(select(chunk.operation_id, chunk.number, chunk.attempts)):
                key = row.operation_id, row.number
                self.attempts[key] = max(row.attempts, self.attempts.get(key, 1))
            queued = operations.c.requested_by_id.is_not(None)
            return int(await connection.scalar(select(func.sum(counted)).where(queued)) or 0)

    async def rage(self, size: Size) -> None:
        """Kills as often as it is said, spread over the work."""
        for share in sorted(self.random.uniform(0, size.last) for _ in range(size.kills)):
            await self._until_done(int(share * size.cells))
            await asyncio.sleep(self.random.uniform(0, size.pause))
            await self.kill()

    async def _until_done(self, cells: int) -> None:
        async def reached() -> bool:
            return await self.done() >= cells

        await until(reached)

    async def end(self, work: QueuedWork, operation: int) -> list[int]:
        """Waits for an operation's end; what was set aside is tried again, until nothing is. Returns all of these operations."""
        tries = [operation]
        while True:
            await until(self._ended(work, tries[-1]))
            if (await work.row(tries[-1])).error is None:
                return tries
            assert max(self.attempts.values()) >= MOST_ATTEMPTS
            data, codes = await work.story.run(RETRY, input={"operation": encode("Operation", tries[-1])})
            assert (codes, data["retryOperation"]["userErrors"]) == ([], [])
            found = decode(data["retryOperation"]["operation"]["id"])
            assert found is not None
            tries.append(found[1])

    def _ended(self, work: QueuedWork, operation: int) -> Callable[[], Awaitable[bool]]:
        async def ended() -> bool:
            await self.done()
            return (await work.row(operation)).finished_at is not None

        return ended


async def agency(factory: Factory, size: Size) -> list[QueuedWork]:
    """An agency with several operations that are asked for, each about other people in all of its clients."""
    story = replace(await Story.begin(factory), limits=QueueLimits(0, size.chunk_cells))
    places = [story.client, *await factory.clients(story.partner, size.places - 1)]
    for place in places[1:]:
        await story.admin(place)
    return [QueuedWork(story, await factory.members(story.partner, size.people), places) for _ in range(OPERATIONS)]


async def assert_done_once(work: QueuedWork, tries: Sequence[int]) -> None:
    """Each cell has one outcome in each operation that was about it, was applied once, and its grant tells of that alone."""
    cells = sorted((person.id, place.id) for person in work.people for place in work.places)
    left = cells
    for operation in tries:
        row = await work.row(operation)
        async with work.database.read() as connection:
            told = select(outcomes.c.member_id, outcomes.c.client_id, outcomes.c.status)
            found = (await connection.execute(told.where(outcomes.c.operation_id == operation))).all()
        assert sorted((cell.member_id, cell.client_id) for cell in found) == left
        left = sorted((cell.member_id, cell.client_id) for cell in found if cell.status == "FAILED")
        assert {cell.status for cell in found} <= {"APPLIED", "FAILED"}
        counts = (row.total, row.applied, row.noop, row.rejected, row.failed)
        assert counts == (len(found), len(found) - len(left), 0, 0, len(left))
        assert (row.state, row.error) == (("FAILED", "CHUNK_SET_ASIDE") if left else ("COMPLETED", None))
    assert left == []
    people = [person.id for person in work.people]
    async with work.database.read() as connection:
        given = select(grants.c.member_id, grants.c.client_id, grants.c.status, grants.c.version)
        held = await connection.execute(given.where(grants.c.member_id.in_(people)))
        assert sorted(map(tuple, held)) == [(*cell, "ACTIVE", 1) for cell in cells]
        entries = select(timeline_entries.c.member_id, timeline_entries.c.client_id)
        written = await connection.execute(entries.where(timeline_entries.c.member_id.in_(people)))
        assert sorted(map(tuple, written)) == cells


@pytest.mark.parametrize(
    "size", [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.thorough)]
)
async def test_whatever_is_killed_each_cell_is_done_once(
    database: Database, factory: Factory, tmp_path: Path, size: Size
) -> None:
    """What killed its worker three times, for nobody knows who was to blame, is tried again when somebody asks for it (P01)."""
    dialect = database.engine.dialect.name
    with nursery(tmp_path) as workers:
        works = [work for _ in range(AGENCIES) for work in await agency(factory, size)]
        storm = Storm(database, workers, Random(f"{dialect} {size}"))  # noqa: S311 no secret
        asked = [await work.ask() for work in works]
        began = time.monotonic()
        for _ in range(WORKERS[dialect]):
            storm.start()
        await storm.rage(size)
        tries = [await storm.end(work, operation) for work, operation in zip(works, asked, strict=True)]
        seconds = time.monotonic() - began
        assert len(storm.living) == WORKERS[dialect]
        for pid in storm.living.values():
            await asyncio.to_thread(kill, pid)
        assert "Traceback" not in workers.log
    assert storm.kills > size.kills
    assert storm.hits == 1
    if size is LONG:
        assert storm.lost >= size.kills // 4
    for work, operations_of_it in zip(works, tries, strict=True):
        await assert_done_once(work, operations_of_it)
    await assert_sound(database)
    # Shown with -rP.
    sys.stdout.write(
        f"{dialect}: {size.cells:,} cells, {storm.kills} kills, {storm.lost} of them in a chunk, at most "
        f"{max(storm.attempts.values())} attempts at one; {sum(map(len, tries)) - len(tries)} operations tried again; "
        f"{seconds:.1f} s from the first worker to the last outcome\n"
    )
