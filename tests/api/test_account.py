"""The client's side as it is read: who works in the account, at what level, since when; and nobody else's business (N08, L9, T1)."""

from dataclasses import replace
from typing import Any

import pytest

from models.grant import GrantStatus, Seat
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import PARTNERS, TIMELINE, ClientStory, partner_id, person_id
from tests.factory import MOMENT, Factory, PartnerRow
from tests.statement_recorder import StatementRecorder

LONG_AGO = "2026-11-01T09:00:00Z"
NODE = """query($id: ID!) { node(id: $id) {
  __typename id ... on Account { name } ... on AccountPartner { name } ... on AccountPerson { name }
} }"""
MANAGES_USERS = {"users.add": "ALL", "users.edit": "ALL"}


async def test_an_account_is_found_by_id_by_hub_id_and_as_the_viewers(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    await factory.own_person(await factory.account("Attic Ltd"), story.owner, {"contacts.view": "ALL"})
    story = replace(story, caller=await Caller.signed_in(factory, story.owner))
    shown = {"id": encode("Account", story.account.id), "hubId": str(story.account.hub_id), "name": "Harbour Ltd"}
    by_id = "query($id: ID!) { account(by: {id: $id}) { id hubId name } }"
    assert (await story.caller.data(by_id, id=shown["id"]))["account"] == shown
    by_hub_id = "query($hubId: String!) { account(by: {hubId: $hubId}) { id hubId name } }"
    assert (await story.caller.data(by_hub_id, hubId=shown["hubId"]))["account"] == shown
    listed = (await story.caller.data("{ viewer { accounts { id hubId name viewerDecides } } }"))["viewer"]["accounts"]
    assert [(account["name"], account["viewerDecides"]) for account in listed] == [
        ("Harbour Ltd", True),
        ("Attic Ltd", False),
    ]
    node = (await story.caller.data(NODE, id=shown["id"]))["node"]
    assert node == {"__typename": "Account", "id": shown["id"], "name": "Harbour Ltd"}


@pytest.mark.parametrize("who", ["partner admin", "foreign own person", "deactivated", "removed", "expired", "nobody"])
async def test_t1_only_the_accounts_own_people_learn_of_it(factory: Factory, who: str) -> None:
    """Not even a partner admin there, with the manager open; and unknown ids give the same."""
    story = await ClientStory.begin(factory)
    member = await story.someone()
    grant = await factory.partner_admin(story.client, member)
    person = await factory.user()
    if who == "foreign own person":
        await factory.own_person(await factory.account(), person)
    elif who in {"deactivated", "removed"}:
        held = await factory.own_person(story.account, person)
        await factory.move(held, GrantStatus.DEACTIVATED if who == "deactivated" else GrantStatus.REMOVED)
    elif who == "expired":
        await factory.own_person(story.account, person, expires_at=MOMENT)
    caller = await Caller.signed_in(factory, member if who == "partner admin" else person)
    hub_ids = [str(story.account.hub_id), "5999999999", "0", "", "x", "9" * 30, "１２"]
    for hub_id in hub_ids:
        assert await caller.data(PARTNERS, hubId=hub_id) == {"account": None}
    ids = [
        encode("Account", story.account.id),
        partner_id(story.client),
        person_id(grant),
        encode("Account", 10**9),
        encode("AccountPartner", 10**9),
        encode("AccountPerson", 10**9),
    ]
    for key in ids:
        assert (await caller.data(NODE, id=key))["node"] is None
    assert story.account.name not in str(await caller.data("{ viewer { accounts { name } } }"))
    garbage = "query($id: ID!) { account(by: {id: $id}) { id } }"
    for key in (encode("Client", story.client.id), "x", ""):
        assert (await story.caller.data(garbage, id=key))["account"] is None


async def test_who_does_not_decide_knows_the_name_and_is_told_whom_to_ask(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    clerk = await factory.user()
    await factory.own_person(story.account, clerk, {"contacts.view": "ALL", "users.add": "ALL"})
    caller = await Caller.signed_in(factory, clerk)
    hub_id = str(story.account.hub_id)
    named = "query($hubId: String!) { account(by: {hubId: $hubId}) { name viewerDecides } }"
    assert (await caller.data(named, hubId=hub_id))["account"] == {"name": "Harbour Ltd", "viewerDecides": False}
    field = "query($hubId: String!) {{ account(by: {{hubId: $hubId}}) {{ {} }} }}"
    for what in (
        "partners { id }",
        "pendingInvitations { id }",
        f'ceiling(partner: "{partner_id(story.client)}") {{ level }}',
        "timeline { totalCount }",
    ):
        assert await caller.code(field.format(what), hubId=hub_id) == "FORBIDDEN"
    grant = await factory.partner_admin(story.client, await story.someone())
    for key in (partner_id(story.client), person_id(grant)):
        assert (await caller.data(NODE, id=key))["node"] is None
        assert (await story.caller.data(NODE, id=key))["node"]["id"] == key
    manager = await factory.user()
    await factory.own_person(story.account, manager, MANAGES_USERS)
    assert len(await story.partners(await Caller.signed_in(factory, manager))) == 1


async def test_n08_the_client_sees_who_works_there_since_when_and_at_what_level(factory: Factory) -> None:
    story = await ClientStory.begin(factory, tiers="", ceiling={"contacts.view": "TEAM"}, confirmed_at=MOMENT)
    admin = await factory.partner_admin(story.client, await story.someone(name="Ada Admin", email="ADA@north.example"))
    clerk = await story.someone(name="Carl Clerk")
    await factory.grant(story.client, clerk, {"contacts.edit": "TEAM", "deals.view": "OWNED"}, seat=Seat.CORE)
    away = await story.someone(name="Dora Deactivated")
    await factory.grant(story.client, away, {"billing": "ALL"}, status=GrantStatus.DEACTIVATED)
    late = await story.someone(name="Eva Expired")
    await factory.grant(story.client, late, {"contacts.view": "ALL"}, expires_at=MOMENT)
    gone = await story.someone(name="Gone")
    await factory.grant(story.client, gone, {"contacts.view": "ALL"}, status=GrantStatus.REMOVED)
    (partner,) = await story.partners()
    people = {person.pop("name"): person for person in partner.pop("people")["nodes"]}
    assert partner == {
        "id": partner_id(story.client),
        "name": "North Agency",
        "hubId": str(story.partner.hub_id),
        "program": "SOLUTIONS_PARTNER",
        "activePeople": 3,
        "deactivatedPeople": 1,
        "confirmedAt": LONG_AGO,
        "since": LONG_AGO,
        "ceiling": [{"permission": {"key": "contacts.view"}, "level": "TEAM", "effectiveLevel": "TEAM"}],
    }
    assert set(people) == {"Ada Admin", "Carl Clerk", "Dora Deactivated", "Eva Expired"}
    ada = people["Ada Admin"]
    assert (ada["id"], ada["email"], ada["accessType"], ada["seat"], ada["kind"]) == (
        person_id(admin),
        "ada@north.example",
        "PARTNER_ADMIN",
        "PARTNER",
        "EMPLOYEE",
    )
    areas = {at["area"]["key"]: (at["level"], at["sensitive"]) for at in ada["levelByArea"]}
    assert areas["crm"][0] == "ALL"
    assert areas["account"] == ("ALL", True)
    assert len(ada["permissions"]) == len(catalogue.levels(PARTNER_ADMIN_SET.state))
    carl = people["Carl Clerk"]
    assert carl["levelByArea"] == [{"area": {"key": "crm"}, "level": "TEAM", "sensitive": False}]
    assert {at["permission"]["key"]: (at["level"], at["effectiveLevel"]) for at in carl["permissions"]} == {
        "contacts.view": ("TEAM", "TEAM"),
        "contacts.edit": ("TEAM", "TEAM"),
        "deals.view": ("OWNED", "OWNED"),
    }
    assert (carl["since"], carl["expiresAt"], carl["seat"]) == (LONG_AGO, None, "CORE")
    for name, status in (("Dora Deactivated", "DEACTIVATED"), ("Eva Expired", "ACTIVE")):
        assert (people[name]["status"], people[name]["levelByArea"]) == (status, [])
        assert {at["effectiveLevel"] for at in people[name]["permissions"]} == {"NONE"}


async def test_people_are_filtered_and_paged_and_one_area_can_be_looked_at(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    made = [
        await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL", "reports.view": "ALL"})
        for _ in range(3)
    ]
    removed = await factory.grant(story.client, await story.someone(), status=GrantStatus.REMOVED)
    query = """query($id: ID!, $filter: GrantFilter, $first: Int, $after: String) { node(id: $id) { ... on AccountPartner {
      people(filter: $filter, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } nodes { id permissions(area: "reports") { permission { key } } }
    } } } }"""
    pages: list[Any] = []
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        after = pages[-1]["pageInfo"]["endCursor"] if pages else None
        data = await story.caller.data(query, id=partner_id(story.client), first=2, after=after)
        pages.append(data["node"]["people"])
    assert [page["totalCount"] for page in pages] == [3, 3]
    found = [person for page in pages for person in page["nodes"]]
    assert [person["id"] for person in found] == [person_id(grant) for grant in made]
    assert {at["permission"]["key"] for person in found for at in person["permissions"]} == {"reports.view"}
    data = await story.caller.data(query, id=partner_id(story.client), filter={"statuses": ["REMOVED"]})
    assert [person["id"] for person in data["node"]["people"]["nodes"]] == [person_id(removed)]
    bad = 'query($id: ID!) { node(id: $id) { ... on AccountPerson { permissions(area: "nonsense") { level } } } }'
    assert await story.caller.code(bad, id=person_id(made[0])) == "BAD_INPUT"


async def test_l9_several_partners_in_one_account_never_see_each_other_and_the_client_sees_all(
    factory: Factory,
) -> None:
    """Each names the same person in its own way."""
    story = await ClientStory.begin(factory)
    south = await story.other_agency()
    shared = await story.someone(name="Maria Lopez")
    await factory.partner_admin(story.client, shared)
    double = await story.someone(south, "Mary L.", user=shared)
    await factory.partner_admin(south, double)
    await factory.partner_admin(south, await story.someone(south, "Sam South"))
    assert [partner["name"] for partner in await story.partners()] == ["North Agency", "South Agency"]
    assert set(await story.people()) == {"Maria Lopez"}
    assert set(await story.people(south)) == {"Mary L.", "Sam South"}
    north = await Caller.signed_in(factory, await story.someone())
    seen = await north.data("""{ partner { clients { nodes { displayName grants { nodes { member { user { name } } } }
      timeline { nodes { personName partnerName } } } } timeline { nodes { personName partnerName } } } }""")
    assert "Maria Lopez" in str(seen)
    assert "South" not in str(seen)
    assert "Mary" not in str(seen)
    assert (await north.data(NODE, id=partner_id(south)))["node"] is None


async def test_a_partner_who_merely_wrote_the_hub_id_down_is_not_listed(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    assert await story.partners() == []
    query = "query($hubId: String!, $key: ID!) { account(by: {hubId: $hubId}) { ceiling(partner: $key) { level } } }"
    key = partner_id(story.client)
    data = await story.caller.data(query, hubId=str(story.account.hub_id), key=key)
    assert data["account"]["ceiling"] is None
    await factory.grant(story.client, await story.someone(), status=GrantStatus.REMOVED)
    (partner,) = await story.partners()
    assert (partner["activePeople"], partner["people"]["totalCount"], partner["ceiling"]) == (0, 0, None)


async def test_p08_the_ceiling_of_one_partner_is_read_by_its_id(factory: Factory) -> None:
    story = await ClientStory.begin(factory, ceiling={"contacts.view": "ALL"})
    south = await story.other_agency()
    query = """query($hubId: String!, $key: ID!) { account(by: {hubId: $hubId}) {
      ceiling(partner: $key) { permission { key } level } } }"""

    async def read(key: str) -> Any:
        data = await story.caller.data(query, hubId=str(story.account.hub_id), key=key)
        return data["account"]["ceiling"]

    assert await read(partner_id(story.client)) == [{"permission": {"key": "contacts.view"}, "level": "ALL"}]
    for key in (partner_id(south), encode("AccountPartner", 10**9), encode("Client", story.client.id), "x", ""):
        assert await read(key) is None


async def test_t3_many_people_and_partners_need_as_many_statements_as_few(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await ClientStory.begin(factory)
    hub_id = str(story.account.hub_id)

    async def add(partners: int, people: int) -> None:
        for number in range(partners):
            client = await story.other_agency(f"Agency {partners}.{number}")
            for member in await factory.members(PartnerRow(client.partner_id, 0, ""), people):
                await factory.grant(client, member, {"contacts.view": "ALL"})

    async def counted() -> tuple[int, int]:
        with recorder:
            await story.caller.data(PARTNERS, hubId=hub_id)
        partners = recorder.count
        with recorder:
            await story.caller.data(TIMELINE, hubId=hub_id)
        return partners, recorder.count

    await add(1, 1)
    few = await counted()
    await add(3, 8)
    assert await counted() == few
    assert max(few) <= 8
