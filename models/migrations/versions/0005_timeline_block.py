"""The seals of the timeline, the place of an entry among those of its grant, and what takes back what."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Moves up; what was written before is sealed by ``cam migrate`` afterwards."""
    op.create_table(
        "timeline_block",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("chain", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("closing", sa.Boolean(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("outcomes", sa.Integer(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_timeline_block_operation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline_block")),
        sa.UniqueConstraint("chain", "number", name=op.f("uq_timeline_block_chain_number")),
    )
    op.create_index("ix_timeline_block_operation_id", "timeline_block", ["operation_id"], unique=False)
    op.create_index("ix_timeline_entry_grant", "timeline_entry", ["grant_id", "id"], unique=False)
    op.add_column("outcome", sa.Column("block_id", KEY, nullable=True))
    op.create_table(
        "operation_undo",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("undone_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_operation_undo_operation_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_operation_undo_partner_id")),
        sa.ForeignKeyConstraint(["undone_id"], ["operation.id"], name=op.f("fk_operation_undo_undone_id")),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_operation_undo")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_operation_undo_undone_id"), "operation_undo", ["undone_id"], unique=False)


def downgrade() -> None:
    """Moves down; the chunks of queued operations keep their keys."""
    op.drop_table("operation_undo")
    op.drop_column("outcome", "block_id")
    op.drop_index("ix_timeline_entry_grant", "timeline_entry")
    op.drop_table("timeline_block")
