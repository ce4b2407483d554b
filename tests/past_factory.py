"""A client and a person with a past of any length, around one moment about which there is always the same to tell (N05)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Self

from sqlalchemy import insert

from models.grant import AccessType, GrantStatus, Seat, grants
from models.lifetime import fork
from models.operation import OperationKind, OperationState, RuleMode, cell_key, operations
from models.timeline_entry import timeline_entries
from resolvers.demo.row_stream import RowStream
from tests.factory import ClientRow, Factory, MemberRow, PartnerRow

ASKED = datetime(2024, 5, 17, 11, 23, 45, 678_901, tzinfo=UTC)
"""The moment."""
_YEAR, _TICK = timedelta(days=365), timedelta(microseconds=1)
_LAYOUTS: Mapping[Any, tuple[str, ...]] = {
    grants: tuple(column.name for column in grants.c),
    timeline_entries: (
        *("id", "operation_id", "partner_id", "account_id", "client_id", "member_id", "grant_id", "at"),
        *("before_status", "before_access_type", "before_state_id"),
        *("after_status", "after_access_type", "after_seat", "after_state_id"),
    ),
}
_KIND, _ACTIVE, _REMOVED = AccessType.STANDARD.value, GrantStatus.ACTIVE.value, GrantStatus.REMOVED.value


@dataclass(slots=True)
class PastFactory:
    """Adds to the past of one client and of one person, by whole rows: ``Factory`` would take a transaction for each."""

    factory: Factory
    partner: PartnerRow
    client: ClientRow
    person: MemberRow
    cells: list[tuple[ClientRow, MemberRow]]
    """People in the client, and clients of the person."""
    state_id: int
    operation_id: int
    chance: Random
    held: list[tuple[int, ClientRow, MemberRow, datetime]] = field(default_factory=list)
    """What there is to tell about the moment, and since when."""
    _keys: int = 0
    _grants: list[tuple[Any, ...]] = field(default_factory=list)
    _entries: list[tuple[Any, ...]] = field(default_factory=list)

    @classmethod
    async def begin(cls, factory: Factory, size: int, seed: int = 1) -> Self:
        """So many people had access in the client at the moment, and the person in so many clients; half of it is gone since."""
        partner = await factory.partner()
        client, person = await factory.client(partner), await factory.member(partner)
        people, clients = await factory.members(partner, size), await factory.clients(partner, size)
        async with factory.database.write() as session:
            asked = insert(operations).values(
                partner_id=partner.id,
                kind=OperationKind.GRANT,
                state=OperationState.COMPLETED,
                mode=RuleMode.CLAMP,
                atomic=False,
                request="{}",
                created_at=ASKED,
                **dict.fromkeys(("total", "applied", "noop", "rejected", "failed"), 0),
            )
            operation_id = (await (await session.connection()).execute(asked.returning(operations.c.id))).scalar_one()
        cells = [*((client, other) for other in people), *((other, person) for other in clients)]
        state_id = await factory.state({"contacts.view": "ALL"})
        made = cls(factory, partner, client, person, cells, state_id, operation_id, Random(seed))  # noqa: S311 a past, not a secret
        for number, cell in enumerate(cells):
            since = ASKED - 5 * _YEAR * made.chance.random()
            until = ASKED + _TICK + 2 * _YEAR * made.chance.random() if number % 2 else None
            made.held.append((made._live(*cell, since, until), *cell, since))
        await made._write()
        return made

    async def remove(self, number: int) -> None:
        """So much else was given and removed in the client, or to the person, before the moment or after it."""
        for _ in range(number):
            length = timedelta(seconds=10 ** self.chance.uniform(0, 7.5))
            away = 3 * _YEAR * self.chance.random()
            since = ASKED + _TICK + away if self.chance.random() < 0.5 else ASKED - away - length
            self._live(*self.chance.choice(self.cells), since, since + length)
        await self._write()

    async def change(self, number: int) -> None:
        """What was held at the moment has changed so often since."""
        for _ in range(number):
            key, client, member, _ = self.chance.choice(self.held)
            self._enter((client, member), ASKED + timedelta(days=1, seconds=self._keys), _ACTIVE, _ACTIVE, grant=key)
        await self._write()

    def _live(self, client: ClientRow, member: MemberRow, since: datetime, until: datetime | None) -> int:
        key = self._enter((client, member), since, None, _ACTIVE)
        ended, status = (0, _ACTIVE) if until is None else (key, _REMOVED)
        whose = (self.partner.id, client.id, member.id, client.account_id, member.user_id)
        held = (_KIND, Seat.PARTNER.value, self.state_id, None, False, None, 1 + bool(until), None, since)
        life = (None, None) if until is None else (until, fork(since, until))
        self._grants.append((key, *whose, status, ended, *held, *life))
        if until is not None:
            self._enter((client, member), until, _ACTIVE, _REMOVED, grant=key)
        return key

    def _enter(
        self,
        cell: tuple[ClientRow, MemberRow],
        at: datetime,
        before: str | None,
        after: str,
        *,
        grant: int | None = None,
    ) -> int:
        (client, member), key = cell, cell_key(self.operation_id, self._keys)
        self._keys += 1
        where = (key, self.operation_id, self.partner.id, client.account_id, client.id, member.id, grant or key, at)
        was = (before, _KIND, self.state_id) if before else (None, None, None)
        self._entries.append((*where, *was, after, _KIND, Seat.PARTNER.value, self.state_id))
        return key

    async def _write(self) -> None:
        async with self.factory.database.write() as session:
            stream = RowStream(await session.connection(), _LAYOUTS)
            for table, rows in ((grants, self._grants), (timeline_entries, self._entries)):
                take = stream.into(table)
                for row in rows:
                    take(row)
                rows.clear()
            await stream.flush()
