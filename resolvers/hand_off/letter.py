"""What colleagues are told about hand-offs by mail, each once (N02, P22)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.hand_off import hand_off_cells
from models.member import MemberStatus, members
from models.operation import operations
from models.partner import partners
from models.user import full_name, users
from resolvers.mail import Letter, post


@dataclass(frozen=True, slots=True)
class _Person:
    name: str
    email: str
    status: MemberStatus


async def tell_asked(connection: AsyncConnection, hand_off: Any) -> None:
    """Tells whoever is asked, in the transaction that writes the hand-off."""
    asker, asked = await _person(connection, hand_off.asker_id), await _person(connection, hand_off.asked_id)
    partner = await connection.scalar(select(partners.c.name).where(partners.c.id == hand_off.partner_id))
    cells = hand_off_cells.c
    counts = select(cells.client_id, cells.member_id).where(cells.hand_off_id == hand_off.id)
    pairs = (await connection.execute(counts)).all()
    people, places = {pair.member_id for pair in pairs}, {pair.client_id for pair in pairs}
    asked_at: datetime | None = await connection.scalar(
        select(operations.c.created_at).where(operations.c.id == hand_off.operation_id)
    )
    of_when = "" if asked_at is None else f" of {asked_at:%Y-%m-%d %H:%M} UTC"
    counted = f"{_number(len(people), 'person', 'people')} in {_number(len(places), 'client', 'clients')}"
    what = (
        f"{asker.name} could not do all that they wanted in an operation{of_when} for {partner}: it needs permissions that you "
        f"have. It is about {counted}."
    )
    how = (
        f"Look at it among your hand-offs in the manager, and accept or decline it by {hand_off.expires_at:%Y-%m-%d %H:%M} UTC. "
        "Nothing happens unless you accept it, and then under your own authority."
    )
    note = (f"{asker.name} writes: {hand_off.note}",) if hand_off.note else ()
    subject = f"{asker.name} asks you to finish what they could not do"
    letter = Letter(f"hand-off:{hand_off.id}", asked.email, subject, (what, *note, how))
    await post(connection, letter)


async def tell_asker(connection: AsyncConnection, hand_off: Any, *, accepted: bool, reply: str = "") -> None:
    """Tells whoever asked what the colleague has answered, unless they have left."""
    asker, asked = await _person(connection, hand_off.asker_id), await _person(connection, hand_off.asked_id)
    if asker.status is MemberStatus.LEFT:
        return
    if accepted:
        subject = f"{asked.name} has accepted what you handed off"
        lines = [
            f"{asked.name} ({asked.email}) carries it out under their own authority: the hand-off names the operation."
        ]
    else:
        subject = f"{asked.name} has declined what you handed off"
        lines = [
            f"{asked.name} ({asked.email}) has declined it. {asked.name} writes: {reply}",
            "Nothing was changed. See operation.whoCould for others who could do it.",
        ]
    await post(connection, Letter(f"hand-off-answer:{hand_off.id}", asker.email, subject, tuple(lines)))


def _number(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


async def _person(connection: AsyncConnection, member_id: int) -> _Person:
    statement = (
        select(members.c.first_name, members.c.last_name, members.c.status, users.c.email_key)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.id == member_id)
    )
    row = (await connection.execute(statement)).one()
    return _Person(full_name(row.first_name, row.last_name, row.email_key), row.email_key, MemberStatus(row.status))
