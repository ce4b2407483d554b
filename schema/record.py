"""Which GraphQL type shows which record, and how `node` finds an entity of each type."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from resolvers.reader import Reader

EntityType = TypeVar("EntityType")
ByKey: TypeAlias = Callable[[Reader, Sequence[int]], Awaitable[Sequence[Any]]]

ENTITIES: dict[str, ByKey] = {}
"""The batch function that reads the entities of a type by key, None for what the viewer may not know of (T1)."""

_SHOWN_AS: dict[type, type] = {}


def shows(record: type, by_key: ByKey | None = None) -> Callable[[type[EntityType]], type[EntityType]]:
    """Returns the decorator that says which record a type shows and, for entities, how `node` finds one.

    Types of the schema refer to each other in circles; looking the type up by its record saves importing it.
    """

    def register(cls: type[EntityType]) -> type[EntityType]:
        _SHOWN_AS[record] = cls
        if by_key is not None:
            ENTITIES[cast(Any, cls).__strawberry_definition__.name] = by_key
        return cls

    return register


def shown(record: object) -> Any:
    """Returns the GraphQL object that shows a record; None for None."""
    return None if record is None else cast(Any, _SHOWN_AS[type(record)])(record=record)


def shown_all(records: Sequence[object]) -> Any:
    """Returns the GraphQL objects that show these records."""
    return [shown(record) for record in records]
