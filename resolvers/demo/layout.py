"""Which columns the rows of an ecosystem have; a table stands behind those to which it refers."""

from sqlalchemy import Table

from models.account import accounts
from models.client import clients
from models.grant import grants
from models.member import members
from models.operation import decisions, operations
from models.outcome import outcomes
from models.partner import partners
from models.permission_set import permission_set_versions, permission_sets
from models.team import grant_teams, teams
from models.timeline_entry import timeline_entries
from models.user import users


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_HELD = _words("status access_type seat state_id set_version_id expires_at teams")

LAYOUTS: dict[Table, tuple[str, ...]] = {
    partners: _words("id hub_id name program created_at"),
    users: _words("id email email_key first_name last_name created_at"),
    permission_sets: _words("id origin partner_id name name_key description version"),
    permission_set_versions: _words("id set_id version state_id created_by_id created_at"),
    members: _words(
        "id partner_id user_id kind status verified manager_rights super_admin first_name last_name default_permission_set_id"
        " active_clients sort_name search_text created_at"
    ),
    accounts: _words("id hub_id official_name domain account_type tiers registered_by_id created_at"),
    clients: _words(
        "id partner_id account_id display_name managed_mrr sold_mrr currency lead_id confirmed_at active_people"
        " deactivated_people active_partner_admins sort_name search_text since"
    ),
    grants: _words(
        "id partner_id client_id member_id account_id user_id status ended access_type seat state_id set_version_id customised"
        " expires_at version granted_by_id since removed_at fork"
    ),
    teams: _words("id account_id name"),
    grant_teams: _words("grant_id team_id is_primary"),
    operations: _words(
        "id partner_id kind state mode requested_by_id reason request created_at finished_at total applied noop rejected"
    ),
    decisions: _words(
        "operation_id number status code requested_state_id authority_state_id before_status before_access_type before_state_id"
        " before_seat before_set_version_id after_status after_access_type after_state_id seat set_version_id customised"
    ),
    outcomes: _words("operation_id position client_id member_id grant_id decision status"),
    timeline_entries: (
        *_words("id operation_id partner_id account_id client_id member_id grant_id at"),
        *(f"before_{name}" for name in _HELD),
        *(f"after_{name}" for name in _HELD),
    ),
}

NUMBERED = (partners, users, members, accounts, clients, permission_sets, permission_set_versions, teams, operations)
"""The tables whose keys the database counts."""
