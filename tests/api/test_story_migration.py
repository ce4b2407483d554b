"""The story of moving away from super admins (section 6, F42 to F45), through GraphQL as its persons, in order, nothing mocked.

An agency has worked in its clients' accounts as super admins. Ana migrates herself, then Ben, and nobody can go back.
"""

from typing import Any

from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import MIGRATE, one, several
from tests.api.write_story import APPLIED, Story, node_id, permissions
from tests.factory import ClientRow, Factory

CLIENTS = """{ partner { clients(orderBy: { field: NAME }) { nodes {
  displayName viewerAccessType partnerAdmins { member { user { name } } }
} } } }"""
TIMELINE = """query($id: ID!) { node(id: $id) { ... on Client { timeline(first: 20) { totalCount nodes {
  operation { kind reason requestedBy { name } } member { user { name } }
  before { accessType seat } after { accessType seat }
} } } } }"""
COMPARISON = """{ permissionCatalog { adminComparison { label superAdmin partnerAdmin } } }"""
COULD_NOT = ("REJECTED", "NOT_PARTNER_ADMIN")


async def _clients(story: Story) -> dict[str, tuple[str, list[str]]]:
    """What the viewer is in each client, and who is partner admin there."""
    data, codes = await story.run(CLIENTS)
    assert codes == []
    return {
        node["displayName"]: (
            node["viewerAccessType"],
            [grant["member"]["user"]["name"] for grant in node["partnerAdmins"]],
        )
        for node in data["partner"]["clients"]["nodes"]
    }


async def _timeline(story: Story, client: ClientRow) -> list[Any]:
    data, codes = await story.run(TIMELINE, id=node_id(client))
    assert codes == []
    nodes: list[Any] = data["node"]["timeline"]["nodes"]
    return nodes


async def test_an_agency_moves_away_from_super_admins(factory: Factory) -> None:  # noqa: PLR0915 one story
    beginning = await Story.begin(factory)
    agency = beginning.partner
    ana, ben, dana = [await factory.member(agency, name) for name in ("Ana Brandt", "Ben Celik", "Dana Etxea")]
    alder, birch = [await factory.client(agency, name) for name in ("Alder", "Birch")]
    for person in (ana, ben):
        await factory.super_admin(alder, person)
    await factory.super_admin(birch, ana)
    anas, bens = await beginning.as_member(ana), await beginning.as_member(ben)

    # Ana compares the two kinds of administrator (F03), and sees where she is what.
    data, codes = await anas.run(COMPARISON)
    assert codes == []
    table = data["permissionCatalog"]["adminComparison"]
    assert {(row["superAdmin"], row["partnerAdmin"]) for row in table} == {(True, True), (True, False), (False, True)}
    seen = await _clients(anas)
    assert (seen["Alder"], seen["Birch"]) == (("SUPER_ADMIN", []), ("SUPER_ADMIN", []))

    # As super admin she can give nobody access through the manager, and migrate nobody but herself (F04, M7).
    in_alder = Story(factory, agency, ana, alder, anas.viewer)
    refused = await in_alder.grant(dana, permissions({"contacts.view": "ALL"}))
    assert refused.verdict == COULD_NOT
    refused = await one(anas, MIGRATE, ben, alder)
    assert refused.verdict == COULD_NOT
    assert "by migration if you are super admin here" in refused.node["message"]

    # She looks at what it would do in both clients, keeping billing in Alder only; in Birch she is the only super admin (M1).
    choices = [{"member": node_id(ana), "client": node_id(alder), "keep": True}]
    reason = "Away from super admins"
    for dry_run in (True, False):
        foreseen = await several(
            anas, MIGRATE, [ana], [alder, birch], keepBillingFor=choices, dryRun=dry_run, reason=reason
        )
        assert [told.verdict for told in foreseen] == [APPLIED, ("REJECTED", "LAST_SUPER_ADMIN")]
        assert "super_admins" in foreseen[0].revoked
        assert "billing" not in foreseen[0].revoked
        assert "Have the client make somebody else super admin first" in foreseen[1].node["message"]
        seen = await _clients(anas)
        assert seen["Alder"] == (("SUPER_ADMIN", []) if dry_run else ("PARTNER_ADMIN", ["Ana Brandt"]))

    # Birch makes one of its own people super admin, and the same request goes through for what failed (R5).
    await factory.own_person(birch, await factory.user("Cleo Fink"))
    again = await several(anas, MIGRATE, [ana], [alder, birch], reason=reason)
    assert [told.verdict for told in again] == [("NOOP", "NO_CHANGE"), APPLIED]
    assert "billing" in again[1].revoked
    assert (await _clients(anas))["Birch"] == ("PARTNER_ADMIN", ["Ana Brandt"])

    # Now she gives Dana access, with billing where she kept it, and migrates Ben: he is the last super admin of Alder.
    with_billing = permissions({"contacts.view": "ALL", "billing": "ALL"})
    given = await in_alder.grant(dana, with_billing)
    assert (given.verdict, given.withheld) == (APPLIED, {})
    in_birch = Story(factory, agency, ana, birch, anas.viewer)
    given = await in_birch.grant(dana, with_billing)
    assert (given.verdict, given.withheld) == (APPLIED, {"billing": "ALL"})
    assert (await one(anas, MIGRATE, ben, alder)).verdict == ("REJECTED", "LAST_SUPER_ADMIN")
    await factory.own_person(alder, await factory.user("Cara Gruber"))
    migrated = await one(anas, MIGRATE, ben, alder)
    assert (migrated.verdict, migrated.grant["seat"], migrated.grant["customised"]) == (APPLIED, "PARTNER", False)
    assert (await _clients(bens))["Alder"] == ("PARTNER_ADMIN", ["Ana Brandt", "Ben Celik"])

    # Ben did not keep billing: he can neither give it nor take it (M9, E11).
    of_ben = Story(factory, agency, ben, alder, bens.viewer)
    kept = await of_ben.change(dana, permissions({"contacts.view": "ALL"}))
    assert kept.retained == {"billing": ("ALL", "ACTOR_LACKS_IT")}
    hans = await factory.member(agency, "Hans Igel")
    assert (await of_ben.grant(hans, with_billing)).withheld == {"billing": "ALL"}

    # There is no way back (M11).
    (refusal,) = await in_alder.refusals(
        "changeAccess",
        targets={"pairs": [{"member": node_id(ben), "client": node_id(alder)}]},
        access=permissions({"super_admins": "ALL"}),
    )
    assert (refusal["code"], "leave it out" in refusal["message"]) == ("NON_DELEGABLE", True)

    # The client's timeline tells who did what, and why (F55).
    told = [
        (
            entry["operation"]["kind"],
            entry["operation"]["requestedBy"]["name"],
            entry["member"]["user"]["name"],
            entry["before"]["accessType"],
            entry["after"]["accessType"],
            entry["after"]["seat"],
        )
        for entry in await _timeline(anas, alder)
        if entry["operation"]["kind"] == "MIGRATE"
    ]
    assert told == [
        ("MIGRATE", "Ana Brandt", "Ben Celik", "SUPER_ADMIN", "PARTNER_ADMIN", "PARTNER"),
        ("MIGRATE", "Ana Brandt", "Ana Brandt", "SUPER_ADMIN", "PARTNER_ADMIN", "PARTNER"),
    ]
    assert reason in {entry["operation"]["reason"] for entry in await _timeline(anas, birch)}
    await assert_counters_are_true(factory.database)
