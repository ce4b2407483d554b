"""The few statements that SQLite and PostgreSQL write differently."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Delete, Insert, Select, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateTable

_KEYS_AT_ONCE = 10_000
"""How many keys go into one statement: PostgreSQL limits its parameters."""


def insert_or_ignore(connection: AsyncConnection, target: Table) -> Any:
    """Returns an INSERT that passes over rows whose unique key is there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(target).on_conflict_do_nothing()
    return sqlite.insert(target).on_conflict_do_nothing()


def insert_or_update(connection: AsyncConnection, target: Table) -> Any:
    """Returns an INSERT that can say by ``on_conflict_do_update`` what becomes of a row whose unique key is there already."""
    return postgresql.insert(target) if connection.dialect.name == "postgresql" else sqlite.insert(target)


async def create_temporary(connection: AsyncConnection, *tables: Table) -> None:
    """Makes the temporary tables, empty: PostgreSQL drops them with the transaction, SQLite keeps them for the connection."""
    for statement in _emptied(tables, connection.dialect.name):
        await connection.exec_driver_sql(statement)


async def empty_temporary(connection: AsyncConnection, *tables: Table) -> None:
    """Empties temporary tables, made if need be: for a transaction that carries out several operations."""
    await create_temporary(connection, *tables)
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("; ".join(str(Delete(table)) for table in tables))


@cache
def _emptied(tables: tuple[Table, ...], dialect: str) -> tuple[str, ...]:
    """Returns the statements that make temporary tables, written once: SQLAlchemy would write them each time."""
    made = [CreateTable(table, if_not_exists=True) for table in tables]
    if dialect == "sqlite":
        kind = cast(Any, sqlite).dialect()
        return (*(str(table.compile(dialect=kind)) for table in made), *(str(Delete(table)) for table in tables))
    # In one round trip.
    return ("; ".join(str(table.compile(dialect=cast(Any, postgresql).dialect())) for table in made),)


async def lock_rows(connection: AsyncConnection, rows: Select[Any]) -> None:
    """Locks the rows that the statement selects, in its order, until the transaction ends.

    SQLite has one writer at a time, so there is nothing to lock.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(rows.with_for_update(key_share=True))


async def lock_keys(connection: AsyncConnection, table: Table, keys: Iterable[int]) -> None:
    """Locks the rows with these keys, in the order of the keys, however many there are."""
    known = sorted(set(keys))
    for start in range(0, len(known), _KEYS_AT_ONCE):
        part = table.c.id.in_(known[start : start + _KEYS_AT_ONCE])
        await lock_rows(connection, select(table.c.id).where(part).order_by(table.c.id))


async def insert_many(connection: AsyncConnection, target: Table | Insert, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts the rows, if there are any."""
    if rows:
        await connection.execute(Insert(target) if isinstance(target, Table) else target, rows)
