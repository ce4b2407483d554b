"""The account of one permission: which change gave each of its levels, and what stands in the way of the others (P11)."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from models.grant import AccessType, GrantStatus
from models.member import MemberStatus
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.permission import Permission
from models.permission.state import State
from resolvers.explanation.fact import Held, Place, Step, let_through


class Obstacle(StrEnum):
    """Why a level of a permission does not count for somebody in a client."""

    NO_GRANT = "NO_GRANT"
    MEMBER_LEFT = "MEMBER_LEFT"
    REMOVED = "REMOVED"
    DEACTIVATED = "DEACTIVATED"
    EXPIRED = "EXPIRED"
    NOT_REQUESTED = "NOT_REQUESTED"
    WITHHELD = "WITHHELD"
    DROPPED = "DROPPED"
    REVOKED = "REVOKED"
    NEVER_DELEGABLE = "NEVER_DELEGABLE"
    CEILING = "CEILING"
    SEAT = "SEAT"
    TIER = "TIER"
    REQUIREMENT = "REQUIREMENT"


@dataclass(frozen=True, slots=True)
class Run:
    """Levels of a permission that belong together: what lies above one level, up to and with another."""

    level: PermissionLevel
    above: PermissionLevel


@dataclass(frozen=True, slots=True)
class Given:
    """Levels that one change gave, as numbers of the steps of a history."""

    run: Run
    step: int
    kept: int | None
    """The last change since that left them only because whoever asked for it could not take them."""


@dataclass(frozen=True, slots=True)
class Hindered:
    """Levels that do not count, and why."""

    run: Run
    obstacle: Obstacle
    step: int | None = None
    """The change that is to blame, if one is."""


@dataclass(frozen=True, slots=True)
class Account:
    """All that is to be said of one permission of one person in one client."""

    level: PermissionLevel
    effective: PermissionLevel
    now: PermissionLevel
    """The effective level if the access counts at all."""
    of_set: PermissionLevel | None
    ceiling: PermissionLevel | None
    exceeds_ceiling: bool
    given: tuple[Given, ...]
    started: int | None
    """The change since which the access counts, if it has counted before."""
    hindered: tuple[Hindered, ...]


def account_of(permission: Permission, place: Place, held: Held | None, steps: Sequence[Step]) -> Account:
    """Returns the account of one permission.

    Args:
        permission: the permission.
        place: what client and person bring in.
        held: the access; None if there has never been any.
        steps: what happened to it, the oldest first.
    """
    levels = _levels_of(permission.key)
    state = held.state if held else 0
    effective = held.effective(place) if held else 0
    is_super_admin = held is not None and held.access_type is AccessType.SUPER_ADMIN
    beyond = 0 if is_super_admin else state & ~place.allowed
    whole = Run(permission.levels[-1], PermissionLevel.NONE)
    starts = [number for number, step in enumerate(steps) if step.starts]
    return Account(
        level=levels.of(state),
        effective=levels.of(effective),
        now=levels.of(effective if held and held.counts else 0),
        of_set=None if held is None or held.of_set is None else levels.of(held.of_set),
        ceiling=None if place.ceiling is None else levels.of(place.allowed),
        exceeds_ceiling=bool(beyond & levels.all),
        given=tuple(_given(levels, state, steps)),
        started=starts[-1] if len(starts) > 1 and held and held.status is GrantStatus.ACTIVE else None,
        hindered=(
            *(Hindered(whole, obstacle, step) for obstacle, step in _no_access(place, held, steps)),
            *_not_held(levels, place, state, steps, may_hold_all=is_super_admin),
            *_masked(levels, place, held, effective),
        ),
    )


class _Levels:
    """The atoms of one permission, and runs of them."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._levels = catalogue.permissions[key].levels
        states = [catalogue.state({key: level}) for level in self._levels]
        self.atoms = [state & ~below for below, state in itertools.pairwise(states)]
        self.all = states[-1]

    def of(self, state: State) -> PermissionLevel:
        """Returns the highest level in a state."""
        return catalogue.level(state, self._key)

    def runs(self, atoms: State) -> Iterator[Run]:
        """Yields the unbroken runs of levels among some atoms, the lowest first."""
        if not atoms & self.all:
            return
        first: int | None = None
        for number, atom in enumerate([*self.atoms, 0]):
            if atom & atoms:
                first = number if first is None else first
            elif first is not None:
                yield Run(self._levels[number], self._levels[first])
                first = None


@cache
def _levels_of(key: str) -> _Levels:
    return _Levels(key)


def _given(levels: _Levels, state: State, steps: Sequence[Step]) -> Iterator[Given]:
    """Yields, for the levels that are held, the last change before which each was not (F55)."""
    origins: dict[int, State] = {}
    for atom in levels.atoms:
        gains = (n for n in range(len(steps) - 1, -1, -1) if atom & steps[n].after & ~steps[n].before)
        origin = next(gains, None) if atom & state else None
        if origin is not None:
            origins[origin] = origins.get(origin, 0) | atom
    for origin, atoms in origins.items():
        for run in levels.runs(atoms):
            kept = [n for n in range(origin + 1, len(steps)) if steps[n].retained & atoms]
            yield Given(run, origin, kept[-1] if kept else None)


def _no_access(place: Place, held: Held | None, steps: Sequence[Step]) -> Iterator[tuple[Obstacle, int | None]]:
    """Yields why the access does not count at all."""
    if place.member is MemberStatus.LEFT:
        yield Obstacle.MEMBER_LEFT, None
    if held is None:
        yield Obstacle.NO_GRANT, None
        return
    ended = [number for number, step in enumerate(steps) if step.ends]
    last = ended[-1] if ended else None
    if held.status is GrantStatus.REMOVED:
        yield Obstacle.REMOVED, last
    elif held.status is GrantStatus.DEACTIVATED:
        yield Obstacle.DEACTIVATED, last
    if held.expired and held.status is not GrantStatus.REMOVED:
        yield Obstacle.EXPIRED, None


def _not_held(
    levels: _Levels, place: Place, state: State, steps: Sequence[Step], *, may_hold_all: bool
) -> Iterator[Hindered]:
    """Yields why levels are not among what was given, and what keeps them from being given now."""
    missing = levels.all & ~state
    blamed: dict[tuple[Obstacle, int | None], State] = {}
    for atom in levels.atoms:
        if atom & missing:
            blame = _blame(atom, steps)
            blamed[blame] = blamed.get(blame, 0) | atom
    for (obstacle, step), atoms in blamed.items():
        if steps:
            yield from (Hindered(run, obstacle, step) for run in levels.runs(atoms))
    if not may_hold_all:
        for obstacle, forbidden in (
            (Obstacle.NEVER_DELEGABLE, catalogue.never_delegable),
            (Obstacle.CEILING, catalogue.delegable & ~place.allowed),
        ):
            yield from (Hindered(run, obstacle) for run in levels.runs(missing & forbidden))


def _blame(atom: State, steps: Sequence[Step]) -> tuple[Obstacle, int | None]:
    """Returns what last became of an atom that is not held: it was taken, or withheld, or nobody ever asked for it."""
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        if atom & step.withheld & ~step.before:
            return Obstacle.WITHHELD, number
        if atom & step.dropped:
            return Obstacle.DROPPED, number
        if atom & step.before & ~step.after:
            return Obstacle.REVOKED, number
    return Obstacle.NOT_REQUESTED, None


def _masked(levels: _Levels, place: Place, held: Held | None, effective: State) -> Iterator[Hindered]:
    """Yields what seat, product tiers, and requirements that they keep back let nothing of through (F11, E20)."""
    silent = levels.all & ~effective
    seat, tiers = let_through(held, place)
    yield from (Hindered(run, Obstacle.SEAT) for run in levels.runs(silent & ~seat))
    yield from (Hindered(run, Obstacle.TIER) for run in levels.runs(silent & ~tiers))
    if held is not None:
        yield from (Hindered(run, Obstacle.REQUIREMENT) for run in levels.runs(silent & held.state & seat & tiers))
