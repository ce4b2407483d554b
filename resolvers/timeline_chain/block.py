"""Sealing what a transaction writes of an operation, as the last thing before it commits (N07)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import BigInteger, ColumnElement, Row, Select, bindparam, cast, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import before_commit
from models.operation import CELLS, ENDED, NextOperationKey, decisions, operations
from models.outcome import outcomes
from models.permission_state import permission_states
from models.table import now
from models.timeline_block import NOBODYS, timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.timeline_chain.content import (
    DECISION_STATES,
    ENTRY_STATES,
    Lines,
    Sheet,
    operation_columns,
    row_text,
    seal_of,
)

ROWS_AT_ONCE = 20_000
_open: WeakKeyDictionary[Any, dict[int, tuple[int, int, tuple[int, int] | None]]] = WeakKeyDictionary()
"""By transaction: the blocks that are to be sealed, by their keys."""
_LOCK = 0x43414D << 40
"""Added to a chain's key for the lock on its end, so that it is nobody else's."""
_KEYS_AT_ONCE = 1_000


def open_block(
    connection: AsyncConnection,
    operation_id: int,
    block_id: int | None = None,
    positions: tuple[int, int] | None = None,
) -> None:
    """Has everything sealed that this transaction writes of an operation, when all of it is written.

    Args:
        connection: of a transaction of ``Database.write``.
        operation_id: whose rows.
        block_id: the block, if it is not the one with the operation's own key: see ``next_block``.
        positions: the first and the last position of its outcomes, if there may be others of the same operation.
    """
    key = block_id or operation_id
    _open.setdefault(connection.sync_connection, {}).setdefault(key, (operation_id, key, positions))
    before_commit(connection, ("block", 0), _seal_all)


async def _seal_all(connection: AsyncConnection) -> None:
    """Seals the blocks of a transaction chain by chain: two that write into the same chains wait in the same order."""
    waiting = list(_open.pop(connection.sync_connection, {}).values())
    if len(waiting) > 1:
        keys = {operation_id for operation_id, _, _ in waiting}
        rows = await connection.execute(
            select(operations.c.id, operations.c.partner_id).where(operations.c.id.in_(keys))
        )
        whose = {row.id: row.partner_id or NOBODYS for row in rows}
        waiting.sort(key=lambda block: (whose[block[0]], block[1]))
    for operation_id, block_id, positions in waiting:
        await seal(connection, operation_id, block_id, positions)


async def next_block(connection: AsyncConnection) -> int:
    """Returns the key of a block; it is taken once the transaction has sealed it."""
    key: int = (await connection.execute(select(NextOperationKey()))).scalar_one()
    return key


async def seal(
    connection: AsyncConnection, operation_id: int, block_id: int, positions: tuple[int, int] | None = None
) -> None:
    """Puts a block at the end of its chain; its rows are written already."""
    sheet, reading = Sheet(), _reading(connection.dialect.name)
    operation = (await connection.execute(reading.operation, {"operation": operation_id})).one()
    first, last = positions or (0, CELLS)
    entries = {"after": block_id * CELLS - 1, "end": (block_id + 1) * CELLS}
    of_operation = {"operation": operation_id, "block": None if block_id == operation_id else block_id}
    for row in await connection.execute(reading.states, entries):
        sheet.refer(row)
    await _read(connection, reading.entries, entries, sheet.entries)
    await _read(connection, reading.outcomes, {**of_operation, "after": first - 1, "end": last + 1}, sheet.outcomes)
    if operation.state in ENDED:
        made = (await connection.execute(reading.decisions, {"operation": operation_id})).all()
        sheet.decisions.add(row[0] for row in made)
        sheet.refer(chain.from_iterable(row[1:] for row in made))
    await append(connection, operation, block_id, sheet, await state_texts(connection, sheet.state_ids))


async def append(
    connection: AsyncConnection, operation: Row[Any], block_id: int, sheet: Sheet, states: Mapping[int, str]
) -> None:
    """Writes a block as the last of its chain.

    Args:
        connection: of a writing transaction.
        operation: the ``operation_columns`` of the block's operation.
        block_id: the block's key.
        sheet: what it contains.
        states: the contents of permission states, at least those to which it refers.
    """
    whose = operation.partner_id or NOBODYS
    number, previous = await _end(connection, whose)
    block = {
        "id": block_id,
        "operation_id": operation.id,
        "chain": whose,
        "number": number + 1,
        "closing": operation.state in ENDED,
        "sealed_at": now(),
    }
    values = {
        **block,
        "entries": sheet.entries.number,
        "outcomes": sheet.outcomes.number,
        "hash": seal_of(previous, block, operation, sheet, states),
    }
    await connection.execute(insert(timeline_blocks).values(values))


async def _end(connection: AsyncConnection, whose: int) -> tuple[int, str]:
    """Returns the number and the hash of a chain's last block; on PostgreSQL nobody else adds one until the transaction ends."""
    if connection.dialect.name != "sqlite":
        await connection.execute(select(func.pg_advisory_xact_lock(cast(_LOCK + whose, BigInteger))))
    newest = (
        select(timeline_blocks.c.number, timeline_blocks.c.hash)
        .where(timeline_blocks.c.chain == whose)
        .order_by(timeline_blocks.c.number.desc())
        .limit(1)
    )
    row = (await connection.execute(newest)).one_or_none()
    return (0, "") if row is None else (row.number, row.hash)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The statements that read what a block seals; made once, for each write needs them."""

    operation: Select[Any]
    states: Select[Any]
    entries: Select[Any]
    outcomes: Select[Any]
    decisions: Select[Any]


@cache
def _reading(dialect: str) -> _Reading:
    entry, outcome, decision = timeline_entries.c, outcomes.c, decisions.c
    operation, block = bindparam("operation", type_=BigInteger), bindparam("block", type_=BigInteger)
    of_block = outcome.block_id.is_not_distinct_from(block)
    own_outcomes = select(outcome.position, row_text(outcomes, dialect)).where(
        outcome.operation_id == operation, of_block
    )
    own_decisions = select(row_text(decisions, dialect), *DECISION_STATES).where(decision.operation_id == operation)
    return _Reading(
        operation=select(*operation_columns(dialect)).where(operations.c.id == operation),
        states=select(*ENTRY_STATES).where(*_between(entry.id)).distinct(),
        entries=_joined(select(entry.id, row_text(timeline_entries, dialect))),
        outcomes=_joined(own_outcomes),
        decisions=own_decisions.order_by(decision.number),
    )


def _between(key: ColumnElement[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return key > bindparam("after", type_=BigInteger), key < bindparam("end", type_=BigInteger)


def _joined(rows: Select[Any]) -> Any:
    """Selects many rows as one value, with how many they are and the last of their keys.

    Each row of its own would cost more than all else that is done with it. Both databases put together what they are given in its
    order.
    """
    key, text = rows.selected_columns
    part = rows.with_only_columns(key.label("key"), text.label("line")).where(*_between(key)).order_by(key)
    ordered = part.limit(ROWS_AT_ONCE).subquery()
    whole = func.aggregate_strings(ordered.c.line, "\n")
    joined: Any = select(func.count(), func.max(ordered.c.key), whole).select_from(ordered)
    return joined


async def _read(connection: AsyncConnection, rows: Select[Any], asked: Mapping[str, Any], lines: Lines) -> None:
    """Takes rows in the order of their keys, some thousand at a time."""
    after = asked["after"]
    while True:
        number, last, joined = (await connection.execute(rows, {**asked, "after": after})).one()
        if number:
            lines.add_joined(joined, number)
        if number < ROWS_AT_ONCE:
            return
        after = last


async def state_texts(connection: AsyncConnection, keys: Iterable[int]) -> dict[int, str]:
    """Returns what the rows of these permission states say."""
    wanted, found = sorted(keys), dict[int, str]()
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        chosen = permission_states.c.id.in_(wanted[start : start + _KEYS_AT_ONCE])
        rows = await connection.execute(select(permission_states.c.id, permission_states.c.content).where(chosen))
        found |= {row.id: row.content for row in rows}
    return found
