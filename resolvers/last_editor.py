"""Somebody can always act in the manager: its last person with EDIT keeps the right (R14)."""

from sqlalchemy import ColumnElement, FromClause, and_, exists, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.member import ManagerRights, MemberStatus, members
from resolvers.error import RefusalCode, refuse

_OTHER = members.alias("other_editor")


def last_editor(rows: FromClause) -> ColumnElement[bool]:
    """Says whether a row of members, or of an alias of them, is the only one of its partner that acts in the manager (F02)."""
    another = exists().where(_OTHER.c.partner_id == rows.c.partner_id, _OTHER.c.id != rows.c.id, _acts(_OTHER))
    return and_(_acts(rows), not_(another.correlate(rows)))


async def check_other_editor(connection: AsyncConnection, member_id: int, *field: str) -> None:
    """Refuses to take the right to act from the last person who has it, themselves included; the partner is locked.

    Raises:
        RefusedError: LAST_EDITOR, at ``field`` of the input.
    """
    only = select(members.c.id).where(members.c.id == member_id, last_editor(members))
    if await connection.scalar(only) is not None:
        raise refuse(
            RefusalCode.LAST_EDITOR,
            "Nobody would be left who can act in the manager: give somebody else managerRights EDIT first.",
            *field,
        )


def _acts(rows: FromClause) -> ColumnElement[bool]:
    has_right = or_(rows.c.super_admin, rows.c.manager_rights == ManagerRights.EDIT.value)
    return and_(rows.c.status == MemberStatus.ACTIVE.value, has_right)
