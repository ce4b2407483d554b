"""The people and clients of a hand-off: what was there when it was handed off, what is there now, and what was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import grants
from models.hand_off import hand_off_cells, hand_offs
from models.member import members
from models.operation import decisions, operations
from models.outcome import outcomes
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, RefusedError, refuse
from resolvers.hand_off.asked import again
from resolvers.hand_off.judge import keeping, stands_for
from resolvers.interning import state_contents
from resolvers.issuer import Issuer
from resolvers.operation.access import find_access, load_newest_versions, load_templates
from resolvers.operation.request import OnCustomised, OperationRequest
from resolvers.operation.stored_request import read_again
from resolvers.operation.target import member_rows, rows_by_key
from resolvers.readable import readable_hand_offs
from resolvers.viewer import Viewer

_FIELD = ("input", "handOff")


@dataclass(frozen=True, slots=True)
class HandedCell:
    """One person in one client."""

    client_id: int
    member_id: int
    seen_grant_id: int | None
    seen_version: int | None
    grant_id: int | None
    """The access that is there now."""
    set_version_id: int | None
    """Of that access."""
    held: State
    """What that access contains."""
    requested: State
    """What was asked for."""
    dropped: State
    """What a copied grant had besides, and this client cannot have (E27)."""

    def is_gone(self, *, gives: bool) -> bool:
        """Says whether access that was there was removed since: whoever took it away did not mean it to be given anew."""
        return gives and self.seen_grant_id is not None and self.grant_id is None


async def handed_cells(connection: AsyncConnection, viewer: Viewer, hand_off_id: int) -> list[HandedCell]:
    """Returns the cells of a hand-off, in the order of its operation."""
    cell = hand_off_cells
    outcome = and_(outcomes.c.operation_id == hand_offs.c.operation_id, outcomes.c.position == cell.c.position)
    ours = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    living = and_(grants.c.client_id == cell.c.client_id, grants.c.member_id == cell.c.member_id, grants.c.ended == 0)
    statement = (
        select(
            *(cell.c[name] for name in ("client_id", "member_id", "seen_grant_id", "seen_version")),
            grants.c.id.label("grant_id"),
            grants.c.set_version_id,
            grants.c.state_id,
            decisions.c.requested_state_id,
            decisions.c.dropped_state_id,
        )
        .select_from(
            cell.join(hand_offs, hand_offs.c.id == cell.c.hand_off_id)
            .join(outcomes, outcome)
            .join(decisions, ours)
            .outerjoin(grants, living)
        )
        .where(cell.c.hand_off_id == hand_off_id, hand_offs.c.id.in_(readable_hand_offs(viewer)))
        .order_by(cell.c.position)
    )
    rows = (await connection.execute(statement)).all()
    keys = {key for row in rows for key in (row.requested_state_id, row.dropped_state_id, row.state_id)}
    states = await state_contents(connection, keys - {None})
    return [
        HandedCell(
            row.client_id,
            row.member_id,
            row.seen_grant_id,
            row.seen_version,
            row.grant_id,
            row.set_version_id,
            states.get(row.state_id, 0),
            states.get(row.requested_state_id, 0),
            states.get(row.dropped_state_id, 0),
        )
        for row in rows
    ]


async def handed_request(
    connection: AsyncConnection, viewer: Viewer, issuer: Issuer, hand_off_id: int | None, reason: str | None
) -> tuple[int, OperationRequest]:
    """Returns the partner, and what was asked for in the operation of a hand-off, as it is asked for once more.

    Args:
        connection: of the transaction.
        viewer: who accepts.
        issuer: who makes the tokens of reviews.
        hand_off_id: the hand-off.
        reason: why; None as whoever asked has put it.

    Raises:
        RefusedError: FORBIDDEN or NOT_A_PARTNER (F01, F02), CONFLICT if it cannot be asked for any more.
    """
    statement = (
        select(operations.c.request, operations.c.partner_id)
        .join(hand_offs, hand_offs.c.operation_id == operations.c.id)
        .where(hand_offs.c.id == hand_off_id, hand_offs.c.id.in_(readable_hand_offs(viewer)))
    )
    row = (await connection.execute(statement)).one()
    await check_acting(connection, viewer, row.partner_id)
    request = read_again(row.request, issuer)
    if request is None:
        raise RuntimeError(f"Hand-off {hand_off_id} is of an operation without a request.")
    if request.expiry is not None and request.expiry.at is not None and request.expiry.at <= now():
        raise refuse(RefusalCode.CONFLICT, "The expiry that was asked for has passed.", *_FIELD)
    return row.partner_id, again(request, reason)


async def as_asked(
    connection: AsyncConnection,
    viewer: Viewer,
    partner_id: int,
    request: OperationRequest,
    cells: Sequence[HandedCell],
) -> list[HandedCell]:
    """Returns the cells for which the request still stands for what was asked for when it was made.

    Raises:
        RefusedError: CONFLICT if the set or the copied grant is not there any more.
    """
    if request.access is None:
        return list(cells)
    try:
        source = await find_access(connection, viewer, partner_id, request.access)
    except RefusedError as error:
        what = "What was to be given is not there any more: the permission set was archived, or the copied access has ended."
        raise refuse(RefusalCode.CONFLICT, what, *_FIELD) from error
    fixed = source.fixed or source.copied
    if fixed is not None:
        return [cell for cell in cells if stands_for(source, fixed.state, cell.requested, cell.dropped)]
    versions = [cell.set_version_id for cell in cells]
    if source.by_default:
        people = {cell.member_id for cell in cells}
        found = await rows_by_key(connection, member_rows(viewer, locked=False), members, people)
        versions = [found[cell.member_id].default_version_id for cell in cells]
    newest = await load_newest_versions(connection, {key for key in versions if key is not None})
    given = [None if key is None else newest.get(key) for key in versions]
    if source.by_current_version and request.on_customised is OnCustomised.KEEP:
        templates = await load_templates(connection, {key for key in versions if key is not None})
        given = [
            what and keeping(what, catalogue.largest_closed_subset(cell.held), templates.get(key or 0))
            for cell, key, what in zip(cells, versions, given, strict=True)
        ]
    return [
        cell
        for cell, now_given in zip(cells, given, strict=True)
        if now_given and stands_for(source, now_given.state, cell.requested, cell.dropped)
    ]
