"""The versions of grants that a caller has seen: whoever changes what they have not seen gets CONFLICT (P03)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import grants
from resolvers.error import Refusal, RefusalCode, RefusedError
from resolvers.operation.request import Key, OperationRequest
from resolvers.operation.scope import Scope
from resolvers.readable import readable_grants
from resolvers.viewer import Viewer


async def find_expected(
    connection: AsyncConnection, viewer: Viewer, request: OperationRequest, scope: Scope
) -> list[dict[str, int]]:
    """Returns, for each cell that a version was sent for, which grant and which version the caller has seen.

    A grant that has ended meanwhile stands for its cell all the same: it is not what the caller has seen.

    Raises:
        RefusedError: NOT_FOUND for what is no grant of any target, so that no check is passed over in silence.
    """
    expected = dict(request.expected_versions)
    if not expected:
        return []
    known = [key for key in expected if key is not None]
    statement = select(grants.c.id, grants.c.client_id, grants.c.member_id).where(
        grants.c.id.in_(known), grants.c.id.in_(readable_grants(viewer))
    )
    found: dict[Key, Any] = {row.id: row for row in await connection.execute(statement)}
    _check_targets(list(expected), found, scope)
    return [
        {
            "client_id": row.client_id,
            "member_id": row.member_id,
            "grant_id": row.id,
            "version": expected[row.id],
        }
        for row in {(row.client_id, row.member_id): row for _, row in sorted(found.items())}.values()
    ]


def _check_targets(keys: Sequence[Key], found: dict[Key, Any], scope: Scope) -> None:
    clients, members = {client.id for client in scope.clients}, {member.id for member in scope.members}
    refusals = [
        Refusal(
            RefusalCode.NOT_FOUND,
            "There is no such grant among the targets.",
            ("input", "expectedVersions", str(index), "grant"),
        )
        for index, key in enumerate(keys)
        if key not in found or found[key].client_id not in clients or found[key].member_id not in members
    ]
    if refusals:
        raise RefusedError(refusals)
