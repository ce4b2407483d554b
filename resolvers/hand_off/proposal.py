"""Asking a colleague to do what an operation has left undone (N02)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.database import Database
from models.dialect import insert_many, lock_rows
from models.grant import grants
from models.hand_off import HandOffState, hand_off_cells, hand_offs
from models.member import MemberStatus, members
from models.operation import ENDED, OperationKind, operations
from models.outcome import outcomes
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.free_text import refusing_at, several_lines
from resolvers.hand_off.asked import asked_as_things_stand, can_be_asked_again
from resolvers.hand_off.capability import decisions_of, judged
from resolvers.hand_off.colleague import able_admins
from resolvers.hand_off.letter import tell_asked
from resolvers.hand_off.record import state_of
from resolvers.hand_off.standing import LIVING, cells_of, of_decisions, standing_cells
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.issuer import Issuer
from resolvers.operation.request import OperationRequest
from resolvers.operation.stored_request import read_again
from resolvers.readable import readable_clients, readable_members, readable_operations
from resolvers.viewer import Viewer

DAYS = 14
LONGEST_LIFE = 90
LONGEST_NOTE = 2_000
MOST_CELLS = 10_000
MOST_NAMED = 1_000
_ROWS_AT_ONCE = 10_000
_OPERATION, _TO = ("input", "operation"), ("input", "to")


@dataclass(frozen=True, slots=True)
class HandOffDraft:
    """What is to be handed off; a key is None for an id that cannot be read."""

    operation_id: int | None
    to_id: int | None
    issuer: Issuer
    note: str = ""
    client_ids: tuple[int | None, ...] | None = None
    """Only the outcomes in these clients; None for all."""
    member_ids: tuple[int | None, ...] | None = None
    """Only the outcomes about these people; None for all."""
    expires_in_days: int = DAYS


async def hand_off_operation(
    database: Database, viewer: Viewer, draft: HandOffDraft, call: IdempotentCall | None = None
) -> int:
    """Writes a hand-off with all outcomes that the colleague could do, tells the colleague, and returns its key.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN or NOT_A_PARTNER (F01, F02), INVALID_INPUT where the colleague could do none of it,
            CONFLICT where it cannot be handed off or the colleague was asked already.
    """
    if not 1 <= draft.expires_in_days <= LONGEST_LIFE:
        message = f"A hand-off lives 1 to {LONGEST_LIFE} days."
        raise refuse(RefusalCode.INVALID_INPUT, message, "input", "expiresInDays")
    with refusing_at("The note", "input", "note"):
        draft = replace(draft, note=several_lines(draft.note, LONGEST_NOTE))
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        key = await _hand_off(await session.connection(), viewer, draft)
        await remember(session, call, key)
    return key


async def _hand_off(connection: AsyncConnection, viewer: Viewer, draft: HandOffDraft) -> int:
    operation, request = await _operation(connection, viewer, draft)
    await _check_colleague(connection, viewer, draft, operation.partner_id)
    await _check_named(connection, readable_clients(viewer), clients, draft.client_ids, "clients")
    await _check_named(connection, readable_members(viewer), members, draft.member_ids, "members")
    cells = await _capable(connection, viewer, draft, operation, request)
    if len(cells) > MOST_CELLS:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"At most {MOST_CELLS:,} outcomes can be handed off at once: name some of the clients.",
            "input",
            "clients",
        )
    if not cells:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "Nothing of it is left undone that this colleague could do wholly: operation.whoCould says who could. What somebody has "
            "changed since then is left as it is.",
            *_TO,
        )
    waiting = await _asked_already(connection, draft)
    cells = [cell for cell in cells if cell["position"] not in waiting]
    if not cells:
        raise refuse(RefusalCode.CONFLICT, "This colleague was asked already: see partner.handOffs.", *_TO)
    moment = now()
    row = {
        "partner_id": operation.partner_id,
        "operation_id": operation.id,
        "asker_id": viewer.acting(operation.partner_id).member_id,
        "asked_id": draft.to_id,
        "note": draft.note,
        "state": HandOffState.OPEN.value,
        "reply": "",
        "created_at": moment,
        "expires_at": moment + timedelta(days=draft.expires_in_days),
        "total": len(cells),
        "left_out": 0,
    }
    made = (await connection.execute(insert(hand_offs).values(row).returning(hand_offs))).one()
    place = {"hand_off_id": made.id, "partner_id": operation.partner_id}
    await insert_many(connection, hand_off_cells, [{**place, **cell} for cell in cells])
    await tell_asked(connection, made)
    key: int = made.id
    return key


async def _operation(
    connection: AsyncConnection, viewer: Viewer, draft: HandOffDraft
) -> tuple[Row[Any], OperationRequest]:
    """Returns the operation and what was asked for in it."""
    named = ("id", "partner_id", "state", "kind", "request", "requested_by_id", "by_client")
    known = operations.c.id.in_(readable_operations(viewer))
    statement = select(*(operations.c[name] for name in named)).where(operations.c.id == draft.operation_id, known)
    found = (await connection.execute(statement)).one_or_none()
    if found is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such operation.", *_OPERATION)
    await check_acting(connection, viewer, found.partner_id)
    if found.by_client or found.requested_by_id != viewer.user_id:
        raise refuse(
            RefusalCode.FORBIDDEN,
            "Only whoever asked for an operation hands it off: it says what they wanted. Ask for it yourself.",
            *_OPERATION,
        )
    if found.state not in ENDED:
        raise refuse(RefusalCode.CONFLICT, "This operation has not ended yet: wait for it first.", *_OPERATION)
    request = read_again(found.request, draft.issuer)
    if request is None or not can_be_asked_again(OperationKind(found.kind), request):
        raise refuse(
            RefusalCode.CONFLICT,
            "Only what was given, changed, reactivated, migrated or put into teams by a request in the manager can be handed off: "
            "not an access matrix, whose file the colleague can apply, and not what takes access away, which needs EDIT alone.",
            *_OPERATION,
        )
    if request.expiry is not None and request.expiry.at is not None and request.expiry.at <= now():
        raise refuse(RefusalCode.CONFLICT, "The expiry that was asked for has passed: ask for it anew.", *_OPERATION)
    return found, request


async def _check_colleague(connection: AsyncConnection, viewer: Viewer, draft: HandOffDraft, partner_id: int) -> None:
    """Refuses whoever is no colleague; locks the person, so that nobody asks them for the same thing at the same time."""
    known = select(members.c.id).where(members.c.id == draft.to_id, members.c.id.in_(readable_members(viewer)))
    await lock_rows(connection, known)
    columns = select(members.c.partner_id, members.c.status, members.c.user_id).where(members.c.id.in_(known))
    person = (await connection.execute(columns)).one_or_none()
    if person is None or person.partner_id != partner_id:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", *_TO)
    if person.user_id == viewer.user_id:
        raise refuse(RefusalCode.INVALID_INPUT, "Ask somebody else than yourself.", *_TO)
    if person.status != MemberStatus.ACTIVE:
        raise refuse(RefusalCode.INVALID_INPUT, "This person does not work for the partner now.", *_TO)


async def _check_named(
    connection: AsyncConnection, known: Select[Any], table: Table, keys: tuple[int | None, ...] | None, place: str
) -> None:
    """Refuses ids that the viewer does not know of."""
    if keys is None:
        return
    if not 1 <= len(keys) <= MOST_NAMED:
        raise refuse(RefusalCode.INVALID_INPUT, f"Name 1 to {MOST_NAMED:,}, or leave it out.", "input", place)
    found = set((await connection.execute(known.where(table.c.id.in_({key for key in keys if key})))).scalars())
    refusals = [
        Refusal(RefusalCode.NOT_FOUND, f"There is no such {table.name}.", ("input", place, str(index)))
        for index, key in enumerate(keys)
        if key not in found
    ]
    if refusals:
        raise RefusedError(refusals)


async def _capable(
    connection: AsyncConnection, viewer: Viewer, draft: HandOffDraft, operation: Row[Any], request: OperationRequest
) -> list[dict[str, Any]]:
    """Returns the cells that the colleague could do wholly now, each with the access that is there; some more than may be handed off.

    Only where that access is what the operation has left: what somebody has changed since, the colleague is not asked to change.
    """
    made = await decisions_of(connection, [operation.id])
    if not made:
        return []
    asked = await asked_as_things_stand(
        connection, viewer, [(operation.id, operation.partner_id, OperationKind(operation.kind), request)]
    )
    outcome = outcomes.c
    seen = (
        outcome.position,
        outcome.member_id,
        LIVING.c.id.label("seen_grant_id"),
        LIVING.c.version.label("seen_version"),
    )
    mine = able_admins(viewer).where(grants.c.member_id == draft.to_id).with_only_columns(grants.c.client_id)
    statement = (
        standing_cells(viewer, asked)
        .add_columns(*seen)
        .where(outcome.operation_id == operation.id, of_decisions(made), outcome.client_id.in_(mine))
        .order_by(outcome.position)
    )
    if draft.client_ids is not None:
        statement = statement.where(outcome.client_id.in_(draft.client_ids))
    if draft.member_ids is not None:
        statement = statement.where(outcome.member_id.in_(draft.member_ids))
    found: list[dict[str, Any]] = []
    last = -1
    while rows := (await connection.execute(statement.where(outcome.position > last).limit(_ROWS_AT_ONCE))).all():
        cells = await cells_of(connection, rows)
        able = await judged(connection, viewer, asked, made, cells, only_id=draft.to_id)
        names = ("position", "client_id", "member_id", "seen_grant_id", "seen_version")
        found += [
            {name: getattr(row, name) for name in names}
            for row, cell in zip(rows, cells, strict=True)
            if draft.to_id in able[cell].member_ids
        ]
        last = rows[-1].position
        if len(found) > MOST_CELLS:
            break
    return found


async def _asked_already(connection: AsyncConnection, draft: HandOffDraft) -> set[int]:
    """Returns the outcomes for which the colleague's answer is awaited already."""
    waits = state_of(hand_offs, now()) == HandOffState.OPEN.value
    statement = (
        select(hand_off_cells.c.position)
        .join(hand_offs, hand_offs.c.id == hand_off_cells.c.hand_off_id)
        .where(hand_offs.c.operation_id == draft.operation_id, hand_offs.c.asked_id == draft.to_id, waits)
    )
    return set((await connection.execute(statement)).scalars())
