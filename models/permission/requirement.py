"""The direct requirements between the atoms of a catalogue."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from models.permission.error import CatalogueError
from models.permission.permission import Atom, Permission
from models.permission.state import RequirementCycleError, State, StateSpace


def state_space(permissions: Mapping[str, Permission], index: Mapping[Atom, int]) -> tuple[list[State], StateSpace]:
    """Returns what each atom requires directly, and the arithmetic over it.

    Raises CatalogueError for a requirement that is not in the catalogue and for a cycle.
    """
    direct = [0] * len(index)
    for permission in permissions.values():
        for required, requiring in _pairs(permission):
            if required not in index:
                raise _unknown(permission, required, known=required[0] in permissions)
            direct[index[requiring]] |= 1 << index[required]
    try:
        return direct, StateSpace(direct)
    except RequirementCycleError as error:
        atoms = list(index)
        raise _cycle([atoms[number] for number in error.atoms], permissions) from None


def _pairs(permission: Permission) -> Iterable[tuple[Atom, Atom]]:
    """Yields (required, requiring): each level requires the next lower one, and what the file says."""
    key = permission.key
    for lower, level in zip(permission.levels[1:], permission.levels[2:], strict=False):
        yield (key, lower), (key, level)
    for requirement in permission.requires:
        yield (requirement.permission, requirement.required_level), (key, requirement.level)


def _unknown(permission: Permission, required: Atom, *, known: bool) -> CatalogueError:
    key, level = required
    reason = f"at {level}, a level that it does not have" if known else "which is not in the catalogue"
    return CatalogueError(
        f"{permission.key!r} requires {key!r}{' ' if known else ', '}{reason}",
        path=(permission.area, permission.key, "requires"),
        items=(f"{key}@{level}", key),
    )


def _cycle(atoms: list[Atom], permissions: Mapping[str, Permission]) -> CatalogueError:
    # A step down the levels of one key stands nowhere in the file, so the line is that of a step that does.
    written = (
        (before, after) for before, after in pairwise(atoms) if before[0] != after[0] or before[1].rank <= after[1].rank
    )
    (key, _), (required, level) = next(written)
    return CatalogueError(
        f"requirements go in a circle: {' → '.join(f'{name}@{at}' for name, at in atoms)}",
        path=(permissions[key].area, key, "requires"),
        items=(f"{required}@{level}", required),
    )
