"""Who could do what operations have left undone: for a page of outcomes, and for whole operations grouped (N02)."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.operation import decisions
from models.outcome import outcomes
from resolvers.hand_off.asked import Asked, asked_as_things_stand, asked_in_operations
from resolvers.hand_off.fact import Cell
from resolvers.hand_off.foreseen import KEY, foreseen_cells, undone_decisions
from resolvers.hand_off.ground import look_around
from resolvers.hand_off.judge import Able, Judge
from resolvers.hand_off.standing import cells_of, counted, of_decisions, standing_cells
from resolvers.hand_off.undone import Undone, undone
from resolvers.interning import state_contents
from resolvers.operation.execute import DryRun
from resolvers.operation.record import OperationRecord
from resolvers.operation.situation import Decision
from resolvers.outcome import OutcomeRecord, decision_of
from resolvers.reader import Reader
from resolvers.viewer import Viewer

MOST_GROUPS = 100
_CELLS_AT_ONCE = 500
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


async def judged(
    connection: AsyncConnection,
    viewer: Viewer,
    asked: Mapping[int, Asked],
    made: Mapping[tuple[int, int], Decision],
    cells: Iterable[Cell],
    *,
    only_id: int | None = None,
) -> dict[Cell, Able]:
    """Returns who could do each of these, with a number of statements that does not depend on how many they are.

    Args:
        connection: of the transaction.
        viewer: who asks.
        asked: what was asked for.
        made: what was decided.
        cells: the outcomes; those of a migration all of one client.
        only_id: the only colleague that is asked about; None for all.
    """
    listed = list(dict.fromkeys(cells))
    if not listed:
        return {}
    judge = Judge(asked, made, await look_around(connection, viewer, asked, listed, only_id=only_id))
    kept = judge.last_super_admins(listed)
    able: dict[Cell, Able] = {}
    for number, cell in enumerate(listed, 1):
        able[cell] = Able(possible=False) if cell in kept else judge.able(cell)
        if number % _CELLS_AT_ONCE == 0:
            # Other requests have their turn.
            await asyncio.sleep(0)
    return able


async def decisions_of(connection: AsyncConnection, keys: Iterable[int]) -> dict[tuple[int, int], Decision]:
    """Returns the decisions of these operations that have left something undone, by operation and number."""
    statement = select(decisions).where(decisions.c.operation_id.in_(sorted(keys)))
    rows = (await connection.execute(statement)).all()
    states = await state_contents(connection, {getattr(row, name) for row in rows for name in _STATES} - {None})
    made = {(row.operation_id, row.number): decision_of(row, states) for row in rows}
    return {key: decision for key, decision in made.items() if undone(decision) is not None}


async def who_could_by_outcome(reader: Reader, parents: Sequence[OutcomeRecord]) -> list[list[int]]:
    """Returns the members who could do all that each outcome has left undone, by name; nobody, where nothing is.

    Nobody gives themselves anything (I8), so it is never the person whom the outcome is about.
    """
    open_ = [parent for parent in parents if undone(parent.decision) is not None]
    stored = [parent for parent in open_ if parent.operation_id is not None]
    foreseen = {id(parent.dry_run): parent.dry_run for parent in open_ if parent.dry_run is not None}
    found: dict[tuple[int, int], Able] = {}
    if open_:
        async with reader.database.read() as connection:
            if stored:
                found |= await _of_page(connection, reader.viewer, stored)
            for key, dry_run in foreseen.items():
                able = await _of_dry_run(connection, reader.viewer, dry_run)
                found |= {(-key, position): who for positions, _, who in able for position in positions}
    nobody = Able(possible=False)
    keys = [(parent.operation_id or -id(parent.dry_run), parent.position) for parent in parents]
    return [list(found.get(key, nobody).member_ids) for key in keys]


async def _of_page(
    connection: AsyncConnection, viewer: Viewer, parents: Sequence[OutcomeRecord]
) -> dict[tuple[int, int], Able]:
    """Returns who could do each of these outcomes, by operation and position."""
    by_operation: dict[int, list[OutcomeRecord]] = {}
    for parent in parents:
        by_operation.setdefault(parent.operation_id or 0, []).append(parent)
    asked = await asked_in_operations(connection, viewer, by_operation)
    made = await decisions_of(connection, asked)
    if not made:
        return {}
    outcome = outcomes.c
    chosen = [
        # Which of an account's super admins is the last one, all of those in the operation decide.
        and_(outcome.operation_id == key, outcome.client_id.in_(sorted({one.client_id for one in by_operation[key]})))
        if what.migrates
        else and_(outcome.operation_id == key, outcome.position.in_([one.position for one in by_operation[key]]))
        for key, what in asked.items()
    ]
    statement = standing_cells(viewer, asked).add_columns(outcome.position).where(or_(*chosen), of_decisions(made))
    rows = (await connection.execute(statement)).all()
    cells = await cells_of(connection, rows)
    able = await judged(connection, viewer, asked, made, cells)
    return {(row.operation_id, row.position): able[cell] for row, cell in zip(rows, cells, strict=True)}


async def _of_dry_run(
    connection: AsyncConnection, viewer: Viewer, dry_run: DryRun
) -> list[tuple[list[int], Decision, Able]]:
    """Returns who could do the outcomes that a dry run would leave undone, with their positions and decision."""
    made = undone_decisions(dry_run)
    if not made:
        return []
    request = (KEY, dry_run.partner_id, dry_run.kind, dry_run.request)
    asked = await asked_as_things_stand(connection, viewer, [request])
    cells = await foreseen_cells(connection, viewer, dry_run, asked[KEY])
    able = await judged(connection, viewer, asked, made, cells)
    return [(positions, made[KEY, cell.number], able[cell]) for cell, positions in cells.items()]


async def capabilities_by_operation(reader: Reader, parents: Sequence[OperationRecord]) -> list[Capability]:
    """Returns who could do what each operation has left undone; the number of statements does not follow its size."""
    found: dict[int, Capability] = {}
    async with reader.database.read() as connection:
        kept = [parent.id for parent in parents if parent.previewed is None]
        if kept:
            found |= await _of_operations(connection, reader.viewer, kept)
        for parent in parents:
            if parent.previewed is not None:
                able = await _of_dry_run(connection, reader.viewer, parent.previewed)
                found[parent.id] = _grouped((decision, who, len(positions)) for positions, decision, who in able)
    return [found[parent.id] for parent in parents]


async def _of_operations(connection: AsyncConnection, viewer: Viewer, keys: Sequence[int]) -> dict[int, Capability]:
    """Returns the same for operations that were carried out: outcomes that are alike are read as one row."""
    asked = await asked_in_operations(connection, viewer, keys)
    made = await decisions_of(connection, asked)
    listed: dict[int, list[tuple[Decision, Able, int]]] = {key: [] for key in keys}
    if made:
        rows = (await connection.execute(counted(standing_cells(viewer, asked).where(of_decisions(made))))).all()
        cells = await cells_of(connection, rows)
        able = await judged(connection, viewer, asked, made, cells)
        for row, cell in zip(rows, cells, strict=True):
            listed[cell.operation].append((made[cell.operation, cell.number], able[cell], row.alike))
    return {key: _grouped(found) for key, found in listed.items()}


def _grouped(found: Iterable[tuple[Decision, Able, int]]) -> Capability:
    """Returns outcomes by what they have left undone and by who could do it; what nobody at all could, is not left undone."""
    counts: Counter[tuple[Undone, tuple[int, ...]]] = Counter()
    for decision, able, number in found:
        left = undone(decision)
        if left is not None and able.possible:
            counts[left, tuple(sorted(able.member_ids))] += number
    return Capability(tuple(UndoneGroup(*key, number) for key, number in counts.most_common()))
