"""Many ready rows into a table by one statement, the quickest way of each database: the rows that are there already are passed over."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Table, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.sql.sqltypes import UTCDateTime

_WITHOUT_OFFSET = len("2026-11-21 09:30:00.000000")


async def insert_new(
    connection: AsyncConnection,
    target: Table,
    columns: Sequence[str],
    unique: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> tuple[int, int]:
    """Inserts the rows whose unique key is not there yet; of two rows with one key the first.

    The values are what the driver takes: neither SQLAlchemy's types nor its parameters for each row, which cost more than the insert.

    Args:
        connection: one that writes.
        target: a table whose key ``id`` the database counts up.
        columns: what the values of a row are.
        unique: the columns of the unique key.
        rows: moments among the values are in UTC.

    Returns:
        How many were new, and the first of their keys.
    """
    key = ", ".join(unique)
    into = f'INSERT INTO "{target.name}" ({", ".join(columns)})'
    if connection.dialect.name == "sqlite":
        first = await connection.scalar(select(func.coalesce(func.max(target.c.id), 0) + 1)) or 1
        marks = ", ".join("?" * len(columns))
        statement = f"{into} VALUES ({marks}) ON CONFLICT ({key}) DO NOTHING"
        done = await connection.exec_driver_sql(statement, _as_text(columns, target, rows))
        return done.rowcount, first
    kind = postgresql.dialect()  # type: ignore[no-untyped-call]
    typed = ", ".join(f"{name} {target.c[name].type.compile(dialect=kind)}" for name in columns)
    statement = (
        f"WITH new AS ({into} SELECT * FROM json_to_recordset(%s::json) AS sent ({typed}) "  # noqa: S608 names of columns
        f"ON CONFLICT ({key}) DO NOTHING RETURNING id) SELECT count(*), coalesce(min(id), 0) FROM new"
    )
    # As one text: psycopg writes arrays slowly, and thousands of parameters more slowly still.
    values = (orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows]).decode(),)
    row: Any = (await connection.exec_driver_sql(statement, values)).one()
    number, first = row
    return number, first


def _as_text(columns: Sequence[str], target: Table, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Returns the rows with moments as SQLite keeps them."""
    values: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, name in enumerate(columns):
        if isinstance(target.c[name].type, UTCDateTime):
            values[place] = [moment.isoformat(" ", "microseconds")[:_WITHOUT_OFFSET] for moment in values[place]]
    return list(zip(*values, strict=True))
