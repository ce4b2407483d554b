"""Where access is given by permission sets only, as the database says it when the cells are decided (P27)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.permission_set import permission_set_versions
from models.template_lockdown import template_lockdown_sets, template_lockdowns


@dataclass(frozen=True, slots=True)
class Lockdown:
    """A client in which access must be exactly what a permission set contains."""

    versions: frozenset[int] | None = None
    """The versions of the sets that may be given; None for all sets."""

    def permits(self, version_id: int | None) -> bool:
        """Says whether a version of a set may be given; what comes from no set may not."""
        return version_id is not None and (self.versions is None or version_id in self.versions)

    def within(self, other: "Lockdown | None") -> "Lockdown":
        """Returns what holds where another lockdown holds as well: a set must be permitted by both."""
        if other is None or other.versions is None:
            return self
        return Lockdown(other.versions if self.versions is None else self.versions & other.versions)


@dataclass(frozen=True, slots=True)
class Lockdowns:
    """The lockdowns in force, of partners for all of their clients and of accounts for all of their partners."""

    of_partners: Mapping[int, Lockdown] = field(default_factory=dict)
    of_accounts: Mapping[int, Lockdown] = field(default_factory=dict)

    def of(self, partner_id: int, account_id: int) -> Lockdown | None:
        """Returns what holds for a partner's people in an account."""
        own, clients_own = self.of_partners.get(partner_id), self.of_accounts.get(account_id)
        return clients_own if own is None else own.within(clients_own)


async def find_lockdowns(connection: AsyncConnection, partner_ids: Iterable[int]) -> Lockdowns:
    """Returns the lockdowns of these partners and of their clients' accounts."""
    partners, rows = sorted(set(partner_ids)), template_lockdowns.c
    accounts = select(clients.c.account_id).where(clients.c.partner_id.in_(partners))
    statement = (
        select(rows.partner_id, rows.account_id, template_lockdown_sets.c.set_id, permission_set_versions.c.id)
        .outerjoin(template_lockdown_sets, template_lockdown_sets.c.lockdown_id == rows.id)
        .outerjoin(permission_set_versions, permission_set_versions.c.set_id == template_lockdown_sets.c.set_id)
        .where(rows.ended_at.is_(None), or_(rows.partner_id.in_(partners), rows.account_id.in_(accounts)))
    )
    permitted: dict[tuple[int | None, int | None], set[int] | None] = {}
    for partner_id, account_id, set_id, version_id in await connection.execute(statement):
        versions = permitted.setdefault((partner_id, account_id), None if set_id is None else set())
        if versions is not None and version_id is not None:
            versions.add(version_id)
    found = {owner: Lockdown(None if v is None else frozenset(v)) for owner, v in permitted.items()}
    return Lockdowns(
        {partner_id: lockdown for (partner_id, _), lockdown in found.items() if partner_id is not None},
        {account_id: lockdown for (_, account_id), lockdown in found.items() if account_id is not None},
    )
