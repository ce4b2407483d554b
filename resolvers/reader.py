"""What a batch function reads with: the database and who asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select

from models.database import Database
from resolvers.error import AccessCode, AccessError
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Reader:
    """Gives rows; each call is one short transaction of its own, never shared by sibling fields."""

    database: Database
    caller: Viewer | None

    @property
    def viewer(self) -> Viewer:
        """Returns who asks.

        Raises:
            AccessError: UNAUTHENTICATED, if nobody signed in.
        """
        if self.caller is None:
            raise AccessError(
                AccessCode.UNAUTHENTICATED,
                "Sign in: send an API token in the header Authorization: Bearer cam_…",
            )
        return self.caller

    async def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Returns what one statement selects."""
        async with self.database.read() as connection:
            result = await connection.execute(statement)
            rows: Sequence[Row[Any]] = result.all()
            return rows
