"""The bounded rule: nobody gives or takes what they do not have themselves (spec 2.2, F32, F33)."""

from dataclasses import dataclass
from functools import lru_cache

from models.permission.catalogue import Catalogue
from models.permission.error import UnclosedStateError
from models.permission.state import State

_KEPT_ANSWERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Change:
    """What the rule makes of a request; every field but `after` is a set of atoms for reporting."""

    after: State
    granted: State
    revoked: State
    withheld: State
    retained_actor_lacks: State
    retained_required: State

    @property
    def retained(self) -> State:
        """What stays although it was not requested, for either reason."""
        return self.retained_actor_lacks | self.retained_required

    @property
    def exceeds_authority(self) -> bool:
        """Whether mode STRICT rejects this outcome with EXCEEDS_AUTHORITY."""
        return bool(self.withheld or self.retained)

    @property
    def is_noop(self) -> bool:
        """Whether the target's state stays as it is (NO_CHANGE, E26)."""
        return not self.granted and not self.revoked


def authority(actor_state: State, ceiling: State | None, catalogue: Catalogue) -> State:
    """Returns what an ACTIVE partner admin may give and take in a client (spec 2.2).

    The largest closed subset, not the closure: with the closure an actor could give what they lack (E8). Whether there
    is any authority at all (F02, F04) is for the caller to say.
    """
    held = actor_state if ceiling is None else actor_state & ceiling
    return catalogue.largest_closed_subset(held & catalogue.delegable)


def apply_rule(target: State, requested: State, authority: State, catalogue: Catalogue) -> Change:
    """Returns P′ = ↓((P without G) ∪ (R ∩ G)) and how it differs (I1 to I9), keeping each distinct answer.

    Raises UnclosedStateError for a target or request that is not valid: closing it here would give what nobody may give.
    """
    return _apply(target, requested, authority, catalogue)


@lru_cache(_KEPT_ANSWERS)
def _apply(target: State, requested: State, authority: State, catalogue: Catalogue) -> Change:
    for name, state in (("target", target), ("requested", requested), ("authority", authority)):
        if not catalogue.is_valid(state):
            raise UnclosedStateError(name, catalogue.missing(state))
    after = catalogue.closure((target & ~authority) | (requested & authority))
    retained = after & ~requested
    return Change(
        after=after,
        granted=after & ~target,
        revoked=target & ~after,
        withheld=requested & ~target & ~authority,
        retained_actor_lacks=retained & ~authority,
        retained_required=retained & authority,
    )
