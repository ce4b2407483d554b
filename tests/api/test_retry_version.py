"""Which versions count when an operation is tried again: nobody overwrites what nobody has seen (P03, R5)."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from models.grant import grants
from resolvers.operation.queue import QueueLimits
from tests.api.durable_story import RETRY, VIEW, begin, cells, course
from tests.api.write_story import APPLIED, Story, node_id, product
from tests.factory import Factory, GrantRow

CONFLICT = ("REJECTED", "CONFLICT")
DEALS = {"deals.view": "ALL"}


async def changed(factory: Factory) -> tuple[Story, list[GrantRow], Any]:
    """Of three whose access was to be changed as it was seen, one has been changed by somebody else."""
    story, (person, *_), clients = await begin(factory)
    story = replace(story, limits=QueueLimits())
    there = [await factory.grant(client, person, DEALS) for client in clients[:3]]
    await moved(story, there[1], 5)
    seen = [{"grant": node_id(grant), "version": 1} for grant in there]
    told = await story.operation(
        "changeAccess", targets=product([person], clients[:3]), access=VIEW, expectedVersions=seen
    )
    assert [verdict for _, verdict in cells(told)] == [APPLIED, CONFLICT, APPLIED]
    return story, there, told


async def moved(story: Story, grant: GrantRow, version: int) -> None:
    async with story.database.write() as session:
        ours = grants.c.id == grant.id
        await (await session.connection()).execute(update(grants).where(ours).values(version=version))


async def versions(story: Story, listed: list[GrantRow]) -> list[int]:
    ours = grants.c.id.in_([grant.id for grant in listed])
    async with story.database.read() as connection:
        return list((await connection.execute(select(grants.c.version).where(ours).order_by(grants.c.id))).scalars())


@pytest.mark.parametrize("dry_run", [False, True], ids=["done", "dry run"])
async def test_r5_whoever_has_looked_again_says_what_they_see(factory: Factory, *, dry_run: bool) -> None:
    """The versions of the first time are stale where something was carried out, and are not asked about there."""
    story, there, told = await changed(factory)
    asked = {"operation": told["id"], "includeRejected": True, "options": {"dryRun": dry_run}}
    still = await course(story, RETRY, **asked)
    assert [verdict for _, verdict in cells(still["operation"])] == [CONFLICT]
    seen = [{"grant": node_id(there[1]), "version": 5}]
    again = await course(story, RETRY, **asked, expectedVersions=seen)
    assert again["userErrors"] == []
    assert [verdict for _, verdict in cells(again["operation"])] == [APPLIED]
    assert await versions(story, there) == [2, 5 if dry_run else 6, 2]


async def test_p03_what_changes_between_the_look_and_the_retry_stays_a_conflict(factory: Factory) -> None:
    """Also where it was another reason for which it was rejected the first time: the first version still counts."""
    story, there, told = await changed(factory)
    await moved(story, there[1], 6)
    seen = [{"grant": node_id(there[1]), "version": 5}]
    again = await course(story, RETRY, operation=told["id"], includeRejected=True, expectedVersions=seen)
    assert [verdict for _, verdict in cells(again["operation"])] == [CONFLICT]
    colleague = await story.as_member(await factory.member(story.partner))
    person = await factory.member(story.partner)
    other = await factory.grant(story.client, person, DEALS)
    refused = await colleague.operation(
        "changeAccess",
        targets=product([person], [story.client]),
        access=VIEW,
        expectedVersions=[{"grant": node_id(other), "version": 1}],
    )
    assert [verdict for _, verdict in cells(refused)] == [("REJECTED", "NOT_PARTNER_ADMIN")]
    await moved(story, other, 2)
    again = await course(story, RETRY, operation=refused["id"], includeRejected=True)
    assert [verdict for _, verdict in cells(again["operation"])] == [CONFLICT]


async def test_p03_a_retry_of_a_retry_knows_what_was_said_last(factory: Factory) -> None:
    story, there, told = await changed(factory)
    seen = [{"grant": node_id(there[1]), "version": 4}]
    again = await course(story, RETRY, operation=told["id"], includeRejected=True, expectedVersions=seen)
    assert [verdict for _, verdict in cells(again["operation"])] == [CONFLICT]
    await moved(story, there[1], 4)
    last = await course(story, RETRY, operation=again["operation"]["id"], includeRejected=True)
    assert [verdict for _, verdict in cells(last["operation"])] == [APPLIED]


async def test_t1_a_version_of_what_is_not_tried_again_is_of_an_unknown_grant(factory: Factory) -> None:
    """No check is passed over in silence."""
    story, there, told = await changed(factory)
    refused = []
    for grant in (node_id(there[0]), "nonsense"):
        seen = [{"grant": grant, "version": 2}]
        answer = await course(story, RETRY, operation=told["id"], includeRejected=True, expectedVersions=seen)
        refused.append(answer["userErrors"])
    assert refused[0] == refused[1]
    assert [(error["code"], error["field"]) for error in refused[0]] == [
        ("NOT_FOUND", ["input", "expectedVersions", "0", "grant"])
    ]
