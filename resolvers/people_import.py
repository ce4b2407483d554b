"""Brings the own people of client accounts in from a CSV file: who may do what there on behalf of nobody."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, BinaryIO, TypeVar

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.database import Database
from models.dialect import insert_many, insert_or_ignore, lock_keys
from models.grant import AccessType, GrantStatus, Seat, active_super_admin, grants
from models.operation import OperationKind, OperationState, RuleMode, cell_key, operations
from models.permission.built_in import BUILT_IN_SETS, SUPER_ADMIN_STATE
from models.permission_set import permission_set_versions, permission_sets
from models.table import now
from models.text import fold
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers import import_cell
from resolvers.email_address import email_key
from resolvers.entry_file import EntryFile, read_entries
from resolvers.import_result import ImportedRow, ImportResult, ImportStatus, Progress, rejected, result_of
from resolvers.interning import intern_states
from resolvers.moment import moment_after_in_accounts
from resolvers.timeline_chain.block import open_block

COLUMNS = ("hub_id", "email", "first_name", "last_name", "access")
SUPER_ADMIN = AccessType.SUPER_ADMIN.value
CHUNK = 2_000
_REASON = "Recorded by the operator: the account's own people."
_Value = TypeVar("_Value", int, str)

# The Partner Admin set is for partners' people only (F09).
_SETS = {
    fold(name): built.key for built in BUILT_IN_SETS if not built.is_partner_admin for name in (built.key, built.name)
}


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """A row that can be taken."""

    line: int
    hub_id: int
    email: str
    first_name: str
    last_name: str
    access: str
    """SUPER_ADMIN, or the key of a built-in set."""

    @property
    def key(self) -> str:
        """Returns what makes two spellings of the address the same user."""
        return email_key(self.email)

    @property
    def identity(self) -> tuple[int, str]:
        """Returns what makes two rows the same person in the same account."""
        return self.hub_id, self.key

    @property
    def shown(self) -> str:
        """Returns the identity in words."""
        return f"{self.email} in {self.hub_id}"


@dataclass(frozen=True, slots=True)
class _Access:
    """What a row makes of a person."""

    access_type: AccessType
    state_id: int
    set_version_id: int | None

    def is_of(self, grant: Row[Any]) -> bool:
        """Says whether a grant is just that, and counts."""
        present = (grant.access_type, grant.state_id, grant.set_version_id, grant.status, grant.expires_at)
        return present == (self.access_type, self.state_id, self.set_version_id, GrantStatus.ACTIVE, None)


def read_people(source: str | bytes | BinaryIO, *, of_partner: bool = False) -> EntryFile[PersonEntry]:
    """Reads the whole file and checks each row for itself.

    Args:
        source: the file.
        of_partner: whether they are a partner's people, who can only have been super admins before this service.

    Raises:
        CsvTableError: if it cannot be read at all.
    """
    return read_entries(source, COLUMNS, partial(_entry, _partners_access if of_partner else _access))


def _entry(read_access: Callable[[str, str], str], line: int, cells: dict[str, str]) -> PersonEntry:
    hub_id = import_cell.hub_id("hub_id", cells["hub_id"])
    email = import_cell.email("email", cells["email"])
    return PersonEntry(
        line=line,
        hub_id=hub_id,
        email=email,
        first_name=import_cell.text("first_name", cells["first_name"]) or "",
        last_name=import_cell.text("last_name", cells["last_name"]) or "",
        access=read_access("access", cells["access"]),
    )


def _access(column: str, cell: str) -> str:
    key = SUPER_ADMIN if _is_super_admin(cell) else _SETS.get(fold(cell))
    if key is None:
        words = ", ".join([SUPER_ADMIN, *sorted(set(_SETS.values()))])
        raise ValueError(f"{column}: {_not_allowed(cell)}; write one of {words}.")
    return key


def _partners_access(column: str, cell: str) -> str:
    if not _is_super_admin(cell):
        raise ValueError(
            f"{column}: {_not_allowed(cell)}; for a partner's people write {SUPER_ADMIN}: all other access is given in the manager."
        )
    return SUPER_ADMIN


def _is_super_admin(cell: str) -> bool:
    return fold(cell).replace(" ", "_") == fold(SUPER_ADMIN)


def _not_allowed(cell: str) -> str:
    return f"“{cell:.40}” is not allowed" if cell else "it is empty"


async def import_people(
    database: Database, source: str | bytes | BinaryIO, progress: Progress | None = None
) -> ImportResult:
    """Reads the file and writes what it says in one transaction; repeating it changes nothing.

    For the operator alone, whose shell is the authority for it: the first super admin of an account has nobody to ask. Each change
    is in an operation and in the account's timeline. The last ACTIVE super admin cannot be taken by a file (F42).

    Raises:
        CsvTableError: if the file cannot be read at all; nothing is written then.
    """
    file = await asyncio.to_thread(read_people, source)
    # All rows of an account together, so that its super admins are counted once.
    entries = sorted(file.entries, key=lambda entry: (entry.hub_id, entry.line))
    rows, done = list(file.rejected), 0
    async with database.write() as session:
        connection = await session.connection()
        accesses = await _accesses(connection)
        known = await _accounts(connection, {entry.hub_id for entry in entries})
        # All of them at once and in the order of their keys, as others do: whoever takes a super admin away waits until we are done.
        await lock_keys(connection, accounts, known.values())
        people = await _users(connection, [entry for entry in entries if entry.hub_id in known])
        for chunk in _chunks(entries):
            rows += await _write(connection, chunk, accesses, known, people)
            done += len(chunk)
            if progress:
                progress(done, len(entries))
    return result_of(rows)


def _chunks(entries: Sequence[PersonEntry]) -> Iterator[list[PersonEntry]]:
    """Yields the entries in parts of a usual size, each with all rows of its accounts."""
    chunk: list[PersonEntry] = []
    for _, of_account in groupby(entries, key=lambda entry: entry.hub_id):
        chunk += of_account
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _accesses(connection: AsyncConnection) -> dict[str, _Access]:
    """Returns what each word of the column makes of a person, by the newest version of the sets."""
    versions = permission_set_versions.c
    rows = await connection.execute(
        select(permission_sets.c.key, versions.id, versions.state_id)
        .join(permission_set_versions, versions.set_id == permission_sets.c.id)
        .where(versions.version == permission_sets.c.version, permission_sets.c.key.in_(set(_SETS.values())))
    )
    state_id = (await intern_states(connection, [SUPER_ADMIN_STATE]))[SUPER_ADMIN_STATE]
    found = {row.key: _Access(AccessType.STANDARD, row.state_id, row.id) for row in rows}
    return {SUPER_ADMIN: _Access(AccessType.SUPER_ADMIN, state_id, None), **found}


async def _write(
    connection: AsyncConnection,
    entries: Sequence[PersonEntry],
    accesses: Mapping[str, _Access],
    known: Mapping[int, int],
    people: Mapping[str, int],
) -> list[ImportedRow]:
    at = await moment_after_in_accounts(connection, set(known.values()))
    unknown = "hub_id: there is no account with this Hub ID. Import the clients of an agency first."
    results = [rejected(entry.line, unknown) for entry in entries if entry.hub_id not in known]
    taken = [entry for entry in entries if entry.hub_id in known]
    held = await _held(connection, {known[entry.hub_id] for entry in taken}, {people[entry.key] for entry in taken})
    living = {entry.line: held.get((known[entry.hub_id], people[entry.key])) for entry in taken}
    last = await _last_super_admins(connection, [(entry, living[entry.line]) for entry in taken], known, at)
    lost = "access: this is the account's only active super admin. Make somebody else super admin first."
    results += [rejected(entry.line, lost) for entry in taken if entry.line in last]
    made: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for entry in taken:
        grant, access = living[entry.line], accesses[entry.access]
        if entry.line in last:
            continue
        after = {
            "status": GrantStatus.ACTIVE,
            "access_type": access.access_type,
            "seat": grant.seat if grant else Seat.CORE,
            "state_id": access.state_id,
            "set_version_id": access.set_version_id,
            "expires_at": None,
        }
        row = {"line": entry.line, "account_id": known[entry.hub_id], "user_id": people[entry.key], "after": after}
        if grant is None:
            made.append(row)
        elif access.is_of(grant):
            results.append(ImportedRow(entry.line, ImportStatus.UNCHANGED, grant.id))
        else:
            changed.append({**row, "grant": grant})
    return results + await _create(connection, made, at) + await _change(connection, changed, at)


async def _accounts(connection: AsyncConnection, hub_ids: Iterable[int]) -> dict[int, int]:
    """Returns the keys of the accounts by Hub ID."""
    found: dict[int, int] = {}
    for part in _parts(hub_ids):
        rows = await connection.execute(select(accounts.c.hub_id, accounts.c.id).where(accounts.c.hub_id.in_(part)))
        found |= {row.hub_id: row.id for row in rows}
    return found


def _parts(values: Iterable[_Value]) -> Iterator[Sequence[_Value]]:
    """Yields values that may be more than a statement can have, in order and in parts."""
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


async def _users(connection: AsyncConnection, entries: Sequence[PersonEntry]) -> dict[str, int]:
    """Returns the users' keys by e-mail key, after making those that are new; who is there keeps their name."""
    moment = now()
    rows: dict[str, dict[str, Any]] = {}
    for entry in entries:
        row = rows.setdefault(entry.key, {"email": entry.email, "email_key": entry.key, "created_at": moment})
        if not (row.get("first_name") or row.get("last_name")):
            row |= {"first_name": entry.first_name, "last_name": entry.last_name}
    found: dict[str, int] = {}
    for part in _parts(rows):
        await insert_many(connection, insert_or_ignore(connection, users), [rows[key] for key in part])
        made = await connection.execute(select(users.c.email_key, users.c.id).where(users.c.email_key.in_(part)))
        found |= {row.email_key: row.id for row in made}
    return found


async def _held(
    connection: AsyncConnection, account_ids: set[int], user_ids: set[int]
) -> dict[tuple[int, int], Row[Any]]:
    """Returns what the people are in the accounts already, by account and user."""
    rows = await connection.execute(
        select(grants)
        .where(grants.c.account_id.in_(account_ids), grants.c.user_id.in_(user_ids))
        .where(grants.c.client_id.is_(None), grants.c.ended == 0)
    )
    return {(row.account_id, row.user_id): row for row in rows}


async def _last_super_admins(
    connection: AsyncConnection,
    entries: Sequence[tuple[PersonEntry, Row[Any] | None]],
    known: Mapping[int, int],
    at: datetime,
) -> set[int]:
    """Returns the lines that would take an account its last ACTIVE super admin: of several, the last in the file."""
    given = {known[entry.hub_id] for entry, _ in entries if entry.access == SUPER_ADMIN}
    lowered = {
        known[entry.hub_id]: entry.line
        for entry, grant in entries
        if grant is not None
        and entry.access != SUPER_ADMIN
        and (grant.access_type, grant.status) == (AccessType.SUPER_ADMIN, GrantStatus.ACTIVE)
        and (grant.expires_at is None or grant.expires_at > at)
    }
    if not lowered:
        return set()
    going = [grant.id for entry, grant in entries if grant is not None and entry.access != SUPER_ADMIN]
    staying = select(grants.c.account_id).where(grants.c.account_id.in_(lowered), grants.c.id.not_in(going))
    rows = await connection.execute(staying.where(active_super_admin(grants, at)).distinct())
    safe = given | set(rows.scalars())
    return {line for account_id, line in lowered.items() if account_id not in safe}


async def _create(connection: AsyncConnection, made: Sequence[dict[str, Any]], at: datetime) -> list[ImportedRow]:
    if not made:
        return []
    operation_id = await _operation(connection, OperationKind.GRANT, at)
    keys = [cell_key(operation_id, position) for position in range(len(made))]
    granted = [
        {
            "id": key,
            "account_id": row["account_id"],
            "user_id": row["user_id"],
            "ended": 0,
            "customised": False,
            "version": 1,
            "since": at,
            **row["after"],
        }
        for key, row in zip(keys, made, strict=True)
    ]
    await insert_many(connection, grants, granted)
    entries = [_timeline(key, operation_id, key, row, at) for key, row in zip(keys, made, strict=True)]
    await insert_many(connection, timeline_entries, entries)
    return [ImportedRow(row["line"], ImportStatus.CREATED, key) for key, row in zip(keys, made, strict=True)]


_AFTER = ("status", "access_type", "seat", "state_id", "set_version_id", "expires_at")


async def _change(connection: AsyncConnection, changed: Sequence[dict[str, Any]], at: datetime) -> list[ImportedRow]:
    if not changed:
        return []
    operation_id = await _operation(connection, OperationKind.CHANGE, at)
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _AFTER}
    await connection.execute(
        update(grants)
        .where(grants.c.id == bindparam("key"))
        .values(**values, customised=False, version=grants.c.version + 1),
        [{"key": row["grant"].id, **{f"new_{name}": row["after"][name] for name in _AFTER}} for row in changed],
    )
    entries = [
        _timeline(cell_key(operation_id, position), operation_id, row["grant"].id, row, at)
        for position, row in enumerate(changed)
    ]
    await insert_many(connection, timeline_entries, entries)
    return [ImportedRow(row["line"], ImportStatus.UPDATED, row["grant"].id) for row in changed]


def _timeline(key: int, operation_id: int, grant_id: int, row: dict[str, Any], at: datetime) -> dict[str, Any]:
    before = row.get("grant")
    return {
        "id": key,
        "operation_id": operation_id,
        "account_id": row["account_id"],
        "grant_id": grant_id,
        "at": at,
        **{f"before_{name}": getattr(before, name) if before else None for name in _AFTER},
        **{f"after_{name}": row["after"][name] for name in _AFTER},
    }


async def _operation(connection: AsyncConnection, kind: OperationKind, at: datetime) -> int:
    values = {
        "kind": kind.value,
        "state": OperationState.COMPLETED.value,
        "mode": RuleMode.CLAMP.value,
        "atomic": False,
        "reason": _REASON,
        "request": "{}",
        "created_at": at,
        "finished_at": at,
        # It counts outcomes, and those are of clients and members.
        **dict.fromkeys(("total", "applied", "noop", "rejected", "failed"), 0),
    }
    made = await connection.execute(insert(operations).values(values).returning(operations.c.id))
    key: int = made.scalar_one()
    open_block(connection, key)
    return key
