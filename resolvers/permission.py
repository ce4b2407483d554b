"""What a grant's permissions come to: stored, effective, and beside its set (F11, F13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.account import accounts
from models.grant import grants
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.mask import effective
from models.permission.permission import Permission
from models.permission.state import State
from models.permission_set import permission_set_versions
from models.permission_state import permission_states
from resolvers.error import InputError
from resolvers.grant import GrantRecord
from resolvers.readable import readable_grants
from resolvers.reader import Reader

_STORED, _GIVEN = permission_states.alias("stored"), permission_states.alias("given")


@dataclass(slots=True, eq=False)
class GrantStates:
    """A grant's permissions as stored, as seat and tiers let them through, and as its version of its set gave them."""

    stored: State
    effective: State
    given: State | None


@dataclass(slots=True, eq=False)
class GrantedPermissionRecord:
    """One permission at the level that is stored and the level that counts."""

    permission: Permission
    level: PermissionLevel
    effective_level: PermissionLevel


@dataclass(slots=True, eq=False)
class PermissionAtLevelRecord:
    """One permission of a difference: what lies above one level, up to and with another."""

    permission: Permission
    level: PermissionLevel
    above: PermissionLevel


async def states_by_grant(reader: Reader, parents: Sequence[GrantRecord]) -> list[GrantStates]:
    """Returns the states of each grant."""
    statement = (
        readable_grants(reader.viewer)
        .join(accounts, accounts.c.id == grants.c.account_id)
        .join(_STORED, _STORED.c.id == grants.c.state_id)
        .outerjoin(permission_set_versions, permission_set_versions.c.id == grants.c.set_version_id)
        .outerjoin(_GIVEN, _GIVEN.c.id == permission_set_versions.c.state_id)
        .where(grants.c.id.in_({parent.id for parent in parents}))
        .with_only_columns(*[grants.c.id, grants.c.seat, accounts.c.tiers, _STORED.c.content, _GIVEN.c.content])
    )
    rows: Sequence[Any] = await reader.rows(statement)
    found: dict[int, GrantStates] = {}
    for key, seat, tiers, content, set_content in rows:
        state = catalogue.decode(content)
        given_state = None if set_content is None else catalogue.decode(set_content)
        found[key] = GrantStates(state, effective(state, seat, frozenset(tiers.split()), catalogue), given_state)
    return [found[parent.id] for parent in parents]


def granted_permissions(
    stored: State, effective_state: State, area: str | None = None
) -> list[GrantedPermissionRecord]:
    """Returns the permissions above NONE in the order of the catalogue, of one area if it is named (F14).

    Raises:
        InputError: if there is no such area.
    """
    if area is not None and area not in {known.key for known in catalogue.areas}:
        raise InputError(f"There is no such area; there are {', '.join(known.key for known in catalogue.areas)}.")
    effective_levels = catalogue.levels(effective_state)
    return [
        GrantedPermissionRecord(permission, level, effective_levels.get(key, PermissionLevel.NONE))
        for key, level in catalogue.levels(stored).items()
        if (permission := catalogue.permissions[key]) and area in {None, permission.area}
    ]


def permissions_at_level(atoms: State) -> list[PermissionAtLevelRecord]:
    """Returns a set of atoms as permissions in the order of the catalogue: of each, the levels from the lowest to the highest.

    The differences of two states hold a run of levels of each permission, so its two ends say all of it.
    """
    runs: dict[str, list[PermissionLevel]] = {}
    for key, level in catalogue.atoms(atoms):
        runs.setdefault(key, []).append(level)
    found = []
    for key, run in runs.items():
        permission = catalogue.permissions[key]
        below = permission.levels[permission.levels.index(min(run, key=_rank)) - 1]
        found.append(PermissionAtLevelRecord(permission, max(run, key=_rank), below))
    return found


def _rank(level: PermissionLevel) -> int:
    return level.rank
