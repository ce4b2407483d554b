"""What an edit of a client's own set makes of one grant that was given it, as a pure function (F49, E24)."""

from dataclasses import dataclass, replace

from models.grant import AccessType, Seat
from models.operation import OutcomeStatus
from models.permission.catalogue import catalogue
from models.permission.rebase import rebase
from models.permission.state import State
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OnCustomised
from resolvers.operation.situation import Decision


@dataclass(frozen=True, slots=True)
class NewVersion:
    """The content of a set from now on."""

    id: int
    state: State


@dataclass(frozen=True, slots=True)
class Holding:
    """What decides over a grant beside what it contains."""

    template: State
    """What the version of the set contains from which it came."""
    ceiling: State | None
    """The most that the partner's people may hold; None for no ceiling (P08)."""
    verified: bool
    eligible: bool
    """Whether the partner is in a program that may have partner admins (F01)."""
    locked: bool
    """Whether access there must be exactly a set (P27)."""
    own: bool
    """Whether it is the access of whoever edits, on behalf of a partner."""


def bring_up(as_is: Decision, holding: Holding, to: NewVersion, on_customised: OnCustomised) -> Decision:
    """Returns what becomes of a living grant: the client is the authority, so nobody's own permissions bound it.

    What the grant has beyond the set, and less, stays so, unless the client says RESET. The ceiling bounds what is new; what lies
    above it already stays until the client enforces it (E24). DEACTIVATED access counts for nothing and is brought up all the same,
    so that it comes back as the client wants it. Nobody's edit raises access of their own: it waits for somebody else's.

    Args:
        as_is: the decision that leaves the grant as it is.
        holding: what decides beside it.
        to: the version that it is brought to.
        on_customised: what becomes of a grant's differences.
    """
    held = catalogue.largest_closed_subset(as_is.before)
    keeps = as_is.customised and on_customised is OnCustomised.KEEP
    after = rebase(held, holding.template, to.state, catalogue) if keeps else to.state
    if holding.ceiling is not None:
        after = catalogue.largest_closed_subset(after & (held | holding.ceiling))
    if after == as_is.before and as_is.set_version_id == to.id:
        return as_is
    refusal = _refusal(holding, held, after, to)
    if refusal is not None:
        return replace(as_is, status=OutcomeStatus.REJECTED, code=refusal)
    is_partner_admin = bool(after & catalogue.partner_admin)
    return replace(
        as_is,
        status=OutcomeStatus.APPLIED,
        code=None,
        after=after,
        requested=after,
        after_access_type=AccessType.PARTNER_ADMIN if is_partner_admin else AccessType.STANDARD,
        seat=Seat.PARTNER if is_partner_admin else as_is.seat,
        set_version_id=to.id,
        customised=after != to.state,
    )


def _refusal(holding: Holding, held: State, after: State, to: NewVersion) -> OutcomeCode | None:
    """Returns why the grant stays on the version that it has, and is listed as outdated."""
    if holding.own and after & ~held:
        return OutcomeCode.EXCEEDS_AUTHORITY
    if holding.locked and after != to.state:
        return OutcomeCode.LOCKED_TO_SETS
    if not after & ~held & catalogue.partner_admin:
        return None
    if not holding.eligible:
        return OutcomeCode.NOT_A_PARTNER
    return None if holding.verified else OutcomeCode.NOT_VERIFIED
