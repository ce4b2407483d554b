"""How a migration is asked for: billing by target, dry runs, filters, retries, versions and bad input (F43, F44, P02, P03, T1)."""

from typing import Any

import pytest

from models.grant import AccessType, Seat
from schema.node import encode
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import DEACTIVATE, MIGRATE, REACTIVATE, REMOVE, one, several
from tests.api.write_story import (
    APPLIED,
    NO_CHANGE,
    Story,
    Told,
    contents,
    ids,
    living_grants,
    mutation,
    node_id,
    pairs,
    product,
)
from tests.factory import ClientRow, Factory, MemberRow

LAST = ("REJECTED", "LAST_SUPER_ADMIN")
NOT_SUPER_ADMIN = ("REJECTED", "NOT_SUPER_ADMIN")


async def _begin(factory: Factory, **client: Any) -> Story:
    """The actor is partner admin in the client, and one of its own people is super admin."""
    story = await Story.begin(factory, **client)
    await factory.own_person(story.client, await factory.user())
    return story


async def _super_admins(story: Story, count: int, client: ClientRow | None = None) -> list[MemberRow]:
    people = await story.factory.members(story.partner, count)
    for person in people:
        await story.factory.super_admin(client or story.client, person)
    return people


async def test_f43_billing_is_decided_by_person_and_client_then_by_person_then_by_request(factory: Factory) -> None:
    story = await _begin(factory)
    places = [story.client, await factory.client(story.partner)]
    await story.admin(places[1])
    await factory.own_person(places[1], await factory.user())
    people = await factory.members(story.partner, 4)
    for place in places:
        for person in people:
            await factory.super_admin(place, person)
    by_request, by_person, by_client, by_both = people
    choices = [
        {"member": node_id(by_person), "keep": False},
        {"member": node_id(by_client), "client": node_id(places[0]), "keep": False},
        {"member": node_id(by_both), "client": node_id(places[0]), "keep": True},
        {"member": node_id(by_both), "client": None, "keep": False},
    ]
    asked: dict[str, Any] = {
        "targets": product(people, places),
        "keepBilling": True,
        "keepBillingFor": choices,
    }
    foreseen = await story.outcomes(MIGRATE, **asked, options={"dryRun": True})
    told = await story.outcomes(MIGRATE, **asked)
    kept = {outcome.cell: "billing" in outcome.held for outcome in told}
    assert kept == {
        (node_id(person), node_id(place)): keep
        for person, there in (
            (by_request, (True, True)),
            (by_person, (False, False)),
            (by_client, (False, True)),
            (by_both, (True, False)),
        )
        for place, keep in zip(places, there, strict=True)
    }
    assert [("billing" not in outcome.revoked) for outcome in foreseen] == list(kept.values())


async def test_f43_a_choice_about_nobody_is_refused(factory: Factory) -> None:
    """T1: unknown, foreign, not among the targets: it was meant for somebody."""
    story = await _begin(factory)
    boss, other = await _super_admins(story, 2)
    elsewhere = await factory.client(story.partner)
    foreign = await factory.member(await factory.partner())
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"member": node_id(foreign)}, "member"),
        ({"member": encode("Member", 10**9)}, "member"),
        ({"member": "garbage"}, "member"),
        ({"member": node_id(story.client)}, "member"),
        ({"member": node_id(other)}, "member"),
        ({"member": node_id(boss), "client": node_id(elsewhere)}, "client"),
        ({"member": node_id(boss), "client": "garbage"}, "client"),
    ]
    for choice, field in wrong:
        choices = [{"member": node_id(boss), "keep": True}, {**choice, "keep": True}]
        (refusal,) = await story.refusals(
            MIGRATE, targets=product([boss], [story.client]), keepBilling=False, keepBillingFor=choices
        )
        assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", ["input", "keepBillingFor", "1", field])
    many = [{"member": node_id(boss), "keep": True}] * 1_001
    (refusal,) = await story.refusals(MIGRATE, targets=product([boss], [story.client]), keepBillingFor=many)
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "keepBillingFor"])


async def test_f43_a_choice_about_a_cell_that_is_not_asked_for_is_refused(factory: Factory) -> None:
    """Both the person and the client are among the pairs, but not as one."""
    story = await _begin(factory)
    second = await factory.client(story.partner)
    boss, other = await _super_admins(story, 2)
    choice = {"member": node_id(boss), "client": node_id(second), "keep": True}
    cells = pairs((boss, story.client), (other, second))
    (refusal,) = await story.refusals(MIGRATE, targets=cells, keepBillingFor=[choice])
    assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", ["input", "keepBillingFor", "0", "client"])


async def test_f43_two_choices_for_the_same_are_refused(factory: Factory) -> None:
    """Nobody loses billing, or keeps it, by the order of a list."""
    story = await _begin(factory)
    (boss,) = await _super_admins(story, 1)
    for place in ({}, {"client": node_id(story.client)}):
        choices = [{"member": node_id(boss), "keep": keep, **place} for keep in (True, False)]
        (refusal,) = await story.refusals(MIGRATE, targets=product([boss], [story.client]), keepBillingFor=choices)
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "keepBillingFor", "1"])
        same = [choices[0], choices[0]]
        assert (await one(story, MIGRATE, boss, dryRun=True, keepBillingFor=same)).verdict == APPLIED


async def test_a_dry_run_foretells_everything_and_writes_nothing(factory: Factory) -> None:
    """P02, N01, also where the last super admin is held back."""
    story = await Story.begin(factory)
    people = [*await _super_admins(story, 2), story.actor, await factory.member(story.partner)]
    before = await contents(factory.database)
    foreseen = await several(story, MIGRATE, people, [story.client], dryRun=True)
    assert await contents(factory.database) == before
    done = await several(story, MIGRATE, people, [story.client])
    differences = ("status", "code", "message", "granted", "revoked", "withheld", "retained", "dropped")
    assert [_only(told, differences) for told in foreseen] == [_only(told, differences) for told in done]
    assert [told.verdict for told in done] == [APPLIED, LAST, NO_CHANGE, NOT_SUPER_ADMIN]


def _only(told: Told, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: told.node[field] for field in fields}


async def test_f44_many_are_migrated_by_a_filter(factory: Factory) -> None:
    """`matching`: all clients where the actor is partner admin, all people; who is no super admin is told so."""
    story = await _begin(factory)
    places = [story.client, *await factory.clients(story.partner, 9)]
    for place in places[1:]:
        await story.admin(place)
        await factory.own_person(place, await factory.user())
    boss = await factory.member(story.partner, "Bo Sattler")
    for place in places:
        await factory.super_admin(place, boss)
    elsewhere = await factory.client(story.partner)
    await factory.super_admin(elsewhere, boss)
    matching = {
        "memberSearch": "sattler",
        "clients": {"accessTypes": ["PARTNER_ADMIN"]},
        "exceptClients": ids(places[9]),
    }
    told = await story.outcomes(MIGRATE, targets={"matching": matching})
    assert sorted(outcome.cell[1] for outcome in told) == sorted(ids(*places[:9]))
    assert {outcome.verdict for outcome in told} == {APPLIED}
    rows = [
        row
        for row in await living_grants(factory.database)
        if row.member_id == boss.id and row.access_type == "SUPER_ADMIN"
    ]
    assert {row.client_id for row in rows} == {elsewhere.id, places[9].id}
    await assert_counters_are_true(factory.database)


async def test_targets_can_be_grants(factory: Factory) -> None:
    story = await _begin(factory)
    boss = await factory.member(story.partner)
    grant = await factory.super_admin(story.client, boss)
    (told,) = await story.outcomes(MIGRATE, targets={"grants": ids(grant)})
    assert (told.verdict, told.cell) == (APPLIED, (node_id(boss), node_id(story.client)))


async def test_a_retry_under_an_idempotency_key_is_the_first_answer(factory: Factory) -> None:
    story = await _begin(factory)
    (boss,) = await _super_admins(story, 1)
    asked = {"targets": product([boss], [story.client]), "keepBilling": True}
    answers = [(await story.run(mutation(MIGRATE), header="once", input=asked))[0][MIGRATE] for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["operation"]["outcomes"]["nodes"][0]["status"] == "APPLIED"
    other, codes = await story.run(mutation(MIGRATE), header="once", input={**asked, "keepBilling": False})
    assert (other, codes) == (None, ["IDEMPOTENCY_KEY_MISMATCH"])


async def test_an_outdated_version_is_a_conflict(factory: Factory) -> None:
    """P03."""
    story = await _begin(factory)
    boss = await factory.member(story.partner)
    grant = await factory.super_admin(story.client, boss)
    for version, verdict in ((2, ("REJECTED", "CONFLICT")), (1, APPLIED)):
        seen = [{"grant": node_id(grant), "version": version}]
        told = await one(story, MIGRATE, boss, expectedVersions=seen)
        assert told.verdict == verdict
    assert told.grant["version"] == 2


@pytest.mark.parametrize("verb", [MIGRATE, DEACTIVATE, REACTIVATE, REMOVE])
async def test_t1_unknown_foreign_and_garbage_targets_look_alike(factory: Factory, verb: str) -> None:
    story = await _begin(factory)
    person = await factory.member(story.partner)
    rival = await factory.partner()
    place, stranger = await factory.client(rival), await factory.member(rival)
    grant = await factory.super_admin(place, stranger)
    more = {"reviewToken": "x"} if verb == REMOVE else {}
    for key in (node_id(stranger), encode("Member", 10**9), "garbage", node_id(story.client), ""):
        (refusal,) = await story.refusals(
            verb, targets={"product": {"members": [key], "clients": ids(story.client)}}, **more
        )
        assert refusal == _not_found("member", "product", "members", "0")
    for key in (node_id(place), encode("Client", 10**9), "garbage", node_id(person), ""):
        (refusal,) = await story.refusals(verb, targets={"product": {"members": ids(person), "clients": [key]}}, **more)
        assert refusal == _not_found("client", "product", "clients", "0")
    for key in (node_id(grant), encode("Grant", 10**9), "garbage"):
        (refusal,) = await story.refusals(verb, targets={"grants": [key]}, **more)
        assert refusal == _not_found("grant", "grants", "0")


def _not_found(noun: str, *place: str) -> dict[str, Any]:
    return {
        "__typename": "NotFoundError",
        "code": "NOT_FOUND",
        "message": f"There is no such {noun}.",
        "field": ["input", "targets", *place],
    }


async def test_the_timeline_says_that_a_super_admin_became_partner_admin(factory: Factory) -> None:
    """F55: one entry for what was applied, none for what was not."""
    story = await Story.begin(factory)
    people = await _super_admins(story, 2)
    before = await story.timeline_length()
    await several(story, MIGRATE, people, [story.client])
    assert await story.timeline_length() == before + 1
    entry = (await contents(factory.database))["timeline_entry"]
    assert any({AccessType.SUPER_ADMIN, AccessType.PARTNER_ADMIN, Seat.PARTNER} <= set(row) for row in entry)
