"""A seal that somebody has noted down, as one line: with it they find out later whether a chain was written anew (N07)."""

import re
from dataclasses import dataclass
from typing import Self

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.timeline_block import timeline_blocks

FORM = "CHAIN:NUMBER:HASH"
_LARGEST = 2**63
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NotedSeal:
    """The seal of a block of a chain."""

    chain: int
    number: int
    hash: str

    def __str__(self) -> str:
        """Returns the line that ``of_text`` reads."""
        return f"{self.chain}:{self.number}:{self.hash}"

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Returns the seal that a line says.

        Raises:
            ValueError: with what is wrong with it, in words.
        """
        parts = text.strip().split(":")
        if len(parts) != FORM.count(":") + 1:
            raise ValueError(
                f"a seal is {FORM}, in one line, as timelineSeal.note gives it; this has {len(parts)} parts"
            )
        chain, number, noted = (part.strip() for part in parts)
        for name, part, lowest in (("CHAIN", chain, 0), ("NUMBER", number, 1)):
            if not (part.isascii() and part.isdigit()) or not lowest <= int(part) < _LARGEST:
                raise ValueError(f"{name} is a whole number from {lowest} on, and not {part!r}")
        if not _HASH.fullmatch(noted.lower()):
            raise ValueError(
                f"HASH is SHA-256 in 64 hexadecimal digits, and this has {len(noted)} characters: {noted!r}"
            )
        return cls(int(chain), int(number), noted.lower())


async def seal_fault(connection: AsyncConnection, noted: NotedSeal) -> str | None:
    """Returns what is wrong with a chain by a seal that was noted down; None if it is the seal that is there."""
    block, where = timeline_blocks.c, f"block {noted.number} of chain {noted.chain}"
    place = (block.chain == noted.chain, block.number == noted.number)
    found = await connection.scalar(select(block.hash).where(*place))
    if found == noted.hash:
        return None
    if found is not None:
        return f"{where}: its seal is {found}, and {noted.hash} was noted down: what is up to there was written anew"
    last = await connection.scalar(select(func.max(block.number)).where(block.chain == noted.chain))
    if last is None:
        return f"{where}: a seal of it was noted down, and there is no such chain"
    if last < noted.number:
        return (
            f"{where}: a seal of it was noted down, and the chain ends with block {last}: what came after was cut off"
        )
    return f"{where}: a seal of it was noted down, and the block is missing"
