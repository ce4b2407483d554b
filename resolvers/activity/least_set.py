"""The least permission set that covers what a person used, beside what they hold (N09)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, tuple_

from models.activity import activity_days
from models.permission.catalogue import catalogue
from models.permission.state import State
from resolvers.activity.filter import ActivityFilter, day_conditions
from resolvers.client import clients_by_id
from resolvers.grant import GrantRecord
from resolvers.permission import states_by_grant
from resolvers.permission_set import PermissionSetRecord, permission_sets_by_client
from resolvers.readable import readable_activity_days
from resolvers.reader import Reader


@dataclass(slots=True, eq=False)
class UsedPermissionRecord:
    """A permission that events of the period name."""

    key: str
    total: int
    last_at: datetime


@dataclass(slots=True, eq=False)
class LeastSetRecord:
    """What a person used in a client in a period, and what would do."""

    used: State
    """With what it requires."""
    uses: list[UsedPermissionRecord]
    permission_set: PermissionSetRecord | None
    """None where nothing was used, or no set covers it."""
    held: State

    @property
    def surplus(self) -> State:
        """Returns what the person holds beyond the set; beyond what was used, where no set covers that."""
        return self.held & ~(self.permission_set.state if self.permission_set else self.used)

    @property
    def addition(self) -> State:
        """Returns what the set has beyond what the person holds."""
        return self.permission_set.state & ~self.held if self.permission_set else 0


def proven(key: str) -> State:
    """Returns what an event proves that names a permission: its lowest level above NONE, with what that requires.

    That somebody changed a contact says nothing about whose contact it was. A key that has left the catalogue proves nothing (E22).
    """
    permission = catalogue.permissions.get(key)
    return 0 if permission is None else catalogue.closure(catalogue.state({key: permission.levels[1]}))


async def least_sets_by_grant(
    reader: Reader, parents: Sequence[GrantRecord], *, since: datetime | None = None, until: datetime | None = None
) -> list[LeastSetRecord]:
    """Returns the least set for each grant: of those that can be used in the client, the one with the fewest levels of permissions.

    Of two with equally many, the one that comes with the service, then the older one.

    Raises:
        InputError: if the period begins or ends within a day.
    """
    uses = await _uses(reader, parents, ActivityFilter(since=since, until=until))
    states = await states_by_grant(reader, parents)
    places = await clients_by_id(reader, [parent.client_id for parent in parents])
    known = {place.id: place for place in places if place is not None}
    usable = dict(zip(known, await permission_sets_by_client(reader, list(known.values())), strict=True))
    found = []
    for parent, held in zip(parents, states, strict=True):
        theirs = uses.get((parent.client_id, parent.member_id), [])
        used = 0
        for use in theirs:
            used |= proven(use.key)
        covering = [one for one in usable[parent.client_id] if used and not used & ~one.state]
        least = min(covering, key=lambda one: (one.state.bit_count(), one.id), default=None)
        found.append(LeastSetRecord(used, theirs, least, held.stored))
    return found


async def _uses(
    reader: Reader, parents: Sequence[GrantRecord], period: ActivityFilter
) -> dict[tuple[int, int], list[UsedPermissionRecord]]:
    days = activity_days.c
    place: list[ColumnElement[Any]] = [days.client_id, days.member_id]
    columns = [*place, days.permission, func.sum(days.total), func.max(days.last_at)]
    rows: Sequence[Any] = await reader.rows(
        readable_activity_days(reader.viewer)
        .where(tuple_(*place).in_({(parent.client_id, parent.member_id) for parent in parents}))
        .where(days.permission != "", *day_conditions(period, activity_days))
        .with_only_columns(*columns)
        .group_by(*place, days.permission)
        .order_by(func.sum(days.total).desc(), days.permission)
    )
    found: dict[tuple[int, int], list[UsedPermissionRecord]] = {}
    for client_id, member_id, key, total, last_at in rows:
        if key in catalogue.permissions:
            found.setdefault((client_id, member_id), []).append(UsedPermissionRecord(key, int(total), last_at))
    return found
