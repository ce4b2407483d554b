"""What a partner is shown of the chain of its timeline: the end of it, and whether it is whole (N07)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
from resolvers.timeline_chain.portion import portion_of
from resolvers.timeline_chain.service_block import check_service_blocks
from resolvers.timeline_chain.verification import Break, breaks_in
from resolvers.timeline_chain.window import windows

BLOCKS_AT_ONCE = 500
"""How many blocks one question has checked."""
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
    reader: Reader, partner_id: int, after: int = 0, service_after: int = 0, until: int | None = None
) -> TimelineCheckRecord:
    """Checks the next blocks of a partner's chain, some hundred at a time, and at its end the next of the service's.

    Of the service's own operations, those with rows of the partner.

    Args:
        reader: what to read with.
        partner_id: whose chain.
        after: the number of the last block that was checked before.
        service_after: the same of the service's own operations.
        until: the number of the last block that is checked; None for the end of the chain.

    Raises:
        AccessError: NOT_A_PARTNER (F01), FORBIDDEN (F02), BAD_INPUT for a number that no block can have.
    """
    chain = reader.viewer.open_manager(partner_id).partner_id
    for name, number in (("after", after), ("serviceAfter", service_after)):
        if number < 0:
            raise AccessError(
                AccessCode.BAD_INPUT, f"{name} is the number of a block, or 0 to begin with the first one."
            )
    if until is not None and until < 1:
        raise AccessError(AccessCode.BAD_INPUT, "until is the number of a block; the first one is 1.")
    block = timeline_blocks.c
    async with reader.database.snapshot() as connection:
        part = select(block.id, block.number, block.operation_id, block.entries, block.outcomes, block.hash).where(
            block.chain == chain, block.number > after
        )
        if until is not None:
            part = part.where(block.number <= until)
        rows = (await connection.execute(part.order_by(block.number).limit(BLOCKS_AT_ONCE + 1))).all()
        chosen = portion_of(rows[:BLOCKS_AT_ONCE])
        last = chosen[-1].number if chosen else after
        check = TimelineCheckRecord(after + 1, last, next=last if len(chosen) < len(rows) else None)
        check.entries, check.outcomes = sum(row.entries for row in chosen), sum(row.outcomes for row in chosen)
        check.hash = chosen[-1].hash if chosen else None
        numbers = {row.number: row.operation_id for row in chosen}
        newest = {key: number for number, key in numbers.items()}
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
            check.breaks += [_as_told(broken, newest) for broken in breaks_in(window)]
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


def _as_told(broken: Break, newest: Mapping[int | None, int]) -> Break:
    """Returns a break as an agency is told of it: what the database says of a value that is none is for whoever runs the service.

    Nor is an operation named whose row may be what cannot be read.

    Args:
        broken: the break.
        newest: the last of the blocks that are looked at, by their operations.
    """
    if not broken.unreadable:
        return broken
    number = broken.block or newest[broken.operation_id]
    told = f"block {number}: what there is of it cannot be read; whoever runs the service is told more by `cam verify`"
    return Break(None, number, told)


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
