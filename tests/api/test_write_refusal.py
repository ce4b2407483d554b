"""Bad input: each mistake has its code and a message that says what to do, and the database is unchanged."""

from collections.abc import Callable
from typing import Any

import pytest

from schema.node import encode
from tests.api.write_story import Story, contents, ids, mutation, node_id, pairs, permissions, product
from tests.factory import Factory, TeamRow

CONTACTS = permissions({"contacts.view": "ALL"})
Ask = Callable[[Story, list[TeamRow]], dict[str, Any]]


def _own(story: Story) -> dict[str, Any]:
    return product([story.actor], [story.client])


def _permission(key: str, level: str) -> Ask:
    return lambda story, _: {"targets": _own(story), "access": permissions({key: level})}


def _with(**values: Any) -> Ask:
    return lambda story, _: {"targets": _own(story), "access": CONTACTS, **values}


def _members(count: int) -> Ask:
    keys = [encode("Member", number + 1) for number in range(count)]
    return lambda story, _: {
        "targets": {"product": {"members": keys, "clients": ids(story.client)}},
        "access": CONTACTS,
    }


def _two_primary(story: Story, teams: list[TeamRow]) -> dict[str, Any]:
    asked = [{"team": node_id(team), "primary": True} for team in teams]
    return {"targets": _own(story), "access": CONTACTS, "teams": asked}


TABLE: dict[str, tuple[str, Ask, str, str, list[str] | None]] = {
    "unknown permission": (
        "grantAccess",
        _permission("fax.send", "ALL"),
        "UNKNOWN_PERMISSION",
        "permissionCatalog lists them all",
        ["access", "permissions", "0", "permission"],
    ),
    "illegal level": (
        "changeAccess",
        _permission("workflows.view", "TEAM"),
        "INVALID_LEVEL",
        "choose one of NONE, OWNED, ALL",
        ["access", "permissions", "0", "level"],
    ),
    "missing requirement": (
        "grantAccess",
        _permission("contacts.edit", "TEAM"),
        "INVALID_PREREQUISITE",
        "contacts.edit at TEAM requires contacts.view at TEAM: add it",
        ["access", "permissions", "0"],
    ),
    "non-delegable": (
        "grantAccess",
        _permission("super_admins", "ALL"),
        "NON_DELEGABLE",
        "leave it out",
        ["access", "permissions", "0", "permission"],
    ),
    "too many permissions": (
        "grantAccess",
        _with(access={"permissions": [{"permission": "contacts.view", "level": "ALL"}] * 501}),
        "INVALID_INPUT",
        "at most 500",
        ["access", "permissions"],
    ),
    "default set not wanted": (
        "grantAccess",
        _with(access={"defaultSet": False}),
        "INVALID_INPUT",
        "choose another form of access",
        ["access", "defaultSet"],
    ),
    "no members": ("grantAccess", _members(0), "INVALID_INPUT", "at least one", ["targets", "product", "members"]),
    "too many members": (
        "grantAccess",
        _members(1_001),
        "INVALID_INPUT",
        "select them with `matching`",
        ["targets", "product", "members"],
    ),
    "no clients": (
        "grantAccess",
        lambda story, _: {"targets": {"product": {"members": ids(story.actor), "clients": []}}, "access": CONTACTS},
        "INVALID_INPUT",
        "at least one",
        ["targets", "product", "clients"],
    ),
    "no pairs": ("grantAccess", _with(targets={"pairs": []}), "INVALID_INPUT", "at least one", ["targets", "pairs"]),
    "too many pairs": (
        "grantAccess",
        lambda story, _: {"targets": pairs(*[(story.actor, story.client)] * 1_001), "access": CONTACTS},
        "INVALID_INPUT",
        "select them with `matching`",
        ["targets", "pairs"],
    ),
    "no grants": (
        "changeAccess",
        _with(targets={"grants": []}),
        "INVALID_INPUT",
        "at least one",
        ["targets", "grants"],
    ),
    "nobody matches": (
        "grantAccess",
        _with(targets={"matching": {"memberSearch": "nobody at all"}}),
        "INVALID_INPUT",
        "Nobody, or no client, matches",
        ["targets", "matching"],
    ),
    "too many exceptions": (
        "grantAccess",
        _with(targets={"matching": {"exceptMembers": [encode("Member", 1)] * 1_001}}),
        "INVALID_INPUT",
        "At most 1,000",
        ["targets", "matching", "exceptMembers"],
    ),
    "two primary teams": ("grantAccess", _two_primary, "INVALID_INPUT", "one primary team", ["teams"]),
    "too many teams": (
        "grantAccess",
        _with(teams=[{"team": encode("Team", 1)}] * 1_001),
        "INVALID_INPUT",
        "at most 1,000 teams",
        ["teams"],
    ),
    "past expiry": (
        "grantAccess",
        _with(expiresAt="2020-01-01T00:00:00Z"),
        "INVALID_INPUT",
        "choose a later moment",
        ["expiresAt"],
    ),
    "past expiry of a change": (
        "changeAccess",
        _with(expiresAt="2020-01-01T00:00:00Z"),
        "INVALID_INPUT",
        "choose a later moment",
        ["expiresAt"],
    ),
    "nothing to change": (
        "changeAccess",
        lambda story, _: {"targets": _own(story)},
        "INVALID_INPUT",
        "Say what to change",
        [],
    ),
    "too many versions": (
        "changeAccess",
        _with(expectedVersions=[{"grant": encode("Grant", 1), "version": 1}] * 1_001),
        "INVALID_INPUT",
        "at most 1,000 versions",
        ["expectedVersions"],
    ),
    "too long a reason": (
        "grantAccess",
        _with(options={"reason": "x" * 1_001}),
        "INVALID_INPUT",
        "at most 1,000 characters",
        ["options", "reason"],
    ),
    "reapply what": ("reapplyPermissionSet", lambda _s, _t: {}, "INVALID_INPUT", "either permissionSet or targets", []),
    "reapply both": (
        "reapplyPermissionSet",
        lambda story, _: {"targets": _own(story), "permissionSet": encode("PermissionSet", 1)},
        "INVALID_INPUT",
        "either permissionSet or targets",
        [],
    ),
    "reapply an unknown set": (
        "reapplyPermissionSet",
        lambda _s, _t: {"permissionSet": encode("PermissionSet", 10**9)},
        "NOT_FOUND",
        "no such permission set",
        ["permissionSet"],
    ),
}


@pytest.mark.parametrize("mistake", TABLE)
async def test_bad_input_has_a_code_and_says_what_to_do(factory: Factory, mistake: str) -> None:
    field, ask, code, phrase, place = TABLE[mistake]
    story = await Story.begin(factory)
    teams = [await factory.team(story.client) for _ in range(2)]
    (refusal,) = await story.refusals(field, **ask(story, teams))
    assert refusal["code"] == code
    assert phrase in refusal["message"]
    assert refusal["field"] == (None if place is None else ["input", *place])
    assert refusal["__typename"] == ("NotFoundError" if code == "NOT_FOUND" else "InputError")


async def test_several_mistakes_are_told_at_once(factory: Factory) -> None:
    """R15: an error each, with its place."""
    story = await Story.begin(factory)
    asked = permissions({"fax.send": "ALL", "contacts.view": "ALL", "export": "OWNED", "super_admins": "ALL"})
    refused = await story.refusals("grantAccess", targets=_own(story), access=asked)
    assert [(error["code"], error["field"][3]) for error in refused] == [
        ("UNKNOWN_PERMISSION", "0"),
        ("INVALID_LEVEL", "2"),
        ("NON_DELEGABLE", "3"),
    ]


FORBIDDEN: list[dict[str, Any]] = [
    {"targets": {}},
    {"access": {}},
    {"access": {"defaultSet": True, "permissions": []}},
    {"access": {"defaultSet": None}},
    {"targets": None},
    {"seat": "THRONE"},
    {"expiresAt": "2099-01-01T00:00:00"},
    {"expiresAt": "soon"},
    {"options": {"mode": "LOOSE"}},
    {"teams": [{"team": None}]},
    {"access": {"permissions": [{"permission": "contacts.view", "level": "MOST"}]}},
]


@pytest.mark.parametrize("as_variable", [True, False])
async def test_what_the_schema_forbids_reaches_no_resolver(factory: Factory, *, as_variable: bool) -> None:
    """None or two of a oneOf, an unknown value of an enumeration, a moment without a time zone."""
    story = await Story.begin(factory)
    before = await contents(factory.database)
    for wrong in FORBIDDEN:
        asked = {"targets": _own(story), "access": CONTACTS, **wrong}
        literal = f"mutation {{ grantAccess(input: {_literal(asked)}) {{ userErrors {{ code }} }} }}"
        given: dict[str, Any] = {"input": asked} if as_variable else {}
        data, codes = await story.run(mutation("grantAccess") if as_variable else literal, **given)
        assert (data, bool(codes)) == (None, True), wrong
    assert await contents(factory.database) == before


ENUMERATED = {"seat", "level", "mode"}


def _literal(value: Any, name: str = "") -> str:
    """A value in the language of GraphQL."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_literal(inner, key)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(inner) for inner in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return value if name in ENUMERATED else f'"{value}"'
