"""Brings in from a CSV file which of a partner's people are super admins of client accounts, from the time before this service."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberStatus, members
from models.operation import OperationKind, OutcomeStatus
from models.partner import PartnerProgram, partners
from models.permission.built_in import SUPER_ADMIN_STATE
from models.permission.catalogue import catalogue
from models.user import users
from resolvers.direct_operation import DirectCell, DirectOperation, write_directly
from resolvers.error import RefusalCode, refuse
from resolvers.import_result import ImportedRow, ImportResult, ImportStatus, Progress, rejected, result_of
from resolvers.moment import moment_after
from resolvers.operation.situation import Decision
from resolvers.people_import import CHUNK, PersonEntry, read_people

_REASON = "Recorded by the operator: super admin since before this service."
_MADE = Decision(
    status=OutcomeStatus.APPLIED,
    after=SUPER_ADMIN_STATE,
    requested=SUPER_ADMIN_STATE,
    authority=catalogue.everything,
    after_status=GrantStatus.ACTIVE,
    after_access_type=AccessType.SUPER_ADMIN,
    seat=Seat.CORE,
)


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is for some entries: the client by Hub ID, the member by e-mail key, the living grant by both."""

    clients: dict[int, Any]
    members: dict[str, Any]
    grants: dict[tuple[int, int], Any]


async def import_super_admins(
    database: Database, partner_id: int, source: str | bytes | BinaryIO, progress: Progress | None = None
) -> ImportResult:
    """Reads the file and writes what it says in one transaction; repeating it changes nothing.

    For the operator alone, whose shell is the authority for it: nobody becomes super admin through the manager (M11). Who works in
    a client by other access already is left as they are.

    Raises:
        CsvTableError: if the file cannot be read at all; nothing is written then.
        RefusedError: NOT_A_PARTNER (F01).
    """
    file = await asyncio.to_thread(read_people, source, of_partner=True)
    entries = sorted(file.entries, key=lambda entry: entry.identity)
    rows = list(file.rejected)
    async with database.write() as session:
        connection = await session.connection()
        program = await connection.scalar(select(partners.c.program).where(partners.c.id == partner_id))
        if program == PartnerProgram.NONE:
            raise refuse(RefusalCode.NOT_A_PARTNER, "Only a partner in an eligible program can have access data.")
        # All of them at once and in the order of their keys, as operations lock them.
        named = select(accounts.c.id).where(accounts.c.hub_id.in_({entry.hub_id for entry in entries}))
        touched = select(clients.c.id).where(clients.c.partner_id == partner_id, clients.c.account_id.in_(named))
        await lock_rows(connection, touched.order_by(clients.c.id))
        own = select(members.c.id).where(members.c.partner_id == partner_id).order_by(members.c.id)
        await lock_rows(connection, own)
        for start in range(0, len(entries), CHUNK):
            chunk = entries[start : start + CHUNK]
            rows += await _write(connection, partner_id, chunk)
            if progress:
                progress(start + len(chunk), len(entries))
    return result_of(rows)


async def _write(connection: AsyncConnection, partner_id: int, entries: Sequence[PersonEntry]) -> list[ImportedRow]:
    found = await _find(connection, partner_id, entries)
    results: list[ImportedRow] = []
    made: list[tuple[PersonEntry, DirectCell]] = []
    for entry in entries:
        reason = _refusal(entry, found)
        if reason is not None:
            results.append(rejected(entry.line, reason))
            continue
        client, member = found.clients[entry.hub_id], found.members[entry.key]
        grant = found.grants.get((client.id, member.id))
        if grant is not None:
            results.append(ImportedRow(entry.line, ImportStatus.UNCHANGED, grant.id))
        else:
            made.append((entry, DirectCell(client.id, client.account_id, member.id, member.user_id, _MADE)))
    if made:
        at = await moment_after(connection, {cell.client_id for _, cell in made})
        operation = DirectOperation(partner_id, OperationKind.GRANT, at, reason=_REASON)
        recorded = await write_directly(connection, operation, [cell for _, cell in made])
        results += [
            ImportedRow(entry.line, ImportStatus.CREATED, done.grant_id)
            for (entry, _), done in zip(made, recorded, strict=True)
        ]
    return results


async def _find(connection: AsyncConnection, partner_id: int, entries: Sequence[PersonEntry]) -> _Found:
    of_clients = await connection.execute(
        select(clients.c.id, clients.c.account_id, accounts.c.hub_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.partner_id == partner_id, accounts.c.hub_id.in_({entry.hub_id for entry in entries}))
    )
    of_members = await connection.execute(
        select(members.c.id, members.c.user_id, members.c.status, users.c.email_key)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.partner_id == partner_id, users.c.email_key.in_({entry.key for entry in entries}))
    )
    known_clients = {row.hub_id: row for row in of_clients}
    known_members = {row.email_key: row for row in of_members}
    living = await connection.execute(
        select(grants.c.id, grants.c.client_id, grants.c.member_id, grants.c.status, grants.c.access_type)
        .where(grants.c.client_id.in_([row.id for row in known_clients.values()]), grants.c.ended == 0)
        .where(grants.c.member_id.in_([row.id for row in known_members.values()]))
    )
    return _Found(known_clients, known_members, {(row.client_id, row.member_id): row for row in living})


def _refusal(entry: PersonEntry, found: _Found) -> str | None:
    """Returns why an entry cannot be taken."""
    client, member = found.clients.get(entry.hub_id), found.members.get(entry.key)
    if client is None:
        return "hub_id: no client of this partner. Import it first."
    if member is None or member.status != MemberStatus.ACTIVE:
        return f"email: {entry.email} is no active member of this partner. Import the person first."
    grant = found.grants.get((client.id, member.id))
    if grant is None or (grant.access_type, grant.status) == (AccessType.SUPER_ADMIN, GrantStatus.ACTIVE):
        return None
    return (
        f"{entry.email} has access there already, as {grant.access_type} and {grant.status}: an import makes nobody super admin "
        "who works there otherwise. Remove the row, or the access first."
    )
