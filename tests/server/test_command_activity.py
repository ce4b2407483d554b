"""`cam import activity`: files of events, CSV and JSON lines, of any size (F52)."""

import json
from pathlib import Path

import pytest

from resolvers.csv_table import ROW_LIMIT
from server.command import FAILED
from tests.server.test_command_asset import cam, folder

__all__ = ["folder"]

HEADER = "hub_id,email,kind,at,event_id,permission,subject\n"
ROW = "1,ann@my.example,updated,2026-10-14T12:00:00Z,7,contacts.edit,Deal 4711\n"
LINE = {
    "hub_id": 1,
    "email": "ann@my.example",
    "kind": "VIEWED",
    "at": "2026-10-14T14:00:00+02:00",
    "event_id": "8",
    "extra": 1,
}


def imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path, *options: str
) -> tuple[int, str, list[str]]:
    """Returns the exit code, the last line, and what stands on standard error."""
    capsys.readouterr()
    code = cam(monkeypatch, "import", "activity", str(file), "--partner", "77", *options)
    told = capsys.readouterr()
    return code, told.out, told.err.splitlines()


def test_f52_csv_and_json_lines_are_imported_and_again_change_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table, lines = folder / "events.csv", folder / "events.jsonl"
    table.write_text(HEADER + ROW, encoding="utf-8-sig")
    lines.write_text(f"\ufeff{json.dumps(LINE)}\n\n", encoding="utf-8")
    for file in (table, lines):
        first = imported(monkeypatch, capsys, file)
        assert first == (0, "Activity: 1 recorded, 0 repeated, 0 refused.\n", [])
        assert imported(monkeypatch, capsys, file)[1] == "Activity: 0 recorded, 1 repeated, 0 refused.\n"
    assert imported(monkeypatch, capsys, table, "--source", "crm")[1].startswith("Activity: 1 recorded")
    renamed = lines.rename(folder / "events.txt")
    assert imported(monkeypatch, capsys, renamed, "--format", "jsonl")[1].startswith("Activity: 0 recorded, 1 repeated")


def test_f52_event_ids_of_a_file_are_told_apart_to_the_letter(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "events.csv"
    file.write_text(HEADER + "".join(ROW.replace(",7,", f",{name},") for name in ("a b", "a  b", " a b ")))
    assert imported(monkeypatch, capsys, file)[1] == "Activity: 2 recorded, 1 repeated, 0 refused.\n"


def test_f52_bad_lines_are_named_in_their_order_and_the_others_are_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("resolvers.activity.file_import.MOST_AT_ONCE", 2)
    file = folder / "events.csv"
    wrong = [
        "2,ann@my.example,viewed,2026-10-14T12:00:00Z,1,,",
        "1,eve@my.example,viewed,2026-10-14T12:00:00Z,2,,",
        "1,ann@my.example,dreamt,2026-10-14T12:00:00Z,3,,",
        "1,ann@my.example,viewed,2026-10-14T12:00:00,4,,",
        "1,ann@my.example,viewed,2026-10-14,5,,",
        "1,ann@my.example,viewed,2026-13-14T12:00:00Z,6,,",
        "1,ann@my.example,viewed",
    ]
    file.write_text(HEADER + ROW + "\n".join(wrong) + "\n" + ROW.replace(",7,", ",9,"), encoding="utf-8")
    code, told, said = imported(monkeypatch, capsys, file)
    assert (code, told) == (FAILED, "Activity: 2 recorded, 0 repeated, 7 refused.\n")
    assert said[:2] == [
        "line 3: “2” is the Hub ID of no client of this partner: import it first.",
        "line 4: “eve@my.example” is the address of nobody of this partner: add the person first.",
    ]
    parts = [
        "no kind “dreamt”; write one of SIGNED_IN, VIEWED",
        "no time zone: write Z",
        "is no moment",
        "is no moment",
    ]
    parts.append("The row has 3 cells")
    for line, part in zip(said[2:], parts, strict=True):
        assert part in line
    assert [line.split(":")[0] for line in said] == [f"line {number}" for number in range(3, 10)]


def test_f52_a_line_that_is_no_event_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "events.jsonl"
    without = {name: value for name, value in LINE.items() if name != "at"}
    wrong = [b"{", b"[1]", json.dumps(without).encode(), json.dumps({**LINE, "email": 7}).encode(), b"\xff"]
    wrong.append(json.dumps({**LINE, "event_id": "9", "subject": "x" * ROW_LIMIT}).encode())
    good = json.dumps({**LINE, "event_id": "10", "subject": ""}).encode()
    file.write_bytes(b"\n".join([*wrong, good]))
    code, told, said = imported(monkeypatch, capsys, file)
    assert (code, told) == (FAILED, "Activity: 1 recorded, 0 repeated, 6 refused.\n")
    parts = [
        "This is no JSON",
        "no object",
        "at is missing",
        "email is no text",
        "This is no JSON",
        "longer than 65536",
    ]
    for number, (line, part) in enumerate(zip(said, parts, strict=True), start=1):
        assert line.startswith(f"line {number}: ")
        assert part in line


def test_f52_a_file_without_the_columns_and_a_source_without_a_name_are_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "events.csv"
    file.write_text("hub_id,kind\n1,viewed\n", encoding="utf-8")
    code, told, (said,) = imported(monkeypatch, capsys, file)
    assert (code, told) == (FAILED, "")
    assert "lacks the columns email, at, event_id, permission, subject" in said
    file.write_text(HEADER + ROW, encoding="utf-8")
    code, told, (said,) = imported(monkeypatch, capsys, file, "--source", " ")
    assert (code, told) == (FAILED, "")
    assert "source cannot be used" in said
