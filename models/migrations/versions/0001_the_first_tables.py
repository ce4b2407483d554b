"""The first tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SORT_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "partner",
        sa.Column("id", KEY, nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("program", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "program = 'SOLUTIONS_PARTNER' OR program = 'PROVIDER' OR program = 'NONE'", name=op.f("ck_partner_program")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner")),
        sa.UniqueConstraint("hub_id", name=op.f("uq_partner_hub_id")),
    )
    op.create_table(
        "permission_state",
        sa.Column("id", KEY, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permission_state")),
        sa.UniqueConstraint("digest", name=op.f("uq_permission_state_digest")),
    )
    op.create_table(
        "user",
        sa.Column("id", KEY, nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", SORT_TEXT, nullable=False),
        sa.Column("first_name", sa.String(), nullable=False),
        sa.Column("last_name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email_key", name=op.f("uq_user_email_key")),
    )
    op.create_table(
        "account",
        sa.Column("id", KEY, nullable=False),
        sa.Column("hub_id", sa.BigInteger(), nullable=False),
        sa.Column("official_name", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=True),
        sa.Column("account_type", sa.String(), nullable=False),
        sa.Column("tiers", sa.Text(), nullable=False),
        sa.Column("registered_by_id", KEY, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "account_type = 'STANDARD' OR account_type = 'SANDBOX' OR account_type = 'DEVELOPER_TEST' OR account_type = 'APP_DEVELOPER'",
            name=op.f("ck_account_account_type"),
        ),
        sa.ForeignKeyConstraint(["registered_by_id"], ["partner.id"], name=op.f("fk_account_registered_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("hub_id", name=op.f("uq_account_hub_id")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_api_token_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    with op.batch_alter_table("api_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_token_user_id"), ["user_id"], unique=False)

    op.create_table(
        "idempotency_key",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_idempotency_key_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_key")),
        sa.UniqueConstraint("user_id", "field", "key", name=op.f("uq_idempotency_key_user_id_field_key")),
    )
    op.create_table(
        "operation",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("atomic", sa.Boolean(), nullable=False),
        sa.Column("requested_by_id", KEY, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("applied", sa.Integer(), nullable=False),
        sa.Column("noop", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind = 'GRANT' OR kind = 'CHANGE' OR kind = 'DEACTIVATE' OR kind = 'REACTIVATE' OR kind = 'REMOVE' OR kind = 'MIGRATE' OR kind = 'ASSIGN_TEAMS' OR kind = 'REAPPLY' OR kind = 'UNDO' OR kind = 'EXPIRE'",
            name=op.f("ck_operation_kind"),
        ),
        sa.CheckConstraint("mode = 'CLAMP' OR mode = 'STRICT'", name=op.f("ck_operation_mode")),
        sa.CheckConstraint(
            "state = 'QUEUED' OR state = 'RUNNING' OR state = 'COMPLETED' OR state = 'CANCELLED' OR state = 'FAILED'",
            name=op.f("ck_operation_state"),
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_partner_id")),
        sa.ForeignKeyConstraint(["requested_by_id"], ["user.id"], name=op.f("fk_operation_requested_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
    )
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.create_index("ix_operation_partner_id", ["partner_id", "id"], unique=False)

    op.create_table(
        "permission_set",
        sa.Column("id", KEY, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("partner_id", KEY, nullable=True),
        sa.Column("account_id", KEY, nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(origin = 'BUILT_IN' AND key IS NOT NULL AND partner_id IS NULL AND account_id IS NULL) OR (origin = 'PARTNER' AND partner_id IS NOT NULL AND account_id IS NULL) OR (origin = 'CLIENT' AND account_id IS NOT NULL AND partner_id IS NULL)",
            name=op.f("ck_permission_set_owner"),
        ),
        sa.CheckConstraint(
            "origin = 'BUILT_IN' OR origin = 'PARTNER' OR origin = 'CLIENT'", name=op.f("ck_permission_set_origin")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_permission_set_account_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_permission_set_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permission_set")),
        sa.UniqueConstraint("key", name=op.f("uq_permission_set_key")),
    )
    with op.batch_alter_table("permission_set", schema=None) as batch_op:
        batch_op.create_index(
            "uq_permission_set_account_name",
            ["account_id", "name_key"],
            unique=True,
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.create_index(
            "uq_permission_set_partner_name",
            ["partner_id", "name_key"],
            unique=True,
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )

    op.create_table(
        "team",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_team_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_team_account_id_name")),
    )
    op.create_table(
        "member",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("manager_rights", sa.String(), nullable=False),
        sa.Column("super_admin", sa.Boolean(), nullable=False),
        sa.Column("first_name", sa.String(), nullable=False),
        sa.Column("last_name", sa.String(), nullable=False),
        sa.Column("default_permission_set_id", KEY, nullable=True),
        sa.Column("active_clients", sa.Integer(), nullable=False),
        sa.Column("sort_name", SORT_TEXT, nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind = 'EMPLOYEE' OR kind = 'CONTRACTOR'", name=op.f("ck_member_kind")),
        sa.CheckConstraint(
            "manager_rights = 'NONE' OR manager_rights = 'VIEW' OR manager_rights = 'EDIT'",
            name=op.f("ck_member_manager_rights"),
        ),
        sa.CheckConstraint(
            "status = 'ACTIVE' OR status = 'DEACTIVATED' OR status = 'LEFT'", name=op.f("ck_member_status")
        ),
        sa.ForeignKeyConstraint(
            ["default_permission_set_id"], ["permission_set.id"], name=op.f("fk_member_default_permission_set_id")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_member_partner_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_member_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("partner_id", "user_id", name=op.f("uq_member_partner_id_user_id")),
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index("ix_member_kind_page", ["partner_id", "kind", "sort_name", "id"], unique=False)
        batch_op.create_index("ix_member_page", ["partner_id", "sort_name", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_member_user_id"), ["user_id"], unique=False)

    op.create_table(
        "permission_set_version",
        sa.Column("id", KEY, nullable=False),
        sa.Column("set_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state_id", KEY, nullable=False),
        sa.Column("created_by_id", KEY, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_permission_set_version_created_by_id")),
        sa.ForeignKeyConstraint(["set_id"], ["permission_set.id"], name=op.f("fk_permission_set_version_set_id")),
        sa.ForeignKeyConstraint(["state_id"], ["permission_state.id"], name=op.f("fk_permission_set_version_state_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permission_set_version")),
        sa.UniqueConstraint("set_id", "version", name=op.f("uq_permission_set_version_set_id_version")),
    )
    op.create_table(
        "client",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("display_name", sa.String(), nullable=True),
        sa.Column("managed_mrr", sa.BigInteger(), nullable=True),
        sa.Column("sold_mrr", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("lead_id", KEY, nullable=True),
        sa.Column("ceiling_id", KEY, nullable=True),
        sa.Column("active_people", sa.Integer(), nullable=False),
        sa.Column("deactivated_people", sa.Integer(), nullable=False),
        sa.Column("active_partner_admins", sa.Integer(), nullable=False),
        sa.Column("sort_name", SORT_TEXT, nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "active_people >= 0 AND deactivated_people >= 0 AND active_partner_admins >= 0",
            name=op.f("ck_client_counters"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_client_account_id")),
        sa.ForeignKeyConstraint(["ceiling_id"], ["permission_state.id"], name=op.f("fk_client_ceiling_id")),
        sa.ForeignKeyConstraint(["lead_id"], ["member.id"], name=op.f("fk_client_lead_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_client_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
        sa.UniqueConstraint("partner_id", "account_id", name=op.f("uq_client_partner_id_account_id")),
    )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.create_index("ix_client_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_client_page", ["partner_id", "sort_name", "id"], unique=False)

    op.create_table(
        "decision",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("requested_state_id", KEY, nullable=True),
        sa.Column("authority_state_id", KEY, nullable=True),
        sa.Column("dropped_state_id", KEY, nullable=True),
        sa.Column("dropped_teams", sa.Text(), nullable=True),
        sa.Column("before_status", sa.String(), nullable=True),
        sa.Column("before_access_type", sa.String(), nullable=True),
        sa.Column("before_state_id", KEY, nullable=True),
        sa.Column("before_seat", sa.String(), nullable=True),
        sa.Column("before_set_version_id", KEY, nullable=True),
        sa.Column("after_status", sa.String(), nullable=True),
        sa.Column("after_access_type", sa.String(), nullable=True),
        sa.Column("after_state_id", KEY, nullable=True),
        sa.Column("seat", sa.String(), nullable=True),
        sa.Column("set_version_id", KEY, nullable=True),
        sa.Column("customised", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "status = 'PENDING' OR status = 'APPLIED' OR status = 'NOOP' OR status = 'REJECTED' OR status = 'FAILED'",
            name=op.f("ck_decision_status"),
        ),
        sa.ForeignKeyConstraint(["after_state_id"], ["permission_state.id"], name=op.f("fk_decision_after_state_id")),
        sa.ForeignKeyConstraint(
            ["authority_state_id"], ["permission_state.id"], name=op.f("fk_decision_authority_state_id")
        ),
        sa.ForeignKeyConstraint(
            ["before_set_version_id"], ["permission_set_version.id"], name=op.f("fk_decision_before_set_version_id")
        ),
        sa.ForeignKeyConstraint(["before_state_id"], ["permission_state.id"], name=op.f("fk_decision_before_state_id")),
        sa.ForeignKeyConstraint(
            ["dropped_state_id"], ["permission_state.id"], name=op.f("fk_decision_dropped_state_id")
        ),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_decision_operation_id")),
        sa.ForeignKeyConstraint(
            ["requested_state_id"], ["permission_state.id"], name=op.f("fk_decision_requested_state_id")
        ),
        sa.ForeignKeyConstraint(
            ["set_version_id"], ["permission_set_version.id"], name=op.f("fk_decision_set_version_id")
        ),
        sa.PrimaryKeyConstraint("operation_id", "number", name=op.f("pk_decision")),
    )
    op.create_table(
        "grant",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        sa.Column("client_id", KEY, nullable=True),
        sa.Column("member_id", KEY, nullable=True),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("ended", KEY, nullable=False),
        sa.Column("access_type", sa.String(), nullable=False),
        sa.Column("seat", sa.String(), nullable=False),
        sa.Column("state_id", KEY, nullable=False),
        sa.Column("set_version_id", KEY, nullable=True),
        sa.Column("customised", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("granted_by_id", KEY, nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(status = 'REMOVED') = (ended = id)", name=op.f("ck_grant_ended")),
        sa.CheckConstraint("access_type <> 'PARTNER_ADMIN' OR seat = 'PARTNER'", name=op.f("ck_grant_partner_seat")),
        sa.CheckConstraint(
            "access_type = 'SUPER_ADMIN' OR access_type = 'PARTNER_ADMIN' OR access_type = 'STANDARD'",
            name=op.f("ck_grant_access_type"),
        ),
        sa.CheckConstraint(
            "seat = 'PARTNER' OR seat = 'CORE' OR seat = 'SALES' OR seat = 'SERVICE' OR seat = 'VIEW_ONLY'",
            name=op.f("ck_grant_seat"),
        ),
        sa.CheckConstraint(
            "status = 'ACTIVE' OR status = 'DEACTIVATED' OR status = 'REMOVED'", name=op.f("ck_grant_status")
        ),
        sa.CheckConstraint(
            "(partner_id IS NULL) = (client_id IS NULL) AND (partner_id IS NULL) = (member_id IS NULL)",
            name=op.f("ck_grant_on_behalf"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_grant_account_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_grant_client_id")),
        sa.ForeignKeyConstraint(["granted_by_id"], ["user.id"], name=op.f("fk_grant_granted_by_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_grant_member_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_grant_partner_id")),
        sa.ForeignKeyConstraint(
            ["set_version_id"], ["permission_set_version.id"], name=op.f("fk_grant_set_version_id")
        ),
        sa.ForeignKeyConstraint(["state_id"], ["permission_state.id"], name=op.f("fk_grant_state_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_grant_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant")),
        sa.UniqueConstraint("client_id", "member_id", "ended", name=op.f("uq_grant_client_id_member_id_ended")),
    )
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.create_index("ix_grant_member", ["member_id", "client_id", "ended"], unique=False)
        batch_op.create_index(
            "ix_grant_partner_admin",
            ["client_id"],
            unique=False,
            sqlite_where=sa.text("access_type = 'PARTNER_ADMIN' AND status = 'ACTIVE'"),
            postgresql_where=sa.text("access_type = 'PARTNER_ADMIN' AND status = 'ACTIVE'"),
        )
        batch_op.create_index("ix_grant_set_version", ["set_version_id", "partner_id", "id"], unique=False)
        batch_op.create_index(
            "ix_grant_super_admin",
            ["account_id"],
            unique=False,
            sqlite_where=sa.text("access_type = 'SUPER_ADMIN' AND status = 'ACTIVE'"),
            postgresql_where=sa.text("access_type = 'SUPER_ADMIN' AND status = 'ACTIVE'"),
        )
        batch_op.create_index(
            "uq_grant_own_people",
            ["account_id", "user_id"],
            unique=True,
            sqlite_where=sa.text("client_id IS NULL AND ended = 0"),
            postgresql_where=sa.text("client_id IS NULL AND ended = 0"),
        )

    op.create_table(
        "grant_team",
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("team_id", KEY, nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grant.id"], name=op.f("fk_grant_team_grant_id")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_grant_team_team_id")),
        sa.PrimaryKeyConstraint("grant_id", "team_id", name=op.f("pk_grant_team")),
    )
    with op.batch_alter_table("grant_team", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_grant_team_team_id"), ["team_id"], unique=False)
        batch_op.create_index(
            "uq_grant_team_primary",
            ["grant_id"],
            unique=True,
            sqlite_where=sa.text("is_primary"),
            postgresql_where=sa.text("is_primary"),
        )

    op.create_table(
        "outcome",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("grant_id", KEY, nullable=True),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.CheckConstraint(
            "status = 'PENDING' OR status = 'APPLIED' OR status = 'NOOP' OR status = 'REJECTED' OR status = 'FAILED'",
            name=op.f("ck_outcome_status"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_outcome_client_id")),
        sa.ForeignKeyConstraint(["grant_id"], ["grant.id"], name=op.f("fk_outcome_grant_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_outcome_member_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_outcome_operation_id")),
        sa.PrimaryKeyConstraint("operation_id", "position", name=op.f("pk_outcome")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("outcome", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outcome_not_applied",
            ["operation_id", "status", "position"],
            unique=False,
            sqlite_where=sa.text("status <> 'APPLIED'"),
            postgresql_where=sa.text("status <> 'APPLIED'"),
        )

    op.create_table(
        "timeline_entry",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=True),
        sa.Column("member_id", KEY, nullable=True),
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before_status", sa.String(), nullable=True),
        sa.Column("before_access_type", sa.String(), nullable=True),
        sa.Column("before_seat", sa.String(), nullable=True),
        sa.Column("before_state_id", KEY, nullable=True),
        sa.Column("before_set_version_id", KEY, nullable=True),
        sa.Column("before_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("before_teams", sa.Text(), nullable=True),
        sa.Column("after_status", sa.String(), nullable=False),
        sa.Column("after_access_type", sa.String(), nullable=False),
        sa.Column("after_seat", sa.String(), nullable=False),
        sa.Column("after_state_id", KEY, nullable=False),
        sa.Column("after_set_version_id", KEY, nullable=True),
        sa.Column("after_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("after_teams", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_timeline_entry_account_id")),
        sa.ForeignKeyConstraint(
            ["after_set_version_id"], ["permission_set_version.id"], name=op.f("fk_timeline_entry_after_set_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["after_state_id"], ["permission_state.id"], name=op.f("fk_timeline_entry_after_state_id")
        ),
        sa.ForeignKeyConstraint(
            ["before_set_version_id"],
            ["permission_set_version.id"],
            name=op.f("fk_timeline_entry_before_set_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["before_state_id"], ["permission_state.id"], name=op.f("fk_timeline_entry_before_state_id")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_timeline_entry_client_id")),
        sa.ForeignKeyConstraint(["grant_id"], ["grant.id"], name=op.f("fk_timeline_entry_grant_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_timeline_entry_member_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_timeline_entry_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_timeline_entry_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline_entry")),
    )
    with op.batch_alter_table("timeline_entry", schema=None) as batch_op:
        batch_op.create_index("ix_timeline_entry_client", ["client_id", "id"], unique=False)
        batch_op.create_index("ix_timeline_entry_member", ["member_id", "id"], unique=False)


def downgrade() -> None:
    """Moves down."""
    with op.batch_alter_table("timeline_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_timeline_entry_member")
        batch_op.drop_index("ix_timeline_entry_client")

    op.drop_table("timeline_entry")
    with op.batch_alter_table("outcome", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outcome_not_applied",
            sqlite_where=sa.text("status <> 'APPLIED'"),
            postgresql_where=sa.text("status <> 'APPLIED'"),
        )

    op.drop_table("outcome")
    with op.batch_alter_table("grant_team", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_grant_team_primary", sqlite_where=sa.text("is_primary"), postgresql_where=sa.text("is_primary")
        )
        batch_op.drop_index(batch_op.f("ix_grant_team_team_id"))

    op.drop_table("grant_team")
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_grant_own_people",
            sqlite_where=sa.text("client_id IS NULL AND ended = 0"),
            postgresql_where=sa.text("client_id IS NULL AND ended = 0"),
        )
        batch_op.drop_index(
            "ix_grant_super_admin",
            sqlite_where=sa.text("access_type = 'SUPER_ADMIN' AND status = 'ACTIVE'"),
            postgresql_where=sa.text("access_type = 'SUPER_ADMIN' AND status = 'ACTIVE'"),
        )
        batch_op.drop_index("ix_grant_set_version")
        batch_op.drop_index(
            "ix_grant_partner_admin",
            sqlite_where=sa.text("access_type = 'PARTNER_ADMIN' AND status = 'ACTIVE'"),
            postgresql_where=sa.text("access_type = 'PARTNER_ADMIN' AND status = 'ACTIVE'"),
        )
        batch_op.drop_index("ix_grant_member")

    op.drop_table("grant")
    op.drop_table("decision")
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_index("ix_client_page")
        batch_op.drop_index("ix_client_account_id")

    op.drop_table("client")
    op.drop_table("permission_set_version")
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_member_user_id"))
        batch_op.drop_index("ix_member_page")
        batch_op.drop_index("ix_member_kind_page")

    op.drop_table("member")
    op.drop_table("team")
    with op.batch_alter_table("permission_set", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_permission_set_partner_name",
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )
        batch_op.drop_index(
            "uq_permission_set_account_name",
            sqlite_where=sa.text("archived_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL"),
        )

    op.drop_table("permission_set")
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.drop_index("ix_operation_partner_id")

    op.drop_table("operation")
    op.drop_table("idempotency_key")
    with op.batch_alter_table("api_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_token_user_id"))

    op.drop_table("api_token")
    op.drop_table("account")
    op.drop_table("user")
    op.drop_table("permission_state")
    op.drop_table("partner")
