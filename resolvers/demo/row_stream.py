"""Rows that go into the database in large parts: by COPY on PostgreSQL, many to a statement on SQLite."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from psycopg import AsyncConnection as PsycopgConnection
from sqlalchemy import Column, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from models.operation import operations
from models.timeline_block import timeline_blocks

ROWS_AT_ONCE = 20_000
"""So many rows of all tables together are kept in memory before they are written."""


class RowStream:
    """Takes rows of some tables and writes them table by table, in the order of the layouts.

    A row is a tuple with the columns that its table was registered with; the others get their default value.
    """

    def __init__(self, connection: AsyncConnection, layouts: Mapping[Table, Sequence[str]]) -> None:
        self._connection = connection
        self._targets = [_Target(connection, table, layouts[table]) for table in layouts]
        self._rows: dict[Table, list[tuple[Any, ...]]] = {target.table: target.rows for target in self._targets}

    def into(self, table: Table) -> Callable[[tuple[Any, ...]], None]:
        """Returns what takes a row of a table."""
        return self._rows[table].append

    @property
    def waiting(self) -> int:
        """Returns how many rows are kept."""
        return sum(map(len, self._rows.values()))

    async def flush(self) -> None:
        """Writes what is kept."""
        for target in self._targets:
            if target.rows:
                await target.write()


class _Target:
    """One table with the rows that wait for it."""

    def __init__(self, connection: AsyncConnection, table: Table, columns: Sequence[str]) -> None:
        self.table = table
        self.rows: list[tuple[Any, ...]] = []
        self._connection = connection
        dialect = connection.dialect
        fixed = [column for column in table.c if column.name not in columns and _default(column) is not None]
        listed = [table.c[name] for name in columns] + fixed
        process = [_processor(column, connection) for column in listed]
        # What every row has is turned once; of the others those whose values the driver does not know.
        self._fixed = tuple(
            _as_stored(_default(column), turn) for column, turn in zip(fixed, process[len(columns) :], strict=True)
        )
        self._turned = [(place, turn) for place, turn in enumerate(process[: len(columns)]) if turn is not None]
        quote = dialect.identifier_preparer
        into = f"{quote.format_table(table)} ({', '.join(quote.quote(column.name) for column in listed)})"
        self._insert = f"INSERT INTO {into} VALUES ({', '.join('?' * len(listed))})"  # noqa: S608 names of our own tables
        # COPY cannot write into a table with row-level security, so it goes by way of a table without.
        waiting, named = f"waiting_{table.name}", ", ".join(quote.quote(column.name) for column in listed)
        self._prepare = (
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {waiting} ON COMMIT DROP AS"  # noqa: S608 names of our own tables
            f" SELECT {named} FROM {quote.format_table(table)} WITH NO DATA"
        )
        self._copy = f"COPY {waiting} FROM STDIN"
        self._move = (f"INSERT INTO {into} SELECT * FROM {waiting}", f"TRUNCATE {waiting}")  # noqa: S608 names of our own tables

    async def write(self) -> None:
        rows = [self._stored(row) for row in self.rows] if self._fixed or self._turned else self.rows
        if self._connection.dialect.name == "postgresql":
            await self._connection.exec_driver_sql(self._prepare)
            raw = await self._connection.get_raw_connection()
            driver = cast("PsycopgConnection[Any]", raw.driver_connection)
            async with driver.cursor() as cursor, cursor.copy(self._copy.encode()) as copy:
                for row in rows:
                    await copy.write_row(row)
            for statement in self._move:
                await self._connection.exec_driver_sql(statement)
        else:
            await self._connection.exec_driver_sql(self._insert, rows)
        self.rows.clear()

    def _stored(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        if self._turned:
            values = list(row)
            for place, turn in self._turned:
                values[place] = turn(values[place])
            row = tuple(values)
        return row + self._fixed


def _default(column: Column[Any]) -> Any:
    default = column.default
    return default.arg if isinstance(default, ScalarElementColumnDefault) else None


def _processor(column: Column[Any], connection: AsyncConnection) -> Callable[[Any], Any] | None:
    dialect = connection.dialect
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _as_stored(value: Any, turn: Callable[[Any], Any] | None) -> Any:
    return value if turn is None else turn(value)


class Keys:
    """The next free keys of the tables whose rows the database numbers, for a transaction in which nobody else adds any."""

    def __init__(self, connection: AsyncConnection, tables: Sequence[Table]) -> None:
        self._connection = connection
        self._tables = tables
        self._next: dict[Table, int] = {}

    async def read(self) -> None:
        """Reads what is taken."""
        for table in self._tables:
            last = await self._connection.scalar(select(func.max(table.c.id)))
            if table is operations:
                # Blocks of the timeline have keys of the same counting.
                block = await self._connection.scalar(select(func.max(timeline_blocks.c.id)))
                last = max(last or 0, block or 0)
            self._next[table] = (last or 0) + 1

    def take(self, table: Table, number: int = 1) -> int:
        """Takes keys that follow one another, and returns the first."""
        first = self._next[table]
        self._next[table] = first + number
        return first

    async def leave(self) -> None:
        """Tells PostgreSQL, which counts by itself, where to go on."""
        if self._connection.dialect.name == "postgresql":
            for table in self._tables:
                name = self._connection.dialect.identifier_preparer.format_table(table)
                await self._connection.scalar(
                    select(func.setval(func.pg_get_serial_sequence(name, "id"), self._next[table], False))  # noqa: FBT003 PostgreSQL's signature
                )
