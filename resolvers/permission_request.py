"""From the permissions that a caller lists to a state: what cannot be asked for is refused, each at its place."""

from collections.abc import Sequence

from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from resolvers.error import Refusal, RefusalCode, RefusedError


def requested_state(permissions: Sequence[tuple[str, PermissionLevel]], *field: str) -> State:
    """Returns the state that a list of (permission key, level) describes; of a key named twice the higher level counts.

    Raises:
        RefusedError: UNKNOWN_PERMISSION, INVALID_LEVEL (E23), NON_DELEGABLE (E12), or INVALID_PREREQUISITE for a state that
            misses a requirement.
    """
    state, refusals = 0, []
    for index, (key, level) in enumerate(permissions):
        refusal = _refusal(key, level, (*field, str(index)))
        if refusal is None:
            state |= catalogue.state({key: level})
        else:
            refusals.append(refusal)
    if not refusals:
        places = {key: str(index) for index, (key, _) in enumerate(permissions)}
        refusals = [
            Refusal(
                RefusalCode.INVALID_PREREQUISITE,
                f"{key} at {level} requires {required} at {required_level}: add it, or leave {key} out.",
                (*field, places[key]),
            )
            for (key, required), (level, required_level) in _missing(state).items()
        ]
    if refusals:
        raise RefusedError(refusals)
    return state


def _missing(state: State) -> dict[tuple[str, str], tuple[PermissionLevel, PermissionLevel]]:
    """Returns each requirement that is missed once: for the highest level, which contains the lower ones."""
    found: dict[tuple[str, str], tuple[PermissionLevel, PermissionLevel]] = {}
    for key, level, required, required_level in catalogue.missing(state):
        known = found.get((key, required))
        if known is None or known[1].rank < required_level.rank:
            found[key, required] = level, required_level
    return found


def _refusal(key: str, level: PermissionLevel, field: tuple[str, ...]) -> Refusal | None:
    permission = catalogue.permissions.get(key)
    if permission is None:
        message = f"There is no permission {key!r}: permissionCatalog lists them all."
        return Refusal(RefusalCode.UNKNOWN_PERMISSION, message, (*field, "permission"))
    if level not in permission.levels:
        levels = ", ".join(permission.levels)
        message = f"{key} has no level {level}: choose one of {levels}."
        return Refusal(RefusalCode.INVALID_LEVEL, message, (*field, "level"))
    if not permission.delegable and level is not PermissionLevel.NONE:
        message = f"{key} can be held by a super admin only and is never given here: leave it out."
        return Refusal(RefusalCode.NON_DELEGABLE, message, (*field, "permission"))
    return None
