"""Activity of people in client accounts, its totals by day, and when each was last active."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = (
    "kind = 'SIGNED_IN' OR kind = 'VIEWED' OR kind = 'CREATED' OR kind = 'UPDATED' OR kind = 'DELETED' OR kind = 'COMMUNICATED'"
    " OR kind = 'IMPORTED' OR kind = 'EXPORTED' OR kind = 'CONFIGURED' OR kind = 'OTHER'"
)


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "activity_source",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_activity_source_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_source")),
        sa.UniqueConstraint("partner_id", "name", name=op.f("uq_activity_source_partner_id_name")),
    )
    op.create_table(
        "activity_event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("permission", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_activity_event_kind")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_activity_event_client_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_activity_event_member_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_activity_event_partner_id")),
        sa.ForeignKeyConstraint(["source_id"], ["activity_source.id"], name=op.f("fk_activity_event_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_event")),
        sa.UniqueConstraint("source_id", "event_id", name=op.f("uq_activity_event_source_id_event_id")),
    )
    for owner in ("partner", "client", "member"):
        op.create_index(f"ix_activity_event_{owner}", "activity_event", [f"{owner}_id", "at", "id"])
    op.create_table(
        "activity_day",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("permission", sa.String(), nullable=False),
        sa.Column("total", KEY, nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_activity_day_kind")),
        sa.CheckConstraint("total > 0", name=op.f("ck_activity_day_total")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_activity_day_client_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_activity_day_member_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_activity_day_partner_id")),
        sa.PrimaryKeyConstraint(
            "partner_id", "day", "client_id", "member_id", "kind", "permission", name=op.f("pk_activity_day")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_activity_day_client", "activity_day", ["client_id", "member_id", "day"])
    op.create_index("ix_activity_day_member", "activity_day", ["member_id", "day"])
    op.create_table(
        "last_activity",
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_last_activity_client_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_last_activity_member_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_last_activity_partner_id")),
        sa.PrimaryKeyConstraint("client_id", "member_id", name=op.f("pk_last_activity")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_last_activity_member_id"), "last_activity", ["member_id"])


def downgrade() -> None:
    """Moves down."""
    op.drop_table("last_activity")
    op.drop_table("activity_day")
    op.drop_table("activity_event")
    op.drop_table("activity_source")
