"""Ceilings: what a client lets an agency's people hold, with and without enforcing it on what is there (P08, E24)."""

import asyncio
from typing import Any

import pytest

from models.grant import GrantStatus, Seat
from models.permission.catalogue import catalogue
from schema.node import encode
from tests.api.caller import Caller
from tests.api.client_story import SET_CEILING, ClientStory, ceiling, levels_of, partner_id, person_id
from tests.api.counters import assert_counters_are_true
from tests.api.write_story import contents, mutation, permissions, product
from tests.factory import MOMENT, Factory

ADMIN = {"partner_admin": "ALL", "users.add": "ALL", "users.edit": "ALL"}


def closed(levels: dict[str, str]) -> dict[str, str]:
    """The same with all that it requires."""
    return {key: level.value for key, level in catalogue.levels(catalogue.closure(catalogue.state(levels))).items()}


async def test_e24_lowering_leaves_what_is_there_and_holds_what_is_new(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    boss, clerk, new = await story.someone(), await story.someone(name="Carl Clerk"), await story.someone()
    await factory.partner_admin(story.client, boss)
    await factory.grant(story.client, clerk, {"contacts.view": "ALL", "reports.view": "ALL"})
    answer = await story.decide(SET_CEILING, permissions=ceiling(closed({**ADMIN, "contacts.view": "TEAM"})))
    assert (answer["lowered"], answer["notLowered"]) == (0, [])
    shown = {at["permission"]["key"]: at["level"] for at in answer["partner"]["ceiling"]}
    assert shown["contacts.view"] == "TEAM"
    assert levels_of((await story.people())["Carl Clerk"]) == closed({"contacts.view": "ALL", "reports.view": "ALL"})
    caller = await Caller.signed_in(factory, boss)
    wanted = {"contacts.view": "ALL", "reports.view": "ALL"}
    given = await caller.data(
        mutation("grantAccess"),
        input={"targets": product([new], [story.client]), "access": permissions(closed(wanted))},
    )
    (outcome,) = given["grantAccess"]["operation"]["outcomes"]["nodes"]
    held = {at["permission"]["key"]: at["level"] for at in outcome["grant"]["permissions"]}
    assert held == {"contacts.view": "TEAM"}
    assert {at["permission"]["key"] for at in outcome["withheld"]} >= {"contacts.view", "reports.view"}


async def test_e24_enforcing_lowers_everybody_to_the_largest_closed_part_with_the_client_as_actor(
    factory: Factory,
) -> None:
    story = await ClientStory.begin(factory)
    await factory.partner_admin(story.client, await story.someone(name="Ada Admin"))
    template = await factory.permission_set(story.partner, {"contacts.edit": "ALL"})
    await factory.grant(story.client, await story.someone(name="Carl Clerk"), permission_set=template, seat=Seat.CORE)
    await factory.grant(story.client, await story.someone(name="Inside"), {"contacts.view": "TEAM"})
    away = await story.someone(name="Dora Deactivated")
    await factory.grant(
        story.client,
        away,
        {"contacts.view": "ALL"},
        status=GrantStatus.DEACTIVATED,
        expires_at=MOMENT.replace(year=2030),
    )
    south = await story.other_agency()
    await factory.partner_admin(south, await story.someone(south, "Sam South"))
    south_before = await story.people(south)
    answer = await story.decide(
        SET_CEILING, permissions=ceiling({"contacts.view": "ALL"}), enforce=True, reason="Less is enough."
    )
    assert (answer["lowered"], answer["notLowered"]) == (2, [])
    answer = await story.decide(SET_CEILING, permissions=ceiling({"contacts.view": "TEAM"}), enforce=True)
    assert (answer["lowered"], answer["notLowered"]) == (3, [])
    people = await story.people()
    assert [levels_of(person) for person in people.values()] == [{"contacts.view": "TEAM"}] * 4
    assert {name: (person["accessType"], person["seat"], person["status"]) for name, person in people.items()} == {
        "Ada Admin": ("STANDARD", "PARTNER", "ACTIVE"),
        "Carl Clerk": ("STANDARD", "CORE", "ACTIVE"),
        "Inside": ("STANDARD", "PARTNER", "ACTIVE"),
        "Dora Deactivated": ("STANDARD", "PARTNER", "DEACTIVATED"),
    }
    assert people["Dora Deactivated"]["expiresAt"] == "2030-11-01T09:00:00Z"
    assert await story.people(south) == south_before
    boss = await Caller.signed_in(factory, await story.someone())
    query = """query($id: ID!) { client(by: {id: $id}) { grants { nodes { customised permissionSetVersion } }
      timeline(filter: {kinds: [CHANGE]}) { nodes { personName askedFor reason operation { total counts { applied noop } } } } } }"""
    client = (await boss.data(query, id=encode("Client", story.client.id)))["client"]
    assert {"customised": True, "permissionSetVersion": 1} in client["grants"]["nodes"]
    entries = client["timeline"]["nodes"]
    assert len(entries) == 5
    assert {entry["askedFor"] for entry in entries} == {"CLIENT"}
    assert [entry["reason"] for entry in entries] == [None] * 3 + ["Less is enough."] * 2
    assert entries[-1]["operation"] == {"total": 4, "counts": {"applied": 2, "noop": 2}}
    await assert_counters_are_true(factory.database)


async def test_what_nothing_is_left_of_stays_as_access_that_gives_nothing(factory: Factory) -> None:
    """An ACTIVE person with an empty state: the client revokes whom it does not want at all."""
    story = await ClientStory.begin(factory)
    await factory.grant(story.client, await story.someone(name="Carl Clerk"), {"contacts.edit": "ALL"})
    answer = await story.decide(SET_CEILING, permissions=[], enforce=True)
    assert (answer["lowered"], answer["partner"]["ceiling"]) == (1, [])
    carl = (await story.people())["Carl Clerk"]
    assert (carl["status"], carl["permissions"], carl["levelByArea"]) == ("ACTIVE", [], [])


async def test_e24_an_active_super_admin_is_named_and_not_lowered_and_a_deactivated_one_is(factory: Factory) -> None:
    """R11: what a super admin alone has does not come back with a deactivated one."""
    story = await ClientStory.begin(factory)
    active = await factory.super_admin(story.client, await story.someone(name="Sue Super"))
    off = await story.someone(name="Otto Off")
    await factory.super_admin(story.client, off, status=GrantStatus.DEACTIVATED)
    answer = await story.decide(SET_CEILING, permissions=ceiling(closed(ADMIN)), enforce=True)
    (told,) = answer["notLowered"]
    assert (answer["lowered"], told["person"], told["code"]) == (
        1,
        {"id": person_id(active), "name": "Sue Super"},
        "TARGET_IS_SUPER_ADMIN",
    )
    assert "own super admins end their access" in told["message"]
    people = await story.people()
    assert people["Sue Super"]["accessType"] == "SUPER_ADMIN"
    otto = people["Otto Off"]
    assert (otto["accessType"], otto["status"], otto["seat"]) == ("STANDARD", "DEACTIVATED", "CORE")
    assert set(levels_of(otto)) <= set(closed(ADMIN)) - {"partner_admin"}
    await assert_counters_are_true(factory.database)


async def test_a_ceiling_is_enforced_later_changed_and_taken_away(factory: Factory) -> None:
    story = await ClientStory.begin(factory, ceiling={"contacts.view": "TEAM"})
    await factory.grant(story.client, await story.someone(name="Carl Clerk"), {"contacts.view": "ALL"})
    answer = await story.decide(SET_CEILING, enforce=True)
    assert answer["lowered"] == 1
    again = await story.decide(SET_CEILING, enforce=True)
    assert again["lowered"] == 0
    assert len((await story.timeline(filter={"kinds": ["CHANGE"]}))["nodes"]) == 1
    assert (await story.decide(SET_CEILING, permissions=None))["partner"]["ceiling"] is None
    assert levels_of((await story.people())["Carl Clerk"]) == {"contacts.view": "TEAM"}


async def test_p02_a_dry_run_says_the_same_and_writes_nothing(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    await factory.super_admin(story.client, await story.someone(name="Sue Super"))
    await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    values = {"permissions": ceiling({"contacts.view": "TEAM"}), "enforce": True}
    before = await contents(factory.database)
    dry = await story.decide(SET_CEILING, **values, dryRun=True)
    assert await contents(factory.database) == before
    real = await story.decide(SET_CEILING, **values)
    assert (dry["lowered"], dry["notLowered"]) == (real["lowered"], real["notLowered"])
    assert (real["lowered"], len(real["notLowered"])) == (1, 1)


async def test_p02_a_dry_run_tells_the_ceiling_and_the_people_that_it_would_lower(factory: Factory) -> None:
    """`partner` and the people show what is there; the rest is what the call would make of it."""
    story = await ClientStory.begin(factory, ceiling={"reports.view": "ALL"})
    clerk = await factory.grant(story.client, await story.someone(name="Carl Clerk"), {"contacts.view": "ALL"})
    await factory.grant(story.client, await story.someone(name="Inside"), {"contacts.view": "TEAM"})
    values = {"permissions": ceiling({"contacts.view": "TEAM"}), "enforce": True}
    team = [{"permission": {"key": "contacts.view"}, "level": "TEAM"}]
    dry = await story.decide(SET_CEILING, **values, dryRun=True)
    assert (dry["lowered"], dry["ceiling"]) == (1, team)
    assert dry["partner"]["ceiling"] == [{"permission": {"key": "reports.view"}, "level": "ALL"}]
    (person,) = dry["loweredPeople"]
    assert (person["id"], person["name"], levels_of(person)) == (
        person_id(clerk),
        "Carl Clerk",
        {"contacts.view": "ALL"},
    )
    real = await story.decide(SET_CEILING, **values)
    assert (real["lowered"], real["ceiling"], real["partner"]["ceiling"]) == (1, team, team)
    (person,) = real["loweredPeople"]
    assert (person["id"], levels_of(person)) == (person_id(clerk), {"contacts.view": "TEAM"})
    again = await story.decide(SET_CEILING, enforce=True, dryRun=True)
    assert (again["lowered"], again["loweredPeople"], again["ceiling"]) == (0, [], team)
    gone = await story.decide(SET_CEILING, permissions=None, dryRun=True)
    assert (gone["ceiling"], gone["partner"]["ceiling"]) == (None, team)
    refused = await story.refusal(SET_CEILING, dryRun=True)
    assert refused["code"] == "INVALID_INPUT"


async def test_n04_a_ceiling_tells_when_it_leaves_people_without_an_active_partner_admin(factory: Factory) -> None:
    """The client is not asked to accept it: it is the one who can let a partner admin in again."""
    story = await ClientStory.begin(factory)
    await factory.partner_admin(story.client, await story.someone(name="Ada Admin"))
    values = {"permissions": ceiling({"contacts.view": "ALL"})}
    assert (await story.decide(SET_CEILING, **values))["leavesWithoutPartnerAdmin"] is False
    for dry in (True, False):
        answer = await story.decide(SET_CEILING, **values, enforce=True, dryRun=dry)
        assert (answer["lowered"], answer["leavesWithoutPartnerAdmin"]) == (1, True)
    south = await story.other_agency()
    await factory.partner_admin(south, await story.someone(south))
    assert (await story.decide(SET_CEILING, **values))["leavesWithoutPartnerAdmin"] is True


async def test_r22_a_retry_gets_the_first_answer(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    await factory.super_admin(story.client, await story.someone())
    await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    query = SET_CEILING.replace("(input: $input)", '(input: $input) @idempotent(key: "k")')
    values = {"permissions": ceiling({"contacts.view": "TEAM"}), "enforce": True}
    first = await story.decide(query, **values)
    before = await contents(factory.database)
    assert await story.decide(query, **values) == first
    assert first["lowered"] == 1
    assert await contents(factory.database) == before
    changed = story.named(permissions=None)
    assert await story.caller.code(query, input=changed) == "IDEMPOTENCY_KEY_MISMATCH"


@pytest.mark.parametrize(
    ("values", "code", "place"),
    [
        ({}, "INVALID_INPUT", ["input"]),
        ({"permissions": None, "enforce": True}, "INVALID_INPUT", ["input", "enforce"]),
        ({"enforce": True}, "INVALID_INPUT", ["input", "enforce"]),
        (
            {"permissions": ceiling({"no.such": "ALL"})},
            "UNKNOWN_PERMISSION",
            ["input", "permissions", "0", "permission"],
        ),
        ({"permissions": ceiling({"partner_admin": "TEAM"})}, "INVALID_LEVEL", ["input", "permissions", "0", "level"]),
        ({"permissions": ceiling({"contacts.edit": "ALL"})}, "INVALID_PREREQUISITE", ["input", "permissions", "0"]),
        (
            {"permissions": ceiling({"super_admins": "ALL"})},
            "NON_DELEGABLE",
            ["input", "permissions", "0", "permission"],
        ),
        ({"permissions": ceiling({"contacts.view": "ALL"}) * 501}, "INVALID_INPUT", ["input", "permissions"]),
        ({"permissions": [], "reason": "x" * 1001}, "INVALID_INPUT", ["input", "reason"]),
        ({"permissions": [], "reason": "a\0b"}, "INVALID_INPUT", ["input", "reason"]),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_a_ceiling_is_refused_where_it_lies(
    factory: Factory, values: dict[str, Any], code: str, place: list[str]
) -> None:
    story = await ClientStory.begin(factory)
    await factory.grant(story.client, await story.someone())
    refused = await story.refusal(SET_CEILING, **values)
    assert (refused["code"], refused["field"]) == (code, place)


async def test_t1_foreign_and_unknown_accounts_and_partners_are_alike_and_rights_are_judged(factory: Factory) -> None:
    story = await ClientStory.begin(factory, ceiling={})
    other = await ClientStory.begin(factory, ceiling={})
    unseen = await story.other_agency()
    free = {"permissions": None}
    accounts = [other.named()["account"], encode("Account", 10**9), encode("Client", story.client.id), "x"]
    answers = [await story.refusal(SET_CEILING, **{**free, "account": key}) for key in accounts]
    assert answers == [answers[0]] * 4
    assert (answers[0]["code"], answers[0]["field"]) == ("NOT_FOUND", ["input", "account"])
    partners = [partner_id(other.client), partner_id(unseen), encode("AccountPartner", 10**9), "x"]
    answers = [await story.refusal(SET_CEILING, **{**free, "partner": key}) for key in partners]
    assert answers == [answers[0]] * 4
    assert (answers[0]["code"], answers[0]["field"]) == ("NOT_FOUND", ["input", "partner"])
    boss = await story.someone()
    await factory.partner_admin(story.client, boss)
    refused = await story.refusal(SET_CEILING, caller=await Caller.signed_in(factory, boss), **free)
    assert refused["code"] == "NOT_FOUND"
    clerk = await factory.user()
    await factory.own_person(story.account, clerk, {"contacts.view": "ALL"})
    refused = await story.refusal(SET_CEILING, caller=await Caller.signed_in(factory, clerk), **free)
    assert (refused["__typename"], refused["code"]) == ("AuthorityError", "FORBIDDEN")
    assert "ask one of them" in refused["message"]
    reader = await Caller.signed_in(factory, story.owner, "read")
    assert await reader.code(SET_CEILING, input=story.named(**free)) == "FORBIDDEN"


@pytest.mark.parametrize("turn", range(3))
async def test_nothing_given_at_the_same_time_slips_past_an_enforced_ceiling(factory: Factory, turn: int) -> None:
    story = await ClientStory.begin(factory)
    boss = await story.someone(name="Boss")
    await factory.partner_admin(story.client, boss)
    caller = await Caller.signed_in(factory, boss)
    people = [await story.someone(name=f"New {number}") for number in range(4)]
    wanted = permissions({"contacts.view": "ALL"})
    limit = closed({**ADMIN, "contacts.view": "TEAM"})
    both = [
        caller.data(mutation("grantAccess"), input={"targets": product([person], [story.client]), "access": wanted})
        for person in people
    ]
    both.insert(turn, story.decide(SET_CEILING, permissions=ceiling(limit), enforce=True))
    await asyncio.gather(*both)
    found = await story.people()
    assert len(found) == 5
    assert {levels_of(person)["contacts.view"] for name, person in found.items() if name != "Boss"} == {"TEAM"}
    await assert_counters_are_true(factory.database)
