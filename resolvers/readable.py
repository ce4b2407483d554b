"""Which rows a viewer may know of: the one place with a tenant filter, from which every read starts (T1).

Each function selects keys. What it leaves out does not exist for the viewer: unknown and foreign look the same.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, exists, false, or_, select

from models.client import clients
from models.grant import GrantStatus, grants, unexpired
from models.member import members
from models.operation import operations
from models.partner import partners
from models.permission_set import PermissionSetOrigin, permission_sets
from models.table import now
from models.team import teams
from models.user import users
from resolvers.viewer import Viewer

# Aliases, because whoever starts from these keys may have the tables themselves in the statement around them.
_PLACE, _CLIENT = members.alias("known_place"), clients.alias("known_client")
_OWN = grants.alias("own_place")


def readable_partners(viewer: Viewer) -> Select[Any]:
    """Selects the partners the viewer is a member of, whether or not their manager is open to the viewer."""
    return select(partners.c.id).where(partners.c.id.in_(viewer.partner_ids))


def readable_clients(viewer: Viewer) -> Select[Any]:
    """Selects all clients of the partners whose manager is open to the viewer, access or not (F02, F21)."""
    return select(clients.c.id).where(clients.c.partner_id.in_(viewer.open_partner_ids))


def readable_members(viewer: Viewer) -> Select[Any]:
    """Selects the people of the partners whose manager is open to the viewer, and the viewer's own places (F02)."""
    return select(members.c.id).where(is_known_place(viewer, members))


def is_known_place(viewer: Viewer, rows: FromClause) -> ColumnElement[bool]:
    """Says whether a row of members, or of an alias of them, is one that ``readable_members`` selects."""
    own = [membership.member_id for membership in viewer.memberships if not membership.sees]
    condition = rows.c.partner_id.in_(viewer.open_partner_ids)
    return or_(condition, rows.c.id.in_(own)) if own else condition


def readable_users(viewer: Viewer) -> Select[Any]:
    """Selects the viewer, and everybody who is or was a member of a partner whose manager is open to the viewer."""
    is_member = exists().where(_PLACE.c.user_id == users.c.id, _PLACE.c.partner_id.in_(viewer.open_partner_ids))
    return select(users.c.id).where(or_(users.c.id == viewer.user_id, is_member))


def readable_grants(viewer: Viewer) -> Select[Any]:
    """Selects what the people of the partners whose manager is open to the viewer hold or held on their behalf."""
    return select(grants.c.id).where(grants.c.partner_id.in_(viewer.open_partner_ids))


def readable_teams(viewer: Viewer) -> Select[Any]:
    """Selects the teams of the accounts that are clients of a partner whose manager is open to the viewer (F54)."""
    return select(teams.c.id).where(_is_client(viewer, teams.c.account_id))


def readable_permission_sets(viewer: Viewer) -> Select[Any]:
    """Selects the built-in sets, those of the viewer's open partners and those of their clients' accounts (F49).

    Archived sets are among them, because grants still name them; lists leave them out.
    """
    shared = permission_sets.c.origin == PermissionSetOrigin.BUILT_IN
    partners_own = permission_sets.c.partner_id.in_(viewer.open_partner_ids)
    clients_own = _is_client(viewer, permission_sets.c.account_id)
    return select(permission_sets.c.id).where(or_(shared, partners_own, clients_own) if viewer.memberships else false())


def readable_accounts(viewer: Viewer) -> Select[Any]:
    """Selects the accounts whose own people the viewer is one of now (section 3, *the client's side*)."""
    return (
        select(_OWN.c.account_id)
        .where(_OWN.c.user_id == viewer.user_id, _OWN.c.client_id.is_(None), _OWN.c.ended == 0)
        .where(_OWN.c.status == GrantStatus.ACTIVE.value, unexpired(_OWN, now()))
    )


def readable_operations(viewer: Viewer) -> Select[Any]:
    """Selects the operations of the partners whose manager is open to the viewer (P01)."""
    return select(operations.c.id).where(operations.c.partner_id.in_(viewer.open_partner_ids))


def _is_client(viewer: Viewer, account_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Says whether an account lets people of a partner in whose manager is open: naming its Hub ID alone opens nothing of it.

    One look-up, however many clients there are.
    """
    let_in = _CLIENT.c.active_people + _CLIENT.c.deactivated_people > 0
    return exists().where(_CLIENT.c.account_id == account_id, _CLIENT.c.partner_id.in_(viewer.open_partner_ids), let_in)
