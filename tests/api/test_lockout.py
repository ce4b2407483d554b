"""The lockout guard: whoever leaves a client with people but without an active partner admin must say so (N04, R7, F40, F41)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from models.grant import GrantStatus
from models.member import ManagerRights, MemberStatus
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import (
    DEACTIVATE,
    MIGRATE,
    REACTIVATE,
    REMOVE,
    one,
    review_of_client,
    several,
)
from tests.api.write_story import APPLIED, NO_CHANGE, Story, Told, ids, permissions, product
from tests.factory import ClientRow, Factory, MemberRow

PAST = datetime(2026, 1, 1, tzinfo=UTC)
SOON = "2099-01-01T00:00:00Z"
CHANGE, SHORTEN = "changeAccess", "changeAccess with an earlier expiry"
LOCKED = ("REJECTED", "WOULD_LOCK_OUT")
CONTACTS = {"contacts.view": "ALL"}
LOSING = [CHANGE, SHORTEN, DEACTIVATE, REMOVE]
"""The ways to lose a partner admin."""


async def _lose(
    story: Story, verb: str, people: Sequence[MemberRow], *clients: ClientRow, **options: Any
) -> list[Told]:
    """People who are partner admins are not any more, or only for a time."""
    places = clients or (story.client,)
    if verb in {DEACTIVATE, REMOVE}:
        return await several(story, verb, people, places, **options)
    how = {"access": permissions(CONTACTS)} if verb == CHANGE else {"expiresAt": SOON}
    return await story.outcomes(CHANGE, targets=product(people, places), options=options, **how)


async def _begin(factory: Factory) -> tuple[Story, MemberRow]:
    """The actor is partner admin in the client; a colleague with EDIT and nothing else asks, and one works there."""
    story = await Story.begin(factory)
    worker = await factory.member(story.partner)
    await factory.grant(story.client, worker, {"tasks.view": "ALL"})
    return story, worker


@pytest.mark.parametrize("verb", LOSING)
async def test_n04_the_last_partner_admin_stays_unless_it_is_accepted(factory: Factory, verb: str) -> None:
    """R7, E14; a dry run says the same, and so does a second attempt."""
    story, _ = await _begin(factory)
    mine = {"includeSelf": True}
    for dry_run in (True, False, True):
        (told,) = await _lose(story, verb, [story.actor], **mine, dryRun=dry_run)
        assert told.verdict == LOCKED
        assert "Make somebody else partner admin first, or say acceptLockout: true" in told.node["message"]
        assert told.grant["accessType"] == "PARTNER_ADMIN"
        assert told.granted == told.revoked == {}
    (told,) = await _lose(story, verb, [story.actor], **mine, acceptLockout=True)
    assert told.verdict == APPLIED
    await assert_counters_are_true(factory.database)


@pytest.mark.parametrize("verb", LOSING)
@pytest.mark.parametrize(
    ("values", "is_somebody"),
    [
        ({}, True),
        ({"status": GrantStatus.DEACTIVATED}, True),
        ({"expires_at": PAST}, True),
        ({"status": GrantStatus.REMOVED}, False),
    ],
    ids=["active", "deactivated", "expired", "removed"],
)
async def test_n04_everybody_whose_access_is_not_removed_counts_as_people(
    factory: Factory, verb: str, values: dict[str, Any], *, is_somebody: bool
) -> None:
    """F41: the deactivated are people as well, for nobody could reactivate them."""
    story = await Story.begin(factory)
    await factory.grant(story.client, await factory.member(story.partner), CONTACTS, **values)
    (told,) = await _lose(story, verb, [story.actor], includeSelf=True)
    # Whoever is not removed remains there themselves.
    assert told.verdict == (LOCKED if is_somebody or verb != REMOVE else APPLIED)


async def test_n04_deactivating_oneself_alone_leaves_oneself(factory: Factory) -> None:
    """People but no ACTIVE partner admin, if only one: nobody could reactivate them."""
    story = await Story.begin(factory)
    assert (await one(story, DEACTIVATE, story.actor, includeSelf=True)).verdict == LOCKED
    assert (await one(story, REMOVE, story.actor, includeSelf=True)).verdict == APPLIED


@pytest.mark.parametrize("verb", LOSING)
@pytest.mark.parametrize(
    "who", ["active", "deactivated", "expired", "membership deactivated", "left", "super admin", "rival"]
)
async def test_n04_only_an_active_partner_admin_who_works_for_the_partner_counts(
    factory: Factory, verb: str, who: str
) -> None:
    story, _ = await _begin(factory)
    statuses = {"membership deactivated": MemberStatus.DEACTIVATED, "left": MemberStatus.LEFT}
    other = await factory.member(story.partner, status=statuses.get(who, MemberStatus.ACTIVE))
    if who == "super admin":
        await factory.super_admin(story.client, other)
    elif who == "rival":
        rival = await factory.partner()
        place = await factory.client(rival, account=story.client.account)
        await factory.partner_admin(place, await factory.member(rival))
    else:
        values: dict[str, dict[str, Any]] = {
            "deactivated": {"status": GrantStatus.DEACTIVATED},
            "expired": {"expires_at": PAST},
        }
        await factory.partner_admin(story.client, other, **values.get(who, {}))
    (told,) = await _lose(story, verb, [story.actor], includeSelf=True)
    assert told.verdict == (APPLIED if who == "active" else LOCKED)


@pytest.mark.parametrize("verb", [CHANGE, DEACTIVATE, REMOVE])
async def test_n04_of_two_partner_admins_one_may_go_but_not_both(factory: Factory, verb: str) -> None:
    """In one request neither goes: which of them should stay is not for the service to say."""
    story, _ = await _begin(factory)
    second = await factory.member(story.partner)
    await factory.partner_admin(story.client, second)
    told = await _lose(story, verb, [story.actor, second], includeSelf=True)
    assert [outcome.verdict for outcome in told] == [LOCKED] * 2
    (first,) = await _lose(story, verb, [second])
    assert first.verdict == APPLIED
    (last,) = await _lose(story, verb, [story.actor], includeSelf=True)
    assert last.verdict == LOCKED


@pytest.mark.parametrize("verb", LOSING)
async def test_n04_only_the_client_that_would_be_locked_out_is_refused(factory: Factory, verb: str) -> None:
    """The cells of the other clients, and of other people there, are carried out."""
    story, worker = await _begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    await factory.partner_admin(other, await factory.member(story.partner))
    told = await _lose(story, verb, [story.actor], story.client, other, includeSelf=True)
    assert [outcome.verdict for outcome in told] == [LOCKED, APPLIED]
    boss = await story.as_member(await factory.member(story.partner))
    people = [worker, story.actor]
    told = await _lose(boss, DEACTIVATE, people)
    assert [outcome.verdict for outcome in told] == [APPLIED, LOCKED]


async def test_n04_removing_everybody_needs_no_acceptance(factory: Factory) -> None:
    """Nobody is left who could be locked out; one who stays behind is enough to be."""
    story, worker = await _begin(factory)
    idle = await factory.member(story.partner)
    await factory.grant(story.client, idle, CONTACTS, status=GrantStatus.DEACTIVATED)
    boss = await story.as_member(await factory.member(story.partner))
    told = await several(boss, REMOVE, [story.actor, worker], [story.client])
    assert [outcome.verdict for outcome in told] == [LOCKED, APPLIED]
    told = await several(boss, REMOVE, [story.actor, worker, idle], [story.client])
    assert [outcome.verdict for outcome in told] == [APPLIED, NO_CHANGE, APPLIED]
    await assert_counters_are_true(factory.database)


async def test_n04_whoever_cannot_be_removed_after_all_keeps_the_partner_admin(factory: Factory) -> None:
    """The last super admin and whoever was not reviewed stay, and so are people."""
    for how in ("last super admin", "not reviewed"):
        story = await Story.begin(factory)
        person = await factory.member(story.partner)
        boss = await story.as_member(await factory.member(story.partner))
        if how == "last super admin":
            await factory.super_admin(story.client, person)
            token = (await review_of_client(boss, story.client))["token"]
            code = "LAST_SUPER_ADMIN"
        else:
            token = (await review_of_client(boss, story.client))["token"]
            await factory.grant(story.client, person, CONTACTS)
            code = "STALE_REVIEW"
        told = await several(boss, REMOVE, [story.actor, person], [story.client], token=token)
        assert [outcome.verdict for outcome in told] == [LOCKED, ("REJECTED", code)]


async def test_n04_a_migration_makes_a_partner_admin_and_so_unlocks(factory: Factory) -> None:
    """It needs no acceptance where there was no partner admin, and afterwards the former one may go."""
    story, _ = await _begin(factory)
    await factory.own_person(story.client, await factory.user())
    boss = await factory.member(story.partner)
    await factory.super_admin(story.client, boss)
    told = await several(story, DEACTIVATE, [story.actor], [story.client], includeSelf=True, acceptLockout=True)
    assert [outcome.verdict for outcome in told] == [APPLIED]
    mine = await story.as_member(boss)
    assert (await one(mine, MIGRATE, boss)).verdict == APPLIED
    assert (await one(mine, REACTIVATE, story.actor)).verdict == APPLIED
    assert (await one(story, DEACTIVATE, boss)).verdict == APPLIED


async def test_n04_who_is_only_super_admin_is_no_loss_to_the_guard(factory: Factory) -> None:
    """A client that has no partner admin anyway: others can be deactivated and removed without acceptance."""
    story = await Story.begin(factory)
    place = await factory.client(story.partner)
    await factory.own_person(place, await factory.user())
    boss, worker, other = await factory.members(story.partner, 3)
    await factory.super_admin(place, boss)
    for person in (worker, other):
        await factory.grant(place, person, CONTACTS)
    assert (await one(story, DEACTIVATE, worker, place)).verdict == APPLIED
    assert (await one(story, DEACTIVATE, boss, place)).verdict == APPLIED
    assert (await one(story, REMOVE, worker, place)).verdict == APPLIED


@pytest.mark.parametrize("verb", LOSING)
async def test_n04_atomic_rejects_all_with_the_lockout(factory: Factory, verb: str) -> None:
    story, worker = await _begin(factory)
    await factory.grant(story.client, await factory.member(story.partner), CONTACTS)
    asked = {"includeSelf": True, "atomic": True}
    told = await _lose(story, verb, [story.actor, worker], **asked)
    assert [outcome.verdict for outcome in told] == [LOCKED, ("REJECTED", "ATOMIC_REJECTED")]


@pytest.mark.parametrize("verb", [REACTIVATE, REMOVE])
async def test_f40_one_call_reactivates_or_removes_all_of_a_clients_deactivated_people(
    factory: Factory, verb: str
) -> None:
    """All of the partner's people are deactivated and the partner admin is active; filters find them all."""
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 4)
    for person in people:
        await factory.grant(story.client, person, CONTACTS, status=GrantStatus.DEACTIVATED)
    elsewhere = await factory.client(story.partner)
    await story.admin(elsewhere)
    matching = {"exceptMembers": ids(story.actor), "exceptClients": ids(elsewhere)}
    more = {"reviewToken": (await review_of_client(story, story.client))["token"]} if verb == REMOVE else {}
    told = await story.outcomes(verb, targets={"matching": matching}, **more)
    assert [outcome.verdict for outcome in told] == [APPLIED] * 4
    assert {outcome.grant["status"] for outcome in told} == {"ACTIVE" if verb == REACTIVATE else "REMOVED"}
    await assert_counters_are_true(factory.database)


async def test_f41_when_the_partner_admin_is_deactivated_too_nobody_reactivates_and_edit_removes(
    factory: Factory,
) -> None:
    story, worker = await _begin(factory)
    helper = await factory.member(story.partner)
    await factory.super_admin(story.client, helper)
    await factory.own_person(story.client, await factory.user())
    boss = await story.as_member(await factory.member(story.partner))
    owner = await story.as_member(
        await factory.member(story.partner, super_admin=True, manager_rights=ManagerRights.NONE)
    )
    people = [story.actor, worker]
    told = await several(boss, DEACTIVATE, people, [story.client])
    assert [outcome.verdict for outcome in told] == [LOCKED, APPLIED]
    told = await several(boss, DEACTIVATE, people, [story.client], acceptLockout=True)
    assert [outcome.verdict for outcome in told] == [APPLIED, NO_CHANGE]
    # The former partner admin, whoever has EDIT, the partner account's super admin and a super admin of the client.
    for anybody in (story, boss, owner, await story.as_member(helper)):
        told = await several(anybody, REACTIVATE, people, [story.client])
        assert [outcome.verdict for outcome in told] == [("REJECTED", "NOT_PARTNER_ADMIN")] * 2
        assert "an access link that the client approves" in told[0].node["message"]
    told = await several(boss, REMOVE, [*people, helper], [story.client])
    assert [outcome.verdict for outcome in told] == [APPLIED] * 3
    await assert_counters_are_true(factory.database)
