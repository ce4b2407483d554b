"""What a partner is shown of the chain of its timeline: the end of it, and whether it is whole (N07)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.operation import CELLS, operations
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.error import AccessCode, AccessError
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_operations, readable_timeline
from resolvers.reader import Reader
from resolvers.timeline_chain.noted_seal import NotedSeal
from resolvers.timeline_chain.service_block import check_service_blocks
from resolvers.timeline_chain.verification import Break, breaks_in
from resolvers.timeline_chain.window import windows

BLOCKS_AT_ONCE = 500
"""How many blocks one question has checked."""
ROWS_AT_ONCE = 100_000
"""After so many entries and outcomes no further block is begun."""
_TOLD = 20


@dataclass(frozen=True, slots=True)
class TimelineSealRecord:
    """The end of a chain: who has noted it down can tell later whether anything before it was altered."""

    chain: int
    number: int
    hash: str
    sealed_at: datetime

    @property
    def note(self) -> str:
        """Returns it as one line."""
        return str(NotedSeal(self.chain, self.number, self.hash))


@dataclass(slots=True)
class TimelineCheckRecord:
    """What became of checking a part of a chain."""

    first: int
    last: int
    entries: int = 0
    outcomes: int = 0
    breaks: list[Break] = field(default_factory=list)
    hash: str | None = None
    """The seal of the last block."""
    next: int | None = None
    """After which block to go on; None at the end."""
    service_blocks: int = 0
    service_next: int | None = None
    """After which block of the service's own operations to go on; None at the end."""

    @property
    def whole(self) -> bool:
        """Says whether all of it is as it was sealed."""
        return not self.breaks


async def timeline_seals(reader: Reader, parents: Sequence[PartnerRecord]) -> list[TimelineSealRecord | None]:
    """Returns the end of each partner's chain; None where nothing has happened yet."""
    block = timeline_blocks.c
    keys = {parent.id: reader.viewer.open_manager(parent.id).partner_id for parent in parents}
    newest = select(block.chain, func.max(block.number).label("number")).where(block.chain.in_(keys.values()))
    last = newest.group_by(block.chain).subquery()
    ends = select(block.chain, block.number, block.hash, block.sealed_at).join(
        last, (last.c.chain == block.chain) & (last.c.number == block.number)
    )
    found = {
        row.chain: TimelineSealRecord(row.chain, row.number, row.hash, row.sealed_at) for row in await reader.rows(ends)
    }
    return [found.get(keys[parent.id]) for parent in parents]


async def check_timeline(
    reader: Reader, partner_id: int, after: int = 0, service_after: int = 0
) -> TimelineCheckRecord:
    """Checks the next blocks of a partner's chain, some hundred at a time, and at its end the next of the service's.

    Of the service's own operations, those with rows of the partner.

    Args:
        reader: what to read with.
        partner_id: whose chain.
        after: the number of the last block that was checked before.
        service_after: the same of the service's own operations.

    Raises:
        AccessError: NOT_A_PARTNER (F01), FORBIDDEN (F02), BAD_INPUT for a number below 0.
    """
    chain = reader.viewer.open_manager(partner_id).partner_id
    for name, number in (("after", after), ("serviceAfter", service_after)):
        if number < 0:
            raise AccessError(
                AccessCode.BAD_INPUT, f"{name} is the number of a block, or 0 to begin with the first one."
            )
    block = timeline_blocks.c
    async with reader.database.snapshot() as connection:
        part = select(block.id, block.number, block.operation_id, block.entries, block.outcomes, block.hash).where(
            block.chain == chain, block.number > after
        )
        rows = (await connection.execute(part.order_by(block.number).limit(BLOCKS_AT_ONCE + 1))).all()
        chosen = _fitting(rows[:BLOCKS_AT_ONCE])
        last = chosen[-1].number if chosen else after
        check = TimelineCheckRecord(after + 1, last, next=last if len(chosen) < len(rows) else None)
        check.entries, check.outcomes = sum(row.entries for row in chosen), sum(row.outcomes for row in chosen)
        check.hash = chosen[-1].hash if chosen else None
        numbers = {row.number for row in chosen}
        check.breaks += [
            Break(None, missing, f"block {missing} is missing")
            for missing in range(after + 1, last + 1)
            if missing not in numbers
        ]
        ours = operations.c.id.in_(readable_operations(reader.viewer))
        touched = [operations.c.id.in_({row.operation_id for row in chosen}), ours]
        known: set[int] = set()
        async for window in windows(connection, touched, chain, {row.id for row in chosen}):
            known |= window.operations.keys() | window.unreadable.keys()
            check.breaks += breaks_in(window)
        check.breaks += [
            Break(None, row.number, f"block {row.number}: its operation is missing, or is not this partner's any more")
            for row in chosen
            if row.operation_id not in known
        ]
        if check.next is None:
            check.breaks += await _unsealed(connection, reader, chain)
            of_service = await check_service_blocks(connection, chain, service_after)
            check.service_blocks, check.service_next = of_service.blocks, of_service.next
            check.entries += of_service.entries
            check.breaks += of_service.breaks
    return check


def _fitting(rows: Sequence[Any]) -> list[Any]:
    """Returns the first of the blocks, as many as are looked at together."""
    chosen: list[Any] = []
    size = 0
    for row in rows:
        size += row.entries + row.outcomes
        if chosen and size > ROWS_AT_ONCE:
            break
        chosen.append(row)
    return chosen


async def _unsealed(connection: AsyncConnection, reader: Reader, chain: int) -> list[Break]:
    """Returns the partner's operations and entries that are in no block at all."""
    block = timeline_blocks.c
    sealed = select(block.id).where(block.operation_id == operations.c.id)
    loose = (
        select(operations.c.id)
        .where(operations.c.partner_id == chain, operations.c.id.in_(readable_operations(reader.viewer)))
        .where(~sealed.exists())
        .limit(_TOLD)
    )
    found = [Break(key, None, "this operation is in no block") for key in (await connection.execute(loose)).scalars()]
    entry = timeline_entries.c
    beside = (
        select(func.count())
        .select_from(timeline_entries.outerjoin(timeline_blocks, block.id == entry.id // CELLS))
        .where(entry.partner_id == chain, entry.id.in_(readable_timeline(reader.viewer)), block.id.is_(None))
    )
    number = await connection.scalar(beside)
    return [*found, Break(None, None, f"{number} entries are in no block")] if number else found
