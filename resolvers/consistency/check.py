"""What a check of the database is made of: what it looks at, and a line for each fault that it finds."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, FromClause, Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CompoundSelect

SHOWN = 20
"""How many faults of one check are told; the others are counted."""
AT_ONCE = 2_000
"""Rows held at once: a check needs little memory, however many rows there are."""

Statement: TypeAlias = Select[Any] | CompoundSelect[Any]
Search: TypeAlias = Callable[[AsyncConnection], AsyncIterator[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold, whatever has happened."""

    key: str
    """Its name for programs."""
    title: str
    """What holds when there is no fault."""
    looks_at: Sequence[FromClause]
    """Whose rows are counted as looked at."""
    search: Search
    """Tells each fault."""
    dialect: str | None = None
    """The only database that it is for."""


@dataclass(slots=True)
class Finding:
    """What became of a check."""

    check: Check
    rows: int = 0
    faults: int = 0
    told: list[str] = field(default_factory=list)
    """The first of the faults."""

    def add(self, told: str) -> None:
        """Counts a fault."""
        self.faults += 1
        if len(self.told) < SHOWN:
            self.told.append(told)


async def look(connection: AsyncConnection, check: Check) -> Finding:
    """Carries a check out."""
    finding = Finding(check)
    for table in check.looks_at:
        finding.rows += await connection.scalar(select(func.count()).select_from(table)) or 0
    async for told in check.search(connection):
        finding.add(told)
    return finding


def selected(statement: Statement, tell: Callable[[Any], str]) -> Search:
    """Returns the search whose faults are the rows of a statement."""

    async def search(connection: AsyncConnection) -> AsyncIterator[str]:
        async for row in streamed(connection, statement):
            yield tell(row)

    return search


async def streamed(connection: AsyncConnection, statement: Statement) -> AsyncIterator[Row[Any]]:
    """Yields the rows of a statement, a few of them in memory at a time."""
    async with connection.stream(statement, execution_options={"yield_per": AT_ONCE}) as rows:
        async for part in rows.partitions():
            for row in part:
                yield row


def differ(*pairs: tuple[ColumnElement[Any], ColumnElement[Any]]) -> ColumnElement[bool]:
    """Returns the condition that the two sides of any pair are not the same; nothing is the same as nothing."""
    return or_(*(one.is_distinct_from(other) for one, other in pairs))
