"""The operation that somebody takes up again: to try it again, or to undo it (P01, N06)."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.operation import ENDED, operations
from resolvers.error import RefusalCode, refuse
from resolvers.readable import readable_operations
from resolvers.viewer import Viewer

OPERATION = ("input", "operation")


async def ended_operation(connection: AsyncConnection, viewer: Viewer, operation_id: int | None) -> Any:
    """Returns the row of an operation that has ended, of a partner for which the viewer acts.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN or NOT_A_PARTNER (F01, F02), CONFLICT if it has not ended.
    """
    known = operations.c.id.in_(readable_operations(viewer))
    statement = select(operations).where(operations.c.id == operation_id, known)
    found = (await connection.execute(statement)).one_or_none()
    if found is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such operation.", *OPERATION)
    viewer.acting(found.partner_id)
    if found.state not in ENDED:
        raise refuse(
            RefusalCode.CONFLICT,
            "This operation has not ended yet: wait for it, or stop it with cancelOperation first.",
            *OPERATION,
        )
    return found
