"""The built-in permission sets, and the comparison of super admin and partner admin, as data (F03, F06 to F10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from models.permission.catalogue import PARTNER_ADMIN, Catalogue, catalogue
from models.permission.definition import Path, read_flag, read_text
from models.permission.error import CatalogueError, InvalidLevelError, UnknownPermissionError
from models.permission.level import PermissionLevel
from models.permission.position import located, parsed
from models.permission.state import State

BUILT_IN_FILE = File(__file__).with_name("built_in.toml")
_SET_FIELDS = {"key", "name", "description", "everything_but_financial", "OWNED", "TEAM", "ALL"}


@dataclass(frozen=True, slots=True)
class BuiltInSet:
    """A permission set that every account has (F06)."""

    key: str
    name: str
    description: str
    state: State
    is_partner_admin: bool
    """Whether it contains the Partner Admin permission, and so makes a partner admin (F08)."""


@dataclass(frozen=True, slots=True)
class AdminComparison:
    """One row of the comparison of the two kinds of administrator (F03)."""

    label: str
    super_admin: bool
    partner_admin: bool


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """What the file of built-in sets says."""

    sets: tuple[BuiltInSet, ...]
    financial: State
    admin_comparison: tuple[AdminComparison, ...]


def load_built_in(catalogue: Catalogue, file: File = BUILT_IN_FILE) -> BuiltIn:
    """Returns the built-in sets; raises CatalogueError that names the line of what is wrong."""
    text = file.read_text(encoding="utf-8")
    document = parsed(text, file.name)
    try:
        return _built_in(document, catalogue)
    except CatalogueError as error:
        raise located(error, text, file.name) from None


def _built_in(document: Mapping[str, Any], catalogue: Catalogue) -> BuiltIn:
    financial = _held(document.get("financial", []), PermissionLevel.ALL, ("financial",), catalogue)
    entries = document.get("set", [])
    comparison = document.get("admin_comparison", [])
    return BuiltIn(
        tuple(_set(entry, ("set", str(index)), financial, catalogue) for index, entry in enumerate(entries)),
        financial,
        tuple(_row(row, ("admin_comparison", str(index))) for index, row in enumerate(comparison)),
    )


def _set(entry: Mapping[str, Any], path: Path, financial: State, catalogue: Catalogue) -> BuiltInSet:
    for field in entry.keys() - _SET_FIELDS:
        raise CatalogueError(f"a set has the unknown field {field!r}", path=(*path, field))
    key = read_text(entry, "key", path)
    state = 0
    if read_flag(entry, "everything_but_financial", path, default=False):
        state = catalogue.largest_closed_subset(catalogue.delegable & ~financial)
    for level in PermissionLevel:
        if level in entry:
            state |= _held(entry[level], level, (*path, level), catalogue)
    for held, level, required, required_level in catalogue.missing(state):
        reason = f"set {key!r} has {held}@{level} without {required}@{required_level}, which it requires"
        listed = next(at for at in PermissionLevel if held in entry.get(at, []))
        raise CatalogueError(reason, path=(*path, listed), items=(held,))
    name, description = read_text(entry, "name", path), read_text(entry, "description", path)
    return BuiltInSet(key, name, description, state, bool(state & catalogue.partner_admin))


def _row(row: Mapping[str, Any], path: Path) -> AdminComparison:
    super_admin, partner_admin = (
        read_flag(row, name, path, default=False) for name in ("super_admin", "partner_admin")
    )
    return AdminComparison(read_text(row, "label", path), super_admin, partner_admin)


def _held(keys: list[str], level: PermissionLevel, path: Path, catalogue: Catalogue) -> State:
    state = 0
    for key in keys:
        try:
            state |= catalogue.state({key: level})
        except (UnknownPermissionError, InvalidLevelError) as error:
            raise CatalogueError(str(error), path=path, items=(key,)) from None
    return state


_BUILT_IN = load_built_in(catalogue)

BUILT_IN_SETS = _BUILT_IN.sets
"""Partner Admin and the role templates, in the order in which people see them."""

PARTNER_ADMIN_SET = next(built_in for built_in in BUILT_IN_SETS if built_in.key == PARTNER_ADMIN)
"""The set that is applied when a person becomes partner admin (F06)."""

FINANCIAL_STATE = _BUILT_IN.financial
"""The billing permissions that a migration keeps or drops (F42)."""

SUPER_ADMIN_STATE = catalogue.everything
"""What a super admin has, the never-delegable included (F05)."""

ADMIN_COMPARISON = _BUILT_IN.admin_comparison
"""The comparison of the two kinds of administrator (F03)."""
