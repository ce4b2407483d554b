"""`cam verify`: lines that a person can act on, JSON for programs, and an exit code."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from models.database import Database
from models.operation import operations
from models.timeline_block import timeline_blocks
from resolvers.timeline_chain.window import seal_everything
from server.command import FAILED, main
from tests.api.test_timeline_chain import check
from tests.api.write_story import Story
from tests.factory import Factory

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


def test_n07_a_chain_that_was_written_anew_is_found_by_a_seal_that_was_noted_down(cam: Cam, tmp_path: Path) -> None:
    """It agrees with itself, as all other checks say: only who has noted a seal down sees that it is another one."""
    address = f"sqlite+aiosqlite:///{tmp_path}/cam.sqlite3"
    note, first = asyncio.run(_lived(address))
    assert cam("verify", "--seal", note, "--seal", first)[0] == 0
    asyncio.run(_rewritten(address))
    chain, number, digest = note.split(":")
    later = f"{chain}:{int(number) + 1}:{digest}"
    code, out, _ = cam("verify", "--json", "--seal", note, "--seal", later, "--seal", f"99{chain}:1:{digest}")
    assert code == FAILED
    (faulty,) = [found for found in json.loads(out)["checks"] if found["faults"]]
    assert (faulty["check"], faulty["rows"]) == ("noted_seals", 1)
    anew, cut, unknown = faulty["told"]
    assert anew.endswith(f"and {digest} was noted down: what is up to there was written anew")
    assert f"the chain ends with block {number}" in cut
    assert "there is no such chain" in unknown


async def _lived(address: str) -> tuple[str, str]:
    """Makes a history, and returns the seal that its agency notes down, with one of an earlier block."""
    database = Database(address)
    try:
        story = await Story.begin(Factory(database))
        await seal_everything(database)
        block = timeline_blocks.c
        async with database.read() as connection:
            rows = await connection.execute(select(block.chain, block.number, block.hash).where(block.number == 1))
            first = ":".join(map(str, rows.one()))
        return (await check(story))["timelineSeal"]["note"], first
    finally:
        await database.dispose()


async def _rewritten(address: str) -> None:
    """Alters the history and seals it all again."""
    database = Database(address)
    try:
        async with database.write() as session:
            connection = await session.connection()
            await connection.execute(update(operations).values(reason="They were told to."))
            await connection.execute(delete(timeline_blocks))
        await seal_everything(database)
    finally:
        await database.dispose()


@pytest.mark.parametrize(
    ("seal", "told"),
    [
        ("1:2", "CHAIN:NUMBER:HASH, in one line"),
        (f"one:2:{'a' * 64}", "CHAIN is a whole number from 0 on"),
        (f"1:0:{'a' * 64}", "NUMBER is a whole number from 1 on"),
        (f"1:{2**63}:{'a' * 64}", "NUMBER is a whole number from 1 on"),
        ("1:2:abc", "64 hexadecimal digits, and this has 3 characters"),
    ],
)
def test_a_seal_that_is_none_is_told(cam: Cam, seal: str, told: str) -> None:
    code, out, err = cam("verify", "--seal", seal)
    assert (code, out) == (2, "")
    assert told in " ".join(err.replace("│", " ").split())
