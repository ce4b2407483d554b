"""Every source of the requested access (F13, F49 to F51), teams (F54) and expiries."""

import pytest

from models.grant import AccessType, GrantStatus
from models.permission.catalogue import catalogue
from tests.api.write_story import APPLIED, NO_CHANGE, Story, levels_of, node_id, permissions, product
from tests.factory import Factory

CONTACTS = permissions({"contacts.view": "ALL"})


async def test_a_set_gives_its_present_version_and_is_remembered(factory: Factory) -> None:
    story = await Story.begin(factory)
    first = await factory.permission_set(story.partner, {"contacts.view": "ALL"})
    second = await factory.new_version(first, {"contacts.view": "TEAM", "deals.view": "ALL"})
    told = await story.grant(await factory.member(story.partner), {"permissionSet": node_id(first)})
    assert told.held == levels_of(second.state)
    assert told.grant["permissionSet"] == {"id": node_id(first)}
    assert (told.grant["permissionSetVersion"], told.grant["customised"], told.grant["outdated"]) == (2, False, False)


async def test_f49_a_clients_own_set_is_for_that_client_only(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    own = await factory.permission_set(story.client.account, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    told = await story.outcomes(
        "grantAccess", targets=product([person], [story.client, other]), access={"permissionSet": node_id(own)}
    )
    assert [outcome.verdict for outcome in told] == [APPLIED, ("REJECTED", "NO_PERMISSION_SET")]
    copied = await story.outcomes(
        "grantAccess",
        targets=product([await factory.member(story.partner)], [other, story.client]),
        access={"copyFrom": told[0].grant["id"]},
    )
    assert [outcome.held for outcome in copied] == [{"contacts.view": "ALL"}] * 2
    assert [outcome.grant["permissionSet"] for outcome in copied] == [None, {"id": node_id(own)}]


async def test_an_archived_set_cannot_be_given(factory: Factory) -> None:
    story = await Story.begin(factory)
    archived = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, archived=True)
    targets = product([await factory.member(story.partner)], [story.client])
    (refusal,) = await story.refusals("grantAccess", targets=targets, access={"permissionSet": node_id(archived)})
    assert refusal["code"] == "NOT_FOUND"


async def test_of_a_permission_named_twice_the_higher_level_counts(factory: Factory) -> None:
    story = await Story.begin(factory)
    twice = [{"permission": "deals.view", "level": level} for level in ("OWNED", "ALL", "TEAM")]
    told = await story.grant(await factory.member(story.partner), {"permissions": twice})
    assert told.held == {"deals.view": "ALL"}


async def test_f50_a_copy_takes_permissions_set_and_teams(factory: Factory) -> None:
    """Whether the source is customised and deactivated or not; a removed grant is no source any more."""
    story = await Story.begin(factory)
    team = await factory.team(story.client)
    template = await factory.permission_set(story.partner, {"contacts.view": "ALL", "deals.view": "ALL"})
    source = await factory.grant(
        story.client,
        await factory.member(story.partner),
        {"contacts.view": "ALL"},
        permission_set=template,
        status=GrantStatus.DEACTIVATED,
        teams=[team],
    )
    first, second, third = await factory.members(story.partner, 3)
    told = await story.grant(first, {"copyFrom": node_id(source)})
    assert told.held == {"contacts.view": "ALL"}
    assert told.grant["permissionSet"] == {"id": node_id(template)}
    assert told.grant["customised"]
    assert told.grant["teams"] == [{"primary": True, "team": {"id": node_id(team)}}]
    assert told.grant["status"] == "ACTIVE"
    without_teams = await story.grant(second, {"copyFrom": node_id(source)}, teams=[])
    assert without_teams.grant["teams"] == []
    await factory.move(source, GrantStatus.REMOVED)
    (refusal,) = await story.refusals(
        "grantAccess", targets=product([third], [story.client]), access={"copyFrom": node_id(source)}
    )
    assert refusal["code"] == "NOT_FOUND"


async def test_f50_a_copy_is_bounded_like_any_request(factory: Factory) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    source = await factory.partner_admin(story.client, await factory.member(story.partner))
    told = await story.grant(await factory.member(story.partner), {"copyFrom": node_id(source)})
    assert told.held == {"contacts.view": "ALL"}
    assert told.grant["accessType"] == "STANDARD"
    assert "partner_admin" in told.withheld


async def test_f50_a_super_admin_is_not_copied(factory: Factory) -> None:
    story = await Story.begin(factory)
    source = await factory.super_admin(story.client, await factory.member(story.partner))
    targets = product([await factory.member(story.partner)], [story.client])
    (refusal,) = await story.refusals("grantAccess", targets=targets, access={"copyFrom": node_id(source)})
    assert refusal["code"] == "SOURCE_IS_SUPER_ADMIN"
    assert "copy from a partner admin" in refusal["message"]


async def test_f51_each_gets_their_own_default_set(factory: Factory) -> None:
    """Its present version; without one NO_PERMISSION_SET, and the others are not affected."""
    story = await Story.begin(factory)
    marketing = await factory.built_in_set("marketing")
    ours = await factory.permission_set(story.partner, {"contacts.view": "ALL"})
    newer = await factory.new_version(ours, {"deals.view": "ALL"})
    first, second, third, fourth = await factory.members(story.partner, 4)
    for person, permission_set in ((first, marketing), (second, ours), (fourth, ours)):
        await story.set_default(person, permission_set)
    await story.set_default(fourth, None)
    people = [first, second, third, fourth]
    told = await story.outcomes("grantAccess", targets=product(people, [story.client]), access={"defaultSet": True})
    assert [outcome.verdict for outcome in told] == [APPLIED, APPLIED, *[("REJECTED", "NO_PERMISSION_SET")] * 2]
    assert told[0].grant["permissionSet"] == {"id": node_id(marketing)}
    assert told[1].held == levels_of(newer.state)
    assert told[1].grant["permissionSetVersion"] == 2
    assert "give the person a default set" in told[2].node["message"]


async def test_f54_one_primary_team_and_others_besides(factory: Factory) -> None:
    """Teams of another client mean nothing here, and assigning says exactly which teams a person is in."""
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    north, south, east, elsewhere = [await factory.team(c) for c in (story.client, story.client, story.client, other)]
    person = await factory.member(story.partner)
    teams = [{"team": node_id(south)}, {"team": node_id(north), "primary": True}, {"team": node_id(elsewhere)}]
    told = await story.outcomes(
        "grantAccess", targets=product([person], [story.client, other]), access=CONTACTS, teams=teams
    )
    assert [outcome.grant["teams"] for outcome in told] == [
        [{"primary": True, "team": {"id": node_id(north)}}, {"primary": False, "team": {"id": node_id(south)}}],
        [{"primary": False, "team": {"id": node_id(elsewhere)}}],
    ]
    again = await story.outcomes("assignTeams", targets=product([person], [story.client, other]), teams=teams)
    assert [outcome.verdict for outcome in again] == [NO_CHANGE] * 2
    moved = await story.outcomes(
        "assignTeams",
        targets=product([person], [story.client, other]),
        teams=[{"team": node_id(east), "primary": True}],
    )
    assert [outcome.verdict for outcome in moved] == [APPLIED, NO_CHANGE]
    assert moved[0].grant["teams"] == [{"primary": True, "team": {"id": node_id(east)}}]
    assert moved[0].grant["version"] == 2
    assert moved[0].held == {"contacts.view": "ALL"}
    assert moved[1].grant["teams"] == [{"primary": False, "team": {"id": node_id(elsewhere)}}]


@pytest.mark.parametrize("field", ["assignTeams", "changeAccess"])
async def test_f54_an_empty_list_takes_people_out_of_all_teams(factory: Factory, field: str) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    own = await factory.team(story.client)
    await factory.grant(story.client, person, {"contacts.view": "ALL"}, teams=[own])
    targets = product([person], [story.client])
    (told,) = await story.outcomes(field, targets=targets, teams=[])
    assert told.verdict == APPLIED
    assert (told.grant["teams"], told.held) == ([], {"contacts.view": "ALL"})
    (told,) = await story.outcomes(field, targets=targets, teams=[])
    assert told.verdict == NO_CHANGE


async def test_assigning_teams_touches_neither_strangers_nor_super_admins(factory: Factory) -> None:
    story = await Story.begin(factory)
    nobody, admin = await factory.members(story.partner, 2)
    await factory.super_admin(story.client, admin)
    told = await story.outcomes(
        "assignTeams",
        targets=product([nobody, admin], [story.client]),
        teams=[{"team": node_id(await factory.team(story.client))}],
    )
    assert [outcome.verdict for outcome in told] == [("REJECTED", "NOT_FOUND"), ("REJECTED", "TARGET_IS_SUPER_ADMIN")]


async def test_an_expiry_is_set_kept_and_cleared(factory: Factory) -> None:
    """P04: null means never, and leaving it out leaves it alone."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    told = await story.grant(person, CONTACTS, expiresAt="2199-01-01T00:00:00Z")
    assert told.grant["expiresAt"] == "2199-01-01T00:00:00Z"
    told = await story.change(person, permissions({"deals.view": "ALL"}))
    assert told.grant["expiresAt"] == "2199-01-01T00:00:00Z"
    told = await story.change(person, expiresAt="2200-01-01T01:00:00+01:00")
    assert told.grant["expiresAt"] == "2200-01-01T00:00:00Z"
    assert (await story.change(person, expiresAt="2200-01-01T00:00:00Z")).verdict == NO_CHANGE
    told = await story.change(person, expiresAt=None)
    assert (told.grant["expiresAt"], told.grant["version"]) == (None, 4)


@pytest.mark.parametrize("seat", ["CORE", "SALES", "SERVICE", "VIEW_ONLY"])
async def test_a_seat_alone_can_be_changed(factory: Factory, seat: str) -> None:
    story = await Story.begin(factory)
    person, admin = await factory.members(story.partner, 2)
    await factory.grant(story.client, person, {"contacts.view": "ALL"}, access_type=AccessType.STANDARD)
    await factory.partner_admin(story.client, admin)
    told = await story.outcomes("changeAccess", targets=product([person, admin], [story.client]), seat=seat)
    assert [outcome.verdict for outcome in told] == [APPLIED, ("REJECTED", "SEAT_NOT_ELIGIBLE")]
    assert (told[0].grant["seat"], told[0].held) == (seat, {"contacts.view": "ALL"})


async def test_the_bounded_rule_holds_for_a_state_that_is_not_closed_any_more(factory: Factory) -> None:
    """A grant from before a requirement was added to the catalogue counts for what of it is closed."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, catalogue.state({"contacts.edit": "ALL", "deals.view": "ALL"}))
    told = await story.change(person, CONTACTS)
    assert told.verdict == APPLIED
    assert told.held == {"contacts.view": "ALL"}
    assert told.revoked == {"deals.view": "ALL"}
