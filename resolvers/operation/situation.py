"""What decides over a cell, as values: cells that agree in all of it are one situation, and there are few."""

from dataclasses import dataclass, replace
from enum import StrEnum

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberKind, MemberStatus
from models.operation import OutcomeStatus
from models.permission.catalogue import Catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from resolvers.operation.lockdown import Lockdown
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.term import Term
from resolvers.operation.wish import Wish

OWN_PERSON = "OWN"
"""Stands in the place of a grant's facts for one of the account's own people without a grant of the partner's (M8)."""
VANISHED = "VANISHED"
"""Stands in the place of a grant's facts where the caller has seen one that is not there any more (P28)."""


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
    lockdown: Lockdown | None = None
    """What access must be exactly, where it is locked to permission sets and permissions are asked for (P27)."""
    term: Term = Term()  # noqa: RUF009 an immutable value
    """How the end that is asked for lies to what is allowed here (P04)."""


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What a person brings into the decision."""

    status: MemberStatus
    verified: bool
    is_actor: bool
    default_version_id: int | None = None
    """The newest version of the person's default set, where it decides (F51)."""
    kind: MemberKind | None = None
    """How the person works for the partner, where it decides (F37)."""
    keeps_billing: bool | None = None
    """What a migration does with the person's billing permissions, if anything is said about the person (F43)."""


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
    in_foreign_team: bool = False
    """The person is in a team that the actor is not in and may not edit, where it decides (E6)."""
    reviewed: bool = False
    """It is as the review of its removal showed it (F38)."""
    blocked: bool = False
    """Its holder's assets are to go to somebody who is not active there (F39)."""
    keeps_billing: bool | None = None
    """What a migration does with the billing permissions here, if anything is said about this client (F43)."""

    @classmethod
    def of_key(cls, key: str) -> "GrantFacts | None":
        """Returns the facts that ``resolvers.operation.cell.grant_key`` packed; None for no grant of the partner's."""
        if key in {"", OWN_PERSON, VANISHED}:
            return None
        status, access_type, seat, state_id, version_id, customised, *rest = key.split()
        expired, conflict, expiry, teams, takes, inside, reviewed, blocked, billing = rest
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
            takes_foreign_team=takes == "1",
            in_foreign_team=inside == "1",
            reviewed=reviewed == "1",
            blocked=blocked == "1",
            keeps_billing=None if billing == "-" else billing == "1",
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
    no_set: bool = False
    """Without a set, none is to be remembered, and not the one that the grant came from (N06)."""
    archived: bool = False
    """The set can be given to nobody any more; an undo puts it back, but not where access is locked to sets (P27)."""


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
    is_own_person: bool = False
    """Without a grant of the partner's, but one of the account's own people, where it decides (M8)."""
    wish: Wish | None = None
    """What is wanted here, where each cell has a wish of its own (P28)."""
    vanished: bool = False
    """The grant on which the wish was made is not there any more."""
    term: Term = Term()  # noqa: RUF009 an immutable value
    """How the end that is asked for here lies to what is allowed (P04)."""

    def reaches_by_team(self, gained: State, after: State, catalogue: Catalogue) -> bool:
        """Says whether the person would see, at TEAM level, records of a team that the actor is not in (E6)."""
        if self.grant is None or not self.grant.in_foreign_team:
            return False
        return any(
            level is PermissionLevel.TEAM and catalogue.level(after, key) is PermissionLevel.TEAM
            for key, level in catalogue.atoms(gained)
        )

    def known(self) -> "Decision":
        """Returns a rejection that tells what there is; for it to say that nothing was withheld, it asks for just that."""
        before, grant = self.before, self.grant
        known = Decision(
            status=OutcomeStatus.REJECTED,
            before=before,
            after=before,
            requested=before,
            authority=self.client.authority or 0,
        )
        if grant is None:
            return known
        return replace(
            known,
            before_status=grant.status,
            before_access_type=grant.access_type,
            before_seat=grant.seat,
            before_set_version_id=grant.set_version_id,
            after_status=grant.status,
            after_access_type=grant.access_type,
            seat=grant.seat,
            set_version_id=grant.set_version_id,
            customised=grant.customised,
        )


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
    def held_before(self) -> State:
        """Returns what counted before: the state is kept while access is deactivated, and counts for nothing."""
        return self.before if self.before_status is GrantStatus.ACTIVE else 0

    @property
    def held_after(self) -> State:
        """Returns what counts afterwards."""
        return self.after if self.after_status is GrantStatus.ACTIVE else 0

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

    @property
    def lives_on(self) -> bool:
        """Says whether the cell leaves a grant that is not removed."""
        return self.status is OutcomeStatus.APPLIED and self.after_status is not GrantStatus.REMOVED

    @property
    def loses_super_admin(self) -> bool:
        """Says whether the cell takes an ACTIVE super admin out of the account, unless their access had expired (F42)."""
        kept = (GrantStatus.ACTIVE, AccessType.SUPER_ADMIN)
        was, becomes = (
            (self.before_status, self.before_access_type) == kept,
            (self.after_status, self.after_access_type) == kept,
        )
        return self.status is OutcomeStatus.APPLIED and was and not becomes
