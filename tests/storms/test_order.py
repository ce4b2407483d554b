"""A queued change that is carried out after a later one of the same grant: the timeline still gives what there is."""

from dataclasses import replace

from resolvers.consistency.ledger import findings
from resolvers.operation.queue import QueueLimits
from resolvers.timeline_chain.window import seal_everything
from tests.api.write_story import Story, mutation, permissions, product
from tests.factory import Factory


async def test_what_was_asked_for_first_can_happen_last(factory: Factory) -> None:
    """F55: each entry begins where the one that happened before it has ended."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await story.grant(person, permissions({"contacts.view": "ALL"}))
    late = replace(story, limits=QueueLimits(0, 10))
    asked = {"targets": product([person], [story.client]), "access": permissions({"deals.view": "ALL"})}
    await late.run(mutation("changeAccess"), input={**asked, "options": {"reason": "done second"}})
    await story.change(person, permissions({"reports.view": "ALL"}), options={"reason": "done first"})
    await story.work()
    await seal_everything(story.database)
    assert [found.told async for found in findings(story.database) if found.faults] == []
