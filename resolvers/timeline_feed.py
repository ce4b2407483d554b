"""New entries of a partner's timeline, each once (P24).

The keys of entries do not become visible in their order: chunks of several operations take turns, and on PostgreSQL operations that
run at the same time commit in any order. So there is no one place up to which everything has been read. A feed reads operation by
operation, within which keys only grow: it keeps a place in each operation that is not ended or lies above the horizon
(``models.horizon``), and lets go of the others, for which nothing more can come.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select, union_all

from models.broadcaster import NOT_ENDED, TIMELINE, Watch
from models.database import Database
from models.operation import CELLS, operations
from models.timeline_entry import timeline_entries
from resolvers.client import clients_by_id
from resolvers.error import AccessCode, AccessError
from resolvers.live_reader import RECHECK_SECONDS, LiveReader
from resolvers.reader import Reader
from resolvers.timeline import TimelineRecord, new_entries

ENTRIES_AT_ONCE = 100
OPERATIONS_AT_ONCE = 50
STALE_SECONDS = 1.0
"""How long entries that were read may wait for a slow subscriber before they are read again with its rights of then."""


@dataclass(slots=True)
class _Place:
    """How far one operation has been read."""

    last: int
    """The key of the last entry that was sent, or would have been."""
    stand: tuple[Any, ...] = ()
    """The operation's state and its number of entries, when all of them had been read."""
    ended: bool = False


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
        self._floor = 0
        self._places: dict[int, _Place] = {}

    async def begin(self, database: Database) -> None:
        """Goes to the end of every operation."""
        first, end = operations.c.id * CELLS, (operations.c.id + 1) * CELLS
        newest = select(func.max(timeline_entries.c.id)).where(
            timeline_entries.c.id >= first, timeline_entries.c.id < end
        )
        last = newest.correlate(operations).scalar_subquery().label("last")
        async with database.read() as connection:
            self._floor = await self._live.broadcaster.horizon.key(connection)
            above = _operations(self._partner_id).add_columns(last).where(operations.c.id > self._floor)
            unended = _operations(self._partner_id).add_columns(last).where(operations.c.id <= self._floor, NOT_ENDED)
            for row in await connection.execute(union_all(above, unended)):
                self._places[row.id] = _Place(
                    _before(row.id) if row.last is None else row.last, _stand(row), _ended(row)
                )

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
                    self._places[record.operation_id].last = record.id
                    yield record
                if not found:
                    await watch.wait(RECHECK_SECONDS)
        finally:
            self._live.broadcaster.release(watch)

    async def _next(self, reader: Reader) -> Sequence[TimelineRecord]:
        """Returns the next entries, or none when all has been read."""
        async with reader.database.everything().read() as connection:
            settled = await self._live.broadcaster.horizon.key(connection)
            rows = (await connection.execute(self._changing())).all()
        changed = sorted((row for row in rows if not self._is_read(row)), key=lambda row: row.id)
        for start in range(0, len(changed), OPERATIONS_AT_ONCE):
            part = changed[start : start + OPERATIONS_AT_ONCE]
            found = await self._read(reader, part)
            if found:
                return found
            for row in part:
                place = self._places[row.id]
                place.stand, place.ended = _stand(row), _ended(row)
        # Every operation up to `settled` was among the rows, and all of it has been sent.
        self._floor = max(self._floor, settled)
        self._places = {key: place for key, place in self._places.items() if key > self._floor or not place.ended}
        return ()

    async def _read(self, reader: Reader, rows: Sequence[Row[Any]]) -> Sequence[TimelineRecord]:
        after = {row.id: self._places.setdefault(row.id, _Place(_before(row.id))).last for row in rows}
        entry = timeline_entries.c.id
        parts = [and_(entry > last, entry < (key + 1) * CELLS) for key, last in after.items()]
        return await new_entries(reader, self._partner_id, self._client_id, or_(*parts), ENTRIES_AT_ONCE)

    def _changing(self) -> Any:
        """Selects the operations in which there may be new entries."""
        above = _operations(self._partner_id).where(operations.c.id > self._floor)
        unended = [key for key in self._places if key <= self._floor]
        return union_all(above, _operations(self._partner_id).where(operations.c.id.in_(unended))) if unended else above

    def _is_read(self, row: Row[Any]) -> bool:
        place = self._places.get(row.id)
        return place is not None and place.stand == _stand(row)


def _check_partner(reader: Reader, partner_id: int | None) -> int:
    if partner_id is None or reader.viewer.membership(partner_id) is None:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such partner.")
    return reader.viewer.open_manager(partner_id).partner_id


async def _check_client(reader: Reader, partner_id: int, client_id: int | None) -> None:
    (client,) = [None] if client_id is None else await clients_by_id(reader, [client_id])
    if client is None or client.partner_id != partner_id:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such client.")


def _operations(partner_id: int) -> Select[Any]:
    """Selects the partner's operations and the service's own, which are nobody's and have entries of any partner."""
    whose = or_(operations.c.partner_id == partner_id, operations.c.partner_id.is_(None))
    return select(operations.c.id, operations.c.state, operations.c.applied).where(whose)


def _before(operation_id: int) -> int:
    return operation_id * CELLS - 1


def _stand(row: Row[Any]) -> tuple[Any, ...]:
    return row.state, row.applied


def _ended(row: Row[Any]) -> bool:
    return row.state not in {"QUEUED", "RUNNING"}
