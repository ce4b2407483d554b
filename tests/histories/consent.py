"""The client's side in the model: whom it lets in, how far, and whom it sends away."""

from dataclasses import replace
from datetime import datetime

from models.grant import AccessType, GrantStatus, Seat
from tests.histories.model import (
    ADMIN,
    ADMIN_SET,
    APPLIED,
    NO_CHANGE,
    SETS,
    Atoms,
    Cell,
    Held,
    Line,
    Model,
    closed,
    largest_closed,
    rejected,
)


def admit(model: Model, cell: Cell, ceiling: Atoms | None, at: datetime) -> Line:
    """The Partner Admin set within the ceiling, added to what is held already (F16, L1 to L4, P08)."""
    own = model.held.get(cell)
    given = largest_closed(SETS[ADMIN_SET] if ceiling is None else SETS[ADMIN_SET] & ceiling)
    after = given if own is None else closed(own.atoms | given)
    if own is not None and own.kind is AccessType.SUPER_ADMIN:
        if own.counts(at):
            return Line(cell, own, rejected("TARGET_IS_SUPER_ADMIN"))
        after = given
    if own is not None and own.is_admin and own.counts(at) and after == own.atoms:
        return Line(cell, own, NO_CHANGE)
    if ADMIN not in after:
        return Line(cell, own, rejected("EXCEEDS_AUTHORITY"))
    made = Held(
        after,
        AccessType.PARTNER_ADMIN,
        Seat.PARTNER,
        version=own.version + 1 if own else 1,
        origin=ADMIN_SET,
        customised=after != SETS[ADMIN_SET],
        teams=own.teams if own else frozenset(),
        birth=own.birth if own else model.give_birth(),
    )
    return Line(cell, own, APPLIED, made)


def lower(cell: Cell, own: Held, ceiling: Atoms) -> Line:
    """The largest closed part of what is held under the ceiling (P08, E24); no ceiling applies to a super admin (R11)."""
    beyond: Atoms = frozenset()
    if own.kind is AccessType.SUPER_ADMIN:
        if own.status is GrantStatus.ACTIVE:
            return Line(cell, own, rejected("TARGET_IS_SUPER_ADMIN"))
        beyond = frozenset({ADMIN})
    after = largest_closed((own.atoms & ceiling) - beyond)
    if after == own.atoms:
        return Line(cell, own, NO_CHANGE)
    kind = AccessType.PARTNER_ADMIN if ADMIN in after else AccessType.STANDARD
    customised = own.origin is not None and after != SETS[own.origin]
    return Line(cell, own, APPLIED, own.become(atoms=after, kind=kind, customised=customised))


def revoke(cell: Cell, own: Held, *, by_super_admin: bool) -> Line:
    """The access ends (P07); only a super admin ends another's (F05)."""
    if own.kind is AccessType.SUPER_ADMIN and own.status is GrantStatus.ACTIVE and not by_super_admin:
        return Line(cell, own, rejected("TARGET_IS_SUPER_ADMIN"))
    return Line(cell, own, APPLIED, replace(own, status=GrantStatus.REMOVED, version=own.version + 1))
