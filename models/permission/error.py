"""The errors of this package.

ValueError
 ├─ CatalogueError          a catalogue that cannot be used; names the line of the file
 ├─ UnknownPermissionError  a key that the catalogue does not have
 ├─ InvalidLevelError       a level that the key does not have (INVALID_LEVEL, E23)
 ├─ UnclosedStateError      a state that misses a requirement (INVALID_PREREQUISITE)
 ├─ RequirementCycleError   beside the arithmetic, in state.py
 └─ RuleCaseError           beside what raises it, in rule_cases.py
"""

from models.permission.level import PermissionLevel
from models.permission.permission import MissingRequirement


class CatalogueError(ValueError):
    """A catalogue or a file of built-in sets that cannot be used.

    `path` and `items` say which entry is meant; the reader of a file turns them into its `line`.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: tuple[str, ...] = (),
        items: tuple[str, ...] = (),
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(reason if file is None else f"{file}, line {line}: {reason}")
        self.reason = reason
        self.path = path
        self.items = items
        self.file = file
        self.line = line


class UnknownPermissionError(ValueError):
    """A permission key that the catalogue does not have."""

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no permission {key!r}; the permission catalogue lists all keys.")
        self.key = key


class InvalidLevelError(ValueError):
    """A level that the permission does not have (INVALID_LEVEL, E23)."""

    def __init__(self, key: str, level: str, levels: tuple[PermissionLevel, ...]) -> None:
        name = level.value if isinstance(level, PermissionLevel) else level
        super().__init__(f"{key!r} has no level {name!r}; use one of {', '.join(levels)}.")
        self.key = key
        self.level = level
        self.levels = levels


class UnclosedStateError(ValueError):
    """A state that holds something without what it requires (INVALID_PREREQUISITE)."""

    def __init__(self, name: str, missing: list[MissingRequirement]) -> None:
        reason = "it holds something that is not in the catalogue"
        if missing:
            key, level, required, required_level = missing[0]
            reason = f"{key}@{level} requires {required}@{required_level}; add what is required or leave {key} out"
        super().__init__(f"The {name} state is not valid: {reason}.")
        self.missing = missing
