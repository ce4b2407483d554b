"""Pods: groups of clients and people with a permission set."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SORT_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "pod",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", SORT_TEXT, nullable=False),
        sa.Column("set_id", KEY, nullable=False),
        sa.Column("created_by_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _reference("pod", "created_by_id", "user.id"),
        _reference("pod", "partner_id", "partner.id"),
        _reference("pod", "set_id", "permission_set.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pod")),
        sa.UniqueConstraint("partner_id", "name_key", name="uq_pod_name"),
    )
    for noun in ("client", "member"):
        name = f"pod_{noun}"
        op.create_table(
            name,
            sa.Column("pod_id", KEY, nullable=False),
            sa.Column(f"{noun}_id", KEY, nullable=False),
            sa.Column("partner_id", KEY, nullable=False),
            _reference(name, f"{noun}_id", f"{noun}.id"),
            _reference(name, "partner_id", "partner.id"),
            _reference(name, "pod_id", "pod.id"),
            sa.PrimaryKeyConstraint("pod_id", f"{noun}_id", name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
        op.create_index(f"ix_{name}_{noun}", name, [f"{noun}_id", "pod_id"])
    op.create_table(
        "pod_exclusion",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pod_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        _reference("pod_exclusion", "client_id", "client.id"),
        _reference("pod_exclusion", "member_id", "member.id"),
        _reference("pod_exclusion", "partner_id", "partner.id"),
        _reference("pod_exclusion", "pod_id", "pod.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pod_exclusion")),
        sa.UniqueConstraint(
            "pod_id", "client_id", "member_id", name=op.f("uq_pod_exclusion_pod_id_client_id_member_id")
        ),
    )
    op.create_index("ix_pod_exclusion_member", "pod_exclusion", ["member_id", "pod_id"])
    op.create_table(
        "pod_cell",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pod_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("leaving", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("grant_id", KEY, nullable=True),
        sa.Column("set_id", KEY, nullable=True),
        sa.CheckConstraint("(grant_id IS NULL) = (set_id IS NULL)", name=op.f("ck_pod_cell_given")),
        sa.CheckConstraint("NOT leaving OR grant_id IS NOT NULL", name=op.f("ck_pod_cell_leaving")),
        _reference("pod_cell", "client_id", "client.id"),
        _reference("pod_cell", "grant_id", "grant.id"),
        _reference("pod_cell", "member_id", "member.id"),
        _reference("pod_cell", "partner_id", "partner.id"),
        _reference("pod_cell", "pod_id", "pod.id"),
        _reference("pod_cell", "set_id", "permission_set.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pod_cell")),
        sa.UniqueConstraint("pod_id", "client_id", "member_id", name=op.f("uq_pod_cell_pod_id_client_id_member_id")),
    )
    op.create_index("ix_pod_cell_grant", "pod_cell", ["grant_id"])
    op.create_index("ix_pod_cell_member", "pod_cell", ["member_id", "pod_id"])
    op.create_table(
        "pod_editor",
        sa.Column("member_id", KEY, autoincrement=False, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("given_by_id", KEY, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        _reference("pod_editor", "given_by_id", "user.id"),
        _reference("pod_editor", "member_id", "member.id"),
        _reference("pod_editor", "partner_id", "partner.id"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_pod_editor")),
    )


def downgrade() -> None:
    """Moves down."""
    for name in ("pod_editor", "pod_cell", "pod_exclusion", "pod_member", "pod_client", "pod"):
        op.drop_table(name)
