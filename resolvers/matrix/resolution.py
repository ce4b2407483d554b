"""From the rows of a matrix to cells: whom, where and which set they mean, and what is there now (P28)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Select, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.dialect import create_temporary, insert_many
from models.grant import GrantStatus, grants
from models.member import members
from models.table import BigKey, now
from models.text import fold
from models.user import users
from resolvers.error import Refusal, RefusalCode, RefusedError
from resolvers.matrix.entry import Matrix, MatrixEntry, Problem
from resolvers.matrix.set_name import (
    SINGLE_PERMISSIONS,
    SUPER_ADMIN,
    NamedSet,
    SetNames,
    UnknownSetError,
    load_sets,
    split_name,
)
from resolvers.operation.wish import NEVER, Wish, WishForm
from resolvers.readable import readable_clients, readable_grants, readable_members
from resolvers.viewer import Viewer

MOST_TOLD = 100
"""How many mistakes are told at once."""

_KEYS_AT_ONCE = 10_000

_cells = Table(
    "matrix_cell",
    MetaData(),
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("member_id", BigKey, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A row whose words were found."""

    entry: MatrixEntry
    cell: tuple[int, int]
    """The person and the client."""
    wish: Wish
    present: tuple[int, int]
    """The key and version of the grant that is there, zeros for none."""

    @property
    def meaning(self) -> tuple[object, ...]:
        """Returns what two rows about one cell must agree in."""
        return self.wish, self.entry.expires_at, self.entry.grant_version


async def resolve(connection: AsyncConnection, viewer: Viewer, partner_id: int, matrix: Matrix) -> list[Resolved]:
    """Returns the cells that a matrix means, each once, in the order of its rows.

    Raises:
        RefusedError: INVALID_INPUT and NOT_FOUND, by row: nothing of a matrix with a mistake is carried out.
    """
    entries, problems = matrix.entries, list(matrix.problems)
    places = await _found(connection, _places(viewer, partner_id), accounts.c.hub_id, {e.hub_id for e in entries})
    people = await _found(connection, _people(viewer, partner_id), users.c.email_key, {e.email_key for e in entries})
    known: list[MatrixEntry] = []
    for entry in entries:
        for found, key, message in (
            (people, entry.email_key, f"email: none of the partner's people has the address {entry.email}."),
            (places, entry.hub_id, f"hub_id: the partner has no client with the Hub ID {entry.hub_id}."),
        ):
            if key not in found:
                problems.append(entry.row.problem(RefusalCode.NOT_FOUND, message))
        if entry.email_key in people and entry.hub_id in places:
            known.append(entry)
    names = {split_name(entry.permission_set)[1] for entry in known if entry.permission_set}
    sets = SetNames(await load_sets(connection, viewer, partner_id, names))
    cells = [(people[entry.email_key].id, places[entry.hub_id].id) for entry in known]
    present = await _present(connection, viewer, cells)
    moment = now()
    resolved: dict[tuple[int, int], Resolved] = {}
    for entry, cell in zip(known, cells, strict=True):
        there = present.get(cell)
        try:
            wish = _wish(entry, sets, places[entry.hub_id].account_id, there)
            _check_expiry(entry, there, moment)
            row = Resolved(entry, cell, wish, (0, 0) if there is None else (there.id, there.version))
            first = resolved.setdefault(cell, row)
            if first.meaning != row.meaning:
                raise ValueError(  # noqa: TRY301 one way out for all reasons
                    f"{first.entry.row.shown} says something else about {entry.email} in {entry.hub_id}: keep one of them."
                )
        except ValueError as error:
            code = getattr(error, "code", RefusalCode.INVALID_INPUT)
            problems.append(entry.row.problem(code, str(error)))
    if problems:
        raise RefusedError(_told(problems))
    return list(resolved.values())


def _told(problems: Sequence[Problem]) -> list[Refusal]:
    """Returns so many of the mistakes as somebody reads, in the order of the rows."""
    ordered = sorted(problems, key=lambda problem: problem[0])
    told = [refusal for _, refusal in ordered[:MOST_TOLD]]
    if len(problems) > MOST_TOLD:
        more = f"There are {len(problems) - MOST_TOLD:,} more mistakes: correct these first."
        told.append(Refusal(RefusalCode.INVALID_INPUT, more, ("input", "matrix")))
    return told


def _places(viewer: Viewer, partner_id: int) -> Select[Any]:
    return (
        select(accounts.c.hub_id.label("word"), clients.c.id, clients.c.account_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.partner_id == partner_id, clients.c.id.in_(readable_clients(viewer)))
    )


def _people(viewer: Viewer, partner_id: int) -> Select[Any]:
    return (
        select(users.c.email_key.label("word"), members.c.id)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.partner_id == partner_id, members.c.id.in_(readable_members(viewer)))
    )


async def _found(
    connection: AsyncConnection, statement: Select[Any], column: Any, words: Iterable[Any]
) -> dict[Any, Any]:
    """Returns the rows by the words that name them; what is not there and what is another partner's look alike (T1)."""
    wanted = sorted(words)
    found: dict[Any, Any] = {}
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        rows = await connection.execute(statement.where(column.in_(wanted[start : start + _KEYS_AT_ONCE])))
        found |= {row.word: row for row in rows}
    return found


async def _present(
    connection: AsyncConnection, viewer: Viewer, cells: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Any]:
    """Returns the living grants of cells, by one statement however many there are."""
    rows = [
        {"client_id": client_id, "member_id": member_id, "position": position}
        for position, (member_id, client_id) in enumerate(dict.fromkeys(cells))
    ]
    await create_temporary(connection, _cells)
    await insert_many(connection, _cells, rows)
    living = and_(
        grants.c.client_id == _cells.c.client_id, grants.c.member_id == _cells.c.member_id, grants.c.ended == 0
    )
    statement = (
        select(
            grants.c.id,
            grants.c.version,
            grants.c.client_id,
            grants.c.member_id,
            grants.c.set_version_id,
            grants.c.expires_at,
        )
        .select_from(_cells.join(grants, living))
        .where(grants.c.id.in_(readable_grants(viewer)))
    )
    return {(row.member_id, row.client_id): row for row in await connection.execute(statement)}


def _wish(entry: MatrixEntry, sets: SetNames, account_id: int, there: Any) -> Wish:
    if not entry.permission_set:
        return Wish(WishForm.NONE)
    said: Mapping[str, Any] = {"status": entry.status, "seat": entry.seat}
    if entry.status is GrantStatus.DEACTIVATED and there is None:
        raise ValueError("status: there is no access that is deactivated; leave it empty to give some.")
    plain = fold(entry.permission_set)
    if plain in {fold(SINGLE_PERMISSIONS), fold(SUPER_ADMIN)}:
        return Wish(WishForm.KEEP, super_admin=plain == fold(SUPER_ADMIN), **said)
    version_id = None if there is None else there.set_version_id
    named = sets.find(entry.permission_set, account_id, version_id)
    form = WishForm.KEEP if entry.customised or named.archived_at else WishForm.GIVE
    return Wish(form, _version(entry, named, form, version_id), entry.customised, **said)


def _version(entry: MatrixEntry, named: NamedSet, form: WishForm, present_id: int | None) -> int:
    if entry.version is None:
        kept = form is WishForm.KEEP and present_id in named.versions.values()
        return present_id if kept and present_id else named.versions[named.newest]
    if entry.version not in named.versions:
        raise UnknownSetError(
            RefusalCode.NOT_FOUND,
            f"version: “{named.name}” has no version {entry.version}; the newest is {named.newest}, which an empty cell means.",
        )
    return named.versions[entry.version]


def _check_expiry(entry: MatrixEntry, there: Any, moment: datetime) -> None:
    at = entry.expires_at
    if at is not None and at is not NEVER and at <= moment and (there is None or there.expires_at != at):
        raise ValueError("expires_at: an expiry lies in the future; write a later moment, or leave it empty.")
