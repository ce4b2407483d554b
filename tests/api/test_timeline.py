"""The timeline as it is read: by client, person and partner, and by the account for its own people (F55, N08, T1)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.database import Database
from models.grant import GrantStatus
from models.member import MemberStatus
from models.operation import operations
from models.timeline_entry import timeline_entries
from resolvers.people_import import import_people
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import ENTRY, REVOKE, ClientStory, person_id
from tests.api.write_story import Story, permissions
from tests.factory import MOMENT, Factory
from tests.statement_recorder import StatementRecorder

ARGUMENTS = "filter: $filter, first: $first, after: $after, last: $last, before: $before"
VARIABLES = "$filter: TimelineFilter, $first: Int, $after: String, $last: Int, $before: String"
PAGE = f"totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {ENTRY}"
BY_NODE = f"""query($id: ID!, {VARIABLES}) {{ node(id: $id) {{
  ... on Client {{ timeline({ARGUMENTS}) {{ {PAGE} }} }}
  ... on Member {{ timeline({ARGUMENTS}) {{ {PAGE} }} }}
  ... on Partner {{ timeline({ARGUMENTS}) {{ {PAGE} }} }} }} }}"""


async def read(caller: Caller, key: str, **arguments: Any) -> Any:
    return (await caller.data(BY_NODE, id=key, **arguments))["node"]["timeline"]


def keys(at_levels: list[Any]) -> set[str]:
    return {at["permission"]["key"] for at in at_levels}


async def test_f55_who_when_what_before_and_after(factory: Factory) -> None:
    """A grant and a change through the API, as client, person and partner show them."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner, "Nina New")
    await story.grant(person, permissions({"contacts.view": "ALL"}), options={"reason": "New project."})
    await story.change(person, permissions({"contacts.view": "TEAM", "deals.view": "OWNED"}))
    caller = Caller(factory.database, story.viewer)
    client, member = encode("Client", story.client.id), encode("Member", person.id)
    page = await read(caller, member)
    changed, granted = page["nodes"]
    assert page["totalCount"] == 2
    assert (granted["kind"], granted["before"], granted["reason"]) == ("GRANT", None, "New project.")
    assert granted["after"] == {"status": "ACTIVE", "accessType": "STANDARD", "seat": "PARTNER", "expiresAt": None}
    assert (keys(granted["granted"]), granted["revoked"]) == ({"contacts.view"}, [])
    assert (changed["kind"], changed["reason"], changed["before"]) == ("CHANGE", None, granted["after"])
    assert keys(changed["granted"]) == {"deals.view"}
    assert changed["revoked"] == [{"permission": {"key": "contacts.view"}, "level": "ALL", "above": "TEAM"}]
    assert (granted["personName"], granted["personEmail"], granted["askedFor"]) == (
        "Nina New",
        person.email,
        "PARTNER",
    )
    assert granted["askedBy"] == {"email": story.actor.email}
    assert granted["member"] == {"id": member}
    assert granted["client"] == {"id": client}
    found = await caller.data("query($id: ID!) { node(id: $id) { id } }", id=granted["operation"]["id"])
    assert found["node"] == granted["operation"]
    assert (await read(caller, client))["nodes"][:2] == page["nodes"]
    partner = await read(caller, encode("Partner", story.partner.id))
    assert partner["nodes"][:2] == page["nodes"]
    assert partner["totalCount"] == 3
    assert len({entry["id"] for entry in partner["nodes"]}) == 3


async def test_deactivated_and_removed_access_gives_nothing(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    grant = await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    for status in (GrantStatus.DEACTIVATED, GrantStatus.ACTIVE, GrantStatus.DEACTIVATED, GrantStatus.REMOVED):
        grant = await factory.move(grant, status)
    entries = (await story.timeline())["nodes"]
    moved = [(entry["kind"], keys(entry["granted"]), keys(entry["revoked"])) for entry in entries[:-1]]
    view = {"contacts.view"}
    assert moved == [
        ("REMOVE", set(), set()),
        ("DEACTIVATE", set(), view),
        ("REACTIVATE", view, set()),
        ("DEACTIVATE", set(), view),
        ("GRANT", view, set()),
    ]


async def test_n08_the_account_sees_every_agency_and_its_own_people_the_newest_first(
    factory: Factory, database: Database
) -> None:
    story = await ClientStory.begin(factory)
    boss = await story.someone(name="Boss")
    await factory.partner_admin(story.client, boss)
    south = await story.other_agency()
    await factory.partner_admin(south, await story.someone(south, "Sam South"))
    await import_people(
        database,
        f"hub_id,email,first_name,last_name,access\n{story.account.hub_id},pia@harbour.example,Pia,Person,SUPER_ADMIN\n",
    )
    await factory.own_person(await factory.account(), await factory.user())
    await factory.partner_admin(await factory.client(story.partner), boss)
    answer = await story.decide(REVOKE, reason="Enough.")
    assert answer["revoked"] == 1
    page = await story.timeline()
    shown = [
        (entry["kind"], entry["partnerName"], entry["personName"], entry["askedFor"], entry["askedByName"])
        for entry in page["nodes"]
    ]
    assert shown == [
        ("REMOVE", "North Agency", "Boss", "CLIENT", story.owner.email),
        ("GRANT", None, "pia@harbour.example", "SERVICE", None),
        ("GRANT", "South Agency", "Sam South", "SERVICE", None),
        ("GRANT", "North Agency", "Boss", "SERVICE", None),
        ("GRANT", None, story.owner.email, "SERVICE", None),
    ]
    assert page["totalCount"] == 5
    assert {(entry["client"], entry["member"], entry["operation"]) for entry in page["nodes"]} == {(None, None, None)}
    assert page["nodes"][0]["reason"] == "Enough."
    caller = await Caller.signed_in(factory, boss)
    (told, *_) = (await read(caller, encode("Client", story.client.id)))["nodes"]
    assert (told["askedFor"], told["askedBy"], told["askedByName"], told["reason"]) == (
        "CLIENT",
        None,
        None,
        "Enough.",
    )
    everything = str(await read(caller, encode("Partner", story.partner.id)))
    for foreign in ("South", "pia@", story.owner.email):
        assert foreign not in everything


async def test_t1_a_partners_reasons_and_ids_stay_with_the_partner(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    boss = await story.someone(name="Bea Boss")
    await factory.partner_admin(story.client, boss)
    teller = Story(factory, story.partner, boss, story.client, (await Caller.signed_in(factory, boss)).viewer)
    person = await story.someone(name="Nina New")
    await teller.grant(person, permissions({"contacts.view": "ALL"}), options={"reason": "A difficult client."})
    (entry, *_) = (await story.timeline())["nodes"]
    assert (entry["personName"], entry["askedFor"], entry["askedByName"]) == ("Nina New", "PARTNER", "Bea Boss")
    assert [entry[name] for name in ("reason", "askedBy", "client", "member", "operation")] == [None] * 5
    (own, *_) = (await read(Caller(factory.database, teller.viewer), encode("Client", story.client.id)))["nodes"]
    assert own["reason"] == "A difficult client."


@pytest.mark.parametrize("side", ["account", "client", "partner"])
async def test_t4_pages_go_both_ways_and_nothing_new_moves_them(factory: Factory, side: str) -> None:
    story = await ClientStory.begin(factory)
    south = await story.other_agency()
    viewer = await Caller.signed_in(factory, await story.someone())

    async def add() -> None:
        await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
        if side == "account":
            await factory.grant(south, await story.someone(south))
            await factory.own_person(story.account, await factory.user())

    async def page(**arguments: Any) -> Any:
        if side == "account":
            return await story.timeline(**arguments)
        key = encode("Client", story.client.id) if side == "client" else encode("Partner", story.partner.id)
        return await read(viewer, key, **arguments)

    for _ in range(4):
        await add()
    everything = [entry["id"] for entry in (await page(first=100))["nodes"]]
    assert len(everything) == (13 if side == "account" else 4)
    assert len(set(everything)) == len(everything)
    pages = [await page(first=3)]
    await add()
    while pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(await page(first=3, after=pages[-1]["pageInfo"]["endCursor"]))
    assert [entry["id"] for found in pages for entry in found["nodes"]] == everything
    back = [await page(last=3)]
    while back[-1]["pageInfo"]["hasPreviousPage"]:
        back.append(await page(last=3, before=back[-1]["pageInfo"]["startCursor"]))
    walked = [entry["id"] for found in reversed(back) for entry in found["nodes"]]
    assert walked[-len(everything) :] == everything
    assert len(walked) > len(everything)


async def test_the_filter_is_by_kind_time_and_person(factory: Factory, database: Database) -> None:
    story = await ClientStory.begin(factory)
    carla = await story.someone(name="Carla Ångström")
    grant = await factory.grant(story.client, carla, {"contacts.view": "ALL"})
    await factory.grant(story.client, await story.someone(name="Ben 100%"), {"contacts.view": "ALL"})
    await factory.move(grant, GrantStatus.DEACTIVATED)
    async with database.write() as session:
        connection = await session.connection()
        newest = select(timeline_entries.c.id).order_by(timeline_entries.c.id.desc()).limit(1)
        later = update(timeline_entries).where(timeline_entries.c.id.in_(newest))
        await connection.execute(later.values(at=MOMENT + timedelta(days=1)))
    viewer = await Caller.signed_in(factory, await story.someone())
    day, next_day = "2026-11-01T09:00:00Z", "2026-11-02T09:00:00Z"

    async def found(filter_: dict[str, Any]) -> tuple[list[str], list[str]]:
        both = []
        for page in (
            await story.timeline(filter=filter_),
            await read(viewer, encode("Client", story.client.id), filter=filter_),
        ):
            assert page["totalCount"] == len(page["nodes"])
            both.append([f"{entry['kind']} {entry['personName']}" for entry in page["nodes"]])
        return both[0], both[1]

    owner, ben, carla_in, carla_off = (
        f"GRANT {story.owner.email}",
        "GRANT Ben 100%",
        "GRANT Carla Ångström",
        "DEACTIVATE Carla Ångström",
    )
    assert await found({"kinds": ["DEACTIVATE"]}) == ([carla_off], [carla_off])
    assert await found({"kinds": []}) == ([], [])
    assert await found({"since": next_day}) == ([carla_off], [carla_off])
    assert await found({"until": next_day}) == ([ben, carla_in, owner], [ben, carla_in])
    assert await found({"until": day}) == ([], [])
    assert await found({"search": "angstrom"}) == ([carla_off, carla_in],) * 2
    assert await found({"search": "angstrom", "kinds": ["GRANT"]}) == ([carla_in], [carla_in])
    assert await found({"search": "100%"}) == ([ben], [ben])
    assert await found({"search": story.owner.email.upper()}) == ([owner], [])
    assert await found({"search": "%"}) == ([ben], [ben])
    for query, key in ((BY_NODE, encode("Client", story.client.id)),):
        assert await viewer.code(query, id=key, filter={"search": "x" * 201}) == "BAD_INPUT"


async def test_bad_cursors_and_sizes_are_refused(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    viewer = await Caller.signed_in(factory, await story.someone())
    client = encode("Client", story.client.id)
    account = """query($hubId: String!, $first: Int, $after: String) { account(by: {hubId: $hubId}) {
      timeline(first: $first, after: $after) { nodes { id } } } }"""
    for after in ("x", "", client, "😀"):
        assert await viewer.code(BY_NODE, id=client, after=after) == "BAD_CURSOR"
        assert await story.caller.code(account, hubId=str(story.account.hub_id), after=after) == "BAD_CURSOR"
    assert await viewer.code(BY_NODE, id=client, first=101) == "BAD_INPUT"
    assert await viewer.code(BY_NODE, id=client, first=1, last=1) == "BAD_INPUT"


async def test_f02_timelines_need_the_manager_and_t1_foreign_ones_do_not_exist(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    worker = await story.someone(manager_rights="NONE")
    await factory.grant(story.client, worker, {"contacts.view": "ALL"})
    caller = await Caller.signed_in(factory, worker)
    assert await caller.code(BY_NODE, id=encode("Partner", story.partner.id)) == "FORBIDDEN"
    assert await caller.code(BY_NODE, id=encode("Member", worker.id)) == "FORBIDDEN"
    south = await story.other_agency()
    stranger = await Caller.signed_in(factory, await story.someone(south))
    for key in (
        encode("Client", story.client.id),
        encode("Member", worker.id),
        encode("Partner", story.partner.id),
    ):
        assert (await stranger.data(BY_NODE, id=key))["node"] is None
    assert (await read(stranger, encode("Client", south.id)))["totalCount"] == 0


async def test_e21_what_the_service_does_is_said_to_be_the_services(factory: Factory, database: Database) -> None:
    """Its operations are no partner's, and the entries are the partner's all the same."""
    story = await ClientStory.begin(factory)
    await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(operations).values(partner_id=None, reason="The catalogue has gained."))
    viewer = await Caller.signed_in(factory, await story.someone())
    (entry,) = (await read(viewer, encode("Partner", story.partner.id)))["nodes"]
    assert (entry["askedFor"], entry["askedBy"], entry["operation"]) == ("SERVICE", None, None)
    assert entry["reason"] == (await story.timeline())["nodes"][0]["reason"] == "The catalogue has gained."


async def test_t3_a_long_timeline_is_as_many_statements_as_a_short_one(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await ClientStory.begin(factory)
    viewer = await Caller.signed_in(factory, await story.someone())
    counts = []
    for people in (1, 20):
        for member in await factory.members(story.partner, people):
            await factory.grant(story.client, member, {"contacts.view": "ALL"})
        with recorder:
            for key in (encode("Client", story.client.id), encode("Partner", story.partner.id)):
                await read(viewer, key, first=100)
            await story.timeline(first=100)
        counts.append(recorder.count)
    assert counts[0] == counts[1]


async def test_t1_a_client_s_person_who_once_worked_for_the_agency_asks_for_the_client(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    boss = await story.someone(name="Boss")
    grant = await factory.partner_admin(story.client, boss)
    await factory.member(story.partner, "Old Name", user=story.owner, status=MemberStatus.LEFT)
    manager = await Caller.signed_in(factory, await story.someone(name="Mia Manager"))
    await story.decide(REVOKE, person=person_id(grant), reason="Enough.")
    (entry, *_) = (await story.timeline())["nodes"]
    assert (entry["askedFor"], entry["askedByName"], entry["reason"]) == ("CLIENT", story.owner.email, "Enough.")
    (told, *_) = (await read(manager, encode("Client", story.client.id)))["nodes"]
    assert (told["askedFor"], told["askedByName"], told["askedBy"]) == ("CLIENT", None, None)
    query = "query($id: ID!) { node(id: $id) { ... on Operation { kind requestedBy { email } } } }"
    shown = (await manager.data(query, id=told["operation"]["id"]))["node"]
    assert shown == {"kind": "REMOVE", "requestedBy": None}
