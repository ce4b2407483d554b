"""`cam import people`: from the command line to somebody who signs in on the client's side."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.command import main

Cam = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cam:
    """The command line on a migrated database of its own, with a partner, its owner and one client."""
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{tmp_path / 'cam.sqlite3'}")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cam", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    assert run("migrate")[0] == 0
    made = run("partner", "create", "--name", "Agency", "--hub-id", "77", "--owner-email", "me@my.example")
    assert made[0] == 0
    clients = tmp_path / "clients.csv"
    clients.write_text(
        "hub_id,official_name,display_name,domain,account_type,managed_mrr,currency\n1000001,Harbour Ltd,,,STANDARD,,\n"
    )
    assert run("import", "clients", str(clients))[0] == 0
    return run


def test_own_people_and_a_partners_super_admins_are_imported(cam: Cam, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "hub_id,email,first_name,last_name,access\n1000001,olga@harbour.example,Olga,Owner,SUPER_ADMIN\n"
        "1000001,me@my.example,,,ROOT\n"
    )
    code, out, err = cam("import", "people", str(file))
    assert (code, out) == (1, "Own people: 1 created, 0 updated, 0 unchanged, 1 rejected.\n")
    assert err.startswith("line 3: access: “ROOT” is not allowed; write one of SUPER_ADMIN, ")
    code, out, _ = cam("token", "create", "--email", "olga@harbour.example", "--scope", "write")
    assert code == 0
    file.write_text("hub_id,email,first_name,last_name,access\n1000001,me@my.example,,,SUPER_ADMIN\n")
    for counts in ("1 created, 0 updated, 0 unchanged", "0 created, 0 updated, 1 unchanged"):
        assert cam("import", "people", str(file), "--partner", "77") == (
            0,
            f"Super admins: {counts}, 0 rejected.\n",
            "",
        )


def test_for_a_partners_people_only_super_admin_is_offered(cam: Cam, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    rows = "".join(
        f"1000001,{name}@my.example,,,{word}\n" for name, word in (("a", "ROOT"), ("b", "READ_ONLY"), ("c", ""))
    )
    file.write_text(f"hub_id,email,first_name,last_name,access\n{rows}")
    code, _, err = cam("import", "people", str(file), "--partner", "77")
    offered = "for a partner's people write SUPER_ADMIN: all other access is given in the manager."
    assert (code, err.splitlines()) == (
        1,
        [
            f"line 2: access: “ROOT” is not allowed; {offered}",
            f"line 3: access: “READ_ONLY” is not allowed; {offered}",
            f"line 4: access: it is empty; {offered}",
        ],
    )


def test_an_unknown_partner_and_a_missing_file_are_one_line(cam: Cam, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("hub_id,email,first_name,last_name,access\n")
    code, _, err = cam("import", "people", str(file), "--partner", "78")
    assert (code, "no partner with the Hub ID 78" in err, err.count("\n")) == (1, True, 1)
    code, _, err = cam("import", "people", str(tmp_path / "none.csv"))
    assert (code, err.count("\n")) == (1, 1)
