"""The seals of the timeline: checking an honest history beside reading and hashing its rows in a bare loop, and its writing.

    python -m benchmarks.chain [--people 1400] [--clients 2750] [--grants 85000] [--rounds 3]

Loads an ecosystem with about 100,000 entries, and measures in turns: the bare loop, which reads all columns of the operations,
outcomes and entries with the driver and hashes each row (nothing is joined, compared or chained), and `cam verify`'s check of the chain.
"""

import argparse
import asyncio
import hashlib
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from time import process_time

import uvloop
from sqlalchemy import func, select

from models.database import Database
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.demo.ecosystem import load_ecosystem
from resolvers.demo.ecosystem_size import ecosystem_size
from resolvers.timeline_chain.verification import breaks
from server.command_database import migrate

MOST = 3.0
PEOPLE, CLIENTS, GRANTS = 1_400, 2_750, 85_000
ROUNDS = 3
TABLES = ("operation", "outcome", "timeline_entry")


async def fill(database: Database, people: int, clients: int, grants: int) -> tuple[int, int]:
    """Loads an ecosystem, and returns how many entries and blocks it has."""
    await migrate(database)
    await load_ecosystem(database, ecosystem_size(people, clients, None, grants))
    async with database.read() as connection:
        entries = await connection.scalar(select(func.count()).select_from(timeline_entries)) or 0
        blocks = await connection.scalar(select(func.count()).select_from(timeline_blocks)) or 0
    return entries, blocks


def bare(file: Path) -> float:
    """Returns the processor time of reading all rows and hashing each, in seconds."""
    start, digest = process_time(), hashlib.sha256()
    with closing(sqlite3.connect(file)) as connection:
        for table in TABLES:
            for row in connection.execute(f"SELECT * FROM {table}"):
                digest.update(repr(row).encode())
    return process_time() - start


async def checked(database: Database) -> float:
    """Returns the processor time of checking the chain, in seconds; it must be whole."""
    start = process_time()
    async with database.snapshot() as connection:
        found = [broken.message async for broken in breaks(connection)]
    taken = process_time() - start
    if found:
        raise RuntimeError(f"An honest history is broken: {found[0]}")
    return taken


async def measure(people: int, clients: int, grants: int, rounds: int) -> float:
    """Prints what both take, and returns the ratio of the best rounds."""
    with tempfile.TemporaryDirectory(prefix="cam-chain-") as folder:
        file = Path(folder) / "chain.sqlite3"
        database = Database(f"sqlite:///{file}", durable=False)
        try:
            entries, blocks = await fill(database, people, clients, grants)
            taken = [(bare(file), await checked(database)) for _ in range(rounds)]
        finally:
            await database.dispose()
    loop, chain = (min(seconds) for seconds in zip(*taken, strict=True))
    print(
        f"{entries:,} entries in {blocks:,} blocks: bare loop {loop:.2f} s, check {chain:.2f} s, × {chain / loop:.2f}"
    )
    ratio: float = chain / loop
    return ratio


def main() -> None:
    """Measures, and says whether the check costs more than it may."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--grants", type=int, default=GRANTS, help="of all agencies together")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ratio = runner.run(measure(asked.people, asked.clients, asked.grants, asked.rounds))
    if ratio > MOST:
        raise SystemExit(f"The check takes {ratio:.2f} times the bare loop; at most {MOST} is meant.")


if __name__ == "__main__":
    main()
