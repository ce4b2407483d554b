"""Who may make and change an account's own permission sets (F49)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import AccessType, grants, own_person
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from models.permission_state import permission_states
from models.table import now
from resolvers.account_manager import manages_users
from resolvers.error import AccessCode, AccessError, RefusalCode, refuse
from resolvers.reader import Reader
from resolvers.viewer import Viewer

FOR_EDITORS = "This is for the account's super admins, and for those of its people with the permission Custom permission sets: ask one of them."
FOR_READERS = (
    "This is for the account's super admins, and for those of its people with the permission Custom permission sets or who may add "
    "and edit users: ask one of them."
)

_SHOWN = 3
"""So many permissions a message names."""
_EDITS_SETS = catalogue.state({"permission_sets.edit": PermissionLevel.ALL})
_ELEVATED = catalogue.partner_admin | catalogue.sensitive


def edits_sets(access_type: str, state: State) -> bool:
    """Says whether somebody with this place among the account's own people may change its sets."""
    return access_type == AccessType.SUPER_ADMIN or bool(catalogue.largest_closed_subset(state) & _EDITS_SETS)


async def check_set_editor(
    connection: AsyncConnection, viewer: Viewer, account_id: int | None, *field: str, gained: State = 0
) -> None:
    """Refuses whoever may not change an account's sets, judged inside the transaction.

    What a partner's person has in the account on behalf of the partner is no right of their own, as with links (L6). Whoever may
    change sets decides for the client, also over permissions that they do not hold themselves. Only what makes people partner
    admins, or is sensitive, comes into a set by nobody but those who could approve a link, which gives no less.

    Args:
        connection: of the transaction.
        viewer: who changes them.
        account_id: whose sets.
        field: where a refusal of the account stands.
        gained: what a set is to contain that it has not contained so far.

    Raises:
        RefusedError: NOT_FOUND for an account whose own people the viewer is not one of (T1), FORBIDDEN.
    """
    own = (
        select(grants.c.access_type, permission_states.c.content)
        .join(permission_states, permission_states.c.id == grants.c.state_id)
        .where(grants.c.account_id == account_id, grants.c.user_id == viewer.user_id, own_person(grants, now()))
    )
    place = (await connection.execute(own)).one_or_none()
    if place is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such account: viewer.accounts lists those whose own people you are one of.",
            *field,
        )
    state = catalogue.decode(place.content)
    if not edits_sets(place.access_type, state):
        raise refuse(RefusalCode.FORBIDDEN, FOR_EDITORS, *field)
    elevated = gained & _ELEVATED
    if elevated and place.access_type != AccessType.SUPER_ADMIN and not manages_users(state):
        raise refuse(RefusalCode.FORBIDDEN, _for_managers(elevated), "input", "permissions")


def _for_managers(elevated: State) -> str:
    labels = [catalogue.permissions[key].label for key in catalogue.levels(elevated)]
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return (
        f"{', '.join(labels[:_SHOWN])}{more}: what makes people partner admins, or is sensitive, is added by the account's super "
        "admins only, and by people who may both edit its permission sets and add and edit its users. Ask one of them, or leave it out."
    )


async def reads_sets_by_account(reader: Reader, keys: Sequence[int]) -> list[bool]:
    """Says for each account whether the viewer may look at its sets: who edits them, and who decides for the account."""
    own = grants.c
    rows = await reader.rows(
        select(own.account_id, own.access_type, permission_states.c.content)
        .join(permission_states, permission_states.c.id == own.state_id)
        .where(own.user_id == reader.viewer.user_id, own.account_id.in_(set(keys)), own_person(grants, now()))
    )
    reading = {
        row.account_id
        for row in rows
        for state in [catalogue.decode(row.content)]
        if edits_sets(row.access_type, state) or manages_users(state)
    }
    return [key in reading for key in keys]


def must_read_sets(reads: bool) -> None:  # noqa: FBT001 the answer of ``reads_sets_by_account``
    """Refuses who may know the account's name and no more.

    Raises:
        AccessError: FORBIDDEN.
    """
    if not reads:
        raise AccessError(AccessCode.FORBIDDEN, FOR_READERS)
