"""The permission catalogue: which permissions there are, and the arithmetic of their states."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from models.permission.definition import read_areas, read_mapping
from models.permission.error import CatalogueError, InvalidLevelError, UnknownPermissionError
from models.permission.level import PermissionLevel
from models.permission.permission import Area, Atom, MissingRequirement, Permission
from models.permission.position import located, parsed
from models.permission.requirement import state_space
from models.permission.state import State, bits

CATALOGUE_FILE = Path(__file__).with_name("catalogue.toml")
PARTNER_ADMIN = "partner_admin"


class Catalogue:
    """The permissions by area, and states as bit sets over their atoms (spec 2.1).

    Atoms are numbered in the order of the file, so a state means something only beside its catalogue: what is stored is
    the canonical text of `encode`.
    """

    def __init__(self, areas: Iterable[Area]) -> None:
        """Checks keys and requirements; raises CatalogueError for unknown or duplicate keys, illegal levels, cycles."""
        self.areas = tuple(areas)
        self.permissions: dict[str, Permission] = {}
        for area in self.areas:
            for permission in area.permissions:
                if permission.key in self.permissions:
                    raise CatalogueError(f"{permission.key!r} is there twice", path=(area.key, permission.key))
                self.permissions[permission.key] = permission
        self._atoms: tuple[Atom, ...] = tuple(
            (permission.key, level) for permission in self.permissions.values() for level in permission.levels[1:]
        )
        self._index = {atom: index for index, atom in enumerate(self._atoms)}
        self._requires, space = state_space(self.permissions, self._index)
        self._masks = {
            (key, level): self._thermometer(permission, level)
            for key, permission in self.permissions.items()
            for level in permission.levels
        }
        self.everything: State = space.everything
        self.closure = space.closure
        self.largest_closed_subset = space.largest_closed_subset
        self.never_delegable = self.where(lambda permission: not permission.delegable)
        self.delegable = self.everything & ~self.never_delegable
        self.sensitive = self.where(lambda permission: permission.sensitive)
        self.partner_admin = self._masks.get((PARTNER_ADMIN, PermissionLevel.ALL), 0)
        self.encode = lru_cache(1 << 16)(self._encode)
        self.decode = lru_cache(1 << 16)(self._decode)

    @classmethod
    def from_mapping(cls, entries: Mapping[str, Any]) -> Self:
        """Returns the catalogue of `{key: {levels, requires, delegable}}`, the form of the rule's worked cases."""
        return cls([read_mapping(entries)])

    def where(self, condition: Callable[[Permission], bool]) -> State:
        """Returns all atoms of the permissions that meet the condition."""
        atoms = 0
        for key, permission in self.permissions.items():
            if condition(permission):
                atoms |= self._masks[key, permission.levels[-1]]
        return atoms

    def state(self, levels: Mapping[str, str]) -> State:
        """Returns the atoms of these levels, lower levels included but nothing that is required.

        Raises UnknownPermissionError, or InvalidLevelError for a level that the key does not have (E23).
        """
        atoms = 0
        for key, level in levels.items():
            permission = self.permissions.get(key)
            if permission is None:
                raise UnknownPermissionError(key)
            if level not in permission.levels:
                raise InvalidLevelError(key, level, permission.levels)
            atoms |= self._masks[key, PermissionLevel(level)]
        return atoms

    def atoms(self, state: State) -> list[Atom]:
        """Returns the atoms of a set in the order of the catalogue, levels rising."""
        return [self._atoms[index] for index in bits(state & self.everything)]

    def levels(self, state: State) -> dict[str, PermissionLevel]:
        """Returns the highest level of each permission in a set of atoms; those at NONE are left out."""
        return dict(self.atoms(state))

    def level(self, state: State, key: str) -> PermissionLevel:
        """Returns the highest level of one permission; raises UnknownPermissionError."""
        permission = self.permissions.get(key)
        if permission is None:
            raise UnknownPermissionError(key)
        held = (level for level in reversed(permission.levels[1:]) if state >> self._index[key, level] & 1)
        return next(held, PermissionLevel.NONE)

    def is_valid(self, state: State) -> bool:
        """Says whether a state is closed under requirements and levels, and within the catalogue."""
        return self.closure(state) == state

    def missing(self, state: State) -> list[MissingRequirement]:
        """Returns what a state holds without what it requires directly: key, level, required key, required level."""
        return [
            (*self._atoms[index], *self._atoms[required])
            for index in bits(state & self.everything)
            for required in bits(self._requires[index] & ~state)
        ]

    def _encode(self, state: State) -> str:
        """Returns the canonical text, `key:LEVEL key:LEVEL …` sorted by key.

        Raises ValueError for a set of atoms that is no set of levels, since its text would mean something else.
        """
        levels = self.levels(state)
        if self.state(levels) != state:
            raise ValueError("Only a state in which each level contains the lower ones has a canonical text.")
        return " ".join(f"{key}:{level}" for key, level in sorted(levels.items()))

    def _decode(self, text: str) -> State:
        """Returns the state of a canonical text; keys that have left the catalogue are ignored (E22).

        Of a level that a key no longer has, the lower ones that it contained remain.
        """
        atoms = 0
        for part in text.split():
            key, _, name = part.rpartition(":")
            permission = self.permissions.get(key)
            if permission is not None and name in PermissionLevel.__members__:
                held = [level for level in permission.levels if level.rank <= PermissionLevel[name].rank]
                atoms |= self._masks[key, held[-1]]
        return atoms

    def _thermometer(self, permission: Permission, level: PermissionLevel) -> State:
        held = (at for at in permission.levels[1:] if at.rank <= level.rank)
        return sum(1 << self._index[permission.key, at] for at in held)


def load_catalogue(file: Path = CATALOGUE_FILE) -> Catalogue:
    """Returns the catalogue of a TOML file; raises CatalogueError that names the line of what is wrong."""
    text = file.read_text(encoding="utf-8")
    document = parsed(text, file.name)
    try:
        return Catalogue(read_areas(document))
    except CatalogueError as error:
        raise located(error, text, file.name) from None


catalogue = load_catalogue()
"""The catalogue of this product."""
