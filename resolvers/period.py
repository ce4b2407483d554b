"""Periods that somebody asks for: a wrong one must not look like one in which nothing happened."""

from datetime import datetime

from resolvers.error import InputError


def check_period(since: datetime | None, until: datetime | None, at: datetime | None = None) -> None:
    """Refuses a period in which nothing can be.

    Args:
        since: its beginning; None for none.
        until: its end, exclusively; None for none.
        at: the present, for what is asked of the past only. Whoever follows what happens may be ahead of this clock a little.

    Raises:
        InputError: for a period that ends before it begins, or that should be of the past and begins in the future.
    """
    if since is None:
        return
    if until is not None and since >= until:
        raise InputError("The period ends before it begins: until must be later than since.")
    if at is not None and since > at:
        raise InputError("The period begins in the future: since must be a moment of the past.")
