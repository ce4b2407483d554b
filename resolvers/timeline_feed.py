"""New entries of a partner's timeline, each once (P24).

The blocks of a partner's chain (``models.timeline_block``) are numbered in the order in which they are committed, and so are those of
the service's own operations, which are nobody's and have entries of any partner. So a feed has a place in two chains.
"""

from collections.abc import AsyncGenerator, Sequence
from time import monotonic
from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from models.broadcaster import TIMELINE, Watch
from models.database import Database
from models.operation import CELLS
from models.timeline_block import NOBODYS, timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.client import clients_by_id
from resolvers.error import AccessCode, AccessError
from resolvers.live_reader import RECHECK_SECONDS, LiveReader
from resolvers.reader import Reader
from resolvers.timeline import TimelineRecord, new_entries

block = timeline_blocks.c

ENTRIES_AT_ONCE = 100
BLOCKS_AT_ONCE = 50
STALE_SECONDS = 1.0
"""How long entries that were read may wait for a slow subscriber before they are read again with its rights of then."""


async def timeline_feed(
    live: LiveReader, partner_id: int | None, client_id: int | None, *, of_client: bool
) -> AsyncGenerator[TimelineRecord, None]:
    """Returns the entries that are written from now on, in the order in which they become visible.

    Args:
        live: what to read with.
        partner_id: whose timeline; None for an id that is none.
        client_id: only what happens in this client; None for an id that is none.
        of_client: whether only one client is asked for.

    Raises:
        AccessError: NOT_FOUND for what the viewer does not know of (T1), NOT_A_PARTNER (F01), FORBIDDEN (F02); now or later.
    """
    reader = await live.renew()
    partner_id = _check_partner(reader, partner_id)
    if of_client:
        await _check_client(reader, partner_id, client_id)
    watch = live.broadcaster.watch((TIMELINE, partner_id))
    try:
        feed = _Feed(live, partner_id, client_id)
        await feed.begin(reader.database.everything())
        return feed.entries(watch)
    except BaseException:
        live.broadcaster.release(watch)
        raise


class _Feed:
    """The places of one subscription."""

    def __init__(self, live: LiveReader, partner_id: int, client_id: int | None) -> None:
        self._live = live
        self._partner_id = partner_id
        self._client_id = client_id
        self._numbers = {NOBODYS: 0, partner_id: 0}
        """By chain: the number of the last block that was read to its end."""
        self._sent: dict[int, int] = {}
        """By block that is being read: the last of its entries that was sent."""

    async def begin(self, database: Database) -> None:
        """Goes to the end of both chains."""
        newest = select(block.chain, func.max(block.number).label("number")).group_by(block.chain)
        async with database.read() as connection:
            rows = await connection.execute(newest.where(block.chain.in_(self._numbers)))
            self._numbers |= {row.chain: row.number for row in rows}

    async def entries(self, watch: Watch) -> AsyncGenerator[TimelineRecord, None]:
        """Yields new entries for ever."""
        try:
            while True:
                reader = await self._live.renew()
                _check_partner(reader, self._partner_id)
                found = await self._next(reader)
                read_at = monotonic()
                for record in found:
                    if monotonic() - read_at > STALE_SECONDS:
                        break
                    # Noted first: whoever is gone at the `yield` reads no further anyway.
                    self._sent[record.id // CELLS] = record.id
                    yield record
                if not found:
                    await watch.wait(RECHECK_SECONDS)
        finally:
            self._live.broadcaster.release(watch)

    async def _next(self, reader: Reader) -> Sequence[TimelineRecord]:
        """Returns the next entries, or none when all has been read."""
        while True:
            async with reader.database.everything().read() as connection:
                rows = (await connection.execute(self._unread())).all()
            if not rows:
                return ()
            after = {row.id: self._sent.get(row.id, row.id * CELLS - 1) for row in rows if row.entries}
            found = await self._read(reader, after) if after else ()
            if found:
                return found
            for row in rows:
                self._numbers[row.chain] = max(self._numbers[row.chain], row.number)
                self._sent.pop(row.id, None)

    async def _read(self, reader: Reader, after: dict[int, int]) -> Sequence[TimelineRecord]:
        entry = timeline_entries.c.id
        parts = [and_(entry > last, entry < (key + 1) * CELLS) for key, last in after.items()]
        return await new_entries(reader, self._partner_id, self._client_id, or_(*parts), ENTRIES_AT_ONCE)

    def _unread(self) -> Select[Any]:
        """Selects the next blocks of each chain."""
        further = (and_(block.chain == chain, block.number > number) for chain, number in self._numbers.items())
        columns = (block.id, block.chain, block.number, block.entries)
        return select(*columns).where(or_(*further)).order_by(block.number, block.chain).limit(BLOCKS_AT_ONCE)


def _check_partner(reader: Reader, partner_id: int | None) -> int:
    if partner_id is None or reader.viewer.membership(partner_id) is None:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such partner.")
    return reader.viewer.open_manager(partner_id).partner_id


async def _check_client(reader: Reader, partner_id: int, client_id: int | None) -> None:
    (client,) = [None] if client_id is None else await clients_by_id(reader, [client_id])
    if client is None or client.partner_id != partner_id:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such client.")
