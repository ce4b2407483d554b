"""Gives the people of the demo their access, by the rules: what an actor gives is decided as in the service itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.dialect import insert_many
from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.operation import OperationKind, OutcomeStatus
from models.permission.built_in import SUPER_ADMIN_STATE
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from models.permission.state import State
from models.team import grant_teams, teams
from resolvers.demo.blueprint import Run
from resolvers.demo.placement import Crew, Fate, Placement, Way, crew_of, placements
from resolvers.demo.population import ClientPlace, Place, Troupe
from resolvers.demo.template import Template, Templates
from resolvers.direct_operation import DirectCell, DirectOperation, write_directly
from resolvers.operation.decide import decide
from resolvers.operation.request import FromSet, OperationRequest, Pairs
from resolvers.operation.situation import (
    ClientFacts,
    Decision,
    ExpiryChange,
    GrantFacts,
    MemberFacts,
    Requested,
    Situation,
)
from resolvers.partner_admin import admitted

_REPORTS = catalogue.where(lambda permission: permission.area == "reports")
_GRANT, _CHANGE = (
    OperationRequest(kind, Pairs(()), access=FromSet(None)) for kind in (OperationKind.GRANT, OperationKind.CHANGE)
)


def without_reports(state: State) -> State:
    """Returns a state less the area Reports, and less what needs it."""
    return catalogue.largest_closed_subset(state & ~_REPORTS)


@dataclass(slots=True)
class _Cell:
    """A person in a client, on the way through the operations of a run."""

    placement: Placement
    place: Place
    client: ClientPlace
    decision: Decision
    grant_id: int | None = None


class RunWriter:
    """Writes the access of a partner's people, run by run."""

    def __init__(self, connection: AsyncConnection, troupe: Troupe, templates: Templates) -> None:
        self._connection = connection
        self._troupe = troupe
        self._templates = templates
        self._crew: Crew = crew_of([place.person for place in troupe.places])

    async def write(self, run: Run, found: Sequence[ClientPlace]) -> int:
        """Writes the operations of a run in the order in which they happened; returns the number of grants."""
        lead = run.number % len(self._crew.leads)
        actor = self._troupe.places[self._crew.leads[lead]].user_id
        reduced = self._troupe.places[self._crew.reduced].user_id
        owner = self._troupe.places[0].user_id
        cells = list(self._cells(run, found, lead))
        ways = {way: [cell for cell in cells if cell.placement.way is way] for way in Way}
        clock = iter(run.at + timedelta(hours=hours) for hours in range(10))
        admissions = [*ways[Way.ADMITTED], *ways[Way.SUPER_ADMIN]]
        await self._operate(OperationKind.GRANT, next(clock), None, admissions, "Admitted by the client.")
        await self._operate(OperationKind.GRANT, next(clock), actor, [*ways[Way.DEPUTY], *ways[Way.REDUCED]])
        await self._operate(OperationKind.GRANT, next(clock), actor, ways[Way.WORKER], "Team of the client.")
        await self._operate(OperationKind.GRANT, next(clock), reduced, ways[Way.BY_REDUCED])
        await self._assign_teams([*ways[Way.WORKER], *ways[Way.BY_REDUCED]])
        # Who asks for nothing but Reports from somebody without them has no grant now.
        fates = {fate: [cell for cell in cells if cell.placement.fate is fate and cell.grant_id] for fate in Fate}
        changed = [cell for cell in fates[Fate.CHANGED] if self._narrow(cell)]
        await self._operate(OperationKind.CHANGE, next(clock), actor, changed)
        for fate, kind, status in (
            (Fate.DEACTIVATED, OperationKind.DEACTIVATE, GrantStatus.DEACTIVATED),
            (Fate.REMOVED, OperationKind.REMOVE, GrantStatus.REMOVED),
        ):
            for cell in fates[fate]:
                cell.decision = _ended(cell.decision, status)
            await self._operate(kind, next(clock), owner, fates[fate])
        return len(cells)

    async def _operate(
        self,
        kind: OperationKind,
        at: datetime,
        requested_by_id: int | None,
        cells: Sequence[_Cell],
        reason: str | None = None,
    ) -> None:
        if not cells:
            return
        operation = DirectOperation(self._troupe.partner_id, kind, at, requested_by_id, reason)
        direct = [
            DirectCell(
                client_id=cell.client.client_id,
                account_id=cell.client.account_id,
                member_id=cell.place.member_id,
                user_id=cell.place.user_id,
                decision=cell.decision,
                grant_id=cell.grant_id,
            )
            for cell in cells
        ]
        recorded = await write_directly(self._connection, operation, direct)
        for cell, made in zip(cells, recorded, strict=True):
            cell.grant_id = made.grant_id

    def _cells(self, run: Run, found: Sequence[ClientPlace], lead: int) -> Iterable[_Cell]:
        admin = self._templates.partner_admin
        at_that_time = self._templates.at(run.at)
        for client in found:
            for placement in placements(self._troupe.blueprint, self._crew, client.number, lead):
                place = self._troupe.places[placement.person]
                template = at_that_time[placement.template % len(at_that_time)]
                yield _Cell(placement, place, client, _given(placement.way, admin, template, place.person.verified))

    def _narrow(self, cell: _Cell) -> bool:
        """Turns the cell into a change that takes Reports off, if that changes anything."""
        before = cell.decision
        decision = _narrowed(before, authority(self._templates.partner_admin.state, None, catalogue))
        if decision.status is OutcomeStatus.APPLIED:
            cell.decision = decision
            return True
        return False

    async def _assign_teams(self, cells: Sequence[_Cell]) -> None:
        """Puts people into a primary team of the account, and every third into another one too (F54)."""
        account_ids = {cell.client.account_id for cell in cells if cell.client.number % 5 == 0}
        rows = await self._connection.execute(
            select(teams.c.account_id, teams.c.id).where(teams.c.account_id.in_(account_ids)).order_by(teams.c.id)
        )
        by_account: dict[int, list[int]] = {}
        for row in rows:
            by_account.setdefault(row.account_id, []).append(row.id)
        places = []
        for cell in cells:
            there = by_account.get(cell.client.account_id, []) if cell.grant_id else []
            person = cell.placement.person
            for position in range(min(len(there), 2 if person % 3 == 0 else 1)):
                team_id = there[(person + position) % len(there)]
                places.append({"grant_id": cell.grant_id, "team_id": team_id, "is_primary": position == 0})
        await insert_many(self._connection, grant_teams, places)


@lru_cache(4_096)
def _given(way: Way, admin: Template, template: Template, verified: bool) -> Decision:  # noqa: FBT001 a person's property
    if way is Way.ADMITTED:
        return admitted(admin.state, admin.version_id, admin.state)
    if way is Way.SUPER_ADMIN:
        made = admitted(SUPER_ADMIN_STATE, admin.version_id, admin.state)
        return replace(
            made, set_version_id=None, customised=False, after_access_type=AccessType.SUPER_ADMIN, seat=Seat.CORE
        )
    if way is Way.DEPUTY:
        requested = Requested(admin.state, admin.version_id, admin.state)
    elif way is Way.REDUCED:
        requested = Requested(without_reports(admin.state), admin.version_id, admin.state)
    else:
        requested = Requested(template.state, template.version_id, template.state)
    actor = without_reports(admin.state) if way is Way.BY_REDUCED else admin.state
    person = MemberFacts(MemberStatus.ACTIVE, verified=verified, is_actor=False)
    facts = ClientFacts(authority(actor, None, catalogue))
    return decide(_GRANT, Situation(facts, person, None, 0, requested), catalogue)


def made_by(before: Decision) -> GrantFacts:
    """Returns the grant that a decision has made, for the next one about it.

    Raises:
        ValueError: if it was not applied.
    """
    if before.after_status is None or before.after_access_type is None or before.seat is None:
        raise ValueError("Only what was applied can be changed.")
    return GrantFacts(
        status=before.after_status,
        access_type=before.after_access_type,
        seat=before.seat,
        state_id=0,
        set_version_id=before.set_version_id,
        customised=before.customised,
        expired=False,
        conflict=False,
        expiry=ExpiryChange.SAME,
        other_teams=False,
        takes_foreign_team=False,
    )


@lru_cache(4_096)
def _narrowed(before: Decision, held: State) -> Decision:
    person = MemberFacts(MemberStatus.ACTIVE, verified=True, is_actor=False)
    requested = Requested(without_reports(before.after))
    return decide(_CHANGE, Situation(ClientFacts(held), person, made_by(before), before.after, requested), catalogue)


@lru_cache(4_096)
def _ended(before: Decision, status: GrantStatus) -> Decision:
    return replace(
        before,
        before=before.after,
        requested=before.after,
        authority=0,
        before_status=before.after_status,
        before_access_type=before.after_access_type,
        after_status=status,
    )
