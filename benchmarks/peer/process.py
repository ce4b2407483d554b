"""One way in a process of its own, so that its memory is its own: prints a measurement as one line of JSON."""

import asyncio
import gc
import json
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.peer.population import Block, measured, read_model, spare
from benchmarks.peer.write import WRITERS, Way
from benchmarks.peer.written import written
from models.database import Database

STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of one way took."""

    cells: int
    seconds: float
    cpu_seconds: float
    """Of this process, which on SQLite is all there is."""
    megabytes_at_start: float
    megabytes_at_peak: float
    written: dict[str, list[str]]


def megabytes(field: str, status: Path = STATUS) -> float:
    """Returns a number of the kernel's about the memory of a process; elsewhere than on Linux, the peak of our own."""
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines[field].split()[0]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024**2 if sys.platform == "darwin" else most / 1024


async def measure(way: Way, url: str, people: int, clients: int, cells: int) -> Measurement:
    """Returns what it takes to write the first cells of people × clients on a populated database."""
    database = Database(url)
    block = measured(people, clients)
    if cells < block.size:
        block = Block(block.first_person, min(people, cells), block.first_client, max(1, cells // people))
    try:
        model = await read_model(database)
        await WRITERS[way](database, model, spare(people, clients, 1))
        gc.collect()
        at_start = megabytes("VmRSS")
        clock, cpu = perf_counter(), process_time()
        operation_id = await WRITERS[way](database, model, block)
        seconds, cpu = perf_counter() - clock, process_time() - cpu
        peak = megabytes("VmHWM")
        return Measurement(block.size, seconds, cpu, at_start, peak, await written(database, operation_id))
    finally:
        await database.dispose()


if __name__ == "__main__":
    way, url, *sizes = sys.argv[1:]
    sys.stdout.write(json.dumps(asdict(asyncio.run(measure(Way[way], url, *map(int, sizes))))))
