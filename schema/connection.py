"""Connections: the form of every list that can grow (R3 to R7)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import strawberry

from resolvers.page import Page, PageRequest
from schema.field import field
from schema.record import shown_all

NodeType = TypeVar("NodeType")
Value = TypeVar("Value")


@strawberry.type(description="Where this page lies in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(
        description="Whether there is more after this page. Going backwards, whether `before` was given."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether there is more before this page. Going forwards, whether `after` was given."
    )
    start_cursor: str | None = strawberry.field(description="The cursor of the first item; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last item; null on an empty page.")


@strawberry.type(description="An item of a list and its place in it.")
class Edge(Generic[NodeType]):
    """Relay's Edge; the cursor is made when it is asked for."""

    page: strawberry.Private[Page[Any]]
    index: strawberry.Private[int]
    node: NodeType = strawberry.field(description="The item.")

    @field("The place of this item, for `after` and `before`. Opaque.")
    def cursor(self) -> str:
        """Returns the opaque cursor."""
        return self.page.cursor(self.index)


@strawberry.type(description="One page of a list.")
class Connection(Generic[NodeType]):
    """A page whose items are made into GraphQL objects, and the way to count the whole list."""

    page: strawberry.Private[Page[Any]]
    shown: strawberry.Private[list[Any]]
    total: strawberry.Private[Callable[[], Awaitable[int]]]

    @field("The items with their cursors.")
    def edges(self) -> list[Edge[NodeType]]:
        """Returns the items with their cursors."""
        return [Edge(page=self.page, index=index, node=node) for index, node in enumerate(self.shown)]

    @field("The items without their cursors.")
    def nodes(self) -> list[NodeType]:
        """Returns the items."""
        return self.shown

    @field("Where this page lies in the list.")
    def page_info(self) -> PageInfo:
        """Returns the cursors at the ends and what lies beyond."""
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.page.has_previous,
            start_cursor=self.page.cursor(0) if self.shown else None,
            end_cursor=self.page.cursor(len(self.shown) - 1) if self.shown else None,
        )

    @field("How many items the whole list has, with the same search and filter. Counted only when selected.")
    async def total_count(self) -> int:
        """Returns the size of the whole list."""
        return await self.total()


First: TypeAlias = Annotated[
    int | None, strawberry.argument(description="At most so many items, counted from the beginning: 1 to 100, else 25.")
]
After: TypeAlias = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Last: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description="At most so many items, counted from the end: 1 to 100. Not together with `first`."
    ),
]
Before: TypeAlias = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]
Search: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="Finds this text anywhere, whatever its case and accents; every character stands for itself."
    ),
]


def connection(page: Page[Any], total: Callable[[], Awaitable[int]]) -> Any:
    """Returns the connection that shows a page; `total` runs only if `totalCount` is selected (R6)."""
    return Connection(page=page, shown=shown_all(page.items), total=total)


def given(value: Any) -> Any:
    """Returns an argument's value, None if the caller left it out."""
    return None if value is strawberry.UNSET else value


def several(values: Sequence[Value] | None) -> tuple[Value, ...] | None:
    """Returns a list of a filter, None if the caller left it out."""
    return tuple(values) if values is not None and values is not strawberry.UNSET else None


def requested(first: Any, after: Any, last: Any, before: Any) -> PageRequest:
    """Returns the request that the arguments of a connection make; see `PageRequest.of`."""
    return PageRequest.of(given(first), given(after), given(last), given(before))
