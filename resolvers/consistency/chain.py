"""The timeline is as it was sealed (N07)."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from models.timeline_block import timeline_blocks
from resolvers.consistency.check import Check
from resolvers.timeline_chain.noted_seal import NotedSeal, seal_fault
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


def noted_seals_check(seals: Sequence[NotedSeal]) -> Check:
    """Returns the check that seals which somebody has noted down are still those of their blocks.

    Whoever can write to the database can seal a chain anew; but not so that it has a seal of before.
    """

    async def search(connection: AsyncConnection) -> AsyncIterator[str]:
        for seal in seals:
            told = await seal_fault(connection, seal)
            if told is not None:
                yield told

    block = timeline_blocks.c
    named = select(block.id).where(tuple_(block.chain, block.number).in_([(seal.chain, seal.number) for seal in seals]))
    return Check("noted_seals", "the seals that were noted down are still there", [named.subquery()], search)
