"""For how long access may be given: as the partner allows and as the client allows, whichever is shorter (P04)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from resolvers.operation.request import Expiry
from resolvers.operation.wish import NEVER


@dataclass(frozen=True, slots=True)
class Term:
    """How the end that is asked for lies to what is allowed."""

    is_set: bool = False
    """No end was asked for, so access that is new gets the latest one."""
    too_late: bool = False
    """An end was asked for that is not allowed."""


def shorter(*days: int | None) -> int | None:
    """Returns the shortest of several limits; None where nothing limits."""
    return min((limit for limit in days if limit is not None), default=None)


def latest_end(days: int | None, at: datetime) -> datetime | None:
    """Returns when access ends at the latest that is given at a moment."""
    return None if days is None else at + timedelta(days=days)


def term_of(latest: datetime | None, expiry: Expiry | None) -> Term:
    """Returns what a request's end means where access may last so long."""
    if latest is None:
        return Term()
    return Term(is_set=expiry is None, too_late=expiry is not None and (expiry.at is None or expiry.at > latest))


def term_of_wish(latest: datetime | None, ends_at: datetime | None) -> Term:
    """Returns the same for a cell of an access matrix: *never* means for as long as it is allowed (P28)."""
    if latest is None:
        return Term()
    is_set = ends_at in {None, NEVER}
    return Term(is_set, too_late=not is_set and ends_at is not None and ends_at > latest)
