"""Whether the timeline is as it was sealed, and where it is not (N07)."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.operation import CELLS, ENDED, UNENDED, operations
from models.timeline_block import NOBODYS, timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.timeline_chain.content import seal_of
from resolvers.timeline_chain.window import Window, windows

_SET_ASIDE = OutcomeCode.CHUNK_SET_ASIDE.value
"""The only error that an operation can have while it goes on: another chunk of it does."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the timeline is not what was sealed."""

    operation_id: int | None
    block: int | None
    """The block's number in its chain."""
    message: str
    of_service: bool = False
    """Whether the chain is that of the service's own operations."""
    unreadable: bool = False
    """Whether there is something that is no value of its column; the message says then what the database said."""


async def breaks(connection: AsyncConnection) -> AsyncIterator[Break]:
    """Yields each place where operations, outcomes, decisions or entries are not as they were sealed.

    Args:
        connection: one that sees one moment.
    """
    async for window in windows(connection):
        for found in breaks_in(window):
            yield found
    try:
        async for found in _left_over(connection):
            yield found
    except (DatabaseError, ValueError, TypeError) as error:
        if connection.dialect.name != "sqlite":
            raise
        yield Break(None, None, f"the blocks cannot be read: {getattr(error, 'orig', error)}")


def breaks_in(window: Window) -> Iterator[Break]:
    """Yields what is not as it was sealed in some operations."""
    for key, why in window.unreadable.items():
        yield Break(key, None, f"operation {key}: what there is of it cannot be read: {why}", unreadable=True)
    for block in window.blocks:
        try:
            told, unreadable = _difference(block, window), False
        except (ValueError, TypeError) as error:
            told, unreadable = f"it cannot be read: {error}", True
        if told is not None:
            message = f"block {block.number} of chain {block.chain}: {told}"
            yield Break(block.operation_id, block.number, message, unreadable=unreadable)
    yield from _unsealed(window)


def _unsealed(window: Window) -> Iterator[Break]:
    """Yields what there is of some operations that no block has sealed."""
    blocks = {block.id for block in window.blocks}
    for key, sheet in window.sheets.items():
        if key not in blocks and (sheet.entries.number or sheet.outcomes.number):
            told = f"{sheet.entries.number} entries and {sheet.outcomes.number} outcomes are in no block ({key})"
            yield Break(key, None, told)
    for key, operation in window.operations.items():
        if operation.state in ENDED and key not in window.closed:
            yield Break(key, None, f"operation {key} is {operation.state}, and nothing has sealed its end")
        elif key not in window.begun:
            yield Break(key, None, f"operation {key} is not sealed")
        elif operation.state not in ENDED and _has_an_end(operation):
            # Its end is sealed when it comes; until then there can be none.
            yield Break(key, None, f"operation {key} is {operation.state} and says how it ended")


def _has_an_end(operation: Any) -> bool:
    return (
        operation.state not in UNENDED or operation.finished_at is not None or operation.error not in {None, _SET_ASIDE}
    )


def _difference(block: Any, window: Window) -> str | None:
    """Returns what is wrong with a block, in words.

    Raises:
        ValueError: if something of it is no value of its column; TypeError likewise.
    """
    operation, sheet = window.operations[block.operation_id], window.sheets[block.id]
    if block.previous is None and block.number > 1:
        return "the one before it is missing"
    if block.chain != (operation.partner_id or NOBODYS):
        return "it is not of its operation's partner"
    said = {name: getattr(block, name) for name in ("id", "operation_id", "chain", "number", "closing", "sealed_at")}
    counted = (sheet.entries.number, sheet.outcomes.number) == (block.entries, block.outcomes)
    if not counted or seal_of(block.previous or "", said, operation, sheet, window.states) != block.hash:
        return f"what there is of operation {operation.id} is not what was sealed{_counted(block, sheet)}"
    return None


def _counted(block: Any, sheet: Any) -> str:
    told = [
        f"{kind}: {there} and not {sealed}"
        for kind, there, sealed in (
            ("entries", sheet.entries.number, block.entries),
            ("outcomes", sheet.outcomes.number, block.outcomes),
        )
        if there != sealed
    ]
    return f" ({', '.join(told)})" if told else ""


async def _left_over(connection: AsyncConnection) -> AsyncIterator[Break]:
    """Yields what hangs on no operation and no block, and what was cut off from the beginning of a chain."""
    block, entry = timeline_blocks, timeline_entries
    place = entry.c.id // CELLS
    loose = (
        select(place.label("place"), func.count().label("number"))
        .select_from(entry.outerjoin(block, block.c.id == place))
        .where(block.c.id.is_(None) | (block.c.operation_id != entry.c.operation_id))
        .group_by(place)
        .order_by(place)
    )
    for row in await connection.execute(loose):
        yield Break(None, None, f"{row.number} entries with the keys of block {row.place} are of no block")
    nobodys = (
        select(block.c.chain, block.c.number, block.c.operation_id)
        .outerjoin(operations, operations.c.id == block.c.operation_id)
        .where(operations.c.id.is_(None))
        .order_by(block.c.chain, block.c.number)
    )
    for row in await connection.execute(nobodys):
        yield Break(
            row.operation_id,
            row.number,
            f"block {row.number} of chain {row.chain}: its operation {row.operation_id} is missing",
        )
    gaps = select(block.c.chain, func.count().label("there"), func.max(block.c.number).label("last")).group_by(
        block.c.chain
    )
    for row in await connection.execute(gaps):
        if row.there != row.last:
            yield Break(None, None, f"chain {row.chain} has {row.there} blocks, and its last is number {row.last}")
