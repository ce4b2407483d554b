"""Every table of the service in one place, for migrations and tests."""

from sqlmodel import SQLModel

from models import (
    access_link,
    account,
    api_token,
    asset,
    client,
    confirmation_link,
    feedback,
    grant,
    idempotency_key,
    mail,
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
    access_link.access_links,
    access_link.link_approvals,
    confirmation_link.confirmation_links,
    confirmation_link.confirmation_link_members,
    asset.assets,
    asset.asset_holdings,
    asset.asset_transfers,
    mail.mails,
    feedback.feedback,
    feedback.permission_issues,
    feedback.wish_votes,
)

metadata = SQLModel.metadata
