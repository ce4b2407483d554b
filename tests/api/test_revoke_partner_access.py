"""The client takes an agency's access away: one person's, or everybody's; only its last super admin stays (P07, R6)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from models.grant import GrantStatus, grants
from models.member import MemberStatus
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import REVOKE, ClientStory, partner_id, person_id
from tests.api.counters import assert_counters_are_true
from tests.api.held_rows import end_now, holding, until_waiting
from tests.api.write_story import contents, mutation, permissions, product
from tests.factory import MOMENT, Factory
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


async def test_f05_whoever_is_no_super_admin_leaves_super_admins_as_they_are(factory: Factory) -> None:
    """So a client's last super admin never goes by this way (F42): whoever takes one away is one and stays."""
    story = await ClientStory.begin(factory)
    clerk = await factory.user()
    await factory.own_person(story.account, clerk, {"users.add": "ALL", "users.edit": "ALL"})
    for name in ("First", "Second"):
        await factory.super_admin(story.client, await story.someone(name=name))
    gone = await factory.super_admin(story.client, await story.someone(name="Off"), status=GrantStatus.DEACTIVATED)
    await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    answer = await story.decide(REVOKE, caller=await Caller.signed_in(factory, clerk))
    told = {kept["person"]["name"]: kept["code"] for kept in answer["notRevoked"]}
    assert (answer["revoked"], told) == (2, dict.fromkeys(("First", "Second"), "TARGET_IS_SUPER_ADMIN"))
    assert "own super admins" in answer["notRevoked"][0]["message"]
    answer = await story.decide(REVOKE, person=person_id(gone))
    assert (answer["revoked"], answer["notRevoked"]) == (0, [])
    assert (await story.decide(REVOKE))["revoked"] == 2
    await assert_counters_are_true(factory.database)


async def test_two_revocations_at_once_take_each_person_once(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    for _ in range(3):
        await factory.partner_admin(story.client, await story.someone())
    answers = await asyncio.gather(*(story.decide(REVOKE) for _ in range(2)))
    assert sorted(answer["revoked"] for answer in answers) == [0, 3]
    assert len((await story.timeline(filter={"kinds": ["REMOVE"]}))["nodes"]) == 3
    await assert_counters_are_true(factory.database)


async def test_m4_two_super_admins_at_once_leave_themselves(factory: Factory) -> None:
    """Two agencies hold super admins, and each is revoked at the same moment by another of the account's own."""
    story = await ClientStory.begin(factory)
    second = await factory.user()
    await factory.own_person(story.account, second)
    south = await story.other_agency()
    await factory.super_admin(story.client, await story.someone())
    await factory.super_admin(south, await story.someone(south))
    caller = await Caller.signed_in(factory, second)
    answers = await asyncio.gather(story.decide(REVOKE), story.decide(REVOKE, caller=caller, partner=partner_id(south)))
    assert [(answer["revoked"], len(answer["notRevoked"])) for answer in answers] == [(1, 0), (1, 0)]


@pytest.mark.parametrize("waits_for", ["client", "person"])
async def test_p07_whose_right_ends_while_a_decision_waits_its_turn_decides_nothing(
    factory: Factory, waits_for: str
) -> None:
    story = await ClientStory.begin(factory)
    person = await story.someone()
    await factory.partner_admin(story.client, person)
    async with holding(factory.database, person if waits_for == "person" else story.client) as connection:
        answer = asyncio.create_task(story.answer(REVOKE))
        await until_waiting(factory.database)
        await end_now(connection, grants, grants.c.id == story.place.id)
    (error,) = (await answer)["userErrors"]
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "account"])
    async with factory.database.read() as rows:
        statement = select(grants.c.status).where(grants.c.member_id == person.id)
        assert (await rows.execute(statement)).scalars().all() == [GrantStatus.ACTIVE]


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


@pytest.mark.parametrize(
    "other", ["nobody", "partner admin", "deactivated in the client", "deactivated in the agency", "expired"]
)
async def test_n04_a_revocation_tells_when_it_leaves_people_without_an_active_partner_admin(
    factory: Factory, other: str
) -> None:
    """Also before it happens (P02); whoever cannot open the manager, or has no access any more, is no partner admin."""
    story = await ClientStory.begin(factory)
    admin = await factory.partner_admin(story.client, await story.someone())
    await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    if other != "nobody":
        status = MemberStatus.DEACTIVATED if other == "deactivated in the agency" else MemberStatus.ACTIVE
        there = GrantStatus.DEACTIVATED if other == "deactivated in the client" else GrantStatus.ACTIVE
        until = MOMENT.replace(year=2020) if other == "expired" else None
        person = await story.someone(status=status)
        await factory.partner_admin(story.client, person, status=there, expires_at=until)
    for dry in (True, False):
        answer = await story.decide(REVOKE, person=person_id(admin), dryRun=dry)
        assert (answer["revoked"], answer["leavesWithoutPartnerAdmin"]) == (1, other != "partner admin")
    everybody = await story.decide(REVOKE)
    assert everybody["leavesWithoutPartnerAdmin"] is False


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
