"""What of a request matters to whoever is to do what it has left undone (N02)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from models.grant import Seat
from models.operation import OperationKind, operations
from models.table import now
from resolvers.issuer import EPHEMERAL
from resolvers.operation.request import DefaultSet, OnExisting, OperationRequest
from resolvers.operation.stored_request import read_again
from resolvers.readable import readable_operations
from resolvers.reader import Reader


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, besides the permissions, which each decision tells."""

    kind: OperationKind
    skips: bool = False
    """Who has access already was to be left alone."""
    by_default: bool = False
    """Each person's default set was asked for; who has none is given nothing."""
    seat: Seat | None = None
    teams: bool = False
    term: bool = False
    """An expiry was asked for."""
    extends: bool = False
    past: bool = False
    """The expiry that was asked for has passed: nobody could do it any more."""

    @classmethod
    def of(cls, kind: OperationKind, request: OperationRequest | None, at: datetime) -> Self:
        """Returns what was asked for, seen at a moment; of what was no request of the pipeline only the kind is known."""
        if request is None:
            return cls(kind)
        expiry = request.expiry
        return cls(
            kind=kind,
            skips=kind is OperationKind.GRANT and request.on_existing is OnExisting.SKIP,
            by_default=isinstance(request.access, DefaultSet),
            seat=request.seat,
            teams=bool(request.teams),
            term=expiry is not None,
            extends=request.extends,
            past=expiry is not None and expiry.at is not None and expiry.at <= at,
        )


async def asked_by_operation(reader: Reader, keys: Collection[int]) -> dict[int, Asked]:
    """Returns what was asked for in each of these operations that the viewer may know of."""
    if not keys:
        return {}
    columns = (operations.c.id, operations.c.kind, operations.c.request)
    known = readable_operations(reader.viewer).where(operations.c.id.in_(keys)).with_only_columns(*columns)
    moment = now()
    return {
        # The issuer is for tokens of reviews, of which nothing is looked at.
        row.id: Asked.of(OperationKind(row.kind), read_again(row.request, EPHEMERAL), moment)
        for row in await reader.rows(known)
    }
