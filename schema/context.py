"""What a field gets besides its parent and arguments."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import strawberry

from models.broadcaster import Broadcaster
from models.database import Database
from models.replica import Freshness
from models.tenancy import Tenancy
from resolvers.error import AccessCode, AccessError
from resolvers.issuer import EPHEMERAL, Issuer
from resolvers.live_reader import LiveReader
from resolvers.operation.queue import QueueLimits
from resolvers.reader import Reader
from resolvers.viewer import Viewer
from schema.loader import Arguments, BatchFunction, Loaders

Parent = TypeVar("Parent", bound=Hashable)
Result = TypeVar("Result")


@dataclass(slots=True)
class Context:
    """One request: who asks, the database, and the loaders that live as long as the request."""

    database: Database
    """With the viewer's tenants' rows alone, where the database has row-level security."""
    viewer: Viewer | None = None
    idempotency_key: str | None = None
    """From the header Idempotency-Key."""
    issuer: Issuer = EPHEMERAL
    """Makes the tokens of links and the stamps of reviews."""
    survey_url: str | None = None
    """Where people are asked what they think of the service (F57)."""
    queue_limits: QueueLimits = QueueLimits()  # noqa: RUF009 an immutable value
    """From when on operations are carried out after the answer."""
    broadcaster: Broadcaster | None = None
    """Wakes subscriptions."""
    sign_in_again: Callable[[], Awaitable[Viewer | None]] | None = None
    """Finds out who asks by the same token, as things stand then."""
    freshness: Freshness = field(default_factory=Freshness)
    """Whether lists may come from a copy of the database, and what they must show at least."""
    reader: Reader = field(init=False)
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.database = self.database.for_tenants(Tenancy() if self.viewer is None else self.viewer.tenancy)
        self.reader = Reader(self.database, self.viewer, self.freshness)
        self.loaders = Loaders(self.reader)

    def load(
        self,
        function: BatchFunction[Parent, Arguments, Result],
        parent: Parent,
        *args: Arguments.args,
        **arguments: Arguments.kwargs,
    ) -> Awaitable[Result]:
        """Returns a batch function's result for one parent."""
        return self.loaders.load(function, parent, *args, **arguments)

    def signed_in(self, scope: str) -> Viewer:
        """Returns who asks, if their token allows it.

        Raises:
            AccessError: UNAUTHENTICATED without a token, FORBIDDEN if the token lacks the scope.
        """
        viewer = self.reader.viewer
        # Whoever may write sees what they have written, so `write` comes with reading.
        if not viewer.scopes & {scope, "write"}:
            raise AccessError(
                AccessCode.FORBIDDEN,
                f"This token lacks the scope {scope}: make one with it, cam token create --scope {scope}.",
            )
        return viewer

    def live(self, scope: str) -> LiveReader:
        """Returns what a subscription reads with: it goes on for hours, so each event is a request of its own.

        Raises:
            RuntimeError: where nothing would wake it.
        """
        if self.broadcaster is None:
            raise RuntimeError("There is no broadcaster here.")

        async def renew() -> Reader:
            if self.sign_in_again is not None:
                self.viewer = await self.sign_in_again()
            # What the loaders of the last event have read is old, and would be kept for ever.
            await self.loaders.close()
            self.__post_init__()
            self.signed_in(scope)
            return self.reader

        return LiveReader(self.broadcaster, renew)


Info: TypeAlias = strawberry.Info[Context, None]
