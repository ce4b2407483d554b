"""Which operations a list shows."""

from typing import Annotated, TypeAlias

import strawberry

from models.operation import OperationKind, OperationState
from resolvers.operation import record
from schema.connection import given, several


@strawberry.input(description="Which operations. Fields that are left out do not filter; an empty list finds nothing.")
class OperationFilter:
    """The filter of a list of operations."""

    states: list[OperationState] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    kinds: list[OperationKind] | None = strawberry.field(default=strawberry.UNSET, description="Any of these.")
    scheduled: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="true finds what was asked for ahead of time and waits for it; false finds all others.",
    )


OperationFilterArgument: TypeAlias = Annotated[
    OperationFilter | None, strawberry.argument(description="Which operations; all if left out.")
]


def operation_filter(filter: OperationFilter | None) -> record.OperationFilter:
    """Returns the filter in the words of the resolvers."""
    if not filter:
        return record.OperationFilter()
    return record.OperationFilter(several(filter.states), several(filter.kinds), given(filter.scheduled))
