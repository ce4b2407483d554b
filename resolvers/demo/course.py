"""What can become of one person in one client of an ecosystem, decided as in the service itself."""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import cache, cached_property

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.operation import OperationKind, OutcomeStatus
from models.permission.built_in import SUPER_ADMIN_STATE
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from resolvers.demo.access import made_by, without_reports
from resolvers.demo.house_set import PARTNER_ADMIN_TEMPLATE, templates
from resolvers.operation.decide import decide
from resolvers.operation.request import FromSet, OperationRequest, Pairs
from resolvers.operation.situation import (
    ClientFacts,
    Decision,
    MemberFacts,
    Requested,
    Situation,
)
from resolvers.partner_admin import admitted


class Way(StrEnum):
    """How a person comes into a client."""

    ADMITTED = "ADMITTED"
    """As partner admin, by the client."""
    SUPER_ADMIN = "SUPER_ADMIN"
    """As super admin, by the client."""
    DEPUTY = "DEPUTY"
    """As partner admin, by the lead."""
    REDUCED = "REDUCED"
    """As partner admin without Reports, by the lead."""
    WORKER = "WORKER"
    """From a set, by the lead."""
    UNTIL = "UNTIL"
    """From a set and until a day, by the lead."""
    BY_REDUCED = "BY_REDUCED"
    """From a set, by the partner admin without Reports."""


class Fate(StrEnum):
    """What becomes of the access later."""

    KEPT = "KEPT"
    NARROWED = "NARROWED"
    DEACTIVATED = "DEACTIVATED"
    RETURNED = "RETURNED"
    """Deactivated, and reactivated."""
    REMOVED = "REMOVED"


class Act(Enum):
    """The operations by which it happens, in the order of their moments."""

    ADMIT = (OperationKind.GRANT, "Admitted by the client.")
    GIVE = (OperationKind.GRANT, "Team of the client.")
    GIVE_UNTIL = (OperationKind.GRANT, "Until the contract ends.")
    GIVE_REDUCED = (OperationKind.GRANT, "Help for the campaign.")
    NARROW = (OperationKind.CHANGE, "No reports needed.")
    DEACTIVATE = (OperationKind.DEACTIVATE, "Not needed at present.")
    REACTIVATE = (OperationKind.REACTIVATE, "Needed again.")
    REMOVE = (OperationKind.REMOVE, "Left the client's team.")

    @property
    def kind(self) -> OperationKind:
        """Returns the verb."""
        return self.value[0]

    @property
    def reason(self) -> str:
        """Returns what the operation says about itself."""
        return self.value[1]


ACTS = tuple(Act)

_FROM_SETS = (Way.WORKER, Way.UNTIL, Way.BY_REDUCED)
_OF_WAY = {Way.UNTIL: Act.GIVE_UNTIL, Way.BY_REDUCED: Act.GIVE_REDUCED}
_OF_FATE: dict[Fate, tuple[Act, ...]] = {
    Fate.KEPT: (),
    Fate.NARROWED: (Act.NARROW,),
    Fate.DEACTIVATED: (Act.DEACTIVATE,),
    Fate.RETURNED: (Act.DEACTIVATE, Act.REACTIVATE),
    Fate.REMOVED: (Act.REMOVE,),
}


@dataclass(frozen=True, eq=False)
class Course:
    """The decisions about one person in one client, in order; each course is made once, so that it is compared as an object.

    A decision's ``set_version_id`` is the place of its template: each agency has its own keys for its own sets.
    """

    steps: tuple[tuple[Act, Decision], ...]
    expires: bool

    @cached_property
    def applied(self) -> list[Decision]:
        """Returns the decisions that changed something."""
        return [decision for _, decision in self.steps if decision.status is OutcomeStatus.APPLIED]

    @property
    def is_grant(self) -> bool:
        """Says whether there is a grant at the end, be it a REMOVED one."""
        return bool(self.applied)

    @cached_property
    def is_active(self) -> bool:
        """Says whether it ends as an ACTIVE grant."""
        return self.is_grant and self.applied[-1].after_status is GrantStatus.ACTIVE

    @cached_property
    def is_deactivated(self) -> bool:
        """Says whether it ends as a DEACTIVATED grant."""
        return self.is_grant and self.applied[-1].after_status is GrantStatus.DEACTIVATED

    @cached_property
    def is_partner_admin(self) -> bool:
        """Says whether it ends as an ACTIVE partner admin's grant."""
        return self.is_active and self.applied[-1].after_access_type is AccessType.PARTNER_ADMIN


@cache
def course(way: Way, template: int, fate: Fate, *, verified: bool = True) -> Course:
    """Returns what happens to a person who comes in some way and has some fate."""
    held = _admin()
    if way is Way.BY_REDUCED:
        held = without_reports(held)
    facts = ClientFacts(authority(held, None, catalogue))
    person = MemberFacts(MemberStatus.ACTIVE, verified=verified, is_actor=False)
    first = _first(way, template, facts, person)
    steps = [(Act.ADMIT if way in {Way.ADMITTED, Way.SUPER_ADMIN} else _OF_WAY.get(way, Act.GIVE), first)]
    # Later acts are the lead's again.
    facts = ClientFacts(authority(_admin(), None, catalogue))
    for act in _OF_FATE[fate] if first.status is OutcomeStatus.APPLIED else ():
        before = next(made for _, made in reversed(steps) if made.status is OutcomeStatus.APPLIED)
        requested = Requested(without_reports(before.after)) if act is Act.NARROW else None
        content = templates()[before.set_version_id].state if before.set_version_id is not None else None
        situation = Situation(facts, person, made_by(before), before.after, requested, content)
        steps.append((act, decide(_request(act), situation, catalogue)))
    return Course(tuple(steps), way is Way.UNTIL)


def _admin() -> int:
    return templates()[PARTNER_ADMIN_TEMPLATE].state


def _request(act: Act) -> OperationRequest:
    access = FromSet(None) if act.kind in {OperationKind.GRANT, OperationKind.CHANGE} else None
    return OperationRequest(act.kind, Pairs(()), access=access)


def _first(way: Way, template: int, facts: ClientFacts, person: MemberFacts) -> Decision:
    state = templates()[template].state
    if way is Way.ADMITTED:
        return admitted(state, template, state)
    if way is Way.SUPER_ADMIN:
        made = admitted(SUPER_ADMIN_STATE, template, state)
        return replace(
            made, set_version_id=None, customised=False, after_access_type=AccessType.SUPER_ADMIN, seat=Seat.CORE
        )
    asked = without_reports(state) if way is Way.REDUCED else state
    requested = Requested(asked, template, state)
    return decide(_request(Act.GIVE), Situation(facts, person, None, 0, requested), catalogue)


@cache
def every_state() -> frozenset[int]:
    """Returns every state that a decision of any course names, or that a set contains."""
    admin = PARTNER_ADMIN_TEMPLATE
    of_admins = {course(way, admin, fate) for way in Way if way not in _FROM_SETS for fate in Fate}
    refused = course(Way.DEPUTY, admin, Fate.KEPT, verified=False)
    of_workers = {
        course(way, template.number, fate, verified=verified)
        for way in _FROM_SETS
        for template in templates()
        if template.number != admin
        for fate in Fate
        for verified in (True, False)
    }
    made = [decision for one in {refused, *of_admins, *of_workers} for _, decision in one.steps]
    named = {state for d in made for state in (d.before, d.after, d.requested, d.authority)}
    return frozenset(named | {template.state for template in templates()})
