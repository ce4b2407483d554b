"""N07: whatever is altered in operations, outcomes or timeline is found, and an honest history is whole."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.operation import decisions, operations
from models.outcome import outcomes
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.consistency.check import look
from resolvers.consistency.ledger import CHECKS
from resolvers.consistency.storage import STORAGE_CHECKS
from resolvers.operation.queue import QueueLimits
from resolvers.timeline_chain.verification import breaks
from resolvers.timeline_chain.window import seal_everything
from tests.api.write_story import Story, mutation, permissions, product
from tests.factory import Factory
from tests.storage.lived import live

HISTORY = (operations, outcomes, timeline_entries)
ALTERATIONS = 500
CHANCE = 20261122


async def told(database: Database) -> list[str]:
    async with database.snapshot() as connection:
        return [found.message async for found in breaks(connection)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_n07_each_of_500_alterations_is_found(factory: Factory, database: Database) -> None:
    """Each alters, deletes, inserts or swaps rows of one table, as somebody who can write into the file would."""
    await live(factory)
    await seal_everything(database)
    assert await told(database) == []
    chance = random.Random(CHANCE)  # noqa: S311 the same alterations each time
    kinds: dict[str, int] = {}
    missed = []
    while sum(kinds.values()) < ALTERATIONS:
        table, kind = chance.choice(HISTORY), chance.choice((alter, alter, delete, insert, swap))
        async with database.rehearse() as session:
            connection = await session.connection()
            for pragma in ("defer_foreign_keys = ON", "ignore_check_constraints = ON"):
                await connection.exec_driver_sql(f"PRAGMA {pragma}")
            what = await kind(connection, table, chance)
            found = [broken.message async for broken in breaks(connection)]
            # What becomes of an operation that has not ended is sealed with its end; until then, others count it.
            if not found and not await is_found(connection):
                missed.append((kind.__name__, table.name, what))
        kinds[f"{kind.__name__} {table.name}"] = kinds.get(f"{kind.__name__} {table.name}", 0) + 1
    assert missed == []
    assert len(kinds) == len(HISTORY) * 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_n07_bytes_in_the_place_of_a_number_or_a_text_are_an_alteration(
    factory: Factory, database: Database
) -> None:
    """SQLite holds them in any column; they read alike, and are not what was sealed."""
    await live(factory)
    await seal_everything(database)
    columns = [
        *((timeline_entries, name) for name in ("client_id", "at", "after_status", "after_state_id")),
        *((outcomes, name) for name in ("member_id", "decision", "status")),
        *((decisions, name) for name in ("code", "after_state_id", "after_status")),
    ]
    for table, name in columns:
        async with database.rehearse() as session:
            connection = await session.connection()
            for pragma in ("defer_foreign_keys = ON", "ignore_check_constraints = ON"):
                await connection.exec_driver_sql(f"PRAGMA {pragma}")
            operation_id = await connection.scalar(
                select(func.min(table.c.operation_id)).where(table.c[name].is_not(None))
            )
            key = [column.name for column in table.primary_key.columns][-1]
            await connection.exec_driver_sql(
                f"UPDATE {table.name} SET {name} = CAST({name} AS BLOB) WHERE operation_id = {operation_id} AND {key} ="
                f" (SELECT min({key}) FROM {table.name} WHERE operation_id = {operation_id} AND {name} IS NOT NULL)"
            )
            found = [broken.operation_id async for broken in breaks(connection)]
            assert found == [operation_id], (table.name, name)


async def is_found(connection: AsyncConnection) -> bool:
    for check in CHECKS[len(STORAGE_CHECKS) :]:
        if (await look(connection, check)).faults:
            return True
    return False


async def rows_of(connection: AsyncConnection, table: Table, chance: random.Random, number: int) -> Sequence[Any]:
    """Some rows of a table, as the file holds them."""
    columns = ", ".join(f'"{column.name}"' for column in table.c)
    found = (await connection.exec_driver_sql(f"SELECT {columns} FROM {table.name}")).mappings().all()
    return chance.sample(list(found), number)


def where(table: Table, row: Any) -> tuple[str, tuple[Any, ...]]:
    names = [column.name for column in table.primary_key.columns]
    return " AND ".join(f"{name} = ?" for name in names), tuple(row[name] for name in names)


async def alter(connection: AsyncConnection, table: Table, chance: random.Random) -> str:
    (row,) = await rows_of(connection, table, chance, 1)
    name = chance.choice([column.name for column in table.c if not column.primary_key])
    condition, key = where(table, row)
    value = another(row[name])
    await connection.exec_driver_sql(f"UPDATE {table.name} SET {name} = ? WHERE {condition}", (value, *key))
    return f"{name} of {key}: {row[name]!r} to {value!r}"


def another(value: Any) -> Any:
    if value is None:
        return 1
    if isinstance(value, int):
        return value + 1
    return value.replace("2", "3", 1) if "2" in value else f"{value}2"


async def delete(connection: AsyncConnection, table: Table, chance: random.Random) -> str:
    (row,) = await rows_of(connection, table, chance, 1)
    condition, key = where(table, row)
    await connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {condition}", key)
    return str(key)


async def insert(connection: AsyncConnection, table: Table, chance: random.Random) -> str:
    """Copies a row to a free key: at the end, or among those of its operation."""
    (row,) = await rows_of(connection, table, chance, 1)
    last = [column.name for column in table.primary_key.columns][-1]
    highest = (await connection.exec_driver_sql(f"SELECT max({last}) FROM {table.name}")).scalar_one()
    key = chance.choice((highest + 1, highest + 2**24)) if table is not outcomes else highest + 1
    values = {**row, last: key}
    marks = ", ".join("?" * len(values))
    await connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
    )
    return f"{row[last]} as {key}"


async def swap(connection: AsyncConnection, table: Table, chance: random.Random) -> str:
    """Exchanges the places of two rows, all else as it was."""
    keys = [column.name for column in table.primary_key.columns]
    one, other = await rows_of(connection, table, chance, 2)
    while all(value == other[name] for name, value in one.items() if name not in keys):
        one, other = await rows_of(connection, table, chance, 2)
    for row in (one, other):
        condition, key = where(table, row)
        await connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {condition}", key)
    for row, place in ((one, other), (other, one)):
        values = {**row, **{name: place[name] for name in keys}}
        marks = ", ".join("?" * len(values))
        await connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )
    return f"{where(table, one)[1]} and {where(table, other)[1]}"


async def test_n07_what_a_queued_operation_does_is_sealed_chunk_by_chunk_and_its_end_too(
    factory: Factory, database: Database
) -> None:
    story = await Story.begin(factory)
    places = [story.client, *await factory.clients(story.partner, 3)]
    for place in places[1:]:
        await story.admin(place)
    await seal_everything(database)
    cut = Story(**{**vars(story), "limits": QueueLimits(queue_above=2, chunk_cells=2)})
    people = await factory.members(story.partner, 2)
    await cut.run(
        mutation("grantAccess"),
        input={"targets": product(people, places), "access": permissions({"contacts.view": "ALL"})},
    )
    assert await told(database) == []
    while await cut.work():
        assert await told(database) == []
    newest = select(timeline_blocks).order_by(timeline_blocks.c.number)
    async with database.read() as connection:
        rows = (await connection.execute(newest.where(timeline_blocks.c.chain == story.partner.id))).all()
    assert [(row.entries, row.closing) for row in rows[-5:]] == [(0, False), *[(2, False)] * 3, (2, True)]
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len({row.hash for row in rows}) == len(rows)


async def test_n07_a_block_that_is_cut_out_of_its_chain_is_missed(factory: Factory, database: Database) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 3)
    await seal_everything(database)
    for person in people:
        await story.grant(person, permissions({"contacts.view": "ALL"}))
    assert await told(database) == []
    for number in (1, 2):
        async with database.rehearse() as session:
            connection = await session.connection()
            of_chain = select(timeline_blocks.c.id).where(timeline_blocks.c.chain == story.partner.id)
            (key,) = (await connection.execute(of_chain.where(timeline_blocks.c.number == number))).one()
            await connection.execute(timeline_blocks.delete().where(timeline_blocks.c.id == key))
            found = [broken.message async for broken in breaks(connection)]
        assert any("the one before it is missing" in line for line in found)
        assert any("nothing has sealed its end" in line for line in found)
