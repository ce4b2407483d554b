"""What a decision has left undone because whoever asked could not do it, and what somebody must hold who is to do it (N02)."""

from dataclasses import dataclass
from functools import lru_cache

from models.grant import AccessType, GrantStatus, Seat
from models.operation import OperationKind, OutcomeStatus
from models.permission.catalogue import catalogue
from models.permission.rule import Change, apply_rule
from models.permission.state import State
from resolvers.hand_off.asked import Asked
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision
from resolvers.operation.team import EDIT_TEAMS

_CARRIED_OUT = {OutcomeStatus.APPLIED, OutcomeStatus.NOOP}


@dataclass(frozen=True, slots=True)
class Undone:
    """What is left to be done of one decision."""

    withheld: State
    retained_actor_lacks: State
    retained_required: State
    need: State
    """What an ACTIVE partner admin there must be able to give and take to do all of it; nothing, if any of them can."""
    for_verified: bool = False
    """Whether only somebody with a verified address can be given it (F09, F12)."""

    def is_for(self, *, verified: bool) -> bool:
        """Says whether it can be given to somebody whose address is verified, or is not."""
        return verified or not self.for_verified


@lru_cache(1 << 14)
def undone(decision: Decision, asked: Asked) -> Undone | None:
    """Returns what is left to be done by somebody with more authority; None if there is nothing.

    Not only what was withheld or retained: whoever is to do all of what was rejected must hold the rest of it too.
    """
    if asked.past:
        return None
    closed = catalogue.largest_closed_subset
    before, requested = closed(decision.before), closed(decision.requested)
    change = apply_rule(before, requested, closed(decision.authority), catalogue)
    if decision.status in _CARRIED_OUT:
        # What the client or the service itself has changed has no authority beside it, and is done.
        change = Change(
            after=decision.after,
            granted=change.granted,
            revoked=change.revoked,
            withheld=change.withheld & ~decision.after,
            retained_actor_lacks=change.retained_actor_lacks & decision.after,
            retained_required=change.retained_required & decision.after,
        )
        return _of(decision, asked, change, change.withheld | change.retained) if change.exceeds_authority else None
    moved = before | requested if _moves_all(decision, asked) else before ^ requested
    if decision.code is OutcomeCode.NOT_PARTNER_ADMIN:
        return None if _is_hindered(decision, asked) else _of(decision, asked, change, moved)
    if decision.code is OutcomeCode.EXCEEDS_AUTHORITY:
        # Without anything withheld or retained it was the seat or the expiry that was too much, and those move any of it.
        return _of(decision, asked, change, moved if change.exceeds_authority else before | requested)
    if decision.code is OutcomeCode.LOCKED_TO_SETS and change.exceeds_authority:
        # A permitted set, of which whoever asked could give a part only: less than the set is no set (P27).
        return _of(decision, asked, change, moved)
    return None


def _is_hindered(decision: Decision, asked: Asked) -> bool:
    """Says whether authority alone would not do: that it is missing is told before any other reason is."""
    status, is_super_admin = decision.before_status, decision.before_access_type is AccessType.SUPER_ADMIN
    match asked.kind:
        case OperationKind.MIGRATE:
            return status is not GrantStatus.ACTIVE or not is_super_admin
        case OperationKind.REACTIVATE:
            return status is not GrantStatus.DEACTIVATED
        case OperationKind.GRANT if status is None:
            # Nobody is added with nothing, as where a person has no default set.
            return not decision.requested
        case OperationKind.GRANT | OperationKind.CHANGE | OperationKind.ASSIGN_TEAMS | OperationKind.REAPPLY:
            off = status is GrantStatus.DEACTIVATED and not asked.extends
            no_set = asked.by_default and decision.requested == decision.before
            return status is None or off or is_super_admin or asked.skips or no_set
        case _:
            return False


def _moves_all(decision: Decision, asked: Asked) -> bool:
    """Says whether more than the difference is given or taken: another seat or expiry gives or takes any of the access."""
    lifted = bool(decision.requested & catalogue.partner_admin) and decision.before_seat is Seat.CORE
    if decision.before_status is None or asked.kind is OperationKind.MIGRATE:
        # Migration is the exception to the rule: any partner admin there may (M7, M10).
        return False
    return asked.term or asked.seat is not None or lifted


def _of(decision: Decision, asked: Asked, change: Change, need: State) -> Undone:
    becomes_admin = bool(decision.requested & ~decision.after & catalogue.partner_admin)
    was_admin = asked.kind is OperationKind.REACTIVATE and decision.before_access_type is AccessType.PARTNER_ADMIN
    return Undone(
        change.withheld,
        change.retained_actor_lacks,
        change.retained_required,
        need | EDIT_TEAMS if asked.teams else need,
        becomes_admin or was_admin or asked.seat is Seat.PARTNER or asked.kind is OperationKind.MIGRATE,
    )
