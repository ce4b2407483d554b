"""Tables are made, brought up and taken down on both databases; a database that cannot be used is one line, not a traceback."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from models import migration
from models.database import Database, DatabaseUrlError, database_url
from models.grant import GrantStatus, grants
from models.metadata import TABLES, metadata
from models.migration import MigrationError
from models.permission_state import permission_states
from models.timeline_entry import timeline_entries
from tests.factory import Factory
from tests.past_factory import PastFactory

MIGRATIONS = Path(migration.__file__).parent / "migrations"


async def _tables(database: Database) -> set[str]:
    async with database.read() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_upgrade_makes_every_table_and_nothing_differs_from_the_code(empty_database: Database) -> None:
    assert await migration.current(empty_database) is None
    await migration.upgrade(empty_database)
    ours = {name for name in await _tables(empty_database) if not name.startswith(migration.JOB_QUEUE)}
    assert ours == {table.name for table in TABLES} | {"alembic_version"}
    assert await migration.current(empty_database) == migration.head()
    assert await migration.differences(empty_database) == []


def test_every_table_is_listed() -> None:
    assert {table.name for table in TABLES} == set(metadata.tables)


async def test_differences_name_what_a_migration_forgot(empty_database: Database) -> None:
    await migration.upgrade(empty_database)
    async with empty_database.write() as session:
        await (await session.connection()).execute(text("ALTER TABLE team RENAME COLUMN name TO title"))
    found = str(await migration.differences(empty_database))
    assert "'add_column', None, 'team', Column('name'" in found
    assert "'remove_column', None, 'team', Column('title'" in found


async def test_upgrade_with_data_keeps_it(database: Database, factory: Factory) -> None:
    partner = await factory.partner()
    await factory.partner_admin(await factory.client(partner), await factory.member(partner))
    await migration.upgrade(database)
    async with database.read() as connection:
        for table in ("partner", "grant", "outcome", "timeline_entry"):
            assert (await connection.execute(text(f'SELECT count(*) FROM "{table}"'))).scalar_one() == 1


async def test_every_step_goes_down_and_up_again_with_data(empty_database: Database) -> None:
    await migration.upgrade(empty_database)
    factory = Factory(empty_database)
    partner = await factory.partner()
    client = await factory.client(partner, ceiling={"contacts.view": "ALL"})
    await factory.grant(
        client, await factory.member(partner), {"contacts.view": "OWNED"}, teams=[await factory.team(client)]
    )
    await factory.permission_set(partner, {"contacts.view": "ALL"})
    await factory.api_token(await factory.user())
    await migration.downgrade(empty_database, "base")
    assert await _tables(empty_database) == {"alembic_version"}
    assert await migration.current(empty_database) is None
    await migration.upgrade(empty_database)
    assert await migration.differences(empty_database) == []
    async with empty_database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(permission_states))).scalar_one() == 0


async def test_n05_what_was_removed_before_is_filed_as_what_is_removed_now(empty_database: Database) -> None:
    """The timeline tells when it was; what lasted for no time is filed nowhere."""
    await migration.upgrade(empty_database)
    factory = Factory(empty_database)
    past = await PastFactory.begin(factory, 4)
    await factory.grant(past.client, await factory.member(past.partner), status=GrantStatus.REMOVED)
    held, entries = (select(table).order_by(table.c.id) for table in (grants, timeline_entries))
    before, told = await empty_database.rows(held), await empty_database.rows(entries)
    assert {(row.removed_at is None, row.fork is None) for row in before} == {
        (True, True),
        (False, True),
        (False, False),
    }
    await migration.downgrade(empty_database, "0010")
    kept = [column for column in grants.c if column.name not in {"removed_at", "fork"}]
    meanwhile = await empty_database.rows(select(*kept).order_by(grants.c.id))
    assert meanwhile == [tuple(getattr(row, column.name) for column in kept) for row in before]
    await migration.upgrade(empty_database)
    assert await migration.differences(empty_database) == []
    assert await empty_database.rows(held) == before
    assert await empty_database.rows(entries) == told
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        async with empty_database.write() as session:
            await (await session.connection()).execute(grants.delete())


async def test_a_reference_to_nothing_is_told_and_nothing_is_changed(tmp_path: Path, sqlite_template: Path) -> None:
    file = shutil.copyfile(sqlite_template, tmp_path / "cam.sqlite3")
    database = Database(f"sqlite:///{file}", durable=False)
    try:
        await migration.downgrade(database, "0010")
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("INSERT INTO team (account_id, name) VALUES (77, 'Nowhere')")
        with pytest.raises(MigrationError, match=r"team refers to a row of account that is not there, so nothing was"):
            await migration.upgrade(database)
        assert await migration.current(database) == "0010"
    finally:
        await database.dispose()


async def test_a_reference_of_a_row_without_a_number_is_told(tmp_path: Path, sqlite_template: Path) -> None:
    file = shutil.copyfile(sqlite_template, tmp_path / "cam.sqlite3")
    database = Database(f"sqlite:///{file}", durable=False)
    try:
        await migration.downgrade(database, "0010")
        with closing(sqlite3.connect(file)) as other, other:
            other.execute(
                "INSERT INTO outcome (operation_id, position, client_id, member_id, decision, status) VALUES (7, 0, 1, 1, 0, 'APPLIED')"
            )
        with pytest.raises(MigrationError, match=r"^A row of outcome refers to a row of"):
            await migration.upgrade(database)
    finally:
        await database.dispose()


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("view", 'CREATE VIEW own AS SELECT id FROM "grant"'),
        ("trigger", 'CREATE TRIGGER own AFTER INSERT ON team BEGIN DELETE FROM "Grant" WHERE id = 0; END'),
        ("trigger", 'CREATE TRIGGER own AFTER DELETE ON "grant" BEGIN SELECT 1; END'),
        ("index", 'CREATE INDEX own ON "grant" (version)'),
    ],
)
async def test_an_operators_own_about_what_is_made_anew_is_named_and_kept(
    kind: str, statement: str, tmp_path: Path, sqlite_template: Path
) -> None:
    file = shutil.copyfile(sqlite_template, tmp_path / "cam.sqlite3")
    database = Database(f"sqlite:///{file}", durable=False)
    told = rf"of your own there is about it: the {kind} own\. So nothing was changed: drop it, migrate, and make it again\.$"
    try:
        _execute(file, statement)
        with pytest.raises(MigrationError, match=told):
            await migration.downgrade(database, "0010")
        _execute(file, f"DROP {kind} own")
        await migration.downgrade(database, "0010")
        _execute(file, statement)
        with pytest.raises(MigrationError, match=told):
            await migration.upgrade(database)
        assert await migration.current(database) == "0010"
        _execute(file, f"DROP {kind} own")
        await migration.upgrade(database)
        assert await migration.differences(database) == []
    finally:
        await database.dispose()


@pytest.mark.parametrize("statement", ["ANALYZE", "VACUUM"])
async def test_what_the_planner_was_told_of_what_is_made_anew_it_knows_afterwards(
    statement: str, tmp_path: Path, sqlite_demo: str
) -> None:
    file = Path(shutil.copyfile(sqlite_demo.removeprefix("sqlite:///"), tmp_path / "cam.sqlite3"))
    database = Database(f"sqlite:///{file}", durable=False)
    _execute(file, statement)
    try:
        for move in (migration.downgrade(database, "0010"), migration.upgrade(database)):
            await move
            with closing(sqlite3.connect(file)) as other:
                (exists,) = other.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone()
                assert exists == (statement == "ANALYZE")
                if exists:
                    told = {row[0] for row in other.execute("SELECT idx FROM sqlite_stat1")}
                    assert {"ix_grant_member", "ix_grant_set_version", "ix_timeline_entry_grant"} <= told
    finally:
        await database.dispose()


def _execute(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as other, other:
        other.execute(statement)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_disk_that_fails_while_tables_are_moved_is_one_line(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_write_nothing", _fail)
    await _refused(Database(database_url), r"the disk may be full or broken\. Make room there, and try again\.$")


def _fail(_connection: Connection) -> None:
    raise OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))


async def test_a_failing_step_leaves_the_database_as_it_was(empty_database: Database) -> None:
    async with empty_database.write() as session:
        await (await session.connection()).execute(text("CREATE VIEW client AS SELECT 1 AS id"))
    with pytest.raises(MigrationError, match=r"cannot be used: .*client"):
        await migration.upgrade(empty_database)
    assert await _tables(empty_database) == set()


async def test_somebody_elses_database_is_refused_and_untouched(empty_database: Database) -> None:
    async with empty_database.write() as session:
        await (await session.connection()).execute(text("CREATE TABLE invoice (id INTEGER)"))
    with pytest.raises(MigrationError, match=r"tables of something else \(invoice\)"):
        await migration.upgrade(empty_database)
    assert "something else" in str(await migration.state(empty_database))
    assert await _tables(empty_database) == {"invoice"}


async def test_the_state_of_a_database_says_what_to_do(empty_database: Database) -> None:
    assert "run cam migrate" in str(await migration.state(empty_database))
    await migration.upgrade(empty_database)
    assert await migration.state(empty_database) is None
    async with empty_database.write() as session:
        await (await session.connection()).execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "newer version" in str(await migration.state(empty_database))


async def test_a_database_of_a_newer_version_is_refused_and_untouched(database: Database) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(MigrationError, match=r"newer version of this service\. Start that version"):
        await migration.upgrade(database)
    assert await migration.current(database) == "9999"


async def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "cam.sqlite3"
    file.write_text("hub_id,official_name\n" * 500)
    await _refused(file, r"is not an SQLite database\. Name another file in CAM_DATABASE_URL\.$")
    assert file.read_text().startswith("hub_id")


async def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "cam.sqlite3").mkdir()
    await _refused(tmp_path / "cam.sqlite3", r"cannot be opened\. Check that the folder exists and may be written\.$")


async def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await _refused(
        tmp_path / "file" / "cam.sqlite3", r"cannot be opened\. Check that the folder exists and may be written\.$"
    )


async def test_a_damaged_file_is_one_line(tmp_path: Path, sqlite_template: Path) -> None:
    file = tmp_path / "cam.sqlite3"
    shutil.copyfile(sqlite_template, file)
    with file.open("r+b") as content:
        content.seek(110)
        content.write(b"\xff" * 3890)
    await _refused(file, r"is damaged\. Restore it from a backup\.$")


async def test_a_locked_file_is_one_line(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.sqlite.BUSY_MILLISECONDS", 50)
    file = tmp_path / "cam.sqlite3"
    shutil.copyfile(sqlite_template, file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        await _refused(file, r"is locked by another process\. Stop it, or wait until it has finished, and try again\.$")
    finally:
        other.close()


async def test_a_read_only_file_is_one_line(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened read-only by the address, because a test that runs as root may write everywhere."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "cam.sqlite3"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(MigrationError, match=r"is read-only for this user\. Make the file and its folder writable\.$"):
        await migration.check_writable(database)
    await _refused(database, r"is read-only for this user\. Make the file and its folder writable\.$")


async def test_a_migrated_database_is_writable(database: Database) -> None:
    await migration.check_writable(database)
    assert await migration.current(database) == migration.head()


async def test_a_server_that_cannot_be_reached_is_one_line_without_the_password(tmp_path: Path) -> None:
    database = Database(f"postgresql://cam:secret@/cam?host={tmp_path}")
    with pytest.raises(MigrationError) as refused:
        await migration.upgrade(database)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
    assert str(refused.value).startswith("The database postgresql+psycopg://cam:***@/cam")


@pytest.mark.parametrize("address", ["", "mysql://host/name", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_cannot_be_used_says_what_to_write(address: str) -> None:
    with pytest.raises(DatabaseUrlError, match=r"CAM_DATABASE_URL must .*sqlite:///data/cam\.sqlite3"):
        database_url(address)


def test_the_driver_is_ours_whatever_the_address_names() -> None:
    assert database_url("postgresql+asyncpg://host/name").drivername == "postgresql+psycopg"
    assert database_url("sqlite:///data/cam.sqlite3").drivername == "sqlite+aiosqlite"


def test_the_newest_step_can_be_named() -> None:
    assert migration.head() == max(file.name[:4] for file in (MIGRATIONS / "versions").glob("0*.py"))


async def _refused(file: Path | Database, message: str) -> None:
    database = Database(f"sqlite:///{file}") if isinstance(file, Path) else file
    try:
        with pytest.raises(MigrationError, match=message) as refused:
            await migration.upgrade(database)
        assert "\n" not in str(refused.value)
    finally:
        await database.dispose()
