"""When somebody was last active: a person in a client, a person anywhere, anybody in a client (F52)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, tuple_

from models.activity import last_activities
from resolvers.readable import readable_account_last_activity, readable_last_activity
from resolvers.reader import Reader

Place = tuple[int, int]
"""A client and a member."""


async def last_active_by_place(reader: Reader, parents: Sequence[Place]) -> list[datetime | None]:
    """Returns when each person was last active in a client, also before they got the access that they have now."""
    return await _of_places(reader, readable_last_activity(reader.viewer), parents)


async def last_active_by_account_person(reader: Reader, parents: Sequence[Place]) -> list[datetime | None]:
    """Returns the same to the client."""
    return await _of_places(reader, readable_account_last_activity(reader.viewer), parents)


async def last_active_by_client(reader: Reader, parents: Sequence[int]) -> list[datetime | None]:
    """Returns when anybody of the partner was last active in each client."""
    return await _latest(reader, readable_last_activity(reader.viewer), last_activities.c.client_id, parents)


async def last_active_by_account_partner(reader: Reader, parents: Sequence[int]) -> list[datetime | None]:
    """Returns the same to the client."""
    return await _latest(reader, readable_account_last_activity(reader.viewer), last_activities.c.client_id, parents)


async def last_active_by_member(reader: Reader, parents: Sequence[int]) -> list[datetime | None]:
    """Returns when each person was last active in any client."""
    return await _latest(reader, readable_last_activity(reader.viewer), last_activities.c.member_id, parents)


async def _of_places(reader: Reader, readable: Select[Any], parents: Sequence[Place]) -> list[datetime | None]:
    last = last_activities.c
    statement = readable.where(tuple_(last.client_id, last.member_id).in_(set(parents)))
    rows = await reader.rows(statement.with_only_columns(*[last.client_id, last.member_id, last.at]))
    found = {(row.client_id, row.member_id): row.at for row in rows}
    return [found.get(parent) for parent in parents]


async def _latest(
    reader: Reader, readable: Select[Any], parent: ColumnElement[int], keys: Sequence[int]
) -> list[datetime | None]:
    columns: list[ColumnElement[Any]] = [parent, func.max(last_activities.c.at)]
    rows: Sequence[Any] = await reader.rows(
        readable.where(parent.in_(set(keys))).with_only_columns(*columns).group_by(parent)
    )
    found: dict[int, datetime] = dict(rows)
    return [found.get(key) for key in keys]
