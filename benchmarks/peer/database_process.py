"""The processes of a PostgreSQL server on this machine, and their CPU time."""

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
from sqlalchemy import make_url

PROCESSES = Path("/proc")


def cpu_meter(url: str) -> Callable[[], float]:
    """Returns what tells the CPU time so far of the server that an address leads to, the processes that have ended included.

    For SQLite it stays 0: what that takes is the service's own.
    """
    address = make_url(url)
    if address.get_backend_name() != "postgresql":
        return float
    with psycopg.connect(address.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        (ours,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        server = int(_numbers(str(ours))[0])
    return lambda: _cpu_seconds(server)


def _cpu_seconds(server: int) -> float:
    processes = [_numbers(place.name) for place in PROCESSES.iterdir() if place.name.isdecimal()]
    ticks = sum(numbers[10] + numbers[11] for numbers in processes if numbers and numbers[0] == server)
    # The server after the others: one that ends just now counts for it then.
    user, system, user_of_ended, system_of_ended = _numbers(str(server))[10:14]
    return (ticks + user + system + user_of_ended + system_of_ended) / os.sysconf("SC_CLK_TCK")


def _numbers(pid: str) -> list[int]:
    """Returns what is known of a process, from its parent on; nothing of one that is gone."""
    try:
        text = (PROCESSES / pid / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # After the name, which stands in brackets, and the state.
    return [int(number) for number in text.rpartition(")")[2].split()[1:]]
