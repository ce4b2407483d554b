"""The rules of deactivating and removing that stand for themselves (R3 to R7, R9 to R11, R15, R16, F36)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from models.asset import AssetKind
from models.grant import GrantStatus
from models.member import ManagerRights, MemberKind, MemberStatus
from schema.node import encode
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import DEACTIVATE, MIGRATE, REACTIVATE, REMOVE, one, review, several
from tests.api.write_story import APPLIED, NO_CHANGE, Story, ids, living_grants, node_id, permissions, product
from tests.factory import ClientRow, Factory, MemberRow
from tests.life_factory import LifeFactory

PAST = datetime(2026, 1, 1, tzinfo=UTC)
CONTACTS = {"contacts.view": "ALL"}
VERBS = (DEACTIVATE, REACTIVATE, REMOVE, MIGRATE)


async def _worker(story: Story, *clients: ClientRow, **values: Any) -> MemberRow:
    """Somebody with standard access in the client, or in these."""
    person = await story.factory.member(story.partner, **values)
    for client in clients or (story.client,):
        await story.factory.grant(client, person, CONTACTS)
    return person


@pytest.mark.parametrize("rights", [ManagerRights.NONE, ManagerRights.VIEW])
@pytest.mark.parametrize("verb", VERBS)
async def test_r3_a_partner_admin_without_edit_can_do_none_of_this(
    factory: Factory, verb: str, rights: ManagerRights
) -> None:
    """Nor a dry run of it; the message says who gives the right."""
    story = await Story.begin(factory)
    person = await _worker(story)
    admin = await factory.member(story.partner, manager_rights=rights)
    await factory.partner_admin(story.client, admin)
    theirs = await story.as_member(admin)
    more = {"reviewToken": (await review(story, person))["token"]} if verb == REMOVE else {}
    for dry_run in (True, False):
        asked = {"targets": product([person], [story.client]), "options": {"dryRun": dry_run}, **more}
        (refusal,) = await theirs.refusals(verb, **asked)
        assert refusal["code"] == "FORBIDDEN"
        assert "with EDIT: ask a super admin of the partner account" in refusal["message"]


async def test_r3_the_right_is_judged_when_the_change_executes(factory: Factory) -> None:
    """Whoever has lost EDIT since they signed in is refused (spec 2.2), also where EDIT is all that is needed."""
    story = await Story.begin(factory)
    person = await _worker(story)
    boss = await story.as_member(await factory.member(story.partner))
    query = "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { code } } }"
    changed, codes = await story.run(query, input={"member": node_id(boss.actor), "managerRights": "VIEW"})
    assert (changed, codes) == ({"updateMember": {"userErrors": []}}, [])
    token = (await review(story, person))["token"]
    for verb, more in ((DEACTIVATE, {}), (REMOVE, {"reviewToken": token}), (MIGRATE, {})):
        (refusal,) = await boss.refusals(verb, targets=product([person], [story.client]), **more)
        assert (refusal["code"], "lost the right" in refusal["message"]) == ("FORBIDDEN", True)
    told = await one(boss, REACTIVATE, person)
    assert told.verdict == ("REJECTED", "NOT_PARTNER_ADMIN")


@pytest.mark.parametrize("verb", [DEACTIVATE, REMOVE])
async def test_r4_edit_without_any_access_in_the_client_is_enough(factory: Factory, verb: str) -> None:
    """F34: whatever the person is there, except a last super admin."""
    story = await Story.begin(factory)
    await factory.own_person(story.client, await factory.user())
    standard = await _worker(story)
    admin, boss = await factory.members(story.partner, 2)
    await factory.partner_admin(story.client, admin)
    await factory.super_admin(story.client, boss)
    outsider = await story.as_member(await factory.member(story.partner))
    told = await several(outsider, verb, [standard, admin, boss], [story.client])
    assert [outcome.verdict for outcome in told] == [APPLIED] * 3
    assert {outcome.grant["status"] for outcome in told} == {"DEACTIVATED" if verb == DEACTIVATE else "REMOVED"}
    await assert_counters_are_true(factory.database)


@pytest.mark.parametrize("verb", [DEACTIVATE, REMOVE])
async def test_f36_an_employee_in_one_client_in_some_or_in_all(factory: Factory, verb: str) -> None:
    story = await Story.begin(factory)
    places = [story.client, *await factory.clients(story.partner, 5)]
    person = await _worker(story, *places)
    assert (await one(story, verb, person, places[0])).verdict == APPLIED
    some = await several(story, verb, [person], places[:3])
    assert [outcome.verdict for outcome in some] == [NO_CHANGE, APPLIED, APPLIED]
    more = {"reviewToken": (await review(story, person))["token"]} if verb == REMOVE else {}
    matching = {"exceptMembers": ids(story.actor)}
    told = await story.outcomes(verb, targets={"matching": matching}, **more)
    assert sorted(outcome.verdict for outcome in told) == sorted([APPLIED] * 3 + [NO_CHANGE] * 3)
    statuses = {row.status for row in await living_grants(factory.database) if row.member_id == person.id}
    assert statuses == ({"DEACTIVATED"} if verb == DEACTIVATE else set())
    await assert_counters_are_true(factory.database)


async def test_r5_what_succeeded_stays_and_a_retry_touches_only_what_failed(factory: Factory) -> None:
    """Of four clients one is locked out by it, in one an asset came in between, and in one the person is the last super admin."""
    story = await Story.begin(factory)
    fine, locked, stale, last = await factory.clients(story.partner, 4)
    person = await factory.member(story.partner)
    await factory.grant(fine, person, CONTACTS)
    await factory.partner_admin(locked, person)
    await factory.grant(locked, await factory.member(story.partner), CONTACTS)
    await factory.grant(stale, person, CONTACTS)
    await factory.super_admin(last, person)
    places = [fine, locked, stale, last]
    token = (await review(story, person))["token"]
    await LifeFactory(factory).assets(stale, person, AssetKind.DEAL)
    told = await several(story, REMOVE, [person], places, token=token)
    codes = [outcome.node["code"] for outcome in told]
    assert codes == [None, "WOULD_LOCK_OUT", "STALE_REVIEW", "LAST_SUPER_ADMIN"]
    assert "or were not part of it. Review again" in told[2].node["message"]
    entries = await story.timeline_length()
    told = await several(story, REMOVE, [person], places, acceptLockout=True)
    assert [outcome.verdict for outcome in told] == [NO_CHANGE, APPLIED, APPLIED, ("REJECTED", "LAST_SUPER_ADMIN")]
    assert await story.timeline_length() == entries + 2
    # The client makes somebody else super admin, and the rest goes.
    await factory.own_person(last, await factory.user())
    told = await several(story, REMOVE, [person], places)
    assert [outcome.verdict for outcome in told] == [NO_CHANGE, NO_CHANGE, NO_CHANGE, APPLIED]
    assert (await review(story, person))["grantCount"] == 0
    await assert_counters_are_true(factory.database)


async def test_r6_a_removed_grant_stays_as_history_and_a_later_one_is_new(factory: Factory) -> None:
    """Section 1: REMOVED ends that grant; DEACTIVATED → REMOVED as well as ACTIVE → REMOVED."""
    story = await Story.begin(factory)
    person = await _worker(story)
    seen = []
    for verbs in ((REMOVE,), (DEACTIVATE, REMOVE)):
        for verb in verbs:
            told = await one(story, verb, person)
            assert told.verdict == APPLIED
        assert (await one(story, REMOVE, person)).verdict == NO_CHANGE
        seen.append(told.grant["id"])
        again = await story.grant(person, permissions(CONTACTS))
        assert (again.verdict, again.grant["version"]) == (APPLIED, 1)
        assert again.grant["id"] not in seen
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Grant { status permissions { level } } } }"
    data, codes = await story.run(query, ids=seen)
    assert codes == []
    assert data["nodes"] == [{"status": "REMOVED", "permissions": [{"level": "ALL"}]}] * 2


async def test_deactivated_access_keeps_its_permissions_and_comes_back_as_it_was(factory: Factory) -> None:
    """No effective access meanwhile; seat, set, teams and permissions are those of before."""
    story = await Story.begin(factory)
    team, sales = await factory.team(story.client), await factory.built_in_set("sales")
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, permission_set=sales, teams=[team])
    kept = ("accessType", "seat", "permissions", "teams", "permissionSet", "permissionSetVersion", "customised")
    off = await one(story, DEACTIVATE, person)
    assert (off.grant["status"], off.grant["version"]) == ("DEACTIVATED", 2)
    assert set(off.revoked) == set(off.held)
    assert off.granted == {}
    on = await one(story, REACTIVATE, person)
    assert (on.grant["status"], on.grant["version"]) == ("ACTIVE", 3)
    assert set(on.granted) == set(on.held)
    assert on.revoked == {}
    assert {key: off.grant[key] for key in kept} == {key: on.grant[key] for key in kept}


async def test_deactivated_access_is_not_changed_but_reactivated_first(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await _worker(story)
    await one(story, DEACTIVATE, person)
    for told in (
        await story.change(person, permissions({"deals.view": "ALL"})),
        await story.grant(person, permissions(CONTACTS)),
        await story.grant(person, permissions(CONTACTS), onExisting="CHANGE"),
    ):
        assert told.verdict == ("REJECTED", "DEACTIVATED")
        assert "Reactivate it first" in told.node["message"]


async def test_a_deactivated_partner_admin_has_no_authority(factory: Factory) -> None:
    """F04, F35: neither over others nor over themselves."""
    story = await Story.begin(factory)
    person, new = await _worker(story), await factory.member(story.partner)
    await factory.partner_admin(story.client, await factory.member(story.partner))
    assert (await one(story, DEACTIVATE, story.actor, includeSelf=True)).verdict == APPLIED
    not_admin = ("REJECTED", "NOT_PARTNER_ADMIN")
    assert (await story.grant(new, permissions(CONTACTS))).verdict == not_admin
    assert (await story.change(person, permissions({"deals.view": "ALL"}))).verdict == not_admin
    mine = await one(story, REACTIVATE, story.actor, includeSelf=True)
    assert mine.verdict == not_admin
    assert "ALL" in set(mine.withheld.values())
    # By EDIT alone, taking away still works (F34).
    assert (await one(story, DEACTIVATE, person)).verdict == APPLIED


async def test_f35_nobody_reactivates_more_than_they_have_themselves(factory: Factory) -> None:
    """I1: the reduced partner admin is told what they lack, a whole one reactivates."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    whole = await factory.member(story.partner)
    await factory.partner_admin(story.client, whole)
    person = await factory.member(story.partner)
    levels = {"contacts.view": "ALL", "deals.view": "TEAM"}
    await factory.grant(story.client, person, levels, status=GrantStatus.DEACTIVATED)
    told = await one(story, REACTIVATE, person)
    assert told.verdict == ("REJECTED", "EXCEEDS_AUTHORITY")
    assert told.granted == {}
    assert "ask somebody who has them" in told.node["message"]
    assert told.withheld == {"deals.view": "TEAM"}
    assert (await one(await story.as_member(whole), REACTIVATE, person)).verdict == APPLIED


@pytest.mark.parametrize(("status", "code"), [("DEACTIVATED", "NOT_ACTIVE"), ("LEFT", "NOT_A_MEMBER")])
async def test_who_does_not_work_for_the_partner_is_not_reactivated_but_can_lose_access(
    factory: Factory, status: str, code: str
) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner, status=MemberStatus[status])
    await factory.grant(story.client, person, CONTACTS, status=GrantStatus.DEACTIVATED)
    assert (await one(story, REACTIVATE, person)).verdict == ("REJECTED", code)
    assert (await one(story, REMOVE, person)).verdict == APPLIED


async def test_f09_an_unverified_partner_admin_is_not_reactivated(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner, verified=False)
    await factory.partner_admin(story.client, person, status=GrantStatus.DEACTIVATED)
    told = await one(story, REACTIVATE, person)
    assert told.verdict == ("REJECTED", "NOT_VERIFIED")
    assert "have the person verified first" in told.node["message"]


async def test_r9_a_contractor_of_two_partners_keeps_the_others_access(factory: Factory) -> None:
    """In the same account: one partner removes, and the other's grant, counters and timeline do not move."""
    story = await Story.begin(factory)
    rival = await Story.begin(factory)
    shared = await factory.client(rival.partner, account=story.client.account)
    await rival.admin(shared)
    user = await factory.user()
    ours = await factory.member(story.partner, user=user, kind=MemberKind.CONTRACTOR)
    theirs = await factory.member(rival.partner, user=user, kind=MemberKind.CONTRACTOR)
    await factory.grant(story.client, ours, CONTACTS)
    kept = await factory.grant(shared, theirs, CONTACTS)
    assert (await one(story, REMOVE, ours)).verdict == APPLIED
    (row,) = [row for row in await living_grants(factory.database) if row.user_id == user.id]
    assert (row.id, row.status, row.version) == (kept.id, "ACTIVE", 1)
    await assert_counters_are_true(factory.database)


async def test_r10_expired_access_is_not_reactivated_and_the_message_says_the_way(factory: Factory) -> None:
    """Extended by extendAccess; deactivated as well: reactivated then, or removed and given anew."""
    story = await Story.begin(factory)
    active, idle = await factory.members(story.partner, 2)
    await factory.grant(story.client, active, CONTACTS, expires_at=PAST)
    await factory.grant(story.client, idle, CONTACTS, expires_at=PAST, status=GrantStatus.DEACTIVATED)
    for person in (active, idle):
        told = await one(story, REACTIVATE, person)
        assert told.verdict == ("REJECTED", "EXPIRED")
    assert "Extend it with extendAccess" in told.node["message"]
    assert "then reactivate it" in told.node["message"]
    assert (await story.change(active, expiresAt="2099-01-01T00:00:00Z")).verdict == APPLIED
    assert (await one(story, REMOVE, idle)).verdict == APPLIED
    assert (await story.grant(idle, permissions(CONTACTS))).verdict == APPLIED


async def test_r11_a_deactivated_super_admin_counts_for_nothing_and_blocks_nothing(factory: Factory) -> None:
    """Removed though there is no other; does not stand in for the last; keeps nobody from being removed."""
    story = await Story.begin(factory)
    idle, boss = await factory.members(story.partner, 2)
    await factory.super_admin(story.client, idle, status=GrantStatus.DEACTIVATED)
    await factory.super_admin(story.client, boss)
    for verb in (DEACTIVATE, REMOVE):
        told = await one(story, verb, boss)
        assert told.verdict == ("REJECTED", "LAST_SUPER_ADMIN")
        assert "Have the client make somebody else super admin first" in told.node["message"]
    assert (await one(story, DEACTIVATE, idle)).verdict == NO_CHANGE
    assert (await one(story, REMOVE, idle)).verdict == APPLIED
    assert (await one(await story.as_member(idle), MIGRATE, idle)).verdict == ("REJECTED", "NOT_SUPER_ADMIN")


@pytest.mark.parametrize("verb", [DEACTIVATE, REMOVE])
async def test_r11_of_all_super_admins_the_last_in_the_order_of_the_input_stays(factory: Factory, verb: str) -> None:
    """M3 for these verbs; an expired one neither counts nor is held back."""
    story = await Story.begin(factory)
    lapsed, *people = await factory.members(story.partner, 4)
    await factory.super_admin(story.client, lapsed, expires_at=PAST)
    for person in people:
        await factory.super_admin(story.client, person)
    told = await several(story, verb, [*people, lapsed], [story.client])
    assert [outcome.verdict for outcome in told] == [APPLIED, APPLIED, ("REJECTED", "LAST_SUPER_ADMIN"), APPLIED]


COUNTS = """query($client: ID!, $member: ID!) {
  client: node(id: $client) { ... on Client { totalEmployees deactivatedEmployees partnerAdmins { id } } }
  member: node(id: $member) { ... on Member { totalClients } }
}"""


async def test_r15_totals_count_the_active_and_the_deactivated_beside_them(factory: Factory) -> None:
    story = await Story.begin(factory)
    await factory.own_person(story.client, await factory.user())
    person, boss = await factory.members(story.partner, 2)
    await factory.grant(story.client, person, CONTACTS)
    await factory.super_admin(story.client, boss)

    async def counts() -> tuple[int, int, int, int]:
        data, codes = await story.run(COUNTS, client=node_id(story.client), member=node_id(person))
        assert codes == []
        place = data["client"]
        admins = len(place["partnerAdmins"])
        return place["totalEmployees"], place["deactivatedEmployees"], admins, data["member"]["totalClients"]

    assert await counts() == (3, 0, 1, 1)
    await one(story, DEACTIVATE, person)
    assert await counts() == (2, 1, 1, 0)
    await one(story, REACTIVATE, person)
    assert await counts() == (3, 0, 1, 1)
    await one(story, MIGRATE, boss)
    assert await counts() == (3, 0, 2, 1)
    await one(story, DEACTIVATE, boss)
    assert await counts() == (2, 1, 1, 1)
    await one(story, REMOVE, person)
    assert await counts() == (1, 1, 1, 0)
    await one(story, REMOVE, boss)
    assert await counts() == (1, 0, 1, 0)
    await assert_counters_are_true(factory.database)


async def test_r16_whoever_becomes_a_contractor_keeps_the_access_and_obeys_the_contractors_rule(
    factory: Factory,
) -> None:
    """F37 goes by what the person is now: what was deactivated before can be reactivated."""
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    person = await _worker(story, story.client, other)
    await one(story, DEACTIVATE, person)
    query = (
        "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { code } member { kind } } }"
    )
    data, codes = await story.run(query, input={"member": node_id(person), "kind": "CONTRACTOR"})
    assert (data["updateMember"]["member"], codes) == ({"kind": "CONTRACTOR"}, [])
    told = await one(story, DEACTIVATE, person, other)
    assert told.verdict == ("REJECTED", "NOT_FOR_CONTRACTORS")
    assert told.node["message"] == "A contractor's access can only be removed, not deactivated."
    assert (await one(story, REACTIVATE, person)).verdict == APPLIED
    told_all = await several(story, REMOVE, [person], [story.client, other])
    assert [outcome.verdict for outcome in told_all] == [APPLIED] * 2


@pytest.mark.parametrize("verb", [DEACTIVATE, REACTIVATE])
async def test_p03_an_outdated_version_is_a_conflict(factory: Factory, verb: str) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    status = GrantStatus.ACTIVE if verb == DEACTIVATE else GrantStatus.DEACTIVATED
    grant = await factory.grant(story.client, person, CONTACTS, status=status)
    for version, verdict in ((grant.version + 1, ("REJECTED", "CONFLICT")), (grant.version, APPLIED)):
        seen = [{"grant": node_id(grant), "version": version}]
        told = await one(story, verb, person, expectedVersions=seen)
        assert told.verdict == verdict
    # A version of something that is no target would check nothing.
    wrong = [{"grant": encode("Grant", 10**9), "version": 1}]
    (refusal,) = await story.refusals(verb, targets=product([person], [story.client]), expectedVersions=wrong)
    assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", ["input", "expectedVersions", "0", "grant"])


@pytest.mark.parametrize("verb", [DEACTIVATE, REMOVE])
async def test_ones_own_access_is_left_alone_unless_it_is_meant(factory: Factory, verb: str) -> None:
    story = await Story.begin(factory)
    person = await _worker(story)
    await factory.partner_admin(story.client, await factory.member(story.partner))
    told = await several(story, verb, [person, story.actor], [story.client])
    assert [outcome.verdict for outcome in told] == [APPLIED, ("NOOP", "SELF_EXCLUDED")]
    assert "unless you say includeSelf: true" in told[1].node["message"]
    assert (await one(story, verb, story.actor, includeSelf=True)).verdict == APPLIED


async def test_the_reason_is_kept_with_the_operation(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await _worker(story)
    targets = product([person], [story.client])
    done = await story.operation(DEACTIVATE, targets=targets, options={"reason": "Parental leave"})
    assert (done["kind"], done["reason"], done["dryRun"]) == ("DEACTIVATE", "Parental leave", False)
    assert done["counts"] == {"pending": 0, "applied": 1, "noop": 0, "rejected": 0, "failed": 0}
    for reason in ("x" * 1_001, "\x00"):
        (refusal,) = await story.refusals(DEACTIVATE, targets=targets, options={"reason": reason})
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "options", "reason"])


async def test_r6_removing_again_by_the_same_grants_touches_only_what_failed(factory: Factory) -> None:
    """R5: access that is removed still names its person and client, but never access that was given anew."""
    story = await Story.begin(factory)
    first, second = await factory.member(story.partner), await factory.member(story.partner)
    grants = [await factory.grant(story.client, person, CONTACTS) for person in (first, second)]
    targets = {"grants": ids(*grants)}
    told = await story.outcomes(REMOVE, targets=targets, reviewToken=(await review(story, first))["token"])
    assert [outcome.verdict for outcome in told] == [APPLIED, ("REJECTED", "STALE_REVIEW")]
    told = await story.outcomes(REMOVE, targets=targets, reviewToken=(await review(story, second))["token"])
    assert [outcome.verdict for outcome in told] == [NO_CHANGE, APPLIED]
    await factory.grant(story.client, first, CONTACTS)
    (refusal,) = await story.refusals(REMOVE, targets=targets, reviewToken="")
    assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", ["input", "targets", "grants", "0"])
