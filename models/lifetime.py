"""The lives of what has ended, filed so that those which lasted at a moment are found without looking at the others (N05).

A life is filed at the node of a binary tree over all microseconds that lies in it and highest up: its *fork*. Whatever lasted at a
moment hangs at one of the moment's ancestors, of which there is one on each level. The lives that hang at an ancestor before the
moment have all begun by then, so that only their ends count; those at one after it end later, so that only their beginnings count.
Each ancestor is so one range of an index, and everything in the range is part of the answer (Kriegel, Pötke and Seidl: *Managing
intervals efficiently in object-relational databases*, 2000).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, FromClause, and_, case, literal, null

HEIGHT = 53
"""Levels of the tree: it ends in the year 2255."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
"""Databases know no shorter time, so that nothing is rounded."""


def fork(since: datetime, until: datetime) -> int | None:
    """Returns where a life hangs; None if it lasted for no time at all.

    Args:
        since: its first moment.
        until: the first moment after it.
    """
    first = _number(since)
    return next((node for node in _downwards(until) if node >= first), None) if since < until else None


def fork_of(since: ColumnElement[datetime], until: datetime) -> ColumnElement[int]:
    """Returns where lives that end at the same moment hang, as ``fork``.

    Args:
        since: the first moment of each.
        until: the first moment after all of them.
    """
    # Each time with as many nodes, so that it is the same statement.
    branches = [(since <= literal(_moment(node), since.type), literal(node, BigInteger)) for node in _downwards(until)]
    return case(*branches, else_=null())


def ancestors(at: datetime) -> tuple[list[int], list[int]]:
    """Returns the nodes at which lives hang that lasted at a moment: those up to it, and those after it."""
    number = _number(at)
    before, after = [], []
    # Before the beginning nothing had begun; after the tree's end there is nothing that would have lasted.
    for level in range(HEIGHT) if 0 <= number < 1 << HEIGHT else ():
        prefix = number >> level
        if prefix & 1:
            before.append(prefix << level)
        else:
            after.append((prefix | 1) << level)
    return before, after


def lasted(rows: FromClause, at: datetime) -> Sequence[ColumnElement[bool]]:
    """Returns the conditions under which the lives in a table with since, removed_at and fork lasted at a moment.

    Each row meets one of them at most: they are apart so that each is one range of an index.
    """
    before, after = ancestors(at)
    return and_(rows.c.fork.in_(before), rows.c.removed_at > at), and_(rows.c.fork.in_(after), rows.c.since <= at)


def _number(moment: datetime) -> int:
    return (moment - _BEGINNING) // _TICK


def _moment(number: int) -> datetime:
    return _BEGINNING + number * _TICK


def _downwards(until: datetime) -> list[int]:
    """Returns the ancestors of a life's last microsecond that are not after it, the highest first."""
    last = _number(until) - 1
    return [last >> level << level for level in reversed(range(HEIGHT))]
