"""Template lockdown: access by permission sets only, set by an agency or by a client, on every way that access is given (P27)."""

from dataclasses import replace
from typing import Any

import pytest

from models.grant import GrantStatus
from models.member import ManagerRights
from resolvers.operation.queue import QueueLimits
from schema.node import encode
from tests.api.caller import Caller
from tests.api.ending_story import DEACTIVATE, MIGRATE, REACTIVATE, several
from tests.api.matrix_story import apply, entry, plan
from tests.api.set_story import LOCK, SetStory, granted, levels_of, shown
from tests.api.write_story import APPLIED, NO_CHANGE, Story, Told, contents, node_id, permissions, product
from tests.factory import Factory

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What no statement decides is the same on both databases."""
LOCKED = ("REJECTED", "LOCKED_TO_SETS")
CONTACTS, DEALS = {"contacts.view": "ALL"}, {"deals.view": "ALL"}
READ = """query($id: ID!) { client(by: {id: $id}) { templateLockdowns {
  ownedBy reason permissionSets { id } setBy { id } exceptions { totalCount nodes { id customised } } } } }"""
OFFICE = """query($id: ID!) { account(by: {id: $id}) { templateLockdown {
  ownedBy reason setBy { id } exceptions { totalCount } people(first: 1) { totalCount nodes { id } } } } }"""


async def locked(story: SetStory, owner: str, **values: Any) -> Any:
    """Locks the client: by the agency, whose actor becomes its super admin, or by the client's office."""
    payload = await lock(story, owner, locked=True, **values)
    assert payload["userErrors"] == []
    return payload["templateLockdown"]


async def lock(story: SetStory, owner: str, **values: Any) -> Any:
    if owner == "CLIENT":
        return await story.answer(LOCK, account=story.account_id, **values)
    boss = await story.factory.member(story.agency.partner, super_admin=True)
    return await story.answer(LOCK, await Caller.signed_in(story.factory, boss), **values)


async def new(story: Story, access: dict[str, Any], **values: Any) -> Told:
    return await story.grant(await story.factory.member(story.partner), access, **values)


@on_sqlite
async def test_p27_under_a_lockdown_access_is_exactly_a_set(factory: Factory) -> None:
    """Granting, changing, single permissions, copies, applying a set again, dry runs: all of it, and nothing else is touched."""
    story = await SetStory.begin(factory)
    agency, ours = story.agency, await factory.permission_set(story.agency.partner, CONTACTS)
    before, free = await factory.members(agency.partner, 2)
    customised = await agency.grant(before, {"permissionSet": node_id(ours)})
    await agency.change(before, permissions({**CONTACTS, **DEALS}))
    plain = await agency.grant(free, {"permissionSet": node_id(ours)})
    found = await locked(story, "PARTNER", reason="By the book.")
    assert (found["ownedBy"], found["reason"], found["permissionSets"]) == ("PARTNER", "By the book.", None)
    given, single = {"permissionSet": node_id(ours)}, permissions(DEALS)
    for options in ({"dryRun": True}, {}):
        told = await new(agency, single, options=options)
        assert told.verdict == LOCKED
        assert "client.templateLockdowns" in told.node["message"]
        assert (await agency.change(free, single, options=options)).verdict == LOCKED
        assert (await agency.change(free, permissions(CONTACTS), options=options)).verdict == NO_CHANGE
        assert (await new(agency, {"copyFrom": customised.grant["id"]}, options=options)).verdict == LOCKED
        assert (await new(agency, {"copyFrom": plain.grant["id"]}, options=options)).verdict == APPLIED
        assert (await new(agency, given, options=options)).verdict == APPLIED
    assert levels_of(await shown(agency, customised)) == {**CONTACTS, **DEALS}
    # What is about no permission stays allowed, also for what differs from its set.
    assert (await agency.change(before, seat="CORE")).verdict == APPLIED
    for change in (DEACTIVATE, REACTIVATE):
        (told,) = await several(agency, change, [before], [story.client])
        assert told.verdict == APPLIED
    await factory.new_version(ours, {"notes.view": "ALL"})
    (kept,) = await agency.outcomes(
        "reapplyPermissionSet", targets=product([before], [story.client]), onCustomised="KEEP"
    )
    assert kept.verdict == LOCKED
    (reset,) = await agency.outcomes("reapplyPermissionSet", targets=product([before], [story.client]))
    assert (reset.verdict, levels_of(await shown(agency, reset))) == (APPLIED, {"notes.view": "ALL"})


@on_sqlite
async def test_p27_what_the_actor_cannot_give_whole_is_rejected_and_not_clamped(factory: Factory) -> None:
    """And what somebody holds beyond the set, and the actor cannot take, is no set either; both are told."""
    story = await SetStory.begin(factory, {"contacts.view": "ALL", "deals.view": "TEAM"})
    agency, ours = story.agency, await factory.permission_set(story.agency.partner, {**CONTACTS, **DEALS})
    small = await factory.permission_set(story.agency.partner, CONTACTS)
    person = await factory.member(agency.partner)
    await factory.grant(story.client, person, {"reports.view": "ALL"})
    await locked(story, "CLIENT")
    told = await new(agency, {"permissionSet": node_id(ours)})
    assert (told.verdict, told.withheld, told.node["grant"]) == (LOCKED, {"deals.view": "TEAM<ALL"}, None)
    told = await agency.change(person, {"permissionSet": node_id(small)})
    assert (told.verdict, told.retained) == (LOCKED, {"reports.view": ("ALL", "ACTOR_LACKS_IT")})
    assert levels_of(await shown(agency, told)) == {"reports.view": "ALL"}
    assert (await new(agency, {"permissionSet": node_id(small)})).verdict == APPLIED


@on_sqlite
async def test_p27_only_the_sets_that_both_lockdowns_permit_can_be_given(factory: Factory) -> None:
    """The others' access stays; it is listed, and brought into line by giving a permitted set, whatever it contains."""
    story = await SetStory.begin(factory)
    agency = story.agency
    first, second, third = [await factory.permission_set(agency.partner, CONTACTS) for _ in range(3)]
    clients_own = await story.make(DEALS)
    person = await factory.member(agency.partner)
    told = await agency.grant(person, {"permissionSet": node_id(third)})
    await agency.set_default(person, third)
    await locked(story, "PARTNER", permissionSets=[node_id(first), node_id(second), clients_own["id"]])
    assert (await agency.change(person, {"defaultSet": True})).verdict == NO_CHANGE
    assert (await new(agency, {"permissionSet": node_id(third)})).verdict == LOCKED
    assert (await new(agency, {"permissionSet": clients_own["id"]})).verdict == APPLIED
    await locked(story, "CLIENT", permissionSets=[clients_own["id"]])
    assert (await new(agency, {"permissionSet": clients_own["id"]})).verdict == APPLIED
    assert (await new(agency, {"permissionSet": node_id(first)})).verdict == LOCKED
    payload = await lock(story, "CLIENT", locked=False)
    assert payload["templateLockdown"]["endedAt"] is not None
    changed = await agency.change(person, {"permissionSet": node_id(first)})
    assert (changed.verdict, changed.grant["permissionSet"]) == (APPLIED, {"id": node_id(first)})
    assert (changed.granted, changed.revoked, changed.grant["id"]) == ({}, {}, told.grant["id"])


async def test_p27_the_access_that_was_there_before_is_listed(factory: Factory) -> None:
    """T1: each agency finds its own, the client all of them; neither learns who of the other locked it."""
    story = await SetStory.begin(factory)
    agency, south = story.agency, await story.neighbour()
    made = await story.make(CONTACTS)
    await granted(agency, made)
    person, _ = await granted(agency, made)
    differs = await agency.change(person, permissions(DEALS))
    listless = await new(agency, permissions(DEALS))
    await new(south, permissions(DEALS))
    await factory.super_admin(story.client, await factory.member(agency.partner))
    gone = await factory.grant(story.client, await factory.member(agency.partner), DEALS)
    await factory.move(gone, GrantStatus.REMOVED)
    await locked(story, "CLIENT", reason="Ours.")
    data, codes = await agency.run(READ, id=node_id(story.client))
    (found,) = data["client"]["templateLockdowns"]
    assert (codes, found["ownedBy"], found["reason"], found["setBy"]) == ([], "CLIENT", "Ours.", None)
    assert found["exceptions"]["totalCount"] == 2
    assert {row["id"] for row in found["exceptions"]["nodes"]} == {differs.grant["id"], listless.grant["id"]}
    data, _ = await south.run(READ, id=node_id(south.client))
    assert data["client"]["templateLockdowns"][0]["exceptions"]["totalCount"] == 1
    office = (await story.office.data(OFFICE, id=story.account_id))["account"]["templateLockdown"]
    assert (office["people"]["totalCount"], len(office["people"]["nodes"])) == (3, 1)
    assert office["exceptions"]["totalCount"] == 0
    # With a list, the sets that are not in it are exceptions too.
    await locked(story, "CLIENT", permissionSets=[node_id(await factory.built_in_set())])
    office = (await story.office.data(OFFICE, id=story.account_id))["account"]["templateLockdown"]
    assert office["people"]["totalCount"] == 4
    people = "query($id: ID!) { client(by: {id: $id}) { templateLockdowns { people { totalCount } } } }"
    _, codes = await agency.run(people, id=node_id(story.client))
    assert codes == ["FORBIDDEN"]
    await locked(story, "PARTNER")
    whole = "{ partner { templateLockdown { ownedBy setBy { id } exceptions { totalCount } } } }"
    data, _ = await agency.run(whole)
    found = data["partner"]["templateLockdown"]
    assert (found["ownedBy"], found["exceptions"]) == ("PARTNER", {"totalCount": 2})
    assert found["setBy"] is not None


@on_sqlite
async def test_p27_a_matrix_and_what_waits_in_the_queue_keep_to_the_lockdown_of_when_they_are_carried_out(
    factory: Factory,
) -> None:
    story = await SetStory.begin(factory)
    agency = story.agency
    ours = await factory.permission_set(agency.partner, CONTACTS, "Ours")
    other = await factory.permission_set(agency.partner, DEALS, "Other")
    slow = replace(agency, limits=QueueLimits(queue_above=0))
    people = await factory.members(agency.partner, 2)
    query = "mutation($input: GrantAccessInput!) { grantAccess(input: $input) { operation { id } } }"
    queued = []
    for access in (permissions(CONTACTS), {"permissionSet": node_id(ours)}):
        data, codes = await slow.run(query, input={"targets": product(people[:1], [story.client]), "access": access})
        assert codes == []
        queued.append(data["grantAccess"]["operation"]["id"])
    await locked(story, "CLIENT")
    await slow.work()
    for key, verdict in zip(queued, (LOCKED, APPLIED), strict=True):
        (outcome,) = (await agency.told(key))["outcomes"]["nodes"]
        assert (outcome["status"], outcome["code"]) == verdict
    await locked(story, "PARTNER", permissionSets=[node_id(ours)])
    matrix = [entry(person, story.client, name) for person, name in zip(people, ("Ours", "Other"), strict=True)]
    planned = (await plan(agency, matrix))["operation"]["outcomes"]["nodes"]
    assert [(outcome["status"], outcome["code"]) for outcome in planned] == [NO_CHANGE, LOCKED]
    assert [told.verdict for told in await apply(agency, matrix)] == [NO_CHANGE, LOCKED]
    assert other.version == 1


@on_sqlite
async def test_p27_a_migration_keeps_no_billing_under_a_lockdown(factory: Factory) -> None:
    """F43: the Partner Admin set as it is makes a super admin less, so it needs no permission of a list."""
    story = await SetStory.begin(factory)
    agency, ours = story.agency, await factory.permission_set(story.agency.partner, CONTACTS)
    veteran = await factory.member(agency.partner)
    await factory.super_admin(story.client, veteran)
    await locked(story, "CLIENT")
    await locked(story, "PARTNER", permissionSets=[node_id(ours)])
    for keep, verdict in ((True, LOCKED), (False, APPLIED)):
        (told,) = await several(agency, MIGRATE, [veteran], [story.client], keepBilling=keep)
        assert told.verdict == verdict


@on_sqlite
async def test_f49_p27_an_edit_leaves_customised_access_on_its_version_under_a_lockdown(factory: Factory) -> None:
    """Until the client says RESET; so does what the ceiling would let through only in part."""
    story = await SetStory.begin(factory)
    made = await story.make(CONTACTS)
    _, plain = await granted(story.agency, made)
    person, customised = await granted(story.agency, made)
    await story.agency.change(person, permissions({**CONTACTS, "tasks.view": "ALL"}))
    await locked(story, "PARTNER")
    payload = await story.edit(made, DEALS)
    (told,) = payload["notReached"]
    assert (payload["reached"], told["code"]) == (1, "LOCKED_TO_SETS")
    assert "onCustomised: RESET" in told["message"]
    grant = await shown(story.agency, customised)
    assert (levels_of(grant), grant["outdated"]) == ({**CONTACTS, "tasks.view": "ALL"}, True)
    assert (await story.edit(made, DEALS, onCustomised="RESET"))["reached"] == 1
    assert [levels_of(await shown(story.agency, one)) for one in (plain, customised)] == [DEALS, DEALS]


@on_sqlite
async def test_p27_who_locks_and_unlocks(factory: Factory) -> None:
    """F02: a super admin of the agency who may act, or who decides for the account; nobody else, and nothing foreign (T1)."""
    story, other = await SetStory.begin(factory), await SetStory.begin(factory)
    partner = story.agency.partner
    agent = Caller(factory.database, story.agency.viewer)
    reader = await Caller.signed_in(factory, await factory.member(partner, manager_rights=ManagerRights.VIEW))
    plain = await story.own_person({"permission_sets.edit": "ALL", "users.edit": "ALL"})
    boss = await Caller.signed_in(factory, await factory.member(partner, super_admin=True))
    account, foreign = {"account": story.account_id}, await other.make(CONTACTS)
    for caller, values, code, place in (
        (agent, {}, "FORBIDDEN", ["input", "partner"]),
        (reader, {}, "FORBIDDEN", None),
        (boss, {"partner": node_id(other.agency.partner)}, "NOT_FOUND", ["input", "partner"]),
        (agent, account, "NOT_FOUND", ["input", "account"]),
        (plain, account, "FORBIDDEN", ["input", "account"]),
        (story.office, {"account": other.account_id}, "NOT_FOUND", ["input", "account"]),
        (story.office, {"account": "x"}, "NOT_FOUND", ["input", "account"]),
        (story.office, {**account, "partner": "x"}, "INVALID_INPUT", ["input", "account"]),
        (story.office, {**account, "permissionSets": []}, "INVALID_INPUT", ["input", "permissionSets"]),
        (boss, {"permissionSets": [foreign["id"]]}, "NOT_FOUND", ["input", "permissionSets", "0"]),
        (story.office, {**account, "permissionSets": [foreign["id"]]}, "NOT_FOUND", ["input", "permissionSets", "0"]),
        (
            story.office,
            {**account, "locked": False, "permissionSets": ["x"]},
            "INVALID_INPUT",
            ["input", "permissionSets"],
        ),
        (story.office, {**account, "reason": "x" * 1_001}, "INVALID_INPUT", ["input", "reason"]),
    ):
        payload = await story.answer(LOCK, caller, **{"locked": True, **values})
        (refused,) = payload["userErrors"]
        assert (refused["code"], refused["field"], payload["templateLockdown"]) == (code, place, None)
    ours = await factory.permission_set(partner, CONTACTS)
    (refused,) = (await lock(story, "CLIENT", locked=True, permissionSets=[node_id(ours)]))["userErrors"]
    assert refused["code"] == "NOT_FOUND"
    assert (await story.done(LOCK, boss, locked=False))["templateLockdown"] is None
    node = "query($id: ID!) { node(id: $id) { id } }"
    made = await locked(story, "CLIENT")
    again = await locked(story, "CLIENT")
    assert again == made
    assert [
        (await who.data(node, id=made["id"]))["node"] is None for who in (story.office, agent, plain, other.office)
    ] == [
        False,
        False,
        True,
        True,
    ]
    changed = await locked(story, "CLIENT", permissionSets=[node_id(await factory.built_in_set())])
    assert changed["id"] != made["id"]
    ended = (await lock(story, "CLIENT", locked=False))["templateLockdown"]
    assert (ended["id"], ended["endedBy"]) == (changed["id"], None)
    query = LOCK.replace("(input: $input)", '(input: $input) @idempotent(key: "k")')
    first = await story.done(query, boss, locked=True)
    before = await contents(factory.database)
    assert await story.done(query, boss, locked=True) == first
    assert await contents(factory.database) == before
    assert first["partner"] == {"id": encode("Partner", partner.id)}
