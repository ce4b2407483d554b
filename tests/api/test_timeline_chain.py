"""N07: an agency asks whether its timeline is whole, and where it is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from sqlalchemy import func, insert, select, update

from models.database import Database
from models.operation import operations
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.timeline_chain import proof
from resolvers.timeline_chain.proof import check_timeline
from resolvers.timeline_chain.window import seal_everything
from schema.node import encode
from tests.api.caller import Caller
from tests.api.write_story import Story, permissions
from tests.factory import Factory

CHECK = """query($id: ID!, $after: Int! = 0) { partner(id: $id) {
  timelineSeal { number hash sealedAt }
  timelineCheck(after: $after) { whole first last entries outcomes hash next breaks { block message operation { id } } }
} }"""


async def begin(factory: Factory) -> Story:
    story = await Story.begin(factory)
    await seal_everything(factory.database)
    for person in await factory.members(story.partner, 3):
        await story.grant(person, permissions({"contacts.view": "ALL"}), options={"reason": "New project."})
    return story


async def check(story: Story, after: int = 0) -> Any:
    caller = Caller(story.factory.database, story.viewer)
    return (await caller.data(CHECK, id=encode("Partner", story.partner.id), after=after))["partner"]


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
        **dict.fromkeys(("entries", "outcomes", "last"), 0),
        "whole": True,
        "first": 1,
        "next": None,
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


async def test_n07_a_seal_that_was_noted_down_can_be_compared(factory: Factory) -> None:
    story = await begin(factory)
    noted = (await check(story))["timelineSeal"]
    await story.grant(await factory.member(story.partner), permissions({"contacts.view": "ALL"}))
    told = (await check(story, noted["number"] - 1))["timelineCheck"]
    assert told["last"] == noted["number"] + 1
    caller = Caller(factory.database, story.viewer)
    assert await caller.code(CHECK, id=encode("Partner", story.partner.id), after=-1) == "BAD_INPUT"


def _reader(connection: Any, story: Story) -> Any:
    """Reads inside a transaction."""

    @asynccontextmanager
    async def snapshot() -> AsyncIterator[Any]:
        yield connection

    return SimpleNamespace(viewer=story.viewer, database=SimpleNamespace(snapshot=snapshot))
