"""People who can sign in, as far as a viewer may know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, func, select

from models.member import members
from models.user import full_name, users
from resolvers.page import Projection
from resolvers.readable import is_known_place, readable_users
from resolvers.reader import Reader
from resolvers.viewer import Viewer

_PLACE = members.alias("naming_place")


@dataclass(slots=True, eq=False)
class UserRecord:
    """A person, under the name that the viewer's partners give them."""

    id: int
    written_name: str
    email: str

    @property
    def name(self) -> str:
        """Returns the name shown for the person."""
        return full_name(self.written_name, "", self.email)


def _columns(viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(*user_columns(viewer, rows)).select_from(source)


def user_columns(viewer: Viewer, rows: FromClause) -> list[Any]:
    """Returns the columns of a UserRecord, in its order.

    The address is in lower case: its spelling may be another partner's, and would tell that they have the person too (T1).
    """
    return [rows.c.id, _name(viewer, rows), rows.c.email_key]


def _name(viewer: Viewer, rows: FromClause) -> ColumnElement[str]:
    """Returns the name by which the viewer's own partners know a person, and never another partner's (T1).

    Of several the oldest membership with a name counts. Without any membership that the viewer knows of, the person is the
    viewer: only then the name stands that was written first, by whomever.
    """
    unnamed = (_PLACE.c.first_name == "") & (_PLACE.c.last_name == "")
    known = (
        select(_PLACE.c.first_name + " " + _PLACE.c.last_name)
        .where(_PLACE.c.user_id == rows.c.id, is_known_place(viewer, _PLACE))
        .order_by(unnamed, _PLACE.c.id)
        .limit(1)
        .correlate(rows)
        .scalar_subquery()
    )
    return func.coalesce(known, rows.c.first_name + " " + rows.c.last_name)


_USERS = Projection(users, _columns, UserRecord)


async def users_by_id(reader: Reader, keys: Sequence[int]) -> list[UserRecord | None]:
    """Returns the people with these keys; None for those the viewer does not know of (T1)."""
    return await _USERS.by_key(reader, readable_users(reader.viewer), keys)
