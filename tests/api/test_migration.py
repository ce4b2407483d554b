"""Migration: super admins become partner admins, the one sanctioned exception to the bounded rule (F42 to F45, M1 to M11)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from models.grant import GrantStatus
from models.member import ManagerRights, MemberStatus
from models.permission.built_in import FINANCIAL_STATE, PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import DEACTIVATE, MIGRATE, REACTIVATE, REMOVE, one, several
from tests.api.write_story import (
    ADMIN_REPORTS,
    APPLIED,
    NO_CHANGE,
    Story,
    contents,
    ids,
    levels_of,
    node_id,
    pairs,
    permissions,
    product,
)
from tests.factory import ClientRow, Factory, MemberRow

PAST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = ("REJECTED", "LAST_SUPER_ADMIN")
NOT_SUPER_ADMIN = ("REJECTED", "NOT_SUPER_ADMIN")
ADMIN = levels_of(PARTNER_ADMIN_SET.state)
FINANCIAL = levels_of(FINANCIAL_STATE)
NON_DELEGABLE = [permission.key for permission in catalogue.permissions.values() if not permission.delegable]


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


@pytest.mark.parametrize("keep", [False, True])
async def test_f43_f44_who_migrates_is_partner_admin_with_billing_only_if_it_was_kept(
    factory: Factory, *, keep: bool
) -> None:
    """Super admin off, PARTNER seat, the Partner Admin set, customised exactly if billing is kept; what is told is so."""
    story = await _begin(factory)
    (boss,) = await _super_admins(story, 1)
    told = await one(await story.as_member(boss), MIGRATE, boss, keepBilling=keep)
    assert told.verdict == APPLIED
    assert told.held == (ADMIN | FINANCIAL if keep else ADMIN)
    assert not set(NON_DELEGABLE) & set(told.held)
    assert set(NON_DELEGABLE) <= set(told.revoked)
    assert ("billing" in told.revoked) is not keep
    assert told.granted == told.withheld == {}
    assert told.retained == {}
    grant = told.grant
    assert (grant["accessType"], grant["seat"], grant["status"]) == ("PARTNER_ADMIN", "PARTNER", "ACTIVE")
    built_in = await factory.built_in_set()
    assert (grant["permissionSet"]["id"], grant["permissionSetVersion"]) == (node_id(built_in), built_in.version)
    assert (grant["customised"], grant["outdated"], grant["version"]) == (keep, False, 2)
    assert told.node["message"] is None
    await assert_counters_are_true(factory.database)


async def test_f42_a_super_admin_migrates_themselves_without_any_partner_admin_there(factory: Factory) -> None:
    """F45: for oneself no access as partner admin is needed, and nobody needs to say includeSelf."""
    story = await Story.begin(factory)
    boss, place = await factory.member(story.partner), await factory.client(story.partner)
    await factory.super_admin(place, boss)
    await factory.own_person(place, await factory.user())
    mine = await story.as_member(boss)
    assert (await one(mine, MIGRATE, boss, place)).verdict == APPLIED
    # And from then on others (F45).
    (other,) = await _super_admins(story, 1, place)
    assert (await one(mine, MIGRATE, other, place)).verdict == APPLIED


@pytest.mark.parametrize("rights", [ManagerRights.NONE, ManagerRights.VIEW])
async def test_f02_a_super_admin_without_edit_migrates_nobody(factory: Factory, rights: ManagerRights) -> None:
    story = await _begin(factory)
    boss = await factory.member(story.partner, manager_rights=rights)
    await factory.super_admin(story.client, boss)
    mine = await story.as_member(boss)
    (refusal,) = await mine.refusals(MIGRATE, targets=product([boss], [story.client]))
    assert refusal["code"] == "FORBIDDEN"
    assert "ask a super admin of the partner account" in refusal["message"]


async def test_m1_the_only_super_admin_stays(factory: Factory) -> None:
    """And the message says what to do next."""
    story = await Story.begin(factory)
    (boss,) = await _super_admins(story, 1)
    told = await one(story, MIGRATE, boss)
    assert told.verdict == LAST
    assert "Have the client make somebody else super admin first" in told.node["message"]
    assert told.held == levels_of(catalogue.everything)
    assert told.grant["accessType"] == "SUPER_ADMIN"


async def test_m1_the_accounts_own_people_count_and_so_do_other_partners(factory: Factory) -> None:
    for other in ("own person", "another partner's person"):
        story = await Story.begin(factory)
        (boss,) = await _super_admins(story, 1)
        if other == "own person":
            await factory.own_person(story.client, await factory.user())
        else:
            rival = await factory.partner()
            place = await factory.client(rival, account=story.client.account)
            await factory.super_admin(place, await factory.member(rival))
        assert (await one(story, MIGRATE, boss)).verdict == APPLIED, other


@pytest.mark.parametrize("who", ["colleague", "own person"])
@pytest.mark.parametrize("how", ["deactivated", "expired", "removed", "standard"])
async def test_m2_who_is_no_active_super_admin_does_not_count(factory: Factory, who: str, how: str) -> None:
    story = await Story.begin(factory)
    (boss,) = await _super_admins(story, 1)
    if who == "own person":
        user, levels = await factory.user(), {"contacts.view": "ALL"} if how == "standard" else None
        values: dict[str, Any] = {"expires_at": PAST} if how == "expired" else {}
        grant = await factory.own_person(story.client, user, levels, **values)
        if how in {"deactivated", "removed"}:
            await factory.move(grant, GrantStatus[how.upper()])
    else:
        person = await factory.member(story.partner)
        states = {"deactivated": {"status": GrantStatus.DEACTIVATED}, "removed": {"status": GrantStatus.REMOVED}}
        if how == "standard":
            await factory.grant(story.client, person, {"contacts.view": "ALL"})
        else:
            await factory.super_admin(story.client, person, **states.get(how, {"expires_at": PAST}))
    assert (await one(story, MIGRATE, boss)).verdict == LAST


async def test_m2_a_deactivated_or_expired_super_admin_cannot_be_migrated(factory: Factory) -> None:
    """Nor does it matter to anybody else: they count for nothing (R11)."""
    story = await _begin(factory)
    people = await factory.members(story.partner, 2)
    await factory.super_admin(story.client, people[0], status=GrantStatus.DEACTIVATED)
    await factory.super_admin(story.client, people[1], expires_at=PAST)
    told = await several(story, MIGRATE, people, [story.client])
    assert [outcome.verdict for outcome in told] == [NOT_SUPER_ADMIN] * 2
    assert "approve an access link" in told[0].node["message"]


async def test_m3_of_all_super_admins_the_last_in_the_order_of_the_input_stays(factory: Factory) -> None:
    for turn in (1, -1):
        story = await Story.begin(factory)
        people = (await _super_admins(story, 3))[::turn]
        told = await several(story, MIGRATE, people, [story.client])
        assert [outcome.cell[0] for outcome in told] == ids(*people)
        assert [outcome.verdict for outcome in told] == [APPLIED, APPLIED, LAST]
    await assert_counters_are_true(factory.database)


async def test_m3_each_account_keeps_its_own_last_one(factory: Factory) -> None:
    """As pairs in any order: the last pair of each account is refused."""
    story = await Story.begin(factory)
    places = [story.client, await factory.client(story.partner)]
    await story.admin(places[1])
    first, second = await factory.members(story.partner, 2)
    for place in places:
        await factory.super_admin(place, first)
        await factory.super_admin(place, second)
    cells = [(second, places[0]), (first, places[1]), (first, places[0]), (second, places[1])]
    told = await story.outcomes(MIGRATE, targets=pairs(*cells))
    assert [outcome.verdict for outcome in told] == [APPLIED, APPLIED, LAST, LAST]


async def test_m3_atomic_rejects_all_if_the_last_would_go(factory: Factory) -> None:
    story = await Story.begin(factory)
    people = await _super_admins(story, 3)
    before = await _grants(factory)
    told = await several(story, MIGRATE, people, [story.client], atomic=True)
    assert [outcome.verdict for outcome in told] == [("REJECTED", "ATOMIC_REJECTED")] * 2 + [LAST]
    assert await _grants(factory) == before
    # Without the last one it goes through.
    told = await several(story, MIGRATE, people[:2], [story.client], atomic=True)
    assert [outcome.verdict for outcome in told] == [APPLIED] * 2


async def _grants(factory: Factory) -> list[Any]:
    return (await contents(factory.database))["grant"]


@pytest.mark.parametrize("held", ["whole", "reduced"])
async def test_m5_somebody_who_is_partner_admin_already_is_left_as_they_are(factory: Factory, held: str) -> None:
    """Repeating a migration changes nothing; a reduced partner admin is not filled up by it."""
    story = await _begin(factory)
    person = await factory.member(story.partner)
    await factory.partner_admin(story.client, person, without=ADMIN_REPORTS if held == "reduced" else ())
    before = await _grants(factory)
    assert (await one(story, MIGRATE, person, keepBilling=True)).verdict == NO_CHANGE
    assert (await one(story, MIGRATE, story.actor)).verdict == NO_CHANGE
    assert await _grants(factory) == before


async def test_m6_who_is_no_super_admin_has_nothing_to_migrate(factory: Factory) -> None:
    story = await _begin(factory)
    nobody, standard, removed, lapsed = await factory.members(story.partner, 4)
    await factory.grant(story.client, standard, {"contacts.view": "ALL"})
    await factory.super_admin(story.client, removed, status=GrantStatus.REMOVED)
    await factory.partner_admin(story.client, lapsed, status=GrantStatus.DEACTIVATED)
    told = await several(story, MIGRATE, [nobody, standard, removed, lapsed], [story.client])
    assert [outcome.verdict for outcome in told] == [NOT_SUPER_ADMIN] * 4
    assert "nothing to migrate" in told[0].node["message"]


@pytest.mark.parametrize("own", ["super admin", "deactivated partner admin", "expired partner admin", "nothing"])
async def test_m7_only_a_partner_admin_there_migrates_others(factory: Factory, own: str) -> None:
    story = await _begin(factory)
    actor = await factory.member(story.partner)
    values: dict[str, Any] = {"status": GrantStatus.DEACTIVATED} if "deactivated" in own else {}
    if own == "super admin":
        await factory.super_admin(story.client, actor)
    elif own != "nothing":
        await factory.partner_admin(story.client, actor, **(values or {"expires_at": PAST}))
    (other,) = await _super_admins(story, 1)
    theirs = await story.as_member(actor)
    told = await one(theirs, MIGRATE, other)
    assert told.verdict == ("REJECTED", "NOT_PARTNER_ADMIN")
    assert "become one yourself" in told.node["message"]


async def test_m7_migrating_oneself_and_others_in_one_request_takes_the_authority_from_before(factory: Factory) -> None:
    """Oneself becomes partner admin by it; the others need a second request."""
    story = await _begin(factory)
    boss, other = await _super_admins(story, 2)
    mine = await story.as_member(boss)
    told = await several(mine, MIGRATE, [boss, other], [story.client])
    assert [outcome.verdict for outcome in told] == [APPLIED, ("REJECTED", "NOT_PARTNER_ADMIN")]
    assert (await one(mine, MIGRATE, other)).verdict == APPLIED


async def test_m8_the_clients_own_people_are_not_migrated(factory: Factory) -> None:
    """Also if they are members of the partner besides; their own access is not the partner's."""
    story = await _begin(factory)
    user = await factory.user()
    await factory.own_person(story.client, user)
    person = await factory.member(story.partner, user=user)
    told = await one(story, MIGRATE, person)
    assert told.verdict == ("REJECTED", "NOT_A_MEMBER")
    assert "one of the client's own people" in told.node["message"]
    mine = await story.as_member(person)
    assert (await one(mine, MIGRATE, person)).verdict == ("REJECTED", "NOT_A_MEMBER")
    # What they hold on behalf of the partner is the partner's to migrate.
    await factory.super_admin(story.client, person)
    assert (await one(mine, MIGRATE, person)).verdict == APPLIED


async def test_m8_who_left_or_is_deactivated_in_the_partner_is_not_migrated(factory: Factory) -> None:
    story = await _begin(factory)
    gone, away = [await factory.member(story.partner, status=s) for s in (MemberStatus.LEFT, MemberStatus.DEACTIVATED)]
    for person in (gone, away):
        await factory.super_admin(story.client, person)
    told = await several(story, MIGRATE, [gone, away], [story.client])
    assert [outcome.verdict[1] for outcome in told] == ["NOT_A_MEMBER", "NOT_ACTIVE"]


async def test_f09_an_unverified_super_admin_does_not_become_partner_admin(factory: Factory) -> None:
    story = await _begin(factory)
    person = await factory.member(story.partner, verified=False)
    await factory.super_admin(story.client, person)
    told = await one(story, MIGRATE, person)
    assert told.verdict == ("REJECTED", "NOT_VERIFIED")
    assert "have the person verified first" in told.node["message"]
    assert told.grant["accessType"] == "SUPER_ADMIN"


async def test_m9_who_did_not_keep_billing_cannot_give_it(factory: Factory) -> None:
    """E9 and E10: a template with billing is given without it, or, if billing was kept, whole and marked as sensitive."""
    story = await _begin(factory)
    without, with_it = await _super_admins(story, 2)
    template = await factory.permission_set(story.partner, {"contacts.view": "ALL", "billing": "ALL"})
    access = {"permissionSet": node_id(template)}
    for boss, keep in ((without, False), (with_it, True)):
        mine = await story.as_member(boss)
        assert (await one(mine, MIGRATE, boss, keepBilling=keep)).verdict == APPLIED
        given = await mine.grant(await factory.member(story.partner), access)
        assert given.verdict == APPLIED
        assert ("billing" in given.held, given.withheld) == ((True, {}) if keep else (False, {"billing": "ALL"}))
        assert given.held["contacts.view"] == "ALL"
        sensitive = {at["permission"]["key"]: at["permission"]["sensitive"] for at in given.node["granted"]}
        assert sensitive.get("billing") is (True if keep else None)
        strict = await mine.grant(await factory.member(story.partner), access, options={"mode": "STRICT"})
        assert strict.verdict == (APPLIED if keep else ("REJECTED", "EXCEEDS_AUTHORITY"))


@pytest.mark.parametrize("keep", [False, True])
async def test_m10_a_reduced_partner_admin_gives_the_full_set_by_migrating(factory: Factory, *, keep: bool) -> None:
    """Not clamped, with billing if it is kept, though the actor has neither; STRICT has nothing to reject."""
    story = await Story.begin(factory, held={"without": ADMIN_REPORTS})
    await factory.own_person(story.client, await factory.user())
    (boss,) = await _super_admins(story, 1)
    told = await one(story, MIGRATE, boss, keepBilling=keep, options={"mode": "STRICT"})
    assert told.verdict == APPLIED
    assert told.held == (ADMIN | FINANCIAL if keep else ADMIN)
    assert set(ADMIN_REPORTS) & set(ADMIN) <= set(told.held)
    assert (told.withheld, told.retained) == ({}, {})


async def test_m10_nor_does_the_ceiling_of_the_client_lower_it(factory: Factory) -> None:
    """Result: the Partner Admin set, full; a ceiling holds what is given, and a migration only takes (P08)."""
    story = await _begin(factory, ceiling={"contacts.view": "ALL"})
    (boss,) = await _super_admins(story, 1)
    assert (await one(story, MIGRATE, boss)).held == ADMIN


async def test_m11_there_is_no_way_back_through_the_manager(factory: Factory) -> None:
    """Neither by permissions, nor by copying another, nor by reactivating."""
    story = await _begin(factory)
    boss, other, idle = await _super_admins(story, 3)
    grant = await factory.super_admin(await factory.client(story.partner), other)
    await one(story, DEACTIVATE, idle)
    assert (await one(story, MIGRATE, boss)).verdict == APPLIED
    targets = product([boss], [story.client])
    (refusal,) = await story.refusals("changeAccess", targets=targets, access=permissions({"super_admins": "ALL"}))
    assert refusal["code"] == "NON_DELEGABLE"
    (refusal,) = await story.refusals("changeAccess", targets=targets, access={"copyFrom": node_id(grant)})
    assert refusal["code"] == "SOURCE_IS_SUPER_ADMIN"
    told = await one(story, REACTIVATE, idle)
    assert told.verdict == ("REJECTED", "EXCEEDS_AUTHORITY")
    assert "super_admins" in told.withheld
    assert "remove it and grant access anew" in told.node["message"]
    assert (await one(story, REMOVE, idle)).verdict == APPLIED
    assert (await one(story, MIGRATE, boss)).verdict == NO_CHANGE
