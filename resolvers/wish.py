"""Wishes with their votes: one vote of each person for each wish, which can be taken back (F48)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.dialect import insert_or_ignore
from models.feedback import wish_votes
from models.table import now
from models.wish import WISHES
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.partner import PartnerRecord
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class WishRecord:
    """A wish and how many want it, the viewer among them or not."""

    id: str
    title: str
    description: str
    votes: int
    viewer_has_voted: bool


async def wishes_by_key(reader: Reader, keys: Sequence[str]) -> list[WishRecord | None]:
    """Returns the wishes with these keys; None for keys that are no wish."""
    found = await _wishes(reader, [key for key in keys if key in WISHES])
    return [found.get(key) for key in keys]


async def wishes_by_partner(reader: Reader, parents: Sequence[PartnerRecord]) -> list[list[WishRecord]]:
    """Returns all wishes for each partner, those with the most votes first, then in the order of the data.

    They are the same for all partners, as everybody votes for one product.
    """
    found = await _wishes(reader, list(WISHES))
    ranked = sorted(found.values(), key=lambda wish: -wish.votes)
    return [ranked for _ in parents]


async def vote(
    database: Database, viewer: Viewer, wish: str | None, call: IdempotentCall | None = None, *, wanted: bool
) -> str:
    """Gives the viewer's vote to a wish, or takes it back, and returns the wish's key; repeating it changes nothing.

    Raises:
        RefusedError: NOT_FOUND.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return str(first)
        if wish is None or wish not in WISHES:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such wish: partner.wishes lists all.", "input", "wish")
        connection = await session.connection()
        await (_give(connection, viewer, wish) if wanted else _take_back(connection, viewer, wish))
        await remember(session, call, wish)
    return wish


async def _give(connection: AsyncConnection, viewer: Viewer, wish: str) -> None:
    # The primary key makes one vote of two that come at once.
    row = {"wish": wish, "user_id": viewer.user_id, "created_at": now()}
    await connection.execute(insert_or_ignore(connection, wish_votes).values(row))


async def _take_back(connection: AsyncConnection, viewer: Viewer, wish: str) -> None:
    own = (wish_votes.c.wish == wish) & (wish_votes.c.user_id == viewer.user_id)
    await connection.execute(delete(wish_votes).where(own))


async def _wishes(reader: Reader, keys: Sequence[str]) -> dict[str, WishRecord]:
    """Returns these wishes by key, in the order of the data; votes for what is no wish any more count for nothing."""
    own = func.count().filter(wish_votes.c.user_id == reader.viewer.user_id)
    statement = (
        select(wish_votes.c.wish, func.count(), own).where(wish_votes.c.wish.in_(keys)).group_by(wish_votes.c.wish)
    )
    rows: Sequence[Any] = await reader.rows(statement)
    votes = {key: (count, bool(mine)) for key, count, mine in rows}
    wanted = [wish for key, wish in WISHES.items() if key in set(keys)]
    return {
        wish.key: WishRecord(wish.key, wish.title, wish.description, *votes.get(wish.key, (0, False)))
        for wish in wanted
    }
