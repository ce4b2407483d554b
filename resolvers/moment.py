"""The moment of what is written into a timeline."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.table import now
from models.timeline_entry import timeline_entries

MOST_AHEAD = timedelta(days=1)
"""A clock that was further ahead was wrong: what it wrote is not waited for, and counts as it stands there, in the future."""
_KEYS_AT_ONCE = 10_000


async def moment_after(connection: AsyncConnection, client_ids: Collection[int]) -> datetime:
    """Returns the present, or the moment of the newest entry in some clients if the clock says that it is yet to come.

    So the moments of what becomes of a grant are in the order in which it becomes of it, though a clock was set back or two machines
    differ by milliseconds: what was there at a moment is found by it (N05). It is for what is written; what has expired is judged by
    the clock.

    Args:
        connection: of the transaction that has locked the clients.
        client_ids: in which something is to be changed.
    """
    entry = timeline_entries.c
    newest = select(entry.at).where(entry.client_id == clients.c.id).order_by(entry.id.desc()).limit(1)
    whose = select(func.max(newest.correlate(clients).scalar_subquery(), type_=entry.at.type)).select_from(clients)
    return await _latest(connection, whose, clients.c.id, client_ids)


async def moment_after_in_accounts(connection: AsyncConnection, account_ids: Collection[int]) -> datetime:
    """Returns what ``moment_after`` does, for the own people of some accounts."""
    entry = timeline_entries.c
    ours = entry.account_id == accounts.c.id, entry.client_id.is_(None)
    newest = select(entry.at).where(*ours).order_by(entry.id.desc()).limit(1)
    whose = select(func.max(newest.correlate(accounts).scalar_subquery(), type_=entry.at.type)).select_from(accounts)
    return await _latest(connection, whose, accounts.c.id, account_ids)


async def _latest(
    connection: AsyncConnection, statement: Select[datetime], column: ColumnElement[int], keys: Collection[int]
) -> datetime:
    present, ordered = now(), sorted(keys)
    found = present
    for start in range(0, len(ordered), _KEYS_AT_ONCE):
        latest = await connection.scalar(statement.where(column.in_(ordered[start : start + _KEYS_AT_ONCE])))
        if latest is not None and found < latest <= present + MOST_AHEAD:
            found = latest
    return found
