"""Checking the service's own operations for one partner: they are nobody's, and have rows of any partner (E21, N07).

Such a block is sealed as a whole, so all of it is read; what is told is only whether the block is as it was sealed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.operation import CELLS, operations
from models.outcome import outcomes
from models.tenancy import everything
from models.timeline_block import NOBODYS, timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.timeline_chain.portion import portion_of
from resolvers.timeline_chain.verification import Break, breaks_in
from resolvers.timeline_chain.window import windows

SERVICE_BLOCKS_AT_ONCE = 10
"""How many of the service's blocks one question has checked: there is one whenever the catalogue gains permissions."""


@dataclass(slots=True)
class ServiceCheck:
    """What became of checking a part of the service's chain."""

    blocks: int = 0
    entries: int = 0
    """Only the partner's."""
    breaks: list[Break] = field(default_factory=list)
    next: int | None = None
    """After which block to go on; None at the end."""


async def check_service_blocks(connection: AsyncConnection, partner_id: int, after: int) -> ServiceCheck:
    """Checks the next blocks of the service's chain in which there are rows of a partner.

    Args:
        connection: one that sees one moment.
        partner_id: whose rows.
        after: the number of the last block that was checked before.
    """
    async with everything(connection):
        rows = await _blocks(connection, partner_id, after)
        chosen = portion_of(rows[:SERVICE_BLOCKS_AT_ONCE])
        check = ServiceCheck(len(chosen), sum(row.of_partner for row in chosen))
        if len(rows) > len(chosen):
            check.next = chosen[-1].number
        whose = {row.operation_id for row in chosen}
        touched = [operations.c.id.in_(whose), operations.c.partner_id.is_(None)]
        known: set[int] = set()
        altered: set[int] = set()
        if chosen:
            async for window in windows(connection, touched, chosen={row.id for row in chosen}):
                known |= window.operations.keys()
                altered |= {found.operation_id or 0 for found in breaks_in(window)}
    for row in chosen:
        if row.operation_id in altered or row.operation_id not in known:
            told = f"block {row.number} of the service's own operations is not what was sealed"
            check.breaks.append(Break(None, row.number, told, of_service=True))
    return check


async def _blocks(connection: AsyncConnection, partner_id: int, after: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """Returns the next blocks with entries or outcomes of the partner, each with how many entries, and one more if there are more."""
    block, entry, outcome = timeline_blocks.c, timeline_entries.c, outcomes.c
    here = (entry.partner_id == partner_id, entry.id >= block.id * CELLS, entry.id < (block.id + 1) * CELLS)
    of_partner = select(func.count()).select_from(timeline_entries).where(*here).correlate(timeline_blocks)
    ours = select(clients.c.id).where(clients.c.partner_id == partner_id)
    # Whoever deletes an entry leaves the outcome behind.
    left = select(outcome.position).where(outcome.operation_id == block.operation_id, outcome.client_id.in_(ours))
    entries = of_partner.scalar_subquery()
    statement = (
        select(block.id, block.number, block.operation_id, block.entries, block.outcomes, entries.label("of_partner"))
        .where(block.chain == NOBODYS, block.number > after)
        .where(or_(entries > 0, left.correlate(timeline_blocks).exists()))
        .order_by(block.number)
        .limit(SERVICE_BLOCKS_AT_ONCE + 1)
    )
    return (await connection.execute(statement)).all()
