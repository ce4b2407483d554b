"""`cam export timeline` and `cam export elevated-access` (F55, P23)."""

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.database import Database
from server.command import main
from tests.api.client_story import ClientStory
from tests.factory import Factory

Cam = Callable[..., tuple[int, str, str]]


@pytest.fixture
async def story(sqlite_template: Path, tmp_path: Path) -> ClientStory:
    """An agency with an administrator of two clients, one of which is read by its own people too."""
    file = tmp_path / "cam.sqlite3"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    factory = Factory(database)
    story = await ClientStory.begin(factory)
    boss = await factory.member(await factory.partner("North Agency Two"), "Nora North", email="nora@north.example")
    ada = await story.someone(name="Ada Admin", email="ada@north.example")
    await factory.partner_admin(story.client, ada)
    await factory.partner_admin(await factory.client(story.partner), ada)
    await factory.member(story.partner, user=boss)
    await database.dispose()
    return story


@pytest.fixture
def cam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cam:
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{tmp_path / 'cam.sqlite3'}")
    monkeypatch.setenv("CAM_SECRET_KEY", "k" * 43)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cam", "export", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_records_are_written_as_csv_and_json_lines(cam: Cam, story: ClientStory, tmp_path: Path) -> None:
    ada = ("--as", "ada@north.example")
    file = tmp_path / "timeline.csv"
    assert cam("timeline", str(file), *ada) == (0, "", "")
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["kind"], row["person_email"]) for row in rows] == [("GRANT", "ada@north.example")] * 2
    assert list(tmp_path.glob("*.part")) == []
    assert cam("elevated-access", str(tmp_path / "elevated.jsonl"), *ada) == (0, "", "")
    lines = [json.loads(line) for line in (tmp_path / "elevated.jsonl").read_text().splitlines()]
    assert {line["access_type"] for line in lines} == {"PARTNER_ADMIN"}
    assert {line["hub_id"] for line in lines} == {row["hub_id"] for row in rows}

    def number(*arguments: str) -> int:
        code, out, err = cam(*arguments, "-", "--format", "jsonl")
        assert (code, err) == (0, "")
        return len(out.splitlines())

    hub_id = str(story.client.hub_id)
    for name in ("timeline", "elevated-access"):
        assert number(name, *ada, "--client", hub_id) == 1
        assert number(name, *ada, "--member", "ADA@north.example", "--search", "ada") == 2
        assert number(name, *ada, "--until", "2026-01-01T00:00:00Z") == 0
        assert number(name, "--as", story.owner.email, "--account", hub_id) == 2
    assert number("timeline", *ada, "--kind", "REMOVE", "--kind", "CHANGE") == 0
    assert number("timeline", *ada, "--asked-for", "SERVICE", "--since", "2026-01-01T00:00:00Z") == 2
    assert number("timeline", *ada, "--asked-by-name", "nobody") == 0
    assert number("elevated-access", *ada, "--permission", "billing", "--permission", "security.edit") == 2
    assert number("elevated-access", *ada, "--access-type", "STANDARD") == 0
    assert (number("elevated-access", *ada, "--still-held"), number("elevated-access", *ada, "--ended")) == (2, 0)


def test_what_is_wrong_is_one_line_and_leaves_no_file(cam: Cam, story: ClientStory, tmp_path: Path) -> None:
    ada = ("--as", "ada@north.example")
    for arguments, said in (
        ((*ada, "--client", "77"), "There is no client 77."),
        ((*ada, "--member", "nobody@x.example"), "There is no member nobody@x.example."),
        ((*ada, "--account", str(story.client.hub_id)), "is not one of the own people"),
        ((*ada, "--account", "1", "--partner", "2"), "do not go together"),
        ((*ada, "--since", "yesterday"), "A DateTime is written like"),
        (("--as", "nora@north.example"), "say which with --partner"),
        (("--as", "ghost@x.example"), "ghost@x.example"),
    ):
        for name in ("timeline", "elevated-access"):
            code, out, err = cam(name, str(tmp_path / "out.csv"), *arguments)
            assert (code > 0, out, err.count("\n")) == (True, "", 1), arguments
            assert said in err
    code, _, err = cam("elevated-access", str(tmp_path / "out.csv"), *ada, "--permission", "contacts.view")
    assert (code, err.startswith("cam: permissions takes keys of sensitive permissions")) == (1, True)
    assert list(tmp_path.glob("out*")) == []
