"""Grants in bulk: the service beside the ORM in three ways and the bare INSERT … SELECT of the same rows.

    python -m benchmarks.bulk [--cells 50000] [--cells 1000000] [--database sqlite] [--rounds 3] [--orm-cells 100000]

Each measurement runs in a process of its own, warmed up by one cell, on a fresh copy of the same database; the ways take turns,
so that the neighbours on the machine disturb all of them alike. Read the columns against each other.

The ORM's bulk insert is there twice: of entities (`session.add_all`), which is what is compared with, and of dicts
(`insert(Entity)` with a list of rows), which makes no entities and so is the quickest that the ORM can.

Of one transaction a cell only a sample runs, and of the ORM's bulk inserts at most `--orm-cells`, because a million entities need
ten gigabytes; what is calculated from such a part has a `~`, and it flatters the ORM, which is the slower the more it does at once.
The service does more than the others: it finds out who may do what, decides, and keeps the counters of clients and people.
PostgreSQL is the server of the tests, without flushing to disk.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy.engine import URL

from benchmarks.peer.population import populate
from benchmarks.peer.process import Measurement
from benchmarks.peer.write import Way
from models.database import Database
from tests import postgresql

SIZES = (50_000, 1_000_000)
MOST_PEOPLE = MOST_CLIENTS = 1_000
"""The most ids in one list of targets."""
SAMPLE = 500
"""Cells of the loop with one transaction each."""
ORM_CELLS = 100_000

OVER_BULK, OVER_BARE, MOST_MEGABYTES = 8.0, 0.5, 600.0


def shape(cells: int) -> tuple[int, int]:
    """Returns how many people × clients make so many cells: fifty people where the clients suffice."""
    people = max(min(50, cells), -(-cells // MOST_CLIENTS))
    clients = cells // people
    if people > MOST_PEOPLE or people * clients != cells:
        raise SystemExit(f"{cells:,} cells are not at most {MOST_PEOPLE:,} people × {MOST_CLIENTS:,} clients.")
    return people, clients


@contextmanager
def sqlite_copies(folder: Path, people: int, clients: int) -> Iterator[Callable[[], str]]:
    """Yields what makes a fresh copy of the populated database in a folder, and returns the copy's address."""
    template, copy = folder / "template.sqlite3", folder / "copy.sqlite3"
    asyncio.run(_populate(f"sqlite:///{template}", people, clients))

    def fresh() -> str:
        _remove(copy)
        shutil.copyfile(template, copy)
        return f"sqlite:///{copy}"

    yield fresh
    _remove(copy)
    _remove(template)


def _remove(database: Path) -> None:
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()


@contextmanager
def postgresql_copies(server: URL, people: int, clients: int) -> Iterator[Callable[[], str]]:
    """Yields what makes a fresh copy of the populated database on a server, and returns the copy's address."""
    template, copy = (f"cam_bench_{os.getpid()}_{kind}" for kind in ("template", "copy"))

    def drop(name: str) -> None:
        postgresql.administer(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def fresh() -> str:
        drop(copy)
        postgresql.administer(server, f"CREATE DATABASE {copy} TEMPLATE {template}", "CHECKPOINT")
        return server.set(database=copy).render_as_string(hide_password=False)

    try:
        postgresql.administer(server, f"CREATE DATABASE {template}")
        asyncio.run(_populate(server.set(database=template).render_as_string(hide_password=False), people, clients))
        yield fresh
    finally:
        drop(copy)
        drop(template)


async def _populate(url: str, people: int, clients: int) -> None:
    database = Database(url)
    try:
        await populate(database, people, clients)
    finally:
        await database.dispose()


def run_alone(way: Way, url: str, people: int, clients: int, cells: int) -> Measurement:
    """Returns the measurement of one way in a process of its own."""
    arguments = [way.name, url, *map(str, (people, clients, cells))]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peer.process", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    return Measurement(**json.loads(done.stdout))


@dataclass(frozen=True, slots=True)
class Result:
    """All rounds of one way."""

    way: Way
    rounds: Sequence[Measurement]

    @property
    def median(self) -> float:
        """Returns the cells a second of the middle round."""
        return median(one.cells / one.seconds for one in self.rounds)

    @property
    def best(self) -> float:
        """Returns the cells a second of the quickest round."""
        return max(one.cells / one.seconds for one in self.rounds)

    @property
    def peak(self) -> float:
        """Returns the most memory of any round."""
        return max(one.megabytes_at_peak for one in self.rounds)


def compare(cells: int, database: str, rounds: int, orm_cells: int) -> list[Result]:
    """Returns what each way took; all begin with the same content."""
    people, clients = shape(cells)
    parts = {Way.EACH: SAMPLE, Way.ENTITIES: orm_cells, Way.ROWS: orm_cells}
    measurements: dict[Way, list[Measurement]] = {way: [] for way in Way}
    with ExitStack() as stack:
        if database == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cam-bench-"))
            fresh = stack.enter_context(sqlite_copies(Path(folder), people, clients))
        else:
            fresh = stack.enter_context(postgresql_copies(stack.enter_context(postgresql.server()), people, clients))
        for _ in range(rounds):
            for way in Way:
                part = min(cells, parts.get(way, cells))
                measurements[way].append(run_alone(way, fresh(), people, clients, part))
    return [Result(way, taken) for way, taken in measurements.items()]


def report(cells: int, database: str, results: Sequence[Result]) -> None:
    """Prints the table, what is demanded, and whether the ways wrote the same rows."""
    people, clients = shape(cells)
    of = {result.way: result for result in results}
    service, entities, rows, bare = of[Way.SERVICE], of[Way.ENTITIES], of[Way.ROWS], of[Way.BARE]
    count = len(service.rounds)
    print(f"\n{database}: {people:,} people × {clients:,} clients = {cells:,} cells, median (best) of {count}")
    head = ("way", "cells run", "seconds", "cells/s", "(best)", "× ORM bulk", "× bare", "MB at start", "MB at peak")
    print(f"{head[0]:<28}" + "".join(f"{title:>13}" for title in head[1:]))
    for result in results:
        run = result.rounds[0].cells
        columns = (
            f"{run:,}",
            f"{'~' if run < cells else ''}{cells / result.median:,.2f}",
            f"{result.median:,.0f}",
            f"({result.best:,.0f})",
            f"{result.median / entities.median:.2f}",
            f"{result.median / bare.median:.3f}",
            f"{result.rounds[0].megabytes_at_start:,.0f}",
            f"{result.peak:,.0f}",
        )
        print(f"{result.way.value:<28}" + "".join(f"{column:>13}" for column in columns))
    _demand("× ORM bulk insert of entities", service.median / entities.median, service.best / entities.best, OVER_BULK)
    print(
        f"service × ORM bulk insert of dicts: {service.median / rows.median:.2f} (by the best {service.best / rows.best:.2f})"
    )
    _demand("× bare INSERT … SELECT", service.median / bare.median, service.best / bare.best, OVER_BARE)
    if cells >= max(SIZES):
        met = "met" if service.peak < MOST_MEGABYTES else "NOT MET"
        print(f"peak memory of the service: {service.peak:,.0f} MB, demanded < {MOST_MEGABYTES:,.0f} MB: {met}")
    whole = [one for result in results for one in result.rounds if one.cells == cells]
    same = all(one.written == whole[0].written for one in whole)
    ways = ", ".join(result.way.name.lower() for result in results if result.rounds[0].cells == cells)
    print(f"grants, timeline and outcomes are the same rows after {ways}: {'yes' if same else 'NO'}")
    for table, contents in whole[0].written.items():
        print(f"  {table}: {'; '.join(contents)}")


def _demand(name: str, by_median: float, by_best: float, demanded: float) -> None:
    met = "met" if by_median >= demanded else "NOT MET"
    print(f"service {name}: {by_median:.2f} (by the best {by_best:.2f}), demanded ≥ {demanded:g}: {met}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description="Grants in bulk, beside peers.")
    parser.add_argument("--cells", type=int, action="append", help=f"people × clients, repeatable; default {SIZES}")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rounds", type=int, help="default 3, and 1 for a million cells")
    parser.add_argument("--orm-cells", type=int, default=ORM_CELLS, help=f"most for the ORM; default {ORM_CELLS}")
    options = parser.parse_args(arguments)
    for cells in options.cells or SIZES:
        rounds = options.rounds or (1 if cells >= max(SIZES) else 3)
        report(cells, options.database, compare(cells, options.database, rounds, options.orm_cells))


if __name__ == "__main__":
    main()
