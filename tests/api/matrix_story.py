"""What the tests of the access matrix have in common: rows as people write them, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from resolvers.matrix.entry import COLUMNS
from resolvers.matrix.export import export_matrix
from resolvers.matrix.text import MatrixFormat, matrix_text
from resolvers.operation.queue import QueueLimits
from resolvers.reader import Reader
from tests.api.write_story import BRIEF, Story, Told, mutation
from tests.factory import ClientRow, MemberRow

HEADER = ",".join(COLUMNS)
PLAN = f"""mutation($input: PlanAccessMatrixInput!) {{ planAccessMatrix(input: $input) {{
  planToken userErrors {{ code message field }} operation {{ ...Told }} }} }} {BRIEF}"""
QUEUED = QueueLimits(queue_above=0, chunk_cells=2)


def entry(member: MemberRow, client: ClientRow, permission_set: str = "", **values: Any) -> dict[str, Any]:
    return {"email": member.email, "hubId": str(client.hub_id), "permissionSet": permission_set, **values}


def csv_of(*rows: str) -> dict[str, str]:
    return {"csv": "\n".join([HEADER, *rows])}


async def export(story: Story, form: MatrixFormat = MatrixFormat.CSV, **narrowed: Sequence[int]) -> str:
    """What the viewer is given as a file."""
    parts = export_matrix(Reader(story.database, story.viewer), story.partner.id, **narrowed)
    return "".join([part async for part in matrix_text(parts, form)])


def form_of(matrix: Any) -> dict[str, Any]:
    return {"entries": matrix} if isinstance(matrix, list) else matrix


async def plan(story: Story, matrix: Any, **values: Any) -> Any:
    """The payload of planAccessMatrix."""
    data, codes = await story.run(PLAN, input={"matrix": form_of(matrix), **values})
    assert codes == []
    return data["planAccessMatrix"]


async def apply(story: Story, matrix: Any, **values: Any) -> list[Told]:
    """What becomes of each cell."""
    return await replace(story, fragment=BRIEF).outcomes("applyAccessMatrix", matrix=form_of(matrix), **values)


def verdicts(told: Sequence[Told]) -> list[tuple[str, str | None]]:
    return [one.verdict for one in told]


async def refusals(story: Story, matrix: Any, **values: Any) -> list[tuple[str, str]]:
    """Why a matrix is refused, by planning and by applying alike; nothing at all may have been written."""
    planned = await plan(story, matrix, **values)
    assert planned["operation"] is planned["planToken"] is None
    applied = await story.refusals("applyAccessMatrix", matrix=form_of(matrix), **values)
    assert applied == [
        {"__typename": one["__typename"], **told} for one, told in zip(applied, planned["userErrors"], strict=True)
    ]
    return [(one["code"], one["message"]) for one in applied]


APPLY = mutation("applyAccessMatrix", fragment=BRIEF)
