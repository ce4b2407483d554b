"""What a timeline is narrowed by, and the timeline of one operation (F55, T1)."""

from typing import Any

from models.database import Database
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import REVOKE, ClientStory
from tests.api.write_story import Story, permissions, product
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder

ENTRIES = "{ totalCount nodes { id kind personName askedFor askedByName operation { id } granted { level } } }"
OF_PARTNER = f"query($filter: TimelineFilter) {{ partner {{ timeline(filter: $filter) {ENTRIES} }} }}"
OF_OPERATION = f"""query($id: ID!, $filter: TimelineFilter) {{
  node(id: $id) {{ ... on Operation {{ timeline(filter: $filter, first: 100) {ENTRIES} }} }} }}"""
OF_OPERATIONS = f"{{ partner {{ operations {{ nodes {{ timeline(first: 5) {ENTRIES} }} }} }} }}"
CONTACTS = permissions({"contacts.view": "ALL"})


async def people(caller: Caller, **filter_: Any) -> list[str]:
    """Whose entries the partner's timeline shows, the newest first."""
    page = (await caller.data(OF_PARTNER, filter=filter_))["partner"]["timeline"]
    assert page["totalCount"] == len(page["nodes"])
    return [entry["personName"].split()[0] for entry in page["nodes"]]


async def test_f55_by_person_client_grant_and_who_asked(factory: Factory, database: Database) -> None:
    story = await Story.begin(factory)
    second = await factory.client(story.partner)
    ada, ben = await factory.member(story.partner, "Ada Ångström"), await factory.member(story.partner, "Ben Berg")
    await factory.partner_admin(second, ada)
    helper = Story(factory, story.partner, ada, second, (await Caller.signed_in(factory, ada)).viewer)
    await story.grant(ben, CONTACTS)
    given = await helper.grant(ben, CONTACTS)
    caller = Caller(database, story.viewer)
    boss = (await people(caller))[-1]
    assert await people(caller) == ["Ben", "Ben", "Ada", boss]
    assert await people(caller, members=[encode("Member", ada.id)]) == ["Ada"]
    assert await people(caller, members=[encode("Member", ada.id), encode("Member", ben.id)]) == ["Ben", "Ben", "Ada"]
    assert await people(caller, clients=[encode("Client", second.id)]) == ["Ben", "Ada"]
    assert await people(caller, grants=[given.grant["id"]]) == ["Ben"]
    assert await people(caller, askedBy=[encode("User", ada.user_id)]) == ["Ben"]
    assert await people(caller, askedBy=[encode("User", ada.user_id), encode("User", story.actor.user_id)]) == [
        "Ben",
        "Ben",
    ]
    assert await people(caller, askedByName="angstrom") == ["Ben"]
    assert await people(caller, askedByName=ada.email) == []
    assert await people(caller, askedByName=" ") == ["Ben", "Ben", "Ada", boss]
    assert await people(caller, askedFor=["SERVICE"]) == ["Ada", boss]
    assert await people(caller, askedFor=["PARTNER"], members=[encode("Member", ben.id)]) == ["Ben", "Ben"]
    for name in ("members", "clients", "grants", "askedFor", "askedBy"):
        assert await people(caller, **{name: []}) == []
    for name in ("members", "clients", "grants", "askedBy"):
        assert await people(caller, **{name: ["nonsense", encode("Wish", 1)]}) == []
        assert await caller.code(OF_PARTNER, filter={name: ["x"] * 1_001}) == "BAD_INPUT"
    assert await caller.code(OF_PARTNER, filter={"askedByName": "x" * 201}) == "BAD_INPUT"


async def test_t1_whose_people_asked_is_found_only_where_it_is_shown(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    boss, viewer = await story.someone(name="Bea Boss"), await story.someone()
    await factory.partner_admin(story.client, boss)
    teller = Story(factory, story.partner, boss, story.client, (await Caller.signed_in(factory, boss)).viewer)
    await teller.grant(await story.someone(name="Nina New"), CONTACTS)
    assert (await story.decide(REVOKE))["revoked"] == 2
    caller = await Caller.signed_in(factory, viewer)
    owner = encode("User", story.owner.id)
    assert await people(caller, askedFor=["CLIENT"]) == ["Nina", "Bea"]
    assert await people(caller, askedBy=[owner]) == []
    assert await people(caller, askedByName=story.owner.email) == []
    assert await people(caller, askedByName="olga") == []

    async def in_account(**filter_: Any) -> list[str]:
        page = await story.timeline(filter=filter_)
        assert page["totalCount"] == len(page["nodes"])
        return [entry["kind"] for entry in page["nodes"]]

    assert await in_account(askedByName=story.owner.email[:8].upper()) == ["REMOVE", "REMOVE"]
    assert await in_account(askedBy=[owner]) == ["REMOVE", "REMOVE"]
    assert await in_account(askedByName="bea b") == ["GRANT"]
    # What the account is not shown, it does not find either.
    for hidden in (
        {"askedByName": boss.email},
        {"askedBy": [encode("User", boss.user_id)]},
        {"members": [encode("Member", boss.id)]},
        {"clients": [encode("Client", story.client.id)]},
    ):
        assert await in_account(**hidden) == []
    south = await story.other_agency()
    stranger = await Caller.signed_in(factory, await story.someone(south))
    for foreign in (
        {"members": [encode("Member", boss.id)]},
        {"clients": [encode("Client", story.client.id)]},
        {"askedBy": [encode("User", boss.user_id)]},
    ):
        assert await people(stranger, **foreign) == []


async def test_f55_an_operation_shows_what_it_did(factory: Factory, recorder: StatementRecorder) -> None:
    story = await Story.begin(factory)
    crowd = await factory.members(story.partner, 3)
    made = await story.operation("grantAccess", targets=product(crowd, [story.client]), access=CONTACTS)
    caller = Caller(factory.database, story.viewer)
    page = (await caller.data(OF_OPERATION, id=made["id"]))["node"]["timeline"]
    assert page["totalCount"] == len(page["nodes"]) == 3
    assert {entry["operation"]["id"] for entry in page["nodes"]} == {made["id"]}
    narrowed = {"members": [encode("Member", crowd[0].id)]}
    page = (await caller.data(OF_OPERATION, id=made["id"], filter=narrowed))["node"]["timeline"]
    assert page["totalCount"] == len(page["nodes"]) == 1
    stranger = await Caller.signed_in(factory, await factory.member(await factory.partner()))
    assert (await stranger.data(OF_OPERATION, id=made["id"]))["node"] is None
    counts = []
    for _ in range(2):
        with recorder:
            await caller.data(OF_OPERATIONS)
        counts.append(recorder.count)
        for member in await factory.members(story.partner, 2):
            await story.grant(member, CONTACTS)
    assert counts[0] == counts[1]


async def test_a_period_the_wrong_way_round_is_refused(factory: Factory, database: Database) -> None:
    """It would look like a quiet one."""
    caller = Caller(database, (await Story.begin(factory)).viewer)
    wrong = {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert await caller.code(OF_PARTNER, filter=wrong) == "BAD_INPUT"
    assert len(await people(caller, since=wrong["until"])) == 1
