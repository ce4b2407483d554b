"""What decides over a cell, as values: cells that agree in all of it are one situation, and there are few."""

from dataclasses import dataclass
from enum import StrEnum

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.operation import OutcomeStatus
from models.permission.state import State
from resolvers.operation.outcome_code import OutcomeCode


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What a client brings into the decision."""

    authority: State | None
    """G of the actor here (spec 2.2); None when the actor is no ACTIVE partner admin here (F04)."""
    refusal: OutcomeCode | None = None
    """Why the request cannot be carried out here for anybody: a foreign set, a team that the actor does not hold."""
    tiers: frozenset[str] | None = None
    """The product tiers, where they decide: a copy drops what they lack (E27)."""
    lacks_set: bool = False
    """The copied grant came from another client's own set, which is unknown here (F49)."""
    dropped_teams: tuple[int, ...] = ()
    """The copied grant's teams that this client does not have (E27)."""


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What a person brings into the decision."""

    status: MemberStatus
    verified: bool
    is_actor: bool
    default_version_id: int | None = None
    """The newest version of the person's default set, where it decides (F51)."""


class ExpiryChange(StrEnum):
    """What a request makes of a grant's expiry."""

    SAME = "SAME"
    EARLIER = "EARLIER"
    LATER = "LATER"
    """Later, or never."""


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """What the grant that is there already brings into the decision."""

    status: GrantStatus
    access_type: AccessType
    seat: Seat
    state_id: int
    set_version_id: int | None
    customised: bool
    expired: bool
    """Its expiry has passed; what becomes of it then is carried out later (P04)."""
    conflict: bool
    """The caller expected another version (P03)."""
    expiry: ExpiryChange
    """How the expiry that is asked for lies to the grant's own."""
    other_teams: bool
    """Teams are asked for, and the grant has others."""
    takes_foreign_team: bool
    """The request takes the person out of a team that the actor is not in and may not edit (F54)."""

    @classmethod
    def of_key(cls, key: str) -> "GrantFacts | None":
        """Returns the facts that ``resolvers.operation.cell.grant_key`` packed; None for no grant."""
        if not key:
            return None
        status, access_type, seat, state_id, version_id, customised, expired, conflict, expiry, teams, foreign = (
            key.split()
        )
        return cls(
            status=GrantStatus(status),
            access_type=AccessType(access_type),
            seat=Seat(seat),
            state_id=int(state_id),
            set_version_id=int(version_id) or None,
            customised=customised == "1",
            expired=expired == "1",
            conflict=conflict == "1",
            expiry=ExpiryChange(expiry),
            other_teams=teams == "1",
            takes_foreign_team=foreign == "1",
        )


@dataclass(frozen=True, slots=True)
class Requested:
    """The access that is asked for: R of spec 2.2, and the set it comes from."""

    state: State
    set_version_id: int | None = None
    set_state: State | None = None
    """What the set contains, to say whether the result was customised (F13)."""
    dropped: State = 0
    """What a copied grant had and this client cannot have (E27)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides over a cell, looked up: the input of ``decide``."""

    client: ClientFacts
    member: MemberFacts
    grant: GrantFacts | None
    before: State
    """P of spec 2.2: the target's state, empty without a grant."""
    requested: Requested | OutcomeCode | None
    """None leaves the permissions as they are."""
    template: State | None = None
    """What the version of the set contains from which the grant came, where it decides (F13)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of the cells of a situation."""

    status: OutcomeStatus
    code: OutcomeCode | None = None
    before: State = 0
    after: State = 0
    requested: State = 0
    authority: State = 0
    dropped: State = 0
    dropped_teams: tuple[int, ...] = ()
    before_status: GrantStatus | None = None
    before_access_type: AccessType | None = None
    before_seat: Seat | None = None
    before_set_version_id: int | None = None
    after_status: GrantStatus | None = None
    after_access_type: AccessType | None = None
    seat: Seat | None = None
    set_version_id: int | None = None
    customised: bool = False
    shortened: bool = False
    """The access ends earlier than before."""

    @property
    def was_partner_admin(self) -> bool:
        """Says whether the grant was an ACTIVE partner admin's, expired or not."""
        return (self.before_status, self.before_access_type) == (GrantStatus.ACTIVE, AccessType.PARTNER_ADMIN)

    @property
    def leaves_partner_admin(self) -> bool:
        """Says whether the cell leaves an ACTIVE partner admin; one whose access was just shortened does not last (N04)."""
        becomes = (self.after_status, self.after_access_type) == (GrantStatus.ACTIVE, AccessType.PARTNER_ADMIN)
        return self.status is OutcomeStatus.APPLIED and becomes and not self.shortened

    @property
    def loses_partner_admin(self) -> bool:
        """Says whether the cell takes an ACTIVE partner admin out of the client (N04)."""
        applied = self.status is OutcomeStatus.APPLIED
        return applied and self.was_partner_admin and not self.leaves_partner_admin
