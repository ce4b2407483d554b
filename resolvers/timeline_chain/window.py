"""Reading what many blocks seal with few statements: some thousand operations at a time."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.operation import CELLS, ENDED, decisions, operations
from models.outcome import outcomes
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.timeline_chain.block import append, state_texts
from resolvers.timeline_chain.content import DECISION_STATES, ENTRY_STATES, Sheet, operation_columns, row_text

OPERATIONS_AT_ONCE = 1_000
_ROWS_AT_ONCE = 5_000
_FIRST, _SECOND = itemgetter(0), itemgetter(1)

_before = timeline_blocks.alias("block_before")


@dataclass(slots=True)
class Window:
    """Some operations that follow one another, and what is sealed of them."""

    operations: dict[int, Row[Any]]
    partner_id: int | None = None
    """Whose all of them are, if they are one's."""
    chosen: Collection[int] | None = None
    """Only these blocks are looked at; None for all."""
    blocks: list[Row[Any]] = field(default_factory=list)
    """All of theirs; each has the hash of the block before it in its chain as ``previous``."""
    begun: set[int] = field(default_factory=set)
    """The operations that have a block, chosen or not."""
    closed: set[int] = field(default_factory=set)
    """The operations whose end is sealed, in a chosen block or in another one."""
    sheets: dict[int, Sheet] = field(default_factory=lambda: defaultdict(Sheet))
    """By block: what there is of it now."""
    states: dict[int, str] = field(default_factory=dict)
    unreadable: dict[int, str] = field(default_factory=dict)
    """The operations of which something cannot even be read, and why: somebody has put in what is no value of its column."""

    @property
    def first(self) -> int:
        """Returns the lowest of the operations' keys."""
        return min(self.operations)

    @property
    def last(self) -> int:
        """Returns the highest of the operations' keys."""
        return max(self.operations)

    @property
    def scattered(self) -> bool:
        """Says whether the entries lie here and there among those of others."""
        return self.partner_id is None and self.chosen is not None

    def takes(self, block_id: int) -> bool:
        """Says whether a block is to be looked at."""
        return self.chosen is None or block_id in self.chosen

    def has(self, operation_id: ColumnElement[int]) -> ColumnElement[bool]:
        """Returns the condition that a row is of one of the operations; without any choice, they follow one another."""
        if self.partner_id is not None or self.chosen is not None:
            return operation_id.in_(list(self.operations))
        return operation_id.between(self.first, self.last)


async def windows(
    connection: AsyncConnection,
    which: Sequence[ColumnElement[bool]] = (),
    partner_id: int | None = None,
    chosen: Collection[int] | None = None,
) -> AsyncIterator[Window]:
    """Yields operations with what is sealed of them.

    Args:
        connection: one that sees one moment.
        which: conditions on the operations; without any, all of them.
        partner_id: whose all of them are; None if they may be anybody's.
        chosen: the blocks to be looked at; None for all.
    """
    after: int | None = None
    while True:
        part = select(operations.c.id).where(*which).order_by(operations.c.id).limit(OPERATIONS_AT_ONCE)
        if after is not None:
            part = part.where(operations.c.id > after)
        keys = (await connection.execute(part)).scalars().all()
        if not keys:
            return
        async for window in _readable(connection, keys, partner_id, chosen):
            yield window
        after = keys[-1]


async def _readable(
    connection: AsyncConnection, keys: Sequence[int], partner_id: int | None, chosen: Collection[int] | None
) -> AsyncIterator[Window]:
    """Yields these operations in one window, or in several so that those which cannot be read are by themselves."""
    try:
        found = select(*operation_columns(connection.dialect.name)).where(operations.c.id.in_(keys))
        rows = (await connection.execute(found.order_by(operations.c.id))).all()
        window = Window({row.id: row for row in rows}, partner_id, chosen)
        await _fill(connection, window)
    except (DatabaseError, ValueError, TypeError, OverflowError) as error:
        if connection.dialect.name != "sqlite":
            raise
        if len(keys) == 1:
            yield Window({}, partner_id, chosen, unreadable={keys[0]: str(getattr(error, "orig", error))})
            return
    else:
        yield window
        return
    half = len(keys) // 2
    for part in (keys[:half], keys[half:]):
        async for window in _readable(connection, part, partner_id, chosen):
            yield window


async def _fill(connection: AsyncConnection, window: Window) -> None:
    linked = and_(_before.c.chain == timeline_blocks.c.chain, _before.c.number == timeline_blocks.c.number - 1)
    blocks = select(timeline_blocks, _before.c.hash.label("previous")).outerjoin(_before, linked)
    found = await connection.execute(
        blocks.where(window.has(timeline_blocks.c.operation_id)).order_by(timeline_blocks.c.id)
    )
    rows = [row for row in found if row.operation_id in window.operations]
    window.begun = {row.operation_id for row in rows}
    window.closed = {row.operation_id for row in rows if row.closing}
    window.blocks = [row for row in rows if window.takes(row.id)]
    dialect = connection.dialect.name
    await _take_entries(connection, window, dialect)
    await _take_outcomes(connection, window, dialect)
    last_block = {row.operation_id: row.id for row in window.blocks if row.closing}
    closing = [key for key, row in window.operations.items() if row.state in ENDED]
    if window.chosen is not None:
        closing = list(last_block)
    made = select(decisions.c.operation_id, row_text(decisions, dialect), *DECISION_STATES)
    made = made.where(window.has(decisions.c.operation_id))
    ordered = made.order_by(decisions.c.operation_id, decisions.c.number)
    places = {key: last_block.get(key, key) for key in closing}
    await _take(connection, ordered, window, "decisions", places)
    state_ids = {key for sheet in window.sheets.values() for key in sheet.state_ids}
    window.states = await state_texts(connection, state_ids)


async def _take_entries(connection: AsyncConnection, window: Window, dialect: str) -> None:
    key = timeline_entries.c.id
    rows = select(
        (key // CELLS).label("place"), row_text(timeline_entries, dialect, guarded=True), *ENTRY_STATES
    ).order_by(key)
    if not window.scattered:
        own = rows.where(key >= window.first * CELLS, key < (window.last + 1) * CELLS)
        if window.partner_id is not None:
            own = own.where(timeline_entries.c.partner_id == window.partner_id)
        await _take(connection, own, window, "entries", {key: key for key in window.operations if window.takes(key)})
    # The later blocks of queued operations lie elsewhere, and those of others lie here: each is read with its own operation.
    for block in window.blocks:
        if window.scattered or block.id != block.operation_id:
            later = rows.where(key >= block.id * CELLS, key < (block.id + 1) * CELLS)
            await _take(connection, later, window, "entries", {block.id: block.id})


async def _take_outcomes(connection: AsyncConnection, window: Window, dialect: str) -> None:
    outcome = outcomes.c
    place = func.coalesce(outcome.block_id, outcome.operation_id)
    rows = select(place, row_text(outcomes, dialect, guarded=True)).where(window.has(outcome.operation_id))
    if window.chosen is not None:
        rows = rows.where(place.in_(list(window.chosen)))
    ordered = rows.order_by(outcome.operation_id, outcome.position)
    async with connection.stream(ordered, execution_options={"yield_per": _ROWS_AT_ONCE}) as stream:
        async for part in stream.partitions():
            for key, group in groupby(part, _FIRST):
                window.sheets[key].outcomes.add(map(_SECOND, group))


async def _take(
    connection: AsyncConnection, rows: Select[Any], window: Window, kind: str, places: dict[int, int]
) -> None:
    """Takes rows: where they belong, the text, and the states to which they refer."""
    async with connection.stream(rows, execution_options={"yield_per": _ROWS_AT_ONCE}) as stream:
        async for part in stream.partitions():
            for key, group in groupby(part, _FIRST):
                place = places.get(key)
                if place is not None:
                    found, sheet = list(group), window.sheets[place]
                    getattr(sheet, kind).add(map(_SECOND, found))
                    sheet.refer(chain.from_iterable(row[2:] for row in found))


async def seal_everything(database: Database) -> None:
    """Seals whatever has no block yet, in several transactions."""
    more = True
    while more:
        async with database.write() as session:
            more = await _seal_some(await session.connection())


async def seal_the_rest(connection: AsyncConnection) -> None:
    """Seals the operations that have no block: those of before there were any, and those of large loads."""
    while await _seal_some(connection):
        pass


async def _seal_some(connection: AsyncConnection) -> bool:
    sealed = select(timeline_blocks.c.id).where(timeline_blocks.c.operation_id == operations.c.id)
    async for window in windows(connection, [~sealed.exists()]):
        for key, why in window.unreadable.items():
            raise RuntimeError(f"Operation {key} cannot be sealed, for something of it cannot be read: {why}")
        for key, operation in sorted(window.operations.items(), key=lambda found: (found[1].partner_id or 0, found[0])):
            await append(connection, operation, key, window.sheets[key], window.states)
        return True
    return False
