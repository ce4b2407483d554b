"""What can be watched as it happens (R32, P24)."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Annotated, Any, ParamSpec, TypeVar, cast

import strawberry

from resolvers.operation_progress import operation_progress
from resolvers.timeline_feed import timeline_feed
from schema.connection import given
from schema.context import Info
from schema.node import decode_key
from schema.operation import Operation
from schema.record import shown
from schema.timeline import TimelineEntry

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def stream(description: str) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Returns the decorator that makes a method a subscription; unlike Strawberry's own it keeps the method's type."""
    decorator: Any = strawberry.subscription(description=description)
    return cast(Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]], decorator)


@strawberry.type(
    description="What can be watched as it happens, over WebSocket (`graphql-transport-ws`) or as server-sent events. Each event is "
    "judged by what you may know at its time: when you lose the right, or your token ends, the subscription ends with an error."
)
class Subscription:
    """The root of all subscriptions. Each method is over when the subscription has begun: what is wrong with it is said at once."""

    @stream(
        "An operation as it is now, and again after each change until it is ended; then the subscription is complete. What you may "
        "not know of looks like what does not exist: NOT_FOUND."
    )
    async def operation_progress(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The operation's id.")]
    ) -> AsyncIterator[Operation]:
        """Returns the operation's states (P24)."""
        records = await operation_progress(info.context.live("read"), decode_key(str(id), "Operation"))
        return _shown(records)

    @stream(
        "Every change of the access of a partner's people from now on, each once: those of one operation in their order, those of "
        "operations that go on at the same time as they come. Needs the manager to be open to you. What was before, and what you "
        "missed while you had no connection, is in the partner's `timeline`."
    )
    async def timeline_entries(
        self,
        info: Info,
        partner: Annotated[strawberry.ID, strawberry.argument(description="The partner's id.")],
        client: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only what happens in this client of the partner.")
        ] = strawberry.UNSET,
    ) -> AsyncIterator[TimelineEntry]:
        """Returns the new entries (F55, P24)."""
        of_client = given(client)
        client_id = None if of_client is None else decode_key(str(of_client), "Client")
        records = await timeline_feed(
            info.context.live("read"), decode_key(str(partner), "Partner"), client_id, of_client=of_client is not None
        )
        return _shown(records)


async def _shown(records: AsyncGenerator[object, None]) -> AsyncIterator[Any]:
    async with aclosing(records):
        async for record in records:
            yield shown(record)
