"""Operations: each has the outcomes that it counts, outcomes are as decided, and what was applied is in the timeline (P01)."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, or_, select

from models.asset import asset_transfers
from models.operation import CELLS, ENDED, OperationState, OutcomeStatus, decisions, operations
from models.operation_chunk import operation_chunks, queued_operations
from models.outcome import outcomes
from models.schedule import scheduled_operations
from models.timeline_entry import timeline_entries
from resolvers.consistency.check import Check, differ, selected

_COUNTED = ("applied", "noop", "rejected", "failed")
_APPLIED = outcomes.c.status == OutcomeStatus.APPLIED.value
_KEY = func.coalesce(outcomes.c.block_id, outcomes.c.operation_id) * CELLS + outcomes.c.position


def _counts() -> Check:
    """COMPLETED means that all cells have their outcome; whatever was stopped before has at most as many."""
    numbers = [
        func.sum(case((outcomes.c.status == name.upper(), 1), else_=0)).label(f"counted_{name}") for name in _COUNTED
    ]
    counted = (
        select(outcomes.c.operation_id, func.count().label("number"), *numbers)
        .group_by(outcomes.c.operation_id)
        .subquery("counted")
    )
    number = func.coalesce(counted.c.number, 0)
    wrong = or_(
        *(operations.c[name] != func.coalesce(counted.c[f"counted_{name}"], 0) for name in _COUNTED),
        number > operations.c.total,
        and_(operations.c.state == OperationState.COMPLETED.value, number != operations.c.total),
    )
    return Check(
        "operation_counts",
        "each operation counts its outcomes, and has all of them when it is completed",
        [operations, outcomes],
        selected(
            select(operations, number.label("number"), *(counted.c[f"counted_{name}"] for name in _COUNTED))
            .select_from(operations.outerjoin(counted, counted.c.operation_id == operations.c.id))
            .where(wrong)
            .order_by(operations.c.id),
            _tell_counts,
        ),
    )


def _tell_counts(row: Any) -> str:
    told = [f"{row.number} outcomes of {row.total} cells"]
    for name in _COUNTED:
        kept, counted = getattr(row, name), getattr(row, f"counted_{name}") or 0
        if kept != counted:
            told.append(f"counts {kept} {name} instead of {counted}")
    return f"operation {row.id}, {row.state}: {', '.join(told)}"


def _chunks() -> Check:
    """The chunks of an operation are its cells, and those that are finished have their outcomes."""
    finished = case((operation_chunks.c.finished_at.is_not(None), operation_chunks.c.size), else_=0)
    parts = (
        select(
            operation_chunks.c.operation_id,
            cast(func.sum(operation_chunks.c.size), Integer).label("size"),
            cast(func.sum(finished), Integer).label("finished"),
        )
        .group_by(operation_chunks.c.operation_id)
        .subquery("part")
    )
    done: ColumnElement[int] = sum((operations.c[name] for name in _COUNTED[1:]), operations.c.applied)
    return Check(
        "operation_chunks",
        "the chunks of each operation are its cells, and the finished ones are those with outcomes",
        [operation_chunks],
        selected(
            select(operations.c.id, operations.c.total, done.label("done"), parts.c.size, parts.c.finished)
            .join(parts, parts.c.operation_id == operations.c.id)
            .where(or_(parts.c.size != operations.c.total, parts.c.finished != done))
            .order_by(operations.c.id),
            lambda row: (
                f"operation {row.id}: {row.total} cells in chunks of {row.size}, {row.done} outcomes where chunks of "
                f"{row.finished} are finished"
            ),
        ),
    )


def _queue() -> Check:
    """Who waits is in the queue, and nobody else; what waits for its time is not there yet (P14)."""
    ahead = and_(scheduled_operations.c.operation_id == operations.c.id, scheduled_operations.c.taken_at.is_(None))
    waits = operations.c.state == OperationState.QUEUED.value
    wrong = or_(
        and_(waits, queued_operations.c.operation_id.is_(None), scheduled_operations.c.operation_id.is_(None)),
        and_(operations.c.state.in_(sorted(ENDED)), queued_operations.c.operation_id.is_not(None)),
    )
    return Check(
        "operation_queue",
        "the operations that wait are in the queue, and none that has ended",
        [queued_operations],
        selected(
            select(operations.c.id, operations.c.state)
            .outerjoin(queued_operations, queued_operations.c.operation_id == operations.c.id)
            .outerjoin(scheduled_operations, ahead)
            .where(wrong)
            .order_by(operations.c.id),
            lambda row: (
                f"operation {row.id} is {row.state} and "
                f"{'not in the queue' if row.state == OperationState.QUEUED else 'still in the queue'}"
            ),
        ),
    )


def _decisions() -> Check:
    ours = and_(
        decisions.c.operation_id == outcomes.c.operation_id,
        decisions.c.number == outcomes.c.decision,
    )
    return Check(
        "decisions",
        "each outcome has its decision, and both say the same",
        [outcomes],
        selected(
            select(outcomes, decisions.c.status.label("decided"))
            .select_from(outcomes.outerjoin(decisions, ours))
            .where(differ((outcomes.c.status, decisions.c.status))),
            lambda row: (
                f"outcome {row.position} of operation {row.operation_id} is {row.status}, decision {row.decision} "
                f"{'is missing' if row.decided is None else f'says {row.decided}'}"
            ),
        ),
    )


def _applied() -> Check:
    told = outcomes.outerjoin(timeline_entries, timeline_entries.c.id == _KEY)
    names = ("grant_id", "client_id", "member_id")
    return Check(
        "applied_outcomes",
        "what was applied is in the timeline",
        [outcomes],
        selected(
            select(outcomes, timeline_entries.c.id)
            .select_from(told)
            .where(_APPLIED, differ(*((outcomes.c[name], timeline_entries.c[name]) for name in names))),
            lambda row: (
                f"outcome {row.position} of operation {row.operation_id} was applied to grant {row.grant_id}, and its entry "
                f"{'is missing' if row.id is None else 'is about something else'}"
            ),
        ),
    )


_SAME = {
    "before_status": "before_status",
    "after_status": "after_status",
    "after_access_type": "after_access_type",
    "after_state_id": "after_state_id",
    "after_seat": "seat",
    "after_set_version_id": "set_version_id",
}
"""Columns of an entry, and of the decision that says the same."""


def _entries() -> Check:
    """Entries about the accounts' own people have no outcome: those are of clients and members."""
    entry = timeline_entries
    position = entry.c.id % CELLS
    made = and_(outcomes.c.operation_id == entry.c.operation_id, outcomes.c.position == position)
    ours = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    said = differ(*((entry.c[name], decisions.c[other]) for name, other in _SAME.items()))
    # Where nothing was before, some write no state and some the empty one.
    was = and_(
        entry.c.before_status.is_not(None),
        differ(*((entry.c[name], decisions.c[name]) for name in ("before_access_type", "before_state_id"))),
    )
    return Check(
        "timeline_outcomes",
        "each entry of the timeline has an applied outcome whose decision says the same",
        [timeline_entries],
        selected(
            select(entry.c.id, entry.c.operation_id, outcomes.c.position, outcomes.c.status)
            .select_from(entry.outerjoin(outcomes, made).outerjoin(decisions, ours))
            .where(entry.c.client_id.is_not(None))
            .where(or_(outcomes.c.position.is_(None), ~_APPLIED, said, was)),
            _tell_entry,
        ),
    )


def _tell_entry(row: Any) -> str:
    if row.position is None:
        return f"entry {row.id}: operation {row.operation_id} has no outcome for it"
    if row.status != OutcomeStatus.APPLIED:
        return f"entry {row.id}: outcome {row.position} of operation {row.operation_id} is {row.status}"
    return f"entry {row.id}: the decision of outcome {row.position} of operation {row.operation_id} says something else"


def _transfers() -> Check:
    cell = and_(
        outcomes.c.operation_id == asset_transfers.c.operation_id, outcomes.c.position == asset_transfers.c.position
    )
    return Check(
        "asset_transfers",
        "assets were handed over by outcomes that were applied",
        [asset_transfers],
        selected(
            select(asset_transfers.c.operation_id, asset_transfers.c.position, asset_transfers.c.kind)
            .select_from(asset_transfers.outerjoin(outcomes, cell))
            .where(or_(outcomes.c.position.is_(None), ~_APPLIED)),
            lambda row: (
                f"{row.kind} handed over by outcome {row.position} of operation {row.operation_id}, which was not applied"
            ),
        ),
    )


OPERATION_CHECKS = (_counts(), _chunks(), _queue(), _decisions(), _applied(), _entries(), _transfers())
