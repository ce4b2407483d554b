"""The worked examples of the bounded rule, each through the API on both databases; a test is named for each.

E1 E2 E3 E4 E5 E6 E7 E8 E9 E10 E11 E12 E13 E14 E15 E16 E17 E18 E19 E20 E21 E22 E23 E24 E26 E27
"""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from models.account import accounts
from models.client import clients
from models.grant import AccessType, GrantStatus, Seat, grants
from models.operation import operations
from models.permission.built_in import BUILT_IN_SETS, PARTNER_ADMIN_SET, BuiltInSet
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from models.table import now
from models.timeline_entry import timeline_entries
from resolvers.interning import publish_catalogue
from schema.node import decode_key
from tests.api.write_story import (
    ADMIN_REPORTS,
    APPLIED,
    NO_CHANGE,
    Story,
    levels_of,
    living_grants,
    node_id,
    permissions,
    product,
)
from tests.factory import MOMENT, Factory

NOTHING = permissions({})


async def test_e1_what_the_actor_lacks_is_withheld(factory: Factory) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    told = await story.grant(person, permissions({"contacts.view": "ALL", "reports.view": "ALL"}))
    assert told.verdict == APPLIED
    assert told.held == told.granted == {"contacts.view": "ALL"}
    assert told.withheld == {"reports.view": "ALL"}
    assert told.retained == {}


async def test_e2_what_the_actor_lacks_is_not_taken(factory: Factory) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"reports.view": "ALL"})
    told = await story.change(person, NOTHING)
    assert told.verdict == NO_CHANGE
    assert told.retained == {"reports.view": ("ALL", "ACTOR_LACKS_IT")}
    assert told.held == {"reports.view": "ALL"}


async def test_e3_of_a_level_the_actors_own_part_is_given(factory: Factory) -> None:
    story = await Story.begin(factory, {"deals.view": "TEAM"})
    told = await story.grant(await factory.member(story.partner), permissions({"deals.view": "ALL"}))
    assert told.held == told.granted == {"deals.view": "TEAM"}
    assert told.withheld == {"deals.view": "TEAM<ALL"}


@pytest.mark.parametrize(
    ("requested", "required"),
    [("NONE", [("NONE", "TEAM")]), ("OWNED", [("OWNED", "TEAM")]), ("TEAM", [])],
)
async def test_e4_above_the_actor_nothing_moves(
    factory: Factory, requested: str, required: list[tuple[str, str]]
) -> None:
    """ALL stays because the actor lacks it, and the lower levels because ALL contains them."""
    story = await Story.begin(factory, {"deals.view": "TEAM"})
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"deals.view": "ALL"})
    told = await story.change(person, permissions({"deals.view": requested}))
    assert told.verdict == NO_CHANGE
    assert told.held == {"deals.view": "ALL"}
    retained = [(at["reason"], at["above"], at["level"]) for at in told.node["retained"]]
    below = [("REQUIRED_BY_RETAINED", *at) for at in required]
    assert retained == [("ACTOR_LACKS_IT", "TEAM", "ALL"), *below]


async def test_e5_below_the_actor_all_can_be_taken(factory: Factory) -> None:
    story = await Story.begin(factory, {"deals.view": "TEAM"})
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"deals.view": "OWNED"})
    told = await story.change(person, permissions({"deals.view": "NONE"}))
    assert told.verdict == APPLIED
    assert told.revoked == {"deals.view": "OWNED"}
    assert told.held == {}


async def test_e6_another_team_needs_the_right_to_edit_teams(factory: Factory) -> None:
    """F54: at TEAM level another team means other records."""
    story = await Story.begin(factory)
    own, other = await factory.team(story.client), await factory.team(story.client)
    person = await factory.member(story.partner)
    plain = await factory.member(story.partner)
    grant = await factory.grant(
        story.client, plain, {"deals.view": "TEAM"}, access_type=AccessType.PARTNER_ADMIN, teams=[own]
    )
    lesser = await story.as_member(plain)
    asked = permissions({"deals.view": "TEAM"})
    told = await lesser.grant(person, asked, teams=[{"team": node_id(other)}])
    assert told.verdict == ("REJECTED", "TEAM_NOT_HELD")
    assert "right to edit teams" in told.node["message"]
    told = await lesser.grant(person, asked, teams=[{"team": node_id(own), "primary": True}])
    assert told.verdict == APPLIED
    assert told.grant["teams"] == [{"primary": True, "team": {"id": node_id(own)}}]
    with_right = await factory.state({"deals.view": "TEAM", "teams.edit": "ALL"})
    async with factory.database.write() as session:
        connection = await session.connection()
        await connection.execute(update(grants).where(grants.c.id == grant.id).values(state_id=with_right))
    (told,) = await lesser.outcomes(
        "assignTeams", targets=product([person], [story.client]), teams=[{"team": node_id(other)}]
    )
    assert told.verdict == APPLIED
    assert told.grant["teams"] == [{"primary": False, "team": {"id": node_id(other)}}]


async def test_e7_what_stays_keeps_what_it_requires(factory: Factory) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.edit": "ALL"})
    told = await story.change(person, NOTHING)
    assert told.verdict == NO_CHANGE
    assert told.retained == {
        "contacts.edit": ("ALL", "ACTOR_LACKS_IT"),
        "contacts.view": ("ALL", "REQUIRED_BY_RETAINED"),
    }


async def test_e8_authority_over_an_edit_without_its_view_is_none(factory: Factory) -> None:
    """The largest closed subset is empty there."""
    story = await Story.begin(factory, catalogue.state({"contacts.edit": "ALL"}))
    asked = {"contacts.view": "ALL", "contacts.edit": "ALL"}
    told = await story.grant(await factory.member(story.partner), permissions(asked))
    assert told.verdict == NO_CHANGE
    assert told.node["grant"] is None
    assert told.granted == {}
    assert told.withheld == asked


async def test_e9_billing_is_not_in_the_partner_admin_set(factory: Factory) -> None:
    story = await Story.begin(factory)
    asked = PARTNER_ADMIN_SET.state | catalogue.state({"billing": "ALL"})
    told = await story.grant(await factory.member(story.partner), permissions(asked))
    assert told.withheld == {"billing": "ALL"}
    assert told.held == levels_of(PARTNER_ADMIN_SET.state)
    assert told.grant["accessType"] == "PARTNER_ADMIN"


async def test_e10_billing_can_be_given_by_who_kept_it(factory: Factory) -> None:
    story = await Story.begin(factory, PARTNER_ADMIN_SET.state | catalogue.state({"billing": "ALL"}))
    template = await factory.permission_set(story.partner, {"billing": "ALL"})
    told = await story.grant(await factory.member(story.partner), {"permissionSet": node_id(template)})
    assert told.held == {"billing": "ALL"}
    assert [at["permission"] for at in told.node["granted"]] == [{"key": "billing", "sensitive": True}]


async def test_e11_billing_stays_where_the_actor_lacks_it(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"billing": "ALL"})
    told = await story.change(person, {"permissionSet": node_id(await factory.built_in_set())})
    assert told.retained == {"billing": ("ALL", "ACTOR_LACKS_IT")}
    assert told.held == levels_of(PARTNER_ADMIN_SET.state) | {"billing": "ALL"}
    assert told.grant["customised"]


async def test_e12_a_never_delegable_key_is_refused(factory: Factory) -> None:
    """Also where the actor's own state has it."""
    story = await Story.begin(factory, catalogue.everything)
    targets = product([await factory.member(story.partner)], [story.client])
    for key in levels_of(catalogue.never_delegable):
        (refusal,) = await story.refusals("grantAccess", targets=targets, access=permissions({key: "ALL"}))
        assert refusal["code"] == "NON_DELEGABLE"
        assert refusal["field"] == ["input", "access", "permissions", "0", "permission"]


async def test_e13_a_partner_admin_without_reports_makes_one_without_reports(factory: Factory) -> None:
    story = await Story.begin(factory, held={"without": ADMIN_REPORTS})
    told = await story.grant(
        await factory.member(story.partner), {"permissionSet": node_id(await factory.built_in_set())}
    )
    assert told.grant["accessType"] == "PARTNER_ADMIN"
    assert told.grant["customised"]
    assert not told.held.keys() & set(ADMIN_REPORTS)
    assert told.withheld.keys() == levels_of(PARTNER_ADMIN_SET.state).keys() - told.held.keys()
    assert told.withheld.keys() >= {"reports.view", "reports.edit", "dashboards.view"}


async def test_e14_a_template_without_the_permission_makes_a_partner_admin_standard(factory: Factory) -> None:
    """The seat stays; taking out the last one is the lockout guard's (N04)."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.partner_admin(story.client, person)
    marketing = {"permissionSet": node_id(await factory.built_in_set("marketing"))}
    told = await story.change(person, marketing)
    assert told.verdict == APPLIED
    assert (told.grant["accessType"], told.grant["seat"]) == ("STANDARD", "PARTNER")
    assert "partner_admin" in told.revoked
    told = await story.change(story.actor, marketing, options={"includeSelf": True})
    assert told.verdict == ("REJECTED", "WOULD_LOCK_OUT")
    assert "acceptLockout: true" in told.node["message"]
    assert told.revoked == {}
    told = await story.change(story.actor, marketing, options={"includeSelf": True, "acceptLockout": True})
    assert told.verdict == APPLIED
    assert told.grant["accessType"] == "STANDARD"


async def test_e15_a_former_partner_admin_does_nothing(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    former = []
    for status in (GrantStatus.DEACTIVATED, GrantStatus.REMOVED):
        place = await factory.client(story.partner)
        await factory.move(await story.admin(place), status)
        former.append(place)
    former.append(await factory.client(story.partner))
    await story.admin(former[-1], expires_at=MOMENT.replace(year=2020))
    former.append(await factory.client(story.partner))
    await factory.grant(former[-1], story.actor, PARTNER_ADMIN_SET.state & ~catalogue.partner_admin)
    access = permissions({"contacts.view": "ALL"})
    told = await story.outcomes("grantAccess", targets=product([person], former), access=access)
    assert [outcome.verdict for outcome in told] == [("REJECTED", "NOT_PARTNER_ADMIN")] * 4
    assert [outcome.withheld for outcome in told] == [{"contacts.view": "ALL"}] * 4
    assert all(row.member_id != person.id for row in await living_grants(factory.database))


async def test_e16_cells_are_independent(factory: Factory) -> None:
    """Partner admin in the first, only super admin in the second (F04), nothing in the third."""
    story = await Story.begin(factory)
    second, third = await factory.clients(story.partner, 2)
    await factory.super_admin(second, story.actor)
    people = await factory.members(story.partner, 2)
    bystander = await factory.grant(third, await factory.member(story.partner), {"contacts.view": "ALL"})
    told = await story.outcomes(
        "grantAccess",
        targets=product(people, [story.client, second, third]),
        access=permissions({"contacts.view": "ALL"}),
    )
    assert [outcome.verdict for outcome in told] == [APPLIED] * 2 + [("REJECTED", "NOT_PARTNER_ADMIN")] * 4
    new = {(row.member_id, row.client_id) for row in await living_grants(factory.database)}
    assert {(person.id, story.client.id) for person in people} <= new
    (same,) = [row for row in await living_grants(factory.database) if row.id == bystander.id]
    assert (same.state_id, same.version) == (bystander.state_id, 1)
    assert len(new) == 5


async def test_e17_named_twice_is_one_outcome(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    told = await story.outcomes(
        "grantAccess",
        targets=product([person, person], [story.client, story.client, story.client]),
        access=permissions({"contacts.view": "ALL"}),
    )
    assert [outcome.verdict for outcome in told] == [APPLIED]


async def test_e18_changing_oneself_never_gives_more(factory: Factory) -> None:
    story = await Story.begin(factory)
    everything = catalogue.delegable
    told = await story.change(story.actor, permissions(everything), options={"includeSelf": True})
    assert told.verdict == NO_CHANGE
    assert told.held == levels_of(PARTNER_ADMIN_SET.state)
    assert told.withheld == levels_of(everything & ~PARTNER_ADMIN_SET.state)


@pytest.mark.parametrize("first", [0, 1])
async def test_e19_each_takes_only_what_they_have(factory: Factory, first: int) -> None:
    story = await Story.begin(factory, {"traffic.view": "ALL"})
    colleague = await factory.member(story.partner)
    await factory.grant(story.client, colleague, {"files.edit": "ALL"}, access_type=AccessType.PARTNER_ADMIN)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"traffic.view": "ALL", "files.edit": "ALL"})
    two = [(story, "files.edit"), (await story.as_member(colleague), "traffic.view")]
    (actor, others), (last, _) = two[first], two[1 - first]
    assert (await actor.change(person, NOTHING)).held == {others: "ALL"}
    assert (await last.change(person, NOTHING)).held == {}


async def test_e20_a_product_the_client_lacks_is_stored_and_noted(factory: Factory) -> None:
    """NOT_IN_TIER: stored, effective level NONE until the client has the product (F11)."""
    story = await Story.begin(factory, tiers="")
    told = await story.grant(await factory.member(story.partner), permissions({"workflows.view": "ALL"}))
    assert told.verdict == APPLIED
    assert [(at["level"], at["effectiveLevel"]) for at in told.grant["permissions"]] == [("ALL", "NONE")]
    assert [at["permission"]["key"] for at in told.node["notInTier"]] == ["workflows.view"]
    async with factory.database.write() as session:
        connection = await session.connection()
        await connection.execute(update(accounts).values(tiers="MARKETING_PROFESSIONAL"))
    assert await story.levels(told, "effectiveLevel") == {"workflows.view": "ALL"}


async def test_e21_present_partner_admins_gain_a_new_key(factory: Factory) -> None:
    """One timeline entry each, by the system; the others do not gain it."""
    older = catalogue.largest_closed_subset(PARTNER_ADMIN_SET.state & ~catalogue.state({"sandboxes": "ALL"}))
    before = [
        BuiltInSet(s.key, s.name, s.description, older if s.is_partner_admin else s.state, s.is_partner_admin)
        for s in BUILT_IN_SETS
    ]
    async with factory.database.write() as session:
        await publish_catalogue(await session.connection(), before)
    story = await Story.begin(factory, older, held={"permission_set": await factory.built_in_set()})
    admin, plain = await factory.members(story.partner, 2)
    later = now() + timedelta(days=9)
    made = await story.grant(
        admin, {"permissionSet": node_id(await factory.built_in_set())}, expiresAt=later.isoformat()
    )
    other = await story.grant(plain, permissions({"contacts.view": "ALL"}))
    length = await story.timeline_length()
    async with factory.database.write() as session:
        await publish_catalogue(await session.connection())
    for told, gains in ((made, True), (other, False)):
        assert ("sandboxes" in await story.levels(told)) is gains
    async with factory.database.read() as connection:
        entries = await connection.execute(
            select(operations.c.requested_by_id)
            .join(timeline_entries, timeline_entries.c.operation_id == operations.c.id)
            .order_by(timeline_entries.c.id.desc())
        )
        by = entries.scalars().all()
        kept = await connection.execute(
            select(
                timeline_entries.c.before_expires_at,
                timeline_entries.c.after_expires_at,
                timeline_entries.c.before_seat,
            )
            .where(timeline_entries.c.grant_id == decode_key(made.grant["id"], "Grant"))
            .order_by(timeline_entries.c.id.desc())
        )
        assert tuple(kept.first() or ()) == (later, later, Seat.PARTNER)
    assert len(by) == length + 2
    assert set(by[:2]) == {None}


async def test_e22_a_key_that_left_the_catalogue_is_ignored(factory: Factory) -> None:
    """History keeps it: the state is a row of its own, and the change makes another."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    grant = await factory.grant(story.client, person, {"contacts.view": "ALL"})
    content = "contacts.view:ALL fax.send:ALL"
    async with factory.database.write() as session:
        connection = await session.connection()
        await connection.execute(
            update(permission_states).where(permission_states.c.id == grant.state_id).values(content=content)
        )
    told = await story.change(person, permissions({"contacts.view": "ALL"}))
    assert told.verdict == NO_CHANGE
    assert told.held == {"contacts.view": "ALL"}
    told = await story.change(person, permissions({"deals.view": "ALL"}))
    assert told.held == {"deals.view": "ALL"}
    assert told.revoked == {"contacts.view": "ALL"}
    async with factory.database.read() as connection:
        kept = select(permission_states.c.content).where(permission_states.c.id == grant.state_id)
        assert await connection.scalar(kept) == content


async def test_e23_a_level_that_the_key_lacks_is_refused(factory: Factory) -> None:
    story = await Story.begin(factory)
    targets = product([await factory.member(story.partner)], [story.client])
    (refusal,) = await story.refusals("grantAccess", targets=targets, access=permissions({"export": "TEAM"}))
    assert refusal["code"] == "INVALID_LEVEL"
    assert "choose one of NONE, ALL" in refusal["message"]
    assert refusal["field"] == ["input", "access", "permissions", "0", "level"]


async def test_e24_a_lowered_ceiling_holds_what_is_new_and_leaves_what_is_there(factory: Factory) -> None:
    story = await Story.begin(factory)
    there, new = await factory.members(story.partner, 2)
    asked = {"contacts.view": "ALL", "deals.view": "ALL"}
    await story.grant(there, permissions(asked))
    ceiling = await factory.state({"contacts.view": "ALL"})
    async with factory.database.write() as session:
        connection = await session.connection()
        await connection.execute(update(clients).where(clients.c.id == story.client.id).values(ceiling_id=ceiling))
    held = await story.grant(new, permissions(asked))
    assert held.held == {"contacts.view": "ALL"}
    assert held.withheld == {"deals.view": "ALL"}
    stays = await story.change(there, NOTHING)
    assert stays.held == {"deals.view": "ALL"}
    assert stays.retained == {"deals.view": ("ALL", "ACTOR_LACKS_IT")}


async def test_e26_without_a_change_nothing_is_recorded_of_the_grant(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    access = permissions({"contacts.view": "ALL"})
    first = await story.grant(person, access)
    length = await story.timeline_length()
    for again in (await story.change(person, access), await story.grant(person, access, onExisting="CHANGE")):
        assert again.verdict == NO_CHANGE
        assert again.grant["version"] == first.grant["version"] == 1
    assert await story.timeline_length() == length


async def test_e27_a_copy_drops_what_the_client_lacks(factory: Factory) -> None:
    """F50: keys of products that it does not pay for, and teams that it does not have."""
    story = await Story.begin(factory, tiers="")
    elsewhere = await factory.client(story.partner, tiers="MARKETING_PROFESSIONAL")
    source = await factory.grant(
        elsewhere,
        await factory.member(story.partner),
        {"contacts.view": "ALL", "workflows.edit": "ALL"},
        teams=[await factory.team(elsewhere)],
    )
    told = await story.grant(await factory.member(story.partner), {"copyFrom": node_id(source)})
    assert told.held == {"contacts.view": "ALL"}
    assert told.dropped == {"workflows.view": "ALL", "workflows.edit": "ALL"}
    assert told.withheld == {}
    assert told.grant["teams"] == []
