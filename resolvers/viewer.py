"""Who asks: a value that is found out once, when the request comes in."""

from dataclasses import dataclass
from datetime import datetime

from models.member import ManagerRights, MemberKind
from models.partner import PartnerProgram
from models.tenancy import Tenancy
from resolvers.error import AccessCode, AccessError, RefusalCode, refuse


@dataclass(frozen=True, slots=True)
class Membership:
    """The viewer's place in one partner; only ACTIVE members have one."""

    member_id: int
    partner_id: int
    program: PartnerProgram
    kind: MemberKind
    verified: bool
    rights: ManagerRights
    """EDIT for the partner account's super admins, else the right *Partner employee management* (F02)."""

    @property
    def eligible(self) -> bool:
        """Says whether the partner is in a program that may own access data (F01)."""
        return self.program is not PartnerProgram.NONE

    @property
    def sees(self) -> bool:
        """Says whether the manager is open to the viewer (F01, F02)."""
        return self.eligible and self.rights is not ManagerRights.NONE

    @property
    def acts(self) -> bool:
        """Says whether the viewer may change access (F01, F02)."""
        return self.eligible and self.rights is ManagerRights.EDIT


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person who asks, with what the token allows."""

    user_id: int
    scopes: frozenset[str]
    memberships: tuple[Membership, ...]
    account_ids: tuple[int, ...] = ()
    """The accounts whose own people the viewer was one of when signing in, for the second wall (``tenancy``)."""
    token_expires_at: datetime | None = None
    """When the token ends that was sent; None for never."""

    @property
    def open_partner_ids(self) -> list[int]:
        """Returns the partners whose access data the viewer may see (F01, F02)."""
        return [membership.partner_id for membership in self.memberships if membership.sees]

    @property
    def sight(self) -> tuple[int, ...]:
        """Returns what stands for all that the viewer may be shown of partners: equal for those who may be shown the same."""
        return tuple(self.open_partner_ids)

    @property
    def meant_partner_id(self) -> int | None:
        """Returns the partner that is meant where none is named, 0 for somebody without any; None if it could be several."""
        known = self.open_partner_ids or self.partner_ids
        return None if len(self.open_partner_ids) > 1 else next(iter(known), 0)

    @property
    def partner_ids(self) -> list[int]:
        """Returns all partners the viewer is a member of."""
        return [membership.partner_id for membership in self.memberships]

    @property
    def tenancy(self) -> Tenancy:
        """Returns whose rows the viewer may be shown at all: the wall that stands behind ``resolvers.readable``."""
        return Tenancy(tuple(self.partner_ids), self.account_ids, self.user_id)

    def membership(self, partner_id: int) -> Membership | None:
        """Returns the viewer's place in a partner, if there is one."""
        return next((place for place in self.memberships if place.partner_id == partner_id), None)

    def open_manager(self, partner_id: int) -> Membership:
        """Returns the viewer's place in a partner whose manager is open to them.

        Raises:
            AccessError: NOT_A_PARTNER (F01) or FORBIDDEN (F02).
        """
        place = self.membership(partner_id)
        if place is not None and not place.eligible:
            raise AccessError(
                AccessCode.NOT_A_PARTNER,
                "Only a partner in the Solutions Partner or Provider program has access data.",
            )
        if place is None or not place.sees:
            raise AccessError(
                AccessCode.FORBIDDEN,
                "This needs the right Partner employee management: ask a super admin of the partner account.",
            )
        return place

    def acting(self, partner_id: int) -> Membership:
        """Returns the viewer's place in a partner for which they may change access.

        Raises:
            RefusedError: NOT_A_PARTNER (F01) or FORBIDDEN (F02).
        """
        place = self.membership(partner_id)
        if place is not None and not place.eligible:
            raise refuse(
                RefusalCode.NOT_A_PARTNER,
                "Only a partner in the Solutions Partner or Provider program can manage access.",
            )
        if place is None or not place.acts:
            raise refuse(
                RefusalCode.FORBIDDEN,
                "This needs the right Partner employee management with EDIT: ask a super admin of the partner account.",
            )
        return place
