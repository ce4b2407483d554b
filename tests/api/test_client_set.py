"""A client's own permission sets: who makes and edits them, where they can be used, and whom an edit reaches (F49)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from models.grant import GrantStatus
from models.operation import operations
from models.permission.catalogue import catalogue
from resolvers.operation.queue import QueueLimits
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import partner_id
from tests.api.counters import assert_counters_are_true
from tests.api.matrix_story import entry
from tests.api.set_story import CREATE, DELETE, UPDATE, SetStory, granted, levels_of, shown
from tests.api.write_story import APPLIED, BRIEF, Told, contents, mutation, node_id, permissions, product
from tests.factory import Factory, UserRow

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What no statement decides is the same on both databases."""
EDITOR = {"permission_sets.edit": "ALL", "users.edit": "ALL"}
MANAGER = {"users.add": "ALL", "users.edit": "ALL"}
CONTACTS, DEALS = {"contacts.view": "ALL"}, {"deals.view": "ALL"}


@on_sqlite
async def test_f49_the_client_makes_a_set_and_a_partner_admin_can_use_it_in_that_client_only(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    agency = story.agency
    made = await story.make(CONTACTS, "  House   rules ")
    assert (made["name"], made["origin"], made["version"], made["usedBy"]) == ("House rules", "CLIENT", 1, [])
    query = "query($id: ID!) { client(by: {id: $id}) { permissionSets { id origin } } }"
    elsewhere = await factory.client(agency.partner)
    await agency.admin(elsewhere)
    usable = []
    for place in (agency.client, elsewhere):
        data, _ = await agency.run(query, id=node_id(place))
        usable.append(made["id"] in {row["id"] for row in data["client"]["permissionSets"]})
    assert usable == [True, False]
    person = await factory.member(agency.partner)
    here, there = await agency.outcomes(
        "grantAccess", targets=product([person], [agency.client, elsewhere]), access={"permissionSet": made["id"]}
    )
    assert (here.verdict, levels_of(await shown(agency, here))) == (APPLIED, CONTACTS)
    assert there.verdict == ("REJECTED", "NO_PERMISSION_SET")


@on_sqlite
async def test_f49_super_admins_and_who_has_the_permission_edit_sets_and_nobody_else(factory: Factory) -> None:
    """Who may add and edit users looks at them; what an agency's person may do there on its behalf is no right of their own."""
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    editor = await story.own_person(EDITOR)
    second = await story.make(DEALS, "Second", editor)
    assert {row["id"] for row in (await story.sets(editor))["nodes"]} == {made["id"], second["id"]}
    manager, plain = await story.own_person(MANAGER), await story.own_person(CONTACTS)
    assert (await story.sets(manager))["totalCount"] == 2
    query = "query($id: ID!) { account(by: {id: $id}) { permissionSets { totalCount } } }"
    assert await plain.code(query, id=story.account_id) == "FORBIDDEN"
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert [(await who.data(node, id=made["id"]))["node"] for who in (editor, manager, plain)] == [
        {"id": made["id"]},
        {"id": made["id"]},
        None,
    ]
    agent = Caller(factory.database, story.agency.viewer)
    for who in (manager, plain):
        for refused in await story.refusals(_writes(story, made), who):
            assert (refused["code"], refused["__typename"]) == ("FORBIDDEN", "AuthorityError")
            assert "Custom permission sets" in refused["message"]
    codes = [refused["code"] for refused in await story.refusals(_writes(story, made), agent)]
    assert codes == ["NOT_FOUND", "FORBIDDEN", "FORBIDDEN"]


def _writes(story: SetStory, made: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (CREATE, {"name": "New", "permissions": [], "account": story.account_id}),
        (UPDATE, {"permissionSet": made["id"], "name": "Other"}),
        (DELETE, {"permissionSet": made["id"]}),
    ]


@on_sqlite
async def test_f49_what_is_sensitive_comes_into_a_set_only_by_who_could_approve_a_link(factory: Factory) -> None:
    """Else the right to edit sets would be worth that of a super admin, in the hands of an agency's person above all."""
    story = await SetStory.begin(factory)
    made, rich = await story.make(CONTACTS), await story.make({**CONTACTS, "billing": "ALL"}, "Rich")
    editor, both = await story.own_person(EDITOR), await story.own_person({**EDITOR, **MANAGER})
    admin = {**CONTACTS, "partner_admin": "ALL", "users.add": "ALL", "users.edit": "ALL"}
    asked = [
        (UPDATE, {"permissionSet": made["id"], **permissions(admin)}),
        (UPDATE, {"permissionSet": made["id"], **permissions({"billing": "ALL"}), "dryRun": True}),
        (CREATE, {"name": "New", "account": story.account_id, **permissions({"billing": "ALL"})}),
    ]
    refused = await story.refusals(asked, editor)
    assert {(reason["code"], *reason["field"]) for reason in refused} == {("FORBIDDEN", "input", "permissions")}
    assert "add and edit its users" in refused[0]["message"]
    assert all("Billing" in reason["message"] for reason in refused[1:])
    # What is there already may stay beside what the editor adds, and who decides for the account adds anything.
    await story.done(UPDATE, editor, permissionSet=rich["id"], **permissions({**DEALS, "billing": "ALL"}))
    for query, values in asked:
        await story.done(query, both, **values)


@on_sqlite
async def test_f49_nobody_raises_their_own_access_by_an_edit(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    person, told = await granted(story.agency, made, "Sam Self")
    _, colleague = await granted(story.agency, made)
    await factory.own_person(story.client, UserRow(person.user_id, person.email), {**EDITOR, **MANAGER})
    sam = await Caller.signed_in(factory, person)
    payload = await story.done(UPDATE, sam, permissionSet=made["id"], **permissions({**CONTACTS, **DEALS}))
    (stays,) = payload["notReached"]
    assert (payload["reached"], stays["person"]["name"], stays["code"]) == (1, "Sam Self", "EXCEEDS_AUTHORITY")
    assert "nobody raises their own" in stays["message"]
    grants = [await shown(story.agency, at) for at in (told, colleague)]
    assert [(levels_of(grant), grant["outdated"]) for grant in grants] == [
        (CONTACTS, True),
        ({**CONTACTS, **DEALS}, False),
    ]
    # Somebody else's saving brings it up; less for themselves they may choose.
    assert (await story.edit(made, {**CONTACTS, **DEALS}))["reached"] == 1
    payload = await story.done(UPDATE, sam, permissionSet=made["id"], **permissions(CONTACTS))
    assert (payload["reached"], levels_of(await shown(story.agency, told))) == (2, CONTACTS)


@on_sqlite
async def test_t1_another_clients_set_and_account_look_like_none(factory: Factory) -> None:
    story, other = await SetStory.begin(factory), await SetStory.begin(factory)
    made = await other.make(CONTACTS)
    garbage = encode("PermissionSet", 10**9)
    named = [
        (made["id"], other.account_id),
        (garbage, encode("Account", 10**9)),
        ("x", "x"),
        (encode("Team", 1), encode("Team", 1)),
    ]
    for query, values in _writes(other, made):
        asked = [values | ({"account": owner} if query == CREATE else {"permissionSet": key}) for key, owner in named]
        answers = await story.refusals([(query, value) for value in asked])
        assert answers == [answers[0]] * 4
        assert answers[0]["code"] == "NOT_FOUND"
    for who in (story.office, Caller(factory.database, story.agency.viewer)):
        assert (await who.data("query($id: ID!) { node(id: $id) { id } }", id=made["id"]))["node"] is None
    refused = await story.refusal(CREATE, name="N", permissions=[], account=story.account_id, partner="x")
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["input", "account"])


@on_sqlite
async def test_f49_a_set_that_cannot_be_is_refused(factory: Factory) -> None:
    """What only a super admin ever has is given by no set, the client's own neither."""
    story = await SetStory.begin(factory)
    await story.make(CONTACTS)
    second = await story.make(DEALS, "Second")
    wrong = [
        (permissions({"super_admins": "ALL"}), "NON_DELEGABLE"),
        (permissions({"contacts.edit": "ALL"}), "INVALID_PREREQUISITE"),
        ({"name": " "}, "INVALID_INPUT"),
        ({"name": "OURS"}, "NAME_TAKEN"),
    ]
    for query, rest in (
        (CREATE, {"name": "New", "permissions": [], "account": story.account_id}),
        (UPDATE, {"permissionSet": second["id"]}),
    ):
        refused = await story.refusals([(query, {**rest, **values}) for values, _ in wrong])
        assert [reason["code"] for reason in refused] == [code for _, code in wrong]


async def test_f49_an_edit_reaches_all_grants_of_each_agency_in_one_operation_of_the_clients(factory: Factory) -> None:
    """T1: each agency finds an operation of its own, with its own people, and nothing of the other."""
    story = await SetStory.begin(factory)
    south, made = await story.neighbour(), await story.make(CONTACTS)
    north = story.agency
    (_, first), (away, second) = await granted(north, made), await granted(north, made)
    await north.outcomes("deactivateAccess", targets=product([away], [north.client]))
    _, third = await granted(south, made)
    other = await granted(north, await story.make({"tasks.view": "ALL"}, "Other"))
    payload = await story.edit(made, {**DEALS, "billing": "ALL"}, reason="New rules.")
    assert (payload["reached"], payload["notReached"], payload["leavesWithoutPartnerAdmin"]) == (3, [], [])
    used = {row["partner"]["id"]: row for row in payload["permissionSet"]["usedBy"]}
    assert {key: (row["active"], row["deactivated"], row["outdated"]) for key, row in used.items()} == {
        partner_id(north.client): (1, 1, 0),
        partner_id(south.client): (1, 0, 0),
    }
    for agency, told, status in ((north, first, "ACTIVE"), (north, second, "DEACTIVATED"), (south, third, "ACTIVE")):
        grant = await shown(agency, told)
        assert (grant["status"], levels_of(grant)) == (status, {**DEALS, "billing": "ALL"})
        assert (grant["permissionSetVersion"], grant["outdated"], grant["customised"]) == (2, False, False)
    assert levels_of(await shown(north, other[1])) == {"tasks.view": "ALL"}
    query = """{ partner { operations(first: 1) { nodes { kind reason requestedBy { id } total counts { applied }
      outcomes { nodes { member { id } granted { permission { key } } } } } } } }"""
    seen = []
    for agency in (north, south):
        data, codes = await agency.run(query)
        assert codes == []
        (operation,) = data["partner"]["operations"]["nodes"]
        assert (operation["kind"], operation["reason"], operation["requestedBy"]) == ("REAPPLY", "New rules.", None)
        seen.append({outcome["member"]["id"] for outcome in operation["outcomes"]["nodes"]})
    assert [len(people) for people in seen] == [2, 1]
    assert not seen[0] & seen[1]
    query = "query($id: ID!) { node(id: $id) { ... on PermissionSet { usedBy { active } grants { totalCount } } } }"
    totals = [(await agency.run(query, id=made["id"]))[0]["node"] for agency in (north, south)]
    assert totals == [{"usedBy": [], "grants": {"totalCount": 2}}, {"usedBy": [], "grants": {"totalCount": 1}}]
    await assert_counters_are_true(factory.database)


@on_sqlite
async def test_f49_what_was_changed_for_a_person_stays_unless_the_client_says_reset(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    made = await story.make({**CONTACTS, "tasks.view": "ALL"})
    person, told = await granted(story.agency, made)
    await story.agency.change(person, permissions({**CONTACTS, "notes.view": "ALL"}))
    payload = await story.edit(made, {**DEALS, "tasks.view": "ALL"})
    grant = await shown(story.agency, told)
    assert (payload["reached"], levels_of(grant)) == (1, {**DEALS, "notes.view": "ALL"})
    assert (grant["permissionSetVersion"], grant["customised"], grant["outdated"]) == (2, True, False)
    assert payload["permissionSet"]["usedBy"][0]["customised"] == 1
    # The same permissions once more make no version, and RESET still reaches whoever differs.
    payload = await story.edit(made, {**DEALS, "tasks.view": "ALL"}, onCustomised="RESET")
    grant = await shown(story.agency, told)
    assert (payload["reached"], payload["permissionSet"]["version"]) == (1, 2)
    assert (levels_of(grant), grant["customised"]) == ({**DEALS, "tasks.view": "ALL"}, False)
    before = await contents(factory.database)
    assert (await story.edit(made, {**DEALS, "tasks.view": "ALL"}))["reached"] == 0
    assert await contents(factory.database) == before


@on_sqlite
async def test_f49_the_ceiling_bounds_what_is_new_and_leaves_what_is_there(factory: Factory) -> None:
    """E24: what lies above a ceiling stays until the client enforces it, and is taken with what the set no longer has."""
    story = await SetStory.begin(factory)
    made = await story.make({**CONTACTS, "reports.view": "ALL"})
    _, told = await granted(story.agency, made)
    ceiling: dict[str, Any] = {"account": story.account_id, "partner": partner_id(story.client)}
    levels = catalogue.levels(catalogue.closure(catalogue.state({"contacts.view": "TEAM", "deals.view": "TEAM"})))
    query = "mutation($input: SetCeilingInput!) { setCeiling(input: $input) { userErrors { code } } }"
    await story.done(query, **ceiling, **permissions({key: level.value for key, level in levels.items()}))
    await story.edit(made, {**CONTACTS, **DEALS})
    grant = await shown(story.agency, told)
    assert (levels_of(grant), grant["customised"]) == ({"contacts.view": "ALL", "deals.view": "TEAM"}, True)


@on_sqlite
async def test_f09_f12_an_edit_makes_partner_admins_of_verified_people_only(factory: Factory) -> None:
    """N04: and says which agencies are left with people but without any."""
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    _, verified = await granted(story.agency, made, "Vera Verified")
    _, unverified = await granted(story.agency, made, "Uma Unverified", verified=False)
    admin = {"partner_admin": "ALL", "users.add": "ALL", "users.edit": "ALL"}
    payload = await story.edit(made, {**CONTACTS, **admin})
    (told,) = payload["notReached"]
    assert (payload["reached"], told["person"]["name"], told["code"]) == (1, "Uma Unverified", "NOT_VERIFIED")
    assert "Have the agency do so" in told["message"]
    grant = await shown(story.agency, verified)
    assert (grant["accessType"], grant["seat"]) == ("PARTNER_ADMIN", "PARTNER")
    stayed = await shown(story.agency, unverified)
    assert (stayed["accessType"], stayed["seat"], stayed["outdated"]) == ("STANDARD", "CORE", True)
    await story.agency.outcomes(
        "deactivateAccess", targets=product([story.agency.actor], [story.client]), options={"includeSelf": True}
    )
    payload = await story.edit(made, CONTACTS)
    assert [row["id"] for row in payload["leavesWithoutPartnerAdmin"]] == [partner_id(story.client)]
    assert payload["reached"] == 2
    await assert_counters_are_true(factory.database)


@on_sqlite
async def test_f49_a_super_admin_and_removed_access_are_left_alone(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    row = await factory.permission_set(story.client.account, CONTACTS)
    await factory.super_admin(story.client, await factory.member(story.agency.partner), permission_set=row)
    gone = await factory.grant(story.client, await factory.member(story.agency.partner), permission_set=row)
    await factory.move(gone, GrantStatus.REMOVED)
    assert (await story.edit({"id": node_id(row)}, DEALS))["reached"] == 0


@on_sqlite
async def test_p02_a_dry_run_of_an_edit_says_the_same_and_writes_nothing(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    await granted(story.agency, made)
    before = await contents(factory.database)
    dry = await story.edit(made, DEALS, name="Renamed", dryRun=True)
    assert await contents(factory.database) == before
    assert (dry["reached"], dry["permissionSet"]["name"], dry["permissionSet"]["version"]) == (1, "Ours", 1)
    real = await story.edit(made, DEALS, name="Renamed")
    assert (real["reached"], real["permissionSet"]["name"], real["permissionSet"]["version"]) == (1, "Renamed", 2)
    own = await factory.permission_set(story.agency.partner, CONTACTS)
    agent, before = Caller(factory.database, story.agency.viewer), await contents(factory.database)
    dry = await story.done(UPDATE, agent, permissionSet=node_id(own), name="Other", dryRun=True)
    assert (dry["reached"], await contents(factory.database)) == (0, before)


@on_sqlite
async def test_r22_a_retry_of_an_edit_gets_the_first_answer_and_p03_a_late_one_a_conflict(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    await granted(story.agency, made)
    query = UPDATE.replace("(input: $input)", '(input: $input) @idempotent(key: "k")')
    values = {"permissionSet": made["id"], **permissions(DEALS)}
    first = await story.done(query, **values)
    before = await contents(factory.database)
    assert await story.done(query, **values) == first
    assert (first["reached"], await contents(factory.database)) == (1, before)
    refused = await story.refusal(UPDATE, permissionSet=made["id"], name="Late", expectedVersion=1)
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["input", "expectedVersion"])


@on_sqlite
async def test_f49_a_deleted_set_is_given_to_nobody_and_its_grants_stay(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    person, told = await granted(story.agency, made)
    assert (await story.done(DELETE, permissionSet=made["id"]))["permissionSet"]["id"] == made["id"]
    assert (await story.sets())["nodes"] == []
    assert levels_of(await shown(story.agency, told)) == CONTACTS
    targets = product([await factory.member(story.agency.partner)], [story.client])
    (refused,) = await story.agency.refusals("grantAccess", targets=targets, access={"permissionSet": made["id"]})
    assert refused["code"] == "NOT_FOUND"
    assert (await story.refusal(UPDATE, permissionSet=made["id"], name="X"))["code"] == "NOT_FOUND"
    (again,) = await story.agency.outcomes("reapplyPermissionSet", targets=product([person], [story.client]))
    assert again.verdict == ("REJECTED", "NO_PERMISSION_SET")
    assert (await story.make(DEALS))["name"] == "Ours"


@on_sqlite
async def test_f49_what_waits_in_the_queue_gives_the_set_as_the_client_wants_it_by_then(factory: Factory) -> None:
    """An agency's own set is given at the version that was asked for; the client's is at any time what the client says."""
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    agency = replace(story.agency, limits=QueueLimits(queue_above=0))
    granted_one, listed = await factory.members(agency.partner, 2)
    asked = {"targets": product([granted_one], [story.client]), "access": {"permissionSet": made["id"]}}
    matrix = {"matrix": {"entries": [entry(listed, story.client, "Ours")]}}
    queued = []
    for field, values in (("grantAccess", asked), ("applyAccessMatrix", matrix)):
        data, codes = await agency.run(mutation(field, fragment=BRIEF), input=values)
        assert codes == []
        assert data[field]["operation"]["state"] == "QUEUED"
        queued.append(data[field]["operation"]["id"])
    await story.edit(made, DEALS)
    assert await agency.work() == 2
    for key in queued:
        (outcome,) = (await agency.told(key))["outcomes"]["nodes"]
        grant = await shown(agency, Told(outcome))
        assert (levels_of(grant), grant["permissionSetVersion"], grant["outdated"]) == (DEALS, 2, False)


async def test_f49_an_edit_and_a_grant_at_once_leave_nobody_on_the_old_version(factory: Factory) -> None:
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    people = await factory.members(story.agency.partner, 3)

    async def give() -> None:
        for person in people:
            assert (await story.agency.grant(person, {"permissionSet": made["id"]})).verdict == APPLIED

    async def edit() -> None:
        for levels in (DEALS, CONTACTS, DEALS):
            await story.edit(made, levels)

    await asyncio.gather(give(), edit())
    (used,) = (await story.sets())["nodes"][0]["usedBy"]
    assert (used["active"], used["outdated"]) == (3, 0)


@on_sqlite
async def test_t3_an_edit_takes_as_many_statements_for_many_people_as_for_few(factory: Factory, recorder: Any) -> None:
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    counts = []
    for number, levels in ((1, DEALS), (2, CONTACTS), (30, DEALS)):
        people = await factory.members(story.agency.partner, number)
        targets = product(people, [story.client])
        await story.agency.operation("grantAccess", targets=targets, access={"permissionSet": made["id"]})
        with recorder:
            await story.edit(made, levels)
        counts.append(recorder.count)
    # The first edit has the content to write down as well, which is new.
    assert counts[1] == counts[2]
    async with factory.database.read() as connection:
        kinds = select(func.count()).where(operations.c.kind == "REAPPLY", operations.c.by_client)
        assert await connection.scalar(kinds) == 3
