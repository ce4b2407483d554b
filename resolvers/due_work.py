"""Work that is due, for partners or rows that have nothing to do with each other: one that goes wrong keeps no other waiting."""

import logging
from collections.abc import Awaitable, Callable, Iterable

from resolvers.operation.passing_error import is_passing

log = logging.getLogger(__name__)


async def each_by_itself(keys: Iterable[int], work: Callable[[int], Awaitable[int]], what: str) -> int:
    """Does the work for each key and returns how much it was; where it goes wrong, the log says so, and the next look tries again.

    Raises:
        Exception: what is no key's fault and may be over later (``is_passing``): then the others would fail as well.
    """
    done = 0
    for key in keys:
        try:
            done += await work(key)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("What is due was not done: %s %s.", what, key)
    return done
