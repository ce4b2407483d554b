"""Moments for which something can be asked ahead of time (P14)."""

from datetime import datetime, timedelta

from models.table import now
from resolvers.error import RefusalCode, refuse

FARTHEST = timedelta(days=366)


def time_ahead(at: datetime | None, *field: str) -> datetime | None:
    """Returns when something is to be carried out; None for now, which every moment is that has passed.

    Raises:
        RefusedError: INVALID_INPUT for more than a year ahead.
    """
    if at is None or at <= now():
        return None
    if at > now() + FARTHEST:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"This is more than {FARTHEST.days} days ahead: choose an earlier moment, or ask for it later.",
            *field,
        )
    return at
