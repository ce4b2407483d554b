"""`cam outbox`: what waits, what was sent, what was given up; a mail as its reader has it; and trying again."""

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models.database import Database
from models.mail import mails
from models.table import now
from resolvers.mail import Letter, post
from server.command import FAILED, MISUSED, main
from tests.factory import MOMENT, Factory
from tests.life_factory import LifeFactory

Cam = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str) -> Cam:
    """Runs the command line in this process, on the database of the test."""
    monkeypatch.setenv("CAM_DATABASE_URL", database_url)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cam", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def on(url: str, *rows: dict[str, Any]) -> list[int]:
    """Puts mails into the outbox; the command line has an event loop of its own, so this has one too."""

    async def write() -> list[int]:
        database = Database(url, durable=False)
        life_factory = LifeFactory(Factory(database))
        try:
            return [await life_factory.mail(**row) for row in rows]
        finally:
            await database.dispose()

    return asyncio.run(write())


def due(url: str, key: int) -> tuple[bool, bool]:
    """Whether a mail is due, and whether it was given up."""

    async def read() -> tuple[bool, bool]:
        database = Database(url, durable=False)
        try:
            async with database.read() as connection:
                query = select(mails.c.due_at, mails.c.given_up_at).where(mails.c.id == key)
                row = (await connection.execute(query)).one()
                return row.due_at <= now(), row.given_up_at is not None
        finally:
            await database.dispose()

    return asyncio.run(read())


def test_an_empty_outbox_lists_nothing(cam: Cam) -> None:
    assert cam("outbox") == cam("outbox", "--all") == (0, "", "")


def test_what_was_not_sent_is_listed_and_all_if_so_wished(cam: Cam, database_url: str) -> None:
    on(
        database_url,
        {"subject": "First", "text": "for the reader"},
        {"subject": "Second", "sent_at": MOMENT, "tries": 1},
        {"subject": "Third", "given_up_at": MOMENT, "tries": 3, "last_error": "550 No such user"},
    )
    code, out, err = cam("outbox")
    assert (code, err) == (0, "")
    assert [line.split("\t") for line in out.splitlines()] == [
        ["3", "given up", "2026-11-01 09:00", "person-3@example.com", "Third", "3 tries", "550 No such user"],
        ["1", "waiting", "2026-11-01 09:00", "person-1@example.com", "First", "0 tries"],
    ]
    assert cam("outbox", "--pending")[1] == out
    everything = cam("outbox", "--all")[1]
    assert [line.split("\t")[:2] for line in everything.splitlines()] == [
        ["3", "given up"],
        ["2", "sent"],
        ["1", "waiting"],
    ]
    assert "for the reader" not in everything
    assert len(cam("outbox", "--all", "--limit", "1")[1].splitlines()) == 1


def test_a_mail_is_shown_as_its_recipient_reads_it(cam: Cam, database_url: str) -> None:
    async def write() -> None:
        database = Database(database_url, durable=False)
        async with database.write() as session:
            letter = Letter("e:1", "ana@example.com", "Zoë let you in", ("She did.",), "https://a.example/")
            await post(await session.connection(), letter)
        await database.dispose()

    asyncio.run(write())
    code, out, err = cam("outbox", "show", "1")
    assert (code, err) == (0, "")
    head, _, text = out.partition("\n\n")
    assert head.splitlines()[:2] == ["To: ana@example.com", "Subject: Zoë let you in"]
    assert head.splitlines()[3] == "About: e:1"
    assert text == "She did.\n\nhttps://a.example/\n"


def test_a_mail_that_waits_or_was_given_up_can_be_tried_again(cam: Cam, database_url: str) -> None:
    later = now() + timedelta(hours=1)
    waiting, given_up = on(database_url, {"due_at": later}, {"given_up_at": MOMENT, "due_at": later})
    for key in (waiting, given_up):
        assert cam("outbox", "retry", str(key)) == (0, f"Mail {key} is due.\n", "")
        assert due(database_url, key) == (True, False)


def test_what_was_sent_is_not_sent_again(cam: Cam, database_url: str) -> None:
    (sent,) = on(database_url, {"sent_at": MOMENT})
    code, out, err = cam("outbox", "retry", str(sent))
    assert (code, out) == (FAILED, "")
    assert err == f"cam: Mail {sent} was sent at 2026-11-01 09:00; there is nothing to try again.\n"


@pytest.mark.parametrize("command", ["show", "retry"])
def test_an_unknown_number_is_one_line(cam: Cam, command: str) -> None:
    assert cam("outbox", command, "7") == (FAILED, "", "cam: There is no mail 7; see cam outbox --all.\n")


@pytest.mark.parametrize(
    "arguments", [("show",), ("show", "x"), ("retry", "1.5"), ("--limit", "0"), ("wipe",), ("show", "9" * 30)]
)
def test_a_wrong_argument_is_one_line(cam: Cam, arguments: tuple[str, ...]) -> None:
    code, out, err = cam("outbox", *arguments)
    assert (code in {FAILED, MISUSED}, out, len(err.splitlines())) == (True, "", 1)
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [("outbox",), ("outbox", "--all"), ("outbox", "show", "1"), ("feedback",)])
def test_looking_waits_for_nobody_who_writes(
    cam: Cam, database_url: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    on(database_url, {"subject": "First"})

    def refuse(_database: Database) -> None:
        raise AssertionError("a reading command asked for the writing transaction")

    monkeypatch.setattr(Database, "write", refuse)
    code, _, err = cam(*arguments)
    assert (code, err) == (0, "")


def test_the_outbox_is_in_the_help_and_needs_a_migrated_database(
    cam: Cam, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "outbox" in cam("--help")[1]
    assert "retry" in cam("outbox", "--help")[1]
    monkeypatch.setenv("CAM_DATABASE_URL", f"sqlite:///{tmp_path / 'other.sqlite3'}")
    code, out, err = cam("outbox")
    assert (code, out, len(err.splitlines())) == (FAILED, "", 1)
    assert "cam migrate" in err
