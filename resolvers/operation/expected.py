"""The versions of grants that a caller has seen: whoever changes what they have not seen gets CONFLICT (P03)."""

from collections.abc import Callable, Iterable, Sequence
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
    sent = request.expected_versions
    known = {key for key, _ in sent if key is not None}
    if not sent:
        return []
    found = await _found(connection, viewer, known)
    if not request.checked:
        clients, members = {client.id for client in scope.clients}, {member.id for member in scope.members}
        pairs = None if scope.pairs is None else set(scope.pairs)
        _check(
            sent,
            found,
            lambda member, client: (
                client in clients and member in members and (pairs is None or (member, client) in pairs)
            ),
        )
    # Where several grants of one cell were sent, the newest stands for it: only that one can be the living one.
    newest = {(row.client_id, row.member_id): row for _, row in sorted(found.items())}
    expected = dict(sent)
    return [
        {"client_id": row.client_id, "member_id": row.member_id, "grant_id": row.id, "version": expected[row.id]}
        for row in newest.values()
    ]


async def seen_again(
    connection: AsyncConnection,
    viewer: Viewer,
    first: Sequence[tuple[Key, int]],
    sent: Sequence[tuple[Key, int]],
    cells: Iterable[tuple[Key, Key]],
) -> tuple[tuple[Key, int], ...]:
    """Returns the versions that count when some cells of a request are tried again (R5).

    What was sent the first time still holds, for nobody overwrites what nobody has seen; where that is no longer what is there,
    CONFLICT stays, until somebody has looked and sends what they see. What was sent about other cells has nothing to check.

    Args:
        connection: of the transaction.
        viewer: who tries again.
        first: the versions sent the first time.
        sent: those sent now.
        cells: the person and the client of each cell.

    Raises:
        RefusedError: NOT_FOUND for what is no grant of any of these cells; INVALID_INPUT for two versions of one grant.
    """
    if not first and not sent:
        return ()
    known = set(cells)
    versions = dict(first) | dict(sent)
    found = await _found(connection, viewer, {key for key in versions if key is not None})
    _check(sent, found, lambda member, client: (member, client) in known)
    return tuple((key, versions[key]) for key, row in sorted(found.items()) if (row.member_id, row.client_id) in known)


async def _found(connection: AsyncConnection, viewer: Viewer, keys: set[int]) -> dict[Key, Any]:
    statement = select(grants.c.id, grants.c.client_id, grants.c.member_id).where(
        grants.c.id.in_(keys), grants.c.id.in_(readable_grants(viewer))
    )
    return {row.id: row for row in await connection.execute(statement)}


def seen_in(scope: Scope) -> list[dict[str, int]]:
    """Returns, for each cell with a wish that was made on something seen, what that was: zeros for no grant (P28)."""
    return [
        {"client_id": client_id, "member_id": member_id, "grant_id": wished.seen[0], "version": wished.seen[1]}
        for (member_id, client_id), wished in zip(scope.pairs or (), scope.wishes or (), strict=True)
        if wished.seen is not None
    ]


def _check(sent: Sequence[tuple[Key, int]], found: dict[Key, Any], is_target: Callable[[int, int], bool]) -> None:
    """Refuses what would check nothing, and two versions for one grant."""
    versions: dict[Key, int] = {}
    refusals = []
    for index, (key, version) in enumerate(sent):
        row = found.get(key)
        field = ("input", "expectedVersions", str(index), "grant")
        if row is None or not is_target(row.member_id, row.client_id):
            refusals.append(Refusal(RefusalCode.NOT_FOUND, "There is no such grant among the targets.", field))
        elif versions.setdefault(key, version) != version:
            refusals.append(Refusal(RefusalCode.INVALID_INPUT, "Send one version for each grant.", field))
    if refusals:
        raise RefusedError(refusals)
