"""The schema, built once, and its text."""

from collections.abc import AsyncIterator

import strawberry
from graphql import build_schema, lexicographic_sort_schema, print_schema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig

from schema.context import Context
from schema.error import ERROR_TYPES
from schema.field import attribute
from schema.idempotency import idempotent
from schema.mutation import Mutation
from schema.query import Query
from schema.scalar import SCALARS
from schema.subscription import Subscription


class ReadingExtension(SchemaExtension):
    """Has all reading of an operation done with when it is answered."""

    async def on_operation(self) -> AsyncIterator[None]:
        """Carries the operation out, a subscription to its end, and waits for what was left behind."""
        try:
            yield
        finally:
            context: Context = self.execution_context.context
            await context.loaders.close()


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=ERROR_TYPES,
    directives=[idempotent],
    extensions=[ReadingExtension],
    config=StrawberryConfig(default_resolver=attribute, disable_field_suggestions=True, scalar_map=dict(SCALARS)),
)
# Strawberry would run an asynchronous hook around every field of every query to look for directives; `@idempotent` is read
# from the selection by the mutation itself.
schema.directives = ()


def sdl() -> str:
    """Returns the schema's text, sorted, as it stands in schema/schema.graphql (R29).

    Sorted here and not by Strawberry, whose sorting makes unions fail when they are executed.
    """
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"
