"""The queue of large operations: targets fixed when they were asked for, chunks, cancellations and retries."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "operation_cancellation",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["operation.id"], name=op.f("fk_operation_cancellation_operation_id")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_cancellation_partner_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_operation_cancellation_user_id")),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_operation_cancellation")),
    )
    op.create_table(
        "operation_chunk",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_operation_chunk_attempts")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_operation_chunk_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_chunk_partner_id")),
        sa.PrimaryKeyConstraint("operation_id", "number", name=op.f("pk_operation_chunk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "operation_retry",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("retried_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_operation_retry_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_retry_partner_id")),
        sa.ForeignKeyConstraint(["retried_id"], ["operation.id"], name=op.f("fk_operation_retry_retried_id")),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_operation_retry")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_operation_retry_retried_id"), "operation_retry", ["retried_id"], unique=False)

    op.create_table(
        "queued_operation",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_queued_operation_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_queued_operation_partner_id")),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_queued_operation")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_queued_operation_partner_id", "queued_operation", ["partner_id", "turn", "operation_id"], unique=False
    )

    op.create_table(
        "operation_member",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_operation_member_member_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_operation_member_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_member_partner_id")),
        sa.PrimaryKeyConstraint("operation_id", "position", name=op.f("pk_operation_member")),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_table(
        "operation_client",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_operation_client_client_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_operation_client_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_client_partner_id")),
        sa.PrimaryKeyConstraint("operation_id", "chunk", "position", name=op.f("pk_operation_client")),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_table(
        "operation_pair",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("wish", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_grant_id", KEY, nullable=True),
        sa.Column("seen_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_operation_pair_client_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_operation_pair_member_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_operation_pair_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_pair_partner_id")),
        sa.PrimaryKeyConstraint("operation_id", "chunk", "position", name=op.f("pk_operation_pair")),
        sqlite_with_rowid=False,
    )
    op.add_column("operation", sa.Column("error", sa.String(), nullable=True))
    op.create_index("ix_timeline_entry_partner", "timeline_entry", ["partner_id", "id"])


def downgrade() -> None:
    """Moves down."""
    op.drop_index("ix_timeline_entry_partner", "timeline_entry")
    op.drop_column("operation", "error")

    op.drop_table("operation_pair")
    op.drop_table("operation_client")
    op.drop_table("operation_member")
    op.drop_table("queued_operation")
    op.drop_table("operation_retry")
    op.drop_table("operation_chunk")
    op.drop_table("operation_cancellation")
