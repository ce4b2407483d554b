"""How a write is carried out: dry run, atomic, expected versions, what is recorded (P01 to P03, N01)."""

from typing import Any

import pytest
from sqlalchemy import select

from models.operation import operations
from models.timeline_entry import timeline_entries
from schema.node import encode
from tests.api.write_story import APPLIED, NO_CHANGE, Story, contents, mutation, node_id, permissions, product
from tests.factory import Factory

CONTACTS = permissions({"contacts.view": "ALL"})


async def test_p01_an_operation_says_what_became_of_it(factory: Factory) -> None:
    """Counts, who, why, and the outcomes again by its id and in the partner's list; foreigners find none (T1)."""
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 3, verified=False)
    await factory.grant(story.client, people[0], {"contacts.view": "ALL"})
    other = await factory.client(story.partner)
    operation = await story.operation(
        "grantAccess",
        targets=product(people, [story.client, other]),
        access=CONTACTS,
        options={"reason": "  project start  "},
    )
    assert operation["counts"] == {"pending": 0, "applied": 2, "noop": 1, "rejected": 3, "failed": 0}
    assert (operation["kind"], operation["state"], operation["dryRun"]) == ("GRANT", "COMPLETED", False)
    assert (operation["total"], operation["done"], operation["reason"]) == (6, 6, "project start")
    assert operation["requestedBy"] == {"id": encode("User", story.actor.user_id)}
    page = """query($id: ID!, $status: [OutcomeStatus!], $first: Int, $after: String) { node(id: $id) { ... on Operation {
      outcomes(status: $status, first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage } nodes { status } }
    } } }"""
    seen: list[str] = []
    cursor, more = None, True
    while more:
        data, codes = await story.run(page, id=operation["id"], first=2, after=cursor, status=["APPLIED", "REJECTED"])
        assert codes == []
        found = data["node"]["outcomes"]
        assert found["totalCount"] == 5
        seen += [node["status"] for node in found["nodes"]]
        cursor, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    assert seen == ["APPLIED", "APPLIED", "REJECTED", "REJECTED", "REJECTED"]
    newest = "{ partner { operations(first: 1) { nodes { id kind total } } } }"
    data, _ = await story.run(newest)
    assert data["partner"]["operations"]["nodes"] == [{"id": operation["id"], "kind": "GRANT", "total": 6}]
    stranger = await story.as_member(await factory.member(await factory.partner()))
    assert (await stranger.run(page, id=operation["id"]))[0] == {"node": None}


async def test_p02_n01_a_dry_run_tells_the_same_and_writes_nothing(factory: Factory) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL", "deals.view": "TEAM"})
    new, there = await factory.members(story.partner, 2)
    await factory.grant(story.client, there, {"reports.view": "ALL", "deals.view": "ALL"})
    asked: dict[str, Any] = {
        "targets": product([new, there, story.actor], [story.client, await factory.client(story.partner)]),
        "access": permissions({"contacts.view": "TEAM", "deals.view": "ALL"}),
        "onExisting": "CHANGE",
    }
    before = await contents(factory.database)
    dry = await story.operation("grantAccess", **asked, options={"dryRun": True})
    assert await contents(factory.database) == before
    assert dry["dryRun"]
    assert (await story.run("query($id: ID!) { node(id: $id) { id } }", id=dry["id"]))[0] == {"node": None}
    wet = await story.operation("grantAccess", **asked)
    assert not wet["dryRun"]
    assert without_rows(wet) == without_rows(dry)


def without_rows(operation: Any) -> Any:
    """What a dry run and the real run have in common: all but the rows that only one of them has."""
    kept = {key: value for key, value in operation.items() if key not in {"id", "dryRun"}}
    nodes = [{key: value for key, value in node.items() if key != "grant"} for node in operation["outcomes"]["nodes"]]
    return {**kept, "outcomes": {**operation["outcomes"], "nodes": nodes}}


async def test_a_dry_run_is_paged_backwards_too(factory: Factory) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 5)
    query = """mutation($input: GrantAccessInput!) { grantAccess(input: $input) { operation {
      last: outcomes(last: 2) { pageInfo { hasPreviousPage } nodes { member { id } } }
      refused: outcomes(status: [REJECTED]) { totalCount nodes { member { id } } }
    } } }"""
    asked = {"targets": product(people, [story.client]), "access": CONTACTS, "options": {"dryRun": True}}
    data, codes = await story.run(query, input=asked)
    assert codes == []
    shown = data["grantAccess"]["operation"]
    assert [node["member"]["id"] for node in shown["last"]["nodes"]] == [node_id(person) for person in people[-2:]]
    assert shown["last"]["pageInfo"] == {"hasPreviousPage": True}
    assert shown["refused"] == {"totalCount": 0, "nodes": []}


@pytest.mark.parametrize("dry_run", [False, True])
async def test_atomic_is_all_or_nothing(factory: Factory, *, dry_run: bool) -> None:
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    first, second = await factory.members(story.partner, 2)
    await factory.grant(story.client, second, {"contacts.view": "ALL"})
    options = {"atomic": True, "dryRun": dry_run}
    told = await story.outcomes(
        "grantAccess", targets=product([first, second], [story.client, other]), access=CONTACTS, options=options
    )
    assert [outcome.verdict for outcome in told] == [
        ("REJECTED", "ATOMIC_REJECTED"),
        ("NOOP", "ALREADY_GRANTED"),
        *[("REJECTED", "NOT_PARTNER_ADMIN")] * 2,
    ]
    assert told[0].granted == {}
    assert told[0].node["grant"] is None
    assert await story.timeline_length() == 2
    told = await story.outcomes(
        "grantAccess", targets=product([first, second], [story.client]), access=CONTACTS, options=options
    )
    assert [outcome.verdict for outcome in told] == [APPLIED, ("NOOP", "ALREADY_GRANTED")]


async def test_p03_a_stale_version_is_a_conflict(factory: Factory) -> None:
    """Only where it is stale; and the grant's new version can be sent then."""
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 2)
    made = [await factory.grant(story.client, person, {"deals.view": "ALL"}) for person in people]
    await story.change(people[0], permissions({"deals.view": "TEAM"}))
    targets = product(people, [story.client])
    seen = [{"grant": node_id(grant), "version": 1} for grant in made]
    told = await story.outcomes("changeAccess", targets=targets, access=CONTACTS, expectedVersions=seen)
    assert [outcome.verdict for outcome in told] == [("REJECTED", "CONFLICT"), APPLIED]
    assert told[0].held == {"deals.view": "TEAM"}
    assert "Read it again" in told[0].node["message"]
    seen[0]["version"] = told[0].grant["version"]
    told = await story.outcomes("changeAccess", targets=targets, access=CONTACTS, expectedVersions=seen[:1])
    assert [outcome.verdict for outcome in told] == [APPLIED, NO_CHANGE]


async def test_f55_every_applied_outcome_has_an_entry_and_no_other_has(factory: Factory) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 3)
    await factory.grant(story.client, people[0], {"contacts.view": "ALL"})
    await factory.grant(story.client, people[1], {"deals.view": "ALL"})
    other = await factory.client(story.partner)
    await story.operation(
        "grantAccess", targets=product(people, [story.client, other]), access=CONTACTS, onExisting="CHANGE"
    )
    async with factory.database.read() as connection:
        newest = await connection.scalar(select(operations.c.id).order_by(operations.c.id.desc()).limit(1))
        found = await connection.execute(
            select(timeline_entries).where(timeline_entries.c.operation_id == newest).order_by(timeline_entries.c.id)
        )
        rows = found.all()
    assert [(row.member_id, row.client_id, row.before_status, row.after_status) for row in rows] == [
        (people[1].id, story.client.id, "ACTIVE", "ACTIVE"),
        (people[2].id, story.client.id, None, "ACTIVE"),
    ]
    assert rows[0].before_state_id != rows[0].after_state_id == rows[1].after_state_id
    assert {(row.partner_id, row.account_id) for row in rows} == {(story.partner.id, story.client.account_id)}


async def test_when_something_breaks_at_the_end_nothing_stays(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The operation is one transaction."""
    story = await Story.begin(factory)
    asked = {"targets": product([await factory.member(story.partner)], [story.client]), "access": CONTACTS}
    before = await contents(factory.database)

    async def broken(*_arguments: object) -> None:
        raise RuntimeError("The last step went wrong.")

    with monkeypatch.context() as patch:
        patch.setattr("resolvers.operation.execute.remember", broken)
        data, codes = await story.run(mutation("grantAccess"), input=asked)
    caplog.clear()
    assert (data, len(codes)) == (None, 1)
    assert await contents(factory.database) == before
    (told,) = await story.outcomes("grantAccess", **asked)
    assert told.verdict == APPLIED
