"""`cam matrix`: export, plan and apply from the command line (P28)."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.command import main

Cam = Callable[..., tuple[int, str, str]]
ME = ("--as", "olivia@fox-agency.example")
NEW = "minh.vetchling.38@fox-agency.example,1000010,"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the demo agency."""
    file = tmp_path_factory.mktemp("demo") / "cam.sqlite3"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAM_DATABASE_URL", f"sqlite:///{file}")
        patch.setenv("CAM_SECRET_KEY", "k" * 43)
        for command in ("migrate", "demo"):
            patch.setattr(sys, "argv", ["cam", command])
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code
    return file


@pytest.fixture
def cam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, demo: Path) -> Cam:
    """The command line on a copy of it."""
    shutil.copyfile(demo, tmp_path / "cam.sqlite3")
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{tmp_path / 'cam.sqlite3'}")
    monkeypatch.setenv("CAM_SECRET_KEY", "k" * 43)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cam", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_a_matrix_is_exported_edited_planned_and_applied(
    cam: Cam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, token = tmp_path / "matrix.csv", tmp_path / "token"
    assert cam("matrix", "export", *ME, str(file)) == (0, "", "")
    assert [path.name for path in tmp_path.glob("*.part")] == []
    code, whole, _ = cam("matrix", "export", *ME, "-", "--format", "csv")
    assert (code, whole.encode()) == (
        0,
        file.read_bytes().replace(b"\r\n", b"\n") if "\r" not in whole else file.read_bytes(),
    )
    assert cam("matrix", "export", *ME, str(tmp_path / "matrix.json"))[0] == 0
    assert len(json.loads((tmp_path / "matrix.json").read_text())) == whole.count("\n") - 1
    code, out, err = cam("matrix", "plan", *ME, str(tmp_path / "matrix.json"))
    assert (code, out.count("\n"), err) == (
        0,
        1,
        f"Plan: 0 applied, {whole.count(chr(10)) - 1:,} noop, 0 rejected, 0 failed.\n",
    )

    header, first, *_ = file.read_text().splitlines()
    taken = first.replace("Partner Admin", "")
    file.write_text(f"{header}\n{NEW}Reporting,,,,,,\n{taken}\n")
    code, out, err = cam("matrix", "plan", *ME, str(file), "--include-self", "--token-file", str(token))
    lines = out.splitlines()
    assert (code, err) == (1, "Plan: 1 applied, 0 noop, 1 rejected, 0 failed.\n")
    assert lines[0] == "line 2: APPLIED minh.vetchling.38@fox-agency.example 1000010"
    assert lines[1].startswith("line 3: REJECTED olivia@fox-agency.example 1000001: ")
    assert "removalReview" in lines[1]
    code, out, _ = cam("matrix", "apply", *ME, str(file), "--plan", f"@{token}", "--include-self", "--reason", "Why")
    assert code == 1
    assert out.splitlines()[0].startswith("REJECTED olivia@fox-agency.example 1000001: The matrix says")
    assert out.splitlines()[1].endswith(": 1 applied, 0 noop, 1 rejected, 0 failed.")
    file.write_text(f"{header}\n{NEW}Reporting,,,,,,\n")
    assert cam("matrix", "apply", *ME, str(file), "--plan", token.read_text().strip())[1].endswith(
        ": 0 applied, 1 noop, 0 rejected, 0 failed.\n"
    )
    file.write_text(f"{header}\n{NEW}Sales,,,,,,\n")
    code, out, _ = cam("matrix", "apply", *ME, str(file), "--plan", token.read_text().strip(), "--strict", "--atomic")
    assert (code, "planned" in out.splitlines()[0]) == (1, True)
    monkeypatch.setenv("CAM_QUEUE_ABOVE", "0")
    code, out, _ = cam("matrix", "apply", *ME, str(file), "--accept-lockout")
    assert code == 0
    assert "1 rows are queued" in out


def test_mistakes_are_told_line_by_line_and_who_may_not_is_told_so(cam: Cam, tmp_path: Path) -> None:
    file = tmp_path / "matrix.csv"
    cam("matrix", "export", *ME, str(file))
    header = file.read_text().splitlines()[0]
    file.write_text(f"{header}\n{NEW}Nonsense,,,,,,\nnobody@example.com,1000010,Sales,,,,,,\n")
    for command in ("plan", "apply"):
        code, out, err = cam("matrix", command, *ME, str(file))
        assert (code, out) == (1, "")
        assert [line.split(":")[0] for line in err.splitlines()] == ["line 2", "line 3"]
    file.write_text("nothing")
    assert "header" in cam("matrix", "plan", *ME, str(file))[2]
    file.write_text(f"{header}\n{NEW}Sales,,,,,,\n")
    code, _, err = cam("matrix", "apply", "--as", "vera@fox-agency.example", str(file))
    assert (code, "EDIT" in err) == (1, True)
    code, _, err = cam("matrix", "export", "--as", "nils@fox-agency.example", str(tmp_path / "none.csv"))
    assert (code, "Partner employee management" in err) == (1, True)
    assert not (tmp_path / "none.csv").exists()
    assert cam("matrix", "export", "--as", "nobody@example.com", "-")[2].startswith("cam: Nobody has the address")
    code, _, err = cam("matrix", "export", "--as", "carlos@freelance.example", "-")
    assert code == 1
    json_file = tmp_path / "matrix.json"
    json_file.write_text("{")
    assert "no JSON" in cam("matrix", "plan", *ME, str(json_file))[2]
