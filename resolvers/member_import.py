"""Brings a partner's people in from a CSV file."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.dialect import insert_many, insert_or_ignore, lock_rows
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.partner import partners
from models.table import now
from models.user import users
from resolvers import import_cell
from resolvers.email_address import email_key
from resolvers.entry_file import EntryFile, read_entries
from resolvers.import_result import ImportedRow, ImportResult, ImportStatus, Progress, rejected, result_of
from resolvers.member_name import member_name
from resolvers.verification import why_verified

COLUMNS = ("email", "first_name", "last_name", "kind", "manager_rights", "verified")
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A row that can be taken."""

    line: int
    email: str
    first_name: str
    last_name: str
    kind: MemberKind
    manager_rights: ManagerRights | None = None
    """None, as an empty cell, keeps what is there; a new member begins with NONE."""
    verified: bool | None = None
    """None, as an empty cell, keeps what is there; a new member begins unverified."""

    @property
    def key(self) -> str:
        """Returns what makes two spellings of the address the same user."""
        return email_key(self.email)

    @property
    def identity(self) -> str:
        """Returns what makes two rows the same person."""
        return self.key

    @property
    def shown(self) -> str:
        """Returns the identity in words."""
        return self.email

    @property
    def told(self) -> dict[str, Any]:
        """Returns the columns of the membership, without the name, that the row says something of."""
        columns = {"kind": self.kind, "manager_rights": self.manager_rights, "verified": self.verified}
        return {name: value for name, value in columns.items() if value is not None}


def read_members(source: str | bytes | BinaryIO) -> EntryFile[MemberEntry]:
    """Reads the whole file and checks each row for itself.

    Raises:
        CsvTableError: if it cannot be read at all.
    """
    return read_entries(source, COLUMNS, _entry)


def _entry(line: int, cells: dict[str, str]) -> MemberEntry:
    email = import_cell.email("email", cells["email"])
    rights, verified = cells["manager_rights"], cells["verified"]
    return MemberEntry(
        line=line,
        email=email,
        first_name=import_cell.text("first_name", cells["first_name"]) or "",
        last_name=import_cell.text("last_name", cells["last_name"]) or "",
        kind=import_cell.choice("kind", cells["kind"], MemberKind),
        manager_rights=import_cell.choice("manager_rights", rights, ManagerRights) if rights else None,
        verified=import_cell.flag("verified", verified) if verified else None,
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
    connection: AsyncConnection, partner_id: int, file: EntryFile[MemberEntry], progress: Progress | None = None
) -> ImportResult:
    """Writes the entries and says what became of each; repeating it changes nothing.

    Names are the partner's own, and nobody learns from an import whether another partner has the person (T1). An import
    brings nobody back who left, and unverifies no active partner admin (F09). The last people with EDIT cannot be taken that
    right by a file (R14).
    """
    # One import of a partner at a time: two of the same file would both find the rows missing.
    await lock_rows(connection, select(partners.c.id).where(partners.c.id == partner_id))
    # In the order of their keys, as operations lock them, so that an import and an operation cannot wait for each other.
    await lock_rows(connection, select(members.c.id).where(members.c.partner_id == partner_id).order_by(members.c.id))
    known = await _known(connection, partner_id)
    refused = await _refused(connection, partner_id, known, file.entries)
    rows = file.rejected + [rejected(entry.line, refused[entry.key]) for entry in file.entries if entry.key in refused]
    # One order for all writers, so that two partners' imports cannot wait for each other.
    entries = sorted((entry for entry in file.entries if entry.key not in refused), key=lambda entry: entry.key)
    for start in range(0, len(entries), CHUNK):
        rows += await _write(connection, partner_id, known, entries[start : start + CHUNK])
        if progress:
            progress(min(start + CHUNK, len(entries)), len(entries))
    return result_of(rows)


async def _known(connection: AsyncConnection, partner_id: int) -> dict[str, Row[Any]]:
    """Returns the partner's members by e-mail key; no other partner's is looked at."""
    statement = select(members, users.c.email, users.c.email_key).join(users, users.c.id == members.c.user_id)
    rows = await connection.execute(statement.where(members.c.partner_id == partner_id))
    return {row.email_key: row for row in rows}


async def _refused(
    connection: AsyncConnection, partner_id: int, known: dict[str, Row[Any]], entries: Sequence[MemberEntry]
) -> dict[str, str]:
    """Returns why entries cannot be taken, by e-mail key."""
    refused: dict[str, str] = {}
    unverified: list[MemberEntry] = []
    for entry in entries:
        member = known.get(entry.key)
        if member is None:
            continue
        if member.status == MemberStatus.LEFT:
            refused[entry.key] = (
                f"{entry.email} has left the partner; an import does not bring anybody back. Remove the row."
            )
        elif member.verified and entry.verified is False:
            unverified.append(entry)
    if unverified:
        why = await why_verified(connection, members.c.partner_id == partner_id)
        ids = {entry.key: known[entry.key].id for entry in unverified}
        refused |= {key: f"verified: {why[member_id]}" for key, member_id in ids.items() if member_id in why}
    taken = {entry.key: entry for entry in entries if entry.key not in refused}
    lost = "manager_rights: nobody would be left with EDIT. Give somebody else EDIT first."
    return refused | dict.fromkeys(_last_editors(known, taken), lost)


def _last_editors(known: dict[str, Row[Any]], entries: dict[str, MemberEntry]) -> set[str]:
    """Returns whom the entries would take EDIT, if they leave nobody who may act in the manager (R14)."""
    acting = {key: row for key, row in known.items() if row.status == MemberStatus.ACTIVE}
    before = {key for key, row in acting.items() if row.super_admin or row.manager_rights == ManagerRights.EDIT}
    told = {key: entry.manager_rights for key, entry in entries.items() if entry.manager_rights is not None}
    lowered = {
        key for key in before if not acting[key].super_admin and told.get(key, ManagerRights.EDIT) != ManagerRights.EDIT
    }
    given = {
        key for key, rights in told.items() if rights is ManagerRights.EDIT and (key in acting or key not in known)
    }
    return lowered if lowered == before and not given else set()


async def _write(
    connection: AsyncConnection, partner_id: int, known: dict[str, Row[Any]], entries: Sequence[MemberEntry]
) -> list[ImportedRow]:
    found = await _users(connection, [entry for entry in entries if entry.key not in known])
    new: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    results: list[ImportedRow] = []
    moment = now()
    for entry in entries:
        member = known.get(entry.key)
        if member is None:
            user = found[entry.key]
            row = {"partner_id": partner_id, "user_id": user.id, "created_at": moment, **_NEW, **entry.told}
            new.append(row | member_name(entry.first_name, entry.last_name, user.email))
            continue
        told = entry.told
        if entry.first_name or entry.last_name:
            told |= member_name(entry.first_name, entry.last_name, member.email)
        changes = any(getattr(member, name) != value for name, value in told.items())
        if changes:
            after = {f"new_{name}": told.get(name, getattr(member, name)) for name in _COLUMNS}
            updates.append({"key": member.id, **after})
        results.append(ImportedRow(entry.line, ImportStatus.UPDATED if changes else ImportStatus.UNCHANGED, member.id))
    await insert_many(connection, members, new)
    if updates:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _COLUMNS}
        await connection.execute(update(members).where(members.c.id == bindparam("key")).values(values), updates)
    if new:
        user_ids = [row["user_id"] for row in new]
        own = select(members.c.user_id, members.c.id).where(members.c.partner_id == partner_id)
        rows = await connection.execute(own.where(members.c.user_id.in_(user_ids)))
        made = {row.user_id: row.id for row in rows}
        results += [
            ImportedRow(entry.line, ImportStatus.CREATED, made[found[entry.key].id])
            for entry in entries
            if entry.key in found
        ]
    return results


_NEW = {
    "status": MemberStatus.ACTIVE,
    "super_admin": False,
    "active_clients": 0,
    "manager_rights": ManagerRights.NONE,
    "verified": False,
}
_COLUMNS = ("kind", "manager_rights", "verified", "first_name", "last_name", "sort_name", "search_text")


async def _users(connection: AsyncConnection, entries: Sequence[MemberEntry]) -> dict[str, Row[Any]]:
    """Returns the users by e-mail key, after making those that are new."""
    if not entries:
        return {}
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
