"""Brings a partner's clients in from a CSV file."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO

from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import AccountType, accounts
from models.client import clients
from models.database import Database
from models.dialect import insert_many, insert_or_ignore, lock_rows
from models.partner import partners
from models.table import now
from models.tenancy import everything
from models.text import fold
from resolvers import import_cell
from resolvers.entry_file import EntryFile, read_entries
from resolvers.import_result import ImportedRow, ImportResult, ImportStatus, Progress, rejected, result_of

COLUMNS = ("hub_id", "official_name", "display_name", "domain", "account_type", "managed_mrr", "currency")
CHUNK = 2_000

_OFFICIAL = ("official_name", "domain", "account_type")
_OWN = ("display_name", "managed_mrr", "currency")


@dataclass(frozen=True, slots=True)
class ClientEntry:
    """A row that can be taken."""

    line: int
    hub_id: int
    official_name: str
    display_name: str | None
    domain: str | None
    account_type: AccountType | None
    """None for an empty cell: STANDARD in a new account, and no change in a known one."""
    managed_mrr: Decimal | None
    currency: str | None

    @property
    def identity(self) -> int:
        """Returns what makes two rows the same client."""
        return self.hub_id

    @property
    def shown(self) -> str:
        """Returns the identity in words."""
        return f"Hub ID {self.hub_id}"


def client_texts(display_name: str | None, official_name: str, domain: str | None, hub_id: int) -> dict[str, str]:
    """Returns what a client is sorted and searched by (F20, F22)."""
    searched = (display_name, official_name, domain, str(hub_id))
    return {
        "sort_name": fold(display_name or official_name),
        "search_text": "\n".join(fold(part) for part in searched if part),
    }


def read_clients(source: str | bytes | BinaryIO) -> EntryFile[ClientEntry]:
    """Reads the whole file and checks each row for itself.

    Raises:
        CsvTableError: if it cannot be read at all.
    """
    return read_entries(source, COLUMNS, _entry)


def _entry(line: int, cells: dict[str, str]) -> ClientEntry:
    amount = import_cell.amount("managed_mrr", cells["managed_mrr"])
    account_type = cells["account_type"]
    return ClientEntry(
        line=line,
        hub_id=import_cell.hub_id("hub_id", cells["hub_id"]),
        official_name=import_cell.needed_text("official_name", cells["official_name"]),
        display_name=import_cell.text("display_name", cells["display_name"]),
        domain=import_cell.host_name("domain", cells["domain"]),
        account_type=import_cell.choice("account_type", account_type, AccountType) if account_type else None,
        managed_mrr=amount,
        currency=import_cell.currency("currency", cells["currency"], amount),
    )


async def import_clients(
    database: Database, partner_id: int, source: str | bytes | BinaryIO, progress: Progress | None = None
) -> ImportResult:
    """Reads the file and writes what it says in one transaction; the caller has checked that this is allowed (F02).

    Raises:
        CsvTableError: if the file cannot be read at all; nothing is written then.
    """
    file = await asyncio.to_thread(read_clients, source)
    async with database.write() as session:
        return await write_clients(await session.connection(), partner_id, file, progress)


async def write_clients(
    connection: AsyncConnection, partner_id: int, file: EntryFile[ClientEntry], progress: Progress | None = None
) -> ImportResult:
    """Writes the entries and says what became of each; repeating it changes nothing.

    An account's official data belongs to the account: only the partner that brought it in changes it, and nobody learns
    from an import whether another partner has it (T1). Display name, MRR and currency are each partner's own.
    """
    # One import of a partner at a time: two of the same file would both find the rows missing.
    partner = select(partners.c.hub_id).where(partners.c.id == partner_id)
    own_hub_id = await connection.scalar(partner.with_for_update(key_share=True))
    # In the order of their keys, as operations lock them, so that an import and an operation cannot wait for each other.
    # With them go other partners' clients in accounts whose official name this partner may change, for it is searched there too.
    registered = select(accounts.c.id).where(accounts.c.registered_by_id == partner_id)
    touched = or_(clients.c.partner_id == partner_id, clients.c.account_id.in_(registered))
    async with everything(connection):
        await lock_rows(connection, select(clients.c.id).where(touched).order_by(clients.c.id))
    await lock_rows(connection, registered.order_by(accounts.c.id))
    # One order for all writers, so that two partners' imports cannot wait for each other.
    entries = sorted((entry for entry in file.entries if entry.hub_id != own_hub_id), key=lambda entry: entry.hub_id)
    rows = list(file.rejected)
    rows += [
        rejected(entry.line, "hub_id: this is the partner's own account, not a client's; leave the row out.")
        for entry in file.entries
        if entry.hub_id == own_hub_id
    ]
    for start in range(0, len(entries), CHUNK):
        rows += await _write(connection, partner_id, entries[start : start + CHUNK])
        if progress:
            progress(min(start + CHUNK, len(entries)), len(entries))
    return result_of(rows)


async def _write(connection: AsyncConnection, partner_id: int, entries: Sequence[ClientEntry]) -> list[ImportedRow]:
    found = await _accounts(connection, partner_id, entries)
    changed = await _change_accounts(connection, partner_id, entries, found)
    known = await _clients(connection, partner_id, [account.id for account in found.values()])
    new: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    status: dict[int, ImportStatus] = {}
    results: list[ImportedRow] = []
    moment = now()
    for entry in entries:
        account = found[entry.hub_id]
        client = known.get(account.id)
        own = {name: getattr(entry, name) for name in _OWN}
        if client is not None and client.sold_mrr is not None:
            own["currency"] = own["currency"] or client.currency
            if own["currency"] != client.currency:
                message = (
                    f"currency: the sold MRR of this client is in {client.currency}; give the managed MRR in it too."
                )
                results.append(rejected(entry.line, message))
                continue
        official = (account.official_name, account.domain, entry.hub_id)
        texts = client_texts(entry.display_name, *official)
        if client is None:
            new.append({"partner_id": partner_id, "account_id": account.id, "since": moment, **_ZEROS, **own, **texts})
            status[entry.line] = ImportStatus.CREATED
        elif any(getattr(client, name) != value for name, value in own.items()):
            updates.append({"key": client.id, **{f"new_{name}": value for name, value in {**own, **texts}.items()}})
            status[entry.line] = ImportStatus.UPDATED
        else:
            status[entry.line] = ImportStatus.UPDATED if account.id in changed else ImportStatus.UNCHANGED
    await insert_many(connection, clients, new)
    await _update(connection, updates, (*_OWN, "sort_name", "search_text"))
    if changed:
        async with everything(connection):
            await _refresh_texts(connection, changed)
    if new:
        known |= await _clients(connection, partner_id, [row["account_id"] for row in new])
    results += [
        ImportedRow(entry.line, status[entry.line], known[found[entry.hub_id].id].id)
        for entry in entries
        if entry.line in status
    ]
    return results


_ZEROS = {"active_people": 0, "deactivated_people": 0, "active_partner_admins": 0}


async def _accounts(
    connection: AsyncConnection, partner_id: int, entries: Sequence[ClientEntry]
) -> dict[int, Row[Any]]:
    """Returns the accounts by Hub ID, after making those that are new."""
    found = await _accounts_of(connection, [entry.hub_id for entry in entries])
    missing = [entry for entry in entries if entry.hub_id not in found]
    if missing:
        moment = now()
        rows = [
            {
                "hub_id": entry.hub_id,
                "official_name": entry.official_name,
                "domain": entry.domain,
                "account_type": entry.account_type or AccountType.STANDARD,
                "tiers": "",
                "registered_by_id": partner_id,
                "created_at": moment,
            }
            for entry in missing
        ]
        await insert_many(connection, insert_or_ignore(connection, accounts), rows)
        found |= await _accounts_of(connection, [entry.hub_id for entry in missing])
    return found


async def _accounts_of(connection: AsyncConnection, hub_ids: Sequence[int]) -> dict[int, Row[Any]]:
    rows = await connection.execute(select(accounts).where(accounts.c.hub_id.in_(hub_ids)))
    return {row.hub_id: row for row in rows}


async def _clients(connection: AsyncConnection, partner_id: int, account_ids: Sequence[int]) -> dict[int, Row[Any]]:
    columns = (clients.c.id, clients.c.account_id, clients.c.sold_mrr, *(clients.c[name] for name in _OWN))
    rows = await connection.execute(
        select(*columns).where(clients.c.partner_id == partner_id, clients.c.account_id.in_(account_ids))
    )
    return {row.account_id: row for row in rows}


async def _change_accounts(
    connection: AsyncConnection, partner_id: int, entries: Sequence[ClientEntry], found: dict[int, Row[Any]]
) -> set[int]:
    """Writes changed official data of the accounts that this partner brought in; returns their keys."""
    rows = []
    for entry in entries:
        account = found[entry.hub_id]
        official = {name: getattr(entry, name) for name in _OFFICIAL}
        official["account_type"] = entry.account_type or account.account_type
        if account.registered_by_id == partner_id and any(
            getattr(account, name) != value for name, value in official.items()
        ):
            rows.append({"key": account.id, **{f"new_{name}": value for name, value in official.items()}})
    changed = {row["key"] for row in rows}
    if rows:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _OFFICIAL}
        await connection.execute(update(accounts).where(accounts.c.id == bindparam("key")).values(values), rows)
        hub_ids = [hub_id for hub_id, account in found.items() if account.id in changed]
        found |= await _accounts_of(connection, hub_ids)
    return changed


async def _refresh_texts(connection: AsyncConnection, account_ids: set[int]) -> None:
    """Keeps order and search of all partners' clients of these accounts true (F22)."""
    if not account_ids:
        return
    official = (accounts.c.official_name, accounts.c.domain, accounts.c.hub_id)
    rows = await connection.execute(
        select(clients.c.id, clients.c.display_name, *official)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.account_id.in_(account_ids))
        .order_by(clients.c.id)
    )
    texts = [(key, client_texts(*names)) for key, *names in rows.all()]
    updates = [{"key": key, **{f"new_{name}": value for name, value in words.items()}} for key, words in texts]
    await _update(connection, updates, ("sort_name", "search_text"))


async def _update(connection: AsyncConnection, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    if rows:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        await connection.execute(update(clients).where(clients.c.id == bindparam("key")).values(values), rows)
