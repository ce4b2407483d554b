"""The queue of large operations: their targets are fixed, and cut into chunks, when they are asked for (P01)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import touch
from models.dialect import insert_many
from models.operation import OperationKind, OperationState, operations
from models.operation_chunk import (
    operation_chunks,
    operation_clients,
    operation_members,
    operation_pairs,
    queued_operations,
)
from models.schedule import scheduled_operations
from models.table import now
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.operation.billing import find_billing
from resolvers.operation.delivery import announce
from resolvers.operation.expected import find_expected
from resolvers.operation.fixed_access import fixed_access
from resolvers.operation.removal import check_planned, check_removal
from resolvers.operation.request import (
    Grants,
    OperationRequest,
    Pairs,
    Product,
    Targets,
    WishedPairs,
)
from resolvers.operation.scope import Scope
from resolvers.operation.stored_request import stored
from resolvers.operation.team import find_teams
from resolvers.operation.wish import WishedCell
from resolvers.timeline_chain.block import open_block
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """From when on operations are queued, and how they are cut."""

    queue_above: int = 10_000
    """Cells; an operation with more is carried out after the answer."""
    chunk_cells: int = 50_000
    """About how many cells one transaction writes."""

    def may_exceed(self, targets: Targets) -> bool:
        """Says whether the targets may have more cells than are carried out at once."""
        match targets:
            case Product(members=members, clients=clients):
                return len(members) * len(clients) > self.queue_above
            case Pairs(pairs=listed) | WishedPairs(pairs=listed):
                return len(listed) > self.queue_above
            case Grants(grants=listed):
                return len(listed) > self.queue_above
            case _:
                return True


async def enqueue(
    connection: AsyncConnection, viewer: Viewer, request: OperationRequest, scope: Scope, limits: QueueLimits
) -> int:
    """Writes an operation that is carried out later, with its targets, and returns its key.

    What is asked for is checked now; authority is judged when each cell is carried out (spec 2.2).

    Raises:
        RefusedError: if the request as a whole cannot be carried out.
    """
    await check_acting(connection, viewer, scope.partner_id)
    _check_expiry(request)
    request = await _checked(connection, viewer, request, scope)
    moment = now()
    values = {
        "partner_id": scope.partner_id,
        "kind": request.kind.value,
        "state": OperationState.QUEUED.value,
        "mode": request.options.mode.value,
        "atomic": request.options.atomic,
        "requested_by_id": viewer.user_id,
        "reason": request.options.reason,
        "request": stored(request, with_review=True),
        "created_at": moment,
        "total": scope.size,
    }
    made = await connection.execute(insert(operations).values(values).returning(operations.c.id))
    operation_id: int = made.scalar_one()
    open_block(connection, operation_id)
    place = {"operation_id": operation_id, "partner_id": scope.partner_id}
    # An atomic operation is one chunk, whatever its size: all of it, or nothing.
    cells = scope.size if request.options.atomic else limits.chunk_cells
    await (_keep_pairs if scope.pairs is not None else _keep_product)(connection, scope, place, cells)
    run_at = request.options.run_at
    if run_at is None:
        await join_queue(connection, operation_id, scope.partner_id)
    else:
        await connection.execute(insert(scheduled_operations).values(**place, run_at=run_at))
        touch(connection, ("schedule", scope.partner_id), ("operation", operation_id))
    return operation_id


async def join_queue(connection: AsyncConnection, operation_id: int, partner_id: int) -> None:
    """Gives an operation whose time has come its place in the queue."""
    # Beside those that are furthest behind, and not before them: whoever asks again and again keeps nothing from ending.
    turns = select(func.coalesce(func.min(queued_operations.c.turn), 0))
    turn = await connection.scalar(turns.where(queued_operations.c.partner_id == partner_id))
    place = {"operation_id": operation_id, "partner_id": partner_id, "turn": turn}
    await connection.execute(insert(queued_operations).values(place))
    await announce(connection, partner_id)
    touch(connection, ("work", partner_id), ("operation", operation_id))


def _check_expiry(request: OperationRequest) -> None:
    """Refuses access that would end before it is given (P14)."""
    run_at, ends_at = request.options.run_at, request.expiry.at if request.expiry else None
    if run_at is not None and ends_at is not None and ends_at <= run_at:
        raise refuse(
            RefusalCode.INVALID_INPUT, "The access would end before runAt: choose a later expiry.", "input", "expiresAt"
        )


async def forget_targets(connection: AsyncConnection, operation_id: int) -> None:
    """Takes an operation that has ended out of the queue: its outcomes say what there was to do."""
    for kept in (queued_operations, operation_chunks, operation_clients, operation_members, operation_pairs):
        await connection.execute(delete(kept).where(kept.c.operation_id == operation_id))


async def _checked(
    connection: AsyncConnection, viewer: Viewer, request: OperationRequest, scope: Scope
) -> OperationRequest:
    """Returns the request as it is to be carried out: with what it stands for now."""
    access = await fixed_access(connection, viewer, request.access, scope)
    if request.checked:
        return replace(request, access=access)
    teams = request.teams
    if teams is not None:
        teams = (await find_teams(connection, viewer, teams, scope.clients)).placed(teams)
    await find_expected(connection, viewer, request, scope)
    if request.removal is not None:
        await check_removal(connection, viewer, request.removal, scope)
        if request.options.run_at is not None:
            await check_planned(connection, request.removal, scope)
    if request.kind is OperationKind.MIGRATE and request.migration is not None:
        find_billing(request.migration, scope)
    return replace(request, access=access, teams=teams)


async def _keep_product(connection: AsyncConnection, scope: Scope, place: dict[str, int], cells: int) -> None:
    """Keeps people × clients: a chunk is a number of clients, with everybody."""
    width = len(scope.members)
    of_chunk = max(1, cells // width)
    people = [{**place, "position": index, "member_id": person.id} for index, person in enumerate(scope.members)]
    places = [
        {**place, "chunk": index // of_chunk, "position": index, "client_id": client.id}
        for index, client in enumerate(scope.clients)
    ]
    sizes = [width * min(of_chunk, len(places) - start) for start in range(0, len(places), of_chunk)]
    await _keep_chunks(connection, place, sizes)
    await insert_many(connection, operation_members, people)
    await insert_many(connection, operation_clients, places)


async def _keep_pairs(connection: AsyncConnection, scope: Scope, place: dict[str, int], cells: int) -> None:
    """Keeps single pairs: a chunk is a number of clients, in the order of the input, with all that is asked for in them."""
    pairs = scope.pairs or ()
    by_client: dict[int, list[int]] = {}
    for position, (_, client_id) in enumerate(pairs):
        by_client.setdefault(client_id, []).append(position)
    rows, sizes = [], []
    for number, positions in enumerate(_parts(list(by_client.values()), cells)):
        sizes.append(len(positions))
        rows += [
            {
                **place,
                "chunk": number,
                "position": at,
                "client_id": pairs[at][1],
                "member_id": pairs[at][0],
                **_kept_wish(scope.wishes[at] if scope.wishes else None),
            }
            for at in positions
        ]
    await _keep_chunks(connection, place, sizes)
    await insert_many(connection, operation_pairs, rows)


def _kept_wish(wished: WishedCell | None) -> dict[str, Any]:
    """Returns the columns that keep what is wanted in a pair (P28)."""
    if wished is None:
        return dict.fromkeys(("wish", "expires_at", "seen_grant_id", "seen_version"))
    grant_id, version = wished.seen or (None, None)
    kept = {"wish": wished.wish.packed(), "expires_at": wished.expires_at}
    return {**kept, "seen_grant_id": grant_id, "seen_version": version}


def _parts(clients: Sequence[Sequence[int]], cells: int) -> Iterator[list[int]]:
    """Yields the positions of as many whole clients at a time as have about so many cells."""
    part: list[int] = []
    for positions in clients:
        if part and len(part) + len(positions) > cells:
            yield part
            part = []
        part += positions
    if part:
        yield part


async def _keep_chunks(connection: AsyncConnection, place: dict[str, int], sizes: Sequence[int]) -> None:
    rows = [{**place, "number": number, "size": size} for number, size in enumerate(sizes)]
    await insert_many(connection, operation_chunks, rows)
