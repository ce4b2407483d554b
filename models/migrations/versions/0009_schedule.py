"""Expiry of access: rules, reminders, what stays; and operations and leavings ahead of their time."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "expiry_rule",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("longest_days", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("remind_days", sa.String(), nullable=False),
        sa.Column("reminded_at", MOMENT, nullable=True),
        sa.Column("set_by_id", KEY, nullable=True),
        sa.Column("set_at", MOMENT, nullable=True),
        sa.CheckConstraint("action = 'DEACTIVATE' OR action = 'REMOVE'", name=op.f("ck_expiry_rule_action")),
        sa.CheckConstraint("longest_days > 0", name=op.f("ck_expiry_rule_longest")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_expiry_rule_partner_id")),
        sa.ForeignKeyConstraint(["set_by_id"], ["user.id"], name=op.f("fk_expiry_rule_set_by_id")),
        sa.PrimaryKeyConstraint("partner_id", name=op.f("pk_expiry_rule")),
    )
    op.create_table(
        "expiry_hold",
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grant.id"], name=op.f("fk_expiry_hold_grant_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_expiry_hold_partner_id")),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_expiry_hold")),
    )
    op.create_index(op.f("ix_expiry_hold_partner_id"), "expiry_hold", ["partner_id"])
    op.create_table(
        "expiry_reminder",
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grant.id"], name=op.f("fk_expiry_reminder_grant_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_expiry_reminder_partner_id")),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_expiry_reminder")),
    )
    op.create_index(op.f("ix_expiry_reminder_partner_id"), "expiry_reminder", ["partner_id"])
    op.create_table(
        "scheduled_operation",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("run_at", MOMENT, nullable=False),
        sa.Column("taken_at", MOMENT, nullable=True),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_scheduled_operation_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_scheduled_operation_partner_id")),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_scheduled_operation")),
    )
    _partial("ix_scheduled_operation_run_at", "scheduled_operation", ["run_at"], "taken_at IS NULL")
    _partial("ix_scheduled_operation_untold", "scheduled_operation", ["operation_id"], "told_at IS NULL")
    op.create_index("ix_scheduled_operation_partner_id", "scheduled_operation", ["partner_id"])
    op.create_table(
        "scheduled_leave",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("requested_by_id", KEY, nullable=False),
        sa.Column("run_at", MOMENT, nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("operation_id", KEY, nullable=True),
        sa.Column("cancelled_by_id", KEY, nullable=True),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_scheduled_leave_partner_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_scheduled_leave_member_id")),
        sa.ForeignKeyConstraint(["requested_by_id"], ["user.id"], name=op.f("fk_scheduled_leave_requested_by_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_scheduled_leave_operation_id")),
        sa.ForeignKeyConstraint(["cancelled_by_id"], ["user.id"], name=op.f("fk_scheduled_leave_cancelled_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_leave")),
    )
    _partial("ix_scheduled_leave_run_at", "scheduled_leave", ["run_at"], "ended_at IS NULL")
    _partial("uq_scheduled_leave_member", "scheduled_leave", ["member_id"], "ended_at IS NULL", unique=True)
    op.create_index("ix_scheduled_leave_partner_id", "scheduled_leave", ["partner_id"])
    op.add_column("client", sa.Column("longest_days", sa.Integer(), nullable=True))
    op.add_column("client", sa.Column("longest_days_at", MOMENT, nullable=True))
    # As a text: the tool would add the constraint in a step of its own, which SQLite does not have.
    key = KEY.dialect_impl(op.get_bind().dialect).compile(op.get_bind().dialect)
    by = 'CONSTRAINT fk_client_longest_days_by_id REFERENCES "user" (id)'
    op.execute(f"ALTER TABLE client ADD COLUMN longest_days_by_id {key} {by}")
    _partial("ix_grant_expires_at", "grant", ["expires_at"], "status = 'ACTIVE' AND expires_at IS NOT NULL")


def downgrade() -> None:
    """Moves down."""
    op.drop_index("ix_grant_expires_at", "grant")
    op.drop_column("client", "longest_days_by_id")
    op.drop_column("client", "longest_days_at")
    op.drop_column("client", "longest_days")
    op.drop_table("scheduled_leave")
    op.drop_table("scheduled_operation")
    op.drop_table("expiry_reminder")
    op.drop_table("expiry_hold")
    op.drop_table("expiry_rule")


def _partial(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
