"""What happened in the clients of an agency: operations, decisions, outcomes, grants and timeline, as the service writes them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from models.grant import GrantStatus, grants
from models.lifetime import fork
from models.operation import OperationState, OutcomeStatus, RuleMode, cell_key, decisions, operations
from models.outcome import outcomes
from models.team import grant_teams
from models.timeline_entry import timeline_entries
from resolvers.demo.assignment import Assignment, Run
from resolvers.demo.cast import Part
from resolvers.demo.clientele import ClientPlace
from resolvers.demo.course import ACTS, Act, Course
from resolvers.demo.house import House, Workshop
from resolvers.operation.situation import Decision

BETWEEN_ACTS = timedelta(minutes=20)
CONTRACT_END = datetime(2035, 12, 31, tzinfo=UTC)


@dataclass(slots=True)
class _Operation:
    """One operation of a run, with the decisions and outcomes that it has so far."""

    id: int
    act: Act
    at: datetime
    actor_id: int | None
    numbers: dict[Decision, int] = field(default_factory=dict)
    counts: "Counter[str]" = field(default_factory=Counter)
    position: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of a course in a run: what each of its cells has in common."""

    operation: _Operation
    number: int
    status: str
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    """As the timeline holds them, up to the expiry."""


@dataclass(frozen=True, slots=True)
class _Path:
    """A course in a run."""

    steps: tuple[_Step, ...]
    held: tuple[Any, ...]
    """What the grant has at the end, from access type to fork; nothing if there is no grant."""
    status: str = ""
    expires_at: datetime | None = None
    gives_teams: bool = False


class History:
    """Writes what happened in the clients of an agency, run by run."""

    def __init__(self, workshop: Workshop, house: House, assignment: Assignment) -> None:
        rows = workshop.rows
        self._rows = rows
        self._keys = workshop.keys
        self._state_ids = workshop.shelf.state_ids
        self._house = house
        self._assignment = assignment
        self._add_grant, self._add_entry = rows.into(grants), rows.into(timeline_entries)
        self._add_outcome = rows.into(outcomes)
        staff = house.agency.staff
        self._reduced = next((number for number, person in enumerate(staff) if person.part is Part.REDUCED), None)

    def write(self, run: Run, places: Sequence[ClientPlace]) -> None:
        """Writes the operations of a run and what they did."""
        courses, chosen = self._assignment.courses, self._assignment.chosen_in(run)
        happened = {act for number in chosen for act, _ in courses[number].steps}
        made = {act: self._operation(run, act) for act in ACTS if act in happened}
        paths = {number: self._path(courses[number], made) for number in sorted(chosen)}
        for number, cells in chosen.items():
            for step in paths[number].steps:
                step.operation.counts[step.status] += cells
        for client, place in enumerate(places, start=run.first):
            for person, number in self._assignment.cells(client):
                self._write_cell(person, place, paths[number])
        for operation in made.values():
            self._write_operation(operation)

    def _operation(self, run: Run, act: Act) -> _Operation:
        actor: int | None = run.lead
        if act is Act.ADMIT:
            actor = None
        elif act is Act.GIVE_REDUCED:
            actor = self._reduced
        elif act in {Act.DEACTIVATE, Act.REMOVE}:
            actor = run.deputy
        actor_id = None if actor is None else self._house.user_ids[actor]
        return _Operation(self._keys.take(operations), act, run.at + ACTS.index(act) * BETWEEN_ACTS, actor_id)

    def _path(self, course: Course, made: dict[Act, _Operation]) -> _Path:
        steps = tuple(self._step(made[act], decision) for act, decision in course.steps)
        if not course.is_grant:
            return _Path(steps, ())
        last, first = course.applied[-1], steps[0].operation
        status, *after = self._after(last)
        expires_at = CONTRACT_END if course.expires else None
        removed_at = steps[-1].operation.at if status == GrantStatus.REMOVED.value else None
        life = (first.at, removed_at, removed_at and fork(first.at, removed_at))
        held = (*after, last.customised, expires_at, len(course.applied), first.actor_id, *life)
        return _Path(steps, held, status, expires_at, gives_teams=first.act is Act.GIVE)

    def _step(self, operation: _Operation, decision: Decision) -> _Step:
        number = operation.numbers.setdefault(decision, len(operation.numbers))
        before = (None,) * 5 if decision.before_status is None else self._before(decision)
        after = self._after(decision) if decision.status is OutcomeStatus.APPLIED else ()
        return _Step(operation, number, decision.status.value, before, after)

    def _before(self, decision: Decision) -> tuple[Any, ...]:
        return (
            decision.before_status and decision.before_status.value,
            decision.before_access_type and decision.before_access_type.value,
            decision.before_seat and decision.before_seat.value,
            self._state_ids[decision.before],
            self._version_id(decision.before_set_version_id),
        )

    def _after(self, decision: Decision) -> tuple[Any, ...]:
        return (
            decision.after_status and decision.after_status.value,
            decision.after_access_type and decision.after_access_type.value,
            decision.seat and decision.seat.value,
            self._state_ids[decision.after],
            self._version_id(decision.set_version_id),
        )

    def _version_id(self, template: int | None) -> int | None:
        return None if template is None else self._house.version_ids[template]

    def _write_cell(self, person: int, place: ClientPlace, path: _Path) -> None:
        partner_id, client_id, account_id = self._house.partner_id, place.client_id, place.account_id
        member_id = self._house.first_member + person
        grant_id: int | None = None
        for step in path.steps:
            operation = step.operation
            position = operation.position
            operation.position = position + 1
            if step.after:
                key, expired_at, team_list = cell_key(operation.id, position), path.expires_at, None
                if grant_id is None:
                    grant_id, expired_at = key, None
                    if path.gives_teams and place.teams:
                        team_list = self._write_teams(key, person, place)
                where = (key, operation.id, partner_id, account_id, client_id, member_id, grant_id, operation.at)
                self._add_entry((*where, *step.before, expired_at, None, *step.after, path.expires_at, team_list))
            self._add_outcome((operation.id, position, client_id, member_id, grant_id, step.number, step.status))
        if grant_id is not None:
            whose = (grant_id, partner_id, client_id, member_id, account_id, self._house.user_ids[person])
            ended = grant_id if path.status == GrantStatus.REMOVED.value else 0
            self._add_grant((*whose, path.status, ended, *path.held))

    def _write_teams(self, grant_id: int, person: int, place: ClientPlace) -> str:
        """Puts a person into a primary team, every third into another one too, and returns them as the timeline does."""
        found = [place.teams[(person + number) % len(place.teams)] for number in range(2 if person % 3 == 0 else 1)]
        for team_id in found:
            self._rows.into(grant_teams)((grant_id, team_id, team_id == found[0]))
        return " ".join(f"{team_id}*" if team_id == found[0] else str(team_id) for team_id in found)

    def _write_operation(self, operation: _Operation) -> None:
        act, counts = operation.act, operation.counts
        self._rows.into(operations)(
            (
                *(operation.id, self._house.partner_id, act.kind.value),
                *(OperationState.COMPLETED.value, RuleMode.CLAMP.value, operation.actor_id, act.reason, "{}"),
                *(operation.at, operation.at, counts.total()),
                *(counts[status] for status in (OutcomeStatus.APPLIED, OutcomeStatus.NOOP, OutcomeStatus.REJECTED)),
            )
        )
        for decision, number in operation.numbers.items():
            status, access_type, seat, state_id, version_id = self._after(decision)
            before = self._before(decision)
            self._rows.into(decisions)(
                (
                    *(operation.id, number, decision.status.value, decision.code and decision.code.value),
                    *(self._state_ids[decision.requested], self._state_ids[decision.authority]),
                    *(before[0], before[1], before[3], before[2], before[4]),
                    *(status, access_type, state_id, seat, version_id, decision.customised),
                )
            )
