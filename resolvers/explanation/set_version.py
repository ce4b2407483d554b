"""What the versions of permission sets contain that changes have given (P12)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_set import permission_set_versions, permission_sets
from models.permission_state import permission_states
from resolvers.readable import readable_permission_sets
from resolvers.reader import Reader


@dataclass(frozen=True, slots=True)
class SetVersionRecord:
    """One version of a permission set."""

    set_id: int
    version: int
    state: State


async def set_versions_by_id(reader: Reader, keys: Sequence[int]) -> list[SetVersionRecord | None]:
    """Returns the versions with these keys; None for those of sets that the viewer does not know of (T1)."""
    version = permission_set_versions.c
    is_known = readable_permission_sets(reader.viewer).where(permission_sets.c.id == version.set_id).exists()
    rows = await reader.rows(
        select(version.id, version.set_id, version.version, permission_states.c.content)
        .join(permission_states, permission_states.c.id == version.state_id)
        .where(version.id.in_(set(keys)), is_known)
    )
    found = {row.id: SetVersionRecord(row.set_id, row.version, catalogue.decode(row.content)) for row in rows}
    return [found.get(key) for key in keys]
