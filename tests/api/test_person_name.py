"""A person's name is each partner's own: none crosses to another partner, and nobody learns who else has the person (T1)."""

import json
from typing import Any

import pytest

from models.member import ManagerRights
from models.partner import PartnerProgram
from resolvers.partner_creation import NewPartner, create_partner
from schema.node import encode
from tests.api.caller import Caller
from tests.api.write_story import Story, contents, node_id, permissions
from tests.factory import Factory, MemberRow

TOLD = "kind status verified managerRights totalClients user { name email }"
IMPORT = f"""mutation($csv: String!, $dryRun: Boolean) {{ importMembers(input: {{ csv: $csv, dryRun: $dryRun }}) {{
  userErrors {{ code }} counts {{ created updated unchanged rejected }} results {{ line status message member {{ {TOLD} }} }} }} }}"""
ADD = f"mutation($input: AddMemberInput!) {{ addMember(input: $input) {{ userErrors {{ code message }} member {{ {TOLD} }} }} }}"
RENAME = f"""mutation($input: UpdateMemberInput!) {{ updateMember(input: $input) {{
  userErrors {{ code }} member {{ id {TOLD} }} }} }}"""
SEARCH = f"query($search: String) {{ partner {{ members(search: $search) {{ totalCount nodes {{ {TOLD} }} }} }} }}"
HEADER = "email,first_name,last_name,kind,manager_rights,verified\n"


async def told(story: Story, query: str, **variables: Any) -> Any:
    data, codes = await story.run(query, **variables)
    assert codes == []
    return data


async def name_of(story: Story, user_id: int) -> str:
    query = "query($id: ID!) { node(id: $id) { ... on User { name } } }"
    return str((await told(story, query, id=encode("User", user_id)))["node"]["name"])


async def found(story: Story, search: str) -> list[str]:
    nodes = (await told(story, SEARCH, search=search))["partner"]["members"]["nodes"]
    return [node["user"]["name"] for node in nodes]


async def rename(story: Story, person: MemberRow, first: str | None, last: str | None) -> str:
    payload = (await told(story, RENAME, input={"member": node_id(person), "firstName": first, "lastName": last}))[
        "updateMember"
    ]
    assert payload["userErrors"] == []
    return str(payload["member"]["user"]["name"])


async def test_t1_each_partner_writes_and_sees_its_own_name_of_a_person(factory: Factory) -> None:
    ours, theirs = await Story.begin(factory), await Story.begin(factory)
    carla = await factory.member(
        ours.partner, "Carla Cruz", email="c@person.example", manager_rights=ManagerRights.NONE
    )
    row = f"{HEADER}C@person.example,Lotte,Kreuz,CONTRACTOR,,\n"
    answer = (await told(theirs, IMPORT, csv=row))["importMembers"]
    assert answer["results"][0]["member"]["user"]["name"] == "Lotte Kreuz"
    assert (await name_of(theirs, carla.user_id), await name_of(ours, carla.user_id)) == ("Lotte Kreuz", "Carla Cruz")
    assert (await found(theirs, "kreuz"), await found(theirs, "cruz")) == (["Lotte Kreuz"], [])
    assert (await found(ours, "cruz"), await found(ours, "kreuz")) == (["Carla Cruz"], [])
    assert await rename(ours, carla, "Carla", "Cruz-Díaz") == "Carla Cruz-Díaz"
    assert (await found(ours, "diaz"), await found(theirs, "diaz")) == (["Carla Cruz-Díaz"], [])
    assert (await told(theirs, IMPORT, csv=row))["importMembers"]["counts"]["unchanged"] == 1
    answer = (await told(theirs, IMPORT, csv=f"{HEADER}c@person.example,Lotte,Krause,CONTRACTOR,,\n"))["importMembers"]
    assert answer["results"][0]["status"] == "UPDATED"
    assert (await found(theirs, "krause"), await found(ours, "c@person")) == (["Lotte Krause"], ["Carla Cruz-Díaz"])


@pytest.mark.parametrize(("first", "last"), [("", ""), ("Lotte", ""), ("Carla", "Cruz"), ("Lotte", "Kreuz")])
async def test_t1_answers_are_the_same_whether_or_not_another_partner_has_the_person(
    factory: Factory, first: str, last: str
) -> None:
    """Two addresses, of which another partner has one: all that is told of them differs in nothing but the address."""
    story, other = await Story.begin(factory), await factory.partner()
    answers = []
    for address in ("known@person.example", "fresh@person.example"):
        if address.startswith("known"):
            await factory.member(other, "Carla Cruz", email=address)
        row = f"{HEADER}{address},{first},{last},CONTRACTOR,,\n"
        told_now = [await told(story, IMPORT, csv=row, dryRun=True), await told(story, IMPORT, csv=row)]
        told_now += [await told(story, IMPORT, csv=row), await told(story, SEARCH, search="person.example")]
        new = {"email": address, "firstName": first, "lastName": last, "kind": "EMPLOYEE"}
        told_now += [await told(story, ADD, input=new), await told(story, SEARCH, search=first or "cruz")]
        query = f"query($email: EmailAddress!) {{ member(by: {{ email: $email }}) {{ id {TOLD} }} }}"
        member = (await told(story, query, email=address))["member"]
        renamed: list[dict[str, Any]] = [
            {"firstName": "Ada"},
            {"lastName": "Oak"},
            {"firstName": None, "lastName": None},
        ]
        told_now += [await told(story, RENAME, input={"member": member["id"], **values}) for values in renamed]
        # Out of the way of the other address's searches.
        await told(story, RENAME, input={"member": member["id"], "firstName": "Zz"})
        answers.append(json.dumps(told_now).replace(member["id"], "ID"))
        story = await Story.begin(factory)
    assert answers[0].replace("known@", "fresh@").replace('"known"', '"fresh"') == answers[1]


async def test_t1_adding_somebody_elses_person_tells_and_changes_nothing_there(factory: Factory) -> None:
    story, other = await Story.begin(factory), await Story.begin(factory)
    carla = await factory.member(other.partner, "Carla Cruz", email="c@person.example")
    before = await contents(factory.database)
    added = (await told(story, ADD, input={"email": carla.email, "kind": "EMPLOYEE"}))["addMember"]["member"]
    assert added["user"] == {"name": "c", "email": "c@person.example"}
    after = await contents(factory.database)
    assert after["user"] == before["user"]
    assert set(before["member"]) < set(after["member"])
    assert await name_of(other, carla.user_id) == "Carla Cruz"


async def test_of_several_partners_of_the_viewer_the_oldest_membership_with_a_name_names_the_person(
    factory: Factory,
) -> None:
    story, second = await Story.begin(factory), await factory.partner()
    await factory.member(second, user=story.actor)
    both = await story.as_member(story.actor)
    foreign = await factory.member(await factory.partner(), "Nobody Else", email="p@person.example")
    unnamed = await factory.member(story.partner, user=foreign, first_name="", last_name="")
    later = await factory.member(second, "Pat Second", user=foreign)
    assert await name_of(both, foreign.user_id) == "Pat Second"
    assert await name_of(story, foreign.user_id) == "p"
    assert await rename(both, unnamed, "Pat", "First") == "Pat First"
    assert await rename(both, later, "Pat", "Third") == "Pat First"
    only_second = await story.as_member(await factory.member(second))
    assert await name_of(only_second, foreign.user_id) == "Pat Third"


async def test_who_asks_is_called_as_their_own_partner_calls_them(factory: Factory) -> None:
    """Also where the manager is not open to them; without any partner, as they were called first."""
    query = "{ viewer { user { name } memberships { user { name } } } }"
    story, other = await Story.begin(factory), await factory.partner()
    person = await factory.user("First Written")
    lone = await Caller.signed_in(factory, person)
    assert (await lone.data(query))["viewer"]["user"]["name"] == "First Written"
    left_out = await factory.member(other, "Called There", user=person, manager_rights=ManagerRights.NONE)
    closed = await story.as_member(left_out)
    assert (await told(closed, query))["viewer"] == {
        "user": {"name": "Called There"},
        "memberships": [{"user": {"name": "Called There"}}],
    }


async def test_t1_who_gave_access_and_who_asked_are_called_as_the_viewers_partner_calls_them(factory: Factory) -> None:
    story = await Story.begin(factory)
    await factory.member(await factory.partner(), "Other Name", user=story.actor)
    colleague = await story.as_member(await factory.member(story.partner))
    assert await rename(colleague, story.actor, "Our", "Name") == "Our Name"
    given = await story.grant(await factory.member(story.partner), permissions({"contacts.view": "ALL"}))
    query = "query($id: ID!) { node(id: $id) { ... on Grant { grantedBy { name } } } }"
    assert (await told(colleague, query, id=given.grant["id"]))["node"]["grantedBy"]["name"] == "Our Name"
    query = "{ partner { operations(first: 1) { nodes { requestedBy { name } } } } }"
    asked = (await told(colleague, query))["partner"]["operations"]["nodes"]
    assert asked == [{"requestedBy": {"name": "Our Name"}}]


async def test_t1_a_new_partners_owner_is_called_as_the_operator_says(factory: Factory) -> None:
    """Whatever another partner calls the same person, and nothing changes there."""
    other = await Story.begin(factory)
    carla = await factory.member(other.partner, "Carla Cruz", manager_rights=ManagerRights.NONE)
    async with factory.database.write() as session:
        new = NewPartner("Paper Kite", 4711, PartnerProgram.PROVIDER, carla.email.upper(), "Lotte van Kreuz")
        partner_id = await create_partner(await session.connection(), new)
    owner = await Caller.signed_in(factory, carla)
    query = """query($id: ID!) { partner(id: $id) { members(search: "van kreuz") { totalCount } }
      viewer { memberships { partner { id } } } }"""
    answer = await owner.data(query, id=encode("Partner", partner_id))
    assert answer["partner"]["members"]["totalCount"] == 1
    assert len(answer["viewer"]["memberships"]) == 2
    assert await name_of(other, carla.user_id) == "Carla Cruz"
