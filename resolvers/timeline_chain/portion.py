"""How much of a chain one question has checked."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Row

_Block = TypeVar("_Block", bound=Row[*tuple[Any, ...]])

ROWS_AT_ONCE = 100_000
"""After so many entries and outcomes no further block is begun."""


def portion_of(blocks: Sequence[_Block]) -> list[_Block]:
    """Returns the first of some blocks, as many as are looked at together, and at least one.

    Args:
        blocks: each with how many ``entries`` and ``outcomes`` it seals.
    """
    chosen: list[_Block] = []
    size = 0
    for block in blocks:
        size += block.entries + block.outcomes
        if chosen and size > ROWS_AT_ONCE:
            break
        chosen.append(block)
    return chosen
