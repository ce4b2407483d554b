"""`cam feedback`: whoever runs the service reads what people told, the newest first (F46, F47)."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from models.database import Database
from models.feedback import FeedbackKind, feedback, permission_issues
from server.command import main
from tests.factory import MOMENT, Factory


def cam(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cam", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A migrated database of its own, which the settings name."""
    address = f"sqlite:///{tmp_path / 'cam.sqlite3'}"
    monkeypatch.setenv("CAM_DATABASE_URL", address)
    assert cam(monkeypatch, "migrate") == 0
    return address


async def tell(address: str) -> None:
    """An issue between two messages of feedback."""
    database = Database(address, durable=False)
    factory = Factory(database)
    partner = await factory.partner("Agency")
    author = await factory.member(partner, email="ann@agency.example")
    member = await factory.member(partner, email="bob@agency.example")
    client, outsider = await factory.client(partner), await factory.user(email="eve@client.example")
    async with database.write() as session:
        connection = await session.connection()
        messages: list[dict[str, Any]] = [
            {
                "partner_id": partner.id,
                "user_id": author.user_id,
                "kind": FeedbackKind.BUG.value,
                "subject": "The list is empty",
                "details": "First line.\n\nSecond line.",
                "created_at": MOMENT,
            },
            {
                "partner_id": None,
                "user_id": outsider.id,
                "kind": FeedbackKind.FEEDBACK.value,
                "subject": "Thanks",
                "details": "It works.",
                "created_at": MOMENT + timedelta(hours=2),
            },
        ]
        await connection.execute(insert(feedback), messages)
        issue = {
            "partner_id": partner.id,
            "client_id": client.id,
            "member_id": member.id,
            "permission": "deals.edit",
            "details": "Cannot edit.",
            "user_id": author.user_id,
            "created_at": MOMENT + timedelta(hours=1),
        }
        await connection.execute(insert(permission_issues), [issue])
    await database.dispose()


def test_all_that_people_told_is_listed_the_newest_first(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(tell(address))
    capsys.readouterr()
    assert cam(monkeypatch, "feedback") == 0
    lines = capsys.readouterr().out.split("\n")
    headings = [line.split("\t") for line in lines if line and not line.startswith(" ")]
    assert [heading[:3] for heading in headings] == [
        ["2026-11-01 11:00", "FEEDBACK", "eve@client.example"],
        ["2026-11-01 10:00", "PERMISSION", "ann@agency.example"],
        ["2026-11-01 09:00", "BUG", "ann@agency.example"],
    ]
    assert headings[0][3:] == ["-", "Thanks"]
    assert headings[1][3].startswith("Agency (")
    assert headings[1][4].startswith("deals.edit of bob@agency.example in client 5000000")
    assert lines[-5:] == [
        "\t".join(headings[2]),
        "    First line.",
        "    ",
        "    Second line.",
        "",
    ]


def test_so_many_are_listed_at_the_most(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(tell(address))
    capsys.readouterr()
    assert cam(monkeypatch, "feedback", "--most", "2") == 0
    told = capsys.readouterr().out
    assert "Thanks" in told
    assert "deals.edit" in told
    assert "The list is empty" not in told


def test_nothing_told_is_nothing_listed(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert address
    capsys.readouterr()
    assert cam(monkeypatch, "feedback") == 0
    assert capsys.readouterr().out == ""


def test_a_number_that_cannot_be_is_one_line(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert address
    capsys.readouterr()
    assert cam(monkeypatch, "feedback", "--most", "0") == 2
    (line,) = capsys.readouterr().err.strip().split("\n")
    assert "--most" in line
