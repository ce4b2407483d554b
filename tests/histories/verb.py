"""The verbs of the manager in the model: what becomes of one cell, each in the words of its rules."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberKind, MemberStatus
from tests.histories.model import (
    ADMIN,
    ADMIN_SET,
    APPLIED,
    BILLING,
    EDIT_TEAMS,
    NO_CHANGE,
    SETS,
    Atoms,
    Cell,
    Held,
    Line,
    Model,
    Teams,
    Verdict,
    closed,
    rejected,
    through,
)

SAME: Literal["SAME"] = "SAME"


@dataclass(frozen=True)
class Wish:
    """What a request for access asks for; what is left out stays as it is."""

    adds: bool
    atoms: Atoms | None = None
    origin: str | None = None
    """The set, if it asks for one."""
    seat: Seat | None = None
    teams: tuple[tuple[str, bool], ...] | None = None
    expires: datetime | Literal["SAME"] | None = SAME
    strict: bool = False
    change_existing: bool = False
    include_self: bool = False


@dataclass(frozen=True)
class Manager:
    """Somebody who acts in the manager, at a moment."""

    model: Model
    user: str
    at: datetime

    def is_self(self, cell: Cell) -> bool:
        return self.model.people[cell[1]].user == self.user

    def power(self, cell: Cell) -> Atoms | None:
        return self.model.authority(self.user, cell[0], self.at)

    def give(self, wish: Wish, cell: Cell) -> Line:
        """F04, F09, F12, F33, F54, E1 to E26."""
        own, person = self.model.held.get(cell), self.model.people[cell[1]]
        standing = own or Held(frozenset(), AccessType.NONE, Seat.PARTNER if person.verified else Seat.CORE, version=0)
        power = self.power(cell) or frozenset()
        wanted = standing.atoms if wish.atoms is None else wish.atoms
        after = closed((standing.atoms - power) | (wanted & power))
        seat = Seat.PARTNER if ADMIN in after else wish.seat or standing.seat
        teams = self._teams(wish, cell)
        expires = standing.expires if isinstance(wish.expires, str) else wish.expires
        later = _is_later(expires, standing.expires) if own else False
        told = self._told(wish, cell, own, later=later)
        changes = after != standing.atoms or (
            own is not None and (expires != own.expires or seat is not own.seat or teams not in {None, own.teams})
        )
        moved = (through(after, seat) ^ through(standing.atoms, standing.seat)) - power
        extends = later and (self.is_self(cell) or bool(after - power))
        revives = later and own and own.expires is not None and own.expires <= self.at
        beyond = (wanted - standing.atoms - power) or (after - wanted)
        reasons: list[tuple[object, Verdict]] = [
            (wish.strict and beyond, rejected("EXCEEDS_AUTHORITY")),
            (ADMIN in (after if revives else after - standing.atoms) and not person.verified, rejected("NOT_VERIFIED")),
            (ADMIN in after and wish.seat not in {None, Seat.PARTNER}, rejected("SEAT_NOT_ELIGIBLE")),
            (own and (moved or extends), rejected("EXCEEDS_AUTHORITY")),
            (not changes, NO_CHANGE),
        ]
        verdict = told or next((verdict for holds, verdict in reasons if holds), APPLIED)
        if verdict != APPLIED:
            return Line(cell, own, verdict)
        origin, customised = _origin(wish, standing, after)
        held = Held(
            after,
            AccessType.PARTNER_ADMIN if ADMIN in after else AccessType.STANDARD,
            seat,
            version=standing.version + 1,
            origin=origin,
            customised=customised,
            expires=expires,
            teams=standing.teams if teams is None else teams,
            birth=own.birth if own else self.model.give_birth(),
        )
        shortened = own is not None and expires != own.expires and not later
        return Line(cell, own, APPLIED, held, shortened)

    def _told(self, wish: Wish, cell: Cell, own: Held | None, *, later: bool) -> Verdict | None:
        """Why the cell is refused whatever the permissions are; the first reason counts."""
        person = self.model.people[cell[1]]
        reasons: list[tuple[object, Verdict]] = [
            (self.is_self(cell) and not wish.include_self, ("NOOP", "SELF_EXCLUDED")),
            (self.power(cell) is None, rejected("NOT_PARTNER_ADMIN")),
            *_not_working(person.status),
            (own is None and not wish.adds, rejected("NOT_FOUND")),
        ]
        if own is not None:
            expired = own.expires is not None and own.expires <= self.at
            reasons += [
                (own.status is GrantStatus.DEACTIVATED, rejected("DEACTIVATED")),
                (expired and not later, rejected("EXPIRED")),
                (wish.adds and not wish.change_existing, ("NOOP", "ALREADY_GRANTED")),
                (own.kind is AccessType.SUPER_ADMIN, rejected("TARGET_IS_SUPER_ADMIN")),
                (self._takes_foreign_team(wish, cell, own), rejected("TEAM_NOT_HELD")),
            ]
        reasons += [
            (self._gives_foreign_team(wish, cell), rejected("TEAM_NOT_HELD")),
            (wish.seat is Seat.PARTNER and not person.verified, rejected("SEAT_NOT_ELIGIBLE")),
        ]
        return next((verdict for holds, verdict in reasons if holds), None)

    def _teams(self, wish: Wish, cell: Cell) -> Teams | None:
        """The teams that are asked for in the cell's client; None if it stays as it is there."""
        if wish.teams is None:
            return None
        account = self.model.clients[cell[0]].account
        here = frozenset(team for team in wish.teams if self.model.teams[team[0]] == account)
        return here if here or not wish.teams else None

    def _free_of_teams(self, cell: Cell) -> bool:
        return EDIT_TEAMS in (self.power(cell) or ())

    def _own_teams(self, cell: Cell) -> set[str]:
        own = self.model.held.get((cell[0], f"{self.user}@{self.model.clients[cell[0]].partner}"))
        return {name for name, _ in own.teams} if own is not None and self.power(cell) is not None else set()

    def _gives_foreign_team(self, wish: Wish, cell: Cell) -> bool:
        asked = {name for name, _ in self._teams(wish, cell) or ()}
        return not self._free_of_teams(cell) and not asked <= self._own_teams(cell)

    def _takes_foreign_team(self, wish: Wish, cell: Cell, own: Held) -> bool:
        asked = self._teams(wish, cell)
        if asked is None or self._free_of_teams(cell):
            return False
        return bool({name for name, _ in own.teams} - {name for name, _ in asked} - self._own_teams(cell))

    def deactivate(self, cell: Cell, *, include_self: bool) -> Line:
        """F34, F36, F37."""
        own, person = self.model.held.get(cell), self.model.people[cell[1]]
        if self.is_self(cell) and not include_self:
            return Line(cell, own, ("NOOP", "SELF_EXCLUDED"))
        if person.kind is MemberKind.CONTRACTOR:
            return Line(cell, own, rejected("NOT_FOR_CONTRACTORS"))
        if own is None or own.status is not GrantStatus.ACTIVE:
            return Line(cell, own, NO_CHANGE)
        return Line(cell, own, APPLIED, own.become(status=GrantStatus.DEACTIVATED))

    def reactivate(self, cell: Cell) -> Line:
        """F35, F40, F41, R10: only by whoever has all of what comes back."""
        own, person, power = self.model.held.get(cell), self.model.people[cell[1]], self.power(cell)
        if power is None:
            return Line(cell, own, rejected("NOT_PARTNER_ADMIN"))
        refusal = next((verdict for holds, verdict in _not_working(person.status) if holds), None)
        if refusal or own is None:
            return Line(cell, own, refusal or rejected("NOT_FOUND"))
        reasons: list[tuple[object, Verdict]] = [
            (own.expires is not None and own.expires <= self.at, rejected("EXPIRED")),
            (own.status is GrantStatus.ACTIVE, NO_CHANGE),
            (own.kind is AccessType.PARTNER_ADMIN and not person.verified, rejected("NOT_VERIFIED")),
            (own.atoms - power, rejected("EXCEEDS_AUTHORITY")),
        ]
        verdict = next((verdict for holds, verdict in reasons if holds), APPLIED)
        return Line(cell, own, verdict, own.become(status=GrantStatus.ACTIVE) if verdict == APPLIED else None)

    def remove(self, cell: Cell, *, reviewed: bool, blocked: bool, include_self: bool) -> Line:
        """F34, F38, F39, R4 to R6."""
        own = self.model.held.get(cell)
        reasons: list[tuple[object, Verdict]] = [
            (self.is_self(cell) and not include_self, ("NOOP", "SELF_EXCLUDED")),
            (own is None, NO_CHANGE),
            (not reviewed, rejected("STALE_REVIEW")),
            (blocked, rejected("REASSIGNEE_NOT_ACTIVE")),
        ]
        verdict = next((verdict for holds, verdict in reasons if holds), APPLIED)
        if own is None or verdict != APPLIED:
            return Line(cell, own, verdict)
        return Line(cell, own, APPLIED, own.become(status=GrantStatus.REMOVED))

    def migrate(self, cell: Cell, *, keep_billing: bool) -> Line:
        """F42 to F45, M1 to M11."""
        own, person = self.model.held.get(cell), self.model.people[cell[1]]
        account = self.model.clients[cell[0]].account
        is_own = own is None and (account, person.user) in self.model.own
        status = _not_working(person.status)
        reasons: list[tuple[object, Verdict]] = [
            (not self.is_self(cell) and self.power(cell) is None, rejected("NOT_PARTNER_ADMIN")),
            (is_own, rejected("NOT_A_MEMBER")),
            *status,
            (own is None or not own.counts(self.at), rejected("NOT_SUPER_ADMIN")),
        ]
        if own is not None:
            reasons += [
                (own.kind is AccessType.PARTNER_ADMIN, NO_CHANGE),
                (own.kind is not AccessType.SUPER_ADMIN, rejected("NOT_SUPER_ADMIN")),
                (not person.verified, rejected("NOT_VERIFIED")),
            ]
        verdict = next((verdict for holds, verdict in reasons if holds), APPLIED)
        if own is None or verdict != APPLIED:
            return Line(cell, own, verdict)
        atoms = closed(SETS[ADMIN_SET] | BILLING) if keep_billing else SETS[ADMIN_SET]
        after = own.become(
            atoms=atoms,
            kind=AccessType.PARTNER_ADMIN,
            seat=Seat.PARTNER,
            origin=ADMIN_SET,
            customised=atoms != SETS[ADMIN_SET],
        )
        return Line(cell, own, APPLIED, after)


def _not_working(status: MemberStatus) -> list[tuple[object, Verdict]]:
    return [
        (status is MemberStatus.LEFT, rejected("NOT_A_MEMBER")),
        (status is not MemberStatus.ACTIVE, rejected("NOT_ACTIVE")),
    ]


def _is_later(expires: datetime | Literal["SAME"] | None, before: datetime | None) -> bool:
    if isinstance(expires, str) or before is None:
        return False
    return expires is None or expires > before


def _origin(wish: Wish, standing: Held, after: Atoms) -> tuple[str | None, bool]:
    """The set that the grant came from, and whether it differs from it (F13)."""
    if wish.origin is not None:
        return wish.origin, after != SETS[wish.origin]
    if standing.origin is None:
        return None, False
    return standing.origin, after != SETS[standing.origin]
