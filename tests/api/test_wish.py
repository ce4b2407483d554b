"""Wishes: one vote of each person for each wish, which can be taken back; ranked by votes (F48), with the survey (F57)."""

import asyncio
from typing import Any

from sqlalchemy import insert

from models.feedback import wish_votes
from models.wish import WISHES
from schema.context import Context
from schema.node import encode
from schema.schema import schema
from tests.api.caller import Caller
from tests.api.write_story import contents
from tests.factory import MOMENT, Factory, PartnerRow
from tests.statement_recorder import StatementRecorder

KEYS = list(WISHES)
SHOWN = "{ id title description votes viewerHasVoted }"
LIST = f"query {{ partners {{ wishes {SHOWN} }} }}"
ANSWER = f"{{ wish {SHOWN} userErrors {{ code message field }} }}"
VOTE = f"mutation($input: VoteForWishInput!) {{ voteForWish(input: $input) {ANSWER} }}"
WITHDRAW = f"mutation($input: WithdrawVoteInput!) {{ withdrawVote(input: $input) {ANSWER} }}"
NODE = f"query($id: ID!) {{ node(id: $id) {{ id ... on Wish {SHOWN} }} }}"


async def somebody(factory: Factory, partner: PartnerRow | None = None) -> Caller:
    partner = partner or await factory.partner()
    return await Caller.signed_in(factory, await factory.member(partner, manager_rights="NONE"))


async def give(caller: Caller, key: str, query: str = VOTE) -> Any:
    (payload,) = (await caller.data(query, input={"wish": encode("Wish", key)})).values()
    assert payload["userErrors"] == []
    return payload["wish"]


async def ranked(caller: Caller) -> list[Any]:
    (partner,) = (await caller.data(LIST))["partners"]
    wishes: list[Any] = partner["wishes"]
    return wishes


async def test_f48_all_wishes_are_there_for_every_member_in_the_order_of_the_data(factory: Factory) -> None:
    found = await ranked(await somebody(factory))
    assert [wish["id"] for wish in found] == [encode("Wish", key) for key in KEYS]
    for wish, known in zip(found, WISHES.values(), strict=True):
        assert (wish["title"], wish["description"]) == (known.title, known.description)
        assert (wish["votes"], wish["viewerHasVoted"]) == (0, False)


async def test_f48_what_has_more_votes_comes_first(factory: Factory) -> None:
    """Votes of all partners count; equally many leave the order of the data."""
    partner = await factory.partner()
    first, second, third = [await somebody(factory, partner), await somebody(factory), await somebody(factory)]
    for caller, key in ((first, KEYS[4]), (second, KEYS[4]), (second, KEYS[2]), (third, KEYS[7])):
        await give(caller, key)
    found = await ranked(first)
    wanted = [KEYS[4], KEYS[2], KEYS[7], *(key for key in KEYS if key not in {KEYS[4], KEYS[2], KEYS[7]})]
    assert [wish["id"] for wish in found] == [encode("Wish", key) for key in wanted]
    assert [(wish["votes"], wish["viewerHasVoted"]) for wish in found[:4]] == [
        (2, True),
        (1, False),
        (1, False),
        (0, False),
    ]


async def test_f48_a_person_has_one_vote_for_each_wish_and_can_take_it_back(factory: Factory) -> None:
    caller, other = await somebody(factory), await somebody(factory)
    await give(other, KEYS[0])
    for _ in range(2):
        voted = await give(caller, KEYS[0])
        assert (voted["votes"], voted["viewerHasVoted"]) == (2, True)
    assert (await give(caller, KEYS[1]))["votes"] == 1
    for _ in range(2):
        left = await give(caller, KEYS[0], WITHDRAW)
        assert (left["votes"], left["viewerHasVoted"]) == (1, False)
    assert (await give(caller, KEYS[0]))["votes"] == 2


async def test_f48_two_votes_at_once_are_one(factory: Factory) -> None:
    person = await factory.member(await factory.partner())
    callers = [await Caller.signed_in(factory, person) for _ in range(4)]
    answers = await asyncio.gather(*(give(caller, KEYS[3]) for caller in callers))
    assert {wish["votes"] for wish in answers} == {1}
    async with factory.database.read() as connection:
        assert len((await connection.execute(wish_votes.select())).all()) == 1


async def test_f48_a_client_s_own_person_may_vote_too(factory: Factory) -> None:
    caller = await Caller.signed_in(factory, await factory.user())
    assert (await give(caller, KEYS[5]))["viewerHasVoted"] is True


async def test_r1_a_wish_is_found_by_its_id(factory: Factory) -> None:
    caller = await somebody(factory)
    voted = await give(caller, KEYS[6])
    assert (await caller.data(NODE, id=voted["id"]))["node"] == voted
    for unknown in (encode("Wish", "free_coffee"), encode("Wish", 1), encode("Wish", ""), encode("Wish", "x" * 150)):
        assert (await caller.data(NODE, id=unknown))["node"] is None


async def test_what_is_no_wish_gets_no_vote(factory: Factory) -> None:
    caller = await somebody(factory)
    before = await contents(factory.database)
    wrong = (encode("Wish", "free_coffee"), encode("Client", KEYS[0]), encode("Partner", 1), KEYS[0], "", "x" * 10_000)
    for query in (VOTE, WITHDRAW):
        for text in wrong:
            (payload,) = (await caller.data(query, input={"wish": text})).values()
            (refusal,) = payload["userErrors"]
            assert (payload["wish"], refusal["code"], refusal["field"]) == (None, "NOT_FOUND", ["input", "wish"])
            assert "partner.wishes" in refusal["message"]
    assert await contents(factory.database) == before


async def test_voting_needs_the_scope_write(factory: Factory) -> None:
    reader = await Caller.signed_in(factory, await factory.user(), "read")
    for query in (VOTE, WITHDRAW):
        assert await reader.code(query, input={"wish": encode("Wish", KEYS[0])}) == "FORBIDDEN"


async def test_r22_a_retry_of_a_vote_does_not_give_back_what_was_withdrawn(factory: Factory) -> None:
    caller = await somebody(factory)
    once = VOTE.replace("(input: $input)", '(input: $input) @idempotent(key: "a")')
    await give(caller, KEYS[0], once)
    await give(caller, KEYS[0], WITHDRAW)
    assert (await give(caller, KEYS[0], once))["viewerHasVoted"] is False


async def test_votes_for_what_is_no_wish_any_more_count_for_nothing(factory: Factory) -> None:
    caller = await somebody(factory)
    assert caller.viewer is not None
    async with factory.database.write() as session:
        connection = await session.connection()
        row = {"wish": "granted_long_ago", "user_id": caller.viewer.user_id, "created_at": MOMENT}
        await connection.execute(insert(wish_votes).values(row))
    found = await ranked(caller)
    assert len(found) == len(KEYS)
    assert {wish["votes"] for wish in found} == {0}


async def test_t3_the_wishes_of_several_partners_take_one_statement(
    factory: Factory, recorder: StatementRecorder
) -> None:
    person = await factory.user()
    for _ in range(3):
        await factory.member(await factory.partner(), user=person)
    caller = await Caller.signed_in(factory, person)
    with recorder:
        partners = (await caller.data(LIST))["partners"]
    assert [len(partner["wishes"]) for partner in partners] == [len(KEYS)] * 3
    assert recorder.count == 2


async def test_f57_the_survey_stands_beside_the_wishes_if_there_is_one(factory: Factory) -> None:
    caller = await somebody(factory)
    for address in (None, "https://survey.example/q?form=1"):
        context = Context(factory.database, caller.viewer, survey_url=address)
        result = await schema.execute("{ partner { surveyUrl wishes { votes } } }", context_value=context)
        assert result.errors is None
        assert result.data is not None
        assert result.data["partner"]["surveyUrl"] == address
        assert len(result.data["partner"]["wishes"]) == len(KEYS)
