"""Access links, confirmation links, assets, mail, and what people tell about the product."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ASSET_KIND = " OR ".join(
    f"kind = '{kind}'"
    for kind in (
        "CONTACT",
        "COMPANY",
        "DEAL",
        "TICKET",
        "TASK",
        "WORKFLOW",
        "SEQUENCE",
        "TEMPLATE",
        "LIST",
        "REPORT",
        "DASHBOARD",
        "FORM",
        "MEETING_PAGE",
        "FILE",
        "SOCIAL_ACCOUNT",
    )
)
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "mail",
        sa.Column("id", KEY, nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("event", name=op.f("uq_mail_event")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mail_message_id")),
    )
    op.create_index(
        "ix_mail_due",
        "mail",
        ["due_at", "id"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )

    op.create_table(
        "feedback",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=True),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind = 'BUG' OR kind = 'FEEDBACK'", name=op.f("ck_feedback_kind")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_feedback_partner_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_feedback_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_table(
        "wish_vote",
        sa.Column("wish", sa.String(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_wish_vote_user_id")),
        sa.PrimaryKeyConstraint("wish", "user_id", name=op.f("pk_wish_vote")),
    )
    op.create_table(
        "asset_transfer",
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("to_id", KEY, nullable=True),
        sa.CheckConstraint(ASSET_KIND, name=op.f("ck_asset_transfer_kind")),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name=op.f("fk_asset_transfer_operation_id")),
        sa.ForeignKeyConstraint(["to_id"], ["member.id"], name=op.f("fk_asset_transfer_to_id")),
        sa.PrimaryKeyConstraint("operation_id", "position", "kind", name=op.f("pk_asset_transfer")),
    )
    op.create_table(
        "access_link",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=True),
        sa.Column("client_key", KEY, nullable=False),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("ended", KEY, nullable=False),
        sa.Column("created_by_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by_id", KEY, nullable=True),
        sa.Column("reference", sa.String(), nullable=False),
        sa.CheckConstraint("client_key = coalesce(client_id, 0)", name=op.f("ck_access_link_client_key")),
        sa.CheckConstraint("ended = 0 OR ended = id", name=op.f("ck_access_link_ended")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_access_link_client_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_access_link_created_by_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_access_link_member_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_access_link_partner_id")),
        sa.ForeignKeyConstraint(["revoked_by_id"], ["user.id"], name=op.f("fk_access_link_revoked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_link")),
        sa.UniqueConstraint(
            "member_id",
            "single_use",
            "client_key",
            "reference",
            "ended",
            name=op.f("uq_access_link_member_id_single_use_client_key_reference_ended"),
        ),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_link_token_hash")),
    )
    op.create_index(op.f("ix_access_link_client_id"), "access_link", ["client_id"], unique=False)
    op.create_index("ix_access_link_partner", "access_link", ["partner_id", "id"], unique=False)

    op.create_table(
        "asset",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner_id", KEY, nullable=True),
        sa.Column("former_owner_id", KEY, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(ASSET_KIND, name=op.f("ck_asset_kind")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_asset_client_id")),
        sa.ForeignKeyConstraint(["former_owner_id"], ["member.id"], name=op.f("fk_asset_former_owner_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["member.id"], name=op.f("fk_asset_owner_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_asset_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("client_id", "kind", "external_id", name=op.f("uq_asset_client_id_kind_external_id")),
    )
    op.create_index("ix_asset_owner", "asset", ["owner_id", "client_id", "kind"], unique=False)

    op.create_table(
        "asset_holding",
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(ASSET_KIND, name=op.f("ck_asset_holding_kind")),
        sa.CheckConstraint("total >= 0", name=op.f("ck_asset_holding_total")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_asset_holding_client_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_asset_holding_member_id")),
        sa.PrimaryKeyConstraint("client_id", "member_id", "kind", name=op.f("pk_asset_holding")),
    )
    op.create_index(op.f("ix_asset_holding_member_id"), "asset_holding", ["member_id"], unique=False)

    op.create_table(
        "confirmation_link",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("created_by_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_by_id", KEY, nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("answer = 'APPROVED' OR answer = 'DECLINED'", name=op.f("ck_confirmation_link_answer")),
        sa.ForeignKeyConstraint(["answered_by_id"], ["user.id"], name=op.f("fk_confirmation_link_answered_by_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_confirmation_link_client_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_confirmation_link_created_by_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_confirmation_link_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmation_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_confirmation_link_token_hash")),
    )
    op.create_index("ix_confirmation_link_client", "confirmation_link", ["client_id", "id"], unique=False)
    op.create_index("ix_confirmation_link_partner", "confirmation_link", ["partner_id", "id"], unique=False)

    op.create_table(
        "permission_issue",
        sa.Column("id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("permission", sa.String(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_permission_issue_client_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_permission_issue_member_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_permission_issue_partner_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_permission_issue_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permission_issue")),
    )
    op.create_table(
        "confirmation_link_member",
        sa.Column("link_id", KEY, nullable=False),
        sa.Column("member_id", KEY, nullable=False),
        sa.Column("grant_id", KEY, nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["grant_id"], ["grant.id"], name=op.f("fk_confirmation_link_member_grant_id")),
        sa.ForeignKeyConstraint(
            ["link_id"], ["confirmation_link.id"], name=op.f("fk_confirmation_link_member_link_id")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_confirmation_link_member_member_id")),
        sa.PrimaryKeyConstraint("link_id", "member_id", name=op.f("pk_confirmation_link_member")),
    )
    op.create_table(
        "link_approval",
        sa.Column("id", KEY, nullable=False),
        sa.Column("link_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("client_id", KEY, nullable=True),
        sa.Column("grant_id", KEY, nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("answered_by_id", KEY, nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("answer = 'APPROVED' OR answer = 'DECLINED'", name=op.f("ck_link_approval_answer")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_link_approval_account_id")),
        sa.ForeignKeyConstraint(["answered_by_id"], ["user.id"], name=op.f("fk_link_approval_answered_by_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_link_approval_client_id")),
        sa.ForeignKeyConstraint(["grant_id"], ["grant.id"], name=op.f("fk_link_approval_grant_id")),
        sa.ForeignKeyConstraint(["link_id"], ["access_link.id"], name=op.f("fk_link_approval_link_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_link_approval_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_approval")),
    )
    op.create_index("ix_link_approval_account", "link_approval", ["account_id", "id"], unique=False)
    op.create_index("ix_link_approval_link", "link_approval", ["link_id", "id"], unique=False)

    op.add_column("operation", sa.Column("by_client", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("client", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))

    op.create_index(
        "ix_grant_own_user",
        "grant",
        ["user_id"],
        unique=False,
        sqlite_where=sa.text("client_id IS NULL"),
        postgresql_where=sa.text("client_id IS NULL"),
    )

    op.create_index(
        "ix_timeline_entry_account",
        "timeline_entry",
        ["account_id", "id"],
        unique=False,
        sqlite_where=sa.text("client_id IS NULL"),
        postgresql_where=sa.text("client_id IS NULL"),
    )


def downgrade() -> None:
    """Moves down."""
    op.drop_index(
        "ix_timeline_entry_account",
        table_name="timeline_entry",
        sqlite_where=sa.text("client_id IS NULL"),
        postgresql_where=sa.text("client_id IS NULL"),
    )

    op.drop_index(
        "ix_grant_own_user",
        table_name="grant",
        sqlite_where=sa.text("client_id IS NULL"),
        postgresql_where=sa.text("client_id IS NULL"),
    )

    op.drop_column("client", "confirmed_at")
    op.drop_column("operation", "by_client")

    op.drop_index("ix_link_approval_link", table_name="link_approval")
    op.drop_index("ix_link_approval_account", table_name="link_approval")

    op.drop_table("link_approval")
    op.drop_table("confirmation_link_member")
    op.drop_table("permission_issue")
    op.drop_index("ix_confirmation_link_partner", table_name="confirmation_link")
    op.drop_index("ix_confirmation_link_client", table_name="confirmation_link")

    op.drop_table("confirmation_link")
    op.drop_index(op.f("ix_asset_holding_member_id"), table_name="asset_holding")

    op.drop_table("asset_holding")
    op.drop_index("ix_asset_owner", table_name="asset")

    op.drop_table("asset")
    op.drop_index("ix_access_link_partner", table_name="access_link")
    op.drop_index(op.f("ix_access_link_client_id"), table_name="access_link")

    op.drop_table("access_link")
    op.drop_table("asset_transfer")
    op.drop_table("wish_vote")
    op.drop_table("feedback")
    op.drop_index(
        "ix_mail_due",
        table_name="mail",
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )

    op.drop_table("mail")
