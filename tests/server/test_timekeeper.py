"""What is due is done by whatever process works, when its time comes, and by the next one after a restart (P04, P14)."""

import asyncio
import io
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from models.database import Database
from models.grant import grants
from models.operation import operations
from resolvers.issuer import EPHEMERAL
from server import timekeeper
from server.timekeeper import Timekeeper
from tests.api.write_story import Story, mutation, permissions, product
from tests.factory import Factory
from tests.server.queued_work import at_work, until

SOON = timedelta(milliseconds=1500)


async def plan(story: Story, run_at: datetime) -> int:
    """Access that is to be given at a moment."""
    asked = {
        "targets": product([await story.factory.member(story.partner)], [story.client]),
        "access": permissions({"contacts.view": "ALL"}),
        "options": {"runAt": run_at.isoformat()},
    }
    query = mutation("grantAccess", fragment="fragment Told on Operation { state }")
    data, codes = await story.run(query, input=asked)
    assert (codes, data["grantAccess"]["operation"]) == ([], {"state": "QUEUED"})
    async with story.database.read() as connection:
        return int(await connection.scalar(select(operations.c.id).order_by(operations.c.id.desc()).limit(1)) or 0)


async def ended(database: Database, operation_id: int) -> datetime | None:
    async with database.read() as connection:
        return await connection.scalar(select(operations.c.finished_at).where(operations.c.id == operation_id))


async def test_p14_a_worker_carries_out_what_is_planned_before_and_while_it_works(
    database: Database, factory: Factory
) -> None:
    """Not before its time, and without anybody who asks again."""
    story = await Story.begin(factory)
    before = datetime.now(UTC) + SOON
    first = await plan(story, before)

    async def first_has_ended() -> bool:
        return await ended(database, first) is not None

    async def second_has_ended() -> bool:
        return await ended(database, second) is not None

    async with at_work(database):
        await until(first_has_ended)
        assert (await ended(database, first) or before) >= before
        # A plan wakes the worker, who would look again only in a while.
        second = await plan(story, datetime.now(UTC) + timedelta(milliseconds=300))
        await until(second_has_ended)


async def test_p04_a_worker_ends_access_and_reminds(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    """One kind of work that goes wrong keeps no other waiting."""
    partner = await factory.partner()
    client = await factory.client(partner)
    moment = datetime.now(UTC)
    over = await factory.grant(client, await factory.member(partner), expires_at=moment - timedelta(days=1))
    soon = await factory.grant(client, await factory.member(partner), expires_at=moment + timedelta(days=2))

    async def fail(*_arguments: Any) -> None:
        raise ValueError("something that nobody foresaw")

    monkeypatch.setattr(timekeeper, "leave_due", fail)
    await Timekeeper(database, EPHEMERAL).look()
    async with database.read() as connection:
        rows = await connection.execute(select(grants.c.id, grants.c.status).order_by(grants.c.id))
        assert dict(map(tuple, rows)) == {over.id: "DEACTIVATED", soon.id: "ACTIVE"}
        assert await connection.scalar(text("SELECT count(*) FROM mail")) == 1
    assert lines.getvalue().count("what is due was not done") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p14_what_is_due_and_fails_is_tried_again_only_in_a_while(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    """An error of the database too, if it would be the same each time: it does not stop the worker."""
    await plan(await Story.begin(factory), datetime.now(UTC) + timedelta(milliseconds=300))
    pauses: list[float] = []
    ending = asyncio.Event()

    async def wait(*_events: asyncio.Event, seconds: float) -> None:
        await asyncio.sleep(0.5)
        pauses.append(seconds)
        if len(pauses) == 3:
            ending.set()

    async def fail(*_arguments: Any) -> int:
        raise OperationalError("SELECT", None, deterministic)

    deterministic = sqlite3.OperationalError("no such column")
    deterministic.sqlite_errorcode = sqlite3.SQLITE_ERROR
    monkeypatch.setattr(timekeeper, "queue_due", fail)
    monkeypatch.setattr(timekeeper, "first_of", wait)
    await Timekeeper(database, EPHEMERAL).run(ending)
    # At the first look it was not due yet, and the agency had its first round of reminders.
    assert pauses[0] < timekeeper.LOOK_EVERY
    assert pauses[1:] == [timekeeper.LOOK_EVERY] * 2
    assert lines.getvalue().count("what is due was not done") == 3
