"""Confirmation links on the partner's side: who makes and sees them, for which client, naming whom, and until when (F53)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.member import MemberStatus
from resolvers.issuer import TOKEN_LENGTH, Issuer
from schema.context import Context
from schema.node import encode
from schema.schema import schema
from tests.api.caller import Caller
from tests.api.confirmation_story import CREATE, LIST, NODE, REVOKE, Confirmation, kept, refusals, refused
from tests.api.held_rows import holding, until_waiting
from tests.api.link_story import token_of
from tests.api.write_story import contents, ids, node_id
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder


async def test_f53_a_link_is_for_one_client_and_names_who_becomes_partner_admin(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    ann, bob = await factory.members(story.partner, 2)
    link = await story.link(bob, ann, bob)
    assert (link["state"], link["answer"], link["answeredAt"], link["revokedAt"]) == ("LIVE", None, None, None)
    assert link["client"] == {"id": node_id(story.client), "confirmedAt": None}
    assert link["createdBy"] == {"id": encode("User", story.maker.user_id)}
    assert link["members"] == [
        {"member": {"id": key}, "code": None, "message": None, "grant": None} for key in ids(ann, bob)
    ]
    assert await story.shown(link) == link


async def test_l8_the_token_has_256_bits_and_is_not_stored(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    tokens = {await story.token() for _ in range(3)}
    assert len(tokens) == 3
    stored = str(await contents(factory.database))
    for token in tokens:
        assert len(token) == TOKEN_LENGTH
        assert token not in stored


@pytest.mark.parametrize(("values", "days"), [({}, 90), ({"expiresInDays": None}, 90), ({"expiresInDays": 365}, 365)])
async def test_f53_a_link_ends_by_itself(factory: Factory, values: dict[str, Any], days: int) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link(**values)
    created, expires = (datetime.fromisoformat(link[name]) for name in ("createdAt", "expiresAt"))
    assert expires - created == timedelta(days=days)
    assert timedelta(0) <= datetime.now(UTC) - created < timedelta(minutes=5)
    await story.expire(link)
    ended = await story.shown(link)
    assert (ended["state"], ended["url"]) == ("EXPIRED", None)


@pytest.mark.parametrize("days", [0, -1, 366])
async def test_a_life_out_of_range_is_refused(factory: Factory, days: int) -> None:
    story = await Confirmation.begin(factory)
    answer = await refused(story.agency, CREATE, client=node_id(story.client), expiresInDays=days)
    assert answer == ("INVALID_INPUT", ["input", "expiresInDays"])


async def test_f53_a_link_names_at_most_fifty_people_or_nobody(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    people = await factory.members(story.partner, 51)
    empty: tuple[dict[str, Any], ...] = ({}, {"members": []}, {"members": None})
    for values in empty:
        link = await kept(story.agency, CREATE, "confirmationLink", client=node_id(story.client), **values)
        assert link["members"] == []
    assert len((await story.link(*people[:50]))["members"]) == 50
    answer = await refused(story.agency, CREATE, client=node_id(story.client), members=ids(*people))
    assert answer == ("INVALID_INPUT", ["input", "members"])


async def test_a_client_is_not_flooded_with_links_that_it_has_not_answered(factory: Factory) -> None:
    """P07: ten of an agency's await its answer at most; those that have ended do not count, nor do another client's."""
    story = await Confirmation.begin(factory)
    links = [await story.link() for _ in range(10)]
    (error,) = await refusals(story.agency, CREATE, client=node_id(story.client))
    assert (error["code"], error["field"]) == ("CONFLICT", ["input", "client"])
    assert "Revoke one" in error["message"]
    assert "wait for the answer" in error["message"]
    await kept(
        story.agency, CREATE, "confirmationLink", client=node_id(await factory.client(story.partner, "Other Works"))
    )
    rival = await factory.partner()
    place = await factory.client(rival, account=story.client.account)
    caller = await Caller.signed_in(factory, await factory.member(rival))
    await story.link(by=caller, client=node_id(place))
    await kept(story.agency, REVOKE, "confirmationLink", confirmationLink=links[0]["id"])
    await story.link()
    await story.decline(token=token_of(links[1]))
    await story.link()
    await story.expire(links[2])
    await story.link()
    assert await refused(story.agency, CREATE, client=node_id(story.client)) == ("CONFLICT", ["input", "client"])


async def test_of_several_who_make_the_last_link_at_once_one_does(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    for _ in range(9):
        await story.link()
    async with holding(factory.database, story.client):
        asked = {"client": node_id(story.client)}
        answers = [asyncio.create_task(story.agency.data(CREATE, input=asked)) for _ in range(3)]
        await until_waiting(factory.database, len(answers))
    told = [(await answer)["createConfirmationLink"]["userErrors"] for answer in answers]
    assert sorted([error["code"] for error in errors] for errors in told) == [[], ["CONFLICT"], ["CONFLICT"]]


async def test_t1_a_foreign_client_is_as_good_as_unknown(factory: Factory) -> None:
    """Also where the account is one's own client as well, or one is a member there without the right to look."""
    story = await Confirmation.begin(factory)
    other = await factory.partner()
    await factory.member(other, user=story.maker, manager_rights="NONE")
    foreign = await factory.client(other, account=story.client.account)
    wrong = (node_id(foreign), encode("Client", 10**9), node_id(story.maker), "", "x")
    answers = [await refusals(story.agency, CREATE, client=text) for text in wrong]
    assert answers == [answers[0]] * len(wrong)
    assert (answers[0][0]["code"], answers[0][0]["field"]) == ("NOT_FOUND", ["input", "client"])


async def test_t1_members_of_another_partner_are_as_good_as_unknown(factory: Factory) -> None:
    """Each is told of at its place; also one who is a member of both partners, by the other membership."""
    story = await Confirmation.begin(factory)
    good, other = await factory.member(story.partner), await factory.partner()
    await factory.client(other, account=story.client.account)
    both = await factory.member(other, user=story.maker)
    strangers = [
        node_id(await factory.member(other)),
        node_id(both),
        encode("Member", 10**9),
        node_id(story.client),
        "x",
    ]
    errors = await refusals(story.agency, CREATE, client=node_id(story.client), members=[node_id(good), *strangers])
    assert [(error["code"], error["field"]) for error in errors] == [
        ("NOT_FOUND", ["input", "members", str(index)]) for index in range(1, 6)
    ]
    assert len({error["message"] for error in errors}) == 1


@pytest.mark.parametrize(
    "values",
    [{"status": MemberStatus.LEFT}, {"status": MemberStatus.DEACTIVATED}, {"verified": False}],
    ids=["left", "deactivated", "not verified"],
)
async def test_f09_who_cannot_be_partner_admin_now_is_not_named(factory: Factory, values: dict[str, Any]) -> None:
    story = await Confirmation.begin(factory)
    good, bad = await factory.member(story.partner), await factory.member(story.partner, **values)
    errors = await refusals(story.agency, CREATE, client=node_id(story.client), members=ids(good, bad))
    assert [(error["code"], error["field"]) for error in errors] == [
        ("LINK_OWNER_NOT_ELIGIBLE", ["input", "members", "1"])
    ]
    assert "verified" in errors[0]["message"]


async def test_f02_making_and_revoking_need_edit_and_looking_needs_view(factory: Factory) -> None:
    """Who only looks sees the link, but not the address that opens it."""
    story = await Confirmation.begin(factory)
    link = await story.link()
    viewing = await Caller.signed_in(factory, await factory.member(story.partner, manager_rights="VIEW"))
    closed = await Caller.signed_in(factory, await factory.member(story.partner, manager_rights="NONE"))
    assert await refused(viewing, CREATE, client=node_id(story.client)) == ("FORBIDDEN", None)
    assert await refused(viewing, REVOKE, confirmationLink=link["id"]) == ("FORBIDDEN", None)
    assert await story.shown(link, viewing) == {**link, "url": None}
    assert (await viewing.data(LIST))["partner"]["confirmationLinks"]["totalCount"] == 1
    assert await refused(closed, CREATE, client=node_id(story.client)) == ("NOT_FOUND", ["input", "client"])
    assert await refused(closed, REVOKE, confirmationLink=link["id"]) == ("NOT_FOUND", ["input", "confirmationLink"])
    assert await story.shown(link, closed) is None
    assert await closed.code(LIST) == "FORBIDDEN"
    reading = await Caller.signed_in(factory, story.maker, "read")
    assert await reading.code(CREATE, input={"client": node_id(story.client)}) == "FORBIDDEN"


async def test_t1_nobody_else_finds_a_link(factory: Factory) -> None:
    """Neither another partner of the same account nor the account's own people see it as the agency does."""
    story = await Confirmation.begin(factory)
    link = await story.link()
    other = await factory.partner()
    await factory.client(other, account=story.client.account)
    rival = await Caller.signed_in(factory, await factory.member(other, super_admin=True))
    for caller in (rival, story.approver):
        assert (await caller.data(NODE, id=link["id"]))["node"] is None
        unknown = encode("ConfirmationLink", 10**9)
        answers = [await refusals(caller, REVOKE, confirmationLink=key) for key in (link["id"], unknown, "x")]
        assert answers == [answers[0]] * 3
    assert (await rival.data(LIST))["partner"]["confirmationLinks"]["nodes"] == []


async def test_the_links_of_a_partner_are_listed_the_newest_first(factory: Factory) -> None:
    """R3: those that have ended too; no page repeats or skips any."""
    story = await Confirmation.begin(factory)
    links = [await story.link() for _ in range(5)]
    await kept(story.agency, REVOKE, "confirmationLink", confirmationLink=links[0]["id"])
    await story.expire(links[1])
    pages: list[Any] = []
    after = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append((await story.agency.data(LIST, first=2, after=after))["partner"]["confirmationLinks"])
        after = pages[-1]["pageInfo"]["endCursor"]
    nodes = [node for page in pages for node in page["nodes"]]
    assert [len(page["nodes"]) for page in pages] == [2, 2, 1]
    assert {page["totalCount"] for page in pages} == {5}
    assert [node["id"] for node in nodes] == [link["id"] for link in links[::-1]]
    assert [node["state"] for node in nodes] == ["LIVE", "LIVE", "LIVE", "EXPIRED", "REVOKED"]


async def test_t3_a_page_of_links_takes_as_many_statements_however_many_there_are(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await Confirmation.begin(factory)
    people = await factory.members(story.partner, 6)
    await story.confirm(token=await story.token(*people[:2]))
    counts = []
    for _ in range(2):
        with recorder:
            await story.agency.data(LIST)
        counts.append(recorder.count)
        await story.confirm(token=await story.token(*people))
        await story.link(*people)
    assert counts[0] == counts[1]


async def test_a_revoked_link_opens_nothing_and_revoking_again_changes_nothing(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link()
    first = await kept(story.agency, REVOKE, "confirmationLink", confirmationLink=link["id"])
    assert (first["state"], first["url"]) == ("REVOKED", None)
    assert datetime.fromisoformat(first["revokedAt"]) >= datetime.fromisoformat(link["createdAt"])
    before = await contents(factory.database)
    assert await kept(story.agency, REVOKE, "confirmationLink", confirmationLink=link["id"]) == first
    assert await contents(factory.database) == before


async def test_an_expired_link_stays_expired_when_it_is_revoked(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link()
    await story.expire(link)
    assert (await kept(story.agency, REVOKE, "confirmationLink", confirmationLink=link["id"]))["state"] == "EXPIRED"


async def test_an_answered_link_is_not_revoked(factory: Factory) -> None:
    """CONFLICT says how access that came of it ends."""
    story = await Confirmation.begin(factory)
    link = await story.link()
    await story.confirm(token=token_of(link))
    (error,) = await refusals(story.agency, REVOKE, confirmationLink=link["id"])
    assert (error["code"], error["field"]) == ("CONFLICT", ["input", "confirmationLink"])
    assert "removeAccess" in error["message"]


async def test_r22_a_retry_makes_no_second_link_and_shows_the_first_again(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    once = CREATE.replace("(input: $input)", '(input: $input) @idempotent(key: "a")')
    first = await kept(story.agency, once, "confirmationLink", client=node_id(story.client))
    assert first["url"]
    assert await kept(story.agency, once, "confirmationLink", client=node_id(story.client)) == first
    assert len((await contents(factory.database))["confirmation_link"]) == 1
    once = REVOKE.replace("(input: $input)", '(input: $input) @idempotent(key: "a")')
    revoked = await kept(story.agency, once, "confirmationLink", confirmationLink=first["id"])
    assert await kept(story.agency, once, "confirmationLink", confirmationLink=first["id"]) == revoked


async def test_l8_under_another_secret_key_a_link_cannot_be_shown_again(factory: Factory) -> None:
    story = await Confirmation.begin(factory)
    link = await story.link()
    context = Context(factory.database, story.agency.viewer, issuer=Issuer(b"x" * 32, "https://elsewhere.example"))
    result = await schema.execute(NODE, {"id": link["id"]}, context_value=context)
    assert result.errors is None
    assert result.data == {"node": {**link, "url": None}}
