"""Whether people may be unverified: an active partner admin stays verified (F09)."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import AccessType, GrantStatus, grants
from models.member import members


async def why_verified(connection: AsyncConnection, meant: ColumnElement[bool]) -> dict[int, str]:
    """Returns, for those of the meant members who are partner admins somewhere, why they cannot be unverified.

    The caller has locked the members: nobody becomes partner admin between this and the change.
    """
    held = await connection.execute(
        select(grants.c.member_id, func.count())
        .join(members, members.c.id == grants.c.member_id)
        .where(meant, grants.c.ended == 0)
        .where(grants.c.status == GrantStatus.ACTIVE, grants.c.access_type == AccessType.PARTNER_ADMIN)
        .group_by(grants.c.member_id)
    )
    return {key: _message(count) for key, count in held}


def _message(clients: int) -> str:
    where = "one client" if clients == 1 else f"{clients} clients"
    return f"The person is an active partner admin in {where}, and only verified people can be: take that access away first."
