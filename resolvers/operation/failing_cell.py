"""Finding the cells for whose sake a chunk cannot be carried out: by halving it, in transactions that are undone."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Cell = TypeVar("Cell")

MOST_TRIES = 200
"""Tries at finding the failing cells of one chunk; what is not found by then fails as a whole."""


async def failing_cells(cells: Sequence[Cell], works: Callable[[Sequence[Cell]], Awaitable[bool]]) -> list[Cell]:
    """Returns which of the cells fail.

    Args:
        cells: of which some fail, for all of them together do not work.
        works: says whether a part of them can be carried out.
    """
    failing: list[Cell] = []
    # The largest part first: what is left when the tries are used up is small.
    waiting = deque([list(cells)])
    tries = 0
    while waiting:
        part = waiting.popleft()
        if len(part) == 1 or tries >= MOST_TRIES:
            failing += part
            continue
        middle = len(part) // 2
        for half in (part[:middle], part[middle:]):
            tries += 1
            if not await works(half):
                waiting.append(half)
    return failing
