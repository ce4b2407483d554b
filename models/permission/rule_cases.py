"""Answers cases of the bounded rule that people make up themselves, with the function that the service uses (`cam rule`)."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypedDict

from models.permission.catalogue import Catalogue, catalogue
from models.permission.error import CatalogueError, InvalidLevelError, UnclosedStateError, UnknownPermissionError
from models.permission.rule import apply_rule, authority
from models.permission.state import State

_NEEDED = ("id", "actor", "target", "requested")
_FIELDS = {*_NEEDED, "catalogue", "ceiling", "expected", "note"}


class RuleCaseError(ValueError):
    """A case that cannot be answered; says which one, why, and what to do."""

    def __init__(self, case: str, reason: str) -> None:
        super().__init__(f"{case}: {reason}")
        self.case = case
        self.reason = reason


class RuleAnswer(TypedDict):
    """The answer to one case: states as `{key: level}`, sets of atoms as sorted lists of `key@LEVEL`."""

    id: str
    authority: dict[str, str]
    after: dict[str, str]
    granted: list[str]
    revoked: list[str]
    withheld: list[str]
    retained_actor_lacks: list[str]
    retained_required: list[str]


def answer_cases(cases: Any) -> list[RuleAnswer]:
    """Returns the answers in the order of the cases; raises RuleCaseError for the first that is wrong.

    A case is `{id, catalogue, actor, ceiling, target, requested}`. Without `catalogue` it is about the permissions of
    this service; without `ceiling` there is none. The actor's state and the ceiling need not be valid: whatever lacks a
    requirement counts for nothing (E8). The other two must be.
    """
    if not isinstance(cases, list):
        raise RuleCaseError("The cases", f"must be a list of cases, not {_kind(cases)}")
    return [_answer(case, f"Case {number} of {len(cases)}") for number, case in enumerate(cases, start=1)]


def _answer(case: Any, name: str) -> RuleAnswer:
    if not isinstance(case, dict):
        raise RuleCaseError(name, f"must be an object, not {_kind(case)}")
    identifier = case.get("id")
    if not isinstance(identifier, str) or not identifier:
        raise RuleCaseError(name, "needs an 'id', a text that the answer repeats")
    name = f"Case {identifier}"
    for field in _NEEDED:
        if field not in case:
            raise RuleCaseError(name, f"lacks {field!r}; add it, {{}} for nothing")
    for field in case.keys() - _FIELDS:
        raise RuleCaseError(name, f"has the unknown field {field!r}; use {', '.join(sorted(_FIELDS))}")
    known = _catalogue(case, name)
    states = {field: _state(case, field, known, name) for field in ("actor", "target", "requested")}
    ceiling = None if case.get("ceiling") is None else _state(case, "ceiling", known, name)
    held = authority(states["actor"], ceiling, known)
    try:
        change = apply_rule(states["target"], states["requested"], held, known)
    except UnclosedStateError as error:
        raise RuleCaseError(name, str(error)) from None
    return RuleAnswer(
        id=identifier,
        authority=_levels(held, known),
        after=_levels(change.after, known),
        granted=_atoms(change.granted, known),
        revoked=_atoms(change.revoked, known),
        withheld=_atoms(change.withheld, known),
        retained_actor_lacks=_atoms(change.retained_actor_lacks, known),
        retained_required=_atoms(change.retained_required, known),
    )


def _catalogue(case: Mapping[str, Any], name: str) -> Catalogue:
    entries = case.get("catalogue")
    if entries is None:
        return catalogue
    if not isinstance(entries, dict):
        raise RuleCaseError(name, f"'catalogue' must be an object of permissions by key, not {_kind(entries)}")
    try:
        return _read(json.dumps(entries))
    except CatalogueError as error:
        raise RuleCaseError(name, f"its catalogue cannot be used: {error.reason}; correct it") from None


@lru_cache(256)
def _read(entries: str) -> Catalogue:
    """Returns the catalogue of a JSON text: many cases of one file share one."""
    return Catalogue.from_mapping(json.loads(entries))


def _state(case: Mapping[str, Any], field: str, known: Catalogue, name: str) -> State:
    levels = case[field]
    if not isinstance(levels, dict):
        raise RuleCaseError(name, f"{field!r} must be an object of levels by key, not {_kind(levels)}")
    try:
        return known.state(levels)
    except UnknownPermissionError as error:
        raise RuleCaseError(name, f"{field!r} names {error.key!r}, which is not in its catalogue") from None
    except InvalidLevelError as error:
        raise RuleCaseError(name, f"in {field!r}, {error}") from None


def _levels(state: State, known: Catalogue) -> dict[str, str]:
    return {key: level.value for key, level in sorted(known.levels(state).items())}


def _atoms(atoms: State, known: Catalogue) -> list[str]:
    return sorted(f"{key}@{level}" for key, level in known.atoms(atoms))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return f"{value!r:.60}"
