"""What a request may cost, as a share of work that everybody knows: a figure in seconds says more about the machine than about us."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from graphql import parse

Answer = TypeVar("Answer")

TRIES = 4
"""The collection of garbage, or another program, falls into one of them and not into all."""
FIELDS = "{" + "a " * 20_000 + "}"


async def at_most(share: float, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Does the work and returns what it gives; it must cost at most ``share`` of the processor time of parsing 20,000 fields.

    Raises:
        AssertionError: if it was dearer each time.
    """
    shares = []
    for _ in range(TRIES):
        started = time.process_time()
        answer = await work()
        spent = time.process_time() - started
        shares.append(spent / _yardstick())
        if shares[-1] <= share:
            return answer
    raise AssertionError(f"It costs {min(shares):.2f} of the yardstick and may cost {share}.")


def _yardstick() -> float:
    started = time.process_time()
    parse(FIELDS)
    return time.process_time() - started
