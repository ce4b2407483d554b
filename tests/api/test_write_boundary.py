"""What lies beside the permissions gives and takes as well: seat, expiry, teams, set, version seen (I1, I2, N04, P03, P05, R10)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.grant import Seat
from models.member import members
from models.permission.catalogue import catalogue
from models.table import now
from models.timeline_entry import timeline_entries
from schema.node import encode
from tests.api.write_story import APPLIED, NO_CHANGE, Story, node_id, pairs, permissions, product
from tests.factory import Factory

EXCEEDS = ("REJECTED", "EXCEEDS_AUTHORITY")
WITH_REPORTS = {"contacts.view": "ALL", "reports.view": "ALL", "reports.edit": "ALL"}
LACKING = ("reports.view", "reports.edit")
SOON, LATER = now() + timedelta(days=1), now() + timedelta(days=30)


async def _without_reports(factory: Factory) -> Story:
    """A partner admin who lacks Reports."""
    story = await Story.begin(factory)
    reduced = await factory.member(story.partner)
    await factory.partner_admin(story.client, reduced, without=LACKING)
    return await story.as_member(reduced)


async def test_i1_a_seat_that_lets_more_through_gives_no_more_than_the_actor_has(factory: Factory) -> None:
    story = await _without_reports(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, WITH_REPORTS, seat=Seat.VIEW_ONLY)
    told = await story.change(person, seat="CORE")
    assert told.verdict == EXCEEDS
    assert told.grant["seat"] == "VIEW_ONLY"
    # Becoming partner admin brings the PARTNER seat with it.
    as_admin = permissions(catalogue.closure(catalogue.partner_admin))
    assert (await story.change(person, as_admin)).verdict == EXCEEDS


async def test_i2_a_seat_that_lets_less_through_takes_no_more_than_the_actor_has(factory: Factory) -> None:
    story = await _without_reports(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, WITH_REPORTS, seat=Seat.CORE)
    assert (await story.change(person, seat="VIEW_ONLY")).verdict == EXCEEDS
    other = await factory.member(story.partner)
    await factory.grant(story.client, other, {"contacts.view": "ALL", "contacts.edit": "ALL"}, seat=Seat.CORE)
    assert (await story.change(other, seat="VIEW_ONLY")).verdict == APPLIED


async def test_nobody_lengthens_their_own_access(factory: Factory) -> None:
    story = await Story.begin(factory, held={"expires_at": SOON})
    await factory.partner_admin(story.client, await factory.member(story.partner))
    options = {"includeSelf": True}
    for at in (None, LATER.isoformat()):
        assert (await story.change(story.actor, expiresAt=at, options=options)).verdict == EXCEEDS
    shortened = await story.change(story.actor, expiresAt=(SOON - timedelta(hours=1)).isoformat(), options=options)
    assert shortened.verdict == APPLIED


async def test_p05_an_extension_gives_all_of_the_access_again_so_the_actor_must_have_all_of_it(
    factory: Factory,
) -> None:
    story = await _without_reports(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, WITH_REPORTS, expires_at=SOON)
    assert (await story.change(person, expiresAt=LATER.isoformat())).verdict == EXCEEDS
    # To shorten is to take away, which F34 leaves to everybody who may deactivate.
    assert (await story.change(person, expiresAt=(SOON - timedelta(hours=1)).isoformat())).verdict == APPLIED


async def test_r10_expired_access_is_extended_before_anything_else(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"}, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    more = permissions({"contacts.view": "ALL", "deals.view": "ALL"})
    assert (await story.change(person, more)).verdict == ("REJECTED", "EXPIRED")
    assert (await story.grant(person, more)).verdict == ("REJECTED", "EXPIRED")
    assert (await story.change(person, expiresAt=LATER.isoformat())).verdict == APPLIED
    assert (await story.change(person, more)).verdict == APPLIED


async def test_n04_an_expired_partner_admin_does_not_keep_a_client_from_being_locked_out(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.member(story.partner)
    await factory.partner_admin(story.client, other, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    told = await story.change(story.actor, permissions({"contacts.view": "ALL"}), options={"includeSelf": True})
    assert told.verdict == ("REJECTED", "WOULD_LOCK_OUT")


async def test_n04_who_has_expired_can_be_lowered_where_another_partner_admin_stays(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.member(story.partner)
    await factory.partner_admin(story.client, other, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    told = await story.change(other, permissions({"contacts.view": "ALL"}), expiresAt=LATER.isoformat())
    assert told.verdict == APPLIED


async def test_n04_the_last_partner_admin_does_not_set_an_end_to_it_unasked(factory: Factory) -> None:
    story = await Story.begin(factory)
    end = SOON.isoformat()
    told = await story.change(story.actor, expiresAt=end, options={"includeSelf": True})
    assert told.verdict == ("REJECTED", "WOULD_LOCK_OUT")
    told = await story.change(story.actor, expiresAt=end, options={"includeSelf": True, "acceptLockout": True})
    assert told.verdict == APPLIED


async def test_an_expired_partner_admin_is_none_for_readers_either(factory: Factory) -> None:
    story = await Story.begin(factory, held={"expires_at": datetime(2026, 1, 1, tzinfo=UTC)})
    read = """query($hub: String!) {
      client(by: { hubId: $hub }) { viewerAccessType partnerAdmins { id } }
      partner {
        problems: clients(filter: { withoutPartnerAdmin: true }) { nodes { hubId } }
        mine: clients(filter: { accessTypes: [PARTNER_ADMIN] }) { nodes { hubId } }
      }
    }"""
    data, codes = await story.run(read, hub=str(story.client.hub_id))
    assert codes == []
    assert data["client"] == {"viewerAccessType": "NONE", "partnerAdmins": []}
    assert data["partner"] == {"problems": {"nodes": [{"hubId": str(story.client.hub_id)}]}, "mine": {"nodes": []}}


async def test_f09_who_is_not_verified_any_more_has_no_authority(factory: Factory) -> None:
    story = await Story.begin(factory)
    former = await factory.member(story.partner, verified=False)
    await factory.partner_admin(story.client, former)
    told = await (await story.as_member(former)).grant(
        await factory.member(story.partner), permissions({"contacts.view": "ALL"})
    )
    assert told.verdict == ("REJECTED", "NOT_PARTNER_ADMIN")


async def test_f54_nobody_is_taken_out_of_a_team_that_the_actor_is_not_in(factory: Factory) -> None:
    story = await Story.begin(factory)
    mine, theirs = await factory.team(story.client), await factory.team(story.client)
    lead = await factory.member(story.partner)
    await factory.partner_admin(story.client, lead, without=("teams.edit",), teams=[mine])
    leading = await story.as_member(lead)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"}, teams=[theirs])
    moved = {"targets": product([person], [story.client]), "teams": [{"team": node_id(mine)}]}
    (told,) = await leading.outcomes("assignTeams", **moved)
    assert told.verdict == ("REJECTED", "TEAM_NOT_HELD")
    (told,) = await story.outcomes("assignTeams", **moved)
    assert told.verdict == APPLIED


async def test_f13_who_is_given_back_what_was_taken_is_not_customised_any_more(factory: Factory) -> None:
    story = await Story.begin(factory)
    template = await factory.permission_set(story.partner, {"contacts.view": "ALL", "deals.view": "ALL"})
    person = await factory.member(story.partner)
    await story.grant(person, {"permissionSet": node_id(template)})
    assert (await story.change(person, permissions({"contacts.view": "ALL"}))).grant["customised"]
    whole = await story.change(person, permissions({"contacts.view": "ALL", "deals.view": "ALL"}))
    assert not whole.grant["customised"]
    assert (await story.change(person, {"permissionSet": node_id(template)})).verdict == NO_CHANGE


@pytest.mark.parametrize("which", ["unknown", "garbage", "of another client", "of another partner"])
async def test_p03_a_version_that_checks_nothing_is_refused(factory: Factory, which: str) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"})
    elsewhere = await factory.grant(await factory.client(story.partner), person, {"contacts.view": "ALL"})
    foreign = await factory.partner()
    theirs = await factory.grant(await factory.client(foreign), await factory.member(foreign), {"contacts.view": "ALL"})
    grant = {
        "unknown": encode("Grant", 10**12),
        "garbage": "garbage",
        "of another client": node_id(elsewhere),
        "of another partner": node_id(theirs),
    }[which]
    (refusal,) = await story.refusals(
        "changeAccess",
        targets=product([person], [story.client]),
        access=permissions({"deals.view": "ALL"}),
        expectedVersions=[{"grant": grant, "version": 1}],
    )
    assert refusal["code"] == "NOT_FOUND"
    assert refusal["field"] == ["input", "expectedVersions", "0", "grant"]


async def test_p03_a_version_of_a_grant_that_no_pair_names_is_refused_and_two_for_one_grant_too(
    factory: Factory,
) -> None:
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    first, second = await factory.members(story.partner, 2)
    crossed = await factory.grant(other, first, {"contacts.view": "ALL"})
    named = await factory.grant(story.client, first, {"contacts.view": "ALL"})
    await factory.grant(other, second, {"contacts.view": "ALL"})
    values = {"targets": pairs((first, story.client), (second, other)), "access": permissions({"deals.view": "ALL"})}
    (refusal,) = await story.refusals(
        "changeAccess", **values, expectedVersions=[{"grant": node_id(crossed), "version": 9}]
    )
    assert refusal["code"] == "NOT_FOUND"
    twice = [{"grant": node_id(named), "version": version} for version in (9, 1)]
    (refusal,) = await story.refusals("changeAccess", **values, expectedVersions=twice)
    assert (refusal["code"], refusal["field"][2]) == ("INVALID_INPUT", "1")


async def test_p12_reapplying_a_built_in_set_is_for_one_partner_of_several(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.partner()
    await factory.member(other, user=story.actor)
    both = await story.as_member(story.actor)
    template = await factory.built_in_set("marketing")
    (refusal,) = await both.refusals("reapplyPermissionSet", permissionSet=node_id(template))
    assert refusal["field"] == ["input", "partner"]
    named = {"permissionSet": node_id(template), "partner": node_id(story.partner)}
    assert await both.outcomes("reapplyPermissionSet", **named) == []


async def test_f02_who_lost_the_right_while_the_request_waited_is_refused(factory: Factory) -> None:
    story = await Story.begin(factory)
    async with story.database.write() as session:
        connection = await session.connection()
        await connection.execute(update(members).where(members.c.id == story.actor.id).values(manager_rights="NONE"))
    made = await story.run(
        """mutation { createPermissionSet(input: { name: "Late", permissions: [] }) { userErrors { code message } } }"""
    )
    (refusal,) = made[0]["createPermissionSet"]["userErrors"]
    assert refusal["code"] == "FORBIDDEN"
    assert "in the meantime" in refusal["message"]
    person = await factory.member(story.partner)
    told = await story.grant(person, permissions({"contacts.view": "ALL"}))
    assert told.verdict == ("REJECTED", "NOT_PARTNER_ADMIN")


async def test_e27_the_teams_that_a_copy_leaves_out_are_named(factory: Factory) -> None:
    story = await Story.begin(factory)
    source_client = await factory.client(story.partner)
    await story.admin(source_client)
    team = await factory.team(source_client)
    source = await factory.grant(
        source_client, await factory.member(story.partner), {"contacts.view": "ALL"}, teams=[team]
    )
    query = """mutation($input: GrantAccessInput!) { grantAccess(input: $input) {
      operation { outcomes { nodes { status droppedTeams { id } } } } } }"""
    values = {
        "targets": product([await factory.member(story.partner)], [story.client]),
        "access": {"copyFrom": node_id(source)},
    }
    for dry_run in (True, False):
        data, codes = await story.run(query, input={**values, "options": {"dryRun": dry_run}})
        assert codes == []
        told = data["grantAccess"]["operation"]["outcomes"]["nodes"]
        assert told == [{"status": "APPLIED", "droppedTeams": [{"id": node_id(team)}]}]


async def test_a_copy_does_not_remember_a_set_that_nobody_is_given_any_more(factory: Factory) -> None:
    story = await Story.begin(factory)
    archived = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, archived=True)
    source = await factory.grant(story.client, await factory.member(story.partner), permission_set=archived)
    told = await story.grant(await factory.member(story.partner), {"copyFrom": node_id(source)})
    assert told.held == {"contacts.view": "ALL"}
    assert told.grant["permissionSet"] is None


async def test_f55_the_timeline_has_seat_set_expiry_and_teams_before_and_after(factory: Factory) -> None:
    story = await Story.begin(factory)
    first, second = await factory.team(story.client), await factory.team(story.client)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"}, seat=Seat.CORE, expires_at=SOON, teams=[first])
    template = await factory.permission_set(story.partner, {"contacts.view": "ALL", "deals.view": "ALL"})
    told = await story.change(
        person,
        {"permissionSet": node_id(template)},
        seat="SALES",
        expiresAt=LATER.isoformat(),
        teams=[{"team": node_id(second), "primary": True}],
    )
    assert told.verdict == APPLIED
    async with story.database.read() as connection:
        newest = select(timeline_entries).order_by(timeline_entries.c.id.desc()).limit(1)
        entry: Any = (await connection.execute(newest)).one()
    assert (entry.before_seat, entry.after_seat) == ("CORE", "SALES")
    assert (entry.before_set_version_id, entry.after_set_version_id) == (None, template.version_id)
    assert (entry.before_expires_at, entry.after_expires_at) == (SOON, LATER)
    assert (entry.before_teams, entry.after_teams) == (f"{first.id}*", f"{second.id}*")


async def test_t1_naming_a_hub_id_opens_nothing_of_an_account(factory: Factory) -> None:
    """Teams and the account's own sets are for those whom the account has let in."""
    story = await Story.begin(factory)
    other = await factory.partner()
    boss = await factory.member(other)
    await factory.client(other, account=story.client.account)
    await factory.team(story.client)
    await factory.permission_set(story.client.account, {"contacts.view": "ALL"})
    read = "query($hub: String!) { client(by: { hubId: $hub }) { teams { id } permissionSets { origin } } }"
    hub = str(story.client.hub_id)
    (inside, _), (outside, _) = await story.run(read, hub=hub), await (await story.as_member(boss)).run(read, hub=hub)
    assert len(inside["client"]["teams"]) == 1
    assert outside["client"]["teams"] == []
    assert {"origin": "CLIENT"} in inside["client"]["permissionSets"]
    assert {"origin": "CLIENT"} not in outside["client"]["permissionSets"]


async def test_a_hub_id_of_thousands_of_digits_is_unknown(factory: Factory) -> None:
    story = await Story.begin(factory)
    data, codes = await story.run("query($hub: String!) { client(by: { hubId: $hub }) { id } }", hub="1" * 5_000)
    assert (data, codes) == ({"client": None}, [])


async def test_r22_one_header_is_not_shared_by_two_mutations_in_a_fragment(factory: Factory) -> None:
    story = await Story.begin(factory)
    query = """mutation { ...Both } fragment Both on Mutation {
      a: createPermissionSet(input: { name: "A", permissions: [] }) { userErrors { code } }
      b: createPermissionSet(input: { name: "B", permissions: [] }) { userErrors { code } }
    }"""
    data, codes = await story.run(query, header="k1")
    assert (data, set(codes)) == (None, {"BAD_INPUT"})
