"""The rows of the people and clients that an operation touches: found by key, locked in the order of their keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.expiry import expiry_rules
from models.member import MemberKind, MemberStatus, members
from models.permission_set import permission_set_versions, permission_sets
from resolvers.operation.term import shorter
from resolvers.readable import readable_clients, readable_members
from resolvers.viewer import Viewer

_KEYS_AT_ONCE = 10_000
"""How many keys go into one statement: both databases limit its parameters."""


@dataclass(frozen=True, slots=True)
class TargetClient:
    """A client that the operation touches."""

    id: int
    partner_id: int
    account_id: int
    ceiling_id: int | None
    tiers: str
    longest_days: int | None = None
    """For how many days access may be given here at most (P04)."""


@dataclass(frozen=True, slots=True)
class TargetMember:
    """A person whom the operation touches."""

    id: int
    partner_id: int
    user_id: int
    status: MemberStatus
    kind: MemberKind
    verified: bool
    default_version_id: int | None


def client_rows(viewer: Viewer, *, locked: bool) -> Select[Any]:
    """Selects clients in the order of their keys, in which all writers lock them, so that no two wait for each other."""
    statement = (
        select(
            clients.c.id,
            clients.c.partner_id,
            clients.c.account_id,
            clients.c.ceiling_id,
            accounts.c.tiers,
            clients.c.sort_name,
            clients.c.longest_days,
            expiry_rules.c.longest_days.label("longest_of_partner"),
        )
        .join(accounts, accounts.c.id == clients.c.account_id)
        .outerjoin(expiry_rules, expiry_rules.c.partner_id == clients.c.partner_id)
        .where(clients.c.id.in_(readable_clients(viewer)))
        .order_by(clients.c.id)
    )
    return statement.with_for_update(key_share=True, of=clients) if locked else statement


def member_rows(viewer: Viewer, *, locked: bool) -> Select[Any]:
    """Selects people, as ``client_rows`` does."""
    newest = and_(
        permission_set_versions.c.set_id == permission_sets.c.id,
        permission_set_versions.c.version == permission_sets.c.version,
    )
    usable = and_(permission_sets.c.id == members.c.default_permission_set_id, permission_sets.c.archived_at.is_(None))
    statement = (
        select(
            members.c.id,
            members.c.partner_id,
            members.c.user_id,
            members.c.status,
            members.c.kind,
            members.c.verified,
            permission_set_versions.c.id.label("default_version_id"),
            members.c.sort_name,
        )
        .outerjoin(permission_sets, usable)
        .outerjoin(permission_set_versions, newest)
        .where(members.c.id.in_(readable_members(viewer)))
        .order_by(members.c.id)
    )
    return statement.with_for_update(key_share=True, of=members) if locked else statement


def client_of(row: Row[Any]) -> TargetClient:
    """Returns the client of a row of ``client_rows``."""
    longest = shorter(row.longest_days, row.longest_of_partner)
    return TargetClient(row.id, row.partner_id, row.account_id, row.ceiling_id, row.tiers, longest)


def member_of(row: Row[Any]) -> TargetMember:
    """Returns the person of a row of ``member_rows``."""
    return TargetMember(
        row.id,
        row.partner_id,
        row.user_id,
        MemberStatus(row.status),
        MemberKind(row.kind),
        row.verified,
        row.default_version_id,
    )


async def rows_by_key(
    connection: AsyncConnection, statement: Select[Any], table: Table, keys: Iterable[object]
) -> dict[object, Row[Any]]:
    """Returns the rows that a statement selects of those with these keys; what is no number is no key."""
    known = sorted(key for key in keys if isinstance(key, int))
    found: dict[object, Row[Any]] = {}
    for start in range(0, len(known), _KEYS_AT_ONCE):
        rows = await connection.execute(statement.where(table.c.id.in_(known[start : start + _KEYS_AT_ONCE])))
        found |= {row.id: row for row in rows}
    return found
