"""When a grant was removed, and where its life is filed; what lives apart from what has ended; entries by their moment."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from models.migration import MigrationError

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ROWS_AT_ONCE = 10_000
GRANT = sa.table(
    "grant", sa.column("id", KEY), sa.column("status"), sa.column("since", MOMENT), sa.column("removed_at", MOMENT)
)
ENTRY = sa.table(
    "timeline_entry", sa.column("grant_id", KEY), sa.column("after_status"), sa.column("at", MOMENT), sa.column("id")
)
LIFE = sa.table("grant_life", sa.column("grant_id", KEY), sa.column("removed_at", MOMENT), sa.column("fork", KEY))
CHECKS = {
    "ck_grant_ended": "(status = 'REMOVED') = (ended = id)",
    "ck_grant_partner_seat": "access_type <> 'PARTNER_ADMIN' OR seat = 'PARTNER'",
    "ck_grant_access_type": "access_type = 'SUPER_ADMIN' OR access_type = 'PARTNER_ADMIN' OR access_type = 'STANDARD'",
    "ck_grant_seat": "seat = 'PARTNER' OR seat = 'CORE' OR seat = 'SALES' OR seat = 'SERVICE' OR seat = 'VIEW_ONLY'",
    "ck_grant_status": "status = 'ACTIVE' OR status = 'DEACTIVATED' OR status = 'REMOVED'",
    "ck_grant_on_behalf": "(partner_id IS NULL) = (client_id IS NULL) AND (partner_id IS NULL) = (member_id IS NULL)",
}
NEW_CHECKS = {
    "ck_grant_removed": "(status = 'REMOVED') = (removed_at IS NOT NULL)",
    "ck_grant_filed": "(fork IS NOT NULL) = (removed_at IS NOT NULL AND since < removed_at)",
}
REFERENCES = {
    "partner_id": "partner.id",
    "client_id": "client.id",
    "member_id": "member.id",
    "account_id": "account.id",
    "user_id": "user.id",
    "state_id": "permission_state.id",
    "set_version_id": "permission_set_version.id",
    "granted_by_id": "user.id",
}
INDEXES = {
    "ix_grant_own_user": (["user_id"], "client_id IS NULL"),
    "ix_grant_super_admin": (["account_id"], "access_type = 'SUPER_ADMIN' AND status = 'ACTIVE'"),
    "ix_grant_partner_admin": (["client_id"], "access_type = 'PARTNER_ADMIN' AND status = 'ACTIVE'"),
    "ix_grant_set_version": (["set_version_id", "partner_id", "id"], None),
    "ix_grant_expires_at": (["expires_at"], "status = 'ACTIVE' AND expires_at IS NOT NULL"),
    "uq_grant_own_people": (["account_id", "user_id"], "client_id IS NULL AND ended = 0"),
}
NEW_INDEXES = {
    "ix_grant_client_removed": (["client_id", "member_id"], "ended <> 0"),
    "ix_grant_member_removed": (["member_id", "client_id"], "ended <> 0"),
    "ix_grant_client_since": (["client_id", "fork", "since"], "fork IS NOT NULL"),
    "ix_grant_client_removed_at": (["client_id", "fork", "removed_at"], "fork IS NOT NULL"),
    "ix_grant_member_since": (["member_id", "fork", "since"], "fork IS NOT NULL"),
    "ix_grant_member_removed_at": (["member_id", "fork", "removed_at"], "fork IS NOT NULL"),
}
UNIQUE, NEW_UNIQUE = ("client_id", "member_id", "ended"), ("client_id", "ended", "member_id")
BY_MEMBER, NEW_BY_MEMBER = ["member_id", "client_id", "ended"], ["member_id", "ended", "client_id"]


def upgrade() -> None:
    """Moves up; when what is removed was removed stands in the timeline."""
    _check_alone()
    op.create_table(LIFE.name, *(sa.Column(column.name, column.type, nullable=True) for column in LIFE.c))
    for lives in _lives():
        op.bulk_insert(LIFE, lives)
    op.create_index("ix_grant_life", LIFE.name, ["grant_id"], unique=True)
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(CHECKS | NEW_CHECKS, NEW_UNIQUE, [sa.Column("removed_at", MOMENT), sa.Column("fork", KEY)])
    else:
        op.add_column("grant", sa.Column("removed_at", MOMENT, nullable=True))
        op.add_column("grant", sa.Column("fork", KEY, nullable=True))
        op.execute(
            'UPDATE "grant" SET removed_at = life.removed_at, fork = life.fork FROM grant_life AS life WHERE life.grant_id = id'
        )
        for check, condition in NEW_CHECKS.items():
            op.create_check_constraint(op.f(check), "grant", condition)
        op.drop_constraint(_unique_name(UNIQUE), "grant")
        op.create_unique_constraint(op.f(_unique_name(NEW_UNIQUE)), "grant", list(NEW_UNIQUE))
        op.drop_index("ix_grant_member", "grant")
    op.create_index("ix_grant_member", "grant", NEW_BY_MEMBER)
    for index in NEW_INDEXES.items():
        _index(*index)
    op.drop_table(LIFE.name)
    _entries_by("at", "id")
    _analyze()


def downgrade() -> None:
    """Moves down."""
    _check_alone()
    _entries_by("id")
    for index in NEW_INDEXES:
        op.drop_index(index, "grant")
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(CHECKS, UNIQUE, [])
    else:
        op.drop_index("ix_grant_member", "grant")
        op.drop_constraint(_unique_name(NEW_UNIQUE), "grant")
        op.create_unique_constraint(op.f(_unique_name(UNIQUE)), "grant", list(UNIQUE))
        for check in NEW_CHECKS:
            op.drop_constraint(check, "grant")
        op.drop_column("grant", "fork")
        op.drop_column("grant", "removed_at")
    op.create_index("ix_grant_member", "grant", BY_MEMBER)
    _analyze()


def _check_alone() -> None:
    """Makes sure that nothing of the operator's own is about the table that SQLite makes anew.

    Views and triggers would stop that, and triggers and indexes on it would be gone afterwards.
    """
    if op.get_bind().dialect.name != "sqlite":
        return
    rows = op.get_bind().exec_driver_sql(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL ORDER BY name"
    )
    ours = {*INDEXES, *NEW_INDEXES, "ix_grant_member"}
    found = [
        f"the {kind} {name}"
        for kind, name, table, sql in rows
        if (table.lower() == "grant" and name not in ours)
        or (kind != "index" and re.search(r"\bgrant\b", sql, re.IGNORECASE))
    ]
    if found:
        raise MigrationError(
            f"The table grant is made anew, and of your own there is about it: {', '.join(found)}. So nothing was changed: drop "
            f"{'it' if len(found) == 1 else 'them'}, migrate, and make {'it' if len(found) == 1 else 'them'} again."
        )


def _analyze() -> None:
    """Counts anew what SQLite's planner knew of what was made anew, where somebody has let it know something."""
    bind = op.get_bind()
    if bind.dialect.name == "sqlite" and sa.inspect(bind).has_table("sqlite_stat1"):
        for name in ("grant", "ix_timeline_entry_grant"):
            bind.exec_driver_sql(f'ANALYZE "{name}"')


def _entries_by(*columns: str) -> None:
    op.drop_index("ix_timeline_entry_grant", "timeline_entry")
    op.create_index("ix_timeline_entry_grant", "timeline_entry", ["grant_id", *columns])


def _lives() -> Iterator[list[dict[str, object]]]:
    """Yields when what is removed was removed, and where its life hangs, some thousand at a time."""
    newest = sa.select(sa.func.max(ENTRY.c.at)).where(ENTRY.c.grant_id == GRANT.c.id, ENTRY.c.after_status == "REMOVED")
    removed_at = sa.func.coalesce(newest.scalar_subquery(), GRANT.c.since, type_=MOMENT)
    statement = sa.select(GRANT.c.id, GRANT.c.since, removed_at).where(GRANT.c.status == "REMOVED")
    after = -1
    while True:
        part = statement.where(GRANT.c.id > after).order_by(GRANT.c.id).limit(ROWS_AT_ONCE)
        rows = op.get_bind().execute(part).all()
        yield [{"grant_id": key, "removed_at": until, "fork": _fork(since, until)} for key, since, until in rows]
        if len(rows) < ROWS_AT_ONCE:
            return
        after = rows[-1][0]


def _fork(since: datetime, until: datetime) -> int | None:
    """Returns the number between the two that can be halved most often, in microseconds since 1970."""
    first, end = (
        (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        for moment in (since, until)
    )
    if first >= end:
        return None
    level = ((first - 1) ^ (end - 1)).bit_length() - 1
    return (end - 1) >> level << level


def _make_anew(checks: dict[str, str], unique: tuple[str, ...], more: list[sa.Column[Any]]) -> None:
    """Makes the table anew, with its rows: SQLite can change neither its keys nor its constraints."""
    columns: list[sa.Column[Any]] = [
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        *(sa.Column(name, KEY, nullable=True) for name in ("partner_id", "client_id", "member_id")),
        *(sa.Column(name, KEY, nullable=False) for name in ("account_id", "user_id")),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("ended", KEY, nullable=False),
        sa.Column("access_type", sa.String(), nullable=False),
        sa.Column("seat", sa.String(), nullable=False),
        sa.Column("state_id", KEY, nullable=False),
        sa.Column("set_version_id", KEY, nullable=True),
        sa.Column("customised", sa.Boolean(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("granted_by_id", KEY, nullable=True),
        sa.Column("since", MOMENT, nullable=False),
    ]
    names = ", ".join(column.name for column in columns)
    op.create_table(
        "grant_anew",
        *columns,
        *more,
        *(sa.CheckConstraint(condition, name=op.f(name)) for name, condition in checks.items()),
        *(
            sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_grant_{column}"))
            for column, target in REFERENCES.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant")),
        sa.UniqueConstraint(*unique, name=op.f(_unique_name(unique))),
    )
    if more:
        source = f'{names}, removed_at, fork FROM "grant" LEFT JOIN grant_life ON grant_life.grant_id = "grant".id'
        names += ", removed_at, fork"
    else:
        source = f'{names} FROM "grant"'
    op.execute(f"INSERT INTO grant_anew ({names}) SELECT {source}")
    op.drop_table("grant")
    op.rename_table("grant_anew", "grant")
    for index in INDEXES.items():
        _index(*index)


def _unique_name(columns: tuple[str, ...]) -> str:
    return f"uq_grant_{'_'.join(columns)}"


def _index(name: str, meant: tuple[list[str], str | None]) -> None:
    columns, condition = meant
    where = None if condition is None else sa.text(condition)
    unique = name.startswith("uq_")
    op.create_index(name, "grant", columns, unique=unique, sqlite_where=where, postgresql_where=where)
