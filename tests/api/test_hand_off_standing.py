"""What is handed off, and who could do it: only what is as the operation has left it, and can be done (N02, P03)."""

from typing import Any

import pytest
from sqlalchemy import update

from models.grant import grants
from tests.api.hand_off_story import BOTH, HandOffs, answered, code_of
from tests.api.set_story import SetStory
from tests.api.test_template_lockdown import locked
from tests.api.test_who_could import WHO_COULD
from tests.api.write_story import ADMIN_REPORTS, Story, ids, node_id, permissions, product
from tests.factory import Factory, removal

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
            await (await session.connection()).execute(
                update(grants).where(grants.c.member_id == person.id).values(removal())
            )
    assert code_of(await story.hand_off(operation, members=ids(person))) == "INVALID_INPUT"
    told = await _who_could(story.asker, operation)
    assert (told["whoCould"]["outcomes"], told["whoCould"]["byNobody"]) == (1, 0)
    able = {node["member"]["id"]: node["whoCould"] for node in told["outcomes"]["nodes"]}
    assert able == {node_id(person): [], node_id(same): [{"id": node_id(story.colleague.actor)}]}
    handed = await story.handed_off(operation)
    assert (handed["total"], [told.verdict for told in await story.accepted(handed["id"])]) == (1, [("APPLIED", None)])
    assert (await _who_could(story.asker, operation))["whoCould"]["outcomes"] == 0


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
