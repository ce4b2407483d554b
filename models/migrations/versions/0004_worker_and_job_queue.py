"""The workers that carry out queued operations, and on PostgreSQL the tables of procrastinate, which brings them their jobs.

The tables are procrastinate's own, as its version 3.10 makes them. Whoever raises that version writes a step that applies
procrastinate's migrations where these tables are older (``SCHEMA_DIGEST`` tells, and a test watches over it).
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SCHEMA_DIGEST = "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"
DROP_JOB_QUEUE = """
DO $$
DECLARE
    made regprocedure;
BEGIN
    DROP TABLE procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs, procrastinate_workers CASCADE;
    FOR made IN
        SELECT oid FROM pg_proc
        WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION ' || made || ' CASCADE';
    END LOOP;
    DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_status, procrastinate_job_event_type CASCADE;
END;
$$
"""


def _run(statements: str) -> None:
    # Without parameters, so that per cent signs are what they are, and several statements may be in one text.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def upgrade() -> None:
    """Moves up."""
    op.create_table(
        "worker",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    if op.get_bind().dialect.name == "postgresql":
        from procrastinate.schema import SchemaManager  # noqa: PLC0415 slow to load, and SQLite has no use for it

        _run(SchemaManager.get_schema())


def downgrade() -> None:
    """Moves down."""
    if op.get_bind().dialect.name == "postgresql":
        _run(DROP_JOB_QUEUE)
    op.drop_table("worker")
