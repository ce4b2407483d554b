"""N05: what somebody is told about a moment of a history is what the model said at that moment."""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any

from resolvers.historical_grant import HistoricalGrantRecord, access_as_of_by_client, access_as_of_by_member
from resolvers.reader import Reader
from resolvers.sign_in import sign_in
from tests.histories.check import Watch
from tests.histories.model import Cell, Held
from tests.histories.rows import demand, difference

MOST = 3
"""So many moments between the first and the last of a history are asked about, if there are as many."""
_TICK = timedelta(microseconds=1)


@dataclass
class Past:
    """What there was at each moment, as the model has it."""

    told: dict[datetime, dict[Cell, Held]] = field(default_factory=dict)

    def note(self, at: datetime, held: dict[Cell, Held]) -> None:
        """Notes what there is; of several steps at one moment the last counts."""
        self.told[at] = dict(held)

    def check(self, watch: Watch) -> None:
        """Asks about the moments, as somebody to whom the partner's manager is open."""
        for partner in watch.world.partners:
            users = [user for user in watch.world.tokens if watch.world.model.sees(user, partner)]
            if users:
                self._check_as(watch, users[0], partner)

    def _asked(self) -> list[tuple[datetime, dict[Cell, Held]]]:
        """Returns moments with what there was: those at which something happened, right before them, and between two of them."""
        moments = sorted(self.told)
        chance = Random(str(moments))  # noqa: S311 the same each time
        between = chance.sample(moments[1:-1], min(MOST, len(moments[1:-1])))
        before = [at - _TICK for at in moments[1:] if chance.random() < 1 / len(moments)]
        after = [
            at + chance.random() * (then - at) for at, then in pairwise(moments) if chance.random() < 1 / len(moments)
        ]
        asked = sorted({moments[0], moments[-1], *between, *before, *after})
        return [(at, self.told[moments[bisect_right(moments, at) - 1]]) for at in asked]

    def _check_as(self, watch: Watch, user: str, partner: str) -> None:
        stage, world = watch.stage, watch.world
        reader = Reader(stage.database, stage.run(sign_in(stage.database, world.tokens[user])))
        by_client = {name: key for name, key in world.clients.items() if name.partition("/")[0] == partner}
        by_member = {name: key for name, key in world.members.items() if name.partition("@")[2] == partner}
        ways = ((access_as_of_by_client, by_client), (access_as_of_by_member, by_member))
        for number, (at, told) in enumerate(self._asked()):
            meant = {cell: _form(held) for cell, held in told.items() if cell[0] in by_client}
            # By turns: in all histories together, each way is asked about each kind of moment.
            way, keys = ways[(number + len(told)) % 2]
            parents: Any = [SimpleNamespace(id=key) for key in keys.values()]
            found = [grant for grants in stage.run(way(reader, parents, at=at)) for grant in grants]
            there = {_cell(watch, grant): _told(watch, grant) for grant in found}
            demand(len(there) == len(found), f"(N05) somebody has two grants in a client at {at}")
            demand(there == meant, f"(N05) at {at}: {difference(there, meant)}")


def _cell(watch: Watch, grant: HistoricalGrantRecord) -> Cell:
    return watch.client_names[grant.client_id], watch.member_names[grant.member_id]


def _told(watch: Watch, grant: HistoricalGrantRecord) -> tuple[Any, ...]:
    key = {found: name for name, found in watch.stage.set_keys.items()}.get(grant.permission_set_id or 0)
    held = frozenset(watch.stage.atoms_of(grant.content))
    return grant.status, grant.access_type, grant.seat, held, key, grant.expires_at


def _form(held: Held) -> tuple[Any, ...]:
    return held.status, held.kind, held.seat, held.atoms, held.origin, held.expires
