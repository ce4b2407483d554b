"""What a field gets besides its parent and arguments."""

from collections.abc import Awaitable, Hashable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import strawberry

from models.database import Database
from resolvers.error import AccessCode, AccessError
from resolvers.issuer import EPHEMERAL, Issuer
from resolvers.reader import Reader
from resolvers.viewer import Viewer
from schema.loader import Arguments, BatchFunction, Loaders

Parent = TypeVar("Parent", bound=Hashable)
Result = TypeVar("Result")


@dataclass(slots=True)
class Context:
    """One request: who asks, the database, and the loaders that live as long as the request."""

    database: Database
    viewer: Viewer | None = None
    idempotency_key: str | None = None
    """From the header Idempotency-Key."""
    issuer: Issuer = EPHEMERAL
    """Makes the tokens of links and the stamps of reviews."""
    survey_url: str | None = None
    """Where people are asked what they think of the service (F57)."""
    reader: Reader = field(init=False)
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.database, self.viewer)
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


Info: TypeAlias = strawberry.Info[Context, None]
