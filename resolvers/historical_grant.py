"""Access as of a moment in the past: who had what where, from the timeline (N05)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, column, select, table, union_all
from sqlalchemy.sql.selectable import CompoundSelect

from models.grant import AccessType, GrantStatus, Seat, grants
from models.lifetime import lasted
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_set import permission_set_versions
from models.permission_state import permission_states
from models.timeline_entry import timeline_entries
from resolvers.client import ClientRecord
from resolvers.member import MemberRecord
from resolvers.readable import readable_grants
from resolvers.reader import Reader

# Not the tables themselves: what the viewer may know of, and the entry of a moment, are selected from those.
_GRANT = grants.alias("held_grant")
_LATER = timeline_entries.alias("later_or_then")
# Put together once, for that takes longer than most answers: what is asked about stands under this name in front of it.
_HELD = table("held", *(column(name, BigInteger) for name in ("id", "client_id", "member_id", "entry_id")))
_ENTRY = timeline_entries.c
_FORMS = (
    select(
        _HELD.c.id,
        _HELD.c.client_id,
        _HELD.c.member_id,
        _ENTRY.after_status,
        _ENTRY.after_access_type,
        _ENTRY.after_seat,
        permission_states.c.content,
        permission_set_versions.c.set_id,
        permission_set_versions.c.version,
        _ENTRY.after_expires_at,
        _ENTRY.at,
        _ENTRY.operation_id,
    )
    .select_from(_HELD)
    .join(timeline_entries, _ENTRY.id == _HELD.c.entry_id)
    .join(permission_states, permission_states.c.id == _ENTRY.after_state_id)
    .outerjoin(permission_set_versions, permission_set_versions.c.id == _ENTRY.after_set_version_id)
    .where(_ENTRY.after_status != GrantStatus.REMOVED.value)
)


@dataclass(frozen=True, slots=True)
class HistoricalGrantRecord:
    """One person's access in one client as it was at a moment."""

    grant_id: int
    client_id: int
    member_id: int
    at: datetime
    """The moment that was asked for."""
    status: GrantStatus
    access_type: AccessType
    seat: Seat
    content: str
    permission_set_id: int | None
    permission_set_version: int | None
    expires_at: datetime | None
    changed_at: datetime
    """When it had become what it was then."""
    operation_id: int
    """By which operation it had."""

    @property
    def expired(self) -> bool:
        """Says whether it no longer counted then, though nobody had ended it yet (P04)."""
        return self.expires_at is not None and self.expires_at <= self.at

    @property
    def permissions(self) -> State:
        """Returns what it contained."""
        return catalogue.decode(self.content)

    @property
    def held(self) -> State:
        """Returns what it gave: nothing unless it was ACTIVE and not expired."""
        return self.permissions if self.status is GrantStatus.ACTIVE and not self.expired else 0

    @property
    def form(self) -> tuple[Any, ...]:
        """Returns all that can be different at another moment."""
        return (
            *(self.status, self.access_type, self.seat, self.content),
            *(self.permission_set_id, self.permission_set_version, self.expires_at, self.expired),
        )


@dataclass(frozen=True, slots=True)
class AccessDifferenceRecord:
    """What became of one person's access in one client between two moments."""

    client_id: int
    member_id: int
    before: HistoricalGrantRecord | None
    after: HistoricalGrantRecord | None

    @property
    def granted(self) -> State:
        """Returns what the person could do afterwards and not before."""
        return _held(self.after) & ~_held(self.before)

    @property
    def revoked(self) -> State:
        """Returns what the person could do before and not afterwards."""
        return _held(self.before) & ~_held(self.after)


def _held(grant: HistoricalGrantRecord | None) -> State:
    return 0 if grant is None else grant.held


async def access_as_of_by_client(
    reader: Reader, parents: Sequence[ClientRecord], *, at: datetime
) -> list[list[HistoricalGrantRecord]]:
    """Returns who had access in each client at a moment, in the order of the people."""
    return await _as_of(reader, _GRANT.c.client_id, [parent.id for parent in parents], at)


async def access_as_of_by_member(
    reader: Reader, parents: Sequence[MemberRecord], *, at: datetime
) -> list[list[HistoricalGrantRecord]]:
    """Returns where each person had access at a moment, in the order of the clients."""
    return await _as_of(reader, _GRANT.c.member_id, [parent.id for parent in parents], at)


async def access_between_by_client(
    reader: Reader, parents: Sequence[ClientRecord], *, since: datetime, until: datetime
) -> list[list[AccessDifferenceRecord]]:
    """Returns whose access in each client was another at the end than at the beginning."""
    before = await access_as_of_by_client(reader, parents, at=since)
    after = await access_as_of_by_client(reader, parents, at=until)
    return [_differences(*pair) for pair in zip(before, after, strict=True)]


async def access_between_by_member(
    reader: Reader, parents: Sequence[MemberRecord], *, since: datetime, until: datetime
) -> list[list[AccessDifferenceRecord]]:
    """Returns where each person's access was another at the end than at the beginning."""
    before = await access_as_of_by_member(reader, parents, at=since)
    after = await access_as_of_by_member(reader, parents, at=until)
    return [_differences(*pair) for pair in zip(before, after, strict=True)]


def _differences(
    before: Iterable[HistoricalGrantRecord], after: Iterable[HistoricalGrantRecord]
) -> list[AccessDifferenceRecord]:
    """Pairs what a person had at two moments; at each of them it is at most one grant in a client."""
    then, now = ({(grant.client_id, grant.member_id): grant for grant in found} for found in (before, after))
    differences = []
    for key in sorted(then.keys() | now.keys()):
        one, other = then.get(key), now.get(key)
        if one is None or other is None or one.form != other.form:
            differences.append(AccessDifferenceRecord(*key, one, other))
    return differences


async def _as_of(
    reader: Reader, parent: ColumnElement[int], keys: Sequence[int], at: datetime
) -> list[list[HistoricalGrantRecord]]:
    """Returns what there was by parent.

    What lives is looked at, and of what has ended only what lived then; of each grant one entry is looked up. So nothing costs
    that was over before the moment, nor what became of anything after it.
    """
    # By the keys alone: asked for all readable grants first, SQLite would go through everything the partner has.
    is_readable = readable_grants(reader.viewer).where(grants.c.id == _HELD.c.id).correlate(_HELD).exists()
    # Found before anything is joined: PostgreSQL takes them for many more than they are, and behind row-level security it would
    # look an entry up by its key only if the key is there already.
    held = _lived(parent, keys, at).cte(_HELD.name).prefix_with("MATERIALIZED")
    found: dict[int, list[HistoricalGrantRecord]] = {key: [] for key in keys}
    # Sorted here: for the order's sake SQLite would read the parts by another index, and with it all that has ended.
    rows = await reader.rows(_FORMS.where(is_readable).add_cte(held))
    for row in sorted(rows, key=lambda row: (row.client_id, row.member_id)):
        grant_id, client_id, member_id, status, access_type, seat, *rest = tuple(row)
        form = (GrantStatus(status), AccessType(access_type), Seat(seat))
        record = HistoricalGrantRecord(grant_id, client_id, member_id, at, *form, *rest)
        found[getattr(record, parent.name)].append(record)
    return [found[key] for key in keys]


def _lived(parent: ColumnElement[int], keys: Sequence[int], at: datetime) -> CompoundSelect[Any]:
    """Selects the grants of the parents that had begun by a moment and had not ended, each with its last entry until then.

    Each of the parts goes by an index of its own.
    """
    last = (
        select(_LATER.c.id)
        .where(_LATER.c.grant_id == _GRANT.c.id, _LATER.c.at <= at)
        .order_by(_LATER.c.at.desc(), _LATER.c.id.desc())
        .limit(1)
        .correlate(_GRANT)
        .scalar_subquery()
    )
    columns = (_GRANT.c.id, _GRANT.c.client_id, _GRANT.c.member_id, last.label("entry_id"))
    of_parents = select(*columns).where(parent.in_(set(keys)))
    living = of_parents.where(_GRANT.c.ended == 0, _GRANT.c.since <= at)
    return union_all(living, *(of_parents.where(condition) for condition in lasted(_GRANT, at)))
