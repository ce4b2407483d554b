"""What the tests of queued operations have in common: an agency that queues whatever it asks for, and what is said about that."""

from dataclasses import replace
from typing import Any

from sqlalchemy import func, select

from models.database import Database
from models.operation_chunk import (
    operation_chunks,
    operation_clients,
    operation_members,
    operation_pairs,
    queued_operations,
)
from resolvers.operation.queue import QueueLimits
from tests.api.write_story import Story, Told, mutation, permissions
from tests.factory import ClientRow, Factory, MemberRow

VIEW = permissions({"contacts.view": "ALL"})
CANCEL = """mutation($input: CancelOperationInput!) { cancelOperation(input: $input) {
  userErrors { code message field } operation { ...Told cancelledBy { id } } } }"""
RETRY = """mutation($input: RetryOperationInput!) { retryOperation(input: $input) {
  userErrors { code message field } operation { ...Told retryOf { id } } } }"""


async def begin(
    factory: Factory, *, people: int = 3, places: int = 4, chunk_cells: int = 6
) -> tuple[Story, list[MemberRow], list[ClientRow]]:
    """An agency whose partner admin works in all of its clients, and people without access; everything is queued."""
    story = await Story.begin(factory)
    clients = [story.client, *await factory.clients(story.partner, places - 1)]
    for client in clients[1:]:
        await story.admin(client)
    story = replace(story, limits=QueueLimits(queue_above=0, chunk_cells=chunk_cells))
    return story, await factory.members(story.partner, people), clients


async def ask(story: Story, targets: Any, field: str = "grantAccess", **values: Any) -> Any:
    """Returns the operation as it was queued."""
    if field == "grantAccess":
        values = {"access": VIEW, **values}
    data, codes = await story.run(mutation(field), input={"targets": targets, **values})
    assert (codes, data[field]["userErrors"]) == ([], [])
    return data[field]["operation"]


async def course(story: Story, mutation: str, **values: Any) -> Any:
    """Returns the payload of cancelOperation or retryOperation."""
    data, codes = await story.run(f"{mutation} {story.fragment}", input=values)
    assert codes == []
    (answer,) = data.values()
    return answer


async def left(database: Database) -> list[int]:
    """How many rows the queue and all that belongs to it have."""
    kept = (queued_operations, operation_chunks, operation_clients, operation_members, operation_pairs)
    async with database.read() as connection:
        return [await connection.scalar(select(func.count()).select_from(table)) or 0 for table in kept]


def cells(operation: Any) -> list[tuple[tuple[str, str], tuple[str, str | None]]]:
    return [(told.cell, told.verdict) for told in map(Told, operation["outcomes"]["nodes"])]
