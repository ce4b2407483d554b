"""Pages by keyset: rows that come and go elsewhere neither repeat nor hide a row (F23, T4).

A cursor carries the row's sort value and key, so the next page starts after that place in the order and not after a number
of rows. Every order ends with the key, and NULL has a place of its own, the same on both databases.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import ColumnElement, FromClause, Select, Table, func, literal, tuple_

from models.first_of_each import first_of_each
from resolvers.cursor import SortKind, decode_cursor, encode_cursor
from resolvers.error import InputError
from resolvers.reader import Reader
from resolvers.viewer import Viewer

DEFAULT_SIZE = 25
LARGEST_SIZE = 100

RecordType = TypeVar("RecordType")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list a caller wants."""

    size: int = DEFAULT_SIZE
    backward: bool = False
    after: str | None = None
    before: str | None = None

    @classmethod
    def of(
        cls, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Self:
        """Returns the request that these arguments of a connection make.

        Raises:
            InputError: for sizes outside 1 to 100, and for `first` together with `last` (R4).
        """
        if first is not None and last is not None:
            raise InputError("Give either first or last: first counts from the beginning, last from the end.")
        size = first if first is not None else last
        if size is not None and not 1 <= size <= LARGEST_SIZE:
            raise InputError(f"first and last go from 1 to {LARGEST_SIZE}; go on with after or before.")
        return cls(size or DEFAULT_SIZE, last is not None, after, before)


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is sorted by; rows with equal values are sorted by key (R7)."""

    name: str
    """Stands in the cursors, which are refused in a list of another order."""
    kind: SortKind
    value: Callable[[FromClause], ColumnElement[Any]]
    """Makes the sort value of the table or an alias of it; never NULL."""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[RecordType]):
    """One part of a list and what lies beside it."""

    items: list[RecordType]
    places: list[tuple[Any, int]]
    order: Order
    has_next: bool
    has_previous: bool

    def cursor(self, index: int) -> str:
        """Returns the cursor of one item."""
        value, key = self.places[index]
        return encode_cursor(self.order.name, self.order.kind, value, key)


@dataclass(frozen=True, slots=True)
class Projection(Generic[RecordType]):
    """How rows of a noun are read: which columns, and the record that they make."""

    table: Table
    columns: Callable[[Viewer, FromClause, FromClause], Select[Any]]
    """Selects what the record needs, the key first: (who asks, an alias of the table, what to join more tables to)."""
    record: Callable[..., RecordType]
    _by_key: FromClause = field(init=False)
    _by_parent: FromClause = field(init=False)

    def __post_init__(self) -> None:
        """Makes the aliases once: an alias and its columns cost more to build than the rest of a statement."""
        object.__setattr__(self, "_by_key", self.table.alias("chosen_row"))
        object.__setattr__(self, "_by_parent", self.table.alias("page_row"))

    async def records(self, reader: Reader, chosen: Select[Any]) -> list[RecordType]:
        """Returns the rows whose keys are selected, sorted by key."""
        rows = self._by_key
        statement = self.columns(reader.viewer, rows, rows).where(rows.c.id.in_(chosen)).order_by(rows.c.id)
        return [self.record(*row) for row in await reader.rows(statement)]

    async def by_key(self, reader: Reader, chosen: Select[Any], keys: Sequence[int]) -> list[RecordType | None]:
        """Returns the readable rows with these keys in the order of the keys, None where there is none (T1)."""
        rows = self._by_key
        # By the keys alone: asked for all readable rows first, SQLite would go through everything the partner has.
        is_readable = chosen.where(self.table.c.id == rows.c.id).correlate(rows).exists()
        statement = self.columns(reader.viewer, rows, rows).where(rows.c.id.in_(set(keys)), is_readable)
        found = {row[0]: self.record(*row) for row in await reader.rows(statement)}
        return [found.get(key) for key in keys]

    async def pages(
        self,
        reader: Reader,
        parents: Table,
        keys: Sequence[int],
        choice: Select[Any],
        *,
        order: Order,
        request: PageRequest,
    ) -> list[Page[RecordType]]:
        """Returns one page for each parent, all with one statement (T3).

        Args:
            reader: what to read with.
            parents: the parents' table.
            keys: the parents' keys.
            choice: selects the keys of one parent's readable rows; refers to the row of `parents` around it.
            order: how the lists are sorted.
            request: which part of each list.
        """
        rows = self._by_parent
        part = choice.where(*_bounds(self.table, order, request)).limit(request.size + 1)
        part = part.order_by(*_sorting(self.table, order, descending=order.descending is not request.backward))
        source = first_of_each(parents, rows, part, lateral=not reader.database.is_sqlite)
        place, parent = order.value(rows).label("place"), parents.c.id.label("parent")
        statement = self.columns(reader.viewer, rows, source).where(parents.c.id.in_(set(keys)))
        statement = statement.order_by(*_sorting(rows, order, descending=order.descending))
        found: dict[int, list[Any]] = {key: [] for key in keys}
        for row in await reader.rows(statement.add_columns(place, parent)):
            found[row[-1]].append(row)
        pages = {key: self._page(listed, order, request) for key, listed in found.items()}
        return [pages[key] for key in keys]

    def _page(self, rows: list[Any], order: Order, request: PageRequest) -> Page[RecordType]:
        more = len(rows) > request.size
        if more:
            del rows[0 if request.backward else -1]
        return Page(
            items=[self.record(*row[:-2]) for row in rows],
            places=[(row[-2], row[0]) for row in rows],
            order=order,
            has_next=request.before is not None if request.backward else more,
            has_previous=more if request.backward else request.after is not None,
        )


async def totals(reader: Reader, parent: ColumnElement[int], keys: Sequence[int], choice: Select[Any]) -> list[int]:
    """Returns how many rows each parent has in a list, all with one statement.

    Args:
        reader: what to read with.
        parent: the column of the chosen rows that names their parent.
        keys: the parents' keys.
        choice: selects the rows of all parents.
    """
    counted: list[ColumnElement[Any]] = [parent, func.count()]
    statement = choice.with_only_columns(*counted).where(parent.in_(set(keys))).group_by(parent)
    rows: Sequence[Any] = await reader.rows(statement)
    found: dict[int, int] = dict(rows)
    return [found.get(key, 0) for key in keys]


def _sorting(rows: FromClause, order: Order, *, descending: bool) -> list[ColumnElement[Any]]:
    terms = [rows.c.id] if order.kind is SortKind.KEY else [order.value(rows), rows.c.id]
    return [term.desc() if descending else term.asc() for term in terms]


def _bounds(rows: Table, order: Order, request: PageRequest) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    value, key = order.value(rows), rows.c.id
    for cursor, beyond in ((request.after, not order.descending), (request.before, order.descending)):
        if cursor is not None:
            place = decode_cursor(order.name, order.kind, cursor)
            here, there = tuple_(value, key), tuple_(literal(place[0], value.type), literal(place[1], key.type))
            bounds.append(here > there if beyond else here < there)
    return bounds
