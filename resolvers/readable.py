"""Which rows a viewer may know of: the one place with a tenant filter, from which every read starts (T1).

Each function selects keys. What it leaves out does not exist for the viewer: unknown and foreign look the same.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, exists, false, or_, select

from models.access_link import access_links, link_approvals
from models.activity import activity_days, activity_events, last_activities
from models.client import clients
from models.confirmation_link import confirmation_links
from models.grant import grants, own_person
from models.hand_off import hand_offs
from models.member import members
from models.operation import operations
from models.partner import partners
from models.permission_set import PermissionSetOrigin, permission_sets
from models.pod import pods
from models.schedule import scheduled_leaves
from models.table import now
from models.team import teams
from models.template_lockdown import template_lockdowns
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers.viewer import Viewer

# Aliases, because whoever starts from these keys may have the tables themselves in the statement around them.
_PLACE, _CLIENT = members.alias("known_place"), clients.alias("known_client")
_OWN, _LET_IN = grants.alias("own_place"), grants.alias("let_in")


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


def readable_account_sets(viewer: Viewer) -> Select[Any]:
    """Selects the built-in sets and those of the accounts whose own people the viewer is one of now (F49)."""
    own = permission_sets.c.account_id.in_(readable_accounts(viewer))
    shared = permission_sets.c.origin == PermissionSetOrigin.BUILT_IN
    return select(permission_sets.c.id).where(or_(own, shared) if viewer.account_ids else own)


def readable_lockdowns(viewer: Viewer) -> Select[Any]:
    """Selects the lockdowns of the partners whose manager is open to the viewer, and of their clients' accounts (P27)."""
    partners_own = template_lockdowns.c.partner_id.in_(viewer.open_partner_ids)
    clients_own = _is_client(viewer, template_lockdowns.c.account_id)
    return select(template_lockdowns.c.id).where(or_(partners_own, clients_own))


def readable_account_lockdowns(viewer: Viewer) -> Select[Any]:
    """Selects the lockdowns of the accounts whose own people the viewer is one of now (P27)."""
    return select(template_lockdowns.c.id).where(template_lockdowns.c.account_id.in_(readable_accounts(viewer)))


def readable_accounts(viewer: Viewer) -> Select[Any]:
    """Selects the accounts whose own people the viewer is one of now (section 3, *the client's side*)."""
    return select(_OWN.c.account_id).where(_OWN.c.user_id == viewer.user_id, own_person(_OWN, now()))


def readable_account_partners(viewer: Viewer) -> Select[Any]:
    """Selects the relationships of these accounts, each with one partner: those that the client has had something to do with.

    That a partner has merely written down the account's Hub ID is the partner's own business.
    """
    known = or_(clients.c.confirmed_at.is_not(None), clients.c.ceiling_id.is_not(None), _has_been_let_in())
    return select(clients.c.id).where(clients.c.account_id.in_(readable_accounts(viewer)), known)


def readable_timeline(viewer: Viewer) -> Select[Any]:
    """Selects what happened to the access of the people of the partners whose manager is open to the viewer (F55)."""
    return select(timeline_entries.c.id).where(timeline_entries.c.partner_id.in_(viewer.open_partner_ids))


def readable_account_timeline(viewer: Viewer) -> Select[Any]:
    """Selects what happened to access in the accounts whose own people the viewer is one of now, whoever's it is (F55)."""
    return select(timeline_entries.c.id).where(timeline_entries.c.account_id.in_(readable_accounts(viewer)))


def readable_activity(viewer: Viewer) -> Select[Any]:
    """Selects what the people of the partners whose manager is open to the viewer did in client accounts (F52)."""
    return select(activity_events.c.id).where(activity_events.c.partner_id.in_(viewer.open_partner_ids))


def readable_account_activity(viewer: Viewer) -> Select[Any]:
    """Selects what partners' people did in the accounts whose own people the viewer is one of now (F52)."""
    return select(activity_events.c.id).where(activity_events.c.client_id.in_(readable_account_partners(viewer)))


def readable_activity_days(viewer: Viewer) -> Select[Any]:
    """Selects how often the people of the partners whose manager is open to the viewer did what, by day (F52)."""
    return select(activity_days.c.day).where(activity_days.c.partner_id.in_(viewer.open_partner_ids))


def readable_account_activity_days(viewer: Viewer) -> Select[Any]:
    """Selects how often partners' people did what in the accounts whose own people the viewer is one of now (F52)."""
    return select(activity_days.c.day).where(activity_days.c.client_id.in_(readable_account_partners(viewer)))


def readable_last_activity(viewer: Viewer) -> Select[Any]:
    """Selects when the people of the partners whose manager is open to the viewer were last active where (F52)."""
    return select(last_activities.c.at).where(last_activities.c.partner_id.in_(viewer.open_partner_ids))


def readable_account_last_activity(viewer: Viewer) -> Select[Any]:
    """Selects when partners' people were last active in the accounts whose own people the viewer is one of now (F52)."""
    return select(last_activities.c.at).where(last_activities.c.client_id.in_(readable_account_partners(viewer)))


def readable_access_links(viewer: Viewer) -> Select[Any]:
    """Selects the access links of the people of the partners whose manager is open to the viewer (F15, P06)."""
    return select(access_links.c.id).where(access_links.c.partner_id.in_(viewer.open_partner_ids))


def readable_link_approvals(viewer: Viewer) -> Select[Any]:
    """Selects what accounts have said to such links (P06)."""
    return select(link_approvals.c.id).where(link_approvals.c.partner_id.in_(viewer.open_partner_ids))


def readable_confirmation_links(viewer: Viewer) -> Select[Any]:
    """Selects the confirmation links of the partners whose manager is open to the viewer (F53)."""
    return select(confirmation_links.c.id).where(confirmation_links.c.partner_id.in_(viewer.open_partner_ids))


def readable_answered_links(viewer: Viewer) -> Select[Any]:
    """Selects the confirmation links that were answered for accounts whose own people the viewer is one of now (F53)."""
    here = select(clients.c.id).where(clients.c.account_id.in_(readable_accounts(viewer)))
    answered = confirmation_links.c.answer.is_not(None)
    return select(confirmation_links.c.id).where(answered, confirmation_links.c.client_id.in_(here))


def readable_scheduled_leaves(viewer: Viewer) -> Select[Any]:
    """Selects the planned leavings of the partners whose manager is open to the viewer (P14)."""
    return select(scheduled_leaves.c.id).where(scheduled_leaves.c.partner_id.in_(viewer.open_partner_ids))


def readable_operations(viewer: Viewer) -> Select[Any]:
    """Selects the operations of the partners whose manager is open to the viewer (P01)."""
    return select(operations.c.id).where(operations.c.partner_id.in_(viewer.open_partner_ids))


def readable_hand_offs(viewer: Viewer) -> Select[Any]:
    """Selects what people of the partners whose manager is open to the viewer have asked each other to do (N02)."""
    return select(hand_offs.c.id).where(hand_offs.c.partner_id.in_(viewer.open_partner_ids))


def readable_pods(viewer: Viewer) -> Select[Any]:
    """Selects the pods of the partners whose manager is open to the viewer (P09)."""
    return select(pods.c.id).where(pods.c.partner_id.in_(viewer.open_partner_ids))


def _has_been_let_in() -> ColumnElement[bool]:
    """Says whether anybody has or had access on behalf of a row of clients."""
    return exists().where(_LET_IN.c.client_id == clients.c.id).correlate(clients)


def _is_client(viewer: Viewer, account_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Says whether an account lets people of a partner in whose manager is open: naming its Hub ID alone opens nothing of it.

    One look-up, however many clients there are.
    """
    let_in = _CLIENT.c.active_people + _CLIENT.c.deactivated_people > 0
    return exists().where(_CLIENT.c.account_id == account_id, _CLIENT.c.partner_id.in_(viewer.open_partner_ids), let_in)
