"""Access as the specification says it, in plain Python: who has what, and what becomes of every cell of a request.

Nothing of the code under test but its enumerations and the words of the catalogue: sets of atoms, and the oracle's arithmetic.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from models.asset import AssetKind
from models.grant import AccessType, GrantStatus, Seat
from models.member import ManagerRights, MemberKind, MemberStatus
from models.permission.built_in import BUILT_IN_SETS, FINANCIAL_STATE
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.permission import Atom
from tests.rules.oracle import Oracle

ORACLE = Oracle(catalogue)
ADMIN: Atom = ("partner_admin", PermissionLevel.ALL)
EDIT_TEAMS: Atom = ("teams.edit", PermissionLevel.ALL)
MANAGES_USERS: frozenset[Atom] = frozenset({("users.add", PermissionLevel.ALL), ("users.edit", PermissionLevel.ALL)})

Atoms = frozenset[Atom]
Cell = tuple[str, str]
"""The names of a client and a member."""
Verdict = tuple[str, str | None]
Teams = frozenset[tuple[str, bool]]
"""Names, and whether it is the primary one."""

EVERYTHING: Atoms = ORACLE.atoms(catalogue.everything)
DELEGABLE: Atoms = frozenset(atom for atom in EVERYTHING if catalogue.permissions[atom[0]].delegable)
BILLING: Atoms = ORACLE.atoms(FINANCIAL_STATE)
SETS: dict[str, Atoms] = {known.key: ORACLE.atoms(known.state) for known in BUILT_IN_SETS}
ADMIN_SET = "partner_admin"
APPLIED: Verdict = ("APPLIED", None)
NO_CHANGE: Verdict = ("NOOP", "NO_CHANGE")


def rejected(code: str) -> Verdict:
    return "REJECTED", code


@lru_cache(10_000)
def closed(atoms: Atoms) -> Atoms:
    return ORACLE.closure(atoms)


@lru_cache(10_000)
def largest_closed(atoms: Atoms) -> Atoms:
    return ORACLE.largest_closed_subset(atoms)


@lru_cache(10_000)
def through(atoms: Atoms, seat: Seat) -> Atoms:
    """What a seat lets through (F11)."""
    return frozenset(atom for atom in atoms if seat.value in catalogue.permissions[atom[0]].seats)


@dataclass(frozen=True)
class Held:
    """A grant."""

    atoms: Atoms
    kind: AccessType
    seat: Seat
    status: GrantStatus = GrantStatus.ACTIVE
    version: int = 1
    origin: str | None = None
    """The set that it came from."""
    customised: bool = False
    expires: datetime | None = None
    teams: Teams = frozenset()
    birth: int = 0
    """Tells a grant from a later one of the same person in the same client."""

    def counts(self, at: datetime) -> bool:
        return self.status is GrantStatus.ACTIVE and (self.expires is None or self.expires > at)

    @property
    def is_admin(self) -> bool:
        """ACTIVE, expired or not."""
        return self.kind is AccessType.PARTNER_ADMIN and self.status is GrantStatus.ACTIVE

    def become(self, **values: Any) -> "Held":
        return replace(self, version=self.version + 1, **values)


@dataclass
class Person:
    """A member."""

    partner: str
    user: str
    kind: MemberKind = MemberKind.EMPLOYEE
    status: MemberStatus = MemberStatus.ACTIVE
    verified: bool = True
    rights: ManagerRights = ManagerRights.NONE
    super_admin: bool = False

    @property
    def works(self) -> bool:
        return self.status is MemberStatus.ACTIVE

    @property
    def acts(self) -> bool:
        return self.works and (self.super_admin or self.rights is ManagerRights.EDIT)

    @property
    def sees(self) -> bool:
        return self.acts or (self.works and self.rights is ManagerRights.VIEW)

    @property
    def eligible(self) -> bool:
        return self.works and self.verified


@dataclass
class Place:
    """A client."""

    partner: str
    account: str
    ceiling: Atoms | None = None
    confirmed: bool = False
    ever: bool = False
    """Whether anybody of the partner has or had access."""


@dataclass
class Holding:
    """How many assets of a kind somebody owns in a client."""

    total: int = 0
    version: int = 0


Kept = tuple[str, str, AssetKind]
"""A client, an owner and a kind."""


@dataclass
class Model:
    """All that there is."""

    people: dict[str, Person] = field(default_factory=dict)
    clients: dict[str, Place] = field(default_factory=dict)
    held: dict[Cell, Held] = field(default_factory=dict)
    """The grants that are not removed."""
    own: dict[tuple[str, str], Held] = field(default_factory=dict)
    """By account and user: the accounts' own people."""
    teams: dict[str, str] = field(default_factory=dict)
    """By name: whose account's."""
    assets: dict[tuple[str, AssetKind, str], tuple[str | None, str | None]] = field(default_factory=dict)
    """By client, kind and external id: owner and former owner."""
    holdings: dict[Kept, Holding] = field(default_factory=dict)
    births: int = 0

    def give_birth(self) -> int:
        self.births += 1
        return self.births

    def place(self, user: str, partner: str) -> Person | None:
        return self.people.get(f"{user}@{partner}")

    def acts(self, user: str, partner: str) -> bool:
        place = self.place(user, partner)
        return place is not None and place.acts

    def sees(self, user: str, partner: str) -> bool:
        place = self.place(user, partner)
        return place is not None and place.sees

    def acts_anywhere(self, user: str) -> bool:
        return any(person.user == user and person.acts for person in self.people.values())

    def knows(self, user: str, member: str) -> bool:
        """Whether a user may know of a member: one's own place, or the partner's manager is open."""
        person = self.people.get(member)
        return person is not None and (self.sees(user, person.partner) or (person.user == user and person.works))

    def authority(self, user: str, client: str, at: datetime) -> Atoms | None:
        """G of spec 2.2; None without any (F02, F04, F09)."""
        place = self.clients[client]
        actor = self.place(user, place.partner)
        own = self.held.get((client, f"{user}@{place.partner}"))
        if actor is None or not actor.acts or not actor.verified or own is None:
            return None
        if not own.is_admin or not own.counts(at):
            return None
        within = own.atoms if place.ceiling is None else own.atoms & place.ceiling
        return largest_closed(within & DELEGABLE)

    def decides(self, user: str, account: str, at: datetime) -> str | None:
        """Why a user does not decide for an account (F16, L6); None if they do."""
        own = self.own.get((account, user))
        if own is None or not own.counts(at):
            return "NOT_FOUND"
        if own.kind is AccessType.SUPER_ADMIN or own.atoms >= MANAGES_USERS:
            return None
        return "FORBIDDEN"

    def super_admins(self, account: str, at: datetime) -> set[object]:
        """Who counts as ACTIVE super admin of an account (F42)."""
        here = [(cell, held) for cell, held in self.held.items() if self.clients[cell[0]].account == account]
        own = [(key, held) for key, held in self.own.items() if key[0] == account]
        return {key for key, held in [*here, *own] if held.kind is AccessType.SUPER_ADMIN and held.counts(at)}

    def stamp(self, cell: Cell) -> object:
        """What a review shows of a grant (F38)."""
        held = self.held[cell]
        kept = [(key[2], holding.total, holding.version) for key, holding in self.holdings.items() if key[:2] == cell]
        return cell, held.birth, held.version, frozenset(kept)

    def without_admin(self, client: str, at: datetime, touched: Iterable[Cell]) -> tuple[bool, bool]:
        """Whether beside the touched there is no ACTIVE partner admin who works, and whether there are people (N04)."""
        others = {cell: held for cell, held in self.held.items() if cell[0] == client and cell not in set(touched)}
        admins = [c for c, held in others.items() if held.is_admin and held.counts(at) and self.people[c[1]].works]
        return not admins, bool(others)


@dataclass(frozen=True)
class Line:
    """What becomes of one cell."""

    cell: Cell
    before: Held | None
    verdict: Verdict
    after: Held | None = None
    """If it is applied."""
    shortened: bool = False

    @property
    def applied(self) -> bool:
        return self.verdict == APPLIED

    @property
    def leaves_admin(self) -> bool:
        return self.applied and self.after is not None and self.after.is_admin and not self.shortened

    @property
    def loses_admin(self) -> bool:
        return self.applied and self.before is not None and self.before.is_admin and not self.leaves_admin

    @property
    def lives_on(self) -> bool:
        return self.applied and self.after is not None and self.after.status is not GrantStatus.REMOVED

    def loses_super_admin(self, at: datetime) -> bool:
        was = self.before is not None and self.before.kind is AccessType.SUPER_ADMIN and self.before.counts(at)
        stays = self.after is not None and self.after.kind is AccessType.SUPER_ADMIN and self.after.counts(at)
        return self.applied and was and not stays

    def refused(self, code: str) -> "Line":
        return Line(self.cell, self.before, rejected(code))


Judge = Callable[[Cell], Line]


def keep_super_admins(model: Model, lines: list[Line], at: datetime) -> list[Line]:
    """The last super admin of an account stays: of several the last one in the order of the input (F42, M3)."""
    kept = list(lines)
    for account in {model.clients[line.cell[0]].account for line in lines}:
        lost = [n for n, line in enumerate(lines) if line.loses_super_admin(at) and _account(model, line) == account]
        if lost and model.super_admins(account, at) <= {lines[n].cell for n in lost}:
            kept[lost[-1]] = lines[lost[-1]].refused("LAST_SUPER_ADMIN")
    return kept


def _account(model: Model, line: Line) -> str:
    return model.clients[line.cell[0]].account


def keep_admins(model: Model, lines: list[Line], at: datetime) -> list[Line]:
    """No client is left with people but without partner admin (N04)."""
    kept = list(lines)
    for client in {line.cell[0] for line in lines}:
        here = [line for line in lines if line.cell[0] == client]
        no_admin, people = model.without_admin(client, at, {line.cell for line in here if line.applied})
        if no_admin and not any(line.leaves_admin for line in here) and (people or any(x.lives_on for x in here)):
            kept = [x.refused("WOULD_LOCK_OUT") if x.cell[0] == client and x.loses_admin else x for x in kept]
    return kept


def all_or_nothing(lines: list[Line]) -> list[Line]:
    if not any(line.verdict[0] == "REJECTED" for line in lines):
        return lines
    return [line.refused("ATOMIC_REJECTED") if line.applied else line for line in lines]


Takers = Callable[[str, AssetKind], str | None]


def settle(model: Model, lines: Iterable[Line], takers: Takers = lambda _client, _kind: None) -> None:
    """Makes the lines true; assets of whoever is removed go to the takers (F39)."""
    gains: dict[Kept, int] = {}
    for line in lines:
        if not line.applied or line.after is None:
            continue
        client, member = line.cell
        if line.after.status is not GrantStatus.REMOVED:
            model.held[line.cell] = line.after
            model.clients[client].ever = True
            continue
        del model.held[line.cell]
        for kind in {key[2] for key, kept in model.holdings.items() if key[:2] == line.cell and kept.total}:
            to, kept = takers(client, kind), model.holdings[client, member, kind]
            for key, (owner, _) in model.assets.items():
                if key[:2] == (client, kind) and owner == member:
                    model.assets[key] = (to, member)
            if to is not None:
                gains[client, to, kind] = gains.get((client, to, kind), 0) + kept.total
            kept.total, kept.version = 0, kept.version + 1
    for taken, more in gains.items():
        kept = model.holdings.setdefault(taken, Holding())
        kept.total, kept.version = kept.total + more, kept.version + 1


def hand_over(model: Model, remaining: Iterable[Kept], to: str) -> None:
    """Gives what somebody owns without having access to whoever takes it over (F39); their own holdings end when they leave."""
    for client, owner, kind in remaining:
        for key, (present, _) in model.assets.items():
            if key[:2] == (client, kind) and present == owner:
                model.assets[key] = (to, owner)
        kept = model.holdings.setdefault((client, to, kind), Holding())
        kept.total, kept.version = kept.total + model.holdings[client, owner, kind].total, kept.version + 1


def leave(model: Model, member: str) -> None:
    """Ends a membership (R8): what the person still owns, in clients without access, keeps them as former owner."""
    left = model.people[member]
    left.status, left.rights, left.super_admin = MemberStatus.LEFT, ManagerRights.NONE, False
    for key, (owner, _) in model.assets.items():
        if owner == member:
            model.assets[key] = (None, member)
    for (_, owner, _), kept in model.holdings.items():
        if owner == member and kept.total:
            kept.total, kept.version = 0, kept.version + 1
