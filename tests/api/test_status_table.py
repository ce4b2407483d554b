"""Deactivating, reactivating and removing as a table: every combination of who asks, what they are there, and whom it is about.

F02, F34, F35, F36, F37, F40, F41, R3, R4, R6, R10, R11

``expected`` is written from the sentences of the specification, each of which stands beside the line that follows from it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self, TypeAlias

import pytest

from models.grant import AccessType, GrantStatus
from models.member import ManagerRights, MemberKind
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import DEACTIVATE, REACTIVATE, REMOVE, SHORT, Verdict, review_of_client
from tests.api.write_story import APPLIED, NO_CHANGE, Story, Told, contents, ids, node_id, product
from tests.factory import ClientRow, Factory, MemberRow

PAST = datetime(2026, 1, 1, tzinfo=UTC)


class Right(StrEnum):
    """What the actor may do in the manager."""

    NONE = "no right"
    VIEW = "VIEW"
    EDIT = "EDIT"
    OWNER = "super admin of the partner account"


class Target(StrEnum):
    """Whom it is about."""

    EMPLOYEE = "an employee"
    CONTRACTOR = "a contractor"
    ONESELF = "oneself"
    ONESELF_MEANT = "oneself, includeSelf"


class Held(StrEnum):
    """What somebody has in a client."""

    NOTHING = "nothing"
    STANDARD = "STANDARD"
    STANDARD_EXPIRED = "STANDARD, expired"
    STANDARD_DEACTIVATED = "STANDARD, deactivated"
    STANDARD_DEACTIVATED_EXPIRED = "STANDARD, deactivated and expired"
    BILLING_DEACTIVATED = "STANDARD with billing, deactivated"
    PARTNER_ADMIN = "PARTNER_ADMIN"
    PARTNER_ADMIN_EXPIRED = "PARTNER_ADMIN, expired"
    PARTNER_ADMIN_DEACTIVATED = "PARTNER_ADMIN, deactivated"
    SUPER_ADMIN = "SUPER_ADMIN"
    SUPER_ADMIN_DEACTIVATED = "SUPER_ADMIN, deactivated"
    REMOVED = "STANDARD, removed"

    @property
    def is_deactivated(self) -> bool:
        return "deactivated" in self

    @property
    def is_active(self) -> bool:
        """Says whether the grant's state is ACTIVE; expiry is something else."""
        return not self.is_deactivated and self not in {Held.NOTHING, Held.REMOVED}


OWN = (
    Held.NOTHING,
    Held.STANDARD,
    Held.PARTNER_ADMIN,
    Held.PARTNER_ADMIN_EXPIRED,
    Held.PARTNER_ADMIN_DEACTIVATED,
    Held.SUPER_ADMIN,
)
"""What the actor has in the client."""


def expected(right: Right, own: Held, target: Target, held: Held, verb: str) -> Verdict:
    """What the specification says about one combination."""
    # F02: only EDIT acts, and the partner account's super admins; R3: partner admin or not.
    if right in {Right.NONE, Right.VIEW}:
        return "REFUSED", "FORBIDDEN"
    if verb == REACTIVATE:
        return _reactivated(own, held)
    # Section 5: an actor's own cells are left out unless asked for.
    if target is Target.ONESELF:
        return "NOOP", "SELF_EXCLUDED"
    # F37: a contractor only removed.
    if verb == DEACTIVATE and target is Target.CONTRACTOR:
        return "REJECTED", "NOT_FOR_CONTRACTORS"
    # F34, F36, F37, R4: EDIT is enough, whatever oneself has there; ACTIVE → DEACTIVATED, and both → REMOVED.
    is_there = held.is_active or (verb == REMOVE and held.is_deactivated)
    # E26, and R6: removing again → NOOP.
    return APPLIED if is_there else NO_CHANGE


def _reactivated(own: Held, held: Held) -> Verdict:
    # F35: reactivating needs an ACTIVE partner admin grant in that client; F04: a super admin's is none; F41, P04.
    if own is not Held.PARTNER_ADMIN:
        return "REJECTED", "NOT_PARTNER_ADMIN"
    # Section 1: REMOVED ends that grant; there is nothing to reactivate.
    if held in {Held.NOTHING, Held.REMOVED}:
        return "REJECTED", "NOT_FOUND"
    # R10: reactivating an expired grant → EXPIRED.
    if "expired" in held:
        return "REJECTED", "EXPIRED"
    # F32: the permissions that they themselves have; the Partner Admin set is without billing; M11: no way back.
    if held in {Held.BILLING_DEACTIVATED, Held.SUPER_ADMIN_DEACTIVATED}:
        return "REJECTED", "EXCEEDS_AUTHORITY"
    return APPLIED if held.is_deactivated else NO_CHANGE


AFTERWARDS = {DEACTIVATE: "DEACTIVATED", REACTIVATE: "ACTIVE", REMOVE: "REMOVED"}

Combination: TypeAlias = tuple[Right, Held, Target, Held]


@dataclass(frozen=True)
class World:
    """A client for each thing that an actor can be there, and in each the same people with everything that people can have.

    The keeper is partner admin everywhere and an own person super admin, so that no guard over a whole client has a say here.
    """

    factory: Factory
    keeper: Story
    actors: dict[Right, Story]
    places: dict[Held, ClientRow]
    people: dict[tuple[Target, Held], MemberRow]

    @classmethod
    async def build(cls, factory: Factory) -> Self:
        keeper = replace(await Story.begin(factory), fragment=SHORT)
        partner = keeper.partner
        rights: dict[Right, dict[str, Any]] = {
            Right.NONE: {"manager_rights": ManagerRights.NONE},
            Right.VIEW: {"manager_rights": ManagerRights.VIEW},
            Right.EDIT: {"manager_rights": ManagerRights.EDIT},
            Right.OWNER: {"manager_rights": ManagerRights.NONE, "super_admin": True},
        }
        actors = {
            right: replace(await keeper.as_member(await factory.member(partner, **values)), fragment=SHORT)
            for right, values in rights.items()
        }
        kinds = {Target.EMPLOYEE: MemberKind.EMPLOYEE, Target.CONTRACTOR: MemberKind.CONTRACTOR}
        people = {
            (target, held): await factory.member(partner, kind=kind) for target, kind in kinds.items() for held in Held
        }
        places = dict(zip(OWN, await factory.clients(partner, len(OWN)), strict=True))
        boss = await factory.user()
        for own, place in places.items():
            await factory.own_person(place, boss)
            await factory.partner_admin(place, keeper.actor)
            for actor in actors.values():
                await _give(factory, place, actor.actor, own)
            for (_, held), person in people.items():
                await _give(factory, place, person, held)
        return cls(factory, keeper, actors, places, people)

    async def told(self, right: Right, verb: str, **options: Any) -> dict[Combination, Told | str]:
        """What the API answers about everybody in every client, and last about the actor who is meant."""
        found: dict[Combination, Told | str] = {}
        actor = self.actors[right]
        for own, place in self.places.items():
            whom = {(target, held): person for (target, held), person in self.people.items()}
            whom[Target.ONESELF, own] = actor.actor
            meant = {(Target.ONESELF_MEANT, own): actor.actor}
            for asked, include_self in ((whom, False), (meant, True)):
                values = {
                    "targets": product(list(asked.values()), [place]),
                    "options": {**options, "includeSelf": include_self},
                }
                if verb == REMOVE:
                    values["reviewToken"] = (await review_of_client(self.keeper, place))["token"]
                told = await _asked(actor, verb, asked, values)
                found |= {(right, own, target, held): outcome for (target, held), outcome in told.items()}
        return found


async def _asked(
    actor: Story, verb: str, asked: dict[tuple[Target, Held], MemberRow], values: dict[str, Any]
) -> dict[tuple[Target, Held], Told | str]:
    """Returns what becomes of everybody who is asked about, or why the request as a whole is refused."""
    answer = await actor.answer(verb, **values)
    if answer["operation"] is None:
        (error,) = answer["userErrors"]
        return dict.fromkeys(asked, error["code"])
    nodes = [Told(node) for node in answer["operation"]["outcomes"]["nodes"]]
    by_member = {told.cell[0]: told for told in nodes}
    assert len(by_member) == len(nodes) == len(asked)
    return {key: by_member[node_id(person)] for key, person in asked.items()}


async def _give(factory: Factory, place: ClientRow, person: MemberRow, held: Held) -> None:
    """Makes a person in a client what ``held`` says."""
    if held is Held.NOTHING:
        return
    values: dict[str, Any] = {"expires_at": PAST} if "expired" in held else {}
    if held is Held.REMOVED:
        values["status"] = GrantStatus.REMOVED
    elif held.is_deactivated:
        values["status"] = GrantStatus.DEACTIVATED
    if held.startswith(AccessType.SUPER_ADMIN.value):
        await factory.super_admin(place, person, **values)
    elif held.startswith(AccessType.PARTNER_ADMIN.value):
        await factory.partner_admin(place, person, **values)
    else:
        levels = {"contacts.view": "ALL"} | ({"billing": "ALL"} if held is Held.BILLING_DEACTIVATED else {})
        await factory.grant(place, person, levels, **values)


def _wrong(verb: str, found: dict[Combination, Told | str], *, real: bool) -> list[str]:
    """What is otherwise than the specification says, a sentence for each combination."""
    wrong = []
    for combination, told in found.items():
        right, own, target, held = combination
        words = f"{right}, {own} there: {verb} of {target} with {held}"
        verdict = ("REFUSED", told) if isinstance(told, str) else told.verdict
        if verdict != (meant := expected(*combination, verb)):
            wrong.append(f"{words} is {verdict}, not {meant}")
        elif real and isinstance(told, Told) and verdict == APPLIED and told.grant["status"] != AFTERWARDS[verb]:
            wrong.append(f"{words} leaves {told.grant['status']}")
    return wrong


COMBINATIONS = len(OWN) * (2 * len(Held) + 2)
"""Of each verb and each right of the actor."""


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)
@pytest.mark.parametrize("verb", [DEACTIVATE, REACTIVATE, REMOVE])
async def test_every_combination_has_the_outcome_that_the_specification_says(factory: Factory, verb: str) -> None:
    """By dry runs over all of the world, which write nothing, and then really, by somebody with nothing but EDIT."""
    world = await World.build(factory)
    before = await contents(factory.database)
    for right in Right:
        may_act = right in {Right.EDIT, Right.OWNER}
        found = await world.told(right, verb, dryRun=may_act)
        assert len(found) == COMBINATIONS
        assert _wrong(verb, found, real=False) == []
    assert await contents(factory.database) == before
    assert _wrong(verb, await world.told(Right.EDIT, verb), real=True) == []
    await assert_counters_are_true(factory.database)


def test_the_table_has_more_than_two_hundred_combinations() -> None:
    assert 3 * len(Right) * COMBINATIONS > 1_800


@pytest.mark.parametrize("verb", [DEACTIVATE, REACTIVATE, REMOVE])
async def test_repeating_a_verb_changes_nothing(factory: Factory, verb: str) -> None:
    """R6 and E26: each second time NOOP, and not a row more than the operation that says so."""
    story = await Story.begin(factory)
    employee, other = await factory.members(story.partner, 2)
    held = GrantStatus.DEACTIVATED if verb == REACTIVATE else GrantStatus.ACTIVE
    for person in (employee, other):
        await factory.grant(story.client, person, {"contacts.view": "ALL"}, status=held)
    values: dict[str, Any] = {"targets": {"product": {"members": ids(employee, other), "clients": ids(story.client)}}}
    if verb == REMOVE:
        values["reviewToken"] = (await review_of_client(story, story.client))["token"]
    first = await story.outcomes(verb, **values)
    assert {told.verdict for told in first} == {APPLIED}
    entries = await story.timeline_length()
    assert {told.verdict for told in await story.outcomes(verb, **values)} == {NO_CHANGE}
    assert await story.timeline_length() == entries
    await assert_counters_are_true(factory.database)
