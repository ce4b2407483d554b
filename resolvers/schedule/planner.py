"""Who hears of what was planned and could not be done (P14)."""

from dataclasses import dataclass

from sqlalchemy import case, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.member import ManagerRights, MemberStatus, members
from models.user import users


@dataclass(frozen=True, slots=True)
class Planner:
    """Somebody who is told, and in what words."""

    user_id: int
    email_key: str
    planned: str
    """The beginning of a sentence: who it was."""


async def planners(connection: AsyncConnection, partner_id: int, requested_by_id: int) -> list[Planner]:
    """Returns who hears of what was planned: whoever planned it.

    If they are no active member any more, it is the partner's super admins; where none is active, whoever has EDIT.
    """
    is_planner = members.c.user_id == requested_by_id
    turn = case((is_planner, 0), (members.c.super_admin, 1), else_=2).label("turn")
    statement = (
        select(members.c.user_id, users.c.email_key, turn)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.partner_id == partner_id, members.c.status == MemberStatus.ACTIVE.value)
        .where(or_(is_planner, members.c.super_admin, members.c.manager_rights == ManagerRights.EDIT.value))
        .order_by("turn", members.c.id)
    )
    found = (await connection.execute(statement)).all()
    if found and found[0].turn == 0:
        return [Planner(found[0].user_id, found[0].email_key, "You have planned")]
    planner = await connection.scalar(select(users.c.email).where(users.c.id == requested_by_id))
    words = f"{planner}, who is no active member any more, has planned"
    return [Planner(row.user_id, row.email_key, words) for row in found if row.turn == found[0].turn]
