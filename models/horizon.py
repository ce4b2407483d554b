"""Up to which key all operations are visible: none can appear below it any more.

On SQLite there is one writer, so keys become visible in their order. On PostgreSQL an operation takes its key when it is written
and becomes visible when its transaction commits: 10 may appear after 11, and whoever had gone on to 11 would never see it. So the
horizon is a key that was given out before the oldest transaction began that still runs. Nobody skips what lies above it.
"""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.operation import operations

LATEST = 10_000
"""As long as the horizon is not known, in a process's first seconds: how many keys may be given out while one operation commits."""

# Not `max(id)`: row-level security would hide the rows, and it would not count keys whose transactions still run.
_GIVEN_OUT = "coalesce(pg_sequence_last_value(pg_get_serial_sequence('operation', 'id')::regclass), 0)"
_SIGHT = text(
    f"SELECT {_GIVEN_OUT}, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
)


class Horizon:
    """The horizon of one process, moved on by its broadcaster."""

    def __init__(self) -> None:
        self._reached: int | None = None
        self._given_out: int | None = None
        self._candidate: tuple[int, int] | None = None

    async def advance(self, connection: AsyncConnection) -> None:
        """Looks once more, where there is need: what was given out before a look counts when all transactions of then have ended."""
        if connection.dialect.name == "sqlite":
            return
        given_out, oldest, next_transaction = (await connection.execute(_SIGHT)).one()
        if self._candidate is not None and oldest >= self._candidate[1]:
            self._reached = self._candidate[0]
            self._candidate = None
        if self._candidate is None and self._given_out is not None:
            # The key of the look before: a transaction may take its key a moment before PostgreSQL gives it a number.
            self._candidate = (self._given_out, next_transaction)
        self._given_out = given_out

    async def key(self, connection: AsyncConnection) -> int:
        """Returns a key up to which every operation is visible to the next statement and all later ones."""
        if connection.dialect.name == "sqlite":
            return int(await connection.scalar(select(func.max(operations.c.id))) or 0)
        if self._reached is not None:
            return self._reached
        given_out, _, _ = (await connection.execute(_SIGHT)).one()
        return max(0, int(given_out) - LATEST)
