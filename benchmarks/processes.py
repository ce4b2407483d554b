"""Several processes of the service on one PostgreSQL: reads with one process and with two, side by side.

    python -m benchmarks.processes [--people 2800] [--processes 2] [--connections 4] [--seconds 5] [--rounds 3] [--database ADDRESS]

Makes an ecosystem (`cam demo --people …`), or takes the one that is in a database. The same connections ask one process, then are
shared out among several, in turns, as behind a proxy; the client sends requests made before and costs some hundredths of the
service. *ClientsPage* is the page of clients of the largest agency, *all of queries/* each read of two agencies in turn. Read × one,
and only when nothing else runs here; the load is told beside it.

Services, PostgreSQL and client share the processors of this machine, so two processes on two cores cannot be twice as fast. *At most*
is what they can be, from the CPU time of an answer in service, database and client: one process waits for itself, several for all
processors. It says what to expect whatever else runs here.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from benchmarks.durable import percentile
from benchmarks.peer.database_process import cpu_meter
from benchmarks.peer.ecosystem import Stage
from benchmarks.peer.load import Load, as_bytes, load
from benchmarks.peer.served import Service, serving
from benchmarks.scale import stages
from resolvers.demo.ecosystem_size import ecosystem_size

PEOPLE, PROCESSES, CONNECTIONS, SECONDS, ROUNDS = 2_800, 2, 4, 5.0, 3
WARM = 8
"""Times that each process has answered each request before: the server keeps a plan from the sixth time on."""


def mixes(place: Stage) -> Mapping[str, Sequence[bytes]]:
    """Returns what is asked, by what it is called."""
    asked = [dict(asker.requests()) for asker in place.askers]
    every = [as_bytes(request) for requests in asked for request in requests.values()]
    return {"ClientsPage": [as_bytes(asked[0]["ClientsPage"])], "all of queries/": every}


def measure(
    place: Stage, services: Sequence[Service], *, connections: int, seconds: float, rounds: int, warm: int = WARM
) -> dict[str, list[list[Load]]]:
    """Returns, for each mix, what one process answers and what all of them do, a row a round."""
    for service in services:
        for asker in place.askers:
            for request in asker.requests().values():
                service.load(request, warm)
    taken: dict[str, list[list[Load]]] = {}
    database_cpu = cpu_meter(place.url)
    for title, requests in mixes(place).items():
        for _ in range(rounds):
            of_round = [load(few, requests, connections, seconds, database_cpu) for few in (services[:1], services)]
            taken.setdefault(title, []).append(of_round)
    return taken


def cpu_seconds(taken: Load) -> tuple[float, float, float]:
    """Returns the CPU time of the services, of the database and of the client."""
    return taken.service_cpu_seconds, taken.database_cpu_seconds, taken.client_cpu_seconds


def at_most(taken: Load, processes: int, processors: int | None = None) -> float:
    """Returns how much faster than one process several can be, if the processors do nothing else.

    One is bound by its own work, or by all processors' where they are too few for it and the database.
    """
    processors = processors or os.cpu_count() or 1
    service, everything = taken.service_cpu_seconds, sum(cpu_seconds(taken))
    alone = max(service, everything / processors)
    return alone / max(service / processes, everything / processors)


def report(taken: Mapping[str, Sequence[Sequence[Load]]], processes: int) -> None:
    """Prints the round of each mix in which several processes did best, and the ratios of all rounds."""
    heads = ("answers/s", "× one", "at most", "p50 ms", "p99 ms", "CPU ms", "database", "client")
    print(f"{'':<18}{'processes':>10}" + "".join(f"{head:>11}" for head in heads) + "   × one in each round")
    for title, rounds in taken.items():
        best = max(rounds, key=lambda of_round: of_round[1].a_second)
        ratios = [several.a_second / one.a_second for one, several in rounds]
        for number, one in zip((1, processes), best, strict=True):
            told = one.answer_seconds
            cells = (
                f"{one.a_second:,.1f}",
                f"{one.a_second / best[0].a_second:.2f}",
                f"{at_most(one, number):.2f}",
                *(f"{percentile(told, part) * 1000:,.0f}" for part in (0.5, 0.99)),
                *(f"{cpu / len(told) * 1000:.1f}" for cpu in cpu_seconds(one)),
            )
            every = "   " + ", ".join(f"{ratio:.2f}" for ratio in ratios) if number > 1 else ""
            print(f"{title:<18}{number:>10}" + "".join(f"{cell:>11}" for cell in cells) + every)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.processes", description="Reads with one process and with several."
    )
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"of the ecosystem; default {PEOPLE}")
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"default {PROCESSES}")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"default {CONNECTIONS}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each measurement; default {SECONDS:g}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--database", default="postgresql", help="postgresql (default), sqlite, or an address")
    options = parser.parse_args(arguments)
    with stages([options.database], [ecosystem_size(options.people)]) as (place,), ExitStack() as stack:
        services = [stack.enter_context(serving(place.url)) for _ in range(options.processes)]
        before = os.getloadavg()[0]
        taken = measure(
            place, services, connections=options.connections, seconds=options.seconds, rounds=options.rounds
        )
        print(
            f"{place.clients:,} clients, {place.grants:,} grants; {options.connections} connections; {os.cpu_count()} processors, "
            f"load before {before:.1f}"
        )
        report(taken, len(services))


if __name__ == "__main__":
    main()
