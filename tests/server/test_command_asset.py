"""`cam import assets`: whoever runs the service brings in who owns what (F38)."""

import sys
from pathlib import Path

import pytest

from server.command import FAILED, main

MEMBERS = "email,first_name,last_name,kind,manager_rights,verified\nann@my.example,Ann,One,EMPLOYEE,,\n"
CLIENTS = "hub_id,official_name,display_name,domain,account_type,managed_mrr,currency\n1,One,,,,,\n"
ASSETS = "hub_id,owner_email,kind,external_id,name\n1,ann@my.example,deal,7,Big deal\n"


def cam(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cam", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for files; the settings name a database with a partner, a person and a client."""
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{tmp_path / 'cam.sqlite3'}")
    owner = ("--owner-email", "me@my.example", "--owner-name", "Me Myself")
    assert cam(monkeypatch, "migrate") == 0
    assert cam(monkeypatch, "partner", "create", "--name", "My Agency", "--hub-id", "77", *owner) == 0
    for name, content in (("members", MEMBERS), ("clients", CLIENTS)):
        file = tmp_path / f"{name}.csv"
        file.write_text(content, encoding="utf-8")
        assert cam(monkeypatch, "import", name, str(file), "--partner", "77") == 0
    return tmp_path


def test_assets_are_imported_and_the_same_file_again_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "assets.csv"
    file.write_text(ASSETS, encoding="utf-8-sig")
    capsys.readouterr()
    assert cam(monkeypatch, "import", "assets", str(file), "--partner", "77") == 0
    assert capsys.readouterr() == ("Assets: 1 created, 0 updated, 0 unchanged, 0 rejected.\n", "")
    assert cam(monkeypatch, "import", "assets", str(file)) == 0
    assert capsys.readouterr().out == "Assets: 0 created, 0 updated, 1 unchanged, 0 rejected.\n"


def test_bad_rows_are_named_by_their_line_and_the_others_are_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "assets.csv"
    file.write_text(ASSETS + "2,ann@my.example,deal,8,N\n1,eve@my.example,deal,9,N\n", encoding="utf-8")
    capsys.readouterr()
    assert cam(monkeypatch, "import", "assets", str(file), "--partner", "77") == FAILED
    told = capsys.readouterr()
    assert told.out == "Assets: 1 created, 0 updated, 0 unchanged, 2 rejected.\n"
    assert told.err.splitlines() == [
        "line 3: hub_id: 2 is no client of this partner. Import it first.",
        "line 4: owner_email: eve@my.example is nobody of this partner. Add the person first.",
    ]


def test_a_file_without_the_columns_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "assets.csv"
    file.write_text("hub_id,name\n1,N\n", encoding="utf-8")
    capsys.readouterr()
    assert cam(monkeypatch, "import", "assets", str(file), "--partner", "77") == FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert "lacks the columns owner_email, kind, external_id" in line
