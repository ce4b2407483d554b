"""The answers to a hand-off: the colleague says no, or whoever asked takes it back (N02)."""

from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.dialect import lock_rows
from models.hand_off import HandOffState, hand_offs
from models.table import now
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import one_line, refusing_at
from resolvers.hand_off.letter import tell_asker
from resolvers.hand_off.record import state_of
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.readable import readable_hand_offs
from resolvers.viewer import Viewer

LONGEST_REPLY = 1_000
_FIELD = ("input", "handOff")
_OVER = {
    HandOffState.ACCEPTED: "It was accepted already.",
    HandOffState.DECLINED: "It was declined already.",
    HandOffState.WITHDRAWN: "Whoever asked has taken it back.",
    HandOffState.EXPIRED: (
        "It has expired, or whoever asked has left the agency. If it is still to be done, do it as a request of your own."
    ),
}


async def decline_hand_off(
    database: Database, viewer: Viewer, hand_off_id: int | None, reply: str, call: IdempotentCall | None = None
) -> int:
    """Says no to a hand-off and tells whoever asked why; returns its key.

    Raises:
        RefusedError: as ``open_hand_off``; INVALID_INPUT without a reason.
    """
    with refusing_at("The reason", "input", "reason"):
        reply = one_line(reply, LONGEST_REPLY)
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        found = await open_hand_off(connection, viewer, hand_off_id, by_asked=True)
        values = {"state": HandOffState.DECLINED.value, "answered_at": now(), "reply": reply}
        await connection.execute(update(hand_offs).where(hand_offs.c.id == found.id).values(values))
        await tell_asker(connection, found, accepted=False, reply=reply)
        await remember(session, call, found.id)
    key: int = found.id
    return key


async def withdraw_hand_off(
    database: Database, viewer: Viewer, hand_off_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Takes a hand-off back, for whoever asked; returns its key.

    Raises:
        RefusedError: as ``open_hand_off``.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        found = await open_hand_off(connection, viewer, hand_off_id, by_asked=False)
        values = {"state": HandOffState.WITHDRAWN.value, "answered_at": now()}
        await connection.execute(update(hand_offs).where(hand_offs.c.id == found.id).values(values))
        await remember(session, call, found.id)
    key: int = found.id
    return key


async def open_hand_off(
    connection: AsyncConnection, viewer: Viewer, hand_off_id: int | None, *, by_asked: bool, locked: bool = True
) -> Row[Any]:
    """Returns a hand-off that still awaits its answer, locked so that it gets one only.

    An asker who has lost their authority meanwhile does not matter: accepting is the colleague's own act. One who has left does:
    what they wanted is nobody's wish any more (R13).

    Args:
        connection: of the transaction.
        viewer: who answers.
        hand_off_id: which; None for an id that cannot be read.
        by_asked: whether it must be whoever was asked, else whoever asked.
        locked: whether to lock it.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN for anybody else, CONFLICT if it does not await an answer any more.
    """
    known = select(hand_offs.c.id).where(hand_offs.c.id == hand_off_id, hand_offs.c.id.in_(readable_hand_offs(viewer)))
    if locked:
        await lock_rows(connection, known)
    statement = select(hand_offs, state_of(hand_offs, now()).label("present")).where(hand_offs.c.id.in_(known))
    found = (await connection.execute(statement)).one_or_none()
    if found is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such hand-off.", *_FIELD)
    mine = {place.member_id for place in viewer.memberships}
    if (found.asked_id if by_asked else found.asker_id) not in mine:
        who = "Only the colleague who was asked answers it." if by_asked else "Only whoever asked takes it back."
        raise refuse(RefusalCode.FORBIDDEN, who, *_FIELD)
    if found.present != HandOffState.OPEN:
        raise refuse(RefusalCode.CONFLICT, _OVER[HandOffState(found.present)], *_FIELD)
    return found
