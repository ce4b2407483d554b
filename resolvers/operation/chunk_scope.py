"""The cells of a chunk: read from the targets that were fixed when the operation was queued."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, func, insert, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.dialect import insert_many
from models.grant import grants
from models.member import members
from models.operation import OutcomeStatus
from models.operation_chunk import operation_clients, operation_members, operation_pairs
from models.outcome import outcomes
from resolvers.error import RefusalCode, refuse
from resolvers.operation.scope import Scope
from resolvers.operation.target import client_of, client_rows, member_of, member_rows, rows_by_key
from resolvers.operation.wish import Wish, WishedCell
from resolvers.viewer import Viewer

_CELLS_AT_ONCE = 1_000
"""How many cells one statement looks for."""


async def chunk_scope(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, operation_id: int, number: int
) -> Scope:
    """Returns the cells of a chunk; its clients and people are locked.

    Raises:
        RefusedError: FORBIDDEN, if whoever asked may not act for the partner any more.
    """
    viewer.acting(partner_id)
    places = operation_clients
    ours = (places.c.operation_id == operation_id, places.c.chunk == number)
    rows = (
        await connection.execute(select(places.c.position, places.c.client_id).where(*ours).order_by("position"))
    ).all()
    if not rows:
        return await _of_pairs(connection, viewer, partner_id, operation_id, number)
    people = (
        select(operation_members.c.member_id)
        .where(operation_members.c.operation_id == operation_id)
        .order_by(operation_members.c.position)
    )
    member_ids = list((await connection.execute(people)).scalars())
    scope = await _locked(connection, viewer, partner_id, [row.client_id for row in rows], member_ids)
    return replace(scope, first_client=rows[0].position)


async def _of_pairs(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, operation_id: int, number: int
) -> Scope:
    kept = operation_pairs
    ours = (kept.c.operation_id == operation_id, kept.c.chunk == number)
    rows = (
        await connection.execute(
            select(
                kept.c.position,
                kept.c.client_id,
                kept.c.member_id,
                kept.c.wish,
                kept.c.expires_at,
                kept.c.seen_grant_id,
                kept.c.seen_version,
            )
            .where(*ours)
            .order_by(kept.c.position)
        )
    ).all()
    client_ids = list(dict.fromkeys(row.client_id for row in rows))
    member_ids = list(dict.fromkeys(row.member_id for row in rows))
    scope = await _locked(connection, viewer, partner_id, client_ids, member_ids)
    pairs = [(row.member_id, row.client_id) for row in rows]
    wishes = [_wished(row) for row in rows] if rows and rows[0].wish is not None else None
    return replace(scope, pairs=pairs, positions=[row.position for row in rows], wishes=wishes)


def _wished(row: Any) -> WishedCell:
    """Returns what is wanted in a pair (P28)."""
    seen = None if row.seen_grant_id is None else (row.seen_grant_id, row.seen_version)
    return WishedCell(Wish.of_text(row.wish), row.expires_at, seen)


async def _locked(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, client_ids: Sequence[int], member_ids: Sequence[int]
) -> Scope:
    places = await rows_by_key(connection, client_rows(viewer, locked=True), clients, client_ids)
    people = await rows_by_key(connection, member_rows(viewer, locked=True), members, member_ids)
    if len(places) < len(client_ids) or len(people) < len(member_ids):
        raise refuse(RefusalCode.FORBIDDEN, "Some of the targets are not known any more to whoever asked for this.")
    found = [client_of(places[key]) for key in client_ids]
    return Scope(partner_id, found, [member_of(people[key]) for key in member_ids])


def cells_of(scope: Scope) -> list[tuple[int, int, int]]:
    """Returns the position, the person and the client of each cell."""
    if scope.pairs is not None:
        positions = scope.positions or range(len(scope.pairs))
        return [(at, member, client) for at, (member, client) in zip(positions, scope.pairs, strict=True)]
    width = len(scope.members)
    return [
        ((scope.first_client + row) * width + column, member.id, client.id)
        for row, client in enumerate(scope.clients)
        for column, member in enumerate(scope.members)
    ]


def positions_of(scope: Scope) -> tuple[int, int]:
    """Returns the first and the last position of a chunk's cells; with single pairs, others may lie between."""
    if scope.pairs is None:
        width = len(scope.members)
        return scope.first_client * width, (scope.first_client + len(scope.clients)) * width - 1
    positions = scope.positions or range(len(scope.pairs))
    return min(positions), max(positions)


def narrowed(scope: Scope, cells: Sequence[tuple[int, int, int]]) -> Scope:
    """Returns a part of a scope: only these of its cells."""
    known_clients, known_members = {cell[2] for cell in cells}, {cell[1] for cell in cells}
    wishes = None
    if scope.wishes is not None:
        wished = dict(zip(scope.positions or (), scope.wishes, strict=True))
        wishes = [wished[at] for at, _, _ in cells]
    return replace(
        scope,
        clients=[client for client in scope.clients if client.id in known_clients],
        members=[member for member in scope.members if member.id in known_members],
        first_client=0,
        pairs=[(member, client) for _, member, client in cells],
        positions=[at for at, _, _ in cells],
        wishes=wishes,
    )


async def same_outcome(
    connection: AsyncConnection,
    operation_id: int,
    number: int,
    *,
    decision: int,
    status: OutcomeStatus,
    block_id: int,
) -> None:
    """Writes the same outcome for all cells of a chunk, without looking at what there is."""
    names = ["position", "client_id", "member_id", "operation_id", "decision", "status", "block_id"]
    for cells in (_product(operation_id, number), _pairs(operation_id, number)):
        same: list[ColumnElement[Any]] = [literal(operation_id, BigInteger), literal(decision), literal(status.value)]
        same.append(literal(block_id, BigInteger))
        await connection.execute(insert(outcomes).from_select(names, cells.add_columns(*same)))


async def failed_outcomes(
    connection: AsyncConnection,
    operation_id: int,
    cells: Sequence[tuple[int, int, int]],
    decision: int,
    block_id: int,
) -> None:
    """Writes the outcomes of cells that cannot be carried out, nor even be planned; what is there now is told with them."""
    for start in range(0, len(cells), _CELLS_AT_ONCE):
        part = cells[start : start + _CELLS_AT_ONCE]
        known = select(grants.c.id, grants.c.member_id, grants.c.client_id).where(
            grants.c.ended == 0,
            grants.c.member_id.in_({member for _, member, _ in part}),
            grants.c.client_id.in_({client for _, _, client in part}),
        )
        found = {(row.member_id, row.client_id): row.id for row in await connection.execute(known)}
        rows = [
            {
                "operation_id": operation_id,
                "position": position,
                "client_id": client,
                "member_id": member,
                "grant_id": found.get((member, client)),
                "decision": decision,
                "status": OutcomeStatus.FAILED.value,
                "block_id": block_id,
            }
            for position, member, client in part
        ]
        await insert_many(connection, outcomes, rows)


def _product(operation_id: int, number: int) -> Select[Any]:
    width = (
        select(func.count())
        .select_from(operation_members)
        .where(operation_members.c.operation_id == operation_id)
        .scalar_subquery()
    )
    return (
        select(
            operation_clients.c.position * width + operation_members.c.position,
            operation_clients.c.client_id,
            operation_members.c.member_id,
        )
        .select_from(operation_clients.join(operation_members, true()))
        .where(operation_clients.c.operation_id == operation_id, operation_clients.c.chunk == number)
        .where(operation_members.c.operation_id == operation_id)
    )


def _pairs(operation_id: int, number: int) -> Select[Any]:
    kept = operation_pairs.c
    return select(kept.position, kept.client_id, kept.member_id).where(
        kept.operation_id == operation_id, kept.chunk == number
    )
