"""What decides over somebody's permissions in a client, as values: the access as it is, and each change that led there."""

from dataclasses import dataclass

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.permission.catalogue import catalogue
from models.permission.mask import effective, seat_mask, tier_mask
from models.permission.state import State


@dataclass(frozen=True, slots=True)
class Place:
    """What the client and the person bring in, with or without access."""

    tiers: frozenset[str]
    ceiling: State | None
    """The most that the partner's people may be given there by now; None for no ceiling (P08)."""
    member: MemberStatus

    @property
    def allowed(self) -> State:
        """Returns what can be given there at all."""
        return catalogue.everything if self.ceiling is None else catalogue.largest_closed_subset(self.ceiling)


@dataclass(frozen=True, slots=True)
class Held:
    """A grant as it is now."""

    status: GrantStatus
    access_type: AccessType
    seat: Seat
    state: State
    expired: bool
    of_set: State | None
    """What the version of the set contains that was given; None without a set."""

    @property
    def counts(self) -> bool:
        """Says whether the access counts at all now."""
        return self.status is GrantStatus.ACTIVE and not self.expired

    def effective(self, place: Place) -> State:
        """Returns what seat and tiers let through of the state (F11)."""
        return effective(self.state, self.seat, place.tiers, catalogue)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a grant, and the decision of the rule behind it, if it is known."""

    before: State
    after: State
    starts: bool
    """Whether the access counts from then on and did not before."""
    ends: bool
    """Whether the access does not count from then on."""
    set_version_id: int | None
    requested: State | None = None
    authority: State | None = None
    dropped: State = 0

    @property
    def withheld(self) -> State:
        """Returns what was requested and not given (F32)."""
        return 0 if self.requested is None else self.requested & ~self.after

    @property
    def retained(self) -> State:
        """Returns what was not requested and stayed all the same (F33)."""
        return 0 if self.requested is None else self.after & ~self.requested


def let_through(held: Held | None, place: Place) -> tuple[State, State]:
    """Returns what the seat lets through, all of it without access, and what the client's tiers do."""
    return catalogue.everything if held is None else seat_mask(held.seat, catalogue), tier_mask(place.tiers, catalogue)
