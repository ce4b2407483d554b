"""The levels at which a permission can be held."""

from enum import StrEnum


class PermissionLevel(StrEnum):
    """How far a permission reaches: NONE < OWNED < TEAM < ALL (spec 2.1)."""

    NONE = "NONE"
    OWNED = "OWNED"
    TEAM = "TEAM"
    ALL = "ALL"

    @property
    def rank(self) -> int:
        """The place in the chain, NONE being 0; the members themselves compare as text."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(PermissionLevel)}
