"""What an operation left in the database, without keys: equal for two ways that did the same."""

from typing import Any

from sqlalchemy import ColumnElement, Table, func, select

from models.database import Database
from models.grant import grants
from models.operation import cell_key
from models.outcome import outcomes
from models.timeline_entry import timeline_entries


async def written(database: Database, operation_id: int) -> dict[str, list[str]]:
    """Returns, for each table, the distinct contents with how many rows have them and the sums of the keys in them."""
    first, last = cell_key(operation_id, 0), cell_key(operation_id + 1, 0) - 1
    mine = {
        grants: grants.c.id.between(first, last),
        timeline_entries: timeline_entries.c.id.between(first, last),
        outcomes: outcomes.c.operation_id == operation_id,
    }
    return {table.name: await _contents(database, table, condition) for table, condition in mine.items()}


# Keys and moments that are another operation's own.
_OWN = {"id", "operation_id", "grant_id", "position", "since", "at"}
_SUMMED = ("client_id", "member_id", "account_id", "user_id")


async def _contents(database: Database, table: Table, condition: ColumnElement[bool]) -> list[str]:
    alike = [column for column in table.c if column.name not in _OWN and column.name not in _SUMMED]
    sums: list[ColumnElement[Any]] = [func.sum(table.c[name]).label(name) for name in _SUMMED if name in table.c]
    statement = select(*alike, func.count().label("rows"), *sums).where(condition).group_by(*alike)
    async with database.read() as connection:
        rows = (await connection.execute(statement)).all()
    # Text, because it travels from the process that measured.
    return sorted(" ".join(f"{name}={value}" for name, value in row._mapping.items()) for row in rows)  # noqa: SLF001 its public name
