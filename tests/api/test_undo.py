"""N06: an operation is undone by a new one, under the undoer's own authority, wherever nobody has changed anything since."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from models.asset import AssetKind
from models.database import Database
from models.grant import grants
from models.member import members
from models.table import now
from models.team import grant_teams, teams
from resolvers.operation.queue import QueueLimits
from schema.node import encode
from tests.api.caller import Caller
from tests.api.ending_story import DEACTIVATE, MIGRATE, REMOVE, several
from tests.api.write_story import Story, node_id, permissions, product
from tests.factory import MOMENT, AccountRow, Factory, MemberRow
from tests.life_factory import LifeFactory
from tests.statement_recorder import StatementRecorder

UNDO = """mutation($input: UndoOperationInput!) { undoOperation(input: $input) {
  operation { id kind dryRun canUndo undoOf { id } counts { applied noop rejected }
    outcomes(first: 100) { nodes { status code message member { id } withheld { permission { key } } } } }
  userErrors { code message field } } }"""
OPERATIONS = "query($id: ID!) { partner(id: $id) { operations(first: 1) { nodes { id kind canUndo total } } } }"
VIEW, EDIT = {"contacts.view": "ALL"}, {"contacts.view": "ALL", "contacts.edit": "ALL"}
FORM = ("status", "access_type", "seat", "state_id", "set_version_id", "customised", "expires_at")


async def last(story: Story) -> Any:
    caller = Caller(story.factory.database, story.viewer)
    data = await caller.data(OPERATIONS, id=encode("Partner", story.partner.id))
    return data["partner"]["operations"]["nodes"][0]


async def undo(story: Story, operation: str, *, by: MemberRow | None = None, **options: Any) -> Any:
    caller = await Caller.signed_in(story.factory, by) if by else Caller(story.factory.database, story.viewer)
    data = await caller.data(UNDO, input={"operation": operation, "options": options})
    return data["undoOperation"]


def codes(payload: Any) -> list[tuple[str, str | None]]:
    assert payload["userErrors"] == []
    return [(node["status"], node["code"]) for node in payload["operation"]["outcomes"]["nodes"]]


async def forms(database: Database, story: Story) -> dict[int, tuple[Any, ...]]:
    """What each person has in the client, by person."""
    columns = [grants.c.member_id, *(grants.c[name] for name in FORM)]
    living = select(*columns).where(grants.c.client_id == story.client.id, grants.c.ended == 0)
    async with database.read() as connection:
        return {row[0]: tuple(row[1:]) for row in await connection.execute(living)}


async def begin(factory: Factory) -> tuple[Story, list[MemberRow]]:
    story = await Story.begin(factory)
    return story, await factory.members(story.partner, 3)


async def test_n06_a_change_is_undone_exactly_and_what_changed_since_is_named(
    factory: Factory, database: Database
) -> None:
    story, people = await begin(factory)
    await story.outcomes("grantAccess", targets=product(people, [story.client]), access=permissions(VIEW))
    before = await forms(database, story)
    later = "2099-01-01T00:00:00Z"
    await story.outcomes(
        "changeAccess", targets=product(people, [story.client]), access=permissions(EDIT), expiresAt=later
    )
    changed = await last(story)
    assert changed["canUndo"]
    await story.change(people[1], permissions({"deals.view": "ALL"}))
    kept = (await forms(database, story))[people[1].id]
    dry = await undo(story, changed["id"], dryRun=True)
    assert (dry["operation"]["dryRun"], dry["operation"]["canUndo"]) == (True, False)
    payload = await undo(story, changed["id"], reason="It was meant for another client.")
    assert codes(payload) == codes(dry) == [("APPLIED", None), ("REJECTED", "CHANGED_SINCE"), ("APPLIED", None)]
    operation = payload["operation"]
    assert (operation["kind"], operation["undoOf"]) == ("UNDO", {"id": changed["id"]})
    named = operation["outcomes"]["nodes"][1]
    assert named["member"]["id"] == node_id(people[1])
    assert "changed this access since" in named["message"]
    assert await forms(database, story) == {**before, people[1].id: kept}
    again = await undo(story, changed["id"])
    assert {code for _, code in codes(again)} == {"CHANGED_SINCE"}


async def test_n06_what_was_given_is_removed_and_an_undo_is_undone_in_its_turn(
    factory: Factory, database: Database
) -> None:
    story, people = await begin(factory)
    nobody = await forms(database, story)
    await story.outcomes("grantAccess", targets=product(people, [story.client]), access=permissions(VIEW))
    given, operation = await forms(database, story), await last(story)
    await LifeFactory(factory).assets(story.client, people[2], AssetKind.DEAL, 2)
    payload = await undo(story, operation["id"])
    assert codes(payload) == [("APPLIED", None), ("APPLIED", None), ("REJECTED", "OWNS_ASSETS")]
    assert await forms(database, story) == {**nobody, people[2].id: given[people[2].id]}
    back = await undo(story, payload["operation"]["id"])
    assert codes(back) == [("APPLIED", None), ("APPLIED", None)]
    assert await forms(database, story) == given


async def test_n06_the_undoer_gives_and_takes_only_what_they_have(factory: Factory) -> None:
    story, people = await begin(factory)
    await story.outcomes("grantAccess", targets=product(people[:1], [story.client]), access=permissions(EDIT))
    await story.outcomes("changeAccess", targets=product(people[:1], [story.client]), access=permissions(VIEW))
    operation = await last(story)
    small = await factory.member(story.partner)
    await factory.partner_admin(story.client, small, without=("contacts.edit", "contacts.delete"))
    (cell,) = (await undo(story, operation["id"], by=small, dryRun=True))["operation"]["outcomes"]["nodes"]
    assert (cell["status"], cell["code"]) == ("NOOP", "NO_CHANGE")
    assert [found["permission"]["key"] for found in cell["withheld"]] == ["contacts.edit"]
    stranger = await factory.member(story.partner)
    assert codes(await undo(story, operation["id"], by=stranger)) == [("REJECTED", "NOT_PARTNER_ADMIN")]
    reader = await factory.member(story.partner, manager_rights="VIEW")
    refused = await undo(story, operation["id"], by=reader)
    assert [error["code"] for error in refused["userErrors"]] == ["FORBIDDEN"]


async def test_n06_what_has_no_way_back_says_so(factory: Factory) -> None:
    story, people = await begin(factory)
    await factory.super_admin(story.client, people[0])
    await factory.super_admin(story.client, people[1])
    await several(story, MIGRATE, [people[0]], [story.client])
    operation = await last(story)
    assert codes(await undo(story, operation["id"])) == [("REJECTED", "NO_WAY_BACK")]
    await story.grant(people[2], permissions(VIEW))
    await several(story, DEACTIVATE, people[2:], [story.client])
    await several(story, REMOVE, people[2:], [story.client])
    operation = await last(story)
    assert codes(await undo(story, operation["id"])) == [("REJECTED", "NO_WAY_BACK")]


async def test_n06_f54_teams_are_put_back_by_whoever_may_give_and_take_them(factory: Factory) -> None:
    story, people = await begin(factory)
    first, second = [await factory.team(story.client) for _ in range(2)]
    targets = product(people[:1], [story.client])
    await story.grant(people[0], permissions(VIEW), teams=[{"team": node_id(first), "primary": True}])
    await story.outcomes("assignTeams", targets=targets, teams=[{"team": node_id(second)}])
    operation = await last(story)
    for held in ((), (first,), (second,)):
        small = await factory.member(story.partner)
        await factory.partner_admin(story.client, small, without=("teams.edit",), teams=held)
        assert codes(await undo(story, operation["id"], by=small)) == [("REJECTED", "TEAM_NOT_HELD")]
    small = await factory.member(story.partner)
    await factory.partner_admin(story.client, small, without=("teams.edit",), teams=(first, second))
    assert codes(await undo(story, operation["id"], by=small, dryRun=True)) == [("APPLIED", None)]
    await several(story, REMOVE, people[:1], [story.client])
    removed = await last(story)
    stranger = await factory.member(story.partner)
    await factory.partner_admin(story.client, stranger, without=("teams.edit",), teams=(first,))
    assert codes(await undo(story, removed["id"], by=stranger)) == [("REJECTED", "TEAM_NOT_HELD")]
    payload = await undo(story, removed["id"])
    assert codes(payload) == [("APPLIED", None)]
    (shown,) = (await story.told(payload["operation"]["id"]))["outcomes"]["nodes"]
    assert shown["grant"]["teams"] == [{"primary": False, "team": {"id": node_id(second)}}]


async def test_n06_f54_teams_that_are_gone_or_others_by_now_are_not_put_back(
    factory: Factory, database: Database
) -> None:
    story, people = await begin(factory)
    first, second = [await factory.team(story.client) for _ in range(2)]
    targets = product(people[:1], [story.client])
    await story.grant(people[0], permissions(VIEW), teams=[{"team": node_id(first)}])
    await story.outcomes("assignTeams", targets=targets, teams=[{"team": node_id(second)}])
    operation = await last(story)
    queue = replace(story, limits=QueueLimits(queue_above=0, chunk_cells=10))
    data, _ = await queue.run(UNDO, input={"operation": operation["id"], "options": {}})
    async with database.write() as session:
        await (await session.connection()).execute(delete(teams).where(teams.c.id == first.id))
    await queue.work()
    told = await queue.told(data["undoOperation"]["operation"]["id"])
    assert [node["code"] for node in told["outcomes"]["nodes"]] == ["TEAM_GONE"]
    assert codes(await undo(story, operation["id"])) == [("REJECTED", "TEAM_GONE")]
    async with database.write() as session:
        await (await session.connection()).execute(delete(grant_teams))
    assert codes(await undo(story, operation["id"])) == [("REJECTED", "TEAMS_DIFFER")]


async def test_n06_f49_a_set_that_the_client_has_edited_since_is_given_as_it_is_now(factory: Factory) -> None:
    story, people = await begin(factory)
    theirs = await factory.permission_set(AccountRow(story.client.account_id, 1, "Client"), VIEW)
    await story.grant(people[0], {"permissionSet": node_id(theirs)})
    await several(story, REMOVE, people[:1], [story.client])
    operation = await last(story)
    await factory.new_version(theirs, EDIT)
    payload = await undo(story, operation["id"])
    assert codes(payload) == [("APPLIED", "SET_EDITED")]
    (shown,) = (await story.told(payload["operation"]["id"]))["outcomes"]["nodes"]
    assert "edited its permission set" in shown["message"]
    assert (shown["grant"]["permissionSetVersion"], shown["grant"]["customised"]) == (2, False)


async def test_n06_what_cannot_be_undone_as_a_whole_is_refused(factory: Factory, database: Database) -> None:
    story, people = await begin(factory)
    await story.grant(people[0], permissions(VIEW))
    await story.grant(people[0], permissions(VIEW))
    nothing = await last(story)
    assert not nothing["canUndo"]
    refused = await undo(story, nothing["id"])
    assert [error["code"] for error in refused["userErrors"]] == ["CONFLICT"]
    assert "changed nothing" in refused["userErrors"][0]["message"]
    queue = replace(story, limits=QueueLimits(queue_above=1, chunk_cells=1))
    await queue.run(
        "mutation($input: ChangeAccessInput!) { changeAccess(input: $input) { operation { id } userErrors { code } } }",
        input={"targets": product(people, [story.client]), "access": permissions(EDIT)},
    )
    waiting = await last(story)
    refused = await undo(story, waiting["id"])
    assert [error["code"] for error in refused["userErrors"]] == ["CONFLICT"]
    assert "not ended" in refused["userErrors"][0]["message"]
    elsewhere = await Story.begin(factory)
    for unknown in (waiting["id"], "garbage", encode("Operation", 10**9)):
        refused = await undo(elsewhere, unknown)
        assert [error["code"] for error in refused["userErrors"]] == ["NOT_FOUND"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_n06_ten_thousand_grants_are_restored_exactly_and_the_changed_ones_named(
    factory: Factory, database: Database
) -> None:
    story = await Story.begin(factory)
    places = [story.client, *await factory.clients(story.partner, 99)]
    for place in places[1:]:
        await story.admin(place)
    people = await factory.members(story.partner, 100)
    await story.outcomes("grantAccess", targets=product(people, places), access=permissions(VIEW))
    columns = [grants.c.id, *(grants.c[name] for name in FORM)]
    everything = select(*columns).where(grants.c.partner_id == story.partner.id).order_by(grants.c.id)
    async with database.read() as connection:
        before = {row[0]: tuple(row[1:]) for row in await connection.execute(everything)}
    await story.outcomes("changeAccess", targets=product(people, places), access=permissions(EDIT))
    operation = await last(story)
    assert operation["total"] == 10_000
    touched = people[7:9]
    await story.outcomes("changeAccess", targets=product(touched, places), access=permissions({"deals.view": "ALL"}))
    async with database.read() as connection:
        changed = {row[0]: tuple(row[1:]) for row in await connection.execute(everything)}
        theirs = select(grants.c.id).where(grants.c.member_id.in_([person.id for person in touched]))
        kept = set((await connection.execute(theirs)).scalars())
    payload = await undo(story, operation["id"])
    assert payload["operation"]["counts"] == {"applied": 9_800, "noop": 0, "rejected": 200}
    async with database.read() as connection:
        after = {row[0]: tuple(row[1:]) for row in await connection.execute(everything)}
    assert after == {key: (changed if key in kept else before)[key] for key in before}


async def test_n06_t3_an_undo_of_many_needs_as_many_statements_as_one_of_few(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await Story.begin(factory)
    counts = []
    for number in (2, 2, 30):
        people = await factory.members(story.partner, number)
        await story.outcomes("grantAccess", targets=product(people, [story.client]), access=permissions(VIEW))
        operation = await last(story)
        with recorder:
            payload = await undo(story, operation["id"])
        assert codes(payload) == [("APPLIED", None)] * number
        counts.append(recorder.count)
    # What the first one has found out about the process's database is kept.
    assert counts[1] == counts[2] <= counts[0]


async def test_n06_a_large_undo_waits_in_the_queue_like_any_other(factory: Factory, database: Database) -> None:
    story, people = await begin(factory)
    await story.outcomes("grantAccess", targets=product(people, [story.client]), access=permissions(VIEW))
    before = await forms(database, story)
    await story.outcomes("changeAccess", targets=product(people, [story.client]), access=permissions(EDIT))
    operation = await last(story)
    queue = replace(story, limits=QueueLimits(queue_above=1, chunk_cells=1))
    data, refused = await queue.run(UNDO, input={"operation": operation["id"], "options": {}})
    assert refused == []
    assert data["undoOperation"]["operation"]["counts"]["applied"] == 0
    await story.change(people[2], permissions({"deals.view": "ALL"}))
    kept = (await forms(database, story))[people[2].id]
    while await queue.work():
        pass
    assert await forms(database, story) == {**before, people[2].id: kept}


async def test_n06_what_was_removed_again_since_is_not_brought_back(factory: Factory) -> None:
    story, people = await begin(factory)
    await story.grant(people[0], permissions(VIEW))
    await several(story, REMOVE, people[:1], [story.client])
    removed = await last(story)
    await story.grant(people[0], permissions(VIEW))
    await several(story, REMOVE, people[:1], [story.client])
    assert codes(await undo(story, removed["id"])) == [("REJECTED", "CHANGED_SINCE")]
    # Whatever a clock that was put back says of it.
    async with story.database.write() as session:
        theirs = grants.c.member_id == people[0].id
        await (await session.connection()).execute(update(grants).where(theirs).values(since=MOMENT))
    assert codes(await undo(story, removed["id"])) == [("REJECTED", "CHANGED_SINCE")]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_n06_what_came_and_went_at_one_moment_is_told_apart(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last removal is undone; the one before it is not, for access was given anew since."""
    story, people = await begin(factory)
    moment, removed = now(), []
    monkeypatch.setattr("models.table.clock", SimpleNamespace(now=lambda: moment))
    for level in (VIEW, EDIT):
        await story.grant(people[0], permissions(level))
        given = (await forms(story.database, story))[people[0].id]
        await several(story, REMOVE, people[:1], [story.client])
        removed.append(await last(story))
    assert codes(await undo(story, removed[0]["id"])) == [("REJECTED", "CHANGED_SINCE")]
    assert codes(await undo(story, removed[1]["id"])) == [("APPLIED", None)]
    assert (await forms(story.database, story))[people[0].id] == given


async def test_n06_f38_assets_that_come_while_an_undo_waits_keep_the_access(factory: Factory) -> None:
    story, people = await begin(factory)
    await story.outcomes("grantAccess", targets=product(people, [story.client]), access=permissions(VIEW))
    operation = await last(story)
    queue = replace(story, limits=QueueLimits(queue_above=1, chunk_cells=10))
    data, _ = await queue.run(UNDO, input={"operation": operation["id"], "options": {}})
    await LifeFactory(factory).assets(story.client, people[1], AssetKind.DEAL, 2)
    while await queue.work():
        pass
    told = await queue.told(data["undoOperation"]["operation"]["id"])
    assert [node["code"] for node in told["outcomes"]["nodes"]] == [None, "OWNS_ASSETS", None]


async def test_n06_a_seat_that_stays_is_nobodys_question(factory: Factory, database: Database) -> None:
    story, people = await begin(factory)
    await story.grant(people[0], permissions(VIEW))
    await story.change(people[0], permissions(EDIT))
    operation = await last(story)
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(members).where(members.c.id == people[0].id).values(verified=False))
    assert codes(await undo(story, operation["id"])) == [("APPLIED", None)]
