"""What a decision has left undone because whoever asked could not do it (N02)."""

from dataclasses import dataclass
from functools import lru_cache

from models.operation import OutcomeStatus
from models.permission.catalogue import catalogue
from models.permission.rule import Change, apply_rule
from models.permission.state import State
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision

CARRIED_OUT = {OutcomeStatus.APPLIED, OutcomeStatus.NOOP}
_FOR_LACK_OF_AUTHORITY = {
    OutcomeCode.NOT_PARTNER_ADMIN,
    OutcomeCode.ACTOR_LOST_AUTHORITY,
    OutcomeCode.EXCEEDS_AUTHORITY,
    OutcomeCode.TEAM_NOT_HELD,
    # A permitted set, of which whoever asked could give a part only: less than the set is no set (P27).
    OutcomeCode.LOCKED_TO_SETS,
}
"""Why an outcome is rejected that somebody else might have brought about."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What is left to be done of one decision, as far as it is permissions."""

    withheld: State
    retained_actor_lacks: State
    retained_required: State


@lru_cache(1 << 14)
def undone(decision: Decision) -> Undone | None:
    """Returns what is left to be done; None if that is nothing, or it was not for lack of authority.

    Whether anybody can do it is another question: see ``resolvers.hand_off.judge``.
    """
    change = change_of(decision)
    if decision.status in CARRIED_OUT:
        # What the client or the service itself has changed has no authority beside it, and is done.
        withheld = change.withheld & ~decision.after
        lacks, required = change.retained_actor_lacks & decision.after, change.retained_required & decision.after
        return Undone(withheld, lacks, required) if withheld | lacks | required else None
    if decision.code not in _FOR_LACK_OF_AUTHORITY:
        return None
    return Undone(change.withheld, change.retained_actor_lacks, change.retained_required)


def change_of(decision: Decision) -> Change:
    """Returns what the bounded rule says of what was asked for."""
    closed = catalogue.largest_closed_subset
    return apply_rule(closed(decision.before), closed(decision.requested), closed(decision.authority), catalogue)
