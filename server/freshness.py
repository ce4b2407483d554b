"""Reading one's own writes where lists are read from a copy of the database (``models.replica``).

A mutation answers with how far the database is, in the header ``Cam-Freshness`` and in ``extensions.freshness``. Sent back with later
requests, in the header, in ``extensions.freshness`` of the request, or in what a WebSocket is opened with, it makes them show at least
that much.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import structlog
from sqlalchemy.exc import SQLAlchemyError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from models.replica import Freshness, Replica, position_of
from server.error import RequestError

HEADER = "Cam-Freshness"
EXTENSION = "freshness"
WRONG = (
    f"`{HEADER}` is not what a mutation answered with. Send back the newest one as it is, or none: then lists may lack "
    "what was written in the last seconds."
)

log = structlog.stdlib.get_logger(__name__)


class Asking(Protocol):
    """The context of an operation, as far as this module knows it."""

    freshness: Freshness


def freshness(token: object, extensions: Mapping[str, object] | None = None) -> Freshness:
    """Returns how fresh an operation's reads must be; the operation's own word counts before that of the header or the connection.

    Raises:
        RequestError: 400, if the token is none.
    """
    said = (extensions or {}).get(EXTENSION, token)
    if said is None:
        return Freshness()
    try:
        return Freshness(position_of(cast("str", said)))
    except (TypeError, ValueError) as error:
        raise RequestError(400, WRONG) from error


def freshness_extension(replica: Replica) -> type[SchemaExtension]:
    """Returns the extension that lets queries read from the copy, and makes mutations say how far the database is."""

    class FreshnessExtension(SchemaExtension):
        """One operation. A subscription is woken by a write and would not find it in the copy, so only queries read there."""

        def on_execute(self) -> Iterator[None]:
            """Opens the copy to the reads of a query."""
            if self.execution_context.operation_type is OperationType.QUERY:
                cast("Asking", self.execution_context.context).freshness.copy = True
            yield

        async def get_results(self) -> dict[str, Any]:
            """Returns what is added to the ``extensions`` of the answer."""
            context = self.execution_context
            if context.graphql_document is None or context.operation_type is not OperationType.MUTATION:
                return {}
            try:
                return {EXTENSION: await replica.token()}
            except (SQLAlchemyError, OSError):
                # What was written is written, and the answer must say so.
                log.warning("a mutation was answered without saying how far the database is", exc_info=True)
                return {}

    return FreshnessExtension
