"""Who works in which client of the demo, and what becomes of their access: pure, and the same each time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from models.member import MemberKind, MemberStatus
from resolvers.demo.blueprint import Blueprint
from resolvers.demo.cast import Part, Person


class Way(StrEnum):
    """How a person came into a client."""

    ADMITTED = "ADMITTED"
    """As partner admin, by the client."""
    SUPER_ADMIN = "SUPER_ADMIN"
    """As super admin, by the client."""
    DEPUTY = "DEPUTY"
    """As partner admin, by the lead."""
    REDUCED = "REDUCED"
    """As partner admin without Reports, by the lead."""
    WORKER = "WORKER"
    """From a template, by the lead."""
    BY_REDUCED = "BY_REDUCED"
    """From a template, by a partner admin without Reports."""


class Fate(StrEnum):
    """What became of the access."""

    KEPT = "KEPT"
    CHANGED = "CHANGED"
    DEACTIVATED = "DEACTIVATED"
    REMOVED = "REMOVED"


@dataclass(frozen=True, slots=True)
class Placement:
    """One person in one client."""

    person: int
    way: Way
    template: int
    fate: Fate = Fate.KEPT


@dataclass(frozen=True, slots=True)
class Crew:
    """The people of a partner by part, as indexes of the cast."""

    people: Sequence[Person]
    leads: Sequence[int]
    reduced: int
    super_admin: int
    workers: Sequence[int]


def crew_of(people: Sequence[Person]) -> Crew:
    """Returns the people by part."""
    by_part = {part: [index for index, person in enumerate(people) if person.part is part] for part in Part}
    return Crew(people, by_part[Part.LEAD], by_part[Part.REDUCED][0], by_part[Part.SUPER][0], by_part[Part.WORKER])


def placements(blueprint: Blueprint, crew: Crew, number: int, lead: int) -> list[Placement]:
    """Returns everybody who is, or was, in a client of the partner."""
    rng = random.Random(f"{blueprint.index}/{number}")  # noqa: S311 the same demo each time, nothing secret
    living = rng.randint(1, 2 * blueprint.grants - 1)
    if number % 23 == 11:
        return []
    locked_out = number % 17 == 5
    made = [Placement(crew.leads[lead], Way.ADMITTED, 0, Fate.DEACTIVATED if locked_out else Fate.KEPT)]
    if number % 6 == 1:
        made.append(Placement(crew.super_admin, Way.SUPER_ADMIN, 0))
        if number % 24 == 19:
            return made[1:]
    if not locked_out and number % 2 == 0:
        made.append(Placement(crew.reduced, Way.REDUCED, 0))
    if not locked_out and number % 3 == 0:
        made.append(Placement(crew.leads[(lead + 1) % len(crew.leads)], Way.DEPUTY, 0))
    reduced = any(placement.way is Way.REDUCED for placement in made)
    removed = 1 if number % 13 == 1 else 0
    chosen = rng.sample(crew.workers, min(max(0, living - len(made)) + removed, len(crew.workers)))
    for position, person in enumerate(chosen):
        way = Way.BY_REDUCED if reduced and position == 1 else Way.WORKER
        template = person if rng.random() < 0.7 else rng.randrange(1_000)
        fate = Fate.REMOVED if position >= len(chosen) - removed else _fate(crew.people[person], rng)
        made.append(Placement(person, way, template, fate))
    return made


def _fate(person: Person, rng: random.Random) -> Fate:
    if person.status is MemberStatus.DEACTIVATED:
        return Fate.DEACTIVATED
    chance = rng.random()
    if chance < 0.04 and person.kind is MemberKind.EMPLOYEE:
        return Fate.DEACTIVATED
    return Fate.CHANGED if chance > 0.92 else Fate.KEPT
