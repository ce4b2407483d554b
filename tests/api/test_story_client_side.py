"""The client's side (N08, P07, P08, L9): its persons tell it in order, through the API, from the first invitation to the last revocation."""

from typing import Any

from sqlalchemy import select

from models.permission.catalogue import catalogue
from models.user import users
from resolvers.people_import import import_people
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import REVOKE, SET_CEILING, ceiling, levels_of
from tests.api.counters import assert_counters_are_true
from tests.api.link_story import APPROVE, DECLINE, GET, PENDING, token_of
from tests.api.write_story import levels_of as levels_of_state
from tests.api.write_story import mutation, node_id, permissions, product
from tests.factory import ClientRow, Factory, MemberRow, UserRow

PAGE = """query($id: ID!) { account(by: {id: $id}) { name
  partners { id name activePeople since ceiling { permission { key } level }
    people { nodes { id name accessType since levelByArea { area { key } level sensitive } permissions { permission { key } level } } } }
  timeline { totalCount nodes { kind partnerName personName askedFor askedByName reason before { status } after { status } } }
} }"""


def under(*keys: str) -> dict[str, str]:
    """A ceiling under which there can be partner admins: their own permission, and these at ALL."""
    allowed = catalogue.partner_admin | catalogue.state(dict.fromkeys(keys, "ALL"))
    return levels_of_state(catalogue.closure(allowed))


class Office:
    """The client's own person at her desk."""

    def __init__(self, caller: Caller, account: str) -> None:
        self.caller = caller
        self.account = account

    async def page(self) -> Any:
        """The page for the client: who works here, and all that happened."""
        return (await self.caller.data(PAGE, id=self.account))["account"]

    async def partner(self, name: str) -> Any:
        (found,) = [partner for partner in (await self.page())["partners"] if partner["name"] == name]
        return found

    async def people(self, name: str) -> dict[str, Any]:
        return {person["name"]: person for person in (await self.partner(name))["people"]["nodes"]}

    async def pending(self) -> list[Any]:
        found: list[Any] = (await self.caller.data(PENDING, id=self.account))["account"]["pendingInvitations"]
        return found

    async def decide(self, query: str, **values: Any) -> Any:
        (payload,) = (await self.caller.data(query, input={"account": self.account, **values})).values()
        assert payload["userErrors"] == []
        return payload


async def ask(caller: Caller, client: ClientRow) -> Any:
    """A member's link for one client."""
    payload = (await caller.data(GET, input={"client": node_id(client)}))["getAccessLink"]
    assert payload["userErrors"] == []
    return payload["accessLink"]


async def give(caller: Caller, client: ClientRow, person: MemberRow, levels: dict[str, str]) -> Any:
    state = catalogue.closure(catalogue.state(levels))
    payload = await caller.data(
        mutation("grantAccess"), input={"targets": product([person], [client]), "access": permissions(state)}
    )
    (outcome,) = payload["grantAccess"]["operation"]["outcomes"]["nodes"]
    return outcome


async def test_the_clients_side(factory: Factory) -> None:  # noqa: PLR0915 one story, told in order
    # The operator records the client's first super admin; two agencies know the account.
    north, south = await factory.partner("North Agency"), await factory.partner("South Agency")
    client = await factory.client(north, "Harbour Ltd")
    other = await factory.client(south, account=client.account)
    text = f"hub_id,email,first_name,last_name,access\n{client.hub_id},olga@harbour.example,Olga,Owner,SUPER_ADMIN\n"
    imported = await import_people(factory.database, text)
    assert [row.status.value for row in imported.rows] == ["CREATED"]
    ada, carl = await factory.member(north, "Ada Admin"), await factory.member(north, "Carl Clerk")
    sam = await factory.member(south, "Sam South")
    agency, rival = await Caller.signed_in(factory, ada), await Caller.signed_in(factory, sam)
    olga = await _user(factory, "olga@harbour.example")
    office = Office(await Caller.signed_in(factory, olga), encode("Account", client.account_id))
    page = await office.page()
    assert (page["name"], page["partners"], await office.pending()) == ("Harbour Ltd", [], [])
    assert [entry["personName"] for entry in page["timeline"]["nodes"]] == ["olga@harbour.example"]

    # P07: both ask; Olga declines the one, and approves the other under a ceiling.
    link = await ask(agency, client)
    await ask(rival, other)
    invitations = {invitation["partnerName"]: invitation for invitation in await office.pending()}
    assert set(invitations) == {"North Agency", "South Agency"}
    await office.decide(DECLINE, invitation=invitations["South Agency"]["id"])
    limit = under("contacts.view", "deals.view")
    await office.decide(APPROVE, invitation=invitations["North Agency"]["id"], ceiling=ceiling(limit))
    assert await office.pending() == []
    (partner,) = (await office.page())["partners"]
    assert (partner["name"], partner["activePeople"]) == ("North Agency", 1)
    assert levels_of(partner["people"]["nodes"][0]) == limit

    # P08: what the agency gives is held by the ceiling.
    outcome = await give(agency, client, carl, {"contacts.edit": "ALL", "deals.view": "ALL"})
    assert "contacts.edit" in {at["permission"]["key"] for at in outcome["withheld"]}
    people = await office.people("North Agency")
    assert levels_of(people["Carl Clerk"]) == {"contacts.view": "ALL", "deals.view": "ALL"}
    assert people["Carl Clerk"]["levelByArea"] == [{"area": {"key": "crm"}, "level": "ALL", "sensitive": False}]

    # E24: lowered, the ceiling leaves what is there until Olga enforces it.
    lower = ceiling(under("contacts.view"))
    answer = await office.decide(SET_CEILING, partner=partner["id"], permissions=lower)
    assert answer["lowered"] == 0
    assert levels_of((await office.people("North Agency"))["Carl Clerk"])["deals.view"] == "ALL"
    held = await give(agency, client, await factory.member(north, "Nina New"), {"deals.view": "ALL"})
    assert (held["status"], held["code"]) == ("NOOP", "NO_CHANGE")
    answer = await office.decide(SET_CEILING, partner=partner["id"], enforce=True, reason="Contacts only.")
    assert (answer["lowered"], answer["notLowered"]) == (2, [])
    people = await office.people("North Agency")
    assert {name: person["accessType"] for name, person in people.items()} == {
        "Ada Admin": "PARTNER_ADMIN",
        "Carl Clerk": "STANDARD",
    }
    assert levels_of(people["Carl Clerk"]) == {"contacts.view": "ALL"}

    # L9: the second agency is let in after all; neither sees the other, Olga sees both.
    again = await ask(rival, other)
    await office.decide(APPROVE, token=token_of(again))
    assert [found["name"] for found in (await office.page())["partners"]] == ["North Agency", "South Agency"]
    for caller, foreign in ((agency, "Sam"), (rival, "Ada")):
        seen = await caller.data("{ partner { clients { nodes { timeline { nodes { personName } } } } } }")
        assert foreign not in str(seen)

    # P07: one person is revoked, then all of the agency; the other agency stays.
    answer = await office.decide(REVOKE, partner=partner["id"], person=people["Carl Clerk"]["id"])
    assert answer["revoked"] == 1
    answer = await office.decide(REVOKE, partner=partner["id"], reason="The contract has ended.")
    assert (answer["revoked"], answer["notRevoked"], answer["partner"]["activePeople"]) == (1, [], 0)
    outcome = await give(agency, client, carl, {"contacts.view": "ALL"})
    assert outcome["code"] == "NOT_PARTNER_ADMIN"
    assert set(await office.people("South Agency")) == {"Sam South"}

    # Only a new approval lets the agency in again, as a new grant, under the ceiling that Olga has left.
    first = people["Ada Admin"]["id"]
    await office.decide(APPROVE, token=token_of(link))
    ada_again = (await office.people("North Agency"))["Ada Admin"]
    assert ada_again["id"] != first
    assert levels_of(ada_again) == under("contacts.view")

    # N08: all of it stands in the timeline, the newest first.
    timeline = (await office.page())["timeline"]
    told = [(entry["kind"], entry["partnerName"], entry["personName"]) for entry in timeline["nodes"]]
    assert told[:4] == [
        ("GRANT", "North Agency", "Ada Admin"),
        ("REMOVE", "North Agency", "Ada Admin"),
        ("REMOVE", "North Agency", "Carl Clerk"),
        ("GRANT", "South Agency", "Sam South"),
    ]
    assert sorted(told[4:6]) == [("CHANGE", "North Agency", "Ada Admin"), ("CHANGE", "North Agency", "Carl Clerk")]
    assert told[6:] == [
        ("GRANT", "North Agency", "Carl Clerk"),
        ("GRANT", "North Agency", "Ada Admin"),
        ("GRANT", None, "olga@harbour.example"),
    ]
    reasons = [entry["reason"] for entry in timeline["nodes"] if entry["kind"] != "GRANT"]
    assert reasons == ["The contract has ended.", None, "Contacts only.", "Contacts only."]
    given = timeline["nodes"][6]
    assert (given["askedFor"], given["askedByName"]) == ("PARTNER", "Ada Admin")
    await assert_counters_are_true(factory.database)


async def _user(factory: Factory, email: str) -> UserRow:
    """The user whom the import has made."""
    async with factory.database.read() as connection:
        key = await connection.scalar(select(users.c.id).where(users.c.email_key == email))
    assert key is not None
    return UserRow(key, email)
