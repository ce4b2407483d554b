"""Who uses an account's own permission sets: for the account's own people, a count for each agency (F49)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select

from models.grant import GrantStatus, grants
from models.permission_set import permission_set_versions, permission_sets
from resolvers.client_set.editor import reads_sets_by_account
from resolvers.permission_set import PermissionSetRecord
from resolvers.readable import readable_account_sets
from resolvers.reader import Reader


@dataclass(slots=True, eq=False)
class SetUsageRecord:
    """How many of one partner's people have a set."""

    client_id: int
    """The relationship with the partner."""
    active: int
    deactivated: int
    customised: int
    outdated: int


async def usage_by_permission_set(reader: Reader, parents: Sequence[PermissionSetRecord]) -> list[list[SetUsageRecord]]:
    """Returns which partners' people have each set; nothing for sets of accounts that are not the viewer's own (T1)."""
    reads = await reads_sets_by_account(reader, [parent.account_id or 0 for parent in parents])
    own = {parent.id for parent, may in zip(parents, reads, strict=True) if may and parent.account_id is not None}
    found: dict[int, list[SetUsageRecord]] = {key: [] for key in own}
    if own:
        versions = permission_set_versions.c
        known = permission_sets.c.id.in_(readable_account_sets(reader.viewer))
        active = case((grants.c.status == GrantStatus.ACTIVE.value, 1), else_=0)
        customised = case((grants.c.customised, 1), else_=0)
        outdated = case((versions.version < permission_sets.c.version, 1), else_=0)
        counted = (
            grants.c.client_id,
            func.sum(active).label("active"),
            func.count().label("people"),
            func.sum(customised).label("customised"),
            func.sum(outdated).label("outdated"),
        )
        statement = (
            select(permission_sets.c.id, *counted)
            .join(permission_set_versions, versions.set_id == permission_sets.c.id)
            .join(grants, grants.c.set_version_id == versions.id)
            .where(permission_sets.c.id.in_(own), known, grants.c.account_id == permission_sets.c.account_id)
            .where(grants.c.ended == 0, grants.c.client_id.is_not(None))
            .group_by(permission_sets.c.id, grants.c.client_id)
            .order_by(permission_sets.c.id, grants.c.client_id)
        )
        for row in await reader.rows(statement):
            away = row.people - row.active
            usage = SetUsageRecord(row.client_id, row.active, away, row.customised, row.outdated)
            found[row.id].append(usage)
    return [found.get(parent.id, []) for parent in parents]
