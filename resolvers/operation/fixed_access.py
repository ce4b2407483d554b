"""The access of a queued operation: what it means is fixed when it is asked for, whatever changes until it is carried out.

Authority is another matter: it is judged when each cell is carried out (spec 2.2).
"""

from dataclasses import replace

from sqlalchemy import and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import grants
from models.permission_set import permission_set_versions, permission_sets
from resolvers.operation.access import find_access, find_copied
from resolvers.operation.request import CopyFrom, CurrentVersion, DefaultSet, FromSet, RequestedAccess
from resolvers.operation.scope import Scope
from resolvers.viewer import Viewer

_given = permission_set_versions.alias("given")


async def fixed_access(
    connection: AsyncConnection, viewer: Viewer, access: RequestedAccess | None, scope: Scope
) -> RequestedAccess | None:
    """Returns the access with what it stands for now: a version of each set (F49, F51, P12), or a grant as it is (F50).

    Raises:
        RefusedError: as ``find_access``.
    """
    match access:
        case CopyFrom(grant_id=grant_id):
            return replace(access, copied=await find_copied(connection, viewer, scope.partner_id, grant_id))
        case DefaultSet():
            theirs = {member.id: member.default_version_id for member in scope.members}
            return DefaultSet({key: version_id for key, version_id in theirs.items() if version_id is not None})
        case CurrentVersion():
            return CurrentVersion(await _current_versions(connection, scope.partner_id))
    source = await find_access(connection, viewer, scope.partner_id, access)
    if isinstance(access, FromSet) and source.fixed is not None:
        return replace(access, version_id=source.fixed.set_version_id)
    return access


async def _current_versions(connection: AsyncConnection, partner_id: int) -> dict[int, int]:
    """Returns the newest version of each set from which any of a partner's grants came."""
    in_use = (
        exists()
        .where(_given.c.set_id == permission_sets.c.id, grants.c.set_version_id == _given.c.id)
        .where(grants.c.partner_id == partner_id, grants.c.ended == 0)
    )
    newest = and_(
        permission_set_versions.c.set_id == permission_sets.c.id,
        permission_set_versions.c.version == permission_sets.c.version,
    )
    rows = await connection.execute(
        select(permission_sets.c.id, permission_set_versions.c.id)
        .join(permission_set_versions, newest)
        .where(permission_sets.c.archived_at.is_(None), in_use)
    )
    return {row[0]: row[1] for row in rows}
