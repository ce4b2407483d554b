"""Permissions as callers see them: catalogue, grants, sets (F03, F11, F13, F14, P12, E20)."""

from typing import Any

from models.grant import Seat
from models.permission.built_in import BUILT_IN_SETS
from models.permission.catalogue import catalogue
from schema.node import decode_text
from tests.api.caller import Caller, operation
from tests.factory import Factory

GRANT = """
query($hub: String!, $area: String) {
  client(by: { hubId: $hub }) { grants { nodes {
    customised outdated permissionSetVersion
    permissions(area: $area) { permission { key area { key } } level effectiveLevel }
    differenceFromSet { added { permission { key } level } removed { permission { key } level } }
  } } }
}
"""


def flat(permissions: Any) -> dict[str, str]:
    return {item["permission"]["key"]: item["level"] for item in permissions}


async def test_the_two_admins_are_compared_for_anybody(factory: Factory) -> None:
    """F03: elevated access yes/yes, full admin yes/no, paid features no/yes, several accounts no/yes."""
    found = (await Caller(factory.database, None).data(operation("admin_comparison")))["permissionCatalog"]
    rows = [(row["superAdmin"], row["partnerAdmin"]) for row in found["adminComparison"]]
    assert rows == [(True, True), (True, False), (False, True), (False, True)]
    assert all(row["label"] for row in found["adminComparison"])


async def test_permissions_are_listed_by_area_with_label_and_description(factory: Factory) -> None:
    """F14, F05."""
    found = (await Caller(factory.database, None).data(operation("permission_catalog")))["permissionCatalog"]
    assert [area["key"] for area in found["areas"]] == [area.key for area in catalogue.areas]
    listed = {item["key"]: item for area in found["areas"] for item in area["permissions"]}
    assert set(listed) == set(catalogue.permissions)
    for key, item in listed.items():
        known = catalogue.permissions[key]
        assert item["label"] == known.label
        assert item["description"] == known.description
        assert item["levels"] == [level.value for level in known.levels]
        assert item["delegable"] is known.delegable
        assert decode_text(item["id"]) == ("Permission", key)
        assert [need["permission"]["key"] for need in item["requires"]] == [need.permission for need in known.requires]
    assert {"level": "OWNED", "requiredLevel": "OWNED"}.items() <= listed["contacts.edit"]["requires"][0].items()


async def test_seat_and_tiers_mask_what_is_read_and_not_what_is_stored(factory: Factory) -> None:
    """F11, E20: the level stays, the effective level is NONE where seat or tier let nothing through."""
    partner = await factory.partner()
    viewer, other = await factory.members(partner, 2)
    needs_tier = next(
        item for item in catalogue.permissions.values() if item.tier and item.tier.startswith("MARKETING")
    )
    level = needs_tier.levels[-1]
    poor, rich = [
        await factory.client(partner, name, tiers=tiers)
        for name, tiers in (("poor", ""), ("rich", "MARKETING_ENTERPRISE SALES_ENTERPRISE SERVICE_ENTERPRISE"))
    ]
    levels = {needs_tier.key: level, "contacts.edit": "ALL"}
    for client in (poor, rich):
        await factory.grant(client, viewer, levels, seat=Seat.CORE)
        await factory.grant(client, other, levels, seat=Seat.VIEW_ONLY)
    caller = await Caller.signed_in(factory, viewer)
    for client, expected in ((poor, "NONE"), (rich, level)):
        core, view_only = (await caller.data(GRANT, hub=str(client.hub_id)))["client"]["grants"]["nodes"]
        found = {item["permission"]["key"]: item for item in core["permissions"]}
        assert (found[needs_tier.key]["level"], found[needs_tier.key]["effectiveLevel"]) == (level, expected)
        masked = {item["permission"]["key"]: item for item in view_only["permissions"]}
        assert (masked["contacts.edit"]["level"], masked["contacts.edit"]["effectiveLevel"]) == ("ALL", "NONE")
        assert masked["contacts.view"]["effectiveLevel"] == "ALL"


async def test_permissions_of_one_area_only(factory: Factory) -> None:
    """F14: an unknown area is refused with the list of areas."""
    partner = await factory.partner()
    viewer, client = await factory.member(partner), await factory.client(partner)
    await factory.super_admin(client, viewer)
    caller = await Caller.signed_in(factory, viewer)
    hub = str(client.hub_id)
    for area in catalogue.areas:
        [grant] = (await caller.data(GRANT, hub=hub, area=area.key))["client"]["grants"]["nodes"]
        assert [item["permission"]["key"] for item in grant["permissions"]] == [item.key for item in area.permissions]
    assert await caller.code(GRANT, hub=hub, area="nothing") == "BAD_INPUT"


async def test_a_grant_says_how_it_differs_from_its_version_of_its_set(factory: Factory) -> None:
    """F13, P12: added and removed beside the version given, not beside the newest; without a set nothing differs."""
    partner = await factory.partner()
    viewer, plain = await factory.members(partner, 2)
    client = await factory.client(partner)
    template = await factory.permission_set(
        partner, {"contacts.view": "ALL", "deals.view": "TEAM", "tasks.view": "ALL"}
    )
    levels = {"contacts.view": "ALL", "deals.view": "ALL", "tasks.view": "OWNED", "notes.view": "ALL"}
    await factory.grant(client, viewer, levels, permission_set=template, customised=True)
    await factory.grant(client, plain, {"notes.view": "ALL"})
    await factory.new_version(template, {"notes.view": "ALL"})
    caller = await Caller.signed_in(factory, viewer)
    custom, bare = (await caller.data(GRANT, hub=str(client.hub_id)))["client"]["grants"]["nodes"]
    assert (custom["customised"], custom["outdated"], custom["permissionSetVersion"]) == (True, True, 1)
    assert flat(custom["differenceFromSet"]["added"]) == {"deals.view": "ALL", "notes.view": "ALL"}
    assert flat(custom["differenceFromSet"]["removed"]) == {"tasks.view": "ALL"}
    assert flat(custom["permissions"]) == levels
    assert bare["differenceFromSet"] == {"added": [], "removed": []}
    assert (bare["outdated"], bare["permissionSetVersion"]) == (False, None)


async def test_permission_sets_show_what_they_contain_and_who_has_an_older_version(factory: Factory) -> None:
    """F06, F08, F10, P12."""
    partner = await factory.partner()
    people = await factory.members(partner, 3)
    client = await factory.client(partner)
    first = await factory.permission_set(partner, {"contacts.view": "ALL"}, "Ours")
    await factory.permission_set(partner, {"contacts.view": "ALL"}, "Gone", archived=True)
    await factory.grant(client, people[0], permission_set=first)
    second = await factory.new_version(first, {"contacts.view": "TEAM"})
    await factory.grant(client, people[1], permission_set=second)
    caller = await Caller.signed_in(factory, people[0])
    found = (await caller.data(operation("permission_sets")))["partner"]["permissionSets"]
    by_name = {item["name"]: item for item in found["nodes"]}
    assert set(by_name) == {item.name for item in BUILT_IN_SETS} | {"Ours"}
    assert found["totalCount"] == len(by_name)
    assert [item["name"] for item in found["nodes"] if item["isPartnerAdmin"]] == ["Partner Admin"]
    assert flat(by_name["Partner Admin"]["permissions"])["partner_admin"] == "ALL"
    assert (by_name["Ours"]["version"], flat(by_name["Ours"]["permissions"])) == (2, {"contacts.view": "TEAM"})
    outdated = (await caller.data(operation("outdated_grants")))["partner"]["permissionSets"]["nodes"]
    listed = {item["name"]: item["grants"] for item in outdated}
    assert listed["Ours"]["totalCount"] == 1
    assert [grant["permissionSetVersion"] for grant in listed["Ours"]["nodes"]] == [1]
    assert all(grants["totalCount"] == 0 for name, grants in listed.items() if name != "Ours")
    every = "query($id: ID!) { node(id: $id) { ... on PermissionSet { grants { totalCount nodes { outdated } } } } }"
    both = (await caller.data(every, id=by_name["Ours"]["id"]))["node"]["grants"]
    assert (both["totalCount"], [grant["outdated"] for grant in both["nodes"]]) == (2, [True, False])


async def test_the_example_of_a_grants_permissions_answers(factory: Factory) -> None:
    partner = await factory.partner()
    viewer, client = await factory.member(partner), await factory.client(partner)
    await factory.partner_admin(client, viewer, without=["reports.view"])
    caller = await Caller.signed_in(factory, viewer)
    found = (await caller.data(operation("grant_permissions"), hubId=str(client.hub_id), area="reports"))["client"]
    [grant] = found["grants"]["nodes"]
    assert "reports.view" not in flat(grant["permissions"])
    assert flat(grant["differenceFromSet"]["removed"])["reports.view"] == "ALL"
