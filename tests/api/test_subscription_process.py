"""Subscriptions on PostgreSQL with several processes: notices, lost connections, transactions that commit in another order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.engine import URL

from models.broadcaster import Broadcaster
from models.database import Database, touch
from models.horizon import LATEST, Horizon
from models.notice import CHANNEL, Sender, sending
from models.operation import operations
from models.timeline_entry import timeline_entries
from resolvers.operation.queue import QueueLimits
from resolvers.timeline_chain.block import open_block
from tests.api.subscriber import ENTRIES, PATIENCE_SECONDS, PROGRESS, Subscriber
from tests.api.test_subscription import VIEW, begin, queue, work
from tests.api.write_story import node_id
from tests.factory import Factory
from tests.postgresql import administer
from tests.statement_recorder import StatementRecorder

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def elsewhere(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broadcaster]:
    """The broadcaster of another process, with a database object of its own; it hears, and hardly ever looks."""
    monkeypatch.setattr("models.broadcaster.SOON_SECONDS", 3_600.0)
    monkeypatch.setattr("models.broadcaster.LATER_SECONDS", 3_600.0)
    database = Database(database_url, durable=False)
    made = Broadcaster(database, origin="elsewhere")
    async with made.running():
        await until(lambda: listening(made))
        yield made
    await database.dispose()


def listening(broadcaster: Broadcaster) -> bool:
    return broadcaster._listener is not None and broadcaster._listener.listening


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 nothing tells it
            await asyncio.sleep(0.005)


async def test_a_subscription_sees_what_another_process_commits(factory: Factory, elsewhere: Broadcaster) -> None:
    """It hears of it from a process that only sends, as a worker does."""
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    viewer = await Subscriber.of(elsewhere, factory, story.actor)
    viewer.database = elsewhere._database
    async with (
        viewer.open(PROGRESS, id=operation_id) as progress,
        viewer.open(ENTRIES, partner=node_id(story.partner)) as entries,
    ):
        seen = [(await progress.next())["done"]]
        await entries.begin()
        async with sending(factory.database):
            more = True
            while more:
                more = await work(story)
                seen.append((await progress.next())["done"])
                await entries.next()
        assert seen == [0, 1, 2, 3]
        assert await progress.rest() == []


async def test_a_lost_connection_costs_delay_and_never_data(
    factory: Factory,
    elsewhere: Broadcaster,
    postgresql_server: URL,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody hears the notices of what is written while the connection is lost; the next connection makes up for it."""
    story, _ = await begin(factory)
    viewer = await Subscriber.of(elsewhere, factory, story.actor)
    reached = asyncio.Event()
    assert elsewhere._listener is not None
    connect = elsewhere._listener._connection

    async def connect_later() -> Any:
        await reached.wait()
        return await connect()

    async with viewer.open(ENTRIES, partner=node_id(story.partner)) as entries:
        await entries.begin()
        monkeypatch.setattr(elsewhere._listener, "_connection", connect_later)
        with caplog.at_level(logging.WARNING, "models.notice"):
            ours = f"query = 'LISTEN {CHANNEL}' AND datname = '{factory.database.url.database}'"
            administer(postgresql_server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
            await until(lambda: not listening(elsewhere))
        assert "trying again" in caplog.text
        people = await factory.members(story.partner, 4)
        for person in people:
            await replace(story, limits=QueueLimits()).grant(person, VIEW)
        reached.set()
        seen = await entries.take(4)
    assert [entry["member"]["id"] for entry in seen] == [node_id(person) for person in people]


async def test_an_operation_that_commits_late_is_not_skipped(factory: Factory, database: Database) -> None:
    """Its key is lower than those that were seen before it."""
    story, _ = await begin(factory, places=1)
    at_once = replace(story, limits=QueueLimits())
    here = Broadcaster(database)
    viewer = await Subscriber.of(here, factory, story.actor)
    first, second, third = await factory.members(story.partner, 3)
    for _ in range(4):
        await here.look()
    async with viewer.open(ENTRIES, partner=node_id(story.partner)) as entries:
        await entries.begin()
        made = (await at_once.grant(first, VIEW)).grant
        here.wake_all()
        sample = await entries.next()
        entries.expect()
        async with database.write() as session:
            connection = await session.connection()
            late = await _copy_of_newest(connection)
            for person in (second, third):
                await at_once.grant(person, VIEW)
                for _ in range(4):
                    await here.look()
                here.wake_all()
                assert (await entries.next())["member"]["id"] == node_id(person)
                entries.expect()
        for _ in range(2):
            await here.look()
        seen = await entries.next()
    assert seen["operation"]["id"] not in {sample["operation"]["id"], made["id"]}
    assert late < await _newest(database)
    assert seen["member"]["id"] == node_id(first)


async def _copy_of_newest(connection: Any) -> int:
    """Writes the newest operation and its entry once more, and returns its key."""
    newest = (await connection.execute(select(operations).order_by(operations.c.id.desc()).limit(1))).mappings().one()
    values = {name: value for name, value in newest.items() if name != "id"}
    key = (await connection.execute(insert(operations).values(values).returning(operations.c.id))).scalar_one()
    of_newest = select(timeline_entries).where(timeline_entries.c.operation_id == newest["id"])
    entry = dict((await connection.execute(of_newest)).mappings().one())
    await connection.execute(insert(timeline_entries).values({**entry, "operation_id": key, "id": key << 24}))
    open_block(connection, key)
    touch(connection, ("timeline", newest["partner_id"]))
    return int(key)


async def _newest(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(func.max(operations.c.id))) or 0)


async def test_the_horizon_stops_before_what_is_not_committed(factory: Factory, database: Database) -> None:
    story, _ = await begin(factory, places=1)
    horizon = Horizon()
    async with database.read() as connection:
        assert await horizon.key(connection) == max(0, await _newest(database) - LATEST)
    async with database.write() as session:
        held = await session.connection()
        late = await _copy_of_newest(held)
        await replace(story, limits=QueueLimits()).grant(await factory.member(story.partner), VIEW)
        for _ in range(5):
            async with database.read() as connection:
                await horizon.advance(connection)
                assert await horizon.key(connection) < late
    for _ in range(4):
        async with database.read() as connection:
            await horizon.advance(connection)
            reached = await horizon.key(connection)
    assert reached == await _newest(database)


async def test_one_sender_tells_what_many_transactions_changed(
    database: Database, recorder: StatementRecorder, elsewhere: Broadcaster
) -> None:
    """Not in the transactions themselves, which would wait for each other."""
    watches = [elsewhere.watch(("operation", number)) for number in range(1, 401)]
    sender = Sender(database, "here")
    with recorder:
        for number in range(1, 401):
            sender.send([("operation", number)])
        await sender.finish()
    assert 1 <= recorder.count <= 3
    assert all("pg_notify" in statement for statement in recorder.statements)
    await until(lambda: all(watch._changed.is_set() for watch in watches))


async def test_own_and_strange_notices_say_nothing(database: Database, elsewhere: Broadcaster) -> None:
    watch, sentinel = elsewhere.watch(("operation", 1)), elsewhere.watch(("operation", 2))
    notify = text("SELECT pg_notify(:channel, :payload)")
    payloads = [
        "",
        "x",
        "7",
        '["elsewhere", ["operation", 1]]',
        '["here", ["operation", "x"]]',
        '["here", ["operation"]]',
    ]
    async with database.write() as session:
        connection = await session.connection()
        for payload in [*payloads, '["here", ["operation", 2]]']:
            await connection.execute(notify, {"channel": CHANNEL, "payload": payload})
    await until(sentinel._changed.is_set)
    assert not watch._changed.is_set()
    assert listening(elsewhere)


async def test_a_database_that_is_gone_is_asked_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("models.broadcaster.SOON_SECONDS", 0.01)
    monkeypatch.setattr("models.broadcaster.LATER_SECONDS", 0.01)
    looked = 0

    async def fail(_self: Broadcaster) -> None:
        nonlocal looked
        looked += 1
        raise ConnectionRefusedError

    monkeypatch.setattr(Broadcaster, "look", fail)
    async with Broadcaster(database).running():
        await until(lambda: looked >= 3)
    assert [record.message for record in caplog.records if record.name == "models.broadcaster"] == [
        "the database cannot be asked for changes; trying again"
    ]
