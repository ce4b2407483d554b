"""What the people of the demo agency ask each other to do because they could not do it themselves (N02)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.dialect import insert_many
from models.grant import AccessType, GrantStatus, grants
from models.hand_off import HandOffState, hand_off_cells, hand_offs
from models.member import MemberStatus
from models.operation import OperationKind, operations
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.table import now
from resolvers.demo.blueprint import BEGINNING, DAYS
from resolvers.demo.cast import Part
from resolvers.demo.population import Place, Troupe
from resolvers.direct_operation import DirectCell, DirectOperation, write_directly
from resolvers.hand_off.letter import tell_asked
from resolvers.operation.decide import decide
from resolvers.operation.request import FromPermissions, OperationRequest, WriteOptions
from resolvers.operation.situation import ClientFacts, MemberFacts, Requested, Situation
from resolvers.operation.stored_request import NO_TARGETS, stored

LIFE = timedelta(days=30)
_AT = BEGINNING + timedelta(days=DAYS)
_ASKED = (("contacts.view", PermissionLevel.ALL), ("reports.view", PermissionLevel.ALL))
_REQUEST = OperationRequest(
    kind=OperationKind.GRANT,
    targets=NO_TARGETS,
    access=FromPermissions(_ASKED),
    options=WriteOptions(reason="Monthly report"),
)


async def write_hand_offs(connection: AsyncConnection, troupe: Troupe) -> None:
    """Writes two hand-offs to the owner, and one of hers, each about one of the two people of an operation."""
    owner, colleague = troupe.places[0], troupe.places[1]
    reduced = next(place for place in troupe.places if place.person.part is Part.REDUCED)
    operation_id, cells = await _refused(connection, troupe, reduced, owner)
    for position, note in enumerate(("Could you? I am no partner admin there.", "And this one, please.")):
        await _write(connection, troupe, (operation_id, reduced, owner), cells[position : position + 1], note)
    operation_id, cells = await _refused(connection, troupe, owner, colleague)
    await _write(connection, troupe, (operation_id, owner, colleague), cells[:1], "You know them better.")


async def _refused(
    connection: AsyncConnection, troupe: Troupe, asker: Place, asked: Place
) -> tuple[int, list[dict[str, int]]]:
    """Writes an operation in a client where only the other one is partner admin, with two outcomes; returns it and its cells."""
    client = await _client(connection, asker, asked)
    there = select(grants.c.member_id).where(grants.c.client_id == client.client_id, grants.c.ended == 0)
    present = set((await connection.execute(there)).scalars())
    people = [
        place
        for place in troupe.places
        if place.member_id not in present and place.person.part is Part.WORKER and _works(place)
    ][:2]
    requested = Requested(catalogue.closure(catalogue.state(dict(_ASKED))))
    facts = MemberFacts(MemberStatus.ACTIVE, verified=True, is_actor=False)
    decision = decide(_REQUEST, Situation(ClientFacts(None), facts, None, 0, requested), catalogue)
    operation = DirectOperation(
        troupe.partner_id, _REQUEST.kind, _AT, asker.user_id, _REQUEST.options.reason, stored(_REQUEST)
    )
    cells = [
        DirectCell(client.client_id, client.account_id, place.member_id, place.user_id, decision) for place in people
    ]
    await write_directly(connection, operation, cells)
    newest = await connection.scalar(
        select(func.max(operations.c.id)).where(operations.c.requested_by_id == asker.user_id)
    )
    where = [
        {"position": position, "client_id": cell.client_id, "member_id": cell.member_id}
        for position, cell in enumerate(cells)
    ]
    return int(newest or 0), where


def _works(place: Place) -> bool:
    return place.person.status is MemberStatus.ACTIVE and place.person.verified


async def _client(connection: AsyncConnection, asker: Place, asked: Place) -> Any:
    """Returns the first client where somebody is partner admin and the other one has no access."""
    has = grants.alias("askers")
    none = (
        ~select(has.c.id)
        .where(has.c.client_id == grants.c.client_id, has.c.member_id == asker.member_id, has.c.ended == 0)
        .exists()
    )
    statement = (
        select(grants.c.client_id, grants.c.account_id)
        .where(grants.c.member_id == asked.member_id, grants.c.access_type == AccessType.PARTNER_ADMIN)
        .where(grants.c.status == GrantStatus.ACTIVE, none)
        .order_by(grants.c.client_id)
        .limit(1)
    )
    return (await connection.execute(statement)).one()


async def _write(
    connection: AsyncConnection,
    troupe: Troupe,
    of: tuple[int, Place, Place],
    cells: Sequence[dict[str, int]],
    note: str,
) -> None:
    operation_id, asker, asked = of
    values = {
        "partner_id": troupe.partner_id,
        "operation_id": operation_id,
        "asker_id": asker.member_id,
        "asked_id": asked.member_id,
        "note": note,
        "state": HandOffState.OPEN,
        "reply": "",
        "created_at": now(),
        "expires_at": now() + LIFE,
        "total": len(cells),
        "left_out": 0,
    }
    made = (await connection.execute(insert(hand_offs).values(values).returning(hand_offs))).one()
    place = {"hand_off_id": made.id, "partner_id": troupe.partner_id}
    await insert_many(connection, hand_off_cells, [{**place, **cell} for cell in cells])
    await tell_asked(connection, made)
