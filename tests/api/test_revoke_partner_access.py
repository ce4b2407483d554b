"""The client takes an agency's access away: one person's, or everybody's; only its last super admin stays (P07, R6)."""

import asyncio
from typing import Any

import pytest

from models.grant import GrantStatus
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import REVOKE, ClientStory, partner_id, person_id
from tests.api.counters import assert_counters_are_true
from tests.api.write_story import contents, mutation, permissions, product
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder


async def test_p07_one_person_loses_access_at_once_and_nobody_else(factory: Factory) -> None:
    """The only partner admin: no lockout is guarded against in the client's own account (N04)."""
    story = await ClientStory.begin(factory)
    boss = await story.someone(name="Boss")
    admin = await factory.partner_admin(story.client, boss)
    await factory.grant(story.client, await story.someone(name="Carl Clerk"), {"contacts.view": "ALL"})
    answer = await story.decide(REVOKE, person=person_id(admin), reason="Thank you.")
    assert (answer["revoked"], answer["notRevoked"]) == (1, [])
    assert answer["partner"]["activePeople"] == 1
    assert set(await story.people()) == {"Carl Clerk"}
    caller = await Caller.signed_in(factory, boss)
    data = await caller.data(
        mutation("grantAccess"),
        input={
            "targets": product([await story.someone()], [story.client]),
            "access": permissions({"contacts.view": "ALL"}),
        },
    )
    (outcome,) = data["grantAccess"]["operation"]["outcomes"]["nodes"]
    assert outcome["code"] == "NOT_PARTNER_ADMIN"
    (entry,) = (await story.timeline(filter={"kinds": ["REMOVE"]}))["nodes"]
    assert (entry["personName"], entry["askedByName"], entry["reason"]) == ("Boss", story.owner.email, "Thank you.")
    assert (entry["before"]["status"], entry["after"]["status"], entry["granted"]) == ("ACTIVE", "REMOVED", [])
    assert "partner_admin" in {at["permission"]["key"] for at in entry["revoked"]}
    await assert_counters_are_true(factory.database)


async def test_p07_the_whole_agency_goes_the_deactivated_too_and_other_agencies_stay(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    await factory.partner_admin(story.client, await story.someone())
    await factory.super_admin(story.client, await story.someone())
    await factory.grant(story.client, await story.someone(), status=GrantStatus.DEACTIVATED)
    elsewhere = await factory.client(story.partner)
    boss = await story.someone()
    await factory.partner_admin(elsewhere, boss)
    south = await story.other_agency()
    await factory.partner_admin(south, await story.someone(south, "Sam South"))
    answer = await story.decide(REVOKE)
    assert (answer["revoked"], answer["notRevoked"]) == (3, [])
    assert (answer["partner"]["activePeople"], answer["partner"]["deactivatedPeople"]) == (0, 0)
    assert await story.people() == {}
    assert set(await story.people(south)) == {"Sam South"}
    caller = await Caller.signed_in(factory, boss)
    query = "query($id: ID!) { client(by: {id: $id}) { totalEmployees } }"
    assert (await caller.data(query, id=encode("Client", elsewhere.id)))["client"]["totalEmployees"] == 1
    operations = await caller.data("{ partner { operations { nodes { kind total counts { applied } } } } }")
    assert operations["partner"]["operations"]["nodes"][0] == {"kind": "REMOVE", "total": 3, "counts": {"applied": 3}}
    await assert_counters_are_true(factory.database)


async def test_r6_revoking_again_changes_nothing(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    admin = await factory.partner_admin(story.client, await story.someone())
    await story.decide(REVOKE, person=person_id(admin))
    before = await contents(factory.database)
    for values in ({"person": person_id(admin)}, {}):
        answer = await story.decide(REVOKE, **values)
        assert (answer["revoked"], answer["notRevoked"]) == (0, [])
    assert await contents(factory.database) == before


async def test_the_accounts_only_active_super_admin_stays_and_is_named(factory: Factory) -> None:
    """Though the client is the authority; a deactivated or expired own super admin counts for nothing (R11)."""
    story = await ClientStory.begin(factory)
    clerk = await factory.user()
    await factory.own_person(story.account, clerk, {"users.add": "ALL", "users.edit": "ALL"})
    await factory.move(story.place, GrantStatus.DEACTIVATED)
    first, second = await story.someone(name="First"), await story.someone(name="Second")
    held = [await factory.super_admin(story.client, person) for person in (first, second)]
    await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    caller = await Caller.signed_in(factory, clerk)
    answer = await story.decide(REVOKE, caller=caller)
    (told,) = answer["notRevoked"]
    assert (answer["revoked"], told["code"], told["person"]["name"]) == (2, "LAST_SUPER_ADMIN", "Second")
    assert "own people super admin first" in told["message"]
    answer = await story.decide(REVOKE, caller=caller, person=person_id(held[1]))
    assert (answer["revoked"], len(answer["notRevoked"])) == (0, 1)
    await factory.own_person(story.account, await factory.user())
    assert (await story.decide(REVOKE, caller=caller))["revoked"] == 1
    await assert_counters_are_true(factory.database)


async def test_two_revocations_at_once_take_each_person_once(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    for _ in range(3):
        await factory.partner_admin(story.client, await story.someone())
    answers = await asyncio.gather(*(story.decide(REVOKE) for _ in range(2)))
    assert sorted(answer["revoked"] for answer in answers) == [0, 3]
    assert len((await story.timeline(filter={"kinds": ["REMOVE"]}))["nodes"]) == 3
    await assert_counters_are_true(factory.database)


async def test_m4_two_clients_managers_at_once_never_take_the_last_super_admin(factory: Factory) -> None:
    """Two agencies hold the only two super admins, and each is revoked at the same moment."""
    story = await ClientStory.begin(factory)
    clerk = await factory.user()
    await factory.own_person(story.account, clerk, {"users.add": "ALL", "users.edit": "ALL"})
    await factory.move(story.place, GrantStatus.DEACTIVATED)
    south = await story.other_agency()
    await factory.super_admin(story.client, await story.someone())
    await factory.super_admin(south, await story.someone(south))
    caller = await Caller.signed_in(factory, clerk)
    answers = await asyncio.gather(
        story.decide(REVOKE, caller=caller), story.decide(REVOKE, caller=caller, partner=partner_id(south))
    )
    assert sorted((answer["revoked"], len(answer["notRevoked"])) for answer in answers) == [(0, 1), (1, 0)]


async def test_p02_r22_dry_run_and_retry(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    await factory.partner_admin(story.client, await story.someone())
    before = await contents(factory.database)
    assert (await story.decide(REVOKE, dryRun=True))["revoked"] == 1
    assert await contents(factory.database) == before
    query = REVOKE.replace("(input: $input)", '(input: $input) @idempotent(key: "k")')
    first = await story.decide(query)
    assert first["revoked"] == 1
    assert await story.decide(query) == first


async def test_t1_a_person_who_is_not_the_agencys_is_as_good_as_unknown(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    await factory.partner_admin(story.client, await story.someone())
    south = await story.other_agency()
    theirs = await factory.partner_admin(south, await story.someone(south))
    own = await factory.own_person(story.account, await factory.user())
    foreign = await ClientStory.begin(factory)
    far = await factory.partner_admin(foreign.client, await foreign.someone())
    keys = [*map(person_id, (theirs, own, far)), encode("AccountPerson", 10**9), encode("Grant", theirs.id), "x", ""]
    answers = [await story.refusal(REVOKE, person=key) for key in keys]
    assert answers == [answers[0]] * len(keys)
    assert (answers[0]["code"], answers[0]["field"]) == ("NOT_FOUND", ["input", "person"])
    for values, field in (
        ({"partner": partner_id(foreign.client)}, "partner"),
        ({"account": foreign.named()["account"]}, "account"),
    ):
        refused = await story.refusal(REVOKE, **values)
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["input", field])


@pytest.mark.parametrize("who", ["partner admin", "own person without the right", "partner admin with own access"])
async def test_l6_only_who_decides_for_the_account_revokes(factory: Factory, who: str) -> None:
    story = await ClientStory.begin(factory)
    boss = await story.someone()
    await factory.partner_admin(story.client, boss)
    person: Any = boss
    if who != "partner admin":
        person = await factory.user() if "without" in who else boss
        held = {"contacts.view": "ALL"} if "without" in who else {"users.add": "ALL", "users.edit": "ALL"}
        user = person if "without" in who else type(story.owner)(boss.user_id, boss.email)
        await factory.own_person(story.account, user, held)
    caller = await Caller.signed_in(factory, person)
    if who == "partner admin with own access":
        assert (await story.decide(REVOKE, caller=caller))["revoked"] == 1
        return
    code = "NOT_FOUND" if who == "partner admin" else "FORBIDDEN"
    assert (await story.refusal(REVOKE, caller=caller))["code"] == code


async def test_revoking_hundreds_is_as_many_statements_as_one(factory: Factory, recorder: StatementRecorder) -> None:
    counts = []
    for people in (1, 2, 200):
        story = await ClientStory.begin(factory)
        for member in await factory.members(story.partner, people):
            await factory.grant(story.client, member, {"contacts.view": "ALL"})
        with recorder:
            assert (await story.decide(REVOKE))["revoked"] == people
        counts.append(recorder.count)
    assert counts[1] == counts[2] <= 45
