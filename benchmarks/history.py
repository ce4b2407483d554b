"""Access as of a moment: the same answer with a history of one, ten and a hundred times the length.

    python -m benchmarks.history [--held 50] [--history 500] [--rounds 20] [--database sqlite]

A client in which 50 people had access at a moment, and a person who had access in 50 clients; half of both is gone since. The history
is what else was given and removed there, before the moment and after it, and how often what was held has changed since. Each stage
adds to the one before; each asks who had access as of the moment, by the client and by the person, and what was different a moment
later, which is always the same; and, for comparison, for the number of what is in the history, which has to look at all of it. PostgreSQL is the server of the tests, with
the statistics that it takes of itself now and then. Read the milliseconds of the best round: neighbours on the machine disturb them.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from sqlalchemy import func, or_, select, text

from models import migration
from models.database import Database
from models.grant import grants
from models.timeline_entry import timeline_entries
from resolvers.historical_grant import access_as_of_by_client, access_as_of_by_member, access_between_by_client
from resolvers.interning import publish_catalogue
from resolvers.reader import Reader
from resolvers.sign_in import sign_in
from tests import postgresql
from tests.factory import Factory
from tests.past_factory import ASKED, PastFactory

HELD, HISTORY, ROUNDS = 50, 500, 20
TIMES = (1, 10, 100)
MOST_GROWTH = 3.0
"""A hundred times the history may cost so many times as much, with the neighbours on the machine; it would be a hundred otherwise."""
LATER = ASKED + timedelta(microseconds=1)
_COUNTING = "counting it all"


class DifferentAnswersError(RuntimeError):
    """The answer depends on what happened at other times."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What was measured with a history of some length."""

    history: int
    """So many grants were removed, and so many changes made."""
    milliseconds: Mapping[str, float]


def _ways(past: PastFactory, reader: Reader) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    """Returns what is asked; the last is not about the moment."""
    client: Any = SimpleNamespace(id=past.client.id)
    person: Any = SimpleNamespace(id=past.person.id)
    of_both = or_(grants.c.client_id == client.id, grants.c.member_id == person.id)
    removed = select(func.count(grants.c.removed_at)).where(of_both)
    entries = select(func.count()).where(timeline_entries.c.grant_id.in_([key for key, *_ in past.held]))
    return {
        "as of, by client": lambda: access_as_of_by_client(reader, [client], at=ASKED),
        "as of, by person": lambda: access_as_of_by_member(reader, [person], at=ASKED),
        "between, by client": lambda: access_between_by_client(reader, [client], since=ASKED, until=LATER),
        _COUNTING: lambda: reader.rows(select(removed.scalar_subquery(), entries.scalar_subquery())),
    }


async def measure(database: Database, held: int, history: int, rounds: int) -> list[Stage]:
    """Returns what was measured, stage by stage.

    Raises:
        DifferentAnswersError: if the answer is not the same in each.
    """
    await migration.upgrade(database)
    async with database.write() as session:
        await publish_catalogue(await session.connection())
    factory = Factory(database)
    past = await PastFactory.begin(factory, held)
    token = await factory.api_token(await factory.member(past.partner))
    ways = _ways(past, Reader(database, await sign_in(database, token)))
    stages: list[Stage] = []
    answers: dict[str, Any] = {}
    for removed, added in _growth(history):
        await past.remove(added)
        await past.change(added)
        async with database.write() as session:
            await (await session.connection()).execute(text("ANALYZE"))
        taken: dict[str, float] = {}
        for name, way in ways.items():
            answer = await way()
            if name != _COUNTING and answers.setdefault(name, answer) != answer:
                raise DifferentAnswersError(f"{name}: with {removed:,} removed grants the answer is another.")
            taken[name] = min([await _milliseconds(way) for _ in range(rounds)])
        stages.append(Stage(removed, taken))
    if {len(answer[0]) for name, answer in answers.items() if name.startswith("as of")} != {held}:
        raise DifferentAnswersError(f"There were {held} at the moment.")
    return stages


def _growth(history: int) -> Iterator[tuple[int, int]]:
    """Yields how long the history is to be, and how much of it is still missing."""
    so_far = 0
    for times in TIMES:
        yield history * times, history * times - so_far
        so_far = history * times


async def _milliseconds(way: Callable[[], Awaitable[Any]]) -> float:
    start = perf_counter()
    await way()
    return (perf_counter() - start) * 1_000


def report(kind: str, held: int, stages: Sequence[Stage]) -> float:
    """Prints the stages side by side; returns how many times the longest history costs the shortest, at most."""
    print(f"{kind}: {held} held at the moment")
    print(f"{'':22}" + "".join(f"{f'history {stage.history:,}':>20}" for stage in stages))
    growth = 0.0
    for name in stages[0].milliseconds:
        first, last = (stage.milliseconds[name] for stage in (stages[0], stages[-1]))
        shown = "".join(f"{f'{stage.milliseconds[name]:.2f} ms':>20}" for stage in stages)
        print(f"{name:22}{shown}   × {last / first:.2f}")
        growth = max(growth, last / first if name != _COUNTING else 0.0)
    return growth


@contextmanager
def _address(kind: str) -> Iterator[str]:
    """Yields the address of an empty database, which is gone afterwards."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="cam-history-") as folder:
            yield f"sqlite:///{Path(folder) / 'history.sqlite3'}"
        return
    with postgresql.server() as server:
        name = f"cam_history_{os.getpid()}"
        postgresql.administer(server, f"CREATE DATABASE {name}")
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            postgresql.administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def _opened(address: str) -> AsyncIterator[Database]:
    database = Database(address, durable=False)
    try:
        yield database
    finally:
        await database.dispose()


async def _run(asked: argparse.Namespace, address: str) -> list[Stage]:
    async with _opened(address) as database:
        return await measure(database, asked.held, asked.history, asked.rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and says whether the history costs anything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--held", type=int, default=HELD, help="so many people, and so many clients")
    parser.add_argument("--history", type=int, default=HISTORY, help="removed grants, and changes, in the shortest")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    asked = parser.parse_args(arguments)
    with _address(asked.database) as address:
        growth = report(asked.database, asked.held, asyncio.run(_run(asked, address)))
    print(f"a history {TIMES[-1]} times as long costs × {growth:.2f}; meant: at most × {MOST_GROWTH:.0f}")


if __name__ == "__main__":
    main()
