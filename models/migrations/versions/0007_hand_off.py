"""Hand-offs: outcomes that somebody asks a colleague to carry out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "hand_off",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("asker_id", KEY, nullable=False),
        sa.Column("asked_id", KEY, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_id", KEY, nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state = 'OPEN' OR state = 'ACCEPTED' OR state = 'DECLINED' OR state = 'WITHDRAWN'",
            name=op.f("ck_hand_off_state"),
        ),
        sa.CheckConstraint("(state = 'OPEN') = (answered_at IS NULL)", name=op.f("ck_hand_off_answered")),
        sa.CheckConstraint("(state = 'ACCEPTED') = (accepted_id IS NOT NULL)", name=op.f("ck_hand_off_accepted")),
        sa.CheckConstraint("asker_id <> asked_id", name=op.f("ck_hand_off_colleagues")),
        sa.CheckConstraint("total > 0 AND left_out >= 0 AND left_out < total", name=op.f("ck_hand_off_size")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_hand_off_partner_id")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_hand_off_operation_id")),
        sa.ForeignKeyConstraint(["asker_id"], ["member.id"], name=op.f("fk_hand_off_asker_id")),
        sa.ForeignKeyConstraint(["asked_id"], ["member.id"], name=op.f("fk_hand_off_asked_id")),
        sa.ForeignKeyConstraint(["accepted_id"], ["operation.id"], name=op.f("fk_hand_off_accepted_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_off")),
    )
    op.create_index("ix_hand_off_partner", "hand_off", ["partner_id", "id"])
    op.create_index("ix_hand_off_asked", "hand_off", ["asked_id", "id"])
    op.create_index("ix_hand_off_asker", "hand_off", ["asker_id", "id"])
    op.create_index("ix_hand_off_operation", "hand_off", ["operation_id", "id"])
    op.create_table(
        "hand_off_cell",
        sa.Column("hand_off_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("seen_grant_id", KEY, nullable=True),
        sa.Column("seen_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["hand_off_id"], ["hand_off.id"], name=op.f("fk_hand_off_cell_hand_off_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_hand_off_cell_partner_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_hand_off_cell_client_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_hand_off_cell_member_id")),
        sa.ForeignKeyConstraint(["seen_grant_id"], ["grant.id"], name=op.f("fk_hand_off_cell_seen_grant_id")),
        sa.PrimaryKeyConstraint("hand_off_id", "position", name=op.f("pk_hand_off_cell")),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Moves down."""
    op.drop_table("hand_off_cell")
    op.drop_table("hand_off")
