"""The operations of breaks: of what was altered, some may not even be readable (N07)."""

from collections.abc import Sequence

from sqlalchemy.exc import DatabaseError

from resolvers.operation.record import OperationRecord, operations_by_id
from resolvers.reader import Reader


async def broken_operations_by_id(reader: Reader, keys: Sequence[int]) -> list[OperationRecord | None]:
    """Returns the operations with these keys; None also for those in which somebody has put what is no value of its column.

    Only SQLite holds such values. As long as there are none, it is one statement.
    """
    try:
        return await operations_by_id(reader, keys)
    except (DatabaseError, ValueError, TypeError, OverflowError):
        if not reader.database.is_sqlite:
            raise
    if len(keys) == 1:
        return [None]
    half = len(keys) // 2
    return [
        *await broken_operations_by_id(reader, keys[:half]),
        *await broken_operations_by_id(reader, keys[half:]),
    ]
