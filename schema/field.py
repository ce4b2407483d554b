"""The two kinds of fields: computed by a method, or a column of the record that the object was made of."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import strawberry

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def field(
    description: str, *, name: str | None = None, deprecation_reason: str | None = None
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Returns the decorator that makes a method a field; unlike Strawberry's own it keeps the method's type."""
    decorator: Any = strawberry.field(name=name, description=description, deprecation_reason=deprecation_reason)
    return cast(Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]], decorator)


def column(description: str) -> Any:
    """Returns a field whose value is the attribute of the record with the same name (`attribute`)."""
    made: Any = strawberry.field(description=description)
    made.init = False
    return made


def attribute(source: object, name: str) -> object:
    """Returns the value of a field without a method: of the object's record if it has one, else its own."""
    return getattr(getattr(source, "record", source), name)
