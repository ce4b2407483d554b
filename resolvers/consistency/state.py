"""Permission states and sets: interned content has its own digest, and each set has the version that it is at (P12)."""

from collections.abc import AsyncIterator

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import grants
from models.permission_set import permission_set_versions, permission_sets
from models.permission_state import digest_of, permission_states
from models.template_lockdown import template_lockdown_sets, template_lockdowns
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


def _owners() -> Check:
    """An agency's own sets are for its people, and an account's for that account (F49)."""
    given = permission_set_versions.join(permission_sets, permission_sets.c.id == permission_set_versions.c.set_id)
    # Where one side is nothing, the comparison is not true: a built-in set is nobody's.
    of_others = permission_sets.c.partner_id != func.coalesce(grants.c.partner_id, 0)
    elsewhere = permission_sets.c.account_id != grants.c.account_id
    return Check(
        "permission_set_owners",
        "each grant came from a set that can be used there",
        [grants],
        selected(
            select(grants.c.id, permission_sets.c.id.label("set_id"))
            .select_from(grants.join(given, permission_set_versions.c.id == grants.c.set_version_id))
            .where(or_(of_others, elsewhere))
            .order_by(grants.c.id),
            lambda row: (
                f"grant {row.id}: it came from set {row.set_id}, which is another agency's or another account's"
            ),
        ),
    )


def _lockdowns() -> Check:
    """An account does not know of agencies' sets, nor of other accounts' (P27, T1)."""
    sets, lockdowns = permission_sets.c, template_lockdowns.c
    # A partner may name sets of its clients', which it knows of as long as it works there.
    foreign = or_(
        sets.partner_id != func.coalesce(lockdowns.partner_id, 0),
        sets.account_id != lockdowns.account_id,
    )
    named = template_lockdowns.join(template_lockdown_sets, template_lockdown_sets.c.lockdown_id == lockdowns.id)
    return Check(
        "lockdown_sets",
        "each lockdown permits sets that its owner knows of",
        [template_lockdown_sets],
        selected(
            select(lockdowns.id, sets.id.label("set_id"))
            .select_from(named.join(permission_sets, sets.id == template_lockdown_sets.c.set_id))
            .where(foreign)
            .order_by(lockdowns.id),
            lambda row: f"lockdown {row.id} permits set {row.set_id}, which is somebody else's",
        ),
    )


STATE_CHECKS = (
    Check("state_digests", "the content of each permission state has its digest", [permission_states], _digests),
    _versions(),
    _owners(),
    _lockdowns(),
)
