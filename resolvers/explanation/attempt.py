"""What was tried in vain for somebody in a client: outcomes by which nothing changed, with why (P11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select, text

from models.operation import CELLS, OperationKind, decisions, operations
from models.outcome import outcomes
from models.permission.catalogue import catalogue
from models.permission.permission import Permission
from resolvers.explanation.history import GrantHistory
from resolvers.hand_off.record import STATES
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.outcome import OutcomeRecord, decision_of
from resolvers.readable import readable_operations
from resolvers.reader import Reader
from resolvers.state_content import states_of

_KEPT = 20
"""So many of the latest are looked at for each person and client."""
_GIVING = (
    *(OperationKind.GRANT, OperationKind.CHANGE, OperationKind.REACTIVATE, OperationKind.MIGRATE),
    *(OperationKind.REAPPLY, OperationKind.UNDO),
)
_IN_VAIN = text("outcome.status <> 'APPLIED'")
"""In the words of the partial index, by which alone these are found."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An outcome by which nothing changed."""

    operation_id: int
    outcome: OutcomeRecord
    at: datetime
    block: int
    """The block of the timeline in which it is sealed: what happened to the access lies before or after it."""
    kind: OperationKind
    """Of its operation."""

    @property
    def says_what_was_asked(self) -> bool:
        """Says whether it is known which permissions were asked for: some reasons come before anybody looks at them."""
        decision = self.outcome.decision
        return decision.requested != decision.before or decision.code is OutcomeCode.NO_CHANGE


async def attempts_by_pair(reader: Reader, pairs: Sequence[tuple[int, int]]) -> list[list[Attempt]]:
    """Returns, for each client and person, the latest attempts to give something, the newest first.

    Both must be ones that the viewer may know of.
    """
    outcome, operation = outcomes.c, operations.c
    place = (outcome.client_id, outcome.member_id)
    # What was asked for ahead of time, or queued, was tried when its block was sealed.
    block = func.coalesce(outcome.block_id, outcome.operation_id)
    newest = func.row_number().over(partition_by=place, order_by=block.desc()).label("rank")
    at = func.coalesce(operation.finished_at, operation.created_at).label("at")
    chosen = (
        readable_operations(reader.viewer)
        .join(outcomes, operation.id == outcome.operation_id)
        .where(outcome.client_id.in_({client_id for client_id, _ in pairs}))
        .where(outcome.member_id.in_({member_id for _, member_id in pairs}))
        .where(_IN_VAIN, operation.kind.in_([kind.value for kind in _GIVING]))
        .with_only_columns(*[*outcome, operation.kind, at, block.label("tried"), newest])
        .subquery()
    )
    ours = and_(decisions.c.operation_id == chosen.c.operation_id, decisions.c.number == chosen.c.decision)
    rows = await reader.rows(
        select(chosen, *(column for column in decisions.c if column.name not in chosen.c))
        .join(decisions, ours)
        .where(chosen.c.rank <= _KEPT)
        .order_by(chosen.c.tried.desc())
    )
    states = await states_of(reader, {getattr(row, name) for row in rows for name in STATES})
    found: dict[tuple[int, int], list[Attempt]] = {pair: [] for pair in pairs}
    for row in rows:
        pair = row.client_id, row.member_id
        if pair in found:
            record = OutcomeRecord(row.position, *pair, row.grant_id, decision_of(row, states), row.operation_id)
            found[pair].append(Attempt(row.operation_id, record, row.at, row.tried, OperationKind(row.kind)))
    return [found[pair] for pair in pairs]


def last_attempt(permission: Permission, history: GrantHistory, attempts: Sequence[Attempt]) -> Attempt | None:
    """Returns what was last tried in vain to give levels of a permission that do not count; None if nothing was.

    What is known to have been about this permission counts until a change has touched it, and what may have been about it until
    anything has changed. An undo of which that is not known may have been to take access, and is passed over.
    """
    levels = catalogue.state({permission.key: permission.levels[-1]})
    held = history.held
    missing = levels & ~(held.effective(history.place) if held is not None and held.counts else 0)
    blocks = [key // CELLS for key in history.entry_ids]
    touched = [
        block
        for block, step in zip(blocks, history.steps, strict=True)
        if levels & ((step.before ^ step.after) | step.withheld | step.dropped) or step.starts or step.ends
    ]
    for attempt in attempts:
        if attempt.outcome.decision.code is OutcomeCode.SELF_EXCLUDED:
            continue
        if attempt.says_what_was_asked:
            if attempt.outcome.decision.requested & missing and attempt.block > max(touched, default=0):
                return attempt
        elif attempt.kind is not OperationKind.UNDO and missing and attempt.block > max(blocks, default=0):
            return attempt
    return None
