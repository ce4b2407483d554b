"""What the catalogue says of one permission."""

from dataclasses import dataclass

from models.permission.level import PermissionLevel

Atom = tuple[str, PermissionLevel]
"""A permission key at one level above NONE: the unit of all permission arithmetic."""

MissingRequirement = tuple[str, PermissionLevel, str, PermissionLevel]
"""Key and level of what is held, key and level of what it requires."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Holding a permission at `level` requires `permission` at `required_level`."""

    level: PermissionLevel
    permission: str
    required_level: PermissionLevel


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission of the catalogue, in words and in rules (F14)."""

    key: str
    label: str
    description: str
    area: str
    levels: tuple[PermissionLevel, ...]
    """The legal levels in rising order, NONE first."""
    requires: tuple[Requirement, ...] = ()
    delegable: bool = True
    """False for what only a super admin ever has (F05)."""
    sensitive: bool = False
    """Worth a mark wherever it is shown, such as billing."""
    tier: str | None = None
    """The product tier that an account must pay for; see `models.permission.tier`."""
    seats: frozenset[str] = frozenset()
    """The seats that let it through."""


@dataclass(frozen=True, slots=True)
class Area:
    """A group of permissions under one heading (F14)."""

    key: str
    label: str
    permissions: tuple[Permission, ...]
