"""Exports for auditors: the memory of the service while it sends the timeline and the elevated-access report of a large agency.

    python -m benchmarks.export [--entries 5000] [--entries 500000] [--database sqlite] [--form csv]

Makes an ecosystem of one agency for each size, serves each by a process of its own, and reads both exports as its owner does, to their
end. The peak of the process's memory (VmHWM) is taken before anything was exported and after each export. It should not grow with what
is exported: only a part of it is in memory at any time. What SQLite keeps of a file's pages in memory, up to a limit for each connection,
is in the process; a larger file fills it, whatever is read, so that is allowed for, of two connections: while one reads for the export,
what the service does by itself takes another. PostgreSQL has its own beside the service; it is the server of the tests.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter

from benchmarks.peer.ecosystem import Stage
from benchmarks.peer.served import FailedAnswerError, Service, serving
from benchmarks.scale import stages
from resolvers.demo.ecosystem_size import EcosystemSize, ecosystem_size
from server.audit_export import ELEVATED_ACCESS_PATH, TIMELINE_PATH

ENTRIES = (5_000, 500_000)
PATHS = (TIMELINE_PATH, ELEVATED_ACCESS_PATH)
GRANTS_OF_ENTRIES = 0.85
"""Some grants of an ecosystem have been changed, and some have ended."""
GRANTS_OF_A_CLIENT, CLIENTS_OF_A_PERSON = 31, 2
MOST_GROWTH = 1.25
"""A larger agency's process may have that many times the memory of the smallest one's, beside the pages of the file."""
PAGES_MEGABYTES = {"sqlite": 2 * 64, "postgresql": 0}
"""What two connections keep of them: `cache_size` in `models.sqlite`."""
_PART = 2**16


@dataclass(frozen=True, slots=True)
class Export:
    """One export, read to its end."""

    rows: int
    megabytes: float
    seconds: float
    peak_megabytes: float
    """Of the process that serves, so far."""


def one_agency(entries: int) -> EcosystemSize:
    """Returns an ecosystem of one agency with about so many entries in its timeline."""
    grants = max(8, round(entries * GRANTS_OF_ENTRIES))
    clients = max(2, grants // GRANTS_OF_A_CLIENT)
    return ecosystem_size(max(GRANTS_OF_A_CLIENT, clients // CLIENTS_OF_A_PERSON) + 10, clients, 1, grants)


def export(service: Service, place: Stage, path: str, form: str) -> Export:
    """Reads an export of the largest agency to its end, and keeps nothing of it.

    Raises:
        FailedAnswerError: if it is refused, or not as long as it should be.
    """
    connection, asker = service.connect(), place.askers[0]
    clock, size, lines = perf_counter(), 0, 0
    connection.request("GET", f"{path}?format={form}", headers={"Authorization": f"Bearer {asker.token}"})
    response = connection.getresponse()
    if response.status != 200:
        raise FailedAnswerError(f"{response.status}: {response.read()[:500]!r}")
    while part := response.read(_PART):
        size, lines = size + len(part), lines + part.count(b"\n")
    connection.close()
    # A CSV begins with the names of its columns.
    return Export(lines - (form == "csv"), size / 2**20, perf_counter() - clock, service.megabytes("VmHWM"))


def measure(place: Stage, service: Service, form: str) -> tuple[float, dict[str, Export]]:
    """Returns the memory before, and each export."""
    before = service.megabytes("VmHWM")
    return before, {path: export(service, place, path, form) for path in PATHS}


def report(places: Sequence[Stage], taken: Sequence[tuple[float, dict[str, Export]]]) -> bool:
    """Prints what each export took, and says whether none of the others' peaks is much higher than the smallest agency's."""
    pages, within = PAGES_MEGABYTES[places[0].url.partition(":")[0].partition("+")[0]], True
    print("".join(f"{head:>14}" for head in ("clients", "grants", "rows", "MB", "s", "rows/s", "peak MB", "× first")))
    for path in PATHS:
        print(path)
        for place, (before, exports) in zip(places, taken, strict=True):
            one, first = exports[path], taken[0][1][path]
            ratio = one.peak_megabytes / first.peak_megabytes
            within = within and one.peak_megabytes <= first.peak_megabytes * MOST_GROWTH + pages
            cells = (
                *(f"{count:,}" for count in (place.clients, place.grants, one.rows)),
                *(f"{one.megabytes:,.1f}", f"{one.seconds:,.1f}", f"{one.rows / one.seconds:,.0f}"),
                *(f"{one.peak_megabytes:,.0f}", f"{ratio:.2f}"),
            )
            print("".join(f"{cell:>14}" for cell in cells) + f"   {before:,.0f} MB before anything was exported")
    return within


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints, and says whether memory grows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description="Memory of exports.")
    parser.add_argument("--entries", type=int, action="append", help="of the timeline; repeatable, the smallest first")
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql"))
    parser.add_argument("--form", default="csv", choices=("csv", "jsonl"))
    asked = parser.parse_args(arguments)
    sizes = [one_agency(entries) for entries in asked.entries or ENTRIES]
    with stages([asked.database], sizes) as places, ExitStack() as stack:
        services = [stack.enter_context(serving(place.url)) for place in places]
        taken = [measure(place, service, asked.form) for place, service in zip(places, services, strict=True)]
        if not report(places, taken):
            raise SystemExit(
                f"The memory of an export grows; at most × {MOST_GROWTH} is meant, and the pages of the file."
            )


if __name__ == "__main__":
    main()
