"""`cam verify`: lines that a person can act on, JSON for programs, and an exit code."""

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.command import FAILED, main

Cam = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cam(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, sqlite_template: Path
) -> Cam:
    """Runs the command line in this process, on a migrated SQLite file."""
    file = tmp_path / "cam.sqlite3"
    file.write_bytes(sqlite_template.read_bytes())
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{file}")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cam", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def plant(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("UPDATE permission_state SET content = 'billing:ALL' WHERE id = 1")
    connection.commit()
    connection.close()


def test_a_database_without_faults_is_said_to_be_so_check_by_check(cam: Cam) -> None:
    code, out, err = cam("verify")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert all(line.startswith("ok ") and line.endswith(" rows)") for line in lines[:-1])
    assert lines[-1] == f"No faults in {len(lines) - 1} checks."


def test_a_fault_is_a_line_and_ends_with_one(cam: Cam, tmp_path: Path) -> None:
    plant(tmp_path / "cam.sqlite3")
    code, out, _ = cam("verify")
    assert code == FAILED
    assert "FAULT  the content of each permission state has its digest" in out
    assert "       state 1: its content is not what was interned" in out
    assert "cam restore" in out.splitlines()[-1]


def test_programs_read_json(cam: Cam, tmp_path: Path) -> None:
    plant(tmp_path / "cam.sqlite3")
    code, out, _ = cam("verify", "--json")
    answer = json.loads(out)
    assert (code, answer["consistent"]) == (FAILED, False)
    (faulty,) = [check for check in answer["checks"] if check["faults"]]
    assert (faulty["check"], faulty["faults"], len(faulty["told"])) == ("state_digests", 1, 1)
    assert {"check", "title", "rows", "faults", "told"} == set(faulty)


def test_a_damaged_file_has_faults_and_no_traceback(cam: Cam, tmp_path: Path) -> None:
    file = tmp_path / "cam.sqlite3"
    connection = sqlite3.connect(file)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'permission_state'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with file.open("r+b") as content:
        content.seek((page - 1) * size)
        content.write(b"\xff" * size)
    code, out, err = cam("verify")
    assert (code, err) == (FAILED, "")
    assert "FAULT  the pages of the file are whole" in out
    assert "cannot be found out: database disk image is malformed" in out


def test_a_database_of_another_version_is_not_judged(cam: Cam, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "cam.sqlite3")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.commit()
    connection.close()
    code, out, err = cam("verify")
    assert (code, out) == (FAILED, "")
    assert "run cam migrate" in err
