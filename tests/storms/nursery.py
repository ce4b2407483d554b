"""Processes of ``cam worker`` that begin at once: forked from one that has loaded everything, so that a storm kills work and not starts.

So does ``cam serve``, where it is wanted. Run as a module it is that process: each line it reads is a command with its environment,
whose process id it writes. When its input ends, so do they.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEY = "k" * 43
STALLED_AFTER = 2
"""Seconds."""
PATIENCE_SECONDS = 60.0


class Nursery:
    """The process, and what it is told."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def worker(self, url: str) -> int:
        """Starts a worker and returns its process id."""
        return self._start("worker", url)

    def service(self, url: str, **settings: str) -> int:
        """Starts a service that leaves the queue to workers, on any free port, and returns its process id."""
        return self._start("serve", url, CAM_PORT="0", CAM_WORK_QUEUE="false", **settings)

    def _start(self, command: str, url: str, **settings: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        settings |= {"CAM_DATABASE_URL": url, "CAM_SECRET_KEY": KEY, "CAM_STALLED_AFTER": str(STALLED_AFTER)}
        self._process.stdin.write(json.dumps([command, settings]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    @property
    def log(self) -> str:
        """What all of them have said."""
        return self._log.read_text(encoding="utf-8")


def kill(pid: int) -> None:
    """Ends a worker as a power cut does, and waits until it is gone."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.002)


@contextmanager
def nursery(folder: Path, *, services: bool = False) -> Iterator[Nursery]:
    """Yields a nursery, of services too or of workers alone; all of them are gone afterwards."""
    log = folder / "workers.txt"
    with log.open("a", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.storms.nursery", *(["services"] if services else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            cwd=Path(__file__).parents[2],
            env={name: value for name, value in os.environ.items() if not name.startswith("CAM_")},
        )
    try:
        yield Nursery(process, log)
    finally:
        process.communicate(timeout=PATIENCE_SECONDS)


def _raise_all(*, services: bool) -> None:
    from server import job_queue  # noqa: F401 loaded before the forks
    from server.command_serve import serve
    from server.command_worker import worker

    if services:
        from server import service  # noqa: F401 as above
    commands = {"worker": worker, "serve": serve}
    # Whoever is gone is forgotten at once.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    pids = []
    for line in sys.stdin:
        command, environment = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.environ.update(environment)
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            try:
                commands[command]()
            finally:
                os._exit(1)
        pids.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _raise_all(services="services" in sys.argv)
