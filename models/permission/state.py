"""Permission states as integers: set arithmetic over the atoms of a catalogue.

Bit i of a state stands for atom i. What an atom requires, directly and through others, is precomputed once as a mask,
so both operators are one pass over the atoms of a state, and each distinct answer is kept.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

State = int
"""A set of atoms; valid when closed under requirements."""

_KEPT_ANSWERS = 1 << 16


class RequirementCycleError(ValueError):
    """Requirements that lead back to where they began; `atoms` are the indexes along the cycle."""

    def __init__(self, atoms: tuple[int, ...]) -> None:
        super().__init__(f"Atoms {atoms} require each other in a circle.")
        self.atoms = atoms


class StateSpace:
    """The arithmetic of the states over an acyclic graph of atoms."""

    def __init__(self, requires: Sequence[int]) -> None:
        """Takes, for each atom, the set of atoms that it requires directly; raises RequirementCycleError."""
        self.everything: State = (1 << len(requires)) - 1
        self._needs = _transitive(requires)
        # Set here and not as decorators: a cache on the class would keep every catalogue alive.
        self.closure = lru_cache(_KEPT_ANSWERS)(self._closure)
        self.largest_closed_subset = lru_cache(_KEPT_ANSWERS)(self._largest_closed_subset)

    def _closure(self, atoms: State) -> State:
        closed = pending = atoms & self.everything
        while pending:
            needs = self._needs[pending.bit_length() - 1]
            closed |= needs
            pending &= ~needs
        return closed

    def _largest_closed_subset(self, atoms: State) -> State:
        kept = 0
        pending = atoms = atoms & self.everything
        while pending:
            top = pending.bit_length() - 1
            needs = self._needs[top]
            if needs & ~atoms:
                pending &= ~(1 << top)
            else:
                kept |= needs
                pending &= ~needs
        return kept


def bits(atoms: State) -> Iterator[int]:
    """Yields the indexes of the atoms in a state, lowest first."""
    while atoms:
        lowest = atoms & -atoms
        yield lowest.bit_length() - 1
        atoms ^= lowest


def _transitive(requires: Sequence[int]) -> list[int]:
    """Returns, for each atom, itself and everything that it requires directly or through others."""
    needs: list[int] = [0] * len(requires)
    dependents: list[list[int]] = [[] for _ in requires]
    waiting = [direct.bit_count() for direct in requires]
    for atom, direct in enumerate(requires):
        for required in bits(direct):
            dependents[required].append(atom)
    ready = [atom for atom, count in enumerate(waiting) if not count]
    while ready:
        atom = ready.pop()
        needs[atom] |= 1 << atom
        for dependent in dependents[atom]:
            needs[dependent] |= needs[atom]
            waiting[dependent] -= 1
            if not waiting[dependent]:
                ready.append(dependent)
    if any(waiting):
        raise RequirementCycleError(_cycle(requires, {atom for atom, count in enumerate(waiting) if count}))
    return needs


def _cycle(requires: Sequence[int], stuck: set[int]) -> tuple[int, ...]:
    """Returns one cycle: whatever is stuck requires something stuck, so walking on must come back."""
    walk = [min(stuck)]
    while True:
        following = next(atom for atom in bits(requires[walk[-1]]) if atom in stuck)
        if following in walk:
            return (*walk[walk.index(following) :], following)
        walk.append(following)
