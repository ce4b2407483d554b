"""Lockdowns as they are read: whose they are, since when, which sets may be given, and what does not keep to them (P27)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, or_, select

from models.client import clients
from models.grant import AccessType, grants
from models.permission_set import permission_set_versions
from models.template_lockdown import template_lockdown_sets, template_lockdowns
from resolvers.account import decides_by_account
from resolvers.client import ClientRecord
from resolvers.page import Projection
from resolvers.readable import readable_account_lockdowns, readable_lockdowns
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class LockdownRecord:
    """A lockdown, in force or ended."""

    id: int
    partner_id: int | None
    account_id: int | None
    reason: str | None
    set_by_id: int
    since: datetime
    ended_by_id: int | None
    ended_at: datetime | None


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.partner_id,
        rows.c.account_id,
        rows.c.reason,
        rows.c.set_by_id,
        rows.c.since,
        rows.c.ended_by_id,
        rows.c.ended_at,
    ).select_from(source)


_LOCKDOWNS = Projection(template_lockdowns, _columns, LockdownRecord)
_IN_FORCE = template_lockdowns.c.ended_at.is_(None)


async def lockdowns_by_id(reader: Reader, keys: Sequence[int]) -> list[LockdownRecord | None]:
    """Returns the lockdowns with these keys; None for those the viewer does not know of (T1)."""
    found = await _LOCKDOWNS.by_key(reader, readable_lockdowns(reader.viewer), keys)
    if None not in found or not reader.viewer.account_ids:
        return found
    own = await _LOCKDOWNS.by_key(reader, readable_account_lockdowns(reader.viewer), keys)
    decides = await decides_by_account(reader, [record.account_id or 0 if record else 0 for record in own])
    return [known or (record if may else None) for known, record, may in zip(found, own, decides, strict=True)]


async def lockdown_by_partner(reader: Reader, keys: Sequence[int]) -> list[LockdownRecord | None]:
    """Returns the lockdown that is in force for all clients of each partner, if there is one."""
    chosen = readable_lockdowns(reader.viewer).where(_IN_FORCE, template_lockdowns.c.partner_id.in_(set(keys)))
    found = {record.partner_id: record for record in await _LOCKDOWNS.records(reader, chosen)}
    return [found.get(key) for key in keys]


async def lockdown_by_account(reader: Reader, keys: Sequence[int]) -> list[LockdownRecord | None]:
    """Returns the lockdown in force of each account; the caller has made sure that the viewer decides for it."""
    rows = readable_account_lockdowns(reader.viewer).where(_IN_FORCE, template_lockdowns.c.account_id.in_(set(keys)))
    found = {record.account_id: record for record in await _LOCKDOWNS.records(reader, rows)}
    return [found.get(key) for key in keys]


async def lockdowns_by_client(reader: Reader, parents: Sequence[ClientRecord]) -> list[list[LockdownRecord]]:
    """Returns what is in force in each client: the partner's own lockdown, and the client's."""
    of_partners = template_lockdowns.c.partner_id.in_({parent.partner_id for parent in parents})
    of_accounts = template_lockdowns.c.account_id.in_({parent.account_id for parent in parents})
    chosen = readable_lockdowns(reader.viewer).where(_IN_FORCE, or_(of_partners, of_accounts))
    found = await _LOCKDOWNS.records(reader, chosen)
    return [
        [record for record in found if parent.partner_id == record.partner_id or parent.account_id == record.account_id]
        for parent in parents
    ]


async def sets_by_lockdown(reader: Reader, parents: Sequence[LockdownRecord]) -> list[list[int] | None]:
    """Returns the keys of the sets that may be given under each lockdown; None for all."""
    rows = template_lockdown_sets.c
    statement = (
        select(rows.lockdown_id, rows.set_id)
        .where(rows.lockdown_id.in_({parent.id for parent in parents}))
        .order_by(rows.set_id)
    )
    found: dict[int, list[int]] = {}
    for row in await reader.rows(statement):
        found.setdefault(row.lockdown_id, []).append(row.set_id)
    return [found.get(parent.id) for parent in parents]


def breaks(lockdown: FromClause) -> ColumnElement[bool]:
    """Returns the condition that a living grant is not what the lockdown around it asks for: it is left as it is.

    It differs from its set, came from none, or from one that may not be given. A super admin's access is no matter of sets.
    """
    listed = select(template_lockdown_sets.c.set_id).where(template_lockdown_sets.c.lockdown_id == lockdown.c.id)
    of_listed = select(permission_set_versions.c.id).where(permission_set_versions.c.set_id.in_(listed))
    has_list = listed.correlate(lockdown).exists()
    return and_(
        grants.c.ended == 0,
        grants.c.access_type != AccessType.SUPER_ADMIN.value,
        or_(
            grants.c.customised,
            grants.c.set_version_id.is_(None),
            and_(has_list, grants.c.set_version_id.not_in(of_listed.correlate(lockdown))),
        ),
    )


def under(lockdown: FromClause) -> ColumnElement[bool]:
    """Returns the condition that a row of clients is one for which the lockdown around it holds."""
    return or_(clients.c.partner_id == lockdown.c.partner_id, clients.c.account_id == lockdown.c.account_id)
