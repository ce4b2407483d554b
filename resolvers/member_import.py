"""Brings a partner's people in from a CSV file."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.dialect import insert_many, insert_or_ignore
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.partner import partners
from models.table import now
from models.text import fold
from models.user import full_name, users
from resolvers import import_cell
from resolvers.csv_table import read_rows
from resolvers.email_address import email_address, email_key
from resolvers.import_result import ImportedRow, ImportResult, ImportStatus, Progress, rejected, result_of

COLUMNS = ("email", "first_name", "last_name", "kind", "manager_rights", "verified")
CHUNK = 2_000

_MEMBER = ("kind", "manager_rights", "verified")
_NAME = ("first_name", "last_name")


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A row that can be taken."""

    line: int
    email: str
    first_name: str
    last_name: str
    kind: MemberKind
    manager_rights: ManagerRights
    verified: bool

    @property
    def key(self) -> str:
        """Returns what makes two spellings of the address the same user."""
        return email_key(self.email)


@dataclass(slots=True)
class MemberFile:
    """What a file says, before anything is written."""

    entries: list[MemberEntry] = field(default_factory=list)
    rejected: list[ImportedRow] = field(default_factory=list)


def member_texts(first_name: str, last_name: str, email: str) -> dict[str, str]:
    """Returns what a member is sorted and searched by (F22)."""
    name = full_name(first_name, last_name, email)
    return {"sort_name": fold(name), "search_text": f"{fold(name)}\n{fold(email)}"}


def read_members(source: str | bytes | BinaryIO) -> MemberFile:
    """Reads the whole file and checks each row for itself.

    Raises:
        CsvTableError: if it cannot be read at all.
    """
    file = MemberFile()
    lines: dict[str, int] = {}
    for row in read_rows(source, COLUMNS):
        try:
            if row.problem:
                raise ValueError(row.problem)  # noqa: TRY301 one way out for all reasons
            entry = _entry(row.line, row.cells)
            first = lines.setdefault(entry.key, row.line)
            if first != row.line:
                raise ValueError(f"{entry.email} is on line {first} already: keep one of the two rows.")  # noqa: TRY301
        except ValueError as error:
            file.rejected.append(rejected(row.line, str(error)))
        else:
            file.entries.append(entry)
    return file


def _entry(line: int, cells: dict[str, str]) -> MemberEntry:
    try:
        email = email_address(cells["email"])
    except ValueError as error:
        raise ValueError(f"email: {error}") from None
    return MemberEntry(
        line=line,
        email=email,
        first_name=import_cell.text("first_name", cells["first_name"]) or "",
        last_name=import_cell.text("last_name", cells["last_name"]) or "",
        kind=import_cell.choice("kind", cells["kind"], MemberKind),
        manager_rights=import_cell.choice("manager_rights", cells["manager_rights"], ManagerRights, ManagerRights.NONE),
        verified=import_cell.flag("verified", cells["verified"]),
    )


async def import_members(
    database: Database, partner_id: int, source: str | bytes | BinaryIO, progress: Progress | None = None
) -> ImportResult:
    """Reads the file and writes what it says in one transaction; the caller has checked that this is allowed (F02).

    Raises:
        CsvTableError: if the file cannot be read at all; nothing is written then.
    """
    file = await asyncio.to_thread(read_members, source)
    async with database.write() as session:
        return await write_members(await session.connection(), partner_id, file, progress)


async def write_members(
    connection: AsyncConnection, partner_id: int, file: MemberFile, progress: Progress | None = None
) -> ImportResult:
    """Writes the entries and says what became of each; repeating it changes nothing.

    A person keeps the name that is there when another partner has them too, and an import brings nobody back who left.
    The last people with EDIT cannot be taken that right by a file (R14).
    """
    # One import of a partner at a time: two of the same file would both find the rows missing.
    await connection.execute(select(partners.c.id).where(partners.c.id == partner_id).with_for_update(key_share=True))
    rows = list(file.rejected)
    kept = await _last_editors(connection, partner_id, file.entries)
    rows += [
        rejected(entry.line, "manager_rights: nobody would be left with EDIT. Give somebody else EDIT first.")
        for entry in file.entries
        if entry.key in kept
    ]
    # One order for all writers, so that two partners' imports cannot wait for each other.
    entries = sorted((entry for entry in file.entries if entry.key not in kept), key=lambda entry: entry.key)
    for start in range(0, len(entries), CHUNK):
        rows += await _write(connection, partner_id, entries[start : start + CHUNK])
        if progress:
            progress(min(start + CHUNK, len(entries)), len(entries))
    return result_of(rows)


async def _last_editors(connection: AsyncConnection, partner_id: int, entries: Sequence[MemberEntry]) -> set[str]:
    """Returns whom the file would take EDIT, if it leaves nobody who may act in the manager (R14)."""
    found = await connection.execute(
        select(users.c.email_key, members.c.super_admin)
        .join(members, members.c.user_id == users.c.id)
        .where(
            members.c.partner_id == partner_id,
            members.c.status == MemberStatus.ACTIVE,
            members.c.super_admin | (members.c.manager_rights == ManagerRights.EDIT),
        )
    )
    editors = {row.email_key: row.super_admin for row in found}
    told = {entry.key: entry.manager_rights for entry in entries}
    lowered = {key for key in editors if told.get(key, ManagerRights.EDIT) is not ManagerRights.EDIT}
    if any(editors.values()) or lowered != editors.keys() or ManagerRights.EDIT in told.values():
        return set()
    return lowered


async def _write(connection: AsyncConnection, partner_id: int, entries: Sequence[MemberEntry]) -> list[ImportedRow]:
    found = await _users(connection, entries)
    places = await places_of(connection, [user.id for user in found.values()])
    new: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    renamed: list[dict[str, Any]] = []
    status: dict[int, ImportStatus] = {}
    results: list[ImportedRow] = []
    moment = now()
    for entry in entries:
        user = found[entry.key]
        known = places.get(user.id, {})
        member = known.get(partner_id)
        if member is not None and member.status == MemberStatus.LEFT:
            message = f"{entry.email} has left the partner; an import does not bring anybody back. Remove the row."
            results.append(rejected(entry.line, message))
            continue
        name = _name(entry, user, own=known.keys() == {partner_id})
        if name != (user.first_name, user.last_name):
            renamed.append({"key": user.id, "new_first_name": name[0], "new_last_name": name[1]})
        told = {column: getattr(entry, column) for column in _MEMBER}
        if member is None:
            row = {"partner_id": partner_id, "user_id": user.id, "created_at": moment, **_NEW, **told}
            new.append(row | member_texts(*name, user.email))
            status[entry.line] = ImportStatus.CREATED
        elif any(getattr(member, column) != value for column, value in told.items()):
            updates.append({"key": member.id, **{f"new_{column}": value for column, value in told.items()}})
            status[entry.line] = ImportStatus.UPDATED
        else:
            status[entry.line] = (
                ImportStatus.UPDATED if name != (user.first_name, user.last_name) else ImportStatus.UNCHANGED
            )
    await insert_many(connection, members, new)
    await _update(connection, members, updates, _MEMBER)
    await _update(connection, users, renamed, _NAME)
    await refresh_member_texts(connection, [row["key"] for row in renamed])
    if new:
        places |= await places_of(connection, [row["user_id"] for row in new])
    results += [
        ImportedRow(entry.line, status[entry.line], places[found[entry.key].id][partner_id].id)
        for entry in entries
        if entry.line in status
    ]
    return results


_NEW = {"status": MemberStatus.ACTIVE, "super_admin": False, "active_clients": 0}


def _name(entry: MemberEntry, user: Row[Any], *, own: bool) -> tuple[str, str]:
    """Returns the name that the person has after the import: a row without any never takes one away."""
    if not (entry.first_name or entry.last_name) or not may_rename(user, own=own):
        return user.first_name, user.last_name
    return entry.first_name, entry.last_name


def may_rename(user: Row[Any], *, own: bool) -> bool:
    """Says whether a partner may write a user's name: of its own people only, or where there is no name yet."""
    return own or not (user.first_name or user.last_name)


async def _users(connection: AsyncConnection, entries: Sequence[MemberEntry]) -> dict[str, Row[Any]]:
    """Returns the users by e-mail key, after making those that are new."""
    found = await _users_of(connection, [entry.key for entry in entries])
    missing = [entry for entry in entries if entry.key not in found]
    if missing:
        moment = now()
        rows = [
            {
                "email": entry.email,
                "email_key": entry.key,
                "first_name": entry.first_name,
                "last_name": entry.last_name,
                "created_at": moment,
            }
            for entry in missing
        ]
        await insert_many(connection, insert_or_ignore(connection, users), rows)
        found |= await _users_of(connection, [entry.key for entry in missing])
    return found


async def _users_of(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Row[Any]]:
    rows = await connection.execute(select(users).where(users.c.email_key.in_(keys)))
    return {row.email_key: row for row in rows}


async def places_of(connection: AsyncConnection, user_ids: Sequence[int]) -> dict[int, dict[int, Row[Any]]]:
    """Returns the memberships of these users, by user and partner."""
    columns = (members.c.id, members.c.user_id, members.c.partner_id, members.c.status)
    rows = await connection.execute(
        select(*columns, *(members.c[name] for name in _MEMBER)).where(members.c.user_id.in_(user_ids))
    )
    places: dict[int, dict[int, Row[Any]]] = {}
    for row in rows:
        places.setdefault(row.user_id, {})[row.partner_id] = row
    return places


async def refresh_member_texts(connection: AsyncConnection, user_ids: Sequence[int]) -> None:
    """Keeps order and search of all memberships of these users true (F22)."""
    if not user_ids:
        return
    rows = await connection.execute(
        select(members.c.id, users.c.first_name, users.c.last_name, users.c.email)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.user_id.in_(user_ids))
        .order_by(members.c.id)
    )
    texts = [(key, member_texts(*names)) for key, *names in rows.all()]
    updates = [{"key": key, **{f"new_{name}": value for name, value in words.items()}} for key, words in texts]
    await _update(connection, members, updates, ("sort_name", "search_text"))


async def _update(
    connection: AsyncConnection, table: Any, rows: Sequence[dict[str, Any]], columns: Sequence[str]
) -> None:
    if rows:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        await connection.execute(update(table).where(table.c.id == bindparam("key")).values(values), rows)
