"""Brings in from a CSV file who owns what in a partner's clients."""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.asset import AssetKind
from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.member import MemberStatus, members
from models.partner import partners
from models.user import users
from resolvers import import_cell
from resolvers.asset import OwnedAsset, write_assets
from resolvers.email_address import email_key
from resolvers.entry_file import EntryFile, read_entries
from resolvers.import_result import ImportedRow, ImportResult, Progress, rejected, result_of

COLUMNS = ("hub_id", "owner_email", "kind", "external_id", "name")
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class AssetEntry:
    """A row that can be taken."""

    line: int
    hub_id: int
    owner_email: str
    kind: AssetKind
    external_id: str
    name: str

    @property
    def identity(self) -> Hashable:
        """Returns what makes two rows the same asset."""
        return self.hub_id, self.kind, self.external_id

    @property
    def shown(self) -> str:
        """Returns the identity in words."""
        return f"{self.kind.value} {self.external_id} of Hub ID {self.hub_id}"


def read_assets(source: str | bytes | BinaryIO) -> EntryFile[AssetEntry]:
    """Reads the whole file and checks each row for itself.

    Raises:
        CsvTableError: if it cannot be read at all.
    """
    return read_entries(source, COLUMNS, _entry)


def _entry(line: int, cells: dict[str, str]) -> AssetEntry:
    owner_email = import_cell.email("owner_email", cells["owner_email"])
    return AssetEntry(
        line=line,
        hub_id=import_cell.hub_id("hub_id", cells["hub_id"]),
        owner_email=owner_email,
        kind=import_cell.choice("kind", cells["kind"], AssetKind),
        external_id=import_cell.needed_text("external_id", cells["external_id"]),
        name=import_cell.needed_text("name", cells["name"]),
    )


async def import_assets(
    database: Database, partner_id: int, source: str | bytes | BinaryIO, progress: Progress | None = None
) -> ImportResult:
    """Reads the file and writes what it says in one transaction; the caller has checked that this is allowed (F02).

    Raises:
        CsvTableError: if the file cannot be read at all; nothing is written then.
    """
    file = await asyncio.to_thread(read_assets, source)
    async with database.write() as session:
        return await _write(await session.connection(), partner_id, file, progress)


async def _write(
    connection: AsyncConnection, partner_id: int, file: EntryFile[AssetEntry], progress: Progress | None
) -> ImportResult:
    """Writes the entries and says what became of each; repeating it changes nothing.

    An owner is one of the partner's people, with or without access in the client, who has not left. Unknown clients and people
    of other partners look like those that do not exist (T1).
    """
    # In the order in which operations lock them, so that an import and an operation cannot wait for each other.
    await lock_rows(connection, select(partners.c.id).where(partners.c.id == partner_id))
    await lock_rows(connection, select(clients.c.id).where(clients.c.partner_id == partner_id).order_by(clients.c.id))
    await lock_rows(connection, select(members.c.id).where(members.c.partner_id == partner_id).order_by(members.c.id))
    rows = list(file.rejected)
    entries = sorted(file.entries, key=lambda entry: (entry.hub_id, entry.kind, entry.external_id))
    for start in range(0, len(entries), CHUNK):
        rows += await _write_part(connection, partner_id, entries[start : start + CHUNK])
        if progress:
            progress(min(start + CHUNK, len(entries)), len(entries))
    return result_of(rows)


async def _write_part(connection: AsyncConnection, partner_id: int, entries: Sequence[AssetEntry]) -> list[ImportedRow]:
    places = await _clients(connection, partner_id, {entry.hub_id for entry in entries})
    people = await _members(connection, partner_id, {email_key(entry.owner_email) for entry in entries})
    rows, taken, owned = [], [], []
    for entry in entries:
        client_id, owner = places.get(entry.hub_id), people.get(email_key(entry.owner_email))
        if client_id is None:
            rows.append(rejected(entry.line, f"hub_id: {entry.hub_id} is no client of this partner. Import it first."))
        elif owner is None:
            told = f"owner_email: {entry.owner_email} is nobody of this partner. Add the person first."
            rows.append(rejected(entry.line, told))
        elif owner.status == MemberStatus.LEFT:
            told = f"owner_email: {entry.owner_email} has left the partner: name who owns it now."
            rows.append(rejected(entry.line, told))
        else:
            taken.append(entry.line)
            owned.append(OwnedAsset(client_id, owner.id, entry.kind, entry.external_id, entry.name))
    statuses = await write_assets(connection, partner_id, owned)
    return rows + [ImportedRow(line, status) for line, status in zip(taken, statuses, strict=True)]


async def _clients(connection: AsyncConnection, partner_id: int, hub_ids: set[int]) -> dict[int, int]:
    """Returns the partner's clients by Hub ID."""
    statement = select(accounts.c.hub_id, clients.c.id).join(clients, clients.c.account_id == accounts.c.id)
    rows = await connection.execute(statement.where(clients.c.partner_id == partner_id, accounts.c.hub_id.in_(hub_ids)))
    return {row.hub_id: row.id for row in rows}


async def _members(connection: AsyncConnection, partner_id: int, keys: set[str]) -> dict[str, Any]:
    """Returns the partner's people by e-mail key."""
    statement = select(users.c.email_key, members.c.id, members.c.status).join(users, users.c.id == members.c.user_id)
    rows = await connection.execute(statement.where(members.c.partner_id == partner_id, users.c.email_key.in_(keys)))
    return {row.email_key: row for row in rows}
