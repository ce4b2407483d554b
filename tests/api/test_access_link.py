"""Access links on the partner's side: getting, showing and revoking them (F15, P06, R12)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.access_link import access_links
from models.database import Database
from models.member import ManagerRights, MemberStatus, members
from models.partner import PartnerProgram
from resolvers.issuer import EPHEMERAL, Issuer
from schema.context import Context
from schema.node import encode
from schema.schema import schema
from tests.api.caller import Caller
from tests.api.held_rows import holding, until_waiting
from tests.api.link_story import GET, LINK, REVOKE, Links, get_link, refused, token_of
from tests.api.write_story import contents, node_id
from tests.factory import Factory
from tests.life_factory import LifeFactory
from tests.statement_recorder import StatementRecorder

LIST = f"""query($first: Int, $after: String) {{ partner {{ accessLinks(first: $first, after: $after) {{
  totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ ...Shown }} }} }} }} {LINK}"""
PERSONAL = f"query($id: ID!) {{ member(by: {{ id: $id }}) {{ accessLink {{ ...Shown }} }} }} {LINK}"


async def change_member(database: Database, key: int, **values: Any) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(update(members).where(members.c.id == key).values(values))


async def let_expire(database: Database) -> None:
    """Every link has ended a minute ago."""
    async with database.write() as session:
        ended = datetime.now(UTC) - timedelta(minutes=1)
        await (await session.connection()).execute(update(access_links).values(expires_at=ended))


async def test_the_personal_link_is_made_on_first_use_and_stable(factory: Factory) -> None:
    """F15."""
    links = await Links.begin(factory)
    before = await links.agency.data(PERSONAL, id=node_id(links.owner))
    assert before["member"] == {"accessLink": None}
    first = await get_link(links.agency)
    assert first == await get_link(links.agency, member=node_id(links.owner), partner=node_id(links.partner))
    assert first["state"] == "LIVE"
    assert (first["ageInDays"], first["reference"], first["singleUse"], first["client"]) == (0, "", False, None)
    assert first["member"]["id"] == node_id(links.owner)
    assert first["createdBy"]["id"] == encode("User", links.owner.user_id)
    lives = datetime.fromisoformat(first["expiresAt"]) - datetime.fromisoformat(first["createdAt"])
    assert lives == timedelta(days=90)
    shown = await links.agency.data(PERSONAL, id=node_id(links.owner))
    assert shown["member"]["accessLink"] == first
    assert first["approvals"] == {"totalCount": 0, "nodes": []}


async def test_only_a_hash_of_the_token_is_stored(factory: Factory) -> None:
    """L8: 256 bits that the database alone does not give away."""
    links = await Links.begin(factory)
    link = await get_link(links.agency)
    token = token_of(link)
    assert len(token) == 43
    assert link["url"] == f"{EPHEMERAL.link_address}#{token}"
    assert token not in repr(await contents(factory.database))


async def test_each_reference_client_and_kind_has_a_link_of_its_own(factory: Factory) -> None:
    links = await Links.begin(factory)
    client = await factory.client(links.partner)
    asked: list[dict[str, Any]] = [
        {},
        {"reference": "Newsletter"},
        {"reference": "newsletter"},
        {"singleUse": True},
        {"client": node_id(client)},
        {"client": node_id(client), "singleUse": True, "reference": "Newsletter"},
    ]
    made = [await get_link(links.agency, **values) for values in asked]
    assert len({token_of(link) for link in made}) == len(asked)
    assert [await get_link(links.agency, **values) for values in asked] == made
    assert made[4]["client"] == {"id": node_id(client)}
    assert [link["reference"] for link in made] == ["", "Newsletter", "newsletter", "", "", "Newsletter"]
    personal = await links.agency.data(PERSONAL, id=node_id(links.owner))
    assert personal["member"]["accessLink"]["id"] == made[0]["id"]


async def test_a_colleagues_link_needs_edit_and_ones_own_an_open_manager(factory: Factory) -> None:
    """F02, F15."""
    links = await Links.begin(factory, manager_rights=ManagerRights.VIEW)
    editor = await Caller.signed_in(factory, await factory.member(links.partner))
    viewing = await Caller.signed_in(factory, await factory.member(links.partner, manager_rights=ManagerRights.VIEW))
    shut_out = await factory.member(links.partner, manager_rights=ManagerRights.NONE)
    closed = await Caller.signed_in(factory, shut_out)
    own = await get_link(links.agency)
    asked = {"member": node_id(links.owner)}
    assert (await get_link(editor, **asked)) == own
    assert await refused(viewing, GET, **asked) == ("FORBIDDEN", None)
    assert await refused(closed, GET, **asked) == ("NOT_FOUND", ["input", "member"])
    assert await refused(closed, GET) == ("FORBIDDEN", None)
    shown = (await viewing.data(LIST))["partner"]["accessLinks"]["nodes"]
    assert [(link["id"], link["url"]) for link in shown] == [(own["id"], None)]
    assert await refused(viewing, REVOKE, accessLink=own["id"]) == ("FORBIDDEN", None)
    assert await refused(closed, REVOKE, accessLink=own["id"]) == ("NOT_FOUND", ["input", "accessLink"])
    assert await closed.code(LIST) == "FORBIDDEN"
    assert await closed.code(PERSONAL, id=node_id(shut_out)) == "FORBIDDEN"


async def test_a_right_that_was_lost_after_signing_in_gives_no_link(factory: Factory) -> None:
    """F02, judged inside the transaction."""
    links = await Links.begin(factory)
    colleague = await factory.member(links.partner)
    await change_member(factory.database, links.owner.id, manager_rights=ManagerRights.NONE)
    assert await refused(links.agency, GET, member=node_id(colleague)) == ("FORBIDDEN", None)
    assert await refused(links.agency, GET) == ("FORBIDDEN", None)


async def test_outside_of_a_program_nobody_has_links(factory: Factory) -> None:
    """F01."""
    partner = await factory.partner(program=PartnerProgram.NONE)
    caller = await Caller.signed_in(factory, await factory.member(partner))
    assert await refused(caller, GET) == ("NOT_A_PARTNER", None)
    nobody = await Caller.signed_in(factory, await factory.user())
    assert await refused(nobody, GET) == ("FORBIDDEN", None)


async def test_a_member_of_two_partners_says_which(factory: Factory) -> None:
    links = await Links.begin(factory)
    other = await factory.partner()
    await factory.member(other, user=links.owner)
    caller = await Caller.signed_in(factory, links.owner)
    assert await refused(caller, GET) == ("INVALID_INPUT", ["input", "partner"])
    assert await refused(caller, GET, partner="nonsense") == ("NOT_FOUND", ["input", "partner"])
    foreign = await factory.partner()
    assert await refused(caller, GET, partner=node_id(foreign)) == ("NOT_FOUND", ["input", "partner"])
    mine, theirs = [await get_link(caller, partner=node_id(partner)) for partner in (links.partner, other)]
    assert mine["member"] != theirs["member"]
    asked = {"partner": node_id(other), "member": node_id(links.owner)}
    assert await refused(caller, GET, **asked) == ("NOT_FOUND", ["input", "member"])


@pytest.mark.parametrize("values", [{"verified": False}, {"status": MemberStatus.DEACTIVATED}])
async def test_nobody_gets_a_link_for_who_cannot_be_partner_admin(factory: Factory, values: dict[str, Any]) -> None:
    """F09: LINK_OWNER_NOT_ELIGIBLE."""
    links = await Links.begin(factory)
    person = await factory.member(links.partner, **values)
    expected = ("LINK_OWNER_NOT_ELIGIBLE", ["input", "member"])
    assert await refused(links.agency, GET, member=node_id(person)) == expected


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": -1}, "expiresInDays"),
        ({"expiresInDays": 366}, "expiresInDays"),
        ({"reference": "x" * 101}, "reference"),
        ({"reference": "a\x00b"}, "reference"),
        ({"reference": "a\x1b[31mb"}, "reference"),
        ({"reference": "ab\u202ecd"}, "reference"),
        ({"reference": "half \ud800"}, "reference"),
    ],
)
async def test_bad_input_is_refused_at_its_place(factory: Factory, values: dict[str, Any], place: str) -> None:
    links = await Links.begin(factory)
    before = await contents(factory.database)
    assert await refused(links.agency, GET, **values) == ("INVALID_INPUT", ["input", place])
    assert await contents(factory.database) == before


async def test_the_longest_reference_and_both_ends_of_the_life_can_be_had(factory: Factory) -> None:
    links = await Links.begin(factory)
    for days in (1, 365):
        link = await get_link(links.agency, expiresInDays=days, reference=f"{days} " + "x" * 96)
        lives = datetime.fromisoformat(link["expiresAt"]) - datetime.fromisoformat(link["createdAt"])
        assert lives == timedelta(days=days)
    spaced = await get_link(links.agency, reference="  two \n words ")
    assert spaced["reference"] == "two words"


async def test_unknown_and_foreign_people_and_clients_look_alike(factory: Factory) -> None:
    """T1."""
    links = await Links.begin(factory)
    other = await factory.partner()
    stranger, foreign = await factory.member(other), await factory.client(other)
    for member in (node_id(stranger), encode("Member", 10**9), "garbage", encode("Client", links.owner.id)):
        assert await refused(links.agency, GET, member=member) == ("NOT_FOUND", ["input", "member"])
    for client in (node_id(foreign), encode("Client", 10**9), "garbage", encode("Member", 1)):
        assert await refused(links.agency, GET, client=client) == ("NOT_FOUND", ["input", "client"])
    theirs = await get_link(await Caller.signed_in(factory, stranger))
    for link in (theirs["id"], encode("AccessLink", 10**9), "garbage"):
        assert await refused(links.agency, REVOKE, accessLink=link) == ("NOT_FOUND", ["input", "accessLink"])
    read = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    mine = await get_link(links.agency)
    assert (await links.agency.data(read, ids=[theirs["id"], mine["id"]]))["nodes"] == [None, {"id": mine["id"]}]
    assert [link["id"] for link in (await links.agency.data(LIST))["partner"]["accessLinks"]["nodes"]] == [mine["id"]]


async def test_a_revoked_link_ends_and_the_next_is_another(factory: Factory) -> None:
    """P06; revoking again changes nothing."""
    links = await Links.begin(factory)
    first = await get_link(links.agency)
    revoked = (await links.agency.data(REVOKE, input={"accessLink": first["id"]}))["revokeAccessLink"]
    assert revoked["userErrors"] == []
    assert (revoked["accessLink"]["state"], revoked["accessLink"]["url"]) == ("REVOKED", None)
    assert revoked["accessLink"]["revokedAt"]
    again = (await links.agency.data(REVOKE, input={"accessLink": first["id"]}))["revokeAccessLink"]
    assert again == revoked
    assert (await links.agency.data(PERSONAL, id=node_id(links.owner)))["member"]["accessLink"] is None
    second = await get_link(links.agency)
    assert second["id"] != first["id"]
    assert token_of(second) != token_of(first)
    shown = (await links.agency.data(LIST))["partner"]["accessLinks"]
    assert [(link["id"], link["state"]) for link in shown["nodes"]] == [
        (second["id"], "LIVE"),
        (first["id"], "REVOKED"),
    ]


async def test_an_expired_link_stays_in_the_list_and_the_next_is_another(factory: Factory) -> None:
    """P06; revoking what has expired leaves it as it is."""
    links = await Links.begin(factory)
    first = await get_link(links.agency)
    await let_expire(factory.database)
    assert (await links.agency.data(PERSONAL, id=node_id(links.owner)))["member"]["accessLink"] is None
    ended = (await links.agency.data(REVOKE, input={"accessLink": first["id"]}))["revokeAccessLink"]["accessLink"]
    assert (ended["state"], ended["url"], ended["revokedAt"]) == ("EXPIRED", None, None)
    second = await get_link(links.agency)
    assert second["id"] != first["id"]
    states = [link["state"] for link in (await links.agency.data(LIST))["partner"]["accessLinks"]["nodes"]]
    assert states == ["LIVE", "EXPIRED"]


async def test_a_link_is_suspended_while_its_owner_cannot_be_partner_admin(factory: Factory) -> None:
    """R12: it works again when they can."""
    links = await Links.begin(factory)
    editor = await Caller.signed_in(factory, await factory.member(links.partner))
    link = await get_link(links.agency)
    for values in ({"status": MemberStatus.DEACTIVATED}, {"status": MemberStatus.LEFT}, {"verified": False}):
        await change_member(factory.database, links.owner.id, **values)
        (shown,) = (await editor.data(LIST))["partner"]["accessLinks"]["nodes"]
        assert (shown["state"], shown["url"]) == ("SUSPENDED", link["url"])
        await change_member(factory.database, links.owner.id, status=MemberStatus.ACTIVE, verified=True)
        (shown,) = (await editor.data(LIST))["partner"]["accessLinks"]["nodes"]
        assert shown["state"] == "LIVE"


async def test_under_another_secret_key_a_link_is_not_shown_and_not_given_again(factory: Factory) -> None:
    links = await Links.begin(factory)
    first = await get_link(links.agency)

    async def run(query: str, **variables: Any) -> Any:
        context = Context(factory.database, links.agency.viewer, issuer=Issuer(b"k" * 32, "https://cam.example/l"))
        result = await schema.execute(query, variables, context_value=context)
        assert result.errors is None
        return result.data

    shown = (await run(PERSONAL, id=node_id(links.owner)))["member"]["accessLink"]
    assert (shown["id"], shown["state"], shown["url"]) == (first["id"], "LIVE", None)
    (error,) = (await run(GET, input={}))["getAccessLink"]["userErrors"]
    assert error["code"] == "CONFLICT"
    assert "Revoke it, then ask again." in error["message"]
    await run(REVOKE, input={"accessLink": first["id"]})
    link = (await run(GET, input={}))["getAccessLink"]["accessLink"]
    assert link["url"].startswith("https://cam.example/l#")


async def test_two_who_ask_at_once_get_one_link(factory: Factory) -> None:
    links = await Links.begin(factory)
    editor = await Caller.signed_in(factory, await factory.member(links.partner))
    asked = {"member": node_id(links.owner), "reference": "Spring"}
    made = await asyncio.gather(*(get_link(caller, **asked) for caller in (links.agency, editor) * 3))
    assert len({link["id"] for link in made}) == len({link["url"] for link in made}) == 1


async def test_a_client_is_not_flooded_with_links_meant_for_it(factory: Factory, life_factory: LifeFactory) -> None:
    """P07: ten living ones await its answer at most; the others, and those that it has answered, do not count."""
    links = await Links.begin(factory)
    client, other = await factory.client(links.partner, account=links.account), await factory.client(links.partner)
    meant = {"client": node_id(client)}
    made = [await get_link(links.agency, reference=str(number), **meant) for number in range(10)]
    rival = await factory.partner()
    place = await factory.client(rival, account=links.account)
    await life_factory.access_link(await factory.member(rival), client=place, **_living())
    before = await contents(factory.database)
    eleventh = {"reference": "eleventh", **meant}
    assert await refused(links.agency, GET, **eleventh) == ("CONFLICT", ["input", "client"])
    (error,) = (await links.agency.data(GET, input=eleventh))["getAccessLink"]["userErrors"]
    assert "Revoke one" in error["message"]
    assert "wait for the answer" in error["message"]
    assert await contents(factory.database) == before
    assert (await get_link(links.agency, reference="3", **meant))["id"] == made[3]["id"]
    await get_link(links.agency, reference="eleventh")
    await get_link(links.agency, reference="eleventh", client=node_id(other))
    await links.agency.data(REVOKE, input={"accessLink": made[0]["id"]})
    await get_link(links.agency, **eleventh)
    assert await refused(links.agency, GET, reference="twelfth", **meant) == ("CONFLICT", ["input", "client"])
    await links.decline(token_of(made[1]))
    await get_link(links.agency, reference="twelfth", **meant)
    await let_expire(factory.database)
    await get_link(links.agency, reference="thirteenth", **meant)


async def test_two_who_ask_at_once_for_the_last_link_a_client_may_await_do_not_both_get_it(factory: Factory) -> None:
    """For different people, so that nothing but the client keeps them from going together."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    for number in range(9):
        await get_link(links.agency, reference=str(number), client=node_id(client))
    people = await factory.members(links.partner, 3)
    asked = [{"member": node_id(person), "client": node_id(client)} for person in people]
    async with holding(factory.database, client):
        answers = [asyncio.create_task(links.agency.data(GET, input=values)) for values in asked]
        await until_waiting(factory.database, len(asked))
    told = [(await answer)["getAccessLink"]["userErrors"] for answer in answers]
    assert sorted([error["code"] for error in errors] for errors in told) == [[], ["CONFLICT"], ["CONFLICT"]]


async def test_a_retry_with_the_same_key_makes_no_second_link(factory: Factory) -> None:
    """R22: not even when the first was revoked meanwhile."""
    links = await Links.begin(factory)
    query = GET.replace("getAccessLink(input: $input)", 'getAccessLink(input: $input) @idempotent(key: "k")')
    first = (await links.agency.data(query, input={}))["getAccessLink"]["accessLink"]
    revoke = REVOKE.replace("revokeAccessLink(input: $input)", 'revokeAccessLink(input: $input) @idempotent(key: "r")')
    for _ in range(2):
        ended = (await links.agency.data(revoke, input={"accessLink": first["id"]}))["revokeAccessLink"]
        assert ended["accessLink"]["state"] == "REVOKED"
    again = (await links.agency.data(query, input={}))["getAccessLink"]["accessLink"]
    assert (again["id"], again["state"]) == (first["id"], "REVOKED")


async def test_the_list_goes_page_by_page_from_the_newest(factory: Factory) -> None:
    links = await Links.begin(factory)
    made = [(await get_link(links.agency, reference=str(number)))["id"] for number in range(5)]
    seen: list[str] = []
    after = None
    while True:
        part = (await links.agency.data(LIST, first=2, after=after))["partner"]["accessLinks"]
        assert part["totalCount"] == 5
        seen += [link["id"] for link in part["nodes"]]
        if not part["pageInfo"]["hasNextPage"]:
            break
        after = part["pageInfo"]["endCursor"]
    assert seen == made[::-1]


async def test_the_statements_of_the_list_do_not_grow_with_the_links(
    factory: Factory, life_factory: LifeFactory, recorder: StatementRecorder
) -> None:
    """T3: with owners, clients, authors and answers of each."""
    links = await Links.begin(factory)
    counts = []
    for number in (10, 100):
        async with factory.database.read() as connection:
            present = len((await connection.execute(select(access_links.c.id))).all())
        for index in range(present, number):
            client = await factory.client(links.partner)
            owner = await factory.member(links.partner)
            link = await life_factory.access_link(owner, client=client, reference=str(index), **_living())
            await life_factory.link_approval(link, client, links.admin)
        with recorder:
            shown = (await links.agency.data(LIST, first=100))["partner"]["accessLinks"]
        assert len(shown["nodes"]) == shown["totalCount"] == number
        assert all(link["approvals"]["nodes"][0]["client"] for link in shown["nodes"])
        counts.append(recorder.count)
    assert counts[0] == counts[1]


def _living() -> dict[str, Any]:
    return {"created_at": datetime.now(UTC), "expires_at": datetime.now(UTC) + timedelta(days=1)}


async def test_the_age_counts_whole_days(factory: Factory, life_factory: LifeFactory) -> None:
    """P06."""
    links = await Links.begin(factory)
    made = datetime.now(UTC) - timedelta(days=3, hours=23)
    await life_factory.access_link(links.owner, created_at=made, expires_at=made + timedelta(days=4))
    (shown,) = (await links.agency.data(LIST))["partner"]["accessLinks"]["nodes"]
    assert (shown["ageInDays"], shown["state"]) == (3, "LIVE")
