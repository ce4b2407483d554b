"""The database itself: its pages, its references, and values of the kinds that the columns are for."""

from collections.abc import AsyncIterator, Iterator

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    ForeignKeyConstraint,
    Integer,
    Table,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from models.metadata import TABLES
from models.table import Amount
from resolvers.consistency.check import Check, streamed

_WHOLE = "ok"


async def _pages(connection: AsyncConnection) -> AsyncIterator[str]:
    for (said,) in await connection.execute(text("PRAGMA integrity_check(1000)")):
        if said != _WHOLE:
            yield f"{' '.join(said.split())}"


async def _references_of_sqlite(connection: AsyncConnection) -> AsyncIterator[str]:
    async with connection.stream(text("PRAGMA foreign_key_check")) as found:
        async for table, row, parent, _ in found:
            yield f"{table}{'' if row is None else f' (row {row})'}: names a row of {parent} that is not there"


async def _references(connection: AsyncConnection) -> AsyncIterator[str]:
    for table, reference in _foreign_keys():
        parent = reference.referred_table.alias("parent")
        columns = [element.parent for element in reference.elements]
        targets = [parent.c[element.column.name] for element in reference.elements]
        there = and_(*(column == target for column, target in zip(columns, targets, strict=True)))
        given = and_(*(column.is_not(None) for column in columns))
        keys = list(table.primary_key.columns)
        lost = select(*keys, *columns).where(given, ~exists().where(there).correlate(table))
        named = ", ".join(column.name for column in columns)
        async for row in streamed(connection, lost):
            yield f"{table.name} {_key(row[: len(keys)])}: {named} names a row of {reference.referred_table.name} that is not there"


def _foreign_keys() -> Iterator[tuple[Table, ForeignKeyConstraint]]:
    for table in TABLES:
        for reference in sorted(table.foreign_key_constraints, key=lambda one: str(one.name)):
            yield table, reference


def _key(values: tuple[object, ...]) -> str:
    return "/".join(map(str, values))


async def _kinds(connection: AsyncConnection) -> AsyncIterator[str]:
    """SQLite keeps a text in a column of numbers without a word, unless the table is a STRICT one."""
    for table in TABLES:
        keys = list(table.primary_key.columns)
        wrong = or_(*(_of_another_kind(column) for column in table.columns))
        kinds = [_kind(column) for column in table.columns]
        async for row in streamed(connection, select(*keys, *kinds).where(wrong)):
            found = zip(table.columns, row[len(keys) :], strict=True)
            told = [f"{column.name} is {kind}" for column, kind in found if kind not in _allowed(column)]
            yield f"{table.name} {_key(row[: len(keys)])}: {', '.join(told)}"


def _allowed(column: Column[object]) -> set[str]:
    kind = "integer" if isinstance(column.type, Integer | Boolean | Amount) else "text"
    return {kind, "null"} if column.nullable else {kind}


def _kind(column: Column[object]) -> ColumnElement[str]:
    """Returns the kind of a value; a NUL in a text is nothing that anybody could have sent, and hides from SQLite what follows it."""
    kind = func.typeof(column)
    if "text" not in _allowed(column):
        return kind
    return case((func.instr(column, func.char(0)) > 0, literal("text with a NUL")), else_=kind)


def _of_another_kind(column: Column[object]) -> ColumnElement[bool]:
    return _kind(column).not_in(sorted(_allowed(column)))


STORAGE_CHECKS = (
    Check("integrity", "the pages of the file are whole", TABLES, _pages, dialect="sqlite"),
    Check("kinds", "each value is of its column's kind", TABLES, _kinds, dialect="sqlite"),
    Check("references", "each reference names a row", TABLES, _references_of_sqlite, dialect="sqlite"),
    Check("references", "each reference names a row", TABLES, _references, dialect="postgresql"),
)
