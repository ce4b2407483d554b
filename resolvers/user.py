"""People who can sign in, as far as a viewer may know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.user import full_name, users
from resolvers.page import Projection
from resolvers.readable import readable_users
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class UserRecord:
    """A person."""

    id: int
    first_name: str
    last_name: str
    email: str

    @property
    def name(self) -> str:
        """Returns the name shown for the person."""
        return full_name(self.first_name, self.last_name, self.email)


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(*user_columns(rows)).select_from(source)


def user_columns(rows: FromClause) -> list[Any]:
    """Returns the columns of a UserRecord, in its order."""
    return [rows.c.id, rows.c.first_name, rows.c.last_name, rows.c.email]


_USERS = Projection(users, _columns, UserRecord)


async def users_by_id(reader: Reader, keys: Sequence[int]) -> list[UserRecord | None]:
    """Returns the people with these keys; None for those the viewer does not know of (T1)."""
    return await _USERS.by_key(reader, readable_users(reader.viewer), keys)
