"""What happened to grants, read for a page of them with a fixed number of statements (T3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, select, union_all

from models.account import accounts
from models.client import clients
from models.grant import AccessType, GrantStatus, Seat, grants, has_ended
from models.member import MemberStatus, members
from models.operation import CELLS, decisions
from models.outcome import outcomes
from models.permission.state import State
from models.permission_set import permission_set_versions
from models.table import now
from models.timeline_entry import timeline_entries
from resolvers.explanation.fact import Held, Place, Step
from resolvers.readable import readable_clients, readable_grants, readable_members, readable_timeline
from resolvers.reader import Reader
from resolvers.state_content import states_of
from resolvers.timeline import TimelineRecord, timeline_entries_by_id

_STATES = ("before_state_id", "after_state_id", "requested_state_id", "authority_state_id", "dropped_state_id")
_ACTIVE = GrantStatus.ACTIVE.value
_CHANGE = timeline_entries.alias("change_of_grant")
_PLACE = (accounts.c.tiers, clients.c.ceiling_id, members.c.status.label("member_status"))


@dataclass(frozen=True, slots=True)
class GrantHistory:
    """A grant, and what happened to it, the oldest first."""

    place: Place
    grant_id: int | None = None
    """None where there has never been any."""
    held: Held | None = None
    steps: tuple[Step, ...] = ()
    entry_ids: tuple[int, ...] = ()
    """The key of each step's entry of the timeline."""


async def histories_by_grant(reader: Reader, keys: Sequence[int]) -> list[GrantHistory]:
    """Returns the history of each of these grants, which the viewer may know of."""
    listed = await reader.rows(
        readable_grants(reader.viewer)
        .join(accounts, accounts.c.id == grants.c.account_id)
        .join(clients, clients.c.id == grants.c.client_id)
        .join(members, members.c.id == grants.c.member_id)
        .outerjoin(permission_set_versions, permission_set_versions.c.id == grants.c.set_version_id)
        .where(grants.c.id.in_(set(keys)))
        .with_only_columns(*[*grants.c, permission_set_versions.c.state_id.label("set_state_id"), *_PLACE])
    )
    entries = await _entries(reader, listed)
    named = {getattr(row, name) for row in entries for name in _STATES}
    named |= {key for row in listed for key in (row.state_id, row.set_state_id, row.ceiling_id)}
    states = await states_of(reader, named)
    by_grant: dict[int, list[Row[Any]]] = {row.id: [] for row in listed}
    for entry in entries:
        by_grant[entry.grant_id].append(entry)
    found = {row.id: _history(row, by_grant[row.id], states) for row in listed}
    return [found[key] for key in keys]


async def histories_by_pair(reader: Reader, pairs: Sequence[tuple[int, int]]) -> list[GrantHistory]:
    """Returns, for each client and person, the history of their access there: the living grant's, else the latest one's.

    Both must be ones that the viewer may know of.
    """
    client_ids, member_ids = {client_id for client_id, _ in pairs}, {member_id for _, member_id in pairs}
    of_pairs = (
        readable_grants(reader.viewer)
        .where(grants.c.client_id.in_(client_ids), grants.c.member_id.in_(member_ids))
        .with_only_columns(*[grants.c.id, grants.c.client_id, grants.c.member_id, grants.c.ended])
    )
    # What lives and what has ended are in two indexes.
    either = union_all(*(of_pairs.where(part) for part in (grants.c.ended == 0, has_ended(grants)))).subquery("either")
    chosen: dict[tuple[int, int], int] = {}
    for row in await reader.rows(select(either).order_by(either.c.ended != 0, either.c.id.desc())):
        chosen.setdefault((row.client_id, row.member_id), row.id)
    keys = [chosen[pair] for pair in pairs if pair in chosen]
    histories = iter(await histories_by_grant(reader, keys)) if keys else iter(())
    found = {pair: next(histories) for pair in pairs if pair in chosen}
    if len(found) < len(set(pairs)):
        found |= await _places(reader, [pair for pair in pairs if pair not in found])
    return [found[pair] for pair in pairs]


async def _places(reader: Reader, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], GrantHistory]:
    """Returns the histories of those who have never had access."""
    viewer = reader.viewer
    where = await reader.rows(
        readable_clients(viewer)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.id.in_({client_id for client_id, _ in pairs}))
        .with_only_columns(*[clients.c.id, clients.c.ceiling_id, accounts.c.tiers])
    )
    who = await reader.rows(
        readable_members(viewer)
        .where(members.c.id.in_({member_id for _, member_id in pairs}))
        .with_only_columns(*[members.c.id, members.c.status])
    )
    states = await states_of(reader, {row.ceiling_id for row in where})
    at, status = {row.id: row for row in where}, {row.id: MemberStatus(row.status) for row in who}
    return {
        (client_id, member_id): GrantHistory(
            Place(frozenset(at[client_id].tiers.split()), states.get(at[client_id].ceiling_id), status[member_id])
        )
        for client_id, member_id in pairs
    }


async def _entries(reader: Reader, listed: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Returns the timeline's entries of these grants with the decisions behind them, in the order in which they happened.

    By the clients or by the people, whichever are fewer: for a page of one client's people, or of one person's clients, that is
    what an index gives. What the service itself or its operator has changed has no decision that the partner may read.
    """
    client_ids, member_ids = {row.client_id for row in listed}, {row.member_id for row in listed}
    entries = _CHANGE.c
    by_client = len(client_ids) <= len(member_ids)
    some = entries.client_id.in_(client_ids) if by_client else entries.member_id.in_(member_ids)
    cell = and_(
        outcomes.c.operation_id == entries.operation_id,
        outcomes.c.position == entries.id % CELLS,
        outcomes.c.grant_id == entries.grant_id,
    )
    ours = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    columns = (
        *(entries[name] for name in ("id", "grant_id", "before_status", "after_status", "after_set_version_id")),
        *(entries[name] for name in _STATES[:2]),
        *(decisions.c[name] for name in _STATES[2:]),
    )
    return await reader.rows(
        select(*columns)
        .select_from(_CHANGE.outerjoin(outcomes, cell).outerjoin(decisions, ours))
        .where(some, entries.grant_id.in_({row.id for row in listed}))
        .where(readable_timeline(reader.viewer).where(entries.id == timeline_entries.c.id).exists())
        .order_by(entries.at, entries.id)
    )


async def entries_of_history(reader: Reader, keys: Sequence[int]) -> list[TimelineRecord | None]:
    """Returns the entries of a history that was read before: the latest, as another copy may not have them yet."""
    return list(await timeline_entries_by_id(reader.latest(), keys))


def _history(row: Row[Any], entries: Sequence[Row[Any]], states: dict[int, State]) -> GrantHistory:
    return GrantHistory(
        place=Place(frozenset(row.tiers.split()), states.get(row.ceiling_id), MemberStatus(row.member_status)),
        grant_id=row.id,
        held=Held(
            status=GrantStatus(row.status),
            access_type=AccessType(row.access_type),
            seat=Seat(row.seat),
            state=states[row.state_id],
            expired=row.expires_at is not None and row.expires_at <= now(),
            of_set=states.get(row.set_state_id),
        ),
        steps=tuple(_step(entry, states) for entry in entries),
        entry_ids=tuple(entry.id for entry in entries),
    )


def _step(entry: Row[Any], states: dict[int, State]) -> Step:
    return Step(
        before=states.get(entry.before_state_id, 0) if entry.before_status else 0,
        after=states[entry.after_state_id],
        starts=entry.after_status == _ACTIVE and entry.before_status != _ACTIVE,
        ends=entry.before_status == _ACTIVE and entry.after_status != _ACTIVE,
        set_version_id=entry.after_set_version_id,
        requested=states.get(entry.requested_state_id),
        authority=states.get(entry.authority_state_id),
        dropped=states.get(entry.dropped_state_id, 0),
    )
