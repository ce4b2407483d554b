"""Who decides for a client's account: its own super admins, and its own people who may add and edit users (F16, L6)."""

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import AccessType, GrantStatus, grants, unexpired
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.table import now
from resolvers.error import RefusalCode, refuse
from resolvers.interning import state_contents
from resolvers.viewer import Viewer

MANAGES_USERS = catalogue.state({"users.add": PermissionLevel.ALL, "users.edit": PermissionLevel.ALL})


def own_place(user_id: int, account_id: int | None) -> Select[Any]:
    """Selects what a person is in an account as one of its own people, while it counts."""
    return (
        select(grants.c.id, grants.c.access_type, grants.c.state_id)
        .where(grants.c.account_id == account_id, grants.c.user_id == user_id, grants.c.client_id.is_(None))
        .where(grants.c.ended == 0, grants.c.status == GrantStatus.ACTIVE.value, unexpired(grants, now()))
    )


async def check_account_manager(
    connection: AsyncConnection, viewer: Viewer, account_id: int | None, *field: str
) -> bool:
    """Refuses whoever may not decide for an account, judged inside the transaction; says whether they are super admin.

    What a partner's person has in the account on behalf of the partner is no right of their own (L6).

    Raises:
        RefusedError: NOT_FOUND for an account whose own people the viewer is not one of (T1), FORBIDDEN.
    """
    place = (await connection.execute(own_place(viewer.user_id, account_id))).one_or_none()
    if place is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such account: viewer.accounts lists those whose own people you are one of.",
            *field,
        )
    if place.access_type == AccessType.SUPER_ADMIN:
        return True
    state = (await state_contents(connection, [place.state_id]))[place.state_id]
    if catalogue.largest_closed_subset(state) & MANAGES_USERS != MANAGES_USERS:
        raise refuse(
            RefusalCode.FORBIDDEN,
            "This is for the account's super admins, and for people who may add and edit its users: ask one of them.",
            *field,
        )
    return False
