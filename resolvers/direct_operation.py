"""Records access that was decided elsewhere: an operation whose cells come with their decisions.

For what does not come from an actor in the manager: admissions that clients have given outside this service, and the demo.
Everything is written by the pipeline's own writer, so outcomes, timeline and counters are those of any other operation.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import touch
from models.dialect import create_temporary, insert_many
from models.grant import AccessType, GrantStatus, Seat
from models.operation import OperationKind, OperationState, OutcomeStatus, RuleMode, cell_key, operations
from models.permission.catalogue import catalogue
from models.permission.state import State
from resolvers.interning import intern_states
from resolvers.operation.cell import cells as cell_table
from resolvers.operation.cell import reassignments
from resolvers.operation.guard import guard_super_admins
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.removal import settle_assets
from resolvers.operation.request import Expiry
from resolvers.operation.situation import Decision
from resolvers.operation.verdict import Verdicts
from resolvers.operation.write import CellWriter
from resolvers.timeline_chain.block import open_block


@dataclass(frozen=True, slots=True)
class DirectCell:
    """One person in one client, and what was decided about them."""

    client_id: int
    account_id: int
    member_id: int
    user_id: int
    decision: Decision
    grant_id: int | None = None
    """The living grant, if there is one."""
    expires_at: datetime | None = None
    """When it expires, if it does."""
    until: datetime | None = None
    """When it ends afterwards, where each cell of the operation says so itself."""


@dataclass(frozen=True, slots=True)
class DirectOperation:
    """Whose operation it is, and why."""

    partner_id: int
    kind: OperationKind
    at: datetime
    requested_by_id: int | None = None
    reason: str | None = None
    request: str = "{}"
    expiry: Expiry | None = None
    """What becomes of the grants' expiry; None leaves it as it is."""
    by_client: bool = False
    """Whether it is the client who decided, and not the partner."""


def unchanged(grant: Any, held: State) -> Decision:
    """Returns the decision that leaves a living grant as it is.

    Args:
        grant: the row of the grant.
        held: what it contains.
    """
    status, access_type, seat = GrantStatus(grant.status), AccessType(grant.access_type), Seat(grant.seat)
    return Decision(
        status=OutcomeStatus.NOOP,
        code=OutcomeCode.NO_CHANGE,
        before=held,
        after=held,
        requested=held,
        authority=catalogue.everything,
        before_status=status,
        before_access_type=access_type,
        before_seat=seat,
        before_set_version_id=grant.set_version_id,
        after_status=status,
        after_access_type=access_type,
        seat=seat,
        set_version_id=grant.set_version_id,
        customised=grant.customised,
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a cell: as it was decided, unless the last super admin was to go (F42)."""

    decision: Decision
    grant_id: int | None
    """None where there is no grant, before or after."""


async def write_directly(
    connection: AsyncConnection, operation: DirectOperation, cells: Sequence[DirectCell]
) -> list[Recorded]:
    """Writes the operation with all that belongs to it, and returns what became of each cell.

    The account's last ACTIVE super admin stays, whoever decided otherwise (F42, LAST_SUPER_ADMIN). Nothing else is checked.
    """
    verdicts = Verdicts()
    numbers = [verdicts.number(cell.decision) for cell in cells]
    await create_temporary(connection, cell_table, reassignments)
    await insert_many(
        connection,
        cell_table,
        [
            {
                "position": position,
                "member_id": cell.member_id,
                "user_id": cell.user_id,
                "client_id": cell.client_id,
                "account_id": cell.account_id,
                "grant_id": cell.grant_id,
                "decision": number,
                "expires_at": cell.expires_at,
                "until": cell.until,
            }
            for position, (cell, number) in enumerate(zip(cells, numbers, strict=True))
        ],
    )
    await guard_super_admins(connection, verdicts, operation.at, locked=True)
    if any(decision.code is OutcomeCode.LAST_SUPER_ADMIN for _, decision in verdicts.numbered()):
        rows = await connection.execute(select(cell_table.c.decision).order_by(cell_table.c.position))
        numbers = list(rows.scalars())
    made = [verdicts[number] for number in numbers]
    operation_id = await _record(connection, operation, Counter(decision.status for decision in made))
    states: set[State] = {state for d in made for state in (d.before, d.after, d.requested, d.authority)}
    writer = CellWriter(connection, operation_id, operation.partner_id, operation.at)
    await writer.record_decisions(verdicts, Counter(numbers), await intern_states(connection, states))
    if any(cell.grant_id is None for cell in cells):
        # Who of the client's people it was is the client's own (T1).
        granted_by_id = None if operation.by_client else operation.requested_by_id
        await writer.create_grants(granted_by_id, operation.expiry)
    if any(cell.grant_id is not None for cell in cells):
        await writer.change_grants(operation.expiry)
    await writer.record_timeline(operation.expiry)
    await writer.record_outcomes()
    await writer.keep_counters()
    if writer.ends_grants:
        await settle_assets(connection, operation_id, operation.at)
    touch(connection, ("operation", operation_id), ("timeline", operation.partner_id))
    # PostgreSQL drops it only with the transaction, which may have a next operation.
    await connection.execute(delete(cell_table))
    return [
        Recorded(decision, cell.grant_id or _made_key(operation_id, position, decision))
        for position, (cell, decision) in enumerate(zip(cells, made, strict=True))
    ]


def _made_key(operation_id: int, position: int, decision: Decision) -> int | None:
    return cell_key(operation_id, position) if decision.status is OutcomeStatus.APPLIED else None


async def _record(connection: AsyncConnection, operation: DirectOperation, counts: Counter[OutcomeStatus]) -> int:
    values = {
        "partner_id": operation.partner_id,
        "kind": operation.kind.value,
        "state": OperationState.COMPLETED.value,
        "mode": RuleMode.CLAMP.value,
        "atomic": False,
        "requested_by_id": operation.requested_by_id,
        "by_client": operation.by_client,
        "reason": operation.reason,
        "request": operation.request,
        "created_at": operation.at,
        "finished_at": operation.at,
        "total": counts.total(),
        "applied": counts[OutcomeStatus.APPLIED],
        "noop": counts[OutcomeStatus.NOOP],
        "rejected": counts[OutcomeStatus.REJECTED],
        "failed": 0,
    }
    made = await connection.execute(insert(operations).values(values).returning(operations.c.id))
    key: int = made.scalar_one()
    open_block(connection, key)
    return key
