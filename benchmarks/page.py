"""Reading: the operation ClientsPage beside hand-written SQL + orjson that makes the same JSON, the limit in Python.

    python -m benchmarks.page [--requests 300] [--rounds 3]

25 clients with the first 5 people of each, out of 2,000 clients × 500 people on SQLite. In process: the schema without HTTP,
and without the service's memory for parsed documents. Over HTTP: server and load in processes of their own, on one connection and
on sixteen. The contestants take turns. Wall time depends on the neighbours of the machine, so read CPU milliseconds a request,
and those against each other.
"""

import argparse
import asyncio
import gc
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import orjson
import uvloop

from benchmarks.peer.clients_page import clients_page, connect
from benchmarks.peer.population import ACTOR, VIEWER, Block, grant_request, populate, read_model
from models.database import Database
from resolvers.api_token import create_token
from resolvers.operation.execute import execute
from schema.context import Context
from schema.schema import schema

PEOPLE, CLIENTS = 500, 2_000
IN_EACH = 10
"""People in each client, besides the acting one."""
AT_ONCE = 16

QUERY = (Path(__file__).parents[1] / "queries" / "clients.graphql").read_text()


class DifferentAnswersError(RuntimeError):
    """The contestants do not make the same JSON, so their times cannot be compared."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What some requests took."""

    requests: int
    seconds: float
    cpu_seconds: float


async def fill(database: Database, people: int = PEOPLE, clients: int = CLIENTS) -> str:
    """Fills the database and returns the secret of a token."""
    await populate(database, people, clients)
    model = await read_model(database)
    for half in range(2):
        first = clients // 2 * half + 1
        block = Block(ACTOR + 1 + IN_EACH * half, IN_EACH, first, clients // 2)
        await execute(database, VIEWER, grant_request(block, model.set_id))
    async with database.write() as session:
        token = await create_token(await session.connection(), ACTOR, name="benchmark", expires_in_days=1)
    return token.secret


async def answer_of_schema(database: Database) -> Any:
    """Returns the data as the schema makes it, without HTTP."""
    result = await schema.execute(QUERY, context_value=Context(database, VIEWER))
    if result.errors:
        raise result.errors[0]
    return result.data


async def in_process(database: Database, file: str, requests: int, rounds: int) -> dict[str, list[Taken]]:
    """Returns what the two take without HTTP."""
    connection = connect(file)
    if orjson.dumps(await answer_of_schema(database)) != orjson.dumps(clients_page(connection)):
        raise DifferentAnswersError("The schema and the page made by hand differ.")
    taken: dict[str, list[Taken]] = {"service": [], "by hand": []}
    # As the service does at its start.
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        clock, cpu = perf_counter(), process_time()
        for _ in range(requests):
            orjson.dumps({"data": await answer_of_schema(database)})
        taken["service"].append(Taken(requests, perf_counter() - clock, process_time() - cpu))
        clock, cpu = perf_counter(), process_time()
        for _ in range(requests):
            orjson.dumps({"data": clients_page(connection)})
        taken["by hand"].append(Taken(requests, perf_counter() - clock, process_time() - cpu))
    connection.close()
    return taken


class Served:
    """A server process under load."""

    def __init__(self, process: "subprocess.Popen[str]", token: str) -> None:
        """Reads the port that the server tells."""
        self._process = process
        self._port = int(self._line())
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "*/*"}
        self._body = orjson.dumps({"query": QUERY})

    def _line(self) -> str:
        return "" if self._process.stdout is None else self._process.stdout.readline()

    def _cpu(self) -> float:
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return float(self._line())

    def ask(self, requests: int) -> bytes:
        """Sends requests one after the other on one connection and returns the last answer."""
        connection, answer = HTTPConnection("127.0.0.1", self._port, timeout=60), b""
        for _ in range(requests):
            connection.request("POST", "/graphql", self._body, self._headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise DifferentAnswersError(f"{response.status}: {answer[:500]!r}")
        connection.close()
        return answer

    def load(self, requests: int, connections: int) -> Taken:
        """Returns what so many requests take on so many connections."""
        each = max(1, requests // connections)
        clock, cpu = perf_counter(), self._cpu()
        with ThreadPoolExecutor(connections) as pool:
            for done in [pool.submit(self.ask, each) for _ in range(connections)]:
                done.result()
        return Taken(each * connections, perf_counter() - clock, self._cpu() - cpu)


@contextmanager
def served(kind: str, file: str, token: str) -> Iterator[Served]:
    """Yields a server process, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peer.page_process", kind, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    try:
        yield Served(process, token)
    finally:
        process.communicate()


def over_http(file: str, token: str, requests: int, rounds: int) -> dict[int, dict[str, list[Taken]]]:
    """Returns, by the number of connections, what the two take over HTTP."""
    with ExitStack() as stack:
        servers = {
            "service": stack.enter_context(served("service", file, token)),
            "by hand": stack.enter_context(served("hand", file, token)),
        }
        answers = {orjson.dumps(orjson.loads(server.ask(20))["data"]) for server in servers.values()}
        if len(answers) != 1:
            raise DifferentAnswersError("The service and the page made by hand differ over HTTP.")
        print(f"ClientsPage: {len(answers.pop()):,} bytes of JSON, the same from all")
        taken: dict[int, dict[str, list[Taken]]] = {}
        for connections in (1, AT_ONCE):
            taken[connections] = {name: [] for name in servers}
            for _ in range(rounds):
                for name, server in servers.items():
                    taken[connections][name].append(server.load(requests, connections))
    return taken


def report(title: str, taken: dict[str, list[Taken]]) -> None:
    """Prints a line for each contestant, from the rounds that were least disturbed."""
    limit = min(one.cpu_seconds / one.requests for one in taken["by hand"])
    for name, rounds in taken.items():
        cpu = min(one.cpu_seconds / one.requests for one in rounds)
        most = max(one.requests / one.seconds for one in rounds)
        print(f"{title:<24}{name:<10}{cpu * 1000:>14.2f}{most:>14,.0f}{cpu / limit:>14.1f}")


async def measure_in_process(file: str, requests: int, rounds: int) -> tuple[str, dict[str, list[Taken]]]:
    """Returns a token, and what the contestants take without HTTP."""
    database = Database(f"sqlite:///{file}")
    try:
        return await fill(database), await in_process(database, file, requests, rounds)
    finally:
        await database.dispose()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description="A page of clients, beside the limit."
    )
    parser.add_argument("--requests", type=int, default=300, help="a round; default 300")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="cam-bench-") as folder:
        file = str(Path(folder) / "page.sqlite3")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            token, inside = runner.run(measure_in_process(file, options.requests, options.rounds))
        http = over_http(file, token, options.requests, options.rounds)
    print(f"{'ClientsPage':<34}{'CPU ms':>14}{'requests/s':>14}{'× by hand':>14}")
    report("in process", inside)
    for connections, taken in http.items():
        report(f"HTTP, {connections} connection{'s' if connections > 1 else ''}", taken)


if __name__ == "__main__":
    main()
