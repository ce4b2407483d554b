"""What a partner itself says of a client: name, revenue, lead person (F20, F22, F56, P21, R12)."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from models.client import clients
from models.member import ManagerRights, MemberStatus
from schema.node import encode
from tests.api.write_story import Story, contents, node_id
from tests.factory import ClientRow, Factory

QUERY = """mutation($input: UpdateClientInput!) { updateClient(input: $input) {
  client { id displayName officialName lead { id } managedMrr { amount currency } soldMrr { amount currency } }
  userErrors { __typename code message field } } }"""


async def edit(story: Story, client: ClientRow | str, key: str | None = None, **values: Any) -> Any:
    """Returns the payload of updateClient."""
    client_id = client if isinstance(client, str) else node_id(client)
    data, codes = await story.run(QUERY, header=key, input={"client": client_id, **values})
    assert codes == []
    return data["updateClient"]


async def done(story: Story, client: ClientRow, **values: Any) -> Any:
    """Returns the client as the mutation left it."""
    payload = await edit(story, client, **values)
    assert payload["userErrors"] == []
    return payload["client"]


async def refused(story: Story, client: ClientRow | str, **values: Any) -> Any:
    """Returns code and place of the one reason why it is refused; nothing may have been written."""
    before = await contents(story.database)
    payload = await edit(story, client, **values)
    assert await contents(story.database) == before
    assert payload["client"] is None
    (refusal,) = payload["userErrors"]
    return refusal


def why(refusal: Any) -> tuple[str, list[str]]:
    return refusal["code"], refusal["field"]


def money(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


async def listed(story: Story, search: str) -> list[str]:
    """The names of the clients that a search finds, in the list's order."""
    query = "query($search: String) { partner { clients(search: $search) { nodes { displayName } } } }"
    data, codes = await story.run(query, search=search)
    assert codes == []
    return [node["displayName"] for node in data["partner"]["clients"]["nodes"]]


async def test_f20_a_display_name_is_given_found_and_taken_away_again(factory: Factory) -> None:
    story = await Story.begin(factory)
    client = await factory.client(story.partner, "Zephyr Holding", domain="zephyr.example")
    await factory.client(story.partner, "Mistral Mills")
    changed = await done(story, client, displayName="  Äther   Project ")
    assert (changed["displayName"], changed["officialName"]) == ("Äther Project", "Zephyr Holding")
    for search in ("ather p", "zephyr hold", "zephyr.ex", str(client.hub_id)):
        assert await listed(story, search) == ["Äther Project"]
    assert (await listed(story, ""))[0] == "Äther Project"
    for cleared in (None, "  "):
        await done(story, client, displayName="Between")
        assert (await done(story, client, displayName=cleared))["displayName"] == "Zephyr Holding"
    assert (await listed(story, "between"), await listed(story, "zephyr")) == ([], ["Zephyr Holding"])
    assert (await listed(story, ""))[-1] == "Zephyr Holding"


async def test_r12_what_is_left_out_stays_and_null_clears(factory: Factory) -> None:
    story = await Story.begin(factory)
    client = await factory.client(story.partner, display_name="Ours", managed_mrr=None, currency=None)
    lead = await factory.member(story.partner)
    values = {"managedMrr": money("1250.5000"), "soldMrr": money("0"), "lead": node_id(lead)}
    changed = await done(story, client, **values)
    assert changed == {
        "id": node_id(client),
        "displayName": "Ours",
        "officialName": changed["officialName"],
        "lead": {"id": node_id(lead)},
        "managedMrr": money("1250.5"),
        "soldMrr": money("0"),
    }
    assert await done(story, client, displayName="Theirs") == {**changed, "displayName": "Theirs"}
    assert await done(story, client, lead=None, displayName="Ours") == {**changed, "lead": None}
    assert (await done(story, client, managedMrr=None))["soldMrr"] == money("0")
    assert (await done(story, client, soldMrr=None))["managedMrr"] is None
    async with factory.database.read() as connection:
        row = (await connection.execute(select(clients).where(clients.c.id == client.id))).one()
    assert (row.managed_mrr, row.sold_mrr, row.currency, row.lead_id) == (None, None, None, None)
    assert why(await refused(story, client)) == ("INVALID_INPUT", ["input"])


async def test_f56_both_amounts_of_a_client_have_one_currency(factory: Factory) -> None:
    story = await Story.begin(factory)
    client = await factory.client(story.partner, managed_mrr=Decimal(10), sold_mrr=Decimal(20), currency="EUR")
    for name in ("managedMrr", "soldMrr"):
        refusal = await refused(story, client, **{name: money("5", "USD")})
        assert why(refusal) == ("INVALID_INPUT", ["input", name, "currency"])
        assert "both amounts" in refusal["message"]
    refusal = await refused(story, client, managedMrr=money("5", "USD"), soldMrr=money("5", "CHF"))
    assert why(refusal) == ("INVALID_INPUT", ["input", "managedMrr", "currency"])
    changed = await done(story, client, managedMrr=money("5", "USD"), soldMrr=money("6", "USD"))
    assert (changed["managedMrr"], changed["soldMrr"]) == (money("5", "USD"), money("6", "USD"))
    changed = await done(story, client, managedMrr=None, soldMrr=money("7", "CHF"))
    assert (changed["managedMrr"], changed["soldMrr"]) == (None, money("7", "CHF"))
    changed = await done(story, client, soldMrr=money("8", "SEK"))
    assert changed["soldMrr"] == money("8", "SEK")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"managedMrr": money("-1")}, ["managedMrr", "amount"]),
        ({"soldMrr": money("1.00001")}, ["soldMrr", "amount"]),
        ({"soldMrr": money("1234567890123")}, ["soldMrr", "amount"]),
        ({"managedMrr": money("1", "eur")}, ["managedMrr", "currency"]),
        ({"managedMrr": money("1", "")}, ["managedMrr", "currency"]),
        ({"soldMrr": money("1", "XXX")}, ["soldMrr", "currency"]),
        ({"displayName": "x" * 201}, ["displayName"]),
        ({"displayName": "a\0b"}, ["displayName"]),
    ],
    ids=str,
)
async def test_a_value_that_cannot_be_is_refused_where_it_lies(
    factory: Factory, values: dict[str, Any], place: list[str]
) -> None:
    story = await Story.begin(factory, managed_mrr=None, currency=None)
    assert why(await refused(story, story.client, **values)) == ("INVALID_INPUT", ["input", *place])


async def test_the_largest_and_the_finest_amount_are_exact(factory: Factory) -> None:
    story = await Story.begin(factory)
    amount = "999999999999.9999"
    assert (await done(story, story.client, managedMrr=money(amount)))["managedMrr"] == money(amount)
    assert (await done(story, story.client, managedMrr=money("0.10000")))["managedMrr"] == money("0.1")


async def test_p21_the_lead_is_an_active_member_of_the_same_partner(factory: Factory) -> None:
    """Another partner's person, an unknown one and garbage look alike, and garbage clears nothing (T1)."""
    story = await Story.begin(factory)
    lead = await factory.member(story.partner, manager_rights=ManagerRights.NONE)
    await done(story, story.client, lead=node_id(lead))
    foreign = await factory.member(await factory.partner())
    answers = [
        await refused(story, story.client, lead=key)
        for key in (node_id(foreign), encode("Member", 10**9), node_id(story.client), "x", "")
    ]
    assert answers == [answers[0]] * 5
    assert why(answers[0]) == ("NOT_FOUND", ["input", "lead"])
    for status in (MemberStatus.DEACTIVATED, MemberStatus.LEFT):
        idle = await factory.member(story.partner, status=status)
        refusal = await refused(story, story.client, lead=node_id(idle))
        assert why(refusal) == ("INVALID_INPUT", ["input", "lead"])


async def test_f02_t1_a_client_is_changed_by_those_with_edit_in_its_partner(factory: Factory) -> None:
    story = await Story.begin(factory)
    elsewhere = await factory.client(await factory.partner(), account=story.client.account, display_name="Theirs")
    answers = [
        await refused(story, key, displayName="Mine")
        for key in (elsewhere, encode("Client", 10**9), node_id(story.actor), "x")
    ]
    assert answers == [answers[0]] * 4
    assert why(answers[0]) == ("NOT_FOUND", ["input", "client"])
    reader = await story.as_member(await factory.member(story.partner, manager_rights=ManagerRights.VIEW))
    assert (await refused(reader, story.client, displayName="Mine"))["code"] == "FORBIDDEN"
    outside = await story.as_member(await factory.member(story.partner, manager_rights=ManagerRights.NONE))
    assert (await refused(outside, story.client, displayName="Mine"))["code"] == "NOT_FOUND"
    _, codes = await (await story.as_member(story.actor, "read")).run(
        QUERY, input={"client": node_id(story.client), "displayName": "Mine"}
    )
    assert codes == ["FORBIDDEN"]
    before = (await contents(factory.database))["account"]
    assert (await done(story, story.client, displayName="Mine"))["displayName"] == "Mine"
    assert (await contents(factory.database))["account"] == before
    async with factory.database.read() as connection:
        theirs = await connection.scalar(select(clients.c.display_name).where(clients.c.id == elsewhere.id))
    assert theirs == "Theirs"


async def test_r22_a_retry_gets_the_first_answer_and_null_is_not_left_out(factory: Factory) -> None:
    story = await Story.begin(factory)
    values = {"displayName": "First", "managedMrr": money("5")}
    await edit(story, story.client, "a", **values)
    await done(story, story.client, displayName="Second")
    assert (await edit(story, story.client, "a", **values))["client"]["displayName"] == "Second"
    for other in ({"soldMrr": None}, {"managedMrr": money("6")}, {"displayName": None}):
        asked = {"client": node_id(story.client), **values, **other}
        _, codes = await story.run(QUERY, header="a", input=asked)
        assert codes == ["IDEMPOTENCY_KEY_MISMATCH"]
