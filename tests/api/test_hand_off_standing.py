"""What is handed off, and who could do it: only what is as the operation has left it, and can be done (N02, P03)."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import update

from models.grant import GrantStatus, grants
from models.member import MemberStatus
from tests.api.hand_off_story import BOTH, HandOffs, answered, code_of
from tests.api.set_story import SetStory
from tests.api.test_template_lockdown import locked
from tests.api.test_who_could import WHO_COULD
from tests.api.write_story import ADMIN_REPORTS, Story, ids, node_id, permissions, product
from tests.factory import ClientRow, Factory, MemberRow, PartnerRow

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Where nothing but the words of the statements would differ, once is enough."""


async def _who_could(story: Story, operation: str) -> Any:
    query = f"query($id: ID!) {{ node(id: $id) {{ ...Told }} }} {WHO_COULD}"
    data, codes = await story.run(query, id=operation)
    assert codes == []
    return data["node"]


@on_sqlite
@pytest.mark.parametrize("since", ["changed", "removed", "given", "done"])
async def test_p03_what_has_changed_since_the_operation_is_not_handed_off(factory: Factory, since: str) -> None:
    """Otherwise accepting it would overwrite the change, or give anew what somebody has taken."""
    story = await HandOffs.begin(factory, people=2)
    place, (person, same) = await factory.client(story.asker.partner), story.people
    await factory.partner_admin(place, story.colleague.actor)
    if since == "given":
        # The asker is no partner admin there.
        targets = product([person, same], [place])
        operation = await story.asked_for(targets=targets, onExisting="CHANGE")
        await factory.grant(place, person, {"deals.view": "ALL"})
    else:
        operation = await story.asked_for()
    if since == "changed":
        await story.colleague.change(person, permissions({"deals.view": "ALL"}))
    elif since == "done":
        await story.colleague.change(person, BOTH)
    elif since == "removed":
        async with factory.database.write() as session:
            ended = {"status": GrantStatus.REMOVED.value, "ended": grants.c.id}
            await (await session.connection()).execute(
                update(grants).where(grants.c.member_id == person.id).values(ended)
            )
    assert code_of(await story.hand_off(operation, members=ids(person))) == "INVALID_INPUT"
    told = await _who_could(story.asker, operation)
    assert (told["whoCould"]["outcomes"], told["whoCould"]["byNobody"]) == (1, 0)
    able = {node["member"]["id"]: node["whoCould"] for node in told["outcomes"]["nodes"]}
    assert able == {node_id(person): [], node_id(same): [{"id": node_id(story.colleague.actor)}]}
    handed = await story.handed_off(operation)
    assert (handed["total"], [told.verdict for told in await story.accepted(handed["id"])]) == (1, [("APPLIED", None)])
    assert (await _who_could(story.asker, operation))["whoCould"]["outcomes"] == 0


_PARTNER_ADMIN = "Partner Admin"
_REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "grant": ("grantAccess", {"access": BOTH}),
    "grant or change": ("grantAccess", {"access": BOTH, "onExisting": "CHANGE"}),
    "strict": ("grantAccess", {"access": BOTH, "options": {"mode": "STRICT"}}),
    "partner admin": ("grantAccess", {"access": {"permissionSet": _PARTNER_ADMIN}, "onExisting": "CHANGE"}),
    "default": ("grantAccess", {"access": {"defaultSet": True}, "onExisting": "CHANGE"}),
    "expiring": ("grantAccess", {"access": BOTH, "expiresAt": "2030-01-01T00:00:00Z", "onExisting": "CHANGE"}),
    "in a team": ("grantAccess", {"access": permissions({"contacts.view": "ALL"}), "onExisting": "CHANGE"}),
    "change": ("changeAccess", {"access": BOTH}),
    "seat": ("changeAccess", {"access": BOTH, "seat": "PARTNER"}),
    "reactivate": ("reactivateAccess", {}),
    "migrate": ("migrateToPartnerAdmin", {}),
}


@on_sqlite
async def test_n02_whoever_is_named_could_do_all_of_it(factory: Factory) -> None:
    """In one client the asker lacks Reports, in the other one they are no partner admin."""
    story = await HandOffs.begin(factory, people=1)
    asker, partner = story.asker, story.asker.partner
    half, teamless = await factory.members(partner, 2)
    able = {node_id(one): await asker.as_member(one) for one in (story.colleague.actor, half, teamless)}
    people = await _people(factory, partner)
    for name, (field, fixed) in _REQUESTS.items():
        first, second = clients = await factory.clients(partner, 2)
        await asker.admin(first, without=ADMIN_REPORTS)
        for place in clients:
            await factory.partner_admin(place, story.colleague.actor)
            await factory.partner_admin(place, half, without=ADMIN_REPORTS)
            await factory.partner_admin(place, teamless, without=["teams.edit"])
            await _situations(factory, place, people)
        values = dict(fixed)
        if name == "partner admin":
            values["access"] = {"permissionSet": node_id(await factory.built_in_set())}
        if name == "in a team":
            values["teams"] = [{"team": node_id(await factory.team(second)), "primary": True}]
        for dry in (True, False):
            named = await _named(asker, field, values, product(people, clients), dry=dry)
            assert bool(named) == (name != "default"), (name, dry)
            for key, cells in named.items():
                trial = {**values, "targets": {"pairs": cells}, "options": {"dryRun": True}}
                for would in await able[key].outcomes(field, **trial):
                    assert would.verdict[0] in {"APPLIED", "NOOP"}, (name, dry, would.verdict)
                    assert (would.withheld, would.retained) == ({}, {}), (name, dry)


async def _named(
    asker: Story, field: str, values: dict[str, Any], targets: Any, *, dry: bool
) -> dict[str, list[dict[str, str]]]:
    """Returns who could do which of the cells.

    What a dry run would apply in part is left out: whoever is named could do the rest of it, and need not have that part.
    """
    asked = {**values, "options": {**values.get("options", {}), "dryRun": dry}}
    told = await Story(**{**vars(asker), "fragment": WHO_COULD}).operation(field, targets=targets, **asked)
    if not dry:
        told = await _who_could(asker, told["id"])
    named: dict[str, list[dict[str, str]]] = {}
    counted: Counter[str] = Counter()
    for node in told["outcomes"]["nodes"]:
        for one in node["whoCould"]:
            counted[one["id"]] += 1
            if not dry or node["status"] == "REJECTED":
                cell = {"member": node["member"]["id"], "client": node["client"]["id"]}
                named.setdefault(one["id"], []).append(cell)
    assert {one["member"]["id"]: one["outcomes"] for one in told["whoCould"]["colleagues"]} == counted
    return named


async def _people(factory: Factory, partner: PartnerRow) -> list[MemberRow]:
    """Somebody in each of the situations that another reason than authority would rule out, and somebody in none."""
    odd = ({"verified": False}, {"status": MemberStatus.LEFT}, {"status": MemberStatus.DEACTIVATED})
    return [*(await factory.members(partner, 5)), *[await factory.member(partner, **values) for values in odd]]


async def _situations(factory: Factory, place: ClientRow, people: list[MemberRow]) -> None:
    _new, active, off, *chiefs = people[:5]
    await factory.grant(place, active, {"contacts.view": "ALL"})
    await factory.move(await factory.grant(place, off, {"reports.view": "ALL"}), GrantStatus.DEACTIVATED)
    # Neither is the last super admin there.
    await factory.own_person(place, await factory.user())
    for chief in chiefs:
        await factory.super_admin(place, chief)


@on_sqlite
async def test_p27_a_set_that_the_asker_could_give_only_in_part_is_left_to_somebody_who_can(factory: Factory) -> None:
    """What is no permitted set nobody could give."""
    story = await SetStory.begin(factory)
    agency = story.agency
    ours = await factory.permission_set(agency.partner, {"contacts.view": "ALL", "reports.view": "ALL"})
    weak, person = await factory.members(agency.partner, 2)
    await factory.partner_admin(agency.client, weak, without=ADMIN_REPORTS)
    await locked(story, "PARTNER", reason="By the book.")
    asker = Story(**{**vars(await agency.as_member(weak)), "fragment": WHO_COULD})
    targets = product([person], [agency.client])
    for access, able in (({"permissionSet": node_id(ours)}, [{"id": node_id(agency.actor)}]), (BOTH, [])):
        told = await asker.operation("grantAccess", targets=targets, access=access)
        (node,) = told["outcomes"]["nodes"]
        assert (node["code"], node["whoCould"]) == ("LOCKED_TO_SETS", able)
    assert (await agency.grant(person, {"permissionSet": node_id(ours)})).verdict == ("APPLIED", None)


@on_sqlite
async def test_n02_only_whoever_asked_for_an_operation_hands_it_off(factory: Factory) -> None:
    """The colleague is told that they wanted it."""
    story = await HandOffs.begin(factory, people=1)
    operation = await story.asked_for()
    third = await story.asker.as_member(await factory.member(story.asker.partner))
    asked = {"operation": operation, "to": node_id(story.colleague.actor)}
    assert code_of(await answered(third, "handOffOperation", asked)) == "FORBIDDEN"
    assert (await story.handed_off(operation))["total"] == 1
