"""A large operation through GraphQL: queued at once, carried out beside the readers, and compared with the bare INSERT … SELECT.

    python -m benchmarks.durable [--people 100] [--clients 500] [--database sqlite] [--rounds 2]

The service runs in a process of its own, as uvicorn runs it, on a fresh copy of the same database in each round. Four things are
measured, in turns:

- what the answer costs: the CPU of the service while it answers QUEUED, with nobody who would begin to carry the operation out;
- how quickly the operation is carried out, from the answer to COMPLETED, and the service's memory at its peak;
- how quickly the bare INSERT … SELECT writes the same grants, outcomes and timeline entries, which decides and counts nothing;
- how long ClientsPage takes, asked forty times a second, before the operation and while another such one is carried out.

Issue 4 asks for 500 people × 1,000 clients on both databases: `--people 500 --clients 1000`, and again with `--database postgresql`.
PostgreSQL is the server of the tests, without flushing to disk.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter, sleep

from sqlalchemy import func, select

from benchmarks.bulk import postgresql_copies, run_alone, sqlite_copies
from benchmarks.peer.population import ACTOR, measured, read_model
from benchmarks.peer.served import QUERIES, Request, Service, ask, serving
from benchmarks.peer.write import Way
from models.database import Database
from models.operation import OperationState, OutcomeStatus, operations
from models.outcome import outcomes
from resolvers.api_token import create_token
from schema.node import decode_key, encode
from tests import postgresql

ANSWER_MILLISECONDS, OVER_BARE, MOST_MEGABYTES, MOST_SLOWER = 300.0, 0.5, 400.0, 3.0
EVERY = 0.025
"""Seconds between two pages that are asked for."""
LOOK_EVERY = 0.2
PAGES_BEFORE, WARMING = 200, 20
LIMIT_SECONDS = 1_800.0
"""How long an operation may take."""

GRANT = """
mutation Grant($input: GrantAccessInput!) {
  grantAccess(input: $input) { operation { id state total } userErrors { code message } }
}
"""
"""Without outcomes: there are none yet."""


class NotDoneError(RuntimeError):
    """The operation did not become what it should, so its time says nothing."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round gave, in seconds and megabytes."""

    answer_cpu: float
    seconds: float
    bare_seconds: float
    megabytes: float
    before: Sequence[float]
    during: Sequence[float]
    """For each page."""
    seconds_with_readers: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a copy of the database."""

    url: str
    cells: int
    grant: Request
    page: Request


async def prepare(url: str, people: int, clients: int) -> Asked:
    """Returns the requests of the acting partner admin, whose token is written."""
    database, block = Database(url), measured(people, clients)
    try:
        model = await read_model(database)
        async with database.write() as session:
            token = await create_token(await session.connection(), ACTOR, name="benchmark", expires_in_days=1)
    finally:
        await database.dispose()
    persons = range(block.first_person, block.first_person + block.people)
    places = range(block.first_client, block.first_client + block.clients)
    product = {
        "members": [encode("Member", key) for key in persons],
        "clients": [encode("Client", key) for key in places],
    }
    access = {"permissionSet": encode("PermissionSet", model.set_id)}
    grant = Request.of(token.secret, GRANT, {"input": {"targets": {"product": product}, "access": access}})
    page = Request.of(token.secret, (QUERIES / "clients.graphql").read_text(), {})
    return Asked(url, block.size, grant, page)


async def finished(url: str, operation_id: int, cells: int) -> None:
    """Waits until an operation is completed, and makes sure that it did what was asked for."""
    database, clock = Database(url, pool_size=1), perf_counter()
    statement = select(operations.c.state, operations.c.applied).where(operations.c.id == operation_id)
    try:
        while True:
            async with database.read() as connection:
                state, applied = (await connection.execute(statement)).one()
            if state not in {OperationState.QUEUED, OperationState.RUNNING}:
                break
            if perf_counter() - clock > LIMIT_SECONDS:
                raise NotDoneError(f"The operation is {state} after {LIMIT_SECONDS:,.0f} s, with {applied} cells.")
            await asyncio.sleep(LOOK_EVERY)
        made = select(func.count()).where(
            outcomes.c.operation_id == operation_id, outcomes.c.status == OutcomeStatus.APPLIED.value
        )
        async with database.read() as connection:
            written = await connection.scalar(made)
    finally:
        await database.dispose()
    if (state, applied, written) != (OperationState.COMPLETED, cells, cells):
        raise NotDoneError(f"The operation is {state}: {applied} cells applied, {written} outcomes, of {cells}.")


def queue(service: Service, asked: Asked) -> int:
    """Sends the request, and returns the operation's key."""
    connection = service.connect()
    answer = ask(connection, asked.grant)["grantAccess"]
    connection.close()
    operation = answer["operation"]
    if answer["userErrors"] or (operation["state"], operation["total"]) != (OperationState.QUEUED, asked.cells):
        raise NotDoneError(f"The operation was not queued: {answer}. Ask for more than 10,000 cells.")
    found = decode_key(operation["id"], "Operation")
    if found is None:
        raise NotDoneError(f"The operation has no key: {operation}.")
    return found


class Reader:
    """Asks for pages in a thread of its own, at fixed times, whether or not the last answer came late."""

    def __init__(self, service: Service, asked: Asked) -> None:
        """Begins."""
        self.taken: list[float] = []
        self._service = service
        self._asked = asked
        self._ending = Event()
        self._thread = Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        connection, due = self._service.connect(), perf_counter()
        while not self._ending.is_set():
            due = max(due + EVERY, perf_counter() - 1)
            clock = perf_counter()
            ask(connection, self._asked.page)
            self.taken.append(perf_counter() - clock)
            sleep(max(0.0, due - perf_counter()))
        connection.close()

    def end(self) -> list[float]:
        """Ends, and returns the seconds of each page."""
        self._ending.set()
        self._thread.join()
        return self.taken


def answering(asked: Asked) -> float:
    """Returns the CPU seconds of the answer."""
    with serving(asked.url, kind="answering") as service:
        service.load(asked.page, WARMING)
        before = service.cpu_seconds
        queue(service, asked)
        return service.cpu_seconds - before


def carrying_out(asked: Asked) -> tuple[float, float]:
    """Returns the seconds from the request to the end of the operation, and the service's memory at its peak."""
    with serving(asked.url) as service:
        service.load(asked.page, WARMING)
        clock = perf_counter()
        asyncio.run(finished(asked.url, queue(service, asked), asked.cells))
        return perf_counter() - clock, service.megabytes("VmHWM")


def reading(asked: Asked) -> tuple[list[float], list[float], float]:
    """Returns the seconds of each page before and during an operation, and those of the operation."""
    with serving(asked.url) as service:
        service.load(asked.page, WARMING)
        reader = Reader(service, asked)
        sleep(PAGES_BEFORE * EVERY)
        before = reader.end()
        clock = perf_counter()
        operation_id = queue(service, asked)
        reader = Reader(service, asked)
        try:
            asyncio.run(finished(asked.url, operation_id, asked.cells))
        finally:
            during = reader.end()
        return before, during, perf_counter() - clock


def measure_round(fresh: Callable[[], str], people: int, clients: int) -> Round:
    """Returns what all four measurements give, each on a fresh copy."""

    def copy() -> Asked:
        return asyncio.run(prepare(fresh(), people, clients))

    answer_cpu = answering(copy())
    seconds, megabytes = carrying_out(copy())
    bare = run_alone(Way.BARE, fresh(), people, clients, people * clients)
    return Round(answer_cpu, seconds, bare.seconds, megabytes, *reading(copy()))


def percentile(values: Sequence[float], part: float) -> float:
    """Returns the value below which so large a part lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


HEADS = (
    "answer CPU ms",
    *("cells/s", "bare cells/s", "× bare", "peak MB"),
    *("p50 before", "p50 during", "p99 before", "p99 during", "×", "cells/s read"),
)


def tell(cells: int, one: Round) -> None:
    """Prints a round; pages in milliseconds."""
    p50, p99 = ([percentile(taken, part) * 1000 for taken in (one.before, one.during)] for part in (0.5, 0.99))
    numbers = (
        f"{one.answer_cpu * 1000:,.0f}",
        f"{cells / one.seconds:,.0f}",
        f"{cells / one.bare_seconds:,.0f}",
        f"{one.bare_seconds / one.seconds:.2f}",
        f"{one.megabytes:,.0f}",
        *(f"{number:.1f}" for number in (*p50, *p99)),
        f"{p99[1] / p99[0]:.1f}",
        f"{cells / one.seconds_with_readers:,.0f}",
    )
    print("".join(f"{number:>14}" for number in numbers), flush=True)


def judge(rounds: Sequence[Round]) -> None:
    """Prints whether the rounds meet what is demanded."""
    slower = [percentile(one.during, 0.99) / percentile(one.before, 0.99) for one in rounds]
    _demand("answer, CPU ms", median(one.answer_cpu for one in rounds) * 1000, ANSWER_MILLISECONDS, most=True)
    _demand("speed × bare INSERT … SELECT", median(one.bare_seconds / one.seconds for one in rounds), OVER_BARE)
    _demand("memory at its peak, MB", max(one.megabytes for one in rounds), MOST_MEGABYTES, most=True)
    _demand("ClientsPage p99 × without the operation", median(slower), MOST_SLOWER, most=True)


def _demand(name: str, found: float, demanded: float, *, most: bool = False) -> None:
    met = found <= demanded if most else found >= demanded
    print(f"{name}: {found:,.2f}, demanded {'≤' if most else '≥'} {demanded:g}: {'met' if met else 'NOT MET'}")


@contextmanager
def copies(database: str, people: int, clients: int) -> Iterator[Callable[[], str]]:
    """Yields what makes a fresh copy of the populated database."""
    with ExitStack() as stack:
        if database == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cam-bench-"))
            yield stack.enter_context(sqlite_copies(Path(folder), people, clients))
        else:
            server = stack.enter_context(postgresql.server())
            yield stack.enter_context(postgresql_copies(server, people, clients))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durable", description="A large operation, queued.")
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    cells, rounds = options.people * options.clients, []
    print(
        f"\n{options.database}: {cells:,} cells through GraphQL\n" + "".join(f"{head:>14}" for head in HEADS),
        flush=True,
    )
    with copies(options.database, options.people, options.clients) as fresh:
        for _ in range(options.rounds):
            rounds.append(measure_round(fresh, options.people, options.clients))
            tell(cells, rounds[-1])
    judge(rounds)


if __name__ == "__main__":
    main()
