"""The service in a process of its own, over HTTP: what it answers, and what CPU and memory that takes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from benchmarks.peer.process import STATUS, megabytes

QUERIES = Path(__file__).parents[2] / "queries"
PATIENCE_SECONDS = 300


class FailedAnswerError(RuntimeError):
    """The service answered with an error, so its time says nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request of one person."""

    token: str
    body: bytes

    @classmethod
    def of(cls, token: str, query: str, variables: Mapping[str, Any]) -> "Request":
        """Returns a request with a file of ``queries/`` or any other text."""
        return cls(token, orjson.dumps({"query": query, "variables": variables}))


@dataclass(frozen=True, slots=True)
class Taken:
    """What some requests took."""

    requests: int
    seconds: float
    cpu_seconds: float
    """Of the service; on PostgreSQL the server has its own beside it."""


class Service:
    """A service that runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Reads the port that the process tells."""
        self._process = process
        self.port = int(self._line())

    def _line(self) -> str:
        return "" if self._process.stdout is None else self._process.stdout.readline()

    @property
    def cpu_seconds(self) -> float:
        """Returns the CPU time so far."""
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return float(self._line())

    def megabytes(self, field: str = "VmRSS") -> float:
        """Returns the memory now, or with VmHWM at its peak."""
        return megabytes(field, STATUS.parent.parent / str(self._process.pid) / STATUS.name)

    def connect(self) -> HTTPConnection:
        """Returns a connection to the service."""
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def load(self, request: Request, times: int) -> Taken:
        """Returns what it takes to answer a request so often, one after the other."""
        connection = self.connect()
        clock, cpu = perf_counter(), self.cpu_seconds
        for _ in range(times):
            ask(connection, request)
        taken = Taken(times, perf_counter() - clock, self.cpu_seconds - cpu)
        connection.close()
        return taken


def ask(connection: HTTPConnection, request: Request) -> Any:
    """Returns the data of an answer.

    Raises:
        FailedAnswerError: if the answer has errors.
    """
    headers = {"Authorization": f"Bearer {request.token}", "Content-Type": "application/json", "Accept": "*/*"}
    connection.request("POST", "/graphql", request.body, headers)
    response = connection.getresponse()
    text = response.read()
    answer = orjson.loads(text) if response.status == 200 else {}
    if response.status != 200 or answer.get("errors"):
        raise FailedAnswerError(f"{response.status}: {text[:500]!r}")
    return answer["data"]


@contextmanager
def serving(url: str, kind: str = "service") -> Iterator[Service]:
    """Yields the service on a database; it ends with the block. Of the kind ``answering`` it works on no queued operation."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peer.page_process", kind, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "CAM_SECRET_KEY": "b" * 43, "CAM_DATABASE_URL": url},
    )
    try:
        yield Service(process)
    finally:
        process.communicate()
