"""Permission states and sets: interned content has its own digest, and each set has the version that it is at (P12)."""

from collections.abc import AsyncIterator

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.permission_set import permission_set_versions, permission_sets
from models.permission_state import digest_of, permission_states
from resolvers.consistency.check import Check, selected, streamed


async def _digests(connection: AsyncConnection) -> AsyncIterator[str]:
    async for row in streamed(connection, select(permission_states).order_by(permission_states.c.id)):
        if digest_of(row.content) != row.digest:
            yield f"state {row.id}: its content is not what was interned; everybody who holds it holds something else"


def _versions() -> Check:
    present = and_(
        permission_set_versions.c.set_id == permission_sets.c.id,
        permission_set_versions.c.version == permission_sets.c.version,
    )
    return Check(
        "permission_sets",
        "each permission set has the version that it is at",
        [permission_sets],
        selected(
            select(permission_sets.c.id, permission_sets.c.version)
            .outerjoin(permission_set_versions, present)
            .where(permission_set_versions.c.id.is_(None)),
            lambda row: f"set {row.id}: there is no version {row.version}",
        ),
    )


STATE_CHECKS = (
    Check("state_digests", "the content of each permission state has its digest", [permission_states], _digests),
    _versions(),
)
