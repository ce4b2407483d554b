"""Errors that are nobody's fault and may be over later: the database is gone, locked or full."""

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

PASSING = (OperationalError, InterfaceError, InternalError, PoolTimeoutError, OSError)
"""What may be one (``is_passing``)."""
_STATES = ("08", "25006", "25P03", "40", "53", "55P03", "57P", "58030")
"""PostgreSQL's: the connection, a server that only reads or has waited too long for us, a lost transaction, no room, a lock, a shutdown, a disk."""
_CODES = frozenset({5, 6, 8, 10, 13, 14})
"""SQLite's: busy, locked, read-only, input and output, full, cannot be opened."""


def is_passing(error: BaseException) -> bool:
    """Says whether an error is no cell's fault and may be over later."""
    if not isinstance(error, PASSING):
        return False
    cause = getattr(error, "orig", None)
    state, code = getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorcode", None)
    if state is not None:
        return bool(state.startswith(_STATES))
    # The first byte is what happened, the rest where.
    return code is None or code & 0xFF in _CODES
