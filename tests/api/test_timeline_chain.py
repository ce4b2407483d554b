"""N07: an agency asks whether its timeline is whole, and where it is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from models.database import Database
from models.grant import grants
from models.operation import operations
from models.permission.built_in import BUILT_IN_SETS, PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from models.timeline_block import NOBODYS, timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.interning import publish_catalogue
from resolvers.operation.queue import QueueLimits
from resolvers.timeline_chain import portion, proof, service_block
from resolvers.timeline_chain.proof import check_timeline
from resolvers.timeline_chain.verification import breaks
from resolvers.timeline_chain.window import seal_everything
from schema.node import decode_key, encode
from tests.api.caller import Caller
from tests.api.write_story import Story, permissions, product
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CHECK = """query($id: ID!, $after: Int! = 0, $serviceAfter: Int! = 0, $until: Int) { partner(id: $id) {
  timelineSeal { number hash sealedAt note }
  timelineCheck(after: $after, serviceAfter: $serviceAfter, until: $until) {
    whole first last entries outcomes hash next serviceBlocks serviceNext
    breaks { block ofService message operation { id } }
  }
} }"""


async def begin(factory: Factory) -> Story:
    story = await Story.begin(factory)
    await seal_everything(factory.database)
    for person in await factory.members(story.partner, 3):
        await story.grant(person, permissions({"contacts.view": "ALL"}), options={"reason": "New project."})
    return story


async def check(story: Story, after: int = 0, **values: Any) -> Any:
    caller = Caller(story.factory.database, story.viewer)
    return (await caller.data(CHECK, id=encode("Partner", story.partner.id), after=after, **values))["partner"]


async def test_n07_an_honest_timeline_is_whole_and_its_seal_grows_with_it(
    factory: Factory, database: Database, monkeypatch: Any
) -> None:
    story = await begin(factory)
    other = await begin(factory)
    told = await check(story)
    checked = told["timelineCheck"]
    last = checked["last"]
    assert (checked["whole"], checked["breaks"], checked["first"], checked["next"]) == (True, [], 1, None)
    assert (checked["entries"], checked["outcomes"]) == (last, last)
    assert told["timelineSeal"]["number"] == last
    await story.grant(await factory.member(story.partner), permissions({"contacts.view": "ALL"}))
    later = await check(story, last)
    assert (later["timelineCheck"]["first"], later["timelineCheck"]["entries"]) == (last + 1, 1)
    assert later["timelineSeal"]["hash"] != told["timelineSeal"]["hash"]
    monkeypatch.setattr(proof, "BLOCKS_AT_ONCE", 2)
    first = (await check(story))["timelineCheck"]
    assert (first["first"], first["last"], first["next"], first["entries"]) == (1, 2, 2, 2)
    assert (await check(other))["timelineCheck"]["whole"]


async def test_n07_what_was_altered_is_named_and_nobody_elses_is_looked_at(
    factory: Factory, database: Database
) -> None:
    story, other = await begin(factory), await begin(factory)
    mine = operations.c.partner_id == story.partner.id
    async with database.write() as session:
        connection = await session.connection()
        reason = update(operations).where(mine, operations.c.reason.is_not(None))
        await connection.execute(reason.values(reason="They were told to."))
    told = (await check(story))["timelineCheck"]
    assert not told["whole"]
    assert [broken["block"] for broken in told["breaks"]] == [told["last"] - 2, told["last"] - 1, told["last"]]
    assert all("is not what was sealed" in broken["message"] for broken in told["breaks"])
    assert len({broken["operation"]["id"] for broken in told["breaks"]}) == 3
    assert (await check(other))["timelineCheck"]["whole"]
    async with database.write() as session:
        connection = await session.connection()
        theirs = update(timeline_entries).where(timeline_entries.c.partner_id == other.partner.id)
        await connection.execute(theirs.values(after_seat="CORE"))
    assert (await check(story))["timelineCheck"]["breaks"] == told["breaks"]
    assert len((await check(other))["timelineCheck"]["breaks"]) == (await check(other))["timelineSeal"]["number"]


async def test_n07_a_partner_without_history_has_no_seal_and_nothing_to_check(factory: Factory) -> None:
    partner = await factory.partner()
    caller = await Caller.signed_in(factory, await factory.member(partner))
    told = (await caller.data(CHECK, id=encode("Partner", partner.id)))["partner"]
    assert told["timelineSeal"] is None
    assert told["timelineCheck"] == {
        **dict.fromkeys(("entries", "outcomes", "last", "serviceBlocks"), 0),
        "whole": True,
        "first": 1,
        "next": None,
        "serviceNext": None,
        "hash": None,
        "breaks": [],
    }


async def test_n07_the_timelines_proof_is_for_those_with_the_manager(factory: Factory) -> None:
    story = await begin(factory)
    caller = await Caller.signed_in(factory, await factory.member(story.partner, manager_rights="NONE"))
    assert await caller.code(CHECK, id=encode("Partner", story.partner.id)) == "FORBIDDEN"


async def test_n07_what_was_deleted_or_put_in_is_named_too(factory: Factory, database: Database) -> None:
    story = await begin(factory)
    other = await factory.partner()
    mine = operations.c.partner_id == story.partner.id
    newest = select(func.max(operations.c.id)).where(mine).scalar_subquery()
    for change, told in (
        (update(operations).where(operations.c.id == newest).values(partner_id=other.id), "not this partner's"),
        (
            update(timeline_blocks).where(timeline_blocks.c.operation_id == newest).values(entries=0),
            "entries: 1 and not 0",
        ),
        (
            insert(operations).from_select(
                [column.name for column in operations.c if column.name != "id"],
                select(*(column for column in operations.c if column.name != "id")).where(operations.c.id == newest),
            ),
            "is in no block",
        ),
        (
            update(timeline_entries).where(timeline_entries.c.operation_id == newest).values(id=2**50),
            "1 entries are in no block",
        ),
    ):
        async with database.write() as session:
            nested = await session.connection()
            savepoint = await nested.begin_nested()
            await nested.execute(change)
            found = await check_timeline(_reader(nested, story), story.partner.id)
            await savepoint.rollback()
        assert any(told in broken.message for broken in found.breaks), (told, found.breaks)
    assert (await check(story))["timelineCheck"]["whole"]


async def test_n07_a_seal_that_was_noted_down_can_be_compared(factory: Factory, monkeypatch: Any) -> None:
    """However much has happened since, and in whatever parts it is checked: until it, and then the hashes must be the same."""
    story = await begin(factory)
    noted = (await check(story))["timelineSeal"]
    number = noted["number"]
    for person in await factory.members(story.partner, 2):
        await story.grant(person, permissions({"contacts.view": "ALL"}))
    for blocks in (proof.BLOCKS_AT_ONCE, number - 1):
        monkeypatch.setattr(proof, "BLOCKS_AT_ONCE", blocks)
        pages = [(await check(story, until=number))["timelineCheck"]]
        while pages[-1]["next"] is not None:
            pages.append((await check(story, pages[-1]["next"], until=number))["timelineCheck"])
        assert len(pages) == (1 if blocks >= number else 2)
        assert all(page["whole"] for page in pages)
        assert (pages[-1]["last"], pages[-1]["hash"]) == (number, noted["hash"])
    later = (await check(story, number))["timelineCheck"]
    assert (later["last"], later["hash"] != noted["hash"]) == (number + 2, True)
    caller = Caller(factory.database, story.viewer)
    for wrong in ({"after": -1}, {"serviceAfter": -1}, {"until": 0}):
        assert await caller.code(CHECK, id=encode("Partner", story.partner.id), **wrong) == "BAD_INPUT"


@on_sqlite
async def test_n07_an_honest_timeline_is_whole_wherever_the_blocks_of_a_queued_operation_are_parted(
    factory: Factory, database: Database, monkeypatch: Any
) -> None:
    story = replace(await Story.begin(factory), limits=QueueLimits(queue_above=0))
    await seal_everything(database)
    targets = product(await factory.members(story.partner, 3), [story.client])
    operation = await story.operation("grantAccess", targets=targets, access=permissions({"contacts.view": "ALL"}))
    async with database.read() as connection:
        of_operation = timeline_blocks.c.operation_id == decode_key(operation["id"], "Operation")
        assert (await connection.scalar(select(func.count()).where(of_operation)) or 0) > 1
    monkeypatch.setattr(proof, "BLOCKS_AT_ONCE", 1)
    after, last = 0, (await check(story))["timelineSeal"]["number"]
    while after < last:
        told = (await check(story, after))["timelineCheck"]
        assert (told["breaks"], told["last"]) == ([], after + 1)
        after = told["last"]


@on_sqlite
@pytest.mark.parametrize("column", ["finished_at", "created_at"])
async def test_n07_an_operation_that_cannot_be_read_is_told_as_a_break(
    factory: Factory, database: Database, column: str
) -> None:
    """What the database says of it is told by `cam verify` only, to whoever runs the service."""
    story = await begin(factory)
    async with database.write() as session:
        connection = await session.connection()
        newest = await connection.scalar(select(func.max(operations.c.id)))
        await connection.exec_driver_sql(f"UPDATE operation SET {column} = 'some day' WHERE id = {newest}")
    told = (await check(story))["timelineCheck"]
    (broken,) = told["breaks"]
    assert (told["whole"], broken["block"], broken["operation"]) == (False, told["last"], None)
    assert "some day" not in broken["message"]
    if column == "finished_at":
        assert "cannot be read" in broken["message"]
        async with database.snapshot() as connection:
            assert "some day" in next(iter([found.message async for found in breaks(connection)]))


async def _gain(database: Database) -> None:
    """Has the Partner Admin set lose a permission, and gain it again for all who have the set (E21)."""
    older = catalogue.largest_closed_subset(PARTNER_ADMIN_SET.state & ~catalogue.state({"sandboxes": "ALL"}))
    admin = replace(PARTNER_ADMIN_SET, state=older)
    async with database.write() as session:
        connection = await session.connection()
        await publish_catalogue(connection, [admin if s.is_partner_admin else s for s in BUILT_IN_SETS])
        without = select(permission_states.c.id).where(permission_states.c.content == catalogue.encode(older))
        await connection.execute(update(grants).values(state_id=without.scalar_subquery()))
    async with database.write() as session:
        await publish_catalogue(await session.connection())


async def test_n07_e21_what_the_service_did_to_a_partner_is_checked_by_that_partner(
    factory: Factory, database: Database, recorder: StatementRecorder, monkeypatch: Any
) -> None:
    """Two gains: one of two agencies, one of all three. Who has no rows in a block is told nothing of it (T1)."""
    one, other = await Story.begin(factory), await Story.begin(factory)
    await seal_everything(database)
    counts = []
    for late in (True, False):
        await _gain(database)
        with recorder:
            told = (await check(one))["timelineCheck"]
        counts.append(recorder.count)
        if late:
            third = await Story.begin(factory)
            await seal_everything(database)
    assert (told["whole"], told["serviceBlocks"], told["serviceNext"]) == (True, 2, None)
    assert counts[1] - counts[0] <= 1
    assert (await check(third))["timelineCheck"]["serviceBlocks"] == 1
    for module, name in ((portion, "ROWS_AT_ONCE"), (service_block, "SERVICE_BLOCKS_AT_ONCE")):
        with monkeypatch.context() as small:
            small.setattr(module, name, 1)
            first = (await check(one, told["last"]))["timelineCheck"]
        assert (first["serviceBlocks"], first["serviceNext"]) == (1, 1), "neither too many blocks nor too many rows"
    with monkeypatch.context() as small:
        small.setattr(proof, "BLOCKS_AT_ONCE", 1)
        await one.grant(await factory.member(one.partner), permissions({"contacts.view": "ALL"}))
        begun = (await check(one))["timelineCheck"]
        assert (begun["next"], begun["serviceBlocks"]) == (1, 0), "the service's come when the own are through"
    assert (await check(one, serviceAfter=1))["timelineCheck"]["serviceNext"] is None
    entry, block = timeline_entries.c, timeline_blocks.c
    earlier = select(block.operation_id).where(block.chain == NOBODYS, block.number == 1).scalar_subquery()
    theirs = (entry.operation_id == earlier, entry.partner_id == one.partner.id)
    for change in (update(timeline_entries).values(after_seat="CORE"), delete(timeline_entries)):
        async with database.write() as session:
            await (await session.connection()).execute(change.where(*theirs))
        (broken,) = (await check(one))["timelineCheck"]["breaks"]
        assert (broken["block"], broken["ofService"], broken["operation"]) == (1, True, None)
        assert broken["message"] == "block 1 of the service's own operations is not what was sealed"
        # The seal is over all of the block, so the other agency in it hears that too, and no more.
        assert (await check(other))["timelineCheck"]["breaks"] == [broken]
        assert (await check(third))["timelineCheck"]["whole"]


def _reader(connection: Any, story: Story) -> Any:
    """Reads inside a transaction."""

    @asynccontextmanager
    async def snapshot() -> AsyncIterator[Any]:
        yield connection

    return SimpleNamespace(viewer=story.viewer, database=SimpleNamespace(snapshot=snapshot))
