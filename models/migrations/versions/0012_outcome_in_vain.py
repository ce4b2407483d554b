"""What was tried in vain for a person in a client is found by person and client."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Moves up."""
    op.create_index(
        "ix_outcome_in_vain",
        "outcome",
        ["client_id", "member_id", "operation_id"],
        sqlite_where=sa.text("status <> 'APPLIED'"),
        postgresql_where=sa.text("status <> 'APPLIED'"),
    )


def downgrade() -> None:
    """Moves down."""
    op.drop_index("ix_outcome_in_vain", "outcome")
