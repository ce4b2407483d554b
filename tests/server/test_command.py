"""The command line: what each command does, and that whatever goes wrong is one line with what to do, never a traceback."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.metadata import metadata
from resolvers.api_token import is_token
from schema.schema import sdl
from server.command import FAILED, MISUSED, main

CLIENTS = "hub_id,official_name,display_name,domain,account_type,managed_mrr,currency\n"
MEMBERS = "email,first_name,last_name,kind,manager_rights,verified\n"


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """The one line that a failing command says."""
        assert self.code in {FAILED, MISUSED}
        assert "Traceback" not in self.err
        (line,) = self.err.strip().splitlines()
        return line


Cam = Callable[..., Result]


@pytest.fixture
def cam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cam:
    """Runs the command line in this process, on an SQLite file of its own."""
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{tmp_path / 'cam.sqlite3'}")

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["cam", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def agency(cam: Cam) -> Cam:
    """The same, with a partner in a migrated database."""
    assert cam("migrate").code == 0
    made = cam(
        *("partner", "create", "--name", "My Agency", "--hub-id", "77"),
        *("--owner-email", "me@my.example", "--owner-name", "Me Myself"),
    )
    assert made.code == 0
    return cam


def test_help_tells_all(cam: Cam) -> None:
    result = cam("--help")
    assert result.code == 0
    for command in (
        "serve",
        "worker",
        "migrate",
        "demo",
        "import",
        "token",
        "partner",
        "outbox",
        "feedback",
        "rule",
        "schema",
    ):
        assert command in result.out
    for arguments in (
        ("serve",),
        ("worker",),
        ("import", "clients"),
        ("import", "people"),
        ("import", "assets"),
        ("token", "create"),
        ("partner", "admit"),
        ("outbox",),
        ("outbox", "show"),
        ("outbox", "retry"),
        ("feedback",),
        ("demo",),
        ("rule",),
    ):
        assert "Usage: cam" in cam(*arguments, "--help").out


def test_migrate_makes_a_database_and_changes_nothing_the_second_time(cam: Cam, tmp_path: Path) -> None:
    assert "from empty to" in cam("migrate").out
    before = dump(tmp_path / "cam.sqlite3")
    assert "is at version" in cam("migrate").out
    assert dump(tmp_path / "cam.sqlite3") == before


def dump(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_schema_prints_the_sdl_and_nothing_else(cam: Cam) -> None:
    assert cam("schema").out == sdl()


def test_a_first_session_of_a_self_hosted_agency(agency: Cam, tmp_path: Path) -> None:
    members, clients = tmp_path / "members.csv", tmp_path / "clients.csv"
    members.write_text(MEMBERS + "ann@my.example,Ann,One,EMPLOYEE,EDIT,true\n", encoding="utf-8")
    clients.write_text(CLIENTS + "1,One,,,,,\n2,Two,,,,,\n3,Three,,,,,\n", encoding="utf-8-sig")
    assert agency("import", "members", str(members), "--partner", "77").out == (
        "People: 1 created, 0 updated, 0 unchanged, 0 rejected.\n"
    )
    assert "3 created" in agency("import", "clients", str(clients), "--partner", "77").out
    assert "3 unchanged" in agency("import", "clients", str(clients)).out
    listed = tmp_path / "hub-ids.txt"
    listed.write_text("1\r\n\r\n 2 \r\n9\r\n", encoding="utf-8")
    admitted = agency("partner", "admit", "--partner", "77", "--email", "ann@my.example", "--clients", str(listed))
    assert (admitted.code, admitted.failure) == (1, "9: no client of this partner. Import it first.")
    assert "partner admin in 2 clients" in admitted.out
    everywhere = agency("partner", "admit", "--partner", "77", "--email", "ann@my.example", "--all")
    assert (everywhere.code, everywhere.err) == (0, "")
    assert "partner admin in 1 clients, was it already in 2" in everywhere.out


def test_an_import_takes_the_good_rows_and_names_the_bad(agency: Cam, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_text(CLIENTS + '1,One,,,,"1.234,50",EUR\n2,"Two\nlines",,,,,\nx,Three,,,,,\n', encoding="utf-8")
    result = agency("import", "clients", str(file), "--partner", "77")
    assert result.code == 1
    assert result.out == "Clients: 1 created, 0 updated, 0 unchanged, 2 rejected.\n"
    assert [line.partition(": ")[0] for line in result.err.splitlines()] == ["line 2", "line 5"]


def test_a_token_is_the_last_line_alone_and_can_be_listed_and_revoked(agency: Cam) -> None:
    made = agency("token", "create", "--email", "ME@my.example", "--scope", "read,write", "--name", "laptop")
    assert is_token(made.out.strip())
    assert made.out.count("\n") == 1
    listed = agency("token", "list").out
    assert listed.split("\t")[:5] == ["1", "active", "me@my.example", "read write", "laptop"]
    assert made.out.strip() not in listed
    assert agency("token", "revoke", "1").code == 0
    assert "\trevoked\t" in agency("token", "list", "--email", "me@my.example").out
    assert agency("token", "list", "--email", "you@my.example").out == ""


def test_the_demo_is_loaded_once(cam: Cam) -> None:
    cam("migrate")
    first, *people = cam("demo", "--people", "30", "--clients", "5", "--grants", "15").out.splitlines()
    assert first == "The demo is loaded."
    assert "cam token create" in people[0]
    assert "super admin of the largest agency" in people[1]
    assert "already" in cam("demo", "--people", "30", "--clients", "5", "--grants", "15").out
    assert "partners already" in cam("demo").failure


def test_rule_answers_cases_as_json(cam: Cam, tmp_path: Path) -> None:
    case = {
        "id": "mine",
        "catalogue": {"deals.view": {"levels": ["NONE", "OWNED", "TEAM", "ALL"]}},
        "actor": {"deals.view": "TEAM"},
        "target": {},
        "requested": {"deals.view": "ALL"},
    }
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([case]), encoding="utf-8-sig")
    (answer,) = json.loads(cam("rule", str(file)).out)
    assert answer == {
        "id": "mine",
        "authority": {"deals.view": "TEAM"},
        "after": {"deals.view": "TEAM"},
        "granted": ["deals.view@OWNED", "deals.view@TEAM"],
        "revoked": [],
        "withheld": ["deals.view@ALL"],
        "retained_actor_lacks": [],
        "retained_required": [],
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "must be a list"),
        (b'[{"id": "x"}]', "lacks 'actor'"),
        (b'[{"id": "x", "actor": {"nope": "ALL"}, "target": {}, "requested": {}}]', "nope"),
    ],
)
def test_cases_that_cannot_be_answered_are_named(cam: Cam, tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "cases.json"
    file.write_bytes(content)
    assert told in cam("rule", str(file)).failure


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("bogus",), 2, "No such command 'bogus'"),
        (("import", "clients", "x.csv"), 1, "x.csv: No such file"),
        (("import", "clients", "x.csv", "--partner", "a"), 2, "--partner"),
        (("import", "clients", "nowhere.csv", "--partner", "77"), 1, "nowhere.csv: No such file"),
        (("import", "clients", ".", "--partner", "77"), 1, "directory"),
        (("token", "create", "--email", "x@y.example"), 2, "--scope"),
        (("token", "create", "--email", "x@y.example", "--scope", "read"), 1, "x@y.example"),
        (("token", "create", "--email", "me@my.example", "--scope", "admin"), 1, "read and write"),
        (("token", "create", "--email", "me@my.example", "--scope", "read", "--expires-in-days", "0"), 2, "1"),
        (("token", "revoke", "9"), 2, "cam token list"),
        (("token", "revoke", "x"), 2, "number"),
        (("partner", "create", "--name", "A", "--hub-id", "77", "--owner-email", "a@b.example"), 1, "already"),
        (("partner", "create", "--name", "A", "--hub-id", "0", "--owner-email", "a@b.example"), 1, "Hub ID"),
        (("partner", "create", "--name", " ", "--hub-id", "5", "--owner-email", "a@b.example"), 1, "name"),
        (("partner", "create", "--name", "A", "--hub-id", "5", "--owner-email", "a"), 1, "name@example.com"),
        (("partner", "admit", "--partner", "77", "--email", "me@my.example"), 2, "--clients FILE or --all"),
        (
            ("partner", "admit", "--partner", "78", "--email", "me@my.example", "--all"),
            1,
            "no partner with the Hub ID 78",
        ),
        (("partner", "admit", "--partner", "77", "--email", "x@my.example", "--all"), 1, "no member"),
        (("demo", "--people", "3"), 1, "--people"),
        (("demo", "--people", "40"), 1, "partners already"),
        (("rule", "nowhere.json"), 1, "nowhere.json"),
    ],
)
def test_what_goes_wrong_is_one_line_that_says_what_to_do(
    agency: Cam, arguments: tuple[str, ...], code: int, told: str
) -> None:
    result = agency(*arguments)
    assert told in result.failure
    assert result.code == code


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"hub_id\n1\n", "official_name"),
        (b"\xff\xfeh\0", "UTF-16"),
        (b"PK\x03\x04", "not text"),
        (b"hub_id;\xe9\n", "UTF-8"),
    ],
)
def test_a_file_that_is_no_csv_is_one_line(agency: Cam, tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(content)
    assert told in agency("import", "clients", str(file), "--partner", "77").failure
    assert "There is no partner with the Hub ID 78" in agency("import", "clients", str(file), "--partner", "78").failure


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "list"),
        ("serve",),
        ("demo",),
        ("partner", "admit", "--partner", "1", "--email", "a@b.example", "--all"),
    ],
)
def test_a_database_that_is_not_there_is_to_be_made_first(
    cam: Cam, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CAM_PORT", "0")
    assert "run cam migrate" in cam(*arguments).failure


@pytest.mark.parametrize(
    "arguments",
    [
        ("outbox",),
        ("feedback",),
        ("token", "list"),
        ("serve",),
        ("demo",),
        ("partner", "create", "--name", "A", "--hub-id", "5", "--owner-email", "a@b.example"),
    ],
)
def test_a_database_file_that_is_not_there_is_named_and_not_made(
    cam: Cam, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A slip in CAM_DATABASE_URL must not look like an empty database."""
    monkeypatch.setenv("CAM_PORT", "0")
    file = tmp_path / "tpyo" / "cam.sqlite3"
    for url in (f"sqlite:///{file}", f"sqlite:///file:{file}?mode=rwc&uri=true"):
        monkeypatch.setenv("CAM_DATABASE_URL", url)
        told = f"cam: There is no database file {file}: check CAM_DATABASE_URL, or run cam migrate to make one there."
        assert cam(*arguments).failure == told
    assert list(tmp_path.iterdir()) == []
    assert "from empty to" in cam("migrate").out
    assert file.exists()


def test_an_empty_database_file_is_to_be_migrated_first(cam: Cam, tmp_path: Path) -> None:
    (tmp_path / "cam.sqlite3").touch()
    assert cam("outbox").failure == "cam: The database is empty: run cam migrate."


def test_a_database_of_a_newer_version_is_refused(agency: Cam, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "cam.sqlite3")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    assert "newer version" in agency("token", "list").failure
    assert "newer version" in agency("migrate").failure


def test_settings_and_databases_that_cannot_be_used_are_named(
    cam: Cam, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAM_PORT", "many")
    assert "CAM_PORT" in cam("migrate").failure
    monkeypatch.delenv("CAM_PORT")
    file = tmp_path / "letter.txt"
    file.write_text("Dear database, " * 100, encoding="utf-8")
    for url, told in (
        ("mysql://host/name", "sqlite:///"),
        (f"sqlite:///{file}", "not an SQLite database"),
        (f"sqlite:///{tmp_path}", "cannot be opened"),
        ("postgresql://127.0.0.1:1/nowhere", "cannot be used"),
    ):
        monkeypatch.setenv("CAM_DATABASE_URL", url)
        assert told in cam("migrate").failure


def test_a_fault_of_ours_is_one_line_as_well(cam: Cam, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise KeyError("inside")

    monkeypatch.setattr("schema.schema.sdl", broken)
    assert cam("schema").failure == "cam: KeyError: 'inside'. Set CAM_LOG_LEVEL=debug to see where."
    monkeypatch.setattr("server.command_line.app", lambda **_options: (_ for _ in ()).throw(KeyboardInterrupt))
    assert cam("schema").code == 130


def test_every_table_is_in_the_database_that_migrate_makes(agency: Cam, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "cam.sqlite3")
    made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert set(metadata.tables) <= made


def test_python_m_server_is_cam(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "server", "schema"], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0
    assert re.search(r"^type Query", result.stdout, re.MULTILINE)


def test_of_several_partners_one_must_be_named(agency: Cam, tmp_path: Path) -> None:
    agency("partner", "create", "--name", "Other", "--hub-id", "88", "--owner-email", "b@other.example")
    file = tmp_path / "members.csv"
    file.write_text("email,first_name,last_name,kind,manager_rights,verified\n")
    told = agency("import", "members", str(file))
    assert (told.code, told.failure) == (1, "cam: Say which partner with --partner: 77 (My Agency), 88 (Other).")
