"""What is watched as it happens: operations and the timeline (R32, P24, T1)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from models.api_token import api_tokens
from models.broadcaster import Broadcaster
from models.database import Database, touch
from models.member import ManagerRights, MemberStatus, members
from models.operation import operations
from models.table import now
from models.timeline_entry import timeline_entries
from resolvers.issuer import EPHEMERAL
from resolvers.operation.chunk import work_once
from resolvers.operation.queue import QueueLimits
from resolvers.timeline_chain.block import open_block
from resolvers.timeline_feed import ENTRIES_AT_ONCE
from schema.node import decode_key, encode
from tests.api.subscriber import ENTRIES, PROGRESS, Subscriber
from tests.api.write_story import Story, mutation, node_id, permissions, product
from tests.factory import ClientRow, Factory, MemberRow
from tests.statement_recorder import StatementRecorder

VIEW = permissions({"contacts.view": "ALL"})


@pytest.fixture
async def broadcaster(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broadcaster]:
    """It looks once when it starts, and then only hears what this process commits."""
    for name in ("SOON_SECONDS", "LATER_SECONDS"):
        monkeypatch.setattr(f"models.broadcaster.{name}", 3_600.0)
    made = Broadcaster(database)
    async with made.running():
        yield made


async def begin(factory: Factory, places: int = 3) -> tuple[Story, list[ClientRow]]:
    """An agency whose partner admin works in all of its clients; its operations are queued, one client a chunk."""
    story = await Story.begin(factory)
    clients = [story.client, *await factory.clients(story.partner, places - 1)]
    for client in clients[1:]:
        await story.admin(client)
    return replace(story, limits=QueueLimits(queue_above=0, chunk_cells=1)), clients


async def queue(story: Story, people: list[MemberRow], clients: list[ClientRow]) -> str:
    """Asks for an operation that is carried out later; returns its id."""
    asked = {"targets": product(people, clients), "access": VIEW}
    data, codes = await story.run(mutation("grantAccess"), input=asked)
    assert (codes, data["grantAccess"]["userErrors"]) == ([], [])
    return str(data["grantAccess"]["operation"]["id"])


async def work(story: Story) -> bool:
    """Carries out one chunk, and says whether there are more."""
    worked = await work_once(story.database, EPHEMERAL, story.partner.id)
    assert worked is not None
    return worked.more


async def written(database: Database, after: int = 0) -> list[str]:
    """The ids of all entries of the timeline with higher keys, in their order."""
    keys = select(timeline_entries.c.id).where(timeline_entries.c.id > after).order_by(timeline_entries.c.id)
    async with database.read() as connection:
        return [encode("TimelineEntry", key) for key in (await connection.execute(keys)).scalars()]


async def test_p24_progress_is_the_present_state_and_each_change_until_the_end(
    factory: Factory, broadcaster: Broadcaster
) -> None:
    story, clients = await begin(factory)
    people = await factory.members(story.partner, 2)
    operation_id = await queue(story, people, clients)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    async with viewer.open(PROGRESS, id=operation_id) as stream:
        seen = [await stream.next()]
        while await work(story):
            seen.append(await stream.next())
        seen += await stream.rest()
    assert [(event["state"], event["done"]) for event in seen] == [
        ("QUEUED", 0),
        ("RUNNING", 2),
        ("RUNNING", 4),
        ("COMPLETED", 6),
    ]
    assert {event["id"] for event in seen} == {operation_id}
    async with viewer.open(PROGRESS, id=operation_id) as stream:
        assert await stream.rest() == seen[-1:]
    assert broadcaster.watches() == 0


async def test_p24_each_event_can_tell_what_has_to_be_looked_up(factory: Factory, broadcaster: Broadcaster) -> None:
    """The first as well as those after it, and the last."""
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    looked_up = """subscription($id: ID!) { operationProgress(id: $id) {
      requestedBy { id } outcomes { nodes { status member { id } } } } }"""
    async with viewer.open(looked_up, id=operation_id) as stream:
        seen = [await stream.next()]
        while await work(story):
            seen.append(await stream.next())
        seen += await stream.rest()
    assert [len(event["outcomes"]["nodes"]) for event in seen] == [0, 1, 2, 3]
    assert {event["requestedBy"]["id"] for event in seen} == {encode("User", story.actor.user_id)}


async def test_changes_that_follow_close_upon_each_other_are_one(factory: Factory, broadcaster: Broadcaster) -> None:
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    async with viewer.open(PROGRESS, id=operation_id) as stream:
        await stream.next()
        while await work(story):
            pass
        assert [event["state"] for event in await stream.rest()] == ["COMPLETED"]


async def test_a_cancelled_operation_ends_its_progress(factory: Factory, broadcaster: Broadcaster) -> None:
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    cancel = "mutation($input: CancelOperationInput!) { cancelOperation(input: $input) { userErrors { code } } }"
    async with viewer.open(PROGRESS, id=operation_id) as stream:
        await stream.next()
        data, _ = await story.run(cancel, input={"operation": operation_id})
        assert data["cancelOperation"]["userErrors"] == []
        assert [event["state"] for event in await stream.rest()] == ["CANCELLED"]


async def test_t1_what_one_may_not_know_of_looks_like_what_does_not_exist(
    factory: Factory, broadcaster: Broadcaster
) -> None:
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    elsewhere = await factory.partner()
    stranger = await Subscriber.of(broadcaster, factory, await factory.member(elsewhere))
    other_client = await factory.client(elsewhere)
    no_operations = (operation_id, encode("Operation", 10**9), encode("Partner", story.partner.id), "x", "")
    refused = {await stranger.error(PROGRESS, id=key) for key in no_operations}
    assert refused == {("NOT_FOUND", "There is no such operation.")}
    no_partners = (node_id(story.partner), encode("Partner", 10**9), operation_id, "x", "")
    refused = {await stranger.error(ENTRIES, partner=key) for key in no_partners}
    assert refused == {("NOT_FOUND", "There is no such partner.")}
    mine = await Subscriber.of(broadcaster, factory, story.actor)
    no_clients = (node_id(other_client), encode("Client", 10**9), operation_id, "x", "")
    refused = {await mine.error(ENTRIES, partner=node_id(story.partner), client=key) for key in no_clients}
    assert refused == {("NOT_FOUND", "There is no such client.")}
    assert broadcaster.watches() == 0


async def test_f02_a_subscription_needs_the_manager_a_token_and_its_scope(
    factory: Factory, broadcaster: Broadcaster
) -> None:
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    worker = await factory.member(story.partner, manager_rights=ManagerRights.NONE)
    for subscriber, progress, entries in (
        (await Subscriber.of(broadcaster, factory, worker), "NOT_FOUND", "FORBIDDEN"),
        (Subscriber(broadcaster, factory.database, None), "UNAUTHENTICATED", "UNAUTHENTICATED"),
        (await Subscriber.of(broadcaster, factory, story.actor, "assets"), "FORBIDDEN", "FORBIDDEN"),
    ):
        assert (await subscriber.error(PROGRESS, id=operation_id))[0] == progress
        assert (await subscriber.error(ENTRIES, partner=node_id(story.partner)))[0] == entries


async def test_p24_new_entries_come_each_once_also_from_operations_that_take_turns(
    factory: Factory, broadcaster: Broadcaster
) -> None:
    story, clients = await begin(factory)
    first, second, third, fourth = await factory.members(story.partner, 4)
    await queue(story, [first], clients)
    await work(story)
    before = set(await written(factory.database))
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    async with viewer.open(ENTRIES, partner=node_id(story.partner)) as stream:
        await stream.begin()
        await queue(story, [second, third], clients)
        at_once = replace(story, limits=QueueLimits())
        await at_once.grant(fourth, VIEW)
        seen = await stream.take(1)
        while await work(story):
            pass
        expected = [key for key in await written(factory.database) if key not in before]
        seen += await stream.take(len(expected) - 1)
        await at_once.change(fourth, permissions({"contacts.view": "TEAM"}))
        seen += await stream.take(1)
    keys = [entry["id"] for entry in seen]
    assert set(keys) == set(await written(factory.database)) - before
    assert len(set(keys)) == len(keys) == 2 + 6 + 1 + 1
    by_operation: dict[str, list[int]] = {}
    for entry in seen:
        key = decode_key(entry["id"], "TimelineEntry")
        assert key is not None
        by_operation.setdefault(entry["operation"]["id"], []).append(key)
    assert len(by_operation) == 4
    assert all(keys_ == sorted(keys_) for keys_ in by_operation.values())


async def test_entries_of_one_client_are_only_those(factory: Factory, broadcaster: Broadcaster) -> None:
    story, clients = await begin(factory)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    chosen = {"partner": node_id(story.partner), "client": node_id(clients[1])}
    async with viewer.open(ENTRIES, **chosen) as stream:
        await stream.begin()
        await queue(story, await factory.members(story.partner, 2), clients)
        while await work(story):
            pass
        seen = await stream.take(2)
        await replace(story, client=clients[1], limits=QueueLimits()).grant(await factory.member(story.partner), VIEW)
        seen += await stream.take(1)
    assert [entry["client"]["id"] for entry in seen] == [node_id(clients[1])] * 3


async def test_the_services_own_operations_are_among_them(
    factory: Factory, broadcaster: Broadcaster, database: Database
) -> None:
    """E21: they are nobody's, and their entries are the partner's all the same."""
    story, _ = await begin(factory)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    async with viewer.open(ENTRIES, partner=node_id(story.partner)) as stream:
        await stream.begin()
        await factory.grant(story.client, await factory.member(story.partner), {"contacts.view": "ALL"})
        async with database.write() as session:
            connection = await session.connection()
            await connection.execute(update(operations).values(partner_id=None, reason="The catalogue has gained."))
            open_block(connection, await connection.scalar(select(func.max(operations.c.id))) or 0)
            touch(connection, ("timeline", story.partner.id))
        entry = await stream.next()
    assert (entry["operation"], entry["reason"]) == (None, "The catalogue has gained.")


@asynccontextmanager
async def _watching(factory: Factory, broadcaster: Broadcaster) -> AsyncIterator[tuple[Story, MemberRow, Any, Any]]:
    """A second member who watches an operation and the timeline."""
    story, clients = await begin(factory)
    person = await factory.member(story.partner)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    viewer = await Subscriber.of(broadcaster, factory, person)
    async with (
        viewer.open(PROGRESS, id=operation_id) as progress,
        viewer.open(ENTRIES, partner=node_id(story.partner)) as entries,
    ):
        await progress.next()
        await entries.begin()
        yield story, person, progress, entries


@pytest.mark.parametrize(
    ("values", "progress_code", "entries_code"),
    [
        ({"manager_rights": ManagerRights.NONE.value}, "NOT_FOUND", "FORBIDDEN"),
        ({"status": MemberStatus.DEACTIVATED.value}, "NOT_FOUND", "NOT_FOUND"),
    ],
)
async def test_whoever_loses_the_right_is_told_at_the_next_event(
    factory: Factory, broadcaster: Broadcaster, *, values: dict[str, str], progress_code: str, entries_code: str
) -> None:
    async with _watching(factory, broadcaster) as (story, person, progress, entries):
        async with factory.database.write() as session:
            await (await session.connection()).execute(update(members).where(members.c.id == person.id).values(values))
        await work(story)
        assert (await progress.error())[0] == progress_code
        assert (await entries.error())[0] == entries_code


async def test_a_revoked_token_ends_subscriptions_also_where_nothing_happens(
    factory: Factory, broadcaster: Broadcaster, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check without news comes every half a minute; here at once."""
    for module in ("operation_progress", "timeline_feed"):
        monkeypatch.setattr(f"resolvers.{module}.RECHECK_SECONDS", 0.05)
    async with _watching(factory, broadcaster) as (_, _, progress, entries):
        async with database.write() as session:
            await (await session.connection()).execute(update(api_tokens).values(revoked_at=now()))
        assert (await progress.error())[0] == "UNAUTHENTICATED"
        assert (await entries.error())[0] == "UNAUTHENTICATED"


async def test_a_slow_subscriber_costs_one_flag_and_reads_in_pages(
    factory: Factory, broadcaster: Broadcaster, database: Database, recorder: StatementRecorder
) -> None:
    """By structure: while nobody reads, nothing is read or kept, however much is written."""
    story, clients = await begin(factory, places=1)
    number = 2 * ENTRIES_AT_ONCE + 10
    people = await factory.members(story.partner, number)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    async with viewer.open(ENTRIES, partner=node_id(story.partner)) as stream:
        await stream.begin()
        at_once = replace(story, limits=QueueLimits())
        await at_once.grant(people[0], VIEW)
        await stream.next()
        for person in people[1:4]:
            await at_once.grant(person, VIEW)
        await queue(story, people[4:], clients)
        await work(story)
        with recorder:
            for _ in range(50):
                broadcaster.wake([("timeline", story.partner.id)])
                await asyncio.sleep(0)
        assert recorder.statements == []
        assert broadcaster.watches() == 1
        with recorder:
            seen = await stream.take(number - 1)
    assert len({entry["id"] for entry in seen}) == number - 1
    pages = [text for text in recorder.statements if "permission_state" in text]
    assert len(pages) >= (number - 1) / ENTRIES_AT_ONCE
    assert all("LIMIT" in text for text in pages)


async def test_whoever_is_gone_costs_nothing(factory: Factory, broadcaster: Broadcaster) -> None:
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    viewer = await Subscriber.of(broadcaster, factory, story.actor)
    async with (
        viewer.open(PROGRESS, id=operation_id) as progress,
        viewer.open(ENTRIES, partner=node_id(story.partner)) as entries,
    ):
        await progress.next()
        await entries.begin()
        assert broadcaster.watches() == 2
    assert broadcaster.watches() == 0
    assert broadcaster._watches == {}


async def test_many_who_watch_one_operation_share_what_is_read(factory: Factory, recorder: StatementRecorder) -> None:
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    here = Broadcaster(factory.database)
    viewer = await Subscriber.of(here, factory, story.actor)
    async with AsyncExitStack() as stack:
        many = [await stack.enter_async_context(viewer.open(PROGRESS, id=operation_id)) for _ in range(12)]
        for stream in many:
            await stream.next()
        for stream in many:
            stream.expect()
        await asyncio.sleep(0.01)
        await work(story)
        with recorder:
            here.wake_all()
            assert [(await stream.next())["done"] for stream in many] == [1] * 12
    # Whoever is first reads alone, the others together; alone they would have sent two dozen statements.
    assert sum("api_token" in text for text in recorder.statements) <= 2
    assert recorder.count <= 5


async def test_what_another_process_wrote_is_found_by_looking(
    factory: Factory, database: Database, database_url: str
) -> None:
    """On SQLite, and where every notice was lost: another process's transactions tell this one nothing."""
    story, clients = await begin(factory)
    operation_id = await queue(story, [await factory.member(story.partner)], clients)
    here = Broadcaster(database)
    viewer = await Subscriber.of(here, factory, story.actor)
    elsewhere = Database(database_url, durable=False)
    try:
        async with (
            viewer.open(PROGRESS, id=operation_id) as progress,
            viewer.open(ENTRIES, partner=node_id(story.partner)) as entries,
        ):
            await progress.next()
            await entries.begin()
            await here.look()
            seen, more = [], True
            while more:
                worked = await work_once(elsewhere, EPHEMERAL, story.partner.id)
                assert worked is not None
                more = worked.more
                await here.look()
                seen.append((await progress.next())["done"])
                await entries.next()
            assert seen == [1, 2, 3]
            assert await progress.rest() == []
    finally:
        await elsewhere.dispose()


async def test_a_look_wakes_only_whose_operations_changed(factory: Factory, database: Database) -> None:
    story, clients = await begin(factory)
    await queue(story, [await factory.member(story.partner)], clients)
    other = await factory.partner()
    here = Broadcaster(database)
    ours, theirs = here.watch(("timeline", story.partner.id)), here.watch(("timeline", other.id))

    def woken() -> list[bool]:
        found = [watch._changed.is_set() for watch in (ours, theirs)]
        for watch in (ours, theirs):
            watch._changed.clear()
        return found

    await here.look()
    assert woken() == [True, True], "what happened before the first look is not known"
    await here.look()
    assert woken() == [False, False]
    await work(story)
    await here.look()
    assert woken() == [True, False]
    while await work(story):
        pass
    await here.look()
    assert woken() == [True, False]
    for _ in range(3):
        await here.look()
    assert woken() == [False, False]
