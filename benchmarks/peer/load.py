"""A client that costs next to nothing: keeps several connections busy with requests made before, and looks at each answer once."""

import selectors
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import perf_counter, process_time

from benchmarks.peer.served import FailedAnswerError, Request, Service

PART = 262_144
PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Load:
    """What was answered in the time."""

    seconds: float = 0.0
    service_cpu_seconds: float = 0.0
    database_cpu_seconds: float = 0.0
    """Of PostgreSQL; SQLite's is the service's own."""
    client_cpu_seconds: float = 0.0
    answer_seconds: list[float] = field(default_factory=list)
    """For each answer."""

    @property
    def a_second(self) -> float:
        """Returns the answers of a second."""
        return len(self.answer_seconds) / self.seconds


class _Connection:
    """One that always waits for an answer."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._requests = requests
        self._parts = bytearray()
        self._end = 0
        self._sent = 0.0

    def ask(self) -> None:
        """Sends the next request."""
        self._parts.clear()
        self._end = 0
        self._sent = perf_counter()
        self.socket.sendall(next(self._requests))

    def read(self) -> float | None:
        """Takes what has come; returns how long the answer took once it is complete.

        Raises:
            FailedAnswerError: if the answer has errors.
        """
        part = self.socket.recv(PART)
        self._parts += part
        if not self._end:
            head, found, _ = self._parts.partition(b"\r\n\r\n")
            if found:
                self._end = len(head) + len(found) + _length(bytes(head))
        if not part or (self._end and len(self._parts) > self._end):
            raise FailedAnswerError(f"The connection is out of step: {bytes(self._parts[:500])!r}")
        if not self._end or len(self._parts) < self._end:
            return None
        if not self._parts.startswith(b"HTTP/1.1 200 ") or b'"errors":' in self._parts:
            raise FailedAnswerError(repr(bytes(self._parts[:1_000])))
        return perf_counter() - self._sent


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise FailedAnswerError(f"An answer without its length: {head!r}")


def as_bytes(request: Request) -> bytes:
    """Returns a request as it goes over the connection."""
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {request.token}\r\n"
        f"Content-Type: application/json\r\nAccept: */*\r\nContent-Length: {len(request.body)}\r\n\r\n"
    )
    return head.encode() + request.body


def load(
    services: Sequence[Service],
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    database_cpu: Callable[[], float] = float,
) -> Load:
    """Returns what several processes answer in so many seconds, with the connections shared out among them in turn.

    Args:
        services: the processes.
        requests: what each connection asks, again and again.
        connections: how many.
        seconds: after which nothing more is asked.
        database_cpu: tells the CPU time of the database so far.
    """
    taken = Load()
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        opened = []
        for number, service in zip(range(connections), cycle(services), strict=False):
            # Each begins elsewhere, so that not all ask the same at the same time.
            first = number * len(requests) // connections
            one = _Connection(service.port, islice(cycle(requests), first, None))
            stack.enter_context(one.socket)
            opened.append(one)
            selector.register(one.socket, selectors.EVENT_READ, one)
        database, service_cpu, client_cpu = database_cpu(), _cpu_seconds(services), process_time()
        start = perf_counter()
        for one in opened:
            one.ask()
        waiting = len(opened)
        while waiting:
            ready = selector.select(PATIENCE_SECONDS)
            if not ready:
                raise FailedAnswerError("No answer comes.")
            for key, _ in ready:
                took = key.data.read()
                if took is None:
                    continue
                taken.answer_seconds.append(took)
                if perf_counter() - start < seconds:
                    key.data.ask()
                else:
                    waiting -= 1
        taken.seconds = perf_counter() - start
        taken.client_cpu_seconds = process_time() - client_cpu
        taken.service_cpu_seconds = _cpu_seconds(services) - service_cpu
        taken.database_cpu_seconds = database_cpu() - database
    return taken


def _cpu_seconds(services: Sequence[Service]) -> float:
    return sum(service.cpu_seconds for service in services)
