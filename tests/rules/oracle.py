"""The rule once more, slowly and with frozensets, so that the tests do not check the arithmetic against itself."""

from collections.abc import Iterable, Mapping
from itertools import chain, combinations
from typing import TypeVar

from models.permission.catalogue import Catalogue
from models.permission.permission import Atom

T = TypeVar("T")


class Oracle:
    """What the words of the catalogue mean, without its arithmetic."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.requires: dict[Atom, set[Atom]] = {}
        for permission in catalogue.permissions.values():
            levels = permission.levels[1:]
            for index, level in enumerate(levels):
                self.requires[permission.key, level] = {(permission.key, lower) for lower in levels[:index]}
            for requirement in permission.requires:
                required = (requirement.permission, requirement.required_level)
                self.requires[permission.key, requirement.level].add(required)

    def atoms(self, state: int) -> frozenset[Atom]:
        return frozenset(self.catalogue.atoms(state))

    def is_valid(self, state: int) -> bool:
        held = self.atoms(state)
        return all(self.requires[atom] <= held for atom in held)

    def closure(self, atoms: Iterable[Atom]) -> frozenset[Atom]:
        held = set(atoms)
        while missing := set(chain.from_iterable(self.requires[atom] for atom in held)) - held:
            held |= missing
        return frozenset(held)

    def largest_closed_subset(self, atoms: Iterable[Atom]) -> frozenset[Atom]:
        held = set(atoms)
        while unsupported := {atom for atom in held if not self.requires[atom] <= held}:
            held -= unsupported
        return frozenset(held)


def subsets(members: Iterable[T]) -> list[frozenset[T]]:
    pool = list(members)
    return [frozenset(chosen) for size in range(len(pool) + 1) for chosen in combinations(pool, size)]


def valid_subsets(requires: Mapping[T, frozenset[T]]) -> list[frozenset[T]]:
    return [held for held in subsets(requires) if all(requires[member] <= held for member in held)]


def least_valid_superset(held: frozenset[T], valid: Iterable[frozenset[T]]) -> frozenset[T]:
    """Finds it by looking at every valid set; fails where there is no single least one."""
    candidates = [candidate for candidate in valid if held <= candidate]
    (least,) = [candidate for candidate in candidates if all(candidate <= other for other in candidates)]
    return least


def greatest_valid_subset(held: frozenset[T], valid: Iterable[frozenset[T]]) -> frozenset[T]:
    candidates = [candidate for candidate in valid if candidate <= held]
    (greatest,) = [candidate for candidate in candidates if all(other <= candidate for other in candidates)]
    return greatest
