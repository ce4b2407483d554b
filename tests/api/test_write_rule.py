"""Who may give what to whom: the rules of permissions, admins and seats through the API.

F01, F02, F04, F06, F07, F08, F09, F11, F12, F13, F32, F33
"""

import pytest

from models.grant import AccessType, GrantStatus, Seat
from models.member import ManagerRights, MemberKind, MemberStatus
from models.partner import PartnerProgram
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from tests.api.write_story import (
    ADMIN_REPORTS,
    APPLIED,
    NO_CHANGE,
    Story,
    levels_of,
    node_id,
    permissions,
    product,
)
from tests.factory import Factory

CONTACTS = permissions({"contacts.view": "ALL"})


async def test_f32_f33_a_partner_admin_without_reports(factory: Factory) -> None:
    """Whom they add gets no Reports; who has Reports keeps them; withheld and retained say so."""
    story = await Story.begin(factory, held={"without": ADMIN_REPORTS})
    new, there = await factory.members(story.partner, 2)
    await factory.grant(story.client, there, {"reports.view": "ALL", "dashboards.view": "TEAM", "deals.view": "ALL"})
    added = await story.grant(new, permissions({"contacts.view": "ALL", "reports.view": "ALL"}))
    assert added.verdict == APPLIED
    assert added.held == {"contacts.view": "ALL"}
    assert added.withheld == {"reports.view": "ALL"}
    changed = await story.change(there, CONTACTS)
    assert changed.verdict == APPLIED
    assert changed.held == {"contacts.view": "ALL", "reports.view": "ALL", "dashboards.view": "TEAM"}
    assert changed.retained == {
        "reports.view": ("ALL", "ACTOR_LACKS_IT"),
        "dashboards.view": ("TEAM", "ACTOR_LACKS_IT"),
    }
    assert (changed.granted, changed.revoked) == ({"contacts.view": "ALL"}, {"deals.view": "ALL"})


@pytest.mark.parametrize("field", ["grantAccess", "changeAccess"])
async def test_strict_rejects_what_clamp_carries_out_in_part(factory: Factory, field: str) -> None:
    """EXCEEDS_AUTHORITY names all that would be withheld or retained, and changes nothing."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    if field == "changeAccess":
        await factory.grant(story.client, person, {"reports.view": "ALL"})
    asked = {"targets": product([person], [story.client]), "access": permissions({"deals.view": "TEAM"})}
    (strict,) = await story.outcomes(field, **asked, options={"mode": "STRICT"})
    assert strict.verdict == ("REJECTED", "EXCEEDS_AUTHORITY")
    assert "mode CLAMP" in strict.node["message"]
    assert strict.granted == strict.revoked == {}
    assert strict.withheld == {"deals.view": "TEAM"}
    if field == "changeAccess":
        assert strict.retained == {"reports.view": ("ALL", "ACTOR_LACKS_IT")}
        assert strict.held == {"reports.view": "ALL"}
    within = {**asked, "access": permissions({"contacts.view": "OWNED", "reports.view": "ALL"})}
    (clamp,) = await story.outcomes(field, **within)
    assert clamp.verdict == APPLIED
    assert clamp.held["contacts.view"] == "OWNED"


@pytest.mark.parametrize("field", ["grantAccess", "changeAccess"])
async def test_strict_carries_out_what_lies_within(factory: Factory, field: str) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL", "deals.view": "ALL"})
    person = await factory.member(story.partner)
    if field == "changeAccess":
        await factory.grant(story.client, person, {"deals.view": "ALL"})
    (told,) = await story.outcomes(
        field, targets=product([person], [story.client]), access=CONTACTS, options={"mode": "STRICT"}
    )
    assert told.verdict == APPLIED
    assert told.held == {"contacts.view": "ALL"}


@pytest.mark.parametrize(
    ("program", "rights", "super_admin", "code"),
    [
        (PartnerProgram.NONE, ManagerRights.EDIT, False, "NOT_A_PARTNER"),
        (PartnerProgram.PROVIDER, ManagerRights.VIEW, False, "FORBIDDEN"),
        (PartnerProgram.PROVIDER, ManagerRights.NONE, False, "FORBIDDEN"),
        (PartnerProgram.PROVIDER, ManagerRights.NONE, True, None),
        (PartnerProgram.SOLUTIONS_PARTNER, ManagerRights.EDIT, False, None),
    ],
)
async def test_f01_f02_program_and_right_open_the_door(
    factory: Factory, program: PartnerProgram, rights: ManagerRights, *, super_admin: bool, code: str | None
) -> None:
    """Even a partner admin needs EDIT in the manager, in a partner of an eligible program."""
    partner = await factory.partner(program=program)
    actor = await factory.member(partner, manager_rights=rights, super_admin=super_admin)
    person, client = await factory.member(partner), await factory.client(partner)
    await factory.partner_admin(client, actor)
    story = await Story(factory, partner, actor, client, None).as_member(actor)
    asked = {"targets": product([person], [client]), "access": CONTACTS}
    if code is None:
        (told,) = await story.outcomes("grantAccess", **asked)
        assert told.verdict == APPLIED
        return
    (refusal,) = await story.refusals("grantAccess", **asked)
    assert refusal["code"] == code
    assert refusal["__typename"] == "AuthorityError"


async def test_without_a_token_or_the_scope_nothing_is_written(factory: Factory) -> None:
    story = await Story.begin(factory)
    asked = {"targets": product([await factory.member(story.partner)], [story.client]), "access": CONTACTS}
    query = "mutation($input: GrantAccessInput!) { grantAccess(input: $input) { userErrors { code } } }"
    reader = await story.as_member(story.actor, "read")
    before = await story.counts()
    assert (await reader.run(query, input=asked))[1] == ["FORBIDDEN"]
    nobody = Story(factory, story.partner, story.actor, story.client, None)
    assert (await nobody.run(query, input=asked))[1] == ["UNAUTHENTICATED"]
    assert await story.counts() == before


async def test_f06_the_partner_admin_set_is_given_to_new_and_present_people(factory: Factory) -> None:
    """F08, F12: the permission in it makes the access type, and the seat becomes PARTNER by itself."""
    story = await Story.begin(factory)
    new, present = await factory.members(story.partner, 2)
    await factory.grant(story.client, present, {"contacts.view": "ALL"}, seat=Seat.SALES)
    built_in = {"permissionSet": node_id(await factory.built_in_set())}
    for told in (await story.grant(new, built_in), await story.change(present, built_in)):
        assert told.verdict == APPLIED
        assert (told.grant["accessType"], told.grant["seat"]) == ("PARTNER_ADMIN", "PARTNER")
        assert told.grant["permissionSet"]["id"] == built_in["permissionSet"]
        assert not told.grant["customised"]
        assert told.held == levels_of(PARTNER_ADMIN_SET.state)


async def test_f07_a_partner_admin_stays_one_while_the_permission_stays(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.partner_admin(story.client, person)
    less = catalogue.largest_closed_subset(PARTNER_ADMIN_SET.state & ~catalogue.state({"sandboxes": "ALL"}))
    for state, revoked, granted in (
        (less, {"sandboxes": "ALL"}, {}),
        (PARTNER_ADMIN_SET.state, {}, {"sandboxes": "ALL"}),
    ):
        told = await story.change(person, permissions(state))
        assert (told.revoked, told.granted) == (revoked, granted)
        assert told.grant["accessType"] == "PARTNER_ADMIN"
    told = await story.change(person, permissions(PARTNER_ADMIN_SET.state & ~catalogue.partner_admin))
    assert told.grant["accessType"] == "STANDARD"


async def test_f08_the_single_permission_makes_a_partner_admin(factory: Factory) -> None:
    story = await Story.begin(factory)
    single = catalogue.closure(catalogue.partner_admin)
    told = await story.grant(await factory.member(story.partner), permissions(single))
    assert told.grant["accessType"] == "PARTNER_ADMIN"


@pytest.mark.parametrize("kind", list(MemberKind))
@pytest.mark.parametrize("there", [False, True])
async def test_f09_only_the_verified_become_partner_admin(factory: Factory, kind: MemberKind, *, there: bool) -> None:
    story = await Story.begin(factory)
    verified = await factory.member(story.partner, kind=kind)
    unverified = await factory.member(story.partner, kind=kind, verified=False)
    access = {"permissionSet": node_id(await factory.built_in_set())}
    if there:
        for person in (verified, unverified):
            await factory.grant(story.client, person, {"contacts.view": "ALL"}, seat=Seat.CORE)
    write = story.change if there else story.grant
    told = await write(unverified, access)
    assert told.verdict == ("REJECTED", "NOT_VERIFIED")
    assert "verified first" in told.node["message"]
    assert (await write(verified, access)).verdict == APPLIED


@pytest.mark.parametrize(
    ("verified", "access_type", "seat", "expected"),
    [
        (True, "STANDARD", None, "PARTNER"),
        (True, "STANDARD", "SALES", "SALES"),
        (False, "STANDARD", None, "CORE"),
        (False, "STANDARD", "VIEW_ONLY", "VIEW_ONLY"),
        (False, "STANDARD", "PARTNER", ("REJECTED", "SEAT_NOT_ELIGIBLE")),
        (True, "PARTNER_ADMIN", "PARTNER", "PARTNER"),
        (True, "PARTNER_ADMIN", "CORE", ("REJECTED", "SEAT_NOT_ELIGIBLE")),
    ],
)
async def test_f12_seats(
    factory: Factory, *, verified: bool, access_type: str, seat: str | None, expected: str | tuple[str, str]
) -> None:
    """The PARTNER seat is for the verified, and a partner admin takes no other."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner, verified=verified)
    key = "partner_admin" if access_type == "PARTNER_ADMIN" else "read_only"
    access = {"permissionSet": node_id(await factory.built_in_set(key))}
    told = await story.grant(person, access, **({"seat": seat} if seat else {}))
    if isinstance(expected, tuple):
        assert told.verdict == expected
    else:
        assert (told.grant["seat"], told.grant["accessType"]) == (expected, access_type)


async def test_f11_f13_seat_first_then_a_template_that_is_narrowed_and_reset(factory: Factory) -> None:
    """What the seat does not let through is stored and counts for nothing; the difference from the template is told."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    template = await factory.permission_set(story.partner, {"contacts.edit": "ALL", "deals.view": "ALL"})
    access = {"permissionSet": node_id(template)}
    told = await story.grant(person, access, seat="VIEW_ONLY")
    assert await story.levels(told, "effectiveLevel") == {
        "contacts.view": "ALL",
        "contacts.edit": "NONE",
        "deals.view": "ALL",
    }
    told = await story.change(person, seat="CORE")
    assert told.grant["version"] == 2
    assert await story.levels(told, "effectiveLevel") == told.held
    told = await story.change(person, permissions({"contacts.view": "ALL", "deals.view": "ALL"}))
    assert told.grant["customised"]
    assert told.grant["permissionSet"] == {"id": node_id(template)}
    difference = (
        "query($id: ID!) { node(id: $id) { ... on Grant { differenceFromSet { removed { permission { key } } } } } }"
    )
    data, _ = await story.run(difference, id=told.grant["id"])
    assert data["node"]["differenceFromSet"]["removed"] == [{"permission": {"key": "contacts.edit"}}]
    told = await story.change(person, access)
    assert not told.grant["customised"]
    assert told.held == levels_of(template.state)


@pytest.mark.parametrize(
    ("status", "code"), [(MemberStatus.DEACTIVATED, "NOT_ACTIVE"), (MemberStatus.LEFT, "NOT_A_MEMBER")]
)
async def test_who_left_or_is_deactivated_is_given_nothing(factory: Factory, status: MemberStatus, code: str) -> None:
    story = await Story.begin(factory)
    told = await story.grant(await factory.member(story.partner, status=status), CONTACTS)
    assert told.verdict == ("REJECTED", code)
    assert told.node["grant"] is None


async def test_what_becomes_of_people_who_are_there_already(factory: Factory) -> None:
    """Section 5: ACTIVE is NOOP or changed, DEACTIVATED is rejected, after REMOVED there is a new grant."""
    story = await Story.begin(factory)
    active, deactivated, removed, admin = await factory.members(story.partner, 4)
    for person, status in (
        (active, GrantStatus.ACTIVE),
        (deactivated, GrantStatus.DEACTIVATED),
        (removed, GrantStatus.REMOVED),
    ):
        grant = await factory.grant(story.client, person, {"deals.view": "ALL"}, status=status)
    await factory.super_admin(story.client, admin)
    targets = product([active, deactivated, removed, admin], [story.client])
    skipped = await story.outcomes("grantAccess", targets=targets, access=CONTACTS)
    assert [told.verdict for told in skipped] == [
        ("NOOP", "ALREADY_GRANTED"),
        ("REJECTED", "DEACTIVATED"),
        APPLIED,
        ("NOOP", "ALREADY_GRANTED"),
    ]
    assert skipped[2].grant["id"] != node_id(grant)
    changed = await story.outcomes("grantAccess", targets=targets, access=CONTACTS, onExisting="CHANGE")
    assert [told.verdict for told in changed] == [
        APPLIED,
        ("REJECTED", "DEACTIVATED"),
        NO_CHANGE,
        ("REJECTED", "TARGET_IS_SUPER_ADMIN"),
    ]
    assert changed[0].held == {"contacts.view": "ALL"}


async def test_the_last_partner_admin_can_be_replaced_in_one_operation(factory: Factory) -> None:
    """N04: what counts is the client after the whole operation; one who goes while another comes locks nobody out."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"}, access_type=AccessType.STANDARD)
    admins, marketing = await factory.built_in_set(), await factory.built_in_set("marketing")
    await story.set_default(person, admins)
    await story.set_default(story.actor, marketing)
    told = await story.outcomes(
        "changeAccess",
        targets=product([story.actor, person], [story.client]),
        access={"defaultSet": True},
        options={"includeSelf": True},
    )
    assert [outcome.grant["accessType"] for outcome in told] == ["STANDARD", "PARTNER_ADMIN"]
