"""The contents of permission states for those who read: one statement, whatever was read before (T3)."""

from collections.abc import Iterable

from sqlalchemy import select

from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_state import permission_states
from resolvers.reader import Reader


async def states_of(reader: Reader, keys: Iterable[int | None]) -> dict[int, State]:
    """Returns the contents of these states; keys that have left the catalogue are not in them (E22)."""
    wanted = {key for key in keys if key is not None}
    if not wanted:
        return {}
    states = permission_states.c
    rows = await reader.rows(select(states.id, states.content).where(states.id.in_(wanted)))
    return {row.id: catalogue.decode(row.content) for row in rows}
