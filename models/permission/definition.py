"""Reads areas and permissions from plain mappings, as a TOML or JSON file gives them, and refuses what is not right."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from models.permission.error import CatalogueError
from models.permission.level import PermissionLevel
from models.permission.permission import Area, Permission, Requirement
from models.permission.tier import NEEDABLE_TIERS

Path = tuple[str, ...]

_KEY = re.compile(r"[^\s:@]+")  # the three are what separates keys and levels in canonical texts
_LEVELS = tuple(PermissionLevel)
_FIELDS = {"label", "description", "levels", "requires", "delegable", "sensitive", "tier", "seats"}
DEFAULT_SEATS = "worker"


def read_areas(document: Mapping[str, Any]) -> tuple[Area, ...]:
    """Returns the areas of a catalogue file: the table `seats` names groups of seats, every other table is an area."""
    groups = _seat_groups(document.get("seats", {}))
    return tuple(_area(key, table, groups) for key, table in document.items() if key != "seats")


def read_mapping(entries: Mapping[str, Any]) -> Area:
    """Returns one area with the permissions of `{key: {levels, requires, delegable}}`, without words or seats."""
    groups: dict[str, frozenset[str]] = {DEFAULT_SEATS: frozenset()}
    permissions: list[Permission] = []
    for key, entry in entries.items():
        words = {"label": key, "description": key, **entry} if isinstance(entry, Mapping) else entry
        permissions.append(_permission(key, words, ("cases", key), "cases", groups))
    return Area("cases", "Cases", tuple(permissions))


def _permission(key: str, entry: Any, path: Path, area: str, groups: Mapping[str, frozenset[str]]) -> Permission:
    """Returns one permission; raises CatalogueError with the path of what is wrong."""
    if not isinstance(entry, Mapping):
        raise CatalogueError(f"permission {key!r} must be a table", path=path)
    if not _KEY.fullmatch(key):
        raise CatalogueError(f"permission key {key!r} must be one word without ':' and '@'", path=path)
    for field in entry.keys() - _FIELDS:
        raise CatalogueError(f"{key!r} has the unknown field {field!r}", path=(*path, str(field)))
    levels = _levels(key, entry.get("levels", ["ALL"]), (*path, "levels"))
    tier = entry.get("tier")
    if tier is not None and tier not in NEEDABLE_TIERS:
        raise CatalogueError(f"{key!r} needs the unknown tier {tier!r}", path=(*path, "tier"), items=(str(tier),))
    seats = entry.get("seats", DEFAULT_SEATS)
    if not isinstance(seats, str) or seats not in groups:
        raise CatalogueError(f"{key!r} names the unknown group of seats {seats!r}", path=(*path, "seats"))
    return Permission(
        key=key,
        label=read_text(entry, "label", path),
        description=read_text(entry, "description", path),
        area=area,
        levels=levels,
        requires=_requires(key, entry.get("requires", []), levels, (*path, "requires")),
        delegable=read_flag(entry, "delegable", path, default=True),
        sensitive=read_flag(entry, "sensitive", path, default=False),
        tier=tier,
        seats=groups[seats],
    )


def _area(key: str, table: Any, groups: Mapping[str, frozenset[str]]) -> Area:
    if not isinstance(table, Mapping):
        raise CatalogueError(f"{key!r} must be a table: an area with its permissions", path=(key,))
    permissions = tuple(
        _permission(name, entry, (key, name), key, groups) for name, entry in table.items() if name != "label"
    )
    return Area(key, read_text(table, "label", (key,)), permissions)


def _seat_groups(table: Any) -> dict[str, frozenset[str]]:
    if not isinstance(table, Mapping):
        raise CatalogueError("'seats' must be a table of groups of seats", path=("seats",))
    groups: dict[str, frozenset[str]] = {}
    for name, seats in table.items():
        if not isinstance(seats, list) or not all(isinstance(seat, str) for seat in seats):
            raise CatalogueError(f"the group of seats {name!r} must be a list of seats", path=("seats", name))
        groups[name] = frozenset(seats)
    return groups


def read_text(entry: Mapping[str, Any], field: str, path: Path) -> str:
    """Returns a text for people; raises CatalogueError where it is missing or blank."""
    value = entry.get(field)
    if not isinstance(value, str) or not value.strip():
        raise CatalogueError(f"{path[-1]!r} needs a {field} in words", path=(*path, field) if field in entry else path)
    return value.strip()


def read_flag(entry: Mapping[str, Any], field: str, path: Path, *, default: bool) -> bool:
    """Returns a flag; raises CatalogueError for anything but true and false."""
    value = entry.get(field, default)
    if not isinstance(value, bool):
        raise CatalogueError(f"{field} of {path[-1]!r} must be true or false", path=(*path, field))
    return value


def _levels(key: str, names: Any, path: Path) -> tuple[PermissionLevel, ...]:
    if not isinstance(names, list) or not names:
        raise CatalogueError(f'levels of {key!r} must be a list such as ["OWNED", "TEAM", "ALL"]', path=path)
    for name in names:
        if name not in _LEVELS:
            raise CatalogueError(f"{key!r} has the illegal level {name!r}", path=path, items=(str(name),))
    levels = tuple(PermissionLevel(name) for name in names if name != PermissionLevel.NONE)
    if not levels or any(low.rank >= high.rank for low, high in pairwise(levels)):
        raise CatalogueError(f"levels of {key!r} must rise from OWNED over TEAM to ALL, each once", path=path)
    return (PermissionLevel.NONE, *levels)


def _requires(key: str, value: Any, levels: tuple[PermissionLevel, ...], path: Path) -> tuple[Requirement, ...]:
    """Reads `["a", "b@TEAM"]` (a at one's own level, b at TEAM from the lowest on) or `{ ALL = ["a@TEAM"] }`."""
    if isinstance(value, Mapping):
        found: list[Requirement] = []
        for name, names in value.items():
            if name not in levels[1:]:
                raise CatalogueError(
                    f"{key!r} has requirements for {name!r}, a level that it lacks", path=(*path, name)
                )
            level = PermissionLevel(name)
            found += [_requirement(key, text, level, (*path, name)) for text in _names(key, names, (*path, name))]
        return tuple(found)
    return tuple(
        _requirement(key, text, level, path)
        for text in _names(key, value, path)
        for level in (levels[1:2] if "@" in text else levels[1:])
    )


def _names(key: str, value: Any, path: Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise CatalogueError(f'requirements of {key!r} must be a list of texts like "contacts.view@TEAM"', path=path)
    return value


def _requirement(key: str, text: str, level: PermissionLevel, path: Path) -> Requirement:
    required, at, name = text.rpartition("@")
    if not at:
        return Requirement(level, text, level)
    if name not in _LEVELS[1:]:
        raise CatalogueError(f"{key!r} requires {required!r} at the illegal level {name!r}", path=path, items=(text,))
    return Requirement(level, required, PermissionLevel(name))
