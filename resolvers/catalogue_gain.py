"""What happens to the present partner admins when the built-in Partner Admin set gains permissions (E21)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.dialect import insert_many, lock_rows
from models.grant import AccessType, Seat, grants
from models.operation import CELLS, OperationKind, OperationState, OutcomeStatus, RuleMode, decisions, operations
from models.outcome import outcomes
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_set import permission_set_versions
from models.permission_state import permission_states
from models.timeline_entry import timeline_entries
from resolvers.moment import moment_after
from resolvers.timeline_chain.block import open_block


@dataclass(frozen=True, slots=True)
class SetVersion:
    """One version of a permission set."""

    id: int
    version: int
    state_id: int


@dataclass(frozen=True, slots=True)
class Gain:
    """The grants of one situation and what becomes of them."""

    where: ColumnElement[bool]
    count: int
    state: State
    before: Row[Any]
    set_version_id: int | None
    customised: bool


_LIVING = (grants.c.access_type == AccessType.PARTNER_ADMIN) & grants.c.client_id.is_not(None) & (grants.c.ended == 0)
_HELD = select(clients.c.id).where(clients.c.id.in_(select(grants.c.client_id).where(_LIVING)))


async def partner_admin_gains(
    connection: AsyncConnection, before: SetVersion, after: SetVersion, content: State
) -> list[Gain]:
    """Returns what the partner admins that there are gain with the new content of the set, by situation (E21).

    Everything else that they have stays, and a client's ceiling holds here too (P08).
    """
    gained = content & ~await _content(connection, before.state_id)
    if not gained:
        return []
    # Clients in the order of their keys, as operations lock them: nobody decides over these grants meanwhile.
    await lock_rows(connection, _HELD.order_by(clients.c.id))
    return await _gains(connection, gained, before, after, content)


async def write_gains(connection: AsyncConnection, gains: Sequence[Gain], keys: Mapping[State, int]) -> None:
    """Writes the gains as one operation by the system, with one timeline entry for each grant (E21)."""
    moment = await moment_after(connection, (await connection.execute(_HELD)).scalars().all())
    operation_id = await _operation(connection, sum(gain.count for gain in gains), moment)
    position = 0
    for number, gain in enumerate(gains):
        await _apply(connection, gain, keys[gain.state], _Place(operation_id, number, position, moment))
        position += gain.count


async def _content(connection: AsyncConnection, state_id: int) -> State:
    content = await connection.scalar(select(permission_states.c.content).where(permission_states.c.id == state_id))
    return catalogue.decode(content or "")


def _situations() -> Select[Any]:
    """Selects the distinct situations of partner admins with their number; there are few, however many grants."""
    held, ceiling, of_set = (permission_states.alias(name) for name in ("held", "ceiling", "of_set"))
    columns = (grants.c.status, grants.c.state_id, grants.c.set_version_id, grants.c.customised, clients.c.ceiling_id)
    texts = (held.c.content, ceiling.c.content, of_set.c.content)
    named = (texts[0].label("held"), texts[1].label("ceiling"), texts[2].label("of_set"))
    return (
        select(*columns, *named, func.count().label("number"))
        .select_from(grants)
        .join(clients, clients.c.id == grants.c.client_id)
        .join(held, held.c.id == grants.c.state_id)
        .outerjoin(ceiling, ceiling.c.id == clients.c.ceiling_id)
        .outerjoin(permission_set_versions, permission_set_versions.c.id == grants.c.set_version_id)
        .outerjoin(of_set, of_set.c.id == permission_set_versions.c.state_id)
        .where(_LIVING)
        .group_by(*columns, *texts)
        .order_by(*columns)
    )


async def _gains(
    connection: AsyncConnection, gained: State, before: SetVersion, after: SetVersion, content: State
) -> list[Gain]:
    found = []
    for row in (await connection.execute(_situations())).all():
        held = catalogue.decode(row.held)
        allowed = gained if row.ceiling is None else gained & catalogue.decode(row.ceiling)
        state = held | catalogue.largest_closed_subset(held | allowed)
        if state == held:
            continue
        follows = row.set_version_id == before.id and (row.customised or state == content)
        of_set = content if follows else catalogue.decode(row.of_set or "")
        found.append(
            Gain(
                where=_LIVING
                & (grants.c.status == row.status)
                & (grants.c.state_id == row.state_id)
                & grants.c.set_version_id.is_not_distinct_from(row.set_version_id)
                & (grants.c.customised == row.customised)
                & clients.c.ceiling_id.is_not_distinct_from(row.ceiling_id),
                count=row.number,
                state=state,
                before=row,
                set_version_id=after.id if follows else row.set_version_id,
                customised=row.set_version_id is not None and state != of_set,
            )
        )
    return found


async def _operation(connection: AsyncConnection, total: int, moment: datetime) -> int:
    values = {
        "kind": OperationKind.REAPPLY,
        "state": OperationState.COMPLETED,
        "mode": RuleMode.CLAMP,
        "reason": "The permission catalogue and the Partner Admin set have gained permissions.",
        "request": "{}",
        "created_at": moment,
        "finished_at": moment,
        "atomic": True,
        "total": total,
        "applied": total,
        "noop": 0,
        "rejected": 0,
        "failed": 0,
    }
    made = await connection.execute(insert(operations).values(values).returning(operations.c.id))
    key: int = made.scalar_one()
    open_block(connection, key)
    return key


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the operation the cells of one situation stand."""

    operation_id: int
    number: int
    position: int
    moment: datetime


async def _apply(connection: AsyncConnection, gain: Gain, state_id: int, place: _Place) -> None:
    """Writes decision, timeline entries, outcomes and grants of one situation, each with one statement."""
    operation_id, number = place.operation_id, place.number
    decision = {
        "operation_id": operation_id,
        "number": number,
        "status": OutcomeStatus.APPLIED,
        "requested_state_id": state_id,
        "before_status": gain.before.status,
        "before_access_type": AccessType.PARTNER_ADMIN,
        "before_state_id": gain.before.state_id,
        "after_status": gain.before.status,
        "after_access_type": AccessType.PARTNER_ADMIN,
        "after_state_id": state_id,
        "seat": Seat.PARTNER,
        "set_version_id": gain.set_version_id,
        "customised": gain.customised,
    }
    await insert_many(connection, decisions, [decision])
    cell = (func.row_number().over(order_by=grants.c.id) + (place.position - 1)).label("position")
    affected = (
        select(grants, cell)
        .select_from(grants)
        .join(clients, clients.c.id == grants.c.client_id)
        .where(gain.where)
        .subquery()
    )
    same = affected.c
    entry = {
        "id": literal(operation_id * CELLS) + same.position,
        "operation_id": literal(operation_id),
        "partner_id": same.partner_id,
        "account_id": same.account_id,
        "client_id": same.client_id,
        "member_id": same.member_id,
        "grant_id": same.id,
        "at": literal(place.moment, timeline_entries.c.at.type),
        "before_status": same.status,
        "before_access_type": same.access_type,
        "before_seat": same.seat,
        "before_state_id": same.state_id,
        "before_set_version_id": same.set_version_id,
        "before_expires_at": same.expires_at,
        "after_status": same.status,
        "after_access_type": same.access_type,
        "after_seat": same.seat,
        "after_state_id": literal(state_id),
        "after_set_version_id": literal(gain.set_version_id, timeline_entries.c.after_set_version_id.type),
        "after_expires_at": same.expires_at,
    }
    outcome = {
        "operation_id": literal(operation_id),
        "position": same.position,
        "client_id": same.client_id,
        "member_id": same.member_id,
        "grant_id": same.id,
        "decision": literal(number),
        "status": literal(OutcomeStatus.APPLIED.value),
    }
    await connection.execute(insert(timeline_entries).from_select(list(entry), select(*entry.values())))
    await connection.execute(insert(outcomes).from_select(list(outcome), select(*outcome.values())))
    written = select(outcomes.c.grant_id).where(outcomes.c.operation_id == operation_id, outcomes.c.decision == number)
    await connection.execute(
        update(grants)
        .where(grants.c.id.in_(written))
        .values(
            state_id=state_id,
            set_version_id=gain.set_version_id,
            customised=gain.customised,
            version=grants.c.version + 1,
        )
    )
