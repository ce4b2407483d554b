"""The same cells written in five ways: by the service, by the ORM in three ways, and by bare INSERT … SELECT."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Column, ColumnElement, Integer, Select, cast, insert, literal, null, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import select as select_entity
from sqlmodel.ext.asyncio.session import AsyncSession

from benchmarks.peer.population import ACTOR, VIEWER, Block, Model, grant_request
from models.client import Client, clients
from models.database import Database
from models.grant import AccessType, Grant, grants
from models.member import Member, members
from models.operation import Decision, Operation, OperationKind, OperationState, OutcomeStatus, cell_key
from models.outcome import Outcome, outcomes
from models.permission.catalogue import catalogue
from models.permission.rule import apply_rule, authority
from models.permission_state import PermissionState
from models.table import now
from models.timeline_entry import TimelineEntry, timeline_entries
from resolvers.operation.execute import execute

PLACE = ("client_id", "member_id", "account_id", "user_id")
"""Columns that differ from cell to cell; in this population the keys of account and client, and of user and member, agree."""


class Way(StrEnum):
    """How the cells are written."""

    SERVICE = "the service's own execute"
    EACH = "one ORM transaction a cell"
    ENTITIES = "ORM bulk insert, entities"
    ROWS = "ORM bulk insert, dicts"
    BARE = "bare INSERT … SELECT"


async def write_by_service(database: Database, model: Model, block: Block) -> int:
    """Grants as grantAccess does: rule, grants, timeline, outcomes, counters."""
    return await execute(database, VIEWER, grant_request(block, model.set_id))


async def write_each(database: Database, model: Model, block: Block) -> int:
    """Grants as a loop that somebody writes first: a transaction, the rule and the entities for each cell."""
    at = now()
    async with database.write() as session:
        operation_id = await _begin(session, model, at)
    for cell in block.cells():
        _, client_id, member_id = cell
        async with database.write() as session:
            client = await session.get_one(Client, client_id)
            member = await session.get_one(Member, member_id)
            theirs = select_entity(Grant).where(grants.c.client_id == client_id, grants.c.ended == 0)
            actor = (await session.exec(theirs.where(grants.c.member_id == ACTOR))).one()
            present = (await session.exec(theirs.where(grants.c.member_id == member_id))).one_or_none()
            held = await session.get_one(PermissionState, actor.state_id)
            wanted = await session.get_one(PermissionState, model.decision["requested_state_id"])
            may = authority(catalogue.decode(held.content), None, catalogue)
            change = apply_rule(0, catalogue.decode(wanted.content), may, catalogue)
            if present is None and change.after and actor.access_type == AccessType.PARTNER_ADMIN:
                session.add_all(_entities(model, operation_id, at, cell))
                client.active_people += 1
                member.active_clients += 1
    return operation_id


async def write_entities(database: Database, model: Model, block: Block) -> int:
    """Inserts the same rows as entities by one ``add_all``; the rule is decided already, counters are left out."""
    at = now()
    async with database.write() as session:
        operation_id = await _begin(session, model, at)
        session.add_all(entity for cell in block.cells() for entity in _entities(model, operation_id, at, cell))
    return operation_id


async def write_rows(database: Database, model: Model, block: Block) -> int:
    """Inserts the same rows as dicts by the ORM's bulk INSERT, which makes no entities; else as ``write_entities``."""
    at = now()
    async with database.write() as session:
        operation_id = await _begin(session, model, at)
        rows = [_rows(model, operation_id, at, cell) for cell in block.cells()]
        for number, entity in enumerate((Grant, Outcome, TimelineEntry)):
            await session.exec(insert(entity), params=[row[number] for row in rows])
    return operation_id


async def write_bare(database: Database, model: Model, block: Block) -> int:
    """Inserts the same rows by one statement a table, all but the keys constant; counters are left out."""
    at = now()
    async with database.write() as session:
        operation_id = await _begin(session, model, at)
        connection = await session.connection()
        row, column = clients.c.id - block.first_client, members.c.id - block.first_person
        position = cast(row * block.people + column, Integer)
        key = literal(cell_key(operation_id, 0), BigInteger) + row * block.people + column
        place = {
            "client_id": clients.c.id,
            "member_id": members.c.id,
            "account_id": clients.c.account_id,
            "user_id": members.c.user_id,
        }
        grant = {
            column.name: _literal(column, model.grant[column.name]) for column in grants.c if column.name not in PLACE
        }
        await _insert(connection, block, grants, {**grant, **place, "id": key, "since": _literal(grants.c.since, at)})
        entry = {column.name: _literal(column, model.timeline_entry[column.name]) for column in timeline_entries.c}
        entry |= {name: value for name, value in place.items() if name in entry}
        entry |= {"id": key, "grant_id": key, "operation_id": literal(operation_id, BigInteger)}
        entry["at"] = _literal(timeline_entries.c.at, at)
        await _insert(connection, block, timeline_entries, entry)
        outcome: dict[str, ColumnElement[Any]] = {
            "operation_id": literal(operation_id, BigInteger),
            "position": position,
            "client_id": clients.c.id,
            "member_id": members.c.id,
            "grant_id": key,
            "decision": literal(0),
            "status": literal(OutcomeStatus.APPLIED.value),
        }
        await _insert(connection, block, outcomes, outcome)
    return operation_id


Writer: TypeAlias = Callable[[Database, Model, Block], Awaitable[int]]

WRITERS: dict[Way, Writer] = {
    Way.SERVICE: write_by_service,
    Way.EACH: write_each,
    Way.ENTITIES: write_entities,
    Way.ROWS: write_rows,
    Way.BARE: write_bare,
}


async def _begin(session: AsyncSession, model: Model, at: datetime) -> int:
    """Writes the operation and its only decision."""
    operation = Operation(
        partner_id=1,
        kind=OperationKind.GRANT,
        state=OperationState.COMPLETED,
        requested_by_id=ACTOR,
        created_at=at,
        finished_at=at,
    )
    session.add(operation)
    await session.flush()
    if operation.id is None:
        raise RuntimeError("The database gave the operation no key.")
    session.add(Decision(**{**model.decision, "operation_id": operation.id}))
    await session.flush()
    return operation.id


def _rows(
    model: Model, operation_id: int, at: datetime, cell: tuple[int, int, int]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Returns the rows of one cell in the tables grant, outcome and timeline_entry."""
    position, client_id, member_id = cell
    key = cell_key(operation_id, position)
    place = {"client_id": client_id, "member_id": member_id, "account_id": client_id}
    grant = {**model.grant, **place, "user_id": member_id, "id": key, "since": at}
    outcome = {
        "operation_id": operation_id,
        "position": position,
        "client_id": client_id,
        "member_id": member_id,
        "grant_id": key,
        "decision": 0,
        "status": OutcomeStatus.APPLIED,
    }
    entry = {**model.timeline_entry, **place, "id": key, "grant_id": key, "operation_id": operation_id, "at": at}
    return grant, outcome, entry


def _entities(
    model: Model, operation_id: int, at: datetime, cell: tuple[int, int, int]
) -> tuple[Grant, Outcome, TimelineEntry]:
    grant, outcome, entry = _rows(model, operation_id, at, cell)
    return Grant(**grant), Outcome(**outcome), TimelineEntry(**entry)


def _literal(column: Column[Any], value: object) -> ColumnElement[Any]:
    return null() if value is None else literal(value, column.type)


async def _insert(
    connection: AsyncConnection, block: Block, table: Any, columns: dict[str, ColumnElement[Any]]
) -> None:
    statement: Select[Any] = (
        select(*columns.values())
        .select_from(clients.join(members, true()))
        .where(clients.c.id.between(block.first_client, block.first_client + block.clients - 1))
        .where(members.c.id.between(block.first_person, block.first_person + block.people - 1))
    )
    await connection.execute(insert(table).from_select(list(columns), statement))
