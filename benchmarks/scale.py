"""Growth: the reads of queries/, disk, memory and bulk speed in ecosystems of several sizes, side by side.

    python -m benchmarks.scale [--people 280] [--people 2800] [--clients …] [--grants …] [--database sqlite] [--rounds 3]

Makes an ecosystem of each size (`cam demo --people …`), or takes what is in a database (`--database` with an address, repeatable;
nothing is written there but two tokens that end after a day; the bulk grant is undone). Each is served by a process of its own, and
they are asked in turns, so that the neighbours on the machine disturb all of them alike. Read the columns × the first against each
other.

Two people ask: the owner of the largest agency, which is the larger, the larger the ecosystem, and the owner of an agency of
middling size, which is about as large in each. What only grows for the first grows with their own agency; what grows for the second
grows with everybody else's, and should not. `totalCount` is linear in the agency's own clients.

CPU is that of the service's process; on PostgreSQL the server's own comes on top, so there × first is of the time. The full size:
`--people 2800 --people 28000 --rounds 5`, on PostgreSQL as well `--people 280000` (10 GB).
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from benchmarks.peer.ecosystem import Asker, Stage, bulk_speed, prepare
from benchmarks.peer.served import Service, Taken, serving
from resolvers.demo.ecosystem_size import EcosystemSize, ecosystem_size
from tests import postgresql

PEOPLE = (280, 2_800)
ROUNDS, REQUESTS = 3, 10
Measured = dict[tuple[str, str], list[list[Taken]]]
"""By agency and operation, for each ecosystem, the rounds."""


@contextmanager
def stages(database: Sequence[str], sizes: Sequence[EcosystemSize]) -> Iterator[list[Stage]]:
    """Yields the ecosystems: found where addresses are named, else made and gone with the block."""
    found = [name for name in database if "://" in name]
    with ExitStack() as stack:
        if found:
            yield [_prepare(url, None) for url in found]
        elif "postgresql" in database:
            server = stack.enter_context(postgresql.server())
            made = []
            for number, size in enumerate(sizes):
                name = f"cam_scale_{os.getpid()}_{number}"
                postgresql.administer(server, f"CREATE DATABASE {name}")
                stack.callback(postgresql.administer, server, f"DROP DATABASE {name} WITH (FORCE)")
                made.append(_prepare(server.set(database=name).render_as_string(hide_password=False), size))
            yield made
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cam-scale-")))
            yield [_prepare(f"sqlite:///{folder / f'{size.people}.sqlite3'}", size) for size in sizes]


def _prepare(url: str, size: EcosystemSize | None) -> Stage:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(prepare(url, size))


def measure(places: Sequence[Stage], services: Sequence[Service], rounds: int, requests: int) -> Measured:
    """Returns what each operation takes in each ecosystem; every answer must be without errors."""
    taken: Measured = {}
    for place, service in zip(places, services, strict=True):
        for asker in place.askers:
            for title, request in asker.requests().items():
                service.load(request, 2)
                taken.setdefault((asker.agency, title), [[] for _ in places])
    for _ in range(rounds):
        for agency, title in taken:
            for number, (place, service) in enumerate(zip(places, services, strict=True)):
                asker = next(one for one in place.askers if one.agency == agency)
                taken[agency, title][number].append(service.load(asker.requests()[title], requests))
    return taken


def report(places: Sequence[Stage], taken: Measured) -> None:
    """Prints what each operation takes, and how much more than in the first ecosystem."""
    for agency in dict.fromkeys(agency for agency, _ in taken):
        askers = [next(one for one in place.askers if one.agency == agency) for place in places]
        print(f"\nasked by the owner of the {agency} agency ({', '.join(_clients(asker) for asker in askers)})")
        heads = "".join(f"{f'{place.clients:,} clients':>30}" for place in places)
        print(f"{'':<26}{heads}")
        print(f"{'operation':<26}" + f"{'CPU ms':>10}{'ms':>10}{'× first':>10}" * len(places))
        for (of, title), found in taken.items():
            if of == agency:
                cpu, wall = ([_least(rounds, name) for rounds in found] for name in ("cpu_seconds", "seconds"))
                # The service's CPU is all there is on SQLite, and is what the neighbours disturb least.
                steady = cpu if places[0].url.startswith("sqlite") else wall
                ratios = [one / steady[0] for one in steady]
                cells = [f"{a:>10.2f}{b:>10.2f}{c:>10.2f}" for a, b, c in zip(cpu, wall, ratios, strict=True)]
                print(f"{title:<26}{''.join(cells)}")


def _clients(asker: Asker) -> str:
    return f"{asker.clients:,} clients"


def _least(rounds: Sequence[Taken], name: str) -> float:
    """Returns the milliseconds of a request in the round that was least disturbed."""
    return min(float(getattr(one, name)) / one.requests for one in rounds) * 1000


def sizing(places: Sequence[Stage], services: Sequence[Service], taken: Measured) -> None:
    """Prints what an ecosystem of each size needs."""
    heads = (
        "people",
        "clients",
        "grants",
        "load s",
        "disk MB",
        "bytes/grant",
        "RSS MB",
        "peak MB",
        "page CPU ms",
        "bulk cells/s",
    )
    print("\n" + "".join(f"{head:>13}" for head in heads))
    for number, (place, service) in enumerate(zip(places, services, strict=True)):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            bulk = [runner.run(bulk_speed(place)) for _ in range(2)]
        cells = (
            *(f"{count:,}" for count in (place.people, place.clients, place.grants)),
            "-" if place.loading_seconds is None else f"{place.loading_seconds:,.1f}",
            f"{place.disk_megabytes:,.0f}",
            f"{place.disk_megabytes * 2**20 / max(place.grants, 1):,.0f}",
            *(f"{service.megabytes(field):,.0f}" for field in ("VmRSS", "VmHWM")),
            f"{_least(taken['largest', 'ClientsPage'][number], 'cpu_seconds'):.2f}",
            f"{max(cells / seconds for cells, seconds in bulk):,.0f}",
        )
        print("".join(f"{cell:>13}" for cell in cells))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Growth of an ecosystem.")
    parser.add_argument("--people", type=int, action="append", help=f"repeatable; default {PEOPLE}")
    parser.add_argument("--clients", type=int, action="append", help="for each --people; default two for each person")
    parser.add_argument("--grants", type=int, action="append", help="for each --people; default 18 for each client")
    parser.add_argument("--database", action="append", help="sqlite (default), postgresql, or an address; repeatable")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, help=f"of each operation in a round; default {REQUESTS}"
    )
    options = parser.parse_args(arguments)
    people = options.people or PEOPLE
    numbers = [[*(given or ()), *[None] * len(people)][: len(people)] for given in (options.clients, options.grants)]
    asked = zip(people, *numbers, strict=True)
    sizes = [ecosystem_size(count, clients, grants=grants) for count, clients, grants in asked]
    with stages(options.database or ["sqlite"], sizes) as places, ExitStack() as stack:
        services = [stack.enter_context(serving(place.url)) for place in places]
        taken = measure(places, services, options.rounds, options.requests)
        report(places, taken)
        sizing(places, services, taken)


if __name__ == "__main__":
    main()
