"""The story of taking access away (section 7, F34 to F41), through GraphQL as its persons, in order, nothing mocked.

Petra is in the office, with EDIT and no access anywhere. Ana is partner admin in both clients. Ben, an employee, and Carl, a
contractor, work there.
"""

from typing import Any

from models.member import ManagerRights, MemberKind
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import DEACTIVATE, REACTIVATE, REMOVE, one, review, review_of_client, several
from tests.api.write_story import APPLIED, NO_CHANGE, Story, Told, ids, node_id, permissions
from tests.factory import ClientRow, Factory, MemberRow

CLIENTS = """{ partner { clients(orderBy: { field: NAME }) { nodes {
  displayName viewerAccessType totalEmployees deactivatedEmployees partnerAdmins { id }
} } } }"""
RECORD = """mutation($input: RecordAssetsInput!) {
  recordAssets(input: $input) { userErrors { code message } counts { created updated unchanged } }
}"""
CONTACTS = permissions({"contacts.view": "ALL"})


async def _clients(story: Story) -> dict[str, tuple[str, int, int, int]]:
    """What the viewer is in each client, who is active and who deactivated there, and how many partner admins it has."""
    data, codes = await story.run(CLIENTS)
    assert codes == []
    return {
        node["displayName"]: (
            node["viewerAccessType"],
            node["totalEmployees"],
            node["deactivatedEmployees"],
            len(node["partnerAdmins"]),
        )
        for node in data["partner"]["clients"]["nodes"]
    }


async def _owns(story: Story, owner: MemberRow, client: ClientRow, kind: str, *names: str) -> None:
    """Records what somebody owns in a client."""
    drafts = [
        {"client": node_id(client), "owner": node_id(owner), "kind": kind, "externalId": name, "name": name}
        for name in names
    ]
    data, codes = await story.run(RECORD, input={"assets": drafts})
    assert (codes, data["recordAssets"]["userErrors"]) == ([], [])


def _verdicts(told: list[Told]) -> list[tuple[str, str | None]]:
    return [outcome.verdict for outcome in told]


def _listed(found: Any) -> dict[str, dict[str, int]]:
    """What a review says is owned where."""
    return {
        entry["client"]["displayName"]: {count["kind"]: count["total"] for count in entry["assets"]}
        for entry in found["entries"]["nodes"]
    }


async def test_access_is_deactivated_reactivated_reviewed_and_removed(factory: Factory) -> None:  # noqa: PLR0915 one story
    beginning = await Story.begin(factory)
    agency = beginning.partner
    petra, ana = [await factory.member(agency, name) for name in ("Petra Jung", "Ana Brandt")]
    ben = await factory.member(agency, "Ben Celik", manager_rights=ManagerRights.VIEW)
    carl = await factory.member(agency, "Carl Dunst", kind=MemberKind.CONTRACTOR, manager_rights=ManagerRights.NONE)
    alder, birch = [await factory.client(agency, name) for name in ("Alder", "Birch")]
    both = [alder, birch]
    for place in both:
        await factory.partner_admin(place, ana)
    petras, anas, bens = [await beginning.as_member(person) for person in (petra, ana, ben)]

    # Ana gives Ben and Carl access; Ben sees where he is what.
    given = await anas.outcomes(
        "grantAccess", targets={"product": {"members": ids(ben, carl), "clients": ids(*both)}}, access=CONTACTS
    )
    assert _verdicts(given) == [APPLIED] * 4
    assert (await _clients(bens))["Alder"] == ("STANDARD", 3, 0, 1)

    # Ben takes leave: Petra deactivates him in Alder, then wherever he still is (F36). Carl cannot be deactivated (F37).
    assert (await one(petras, DEACTIVATE, ben, alder, reason="Parental leave")).verdict == APPLIED
    everywhere = {"matching": {"memberSearch": "celik", "exceptClients": ids(beginning.client)}}
    assert _verdicts(await petras.outcomes(DEACTIVATE, targets=everywhere)) == [NO_CHANGE, APPLIED]
    told = await several(petras, DEACTIVATE, [carl], both)
    assert _verdicts(told) == [("REJECTED", "NOT_FOR_CONTRACTORS")] * 2
    assert "can only be removed" in told[0].node["message"]
    assert (await _clients(bens))["Alder"] == ("NONE", 2, 1, 1)

    # He is back: Petra cannot reactivate him, Ana can, in one call, and all is as it was (F35).
    told = await several(petras, REACTIVATE, [ben], both)
    assert _verdicts(told) == [("REJECTED", "NOT_PARTNER_ADMIN")] * 2
    told = await several(anas, REACTIVATE, [ben], both)
    assert _verdicts(told) == [APPLIED] * 2
    assert told[0].held == {"contacts.view": "ALL"}
    assert (await _clients(bens))["Birch"] == ("STANDARD", 3, 0, 1)

    # Carl's contract ends. Petra reviews where he is and what he owns (F38); nothing goes without the review.
    await _owns(petras, carl, alder, "CONTACT", "c1", "c2")
    await _owns(petras, carl, alder, "DEAL", "d1")
    found = await review(petras, carl)
    assert (found["grantCount"], _listed(found)) == (2, {"Alder": {"CONTACT": 2, "DEAL": 1}, "Birch": {}})
    assert {total["kind"]: total["total"] for total in found["totals"]} == {"CONTACT": 2, "DEAL": 1}
    told = await several(petras, REMOVE, [carl], both, token="x")
    assert _verdicts(told) == [("REJECTED", "STALE_REVIEW")] * 2

    # While she reads, he gets another workflow in Birch: only there it is stale (R5), and she reviews again.
    await _owns(petras, carl, birch, "WORKFLOW", "w1")
    reassign = [{"to": node_id(ben), "kind": "CONTACT"}]
    told = await several(petras, REMOVE, [carl], both, token=found["token"], reassign=reassign)
    assert _verdicts(told) == [APPLIED, ("REJECTED", "STALE_REVIEW")]
    assert _listed(await review(petras, ben, alder)) == {"Alder": {"CONTACT": 2}}
    found = await review(petras, carl)
    assert (found["grantCount"], _listed(found)) == (1, {"Birch": {"WORKFLOW": 1}})
    told = await several(petras, REMOVE, [carl], both, token=found["token"])
    assert _verdicts(told) == [NO_CHANGE, APPLIED]
    assert (await review(petras, carl))["grantCount"] == 0

    # A year later Ana takes him on again: that is a new access, and the old one stays history.
    again = await anas.outcomes(
        "grantAccess", targets={"product": {"members": ids(carl), "clients": ids(alder)}}, access=CONTACTS
    )
    assert _verdicts(again) == [APPLIED]
    assert again[0].grant["id"] not in {outcome.grant["id"] for outcome in given}
    assert _listed(await review(petras, carl)) == {"Alder": {}}
    assert (await one(petras, REMOVE, carl, alder)).verdict == APPLIED

    # Birch pauses: everybody but Ana is deactivated, and one call of hers brings all back (F40).
    team = await factory.members(agency, 3)
    assert (
        _verdicts(
            await anas.outcomes(
                "grantAccess", targets={"product": {"members": ids(*team), "clients": ids(birch)}}, access=CONTACTS
            )
        )
        == [APPLIED] * 3
    )
    people = [ben, *team]
    assert _verdicts(await several(petras, DEACTIVATE, people, [birch])) == [APPLIED] * 4
    assert (await _clients(anas))["Birch"] == ("PARTNER_ADMIN", 1, 4, 1)
    assert _verdicts(await several(anas, REACTIVATE, people, [birch])) == [APPLIED] * 4

    # Birch ends: Petra would deactivate all, Ana too, and is warned (N04); she accepts, and now nobody can reactivate (F41).
    everybody = [ana, *people]
    told = await several(petras, DEACTIVATE, everybody, [birch])
    assert _verdicts(told) == [("REJECTED", "WOULD_LOCK_OUT"), *[APPLIED] * 4]
    assert (await one(petras, DEACTIVATE, ana, birch, acceptLockout=True)).verdict == APPLIED
    assert (await _clients(anas))["Birch"] == ("NONE", 0, 5, 0)
    for anybody in (anas, petras):
        told = await several(anybody, REACTIVATE, everybody, [birch])
        assert {outcome.verdict for outcome in told} == {("REJECTED", "NOT_PARTNER_ADMIN")}

    # What remains is to remove all of them, after a review of the client, in one call (F40, F41).
    found = await review_of_client(petras, birch)
    assert found["grantCount"] == 5
    assert {entry["wouldLockOut"] for entry in found["entries"]["nodes"]} == {False}
    told = await several(petras, REMOVE, everybody, [birch], token=found["token"])
    assert _verdicts(told) == [APPLIED] * 5
    seen = await _clients(petras)
    assert (seen["Birch"], seen["Alder"]) == (("NONE", 0, 0, 0), ("NONE", 2, 0, 1))
    await assert_counters_are_true(factory.database)
