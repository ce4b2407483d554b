"""Every table of the service in one place, for migrations and tests."""

from sqlmodel import SQLModel

from models import (
    account,
    api_token,
    client,
    grant,
    idempotency_key,
    member,
    operation,
    outcome,
    partner,
    permission_set,
    permission_state,
    team,
    timeline_entry,
    user,
)

TABLES = (
    partner.partners,
    user.users,
    member.members,
    account.accounts,
    client.clients,
    permission_state.permission_states,
    permission_set.permission_sets,
    permission_set.permission_set_versions,
    grant.grants,
    team.teams,
    team.grant_teams,
    operation.operations,
    operation.decisions,
    outcome.outcomes,
    timeline_entry.timeline_entries,
    api_token.api_tokens,
    idempotency_key.idempotency_keys,
)

metadata = SQLModel.metadata
