"""`cam backup` and `cam restore`: drills with writers at work, killed processes, full disks, and what must not be overwritten."""

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select
from sqlalchemy.engine import URL

from models.database import Database
from models.partner import PartnerProgram, partners
from models.sqlite_file import back_up, restore
from resolvers.consistency.ledger import findings
from resolvers.timeline_chain.window import seal_everything
from server.command import FAILED, main
from tests import postgresql
from tests.factory import MOMENT, Factory
from tests.pgbouncer import pgbouncer

Cam = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
KEY = "k" * 39 + "y"
PATIENCE = 60.0
WRITERS = 3


@pytest.fixture
def database_file(tmp_path: Path, sqlite_template: Path) -> Path:
    """A migrated database."""
    file = tmp_path / "cam.sqlite3"
    shutil.copyfile(sqlite_template, file)
    return file


@pytest.fixture
def cam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_file: Path) -> Cam:
    """Runs the command line in this process."""
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{database_file}")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cam", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def rows(file: Path, statement: str = "SELECT count(*) FROM partner") -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(statement).fetchone()[0])


def add_partner(file: Path, hub_id: int) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO partner (hub_id, name, program, created_at) VALUES (?, 'A', 'NONE', '2026-01-01 00:00:00.000000')",
            [hub_id],
        )


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_a_backup_is_whole_private_and_comes_back(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    add_partner(database_file, 1)
    backup = tmp_path / "backups" / "monday.cam"
    code, out, err = cam("backup", backup)
    assert (code, err) == (0, "")
    assert "is whole" in out
    assert f"cam restore {backup}" in out
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert names(backup.parent) == {"monday.cam"}
    add_partner(database_file, 2)
    database_file.chmod(0o640)
    code, out, _ = cam("restore", backup)
    assert code == FAILED
    assert rows(database_file) == 2
    code, out, err = cam("restore", backup, "--force")
    assert (code, err) == (0, "")
    assert "No faults" in out
    assert "cam serve" in out
    old = database_file.with_name("cam.sqlite3.before-restore")
    assert (rows(database_file), rows(old)) == (1, 2)
    assert stat.S_IMODE(database_file.stat().st_mode) == 0o640, "the service must be able to use it as before"
    assert cam("restore", backup, "--force")[0] == 0
    assert rows(old) == 2, "what was kept aside before stays"
    assert rows(database_file.with_name("cam.sqlite3.before-restore-1")) == 1


def test_nothing_is_overwritten_unless_it_is_said(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    backup = tmp_path / "b.cam"
    backup.write_text("a letter")
    assert "is there already" in cam("backup", backup)[2]
    assert backup.read_text() == "a letter"
    assert "the database itself" in cam("backup", database_file, "--force")[2]
    assert cam("backup", backup, "--force")[0] == 0
    assert rows(backup) == 0


def test_the_secret_key_is_named_and_copied_when_asked_for(
    cam: Cam, database_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, key, copied = tmp_path / "b.cam", tmp_path / "cam.sqlite3.key", tmp_path / "b.cam.key"
    assert "no key file" in cam("backup", backup, "--with-key")[2]
    key.write_text(KEY)
    assert str(key) in cam("backup", backup)[1]
    assert not copied.exists()
    code, out, _ = cam("backup", backup, "--force", "--with-key")
    assert code == 0
    assert str(copied) in out
    assert (copied.read_text(), stat.S_IMODE(copied.stat().st_mode)) == (KEY, 0o600)
    assert KEY not in backup.read_bytes().decode("latin-1")
    other = tmp_path / "other.cam"
    copied.rename(tmp_path / "other.cam.key")
    assert "other.cam.key is there already" in cam("backup", other, "--with-key")[2]
    assert not other.exists()
    backup.rename(other)
    database_file.unlink()
    assert "another one" not in cam("restore", other)[1]
    database_file.unlink()
    key.unlink()
    assert "key is back" in cam("restore", other)[1]
    assert key.read_text() == KEY
    key.write_text(KEY[::-1])
    assert "is another one" in cam("restore", other, "--force")[1]
    assert key.read_text() == KEY[::-1]
    monkeypatch.setenv("CAM_SECRET_KEY", KEY)
    assert "keep what CAM_SECRET_KEY says" in cam("backup", backup)[1]


def test_a_restore_refuses_what_is_no_whole_backup(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    backup, broken = tmp_path / "b.cam", tmp_path / "broken.cam"
    cam("backup", backup)
    before = database_file.read_bytes()

    def refused(what: str, *statements: str) -> str:
        shutil.copyfile(backup, broken)
        with closing(sqlite3.connect(broken)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        code, _, err = cam("restore", broken, "--force")
        assert code == FAILED, what
        assert database_file.read_bytes() == before, what
        return err

    assert "newer version" in refused("a newer one", "UPDATE alembic_version SET version_num = '9999'")
    assert "is empty" in refused("an empty one", "DELETE FROM alembic_version")
    assert "no database of this service" in refused("somebody else's", "DROP TABLE alembic_version")
    assert "a row of permission_set that is not there" in refused(
        "a reference to nothing",
        "INSERT INTO permission_set_version VALUES (99, 99, 1, 99, NULL, '2026-01-01 00:00:00')",
    )
    broken.write_bytes(b"\0" * 100)
    assert "broken.cam is damaged" in cam("restore", broken, "--force")[2]
    shutil.copyfile(backup, broken)
    with broken.open("r+b") as content:
        content.truncate(broken.stat().st_size // 2)
    assert "broken.cam is damaged" in cam("restore", broken, "--force")[2]
    assert cam("restore", tmp_path / "nowhere.cam")[0] == 2
    assert database_file.read_bytes() == before


def test_a_database_in_use_is_no_backup_and_is_not_replaced(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    """A service that only reads, or waits, is told from a file that nobody has open."""
    backup = tmp_path / "b.cam"
    cam("backup", backup)
    with closing(sqlite3.connect(database_file)) as service:
        service.execute("PRAGMA journal_mode=WAL")
        service.execute("SELECT count(*) FROM partner").fetchone()
        add_partner(database_file, 1)
        assert "is in use: stop the service" in cam("restore", backup, "--force")[2]
        assert "is a database in use" in cam("restore", database_file, "--force")[2]
        assert rows(database_file) == 1
        assert cam("backup", backup, "--force")[0] == 0
        assert rows(backup) == 1, "what is in the log only is in the backup"
    assert cam("restore", backup, "--force")[0] == 0


def test_a_damaged_database_has_no_backup(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    database_file.write_bytes(b"\xff" * 5_000)
    assert "cannot be read: file is not a database" in cam("backup", tmp_path / "c.cam")[2]
    assert names(tmp_path) == {"cam.sqlite3"}


def test_a_damaged_database_is_replaced_and_kept_with_its_log(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    backup = tmp_path / "b.cam"
    cam("backup", backup)
    database_file.write_bytes(b"\xff" * 5_000)
    wal = tmp_path / "cam.sqlite3-wal"
    wal.write_bytes(b"log")
    code, out, err = cam("restore", backup, "--force")
    assert (code, err) == (0, "")
    assert "No faults" in out
    assert (tmp_path / "cam.sqlite3.before-restore").read_bytes() == b"\xff" * 5_000
    assert (tmp_path / "cam.sqlite3.before-restore-wal").read_bytes() == b"log"


def test_what_a_lost_database_has_left_behind_is_not_taken_for_the_new_one(
    cam: Cam, database_file: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "b.cam"
    cam("backup", backup)
    database_file.unlink()
    for ending in ("-wal", "-shm"):
        (tmp_path / f"cam.sqlite3{ending}").write_bytes(b"stale")
    assert cam("restore", backup)[0] == 0
    assert rows(database_file) == 0
    assert not (tmp_path / "cam.sqlite3.before-restore").exists()


def test_a_backup_of_an_older_version_is_migrated_next(cam: Cam, tmp_path: Path, database_file: Path) -> None:
    database_file.unlink()
    asyncio.run(_migrate(f"sqlite:///{database_file}", "0002"))
    backup = tmp_path / "b.cam"
    assert "tables at version 0002" in cam("backup", backup)[1]
    code, out, _ = cam("restore", backup, "--force")
    assert code == 0
    assert "run cam migrate" in out
    assert cam("migrate")[0] == 0
    assert cam("verify")[0] == 0


async def _migrate(url: str, revision: str) -> None:
    from models import migration

    database = Database(url)
    try:
        await migration.upgrade(database, revision)
    finally:
        await database.dispose()


@contextmanager
def small_disk() -> Iterator[None]:
    """No file of this process can grow beyond a few pages, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_everything_as_it_was(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    old, backup = tmp_path / "old.cam", tmp_path / "b.cam"
    cam("backup", old)
    before, there = old.read_bytes(), names(tmp_path)
    with small_disk():
        new = cam("backup", backup)
        again = cam("backup", old, "--force")
        back = cam("restore", old, "--force")
    for code, _, err in (new, again, back):
        assert code == FAILED
        assert "cannot be written" in err
        assert "Make room" in err
    assert old.read_bytes() == before
    assert names(tmp_path) == there
    assert cam("verify")[0] == 0


def test_a_killed_backup_leaves_the_last_one_as_it_was(cam: Cam, database_file: Path, tmp_path: Path) -> None:
    """What it leaves half written is cleared away by a later backup."""
    with closing(sqlite3.connect(database_file)) as connection, connection:
        connection.execute("CREATE TABLE ballast (content BLOB)")
        connection.executemany("INSERT INTO ballast VALUES (randomblob(500000))", [()] * 100)
    folder = tmp_path / "backups"
    backup = folder / "b.cam"
    cam("backup", backup)
    before = backup.read_bytes()
    environment = {**os.environ, "CAM_DATABASE_URL": f"sqlite:///{database_file}"}
    command = [sys.executable, "-m", "server", "backup", str(backup), "--force"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while not any(file.stat().st_size for file in folder.glob(".b.cam.*")):
            assert process.poll() is None, "the backup was sooner than its killer"
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert backup.read_bytes() == before
    for left in folder.glob(".b.cam.*"):
        os.utime(left, (0, 0))
    assert cam("backup", backup, "--force")[0] == 0
    assert names(folder) == {"b.cam"}


async def test_a_backup_under_load_is_of_one_moment(database_file: Path, tmp_path: Path) -> None:
    """Writers go on while copies are taken; each restored copy is without faults, and has what there was at that moment."""
    database = Database(f"sqlite:///{database_file}", durable=False)
    factory, stop, progress, written = Factory(database), asyncio.Event(), asyncio.Event(), 0

    async def write() -> None:
        nonlocal written
        partner = await factory.partner()
        while not stop.is_set():
            await factory.partner_admin(await factory.client(partner), await factory.member(partner))
            written += 1
            progress.set()

    writers = [asyncio.create_task(write()) for _ in range(WRITERS)]
    before: list[int] = []
    after: list[int] = []
    try:
        for number in range(3):
            progress.clear()
            await progress.wait()
            before.append(written)
            await asyncio.to_thread(back_up, database_file, tmp_path / f"{number}.cam")
            after.append(written)
    finally:
        stop.set()
        await asyncio.gather(*writers)
        await database.dispose()
    assert sum(after) > sum(before), "writers were at work meanwhile"
    for number in range(3):
        place = tmp_path / f"restored-{number}.sqlite3"
        assert restore(tmp_path / f"{number}.cam", place) is None
        # A writer may have committed what it has not counted yet.
        assert before[number] <= rows(place, 'SELECT count(*) FROM "grant"') <= after[number] + WRITERS
        restored = Database(f"sqlite:///{place}")
        await seal_everything(restored)
        assert [finding.told async for finding in findings(restored) if finding.faults] == []
        await restored.dispose()


# ---- PostgreSQL


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the commands find pg_dump and pg_restore where the tests have their server from."""
    folder = postgresql.binaries()
    if folder is None or not (folder / "pg_dump").exists():
        pytest.skip("no pg_dump beside the server's binaries")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def on(url: str) -> int:
    """Adds a partner and returns how many there are; the command line has an event loop of its own, so this has one too."""

    async def work() -> int:
        database = Database(url)
        try:
            async with database.write() as session:
                connection = await session.connection()
                count = await connection.scalar(select(func.count()).select_from(partners)) or 0
                values = {"hub_id": 10_000 + count, "name": "A", "program": PartnerProgram.NONE, "created_at": MOMENT}
                await connection.execute(partners.insert().values(values))
            assert [finding.told async for finding in findings(database) if finding.faults] == []
            return count + 1
        finally:
            await database.dispose()

    return asyncio.run(work())


@pytest.fixture
def two_databases(postgresql_server: URL, tools: None) -> Iterator[tuple[str, str]]:
    """The addresses of two empty databases; in the first works a role that row-level security holds for."""
    made = [f"cam_test_{uuid.uuid4().hex}" for _ in range(2)]
    role = f"cam_test_{uuid.uuid4().hex}"
    postgresql.administer(
        postgresql_server,
        f"CREATE ROLE {role} NOSUPERUSER NOBYPASSRLS",
        *(f"CREATE DATABASE {name}" for name in made),
        f"ALTER DATABASE {made[0]} OWNER TO {role}",
    )
    first, second = (postgresql_server.set(database=name) for name in made)
    postgresql.administer(first, f"GRANT ALL ON SCHEMA public TO {role}")
    first = first.update_query_dict({"options": f"-c role={role}"})
    yield first.render_as_string(hide_password=False), second.render_as_string(hide_password=False)
    postgresql.administer(
        postgresql_server, *(f"DROP DATABASE {name} WITH (FORCE)" for name in made), f"DROP ROLE {role}"
    )


def test_postgresql_is_dumped_behind_row_level_security_and_fills_an_empty_database(
    cam: Cam, two_databases: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    backup, half = tmp_path / "b.dump", tmp_path / "half.dump"
    monkeypatch.setenv("CAM_DATABASE_URL", two_databases[0])
    assert cam("migrate", "--rls")[0] == 0
    assert on(two_databases[0]) == 1
    code, out, err = cam("backup", backup)
    assert (code, err) == (0, "")
    assert "is whole" in out
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert "is there already" in cam("backup", backup)[2]
    assert "is not empty" in cam("restore", backup)[2]
    monkeypatch.setenv("CAM_DATABASE_URL", two_databases[1])
    half.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
    assert "pg_restore refuses" in cam("restore", half)[2]
    code, out, err = cam("restore", backup)
    assert (code, err) == (0, "")
    assert "cam migrate --rls" in out
    assert "No faults" in out
    assert on(two_databases[1]) == 2


def test_behind_a_pooler_the_tools_go_past_it(
    cam: Cam, two_databases: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They set what holds for their connection, which a pooler in transaction mode refuses or gives to others."""
    backup = tmp_path / "b.dump"
    monkeypatch.setenv("CAM_DATABASE_POOLER", "transaction")

    def past(pooler: URL, direct: str) -> None:
        monkeypatch.setenv("CAM_DATABASE_URL", pooler.render_as_string(hide_password=False))
        monkeypatch.setenv("CAM_DIRECT_DATABASE_URL", direct)

    first, second = (make_url(url).difference_update_query(["options"]) for url in two_databases)
    with pgbouncer(first, role=two_databases[0].rpartition("%3D")[2], connections=2) as pooler:
        past(pooler, two_databases[0])
        assert cam("migrate", "--rls")[0] == 0
        on(two_databases[0])
        code, out, err = cam("backup", backup)
        assert (code, err) == (0, "")
        assert "is whole" in out
        assert "and in CAM_DIRECT_DATABASE_URL" in cam("restore", backup)[2]
        monkeypatch.setenv("CAM_DIRECT_DATABASE_URL", pooler.render_as_string(hide_password=False))
        assert "pg_dump refuses" in cam("backup", tmp_path / "c.dump")[2], "the pooler would not have let it through"
    with pgbouncer(second, role=None, connections=2) as pooler:
        past(pooler, two_databases[1])
        code, out, err = cam("restore", backup)
        assert (code, err) == (0, "")
        assert "No faults" in out
    assert on(two_databases[1]) == 2


def test_without_its_tools_it_is_said_what_to_run_and_a_password_is_never_shown(
    cam: Cam, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAM_DATABASE_URL", "postgresql://cam:secret@db.example/cam?sslmode=require")
    monkeypatch.setenv("PATH", str(tmp_path))
    told = cam("backup", tmp_path / "b.dump")[2]
    assert "pg_dump is not here" in told
    assert (
        "--dbname='postgresql://cam@db.example/cam?sslmode=require'" in told or "db.example/cam?sslmode=require" in told
    )
    assert "secret" not in told
    (tmp_path / "b.dump").write_bytes(b"PGDMP")
    told = cam("restore", tmp_path / "b.dump")[2]
    assert "pg_restore is not here" in told
    assert "secret" not in told


def test_a_password_is_in_the_environment_of_the_tool_alone(
    cam: Cam, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tools are stood in for by one that writes down what it is called with."""
    tool = tmp_path / "pg_dump"
    tool.write_text(
        '#!/bin/sh\necho "$@" > "$SEEN"\necho "$PGPASSWORD" >> "$SEEN"\necho "$PGOPTIONS" >> "$SEEN"\nexit 1\n'
    )
    tool.chmod(0o755)
    seen = tmp_path / "seen"
    monkeypatch.setenv("SEEN", str(seen))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    url = make_url("postgresql://cam@db.example:6432/cam?options=-csearch_path%3Dcam").set(password="s3cr:t")
    monkeypatch.setenv("CAM_DATABASE_URL", url.render_as_string(hide_password=False))
    assert "pg_dump refuses" in cam("backup", tmp_path / "b.dump")[2]
    arguments, password, options = seen.read_text().splitlines()
    assert "s3cr" not in arguments
    assert "--dbname=postgresql://cam@db.example:6432/cam" in arguments
    assert (password, options) == ("s3cr:t", "-csearch_path=cam -c cam.partners=*")
    assert not (tmp_path / "b.dump").exists()
