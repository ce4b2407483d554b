"""Who could do what a whole operation has left undone: grouped, so that thousands of outcomes are a few rows (N02)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, and_, cast, func, literal, or_, select

from models.client import clients
from models.grant import grants
from models.member import members
from models.operation import decisions
from models.outcome import outcomes
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from models.table import now
from resolvers.hand_off.asked import Asked, asked_by_operation
from resolvers.hand_off.colleague import able_admins, colleagues_of, working
from resolvers.hand_off.standing import stands, with_living
from resolvers.hand_off.undone import Undone, undone
from resolvers.operation.record import OperationRecord
from resolvers.outcome import decision_of
from resolvers.reader import Reader
from resolvers.state_content import states_of

MOST_GROUPS = 100
_STATES = ("before_state_id", "after_state_id", "requested_state_id", "authority_state_id", "dropped_state_id")


@dataclass(frozen=True, slots=True)
class UndoneGroup:
    """Outcomes that have left the same undone, and that the same people could do."""

    undone: Undone
    member_ids: tuple[int, ...]
    outcomes: int


@dataclass(frozen=True, slots=True)
class Capability:
    """Who could do what an operation has left undone."""

    groups: tuple[UndoneGroup, ...]
    """The largest first."""

    @property
    def outcomes(self) -> int:
        """Returns how many outcomes have left something undone."""
        return sum(group.outcomes for group in self.groups)

    @property
    def by_nobody(self) -> int:
        """Returns how many of them nobody could do all of."""
        return sum(group.outcomes for group in self.groups if not group.member_ids)

    @property
    def by_member(self) -> list[tuple[int, int]]:
        """Returns each member with the number of outcomes of which they could do all, the most first."""
        counts: Counter[int] = Counter()
        for group in self.groups:
            counts.update(dict.fromkeys(group.member_ids, group.outcomes))
        return sorted(counts.items(), key=lambda found: (-found[1], found[0]))


async def capabilities_by_operation(reader: Reader, parents: Sequence[OperationRecord]) -> list[Capability]:
    """Returns who could do what each operation has left undone; the number of statements and rows does not follow its size."""
    kept = [parent.id for parent in parents if parent.previewed is None]
    stored = await _stored(reader, kept) if kept else {}
    return [stored[parent.id] if parent.previewed is None else await _previewed(reader, parent) for parent in parents]


class _Groups:
    """Counts outcomes by what they have left undone and by who could do it."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Undone, tuple[int, ...]]] = Counter()

    def add(self, left: Undone, member_ids: Iterator[int], number: int) -> None:
        """Counts outcomes."""
        self._counts[left, tuple(sorted(member_ids))] += number

    def made(self) -> Capability:
        """Returns the groups."""
        return Capability(tuple(UndoneGroup(*key, number) for key, number in self._counts.most_common()))


async def _stored(reader: Reader, keys: Sequence[int]) -> dict[int, Capability]:
    asked = await asked_by_operation(reader, keys)
    lefts = await _lefts(reader, asked)
    groups: dict[int, _Groups] = {key: _Groups() for key in keys}
    if lefts:
        rows = await _counted(reader, asked, lefts)
        ids = {int(state_id) for row in rows for state_id in _pairs(row.admins).values()}
        states = await states_of(reader, {*ids, *(row.ceiling_id for row in rows)})
        for row in rows:
            left, ceiling = lefts[row.operation_id, row.decision], states.get(row.ceiling_id)
            if not left.is_for(verified=row.verified):
                continue
            able = (
                member_id
                for member_id, state_id in _pairs(row.admins).items()
                if member_id != row.own and not left.need & ~authority(states[state_id], ceiling, catalogue)
            )
            groups[row.operation_id].add(left, able, row.number)
    return {key: found.made() for key, found in groups.items()}


async def _lefts(reader: Reader, asked: Mapping[int, Asked]) -> dict[tuple[int, int], Undone]:
    """Returns what each decision of these operations has left undone, where it is anything."""
    rows = await reader.rows(select(decisions).where(decisions.c.operation_id.in_(asked)))
    states = await states_of(reader, {getattr(row, name) for row in rows for name in _STATES})
    found = {(row.operation_id, row.number): undone(decision_of(row, states), asked[row.operation_id]) for row in rows}
    return {key: left for key, left in found.items() if left is not None}


async def _counted(
    reader: Reader, asked: Mapping[int, Asked], lefts: Mapping[tuple[int, int], Undone]
) -> Sequence[Any]:
    """Counts the outcomes of decisions by all that says who could: few combinations, however many clients there are.

    Only those that are still to be done: where nobody has changed the access since, and the person works for the agency.
    """
    by_operation: dict[int, list[int]] = {}
    for operation_id, number in lefts:
        by_operation.setdefault(operation_id, []).append(number)
    admin = cast(grants.c.member_id, String) + literal(":") + cast(grants.c.state_id, String)
    able = able_admins(reader.viewer)
    of_client = (
        able.with_only_columns(*[grants.c.client_id, func.aggregate_strings(admin, " ").label("admins")])
        .group_by(grants.c.client_id)
        .subquery("admins_of_client")
    )
    own = able.with_only_columns(*[grants.c.client_id, grants.c.member_id]).subquery("own_grant")
    outcome = outcomes.c
    chosen = [and_(outcome.operation_id == key, outcome.decision.in_(numbers)) for key, numbers in by_operation.items()]
    columns = (
        outcome.operation_id,
        outcome.decision,
        clients.c.ceiling_id,
        of_client.c.admins,
        own.c.member_id.label("own"),
        members.c.verified,
    )
    return await reader.rows(
        select(*columns, func.count().label("number"))
        .select_from(
            with_living(outcomes.join(clients, clients.c.id == outcome.client_id))
            .outerjoin(of_client, of_client.c.client_id == outcome.client_id)
            .outerjoin(own, and_(own.c.client_id == outcome.client_id, own.c.member_id == outcome.member_id))
        )
        .where(or_(*chosen), stands(asked))
        .group_by(*columns)
    )


def _pairs(admins: str | None) -> dict[int, int]:
    """Returns the member keys of a client's admins with the keys of their states."""
    parts = (part.partition(":") for part in (admins or "").split())
    return {int(member_id): int(state_id) for member_id, _, state_id in parts}


async def _previewed(reader: Reader, parent: OperationRecord) -> Capability:
    """Returns the same for a dry run, whose outcomes are in memory."""
    groups, dry_run = _Groups(), parent.previewed
    if dry_run is not None:
        asked = Asked.of(dry_run.kind, dry_run.request, now())
        lefts = {number: left for number, decision in dry_run.verdicts.numbered() if (left := undone(decision, asked))}
        cells = Counter(
            cell
            for cell in zip(dry_run.client_ids, dry_run.member_ids, dry_run.decisions, strict=True)
            if cell[2] in lefts
        )
        colleagues = await colleagues_of(reader, {client_id for client_id, _, _ in cells})
        verified = await working(reader, {member_id for _, member_id, _ in cells})
        for (client_id, member_id, number), count in cells.items():
            left = lefts[number]
            if member_id in verified and left.is_for(verified=verified[member_id]):
                able = (c.member_id for c in colleagues[client_id] if c.could(left.need) and c.member_id != member_id)
                groups.add(left, able, count)
    return groups.made()
