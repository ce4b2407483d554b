"""N05: what somebody is told about a moment of a history is what the model said at that moment."""

from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from resolvers.historical_grant import HistoricalGrantRecord, access_as_of_by_client, access_as_of_by_member
from resolvers.reader import Reader
from resolvers.sign_in import sign_in
from tests.histories.check import Watch
from tests.histories.model import Cell, Held
from tests.histories.rows import demand, difference

MOST = 2
"""So many moments of a history are asked about: the first, and the last ones."""


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

    def _check_as(self, watch: Watch, user: str, partner: str) -> None:
        stage, world = watch.stage, watch.world
        reader = Reader(stage.database, stage.run(sign_in(stage.database, world.tokens[user])))
        by_client = {name: key for name, key in world.clients.items() if name.partition("/")[0] == partner}
        by_member = {name: key for name, key in world.members.items() if name.partition("@")[2] == partner}
        moments = sorted(self.told)
        for at in {*moments[:1], *moments[1 - MOST :]}:
            meant = {cell: _form(held) for cell, held in self.told[at].items() if cell[0] in by_client}
            for ways, keys in ((access_as_of_by_client, by_client), (access_as_of_by_member, by_member)):
                parents: Any = [SimpleNamespace(id=key) for key in keys.values()]
                found = [grant for grants in stage.run(ways(reader, parents, at=at)) for grant in grants]
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
