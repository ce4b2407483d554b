"""The steps of a history that an agency's people take in the manager."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from models.grant import AccessType, GrantStatus, Seat
from models.operation import OperationKind
from schema.node import encode
from tests.histories.history import (
    ACTORS,
    OFTEN,
    RARELY,
    SELDOM,
    SOME,
    listed_levels,
    options,
    verb,
)
from tests.histories.leaving import Leaving
from tests.histories.model import ADMIN_SET, SETS, Cell, Held
from tests.histories.verb import SAME, Wish
from tests.histories.world import FIELD, PICKED, SALES, SERVICE

TEAMS = st.sampled_from(
    [None, None, None, (), ((SALES, True),), ((SALES, False), (SERVICE, True)), ((FIELD, True), (SALES, True))]
)
WANTED = st.sampled_from([ADMIN_SET, ADMIN_SET, "marketing", *PICKED])
EXPIRES = st.sampled_from(["as it is", "as it is", "as it is", "never", 5, 30])


class InManager(Leaving):
    """Giving and changing access."""

    @verb(
        weight=8,
        user=ACTORS,
        people=SOME,
        places=SOME,
        aptly=OFTEN,
        wanted=WANTED,
        adds=st.booleans(),
        seat=st.sampled_from([None, None, None, Seat.CORE, Seat.PARTNER]),
        teams=TEAMS,
        expires=EXPIRES,
        strict=SELDOM,
        skip=RARELY,
        stranger=SELDOM,
        how=options(),
    )
    def give(
        self,
        *,
        user: str,
        people: list[int],
        places: list[int],
        aptly: bool,
        wanted: str,
        adds: bool,
        seat: Seat | None,
        teams: tuple[tuple[str, bool], ...] | None,
        expires: str | int,
        strict: bool,
        skip: bool,
        stranger: bool,
        how: dict[str, Any],
    ) -> None:
        """Grants, or changes permissions, seat, teams and expiry at once."""
        user, clients = self.aim(user, places, aptly=aptly)
        members = self.people(self.team_mates(clients, stranger=stranger), people)
        until = self._until(expires, adds=adds)
        wish = Wish(
            adds=adds,
            atoms=SETS[wanted] if wanted in SETS else PICKED[wanted],
            origin=wanted if wanted in SETS else None,
            seat=seat,
            teams=teams,
            expires=until,
            strict=strict,
            change_existing=not skip,
            include_self=how["includeSelf"],
        )
        asked: dict[str, Any] = {
            "targets": self.product(members, clients),
            "access": self._access(wanted),
            "options": {**how, "mode": "STRICT" if strict else "CLAMP"},
        }
        if seat is not None:
            asked["seat"] = seat.value
        if teams is not None:
            asked["teams"] = self._team_input(teams)
        if until != SAME:
            asked["expiresAt"] = until.isoformat() if isinstance(until, datetime) else None
        if adds:
            asked["onExisting"] = "SKIP" if skip else "CHANGE"
        verb, kind = ("grantAccess", OperationKind.GRANT) if adds else ("changeAccess", OperationKind.CHANGE)
        told = f"{'grants' if adds else 'changes'} {members} at {clients} to {wanted}, {seat=}, {teams=}, {expires=}"
        cells = [(client, member) for client in clients for member in members]
        refusal = self.unknown(user, members, clients) or self._unknown_teams(user, teams, clients)
        judge = self.manager(user)
        self.operate(
            told, user, verb, kind, cells=cells, judge=lambda c: judge.give(wish, c), asked=asked, refusal=refusal
        )

    @verb(
        weight=2,
        user=ACTORS,
        people=SOME,
        places=SOME,
        aptly=OFTEN,
        expires=st.sampled_from(["never", 5, 30]),
        how=options(),
    )
    def prolong(
        self, *, user: str, people: list[int], places: list[int], aptly: bool, expires: str | int, how: dict[str, Any]
    ) -> None:
        """Changes nothing but the expiry."""
        user, clients = self.aim(user, places, aptly=aptly)
        members = self.people(self.team_mates(clients), people)
        until = self._until(expires, adds=False)
        asked = {
            "targets": self.product(members, clients),
            "expiresAt": until.isoformat() if isinstance(until, datetime) else None,
            "options": how,
        }
        wish = Wish(adds=False, expires=until, include_self=how["includeSelf"])
        cells = [(client, member) for client in clients for member in members]
        judge, told = self.manager(user), f"lets the access of {members} at {clients} last until {expires}"
        refusal = self.unknown(user, members, clients)
        kind = OperationKind.CHANGE
        self.operate(
            told,
            user,
            "changeAccess",
            kind,
            cells=cells,
            judge=lambda c: judge.give(wish, c),
            asked=asked,
            refusal=refusal,
        )

    @verb(weight=2, user=ACTORS, people=SOME, places=SOME, aptly=OFTEN, teams=TEAMS, how=options())
    def assign_teams(
        self,
        *,
        user: str,
        people: list[int],
        places: list[int],
        aptly: bool,
        teams: tuple[tuple[str, bool], ...] | None,
        how: dict[str, Any],
    ) -> None:
        user, clients = self.aim(user, places, aptly=aptly)
        members, asked_teams = self.people(self.team_mates(clients), people), teams or ()
        wish = Wish(adds=False, teams=asked_teams, include_self=how["includeSelf"])
        asked = {
            "targets": self.product(members, clients),
            "teams": self._team_input(asked_teams),
            "options": how,
        }
        cells = [(client, member) for client in clients for member in members]
        refusal = self.unknown(user, members, clients) or self._unknown_teams(user, asked_teams, clients)
        judge, told = self.manager(user), f"puts {members} at {clients} into {asked_teams}"
        kind = OperationKind.ASSIGN_TEAMS
        self.operate(
            told,
            user,
            "assignTeams",
            kind,
            cells=cells,
            judge=lambda c: judge.give(wish, c),
            asked=asked,
            refusal=refusal,
        )

    @verb(weight=3, user=ACTORS, people=SOME, places=SOME, aptly=OFTEN, stranger=SELDOM, how=options())
    def deactivate(
        self, *, user: str, people: list[int], places: list[int], aptly: bool, stranger: bool, how: dict[str, Any]
    ) -> None:
        user, clients = self.aim(user, places, aptly=aptly)
        members = self.people(self.team_mates(clients, stranger=stranger), people)
        judge = self.manager(user)
        self._status(
            user,
            "deactivateAccess",
            OperationKind.DEACTIVATE,
            members=members,
            clients=clients,
            judge=lambda c: judge.deactivate(c, include_self=how["includeSelf"]),
            how=how,
        )

    @verb(weight=4, user=ACTORS, people=SOME, places=SOME, aptly=OFTEN, how=options())
    def reactivate(self, *, user: str, people: list[int], places: list[int], aptly: bool, how: dict[str, Any]) -> None:
        user, clients, members = self.aim_at(user, people, places, self._can_come_back, aptly=aptly)
        judge = self.manager(user)
        self._status(
            user,
            "reactivateAccess",
            OperationKind.REACTIVATE,
            members=members,
            clients=clients,
            judge=judge.reactivate,
            how=how,
        )

    @verb(weight=3, user=ACTORS, people=SOME, places=SOME, aptly=OFTEN, keep_billing=st.booleans(), how=options())
    def migrate(
        self, *, user: str, people: list[int], places: list[int], aptly: bool, keep_billing: bool, how: dict[str, Any]
    ) -> None:
        user, clients, members = self.aim_at(
            user, people, places, lambda _cell, held: held.kind is AccessType.SUPER_ADMIN, aptly=aptly
        )
        judge = self.manager(user)
        self._status(
            user,
            "migrateToPartnerAdmin",
            OperationKind.MIGRATE,
            members=members,
            clients=clients,
            judge=lambda c: judge.migrate(c, keep_billing=keep_billing),
            how=how,
            keepBilling=keep_billing,
        )

    def _can_come_back(self, cell: Cell, held: Held) -> bool:
        users = {person.user for person in self.model.people.values()}
        powers = [self.model.authority(user, cell[0], self.stage.now) or frozenset() for user in sorted(users)]
        return held.status is GrantStatus.DEACTIVATED and any(held.atoms <= power for power in powers)

    def _status(
        self,
        user: str,
        verb: str,
        kind: OperationKind,
        *,
        members: list[str],
        clients: list[str],
        judge: Any,
        how: dict[str, Any],
        **more: Any,
    ) -> None:
        asked = {"targets": self.product(members, clients), "options": how, **more}
        cells = [(client, member) for client in clients for member in members]
        refusal = self.unknown(user, members, clients)
        told = f"{verb} {members} at {clients} {more or ''}"
        self.operate(told, user, verb, kind, cells=cells, judge=judge, asked=asked, refusal=refusal)

    # ---- parts of inputs, and of what they come to

    def _access(self, wanted: str) -> dict[str, Any]:
        if wanted in SETS:
            return {"permissionSet": encode("PermissionSet", self.stage.set_keys[wanted])}
        return {"permissions": listed_levels(wanted)}

    def _team_input(self, teams: tuple[tuple[str, bool], ...]) -> list[dict[str, Any]]:
        return [{"team": encode("Team", self.at.teams[name]), "primary": primary} for name, primary in teams]

    def _until(self, expires: str | int, *, adds: bool) -> Any:
        if isinstance(expires, int):
            return self.stage.now + timedelta(days=expires)
        return None if expires == "never" and not adds else SAME

    def _unknown_teams(self, user: str, teams: tuple[tuple[str, bool], ...] | None, clients: list[str]) -> str | None:
        """T1, F54: a team must be one of the clients', in whose account somebody of the viewer's partner works."""
        model = self.model
        accounts = {model.clients[name].account for name in clients}
        for name, _ in teams or ():
            account = model.teams[name]
            opened = any(
                model.clients[cell[0]].account == account and model.sees(user, model.clients[cell[0]].partner)
                for cell in model.held
            )
            if account not in accounts or not opened:
                return "NOT_FOUND"
        return None
