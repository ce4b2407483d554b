"""Who decides for a client's account: its own super admins, and its own people who may add and edit users (F16, L6)."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import AccessType, grants, own_person
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from models.table import now
from resolvers.error import RefusalCode, refuse
from resolvers.interning import state_contents
from resolvers.viewer import Viewer

FOR_MANAGERS = "This is for the account's super admins, and for people who may add and edit its users: ask one of them."

_MANAGES_USERS = catalogue.state({"users.add": PermissionLevel.ALL, "users.edit": PermissionLevel.ALL})


def manages_users(state: State) -> bool:
    """Says whether somebody with this state may add and edit the account's users."""
    return catalogue.largest_closed_subset(state) & _MANAGES_USERS == _MANAGES_USERS


async def check_account_manager(
    connection: AsyncConnection, viewer: Viewer, account_id: int | None, *field: str
) -> bool:
    """Refuses whoever may not decide for an account, judged inside the transaction; says whether they are super admin.

    What a partner's person has in the account on behalf of the partner is no right of their own (L6).

    Raises:
        RefusedError: NOT_FOUND for an account whose own people the viewer is not one of (T1), FORBIDDEN.
    """
    own = select(grants.c.access_type, grants.c.state_id).where(
        grants.c.account_id == account_id, grants.c.user_id == viewer.user_id, own_person(grants, now())
    )
    place = (await connection.execute(own)).one_or_none()
    if place is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such account: viewer.accounts lists those whose own people you are one of.",
            *field,
        )
    if place.access_type == AccessType.SUPER_ADMIN:
        return True
    state = (await state_contents(connection, [place.state_id]))[place.state_id]
    if not manages_users(state):
        raise refuse(RefusalCode.FORBIDDEN, FOR_MANAGERS, *field)
    return False
