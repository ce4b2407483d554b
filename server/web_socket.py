"""GraphQL over WebSocket: the protocol ``graphql-transport-ws`` (R32)."""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, cast

from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message, SubscribeMessage

from models.replica import Freshness
from server.body import parameters
from server.error import ErrorCode, RequestError, masked
from server.freshness import HEADER, freshness

if TYPE_CHECKING:
    from server.view import GraphQLView


class Connection:
    """A WebSocket: what its client said when it connected."""

    def __init__(self, authorization: str | None) -> None:
        self.authorization = authorization
        self.connection_params: dict[str, object] = {}

    @property
    def credentials(self) -> str | None:
        """Returns the credentials of ``connection_init``, or those of the handshake."""
        for name, value in self.connection_params.items():
            if name.lower() == "authorization" and isinstance(value, str):
                return value
        return self.authorization

    def fresh(self, extensions: Mapping[str, object] | None = None) -> Freshness:
        """Returns how fresh the reads of an operation must be, or raises a ``RequestError``."""
        said = next((value for name, value in self.connection_params.items() if name.lower() == HEADER.lower()), None)
        return freshness(said, extensions)


class SocketHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """The protocol, with messages checked, a context for each operation, and limits of this connection and of the process."""

    fresh = Freshness()

    async def handle_message(self, message: object) -> None:
        """Closes the connection at a message that is none."""
        if isinstance(message, dict):
            await super().handle_message(cast("Message", message))
        else:
            await self.handle_invalid_message("A message must be a JSON object")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Refuses parameters in bad form the way HTTP does."""
        view = cast("GraphQLView", self.view)
        if not isinstance(message.get("id"), str):
            await self.handle_invalid_message("A message needs an id")
            return
        try:
            if message["id"] not in self.operations and len(self.operations) >= view.connection_limit:
                raise _too_many(view.connection_limit)
            found = parameters(message.get("payload"), view.documents)
            fresh = self.context.fresh(found.extensions)
        except RequestError as error:
            payload = cast("Any", [error.formatted])
            await self.send_message({"id": message["id"], "type": "error", "payload": payload})
            return
        message["payload"] = {
            "query": found.query,
            "variables": found.variables,
            "operationName": found.operation_name,
        }
        handler = copy(self)
        handler.fresh = fresh
        await BaseGraphQLTransportWSHandler.handle_subscribe(handler, message)

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Runs an operation with its own context; the token is looked up each time, so a revoked one ends here."""
        view = cast("GraphQLView", self.view)
        try:
            with view.streams.one():
                # This object is the operation's own, made by `handle_subscribe`; only what they hold is shared.
                self.context = await view.operation_context(self.context.credentials, None, self.fresh)
                await super().run_operation(operation)
        except Exception as error:  # noqa: BLE001 the caller gets it masked
            formatted = error.formatted if isinstance(error, RequestError) else masked(error)
            payload = cast("Any", [formatted])
            await operation.send_operation_message({"id": operation.id, "type": "error", "payload": payload})


def _too_many(limit: int) -> RequestError:
    return RequestError(
        422,
        f"A connection has at most {limit} subscriptions at a time. Complete one, or open another connection.",
        ErrorCode.TOO_MANY_SUBSCRIPTIONS,
    )
