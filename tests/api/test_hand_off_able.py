"""Whoever is said to be able is: for each way in which something can be left undone, by asking for it and by accepting it (N02)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from models.grant import GrantStatus, Seat, grants
from models.member import MemberStatus
from models.table import now
from resolvers.operation.outcome_code import OutcomeCode
from tests.api.hand_off_story import answered, code_of
from tests.api.test_scheduled_operation import carried_out, planned
from tests.api.write_story import ADMIN_REPORTS, Story, node_id, permissions, product
from tests.factory import ClientRow, Factory, GrantRow, MemberRow, SetRow, TeamRow
from tests.histories.clock import Clock
from tests.life_factory import LifeFactory

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Where nothing but the words of the statements would differ, once is enough."""

LEVELS = {"contacts.view": "ALL", "reports.view": "ALL"}
ABLE = """
fragment Told on Operation {
  id state
  outcomes(first: 100) { totalCount nodes {
    member { id } client { id } status code withheld { level } retained { level } whoCould { id }
  } }
}
"""
_KNOWN = ("NOT_PARTNER_ADMIN", "EXCEEDS_AUTHORITY", "TEAM_NOT_HELD", "LOCKED_TO_SETS")
_OTHERS = {
    # Of the request as a whole, of other verbs, of the queue, of the batch, or of what the caller has seen or left out.
    *("NOT_A_PARTNER", "NON_DELEGABLE", "UNKNOWN_PERMISSION", "INVALID_LEVEL", "INVALID_PREREQUISITE"),
    *("SOURCE_IS_SUPER_ADMIN", "NOT_FOR_CONTRACTORS", "STALE_REVIEW", "REASSIGNEE_NOT_ACTIVE", "REMOVAL_NEEDS_REVIEW"),
    *("NOT_BY_MATRIX", "CHANGED_SINCE", "NO_WAY_BACK", "OWNS_ASSETS", "TEAMS_DIFFER", "SET_EDITED", "INTERNAL_ERROR"),
    *("CHUNK_SET_ASIDE", "ATOMIC_REJECTED", "WOULD_LOCK_OUT", "CONFLICT", "SELF_EXCLUDED", "TEAM_GONE", "EXPIRY_SET"),
    # What a colleague would get who migrates, where the asker is no partner admin; and what has a test of its own.
    *("LAST_SUPER_ADMIN", "ACTOR_LOST_AUTHORITY"),
}


@dataclass(frozen=True)
class _Case:
    """A request, and where it is made."""

    field: str
    values: dict[str, Any]
    places: str = "weak foreign"
    codes: str = ""
    """What the outcomes must have among others, so that the case is what it is meant to be."""


_BOTH = {"access": permissions(LEVELS)}
_CHANGING = {"onExisting": "CHANGE"}
_REAPPLY = "reapplyPermissionSet"
_CASES = {
    "grant": _Case("grantAccess", _BOTH, codes="NOT_PARTNER_ADMIN DEACTIVATED ALREADY_GRANTED NOT_ACTIVE NOT_A_MEMBER"),
    "strict": _Case(
        "grantAccess", {**_BOTH, **_CHANGING, "options": {"mode": "STRICT"}}, codes="EXCEEDS_AUTHORITY EXPIRED"
    ),
    "at team level": _Case(
        "grantAccess", {"access": permissions({"contacts.view": "TEAM"}), **_CHANGING}, codes="TEAM_NOT_HELD"
    ),
    "partner admin": _Case("grantAccess", {"access": "PARTNER_ADMIN", **_CHANGING}, codes="NOT_VERIFIED"),
    "a client's set": _Case("grantAccess", {"access": "CLIENTS_SET"}, codes="NO_PERMISSION_SET"),
    "copy with a team": _Case("grantAccess", {"access": "COPY", **_CHANGING}),
    "default": _Case("grantAccess", {"access": {"defaultSet": True}}, codes="NO_PERMISSION_SET"),
    "lasting": _Case("grantAccess", {**_BOTH, **_CHANGING, "expiresAt": "2030-01-01T00:00:00Z"}, "weak limited"),
    "limited": _Case("grantAccess", {**_BOTH, "expiresAt": "2030-01-01T00:00:00Z"}, "own", "EXPIRY_TOO_LATE"),
    "in a team": _Case("grantAccess", {"access": permissions({"contacts.view": "ALL"}), **_CHANGING, "teams": "TEAMS"}),
    "less": _Case(
        "changeAccess", {"access": permissions({"contacts.view": "OWNED"})}, codes="NOT_FOUND TARGET_IS_SUPER_ADMIN"
    ),
    "seat": _Case("changeAccess", {"access": permissions({"contacts.view": "OWNED"}), "seat": "PARTNER"}),
    "wrong seat": _Case(
        "grantAccess", {"access": "PARTNER_ADMIN", "seat": "CORE"}, "weak foreign", "SEAT_NOT_ELIGIBLE"
    ),
    "into a team": _Case("assignTeams", {"teams": "TEAMS"}, codes="TEAM_NOT_HELD"),
    "reactivate": _Case("reactivateAccess", {}, codes="EXCEEDS_AUTHORITY NO_CHANGE"),
    "migrate": _Case(
        "migrateToPartnerAdmin", {"keepBilling": True}, "weak foreign held", "NOT_SUPER_ADMIN LOCKED_TO_SETS"
    ),
    "locked to a set": _Case("grantAccess", {"access": "OURS", **_CHANGING}, "held locked", "LOCKED_TO_SETS"),
    "locked to sets": _Case("grantAccess", {**_BOTH, **_CHANGING}, "held locked", "LOCKED_TO_SETS"),
    "newer version, changes kept": _Case(_REAPPLY, {"onCustomised": "KEEP"}, codes="NOT_PARTNER_ADMIN"),
    "newer version alone": _Case(_REAPPLY, {"onCustomised": "RESET"}, codes="NOT_PARTNER_ADMIN"),
}
_QUICK = {
    *("grant", "less", "into a team", "reactivate", "migrate", "locked to a set"),
    "newer version, changes kept",
}
"""Those that each run plays: each verb is among them."""


@on_sqlite
async def test_n02_whoever_is_named_can_and_whoever_can_is_named(
    factory: Factory,
    thorough: bool,  # noqa: FBT001 a fixture
) -> None:
    """In some clients the asker lacks Reports and the right to edit teams, in the others they are no partner admin.

    A third of the requests, and all of them with --thorough.
    """
    world = await _World.begin(factory)
    codes: set[str] = set()
    played = {name: case for name, case in _CASES.items() if thorough or name in _QUICK}
    for number, (name, case) in enumerate(played.items()):
        found = await world.play(case, number, name)
        assert set(case.codes.split()) <= found, (name, found)
        codes |= found
    assert {case.field for case in played.values()} == {case.field for case in _CASES.values()}
    assert not thorough or codes | _OTHERS == {code.value for code in OutcomeCode}


@dataclass(frozen=True)
class _World:
    """An agency with somebody who asks, and three who may be able."""

    asker: Story
    able: dict[str, Story]
    people: list[MemberRow]
    ours: SetRow

    @classmethod
    async def begin(cls, factory: Factory) -> "_World":
        asker = await Story.begin(factory)
        partner = asker.partner
        able = await factory.members(partner, 3)
        odd = ({"verified": False}, {"status": MemberStatus.LEFT}, {"status": MemberStatus.DEACTIVATED})
        people = [*(await factory.members(partner, 7)), *[await factory.member(partner, **values) for values in odd]]
        ours = await factory.permission_set(partner, LEVELS)
        await asker.set_default(people[0], ours)
        stories = {node_id(one): await asker.as_member(one) for one in able}
        told = {"fragment": ABLE}
        return cls(
            Story(**{**vars(asker), **told}),
            {key: Story(**{**vars(story), **told}) for key, story in stories.items()},
            people,
            ours,
        )

    async def play(self, case: _Case, number: int, name: str) -> set[str]:
        """Asks, and looks who could: each colleague asks for what was left undone, and one of those who are named accepts."""
        factory = self.asker.factory
        places = {
            kind: await factory.client(self.asker.partner, longest_days=9 if kind in {"limited", "own"} else None)
            for kind in case.places.split()
        }
        # Of what is brought to a newer version.
        older = await self._older_set() if case.field == _REAPPLY else None
        teams = [await self._furnish(kind, place, older) for kind, place in places.items()]
        if older is not None:
            await factory.new_version(older, {**LEVELS, "deals.view": "TEAM"})
        values = await self._values(case, places, teams)
        asked = await self.asker.operation(case.field, targets=product(self.people, [*places.values()]), **values)
        nodes = asked["outcomes"]["nodes"]
        named: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for node in nodes:
            for one in node["whoCould"]:
                named[one["id"]].add(_cell(node))
        left = [node for node in nodes if node["code"] in _KNOWN or node["withheld"] or node["retained"]]
        assert all(cells <= {_cell(node) for node in left} for cells in named.values()), name
        for key, story in self.able.items():
            assert await _could(story, case.field, values, left) == named[key], (name, key)
        chosen = [key for key in self.able if named[key]]
        if chosen:
            key = chosen[number % len(chosen)]
            assert await self.accepted(asked["id"], key) == dict.fromkeys(named[key], "APPLIED"), name
        return {node["code"] for node in nodes} - {None}

    async def _older_set(self) -> SetRow:
        return await self.asker.factory.permission_set(
            self.asker.partner, {"contacts.view": "TEAM", "deals.view": "OWNED"}
        )

    async def _furnish(self, kind: str, place: ClientRow, older: SetRow | None) -> TeamRow:
        """Lets all of them in, each in another situation."""
        factory, (full, half, mate) = self.asker.factory, (story.actor for story in self.able.values())
        team = await factory.team(place)
        if kind in {"weak", "held", "own"}:
            await factory.partner_admin(place, self.asker.actor, without=[*ADMIN_REPORTS, "teams.edit"])
        await factory.partner_admin(place, full)
        await factory.partner_admin(place, half, without=ADMIN_REPORTS)
        await factory.partner_admin(place, mate, without=["teams.edit"], teams=[team] if kind != "weak" else [])
        _new, active, off, over, teamed, *chiefs = self.people[:7]
        given: dict[str, Any] = {"levels": LEVELS} if older is None else {"permission_set": older}
        changed: dict[str, Any] = {} if older is None else {"permission_set": older, "customised": True}
        await factory.grant(place, active, **given)
        await factory.grant(place, off, **given, status=GrantStatus.DEACTIVATED)
        await factory.grant(place, over, **given, expires_at=now() - timedelta(days=1))
        await factory.grant(place, teamed, {"contacts.view": "OWNED"}, teams=[team], seat=Seat.CORE, **changed)
        for chief in chiefs:
            await factory.super_admin(place, chief)
        if kind != "foreign":
            # Else the second of them is the last super admin.
            await factory.own_person(place, await factory.user())
        if kind in {"locked", "held"}:
            await LifeFactory(factory).lockdown(place.account, self.asker.actor)
        return team

    async def _values(self, case: _Case, places: dict[str, ClientRow], teams: list[TeamRow]) -> dict[str, Any]:
        factory, values = self.asker.factory, dict(case.values)
        match values.get("access"):
            case "PARTNER_ADMIN":
                values["access"] = {"permissionSet": node_id(await factory.built_in_set())}
            case "OURS":
                values["access"] = {"permissionSet": node_id(self.ours)}
            case "CLIENTS_SET":
                theirs = await factory.permission_set(places["foreign"].account, LEVELS)
                values["access"] = {"permissionSet": node_id(theirs)}
            case "COPY":
                values["access"] = {"copyFrom": node_id(await self._model(places["foreign"], teams[1]))}
        if "teams" in values:
            values["teams"] = [{"team": node_id(team), "primary": True} for team in teams]
        return values

    async def _model(self, place: ClientRow, team: TeamRow) -> GrantRow:
        factory = self.asker.factory
        return await factory.grant(place, await factory.member(self.asker.partner), LEVELS, teams=[team])

    async def accepted(self, operation: str, key: str) -> dict[tuple[str, str], str]:
        """Hands off to a colleague, who accepts; returns what became of it."""
        asked = await answered(self.asker, "handOffOperation", {"operation": operation, "to": key})
        assert asked["userErrors"] == []
        done = await answered(self.able[key], "acceptHandOff", {"handOff": asked["handOff"]["id"]})
        assert done["userErrors"] == []
        return {_cell(node): node["status"] for node in done["operation"]["outcomes"]["nodes"]}


def _cell(node: Any) -> tuple[str, str]:
    return node["member"]["id"], node["client"]["id"]


async def _could(story: Story, field: str, values: dict[str, Any], left: Iterable[Any]) -> set[tuple[str, str]]:
    """Returns the cells that somebody would bring about wholly; who was given a part has access by now."""
    options = {**values.get("options", {}), "dryRun": True}
    found: set[tuple[str, str]] = set()
    for part in (True, False):
        cells = [_cell(node) for node in left if (node["status"] == "REJECTED") is not part]
        asked = {**values, **(_CHANGING if part and field == "grantAccess" else {}), "options": options}
        if cells:
            pairs = {"pairs": [{"member": member, "client": client} for member, client in cells]}
            told = await story.operation(field, targets=pairs, **asked)
            found |= {
                _cell(node)
                for node in told["outcomes"]["nodes"]
                if node["status"] == "APPLIED" and not node["withheld"] and not node["retained"]
            }
    return found


@on_sqlite
async def test_r13_what_was_asked_for_ahead_of_time_by_somebody_without_authority_by_then_can_be_handed_off(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    clock.rule_over(monkeypatch)
    world = await _World.begin(factory)
    asker, (full, half, _) = world.asker, world.able.values()
    await factory.partner_admin(asker.client, full.actor)
    await factory.partner_admin(asker.client, half.actor, without=ADMIN_REPORTS)
    operation = (await planned(asker, clock, world.people[:1], access=_BOTH["access"]))["id"]
    async with factory.database.write() as session:
        mine = update(grants).where(grants.c.member_id == asker.actor.id)
        await (await session.connection()).execute(mine.values(access_type="STANDARD"))
    assert await carried_out(asker, clock) == 1
    (node,) = (await asker.told(operation))["outcomes"]["nodes"]
    assert (node["code"], node["whoCould"]) == ("ACTOR_LOST_AUTHORITY", [{"id": node_id(full.actor)}])
    asked = await answered(asker, "handOffOperation", {"operation": operation, "to": node_id(half.actor)})
    assert code_of(asked) == "INVALID_INPUT"
    assert list((await world.accepted(operation, node_id(full.actor))).values()) == ["APPLIED"]
