"""Recording who owns what in client accounts: upserts, exact holdings, and what cannot be recorded (F38)."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select

from models.asset import assets
from models.member import ManagerRights, MemberStatus
from schema.node import encode
from tests.api.asset_story import (
    KINDS,
    RECORD,
    assert_holdings_are_true,
    asset,
    holdings,
    owners,
    record,
    recorded,
    several,
)
from tests.api.write_story import Story, contents, node_id
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder


async def test_f38_assets_of_every_kind_are_recorded_and_counted_by_owner_and_kind(factory: Factory) -> None:
    story = await Story.begin(factory)
    owner = await factory.member(story.partner)
    sent = [asset(story.client, owner, f"id {kind}", kind, "A name") for kind in KINDS] + several(
        story.client, owner, 2
    )
    assert await record(story, sent) == (len(KINDS) + 2, 0, 0)
    held = {(story.client.id, owner.id, kind): (3 if kind == "DEAL" else 1, 1) for kind in KINDS}
    assert await holdings(factory.database) == held
    async with factory.database.read() as connection:
        row = (await connection.execute(select(assets).where(assets.c.kind == "FILE"))).one()
    assert (row.partner_id, row.client_id, row.owner_id) == (story.partner.id, story.client.id, owner.id)
    assert (row.external_id, row.name, row.former_owner_id) == ("id FILE", "A name", None)


async def test_recording_the_same_again_changes_nothing(factory: Factory) -> None:
    story = await Story.begin(factory)
    sent = several(story.client, story.actor, 3)
    assert await record(story, sent) == (3, 0, 0)
    before = await contents(factory.database)
    assert await record(story, list(reversed(sent))) == (0, 0, 3)
    assert await contents(factory.database) == before


async def test_the_same_external_id_of_another_kind_or_client_is_another_asset(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    sent = [asset(story.client, story.actor, "7"), asset(story.client, story.actor, "7", "TICKET")]
    assert await record(story, [*sent, asset(other, story.actor, "7")]) == (3, 0, 0)
    assert len(await holdings(factory.database)) == 3


async def test_an_asset_that_moves_changes_total_and_version_of_both_holdings(factory: Factory) -> None:
    story = await Story.begin(factory)
    old, new = await factory.members(story.partner, 2)
    await record(story, several(story.client, old, 3))
    await record(story, [asset(story.client, new, "own")])
    moved = {**several(story.client, old, 3)[0], "owner": node_id(new)}
    assert await record(story, [moved]) == (0, 1, 0)
    assert await holdings(factory.database) == {
        (story.client.id, old.id, "DEAL"): (2, 2),
        (story.client.id, new.id, "DEAL"): (2, 2),
    }
    assert (await owners(factory.database))[moved["externalId"]] == (new.id, None)


async def test_two_assets_that_are_exchanged_give_both_holdings_a_new_version(factory: Factory) -> None:
    """The totals are as before, but what was reviewed is not what there is."""
    story = await Story.begin(factory)
    first, second = await factory.members(story.partner, 2)
    await record(story, [asset(story.client, first, "a"), asset(story.client, second, "b")])
    assert await record(story, [asset(story.client, second, "a"), asset(story.client, first, "b")]) == (0, 2, 0)
    assert set((await holdings(factory.database)).values()) == {(1, 2)}


async def test_a_new_name_is_a_change_too(factory: Factory) -> None:
    story = await Story.begin(factory)
    await record(story, [asset(story.client, story.actor, "a", name="Old")])
    assert await record(story, [asset(story.client, story.actor, "a", name="  New\t name ")]) == (0, 1, 0)
    assert list((await holdings(factory.database)).values()) == [(1, 2)]
    async with factory.database.read() as connection:
        assert (await connection.execute(select(assets.c.name))).scalars().all() == ["New name"]


@pytest.mark.parametrize("status", [MemberStatus.ACTIVE, MemberStatus.DEACTIVATED])
async def test_an_owner_needs_no_access_and_may_be_deactivated(factory: Factory, status: MemberStatus) -> None:
    story = await Story.begin(factory)
    owner = await factory.member(story.partner, status=status)
    assert await record(story, several(story.client, owner, 1)) == (1, 0, 0)


async def refused(story: Story, sent: list[dict[str, Any]], **values: Any) -> list[dict[str, Any]]:
    """Returns why a request is refused; nothing may have been written."""
    before = await contents(story.database)
    answer = await recorded(story, sent, **values)
    assert answer["counts"] is None
    assert await contents(story.database) == before
    errors: list[dict[str, Any]] = answer["userErrors"]
    return errors


async def test_somebody_who_left_owns_nothing_any_more(factory: Factory) -> None:
    story = await Story.begin(factory)
    gone = await factory.member(story.partner, status=MemberStatus.LEFT)
    (error,) = await refused(story, [asset(story.client, story.actor, "a"), asset(story.client, gone, "b")])
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "assets", "1", "owner"])
    assert "name who owns it now" in error["message"]


@pytest.mark.parametrize("part", ["client", "owner"])
async def test_t1_unknown_foreign_and_garbage_ids_look_alike(factory: Factory, part: str) -> None:
    story = await Story.begin(factory)
    stranger = await factory.partner()
    foreign = await (factory.client(stranger) if part == "client" else factory.member(stranger))
    type_name = "Client" if part == "client" else "Member"
    answers = set()
    for key in (node_id(foreign), encode(type_name, 10**12), encode("Partner", story.partner.id), "x", "", "Ü" * 300):
        errors = await refused(story, [{**asset(story.client, story.actor, "a"), part: key}])
        assert [(error["code"], error["field"]) for error in errors] == [
            ("NOT_FOUND", ["input", "assets", "0", part]),
        ]
        answers.add(json.dumps(errors))
    assert len(answers) == 1


async def test_whoever_acts_for_two_partners_names_one_and_cannot_mix_them(factory: Factory) -> None:
    story = await Story.begin(factory)
    second = await factory.partner()
    mine = await factory.member(second, user=story.actor)
    place = await factory.client(second)
    both = await story.as_member(story.actor)
    (error,) = await refused(both, [asset(place, mine, "a")])
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "partner"])
    errors = await refused(both, [asset(place, story.actor, "a")], partner=node_id(second))
    assert [(error["code"], error["field"][-1]) for error in errors] == [("NOT_FOUND", "owner")]
    assert await record(both, [asset(place, mine, "a")], partner=node_id(second)) == (1, 0, 0)
    (error,) = await refused(story, [asset(story.client, story.actor, "a")], partner=node_id(await factory.partner()))
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "partner"])


@pytest.mark.parametrize("part", ["externalId", "name"])
@pytest.mark.parametrize("text", ["", "  ", "x" * 201, "a\x00b", "\u202eabc"])
async def test_a_text_that_cannot_be_kept_is_named_with_its_place(factory: Factory, part: str, text: str) -> None:
    story = await Story.begin(factory)
    (error,) = await refused(story, [{**asset(story.client, story.actor, "a"), part: text}])
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "assets", "0", part])


async def test_one_asset_twice_in_a_request_is_refused(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.member(story.partner)
    sent = [asset(story.client, story.actor, "a b"), asset(story.client, other, " a  b ")]
    (error,) = await refused(story, sent)
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "assets", "1", "externalId"])
    assert "number 0" in error["message"]


async def test_every_mistake_of_a_request_is_told(factory: Factory) -> None:
    story = await Story.begin(factory)
    sent = [
        {**asset(story.client, story.actor, " "), "client": "?"},
        {**asset(story.client, story.actor, "a"), "owner": "?"},
    ]
    errors = await refused(story, sent)
    assert [error["field"][2:] for error in errors] == [["0", "client"], ["0", "externalId"], ["1", "owner"]]


@pytest.mark.parametrize("count", [0, 1_001])
async def test_too_few_and_too_many_are_refused(factory: Factory, count: int) -> None:
    story = await Story.begin(factory)
    (error,) = await refused(story, several(story.client, story.actor, count))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "assets"])
    assert "1 to 1,000" in error["message"]


@pytest.mark.parametrize("rights", [ManagerRights.VIEW, ManagerRights.NONE])
async def test_f02_recording_needs_edit(factory: Factory, rights: ManagerRights) -> None:
    story = await Story.begin(factory)
    other = await story.as_member(await factory.member(story.partner, manager_rights=rights))
    (error,) = await refused(other, [asset(story.client, story.actor, "a")])
    assert error["code"] == "FORBIDDEN"


async def test_a_token_without_write_records_nothing(factory: Factory) -> None:
    story = await Story.begin(factory)
    reading = await story.as_member(story.actor, "read")
    _, codes = await reading.run(RECORD, input={"assets": [asset(story.client, story.actor, "a")]})
    assert codes == ["FORBIDDEN"]
    assert await owners(factory.database) == {}


async def test_p_a_retry_with_the_same_key_gets_the_first_answer(factory: Factory) -> None:
    """R22: and does nothing again, though the second call would find the assets there."""
    story = await Story.begin(factory)
    sent = {"assets": several(story.client, story.actor, 2)}
    first, _ = await story.run(RECORD, header="once", input=sent)
    again, _ = await story.run(RECORD, header="once", input=sent)
    assert first == again
    assert first["recordAssets"]["counts"]["created"] == 2


async def test_two_recordings_at_once_lose_no_count(factory: Factory) -> None:
    """Both move assets of the same owners in the same two clients, named in opposite orders, and record the same new ones."""
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    first, second = await factory.members(story.partner, 2)
    for place in (story.client, other):
        await record(story, several(place, first, 20))

    def part(numbers: range, places: list[Any]) -> list[dict[str, Any]]:
        moved = [asset(place, second, f"{first.id}-{number}") for place in places for number in numbers]
        return moved + [asset(place, first, f"new {number}") for place in places for number in range(10)]

    await asyncio.gather(
        record(story, part(range(10), [story.client, other])), record(story, part(range(10, 20), [other, story.client]))
    )
    await assert_holdings_are_true(factory.database)
    totals = {held: total for held, (total, _) in (await holdings(factory.database)).items()}
    assert totals == {
        (place.id, person.id, "DEAL"): count
        for place in (story.client, other)
        for person, count in ((first, 10), (second, 20))
    }


async def test_the_number_of_statements_does_not_grow_with_the_assets(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 20)
    counts = []
    for name, number in (("few", 2), ("many", 20)):
        sent = [
            asset(story.client, person, f"{name} {person.id}", kind) for person in people[:number] for kind in KINDS
        ]
        with recorder:
            assert await record(story, sent) == (len(sent), 0, 0)
        counts.append(recorder.count)
    assert counts[0] == counts[1]
