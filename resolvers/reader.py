"""What a batch function reads with: the database and who asks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, Select

from models.database import Database
from models.replica import Freshness
from resolvers.error import AccessCode, AccessError
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Reader:
    """Gives rows; each call is one short transaction of its own, never shared by sibling fields."""

    database: Database
    caller: Viewer | None
    freshness: Freshness | None = None
    """Whether a copy of the database may answer, and how fresh it must be."""

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

    def everything(self) -> "Reader":
        """Returns a reader that finds all tenants' rows, for what tests/contract/test_source.py lists with the reason.

        They are the latest: links that were revoked a moment ago open nothing.
        """
        return replace(self.latest(), database=self.database.everything())

    def latest(self) -> "Reader":
        """Returns a reader that no copy of the database answers, for what somebody is about to write by."""
        return replace(self, freshness=None)

    async def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """Returns what one statement selects."""
        return await self.database.rows(statement, self.freshness)
