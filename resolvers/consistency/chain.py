"""The timeline is as it was sealed (N07)."""

from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncConnection

from models.timeline_block import timeline_blocks
from resolvers.consistency.check import Check
from resolvers.timeline_chain.verification import breaks


async def _search(connection: AsyncConnection) -> AsyncIterator[str]:
    async for found in breaks(connection):
        yield found.message


CHAIN_CHECKS = (
    Check(
        "timeline_chain",
        "operations, outcomes and timeline are as they were sealed",
        [timeline_blocks],
        _search,
    ),
)
