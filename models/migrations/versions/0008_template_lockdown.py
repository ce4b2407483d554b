"""Template lockdown: access by permission sets only, and which sets may be given (P27)."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IN_FORCE = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "template_lockdown",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        sa.Column("account_id", KEY, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("set_by_id", KEY, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by_id", KEY, nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(partner_id IS NULL) <> (account_id IS NULL)", name=op.f("ck_template_lockdown_owner")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_template_lockdown_account_id")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["user.id"], name=op.f("fk_template_lockdown_ended_by_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_template_lockdown_partner_id")),
        sa.ForeignKeyConstraint(["set_by_id"], ["user.id"], name=op.f("fk_template_lockdown_set_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template_lockdown")),
    )
    for owner in ("partner_id", "account_id"):
        op.create_index(
            f"uq_template_lockdown_{owner}",
            "template_lockdown",
            [owner],
            unique=True,
            sqlite_where=IN_FORCE,
            postgresql_where=IN_FORCE,
        )
    op.create_table(
        "template_lockdown_set",
        sa.Column("lockdown_id", KEY, nullable=False),
        sa.Column("set_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["lockdown_id"], ["template_lockdown.id"], name=op.f("fk_template_lockdown_set_lockdown_id")
        ),
        sa.ForeignKeyConstraint(["set_id"], ["permission_set.id"], name=op.f("fk_template_lockdown_set_set_id")),
        sa.PrimaryKeyConstraint("lockdown_id", "set_id", name=op.f("pk_template_lockdown_set")),
    )


def downgrade() -> None:
    """Moves down."""
    op.drop_table("template_lockdown_set")
    op.drop_table("template_lockdown")
