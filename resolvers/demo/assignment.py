"""Who of an agency works in which client, and what becomes of it: numbers only, so that a large agency stays small."""

import random
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.member import MemberKind, MemberStatus
from resolvers.demo.agency import Agency
from resolvers.demo.blueprint import BEGINNING, DAYS
from resolvers.demo.cast import Part, Person
from resolvers.demo.course import Course, Fate, Way, course
from resolvers.demo.ecosystem_size import apportioned, most_in_client
from resolvers.demo.house_set import PARTNER_ADMIN_TEMPLATE, Template, templates
from resolvers.demo.template import SECOND_VERSION_AT

CELLS_OF_A_RUN = 2_000
"""About so many cells are arranged by one person at a time, with one operation for each verb."""
NO_ACCESS = 20
"""Of so many clients of an agency with people to spare, one has nobody."""


@dataclass(frozen=True, slots=True)
class Run:
    """Clients from ``first`` to before ``end`` that one lead arranges."""

    first: int
    end: int
    at: datetime
    lead: int
    deputy: int
    """The other lead, who ends access."""


@dataclass(slots=True)
class Assignment:
    """Everybody who is, or was, in the clients of an agency."""

    runs: list[Run]
    active_clients: "array[int]"
    """By person."""
    courses: list[Course] = field(default_factory=list)
    people: "array[int]" = field(default_factory=lambda: array("i"))
    """One for each cell; the cells of a client follow one another."""
    chosen: "array[int]" = field(default_factory=lambda: array("h"))
    """The place of the cell's course in ``courses``."""
    firsts: "array[int]" = field(default_factory=lambda: array("i", [0]))
    """Where the cells of each client begin, and at last where they end."""

    def cells(self, client: int) -> Iterator[tuple[int, int]]:
        """Yields person and place of the course for everybody in a client."""
        first, end = self.firsts[client], self.firsts[client + 1]
        return zip(self.people[first:end], self.chosen[first:end], strict=True)

    def chosen_in(self, run: Run) -> "Counter[int]":
        """Returns the places of the courses that there are in a run, with how many cells have each."""
        return Counter(self.chosen[self.firsts[run.first] : self.firsts[run.end]])


def assign(agency: Agency) -> Assignment:
    """Returns who works where, the same each time."""
    chance = agency.random("places")
    crowds = _crowds(agency, chance)
    made = Assignment(_runs(agency, crowds), array("i", bytes(4 * agency.people)))
    crew = _Crew(agency, chance)
    numbers: dict[Course, int] = {}
    for run in made.runs:
        crew.begin(run)
        for client in range(run.first, run.end):
            for person, what in crew.cells(crowds[client]):
                number = numbers.setdefault(what, len(numbers))
                made.people.append(person)
                made.chosen.append(number)
                made.active_clients[person] += what.is_active
            made.firsts.append(len(made.people))
    made.courses.extend(numbers)
    return made


def _crowds(agency: Agency, chance: random.Random) -> list[int]:
    """Returns how many people each client has: a few have many."""
    most = most_in_client(agency.people)
    spare = agency.clients * most - agency.grants
    weights = [chance.expovariate(1) + 0.1 for _ in range(agency.clients)]
    if spare > agency.clients * most // 4:
        weights = [0.0 if place % NO_ACCESS == NO_ACCESS - 1 else weight for place, weight in enumerate(weights)]
    return apportioned(agency.grants, weights, [most] * agency.clients)


def _runs(agency: Agency, crowds: Sequence[int]) -> list[Run]:
    runs: list[Run] = []
    first = cells = 0
    for client, crowd in enumerate(crowds):
        cells += crowd
        if cells >= CELLS_OF_A_RUN or client == agency.clients - 1:
            lead = len(runs) % agency.leads
            at = BEGINNING + timedelta(days=DAYS * first / agency.clients)
            runs.append(Run(first, client + 1, at, lead, (lead + 1) % agency.leads))
            first, cells = client + 1, 0
    return runs


class _Crew:
    """The people of an agency by what they do, and the chance that sends them to clients."""

    def __init__(self, agency: Agency, chance: random.Random) -> None:
        self._staff: Sequence[Person] = agency.staff
        self._chance = chance
        self._house_sets = agency.house_sets
        self._agency = agency
        self._reduced = self._of(Part.REDUCED)
        self._workers = [number for number, person in enumerate(self._staff) if person.part is not Part.REDUCED]
        self._unverified = [number for number, person in enumerate(self._staff) if not person.verified]
        self._lead = self._deputy = 0
        self._sets: Sequence[Template] = ()

    def _of(self, part: Part) -> int | None:
        return next((number for number, person in enumerate(self._staff) if person.part is part), None)

    def begin(self, run: Run) -> None:
        """Turns to the clients of a run."""
        late = run.at >= SECOND_VERSION_AT
        self._lead, self._deputy = run.lead, run.deputy
        self._sets = [
            template
            for template in templates()[PARTNER_ADMIN_TEMPLATE + 1 :]
            if template.house is None
            or (template.house < self._house_sets and (template.is_current if late else template.version == 1))
        ]

    def cells(self, crowd: int) -> Iterator[tuple[int, Course]]:
        """Yields everybody who is, or was, in a client with so many people."""
        if not crowd:
            return
        chance = self._chance
        locked_out = crowd > 2 and chance.random() < 0.02
        yield self._lead, course(Way.ADMITTED, PARTNER_ADMIN_TEMPLATE, Fate.DEACTIVATED if locked_out else Fate.KEPT)
        crowd -= 1
        reduced = crowd > 0 and self._reduced is not None and chance.random() < 0.3
        if reduced and self._reduced is not None:
            yield self._reduced, course(Way.REDUCED, PARTNER_ADMIN_TEMPLATE, Fate.KEPT)
            crowd -= 1
        found = chance.sample(self._workers, crowd + 1)
        if self._lead in found:
            found.remove(self._lead)
        for person in found[:crowd]:
            yield person, self._course(person, locked_out=locked_out, reduced=reduced)
        if self._unverified and chance.random() < 0.1:
            refused = chance.choice(self._unverified)
            if refused not in found:
                yield refused, course(Way.DEPUTY, PARTNER_ADMIN_TEMPLATE, Fate.KEPT, verified=False)

    def _course(self, number: int, *, locked_out: bool, reduced: bool) -> Course:
        person, chance = self._staff[number], self._chance.random()
        fate = self._fate(number, person, locked_out=locked_out)
        if person.status is MemberStatus.ACTIVE and person.verified:
            if person.part is Part.SUPER or (person.part is Part.WORKER and chance < 0.05):
                return course(Way.SUPER_ADMIN, PARTNER_ADMIN_TEMPLATE, Fate.KEPT)
            if person.part is Part.LEAD or chance < 0.13:
                return course(Way.DEPUTY, PARTNER_ADMIN_TEMPLATE, fate)
        way = Way.WORKER
        if reduced and chance > 0.85:
            way = Way.BY_REDUCED
        elif person.kind is MemberKind.CONTRACTOR and chance > 0.7:
            way = Way.UNTIL
        # Most people have the same set everywhere.
        place = number if chance < 0.8 else int(chance * 10_000)
        return course(way, self._sets[place % len(self._sets)].number, fate, verified=person.verified)

    def _fate(self, number: int, person: Person, *, locked_out: bool) -> Fate:
        if person.status is not MemberStatus.ACTIVE:
            return Fate.REMOVED if person.status is MemberStatus.LEFT else Fate.DEACTIVATED
        chance = self._chance.random()
        if chance > 0.18 or number == self._deputy:
            return Fate.KEPT
        if chance < 0.02:
            return Fate.REMOVED
        if chance > 0.09:
            return Fate.NARROWED
        if person.kind is MemberKind.CONTRACTOR:
            return Fate.KEPT
        return Fate.RETURNED if chance < 0.04 and not locked_out else Fate.DEACTIVATED
