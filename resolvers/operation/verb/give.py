"""The rules of granting and changing, as one pure function of a situation (F04, F09, F12, F32, F33, E1–E26)."""

from collections.abc import Iterator
from dataclasses import replace

from models.grant import AccessType, GrantStatus, Seat
from models.member import MemberStatus
from models.operation import OperationKind, OutcomeStatus, RuleMode
from models.permission.catalogue import Catalogue
from models.permission.mask import seat_mask
from models.permission.rule import Change, apply_rule
from models.permission.state import State
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OnExisting, OperationRequest
from resolvers.operation.situation import Decision, ExpiryChange, GrantFacts, Requested, Situation
from resolvers.operation.wish import Wish, WishForm


def give(request: OperationRequest, situation: Situation, catalogue: Catalogue) -> Decision:
    """Returns what giving or changing access makes of every cell in a situation."""
    known = situation.known()
    if situation.member.is_actor and not request.options.include_self:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.SELF_EXCLUDED)
    refusal = next(_refusals(request, situation), None)
    if refusal is OutcomeCode.ALREADY_GRANTED:
        return replace(known, status=OutcomeStatus.NOOP, code=refusal)
    if refusal in {OutcomeCode.NOT_PARTNER_ADMIN, OutcomeCode.TEAM_NOT_HELD}:
        # The outcome says what somebody with authority there, or over the team, could do.
        return replace(_asked(situation, known), code=refusal)
    if refusal is not None:
        return replace(known, code=refusal)
    if request.extends and situation.grant is not None and situation.grant.expiry is not ExpiryChange.LATER:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.NO_CHANGE)
    return _carry_out(request, situation, known, catalogue)


def _asked(situation: Situation, known: Decision) -> Decision:
    """Returns the same with what was asked for."""
    requested = situation.requested
    if not isinstance(requested, Requested):
        return known
    return replace(
        known,
        requested=requested.state,
        dropped=requested.dropped,
        dropped_teams=situation.client.dropped_teams,
    )


def _refusals(request: OperationRequest, situation: Situation) -> Iterator[OutcomeCode]:
    """Yields why the cell cannot be carried out, whatever the permissions are; the first reason counts."""
    member, grant = situation.member, situation.grant
    if situation.client.authority is None:
        yield OutcomeCode.NOT_PARTNER_ADMIN
    if member.status is not MemberStatus.ACTIVE:
        yield OutcomeCode.NOT_A_MEMBER if member.status is MemberStatus.LEFT else OutcomeCode.NOT_ACTIVE
    if grant is not None:
        yield from _refusals_of_existing(request, grant, situation.wish)
    elif request.kind is not OperationKind.GRANT:
        yield OutcomeCode.NOT_FOUND
    if situation.client.refusal is not None:
        yield situation.client.refusal
    if situation.term.too_late and (grant is None or grant.expiry is not ExpiryChange.SAME):
        yield OutcomeCode.EXPIRY_TOO_LATE
    if isinstance(situation.requested, OutcomeCode):
        yield situation.requested
    if request.seat is Seat.PARTNER and not member.verified:
        yield OutcomeCode.SEAT_NOT_ELIGIBLE


def _refusals_of_existing(request: OperationRequest, grant: GrantFacts, wish: Wish | None) -> Iterator[OutcomeCode]:
    """Yields why the grant that is there already cannot be changed; what was extended while deactivated, an undo shortens (N06)."""
    if grant.status is GrantStatus.DEACTIVATED and not (request.extends or restores(wish)):
        yield OutcomeCode.DEACTIVATED
    if grant.expired and grant.expiry is not ExpiryChange.LATER:
        yield OutcomeCode.EXPIRED
    if request.kind is OperationKind.GRANT and request.on_existing is OnExisting.SKIP:
        yield OutcomeCode.ALREADY_GRANTED
    if grant.conflict:
        yield OutcomeCode.CONFLICT
    if grant.access_type is AccessType.SUPER_ADMIN:
        # Only migration lowers a super admin: it keeps the last one in place and says what becomes of billing (F42).
        yield OutcomeCode.TARGET_IS_SUPER_ADMIN
    if grant.takes_foreign_team:
        yield OutcomeCode.TEAM_NOT_HELD


def restores(wish: Wish | None) -> bool:
    """Says whether what was there before is brought back (N06)."""
    return wish is not None and wish.form is WishForm.RESTORE


def _carry_out(request: OperationRequest, situation: Situation, known: Decision, catalogue: Catalogue) -> Decision:
    """Applies the bounded rule and works out seat, access type and what the grant remembers of its set."""
    asked = _asked(situation, known)
    change = apply_rule(situation.before, asked.requested, asked.authority, catalogue)
    if request.options.mode is RuleMode.STRICT and change.exceeds_authority:
        return replace(asked, code=OutcomeCode.EXCEEDS_AUTHORITY)
    if _breaks_lockdown(situation, change):
        # What is no permitted set nobody could give, whatever they have: then nothing was withheld.
        return replace(asked if _is_permitted_set(situation) else known, code=OutcomeCode.LOCKED_TO_SETS)
    is_partner_admin = bool(change.after & catalogue.partner_admin)
    becomes_partner_admin = bool(_comes_to_count(situation, change) & catalogue.partner_admin)
    seat = _seat(request, situation, is_partner_admin=is_partner_admin)
    refusal = None
    if situation.reaches_by_team(_gained(situation, change, seat, catalogue), change.after, catalogue):
        refusal = OutcomeCode.TEAM_NOT_HELD
    elif is_partner_admin and becomes_partner_admin and not situation.member.verified:
        refusal = OutcomeCode.NOT_VERIFIED
    elif is_partner_admin and request.seat not in {None, Seat.PARTNER}:
        refusal = OutcomeCode.SEAT_NOT_ELIGIBLE
    if refusal is not None:
        return replace(asked if refusal is OutcomeCode.TEAM_NOT_HELD else known, code=refusal)
    if _exceeds(situation, change, seat, catalogue):
        return replace(asked, code=OutcomeCode.EXCEEDS_AUTHORITY)
    set_version_id, customised = _remembered(situation, change)
    decision = replace(
        asked,
        status=OutcomeStatus.APPLIED,
        code=OutcomeCode.EXPIRY_SET if situation.grant is None and situation.term.is_set else None,
        after=change.after,
        after_status=GrantStatus.ACTIVE if situation.grant is None else situation.grant.status,
        after_access_type=AccessType.PARTNER_ADMIN if is_partner_admin else AccessType.STANDARD,
        seat=seat,
        set_version_id=set_version_id,
        customised=customised,
        shortened=situation.grant is not None and situation.grant.expiry is ExpiryChange.EARLIER,
    )
    if _changes_nothing(request, situation, decision, change):
        return replace(asked, status=OutcomeStatus.NOOP, code=OutcomeCode.NO_CHANGE)
    return decision


def _comes_to_count(situation: Situation, change: Change) -> State:
    """Returns what is granted, which is all of it where access had expired and lasts longer now (F09)."""
    grant = situation.grant
    revives = grant is not None and grant.expired and grant.expiry is ExpiryChange.LATER
    return change.after if revives else change.granted


def _breaks_lockdown(situation: Situation, change: Change) -> bool:
    """Says whether the result would not be exactly a permitted set where access is locked to sets (P27).

    There nothing is clamped: less than the set, or more, is no set. What stays as it is breaks nothing, customised or not.
    """
    lockdown, requested, grant = situation.client.lockdown, situation.requested, situation.grant
    if lockdown is None or not isinstance(requested, Requested):
        return False
    same_set = requested.set_version_id == (grant.set_version_id if grant else None)
    same_set = same_set or (requested.set_version_id is None and not requested.no_set)
    if change.is_noop and requested.state == situation.before and same_set:
        return False
    return requested.state != change.after or not _is_permitted_set(situation)


def _is_permitted_set(situation: Situation) -> bool:
    """Says whether exactly a set is asked for that is permitted where access is locked to sets."""
    lockdown, requested = situation.client.lockdown, situation.requested
    if lockdown is None or not isinstance(requested, Requested) or requested.state != requested.set_state:
        return False
    return not requested.archived and lockdown.permits(requested.set_version_id)


def _seat(request: OperationRequest, situation: Situation, *, is_partner_admin: bool) -> Seat:
    """Returns the seat: a partner admin's is always PARTNER, one that is there stays, an eligible person's is free (F12)."""
    if is_partner_admin:
        return Seat.PARTNER
    if request.seat is not None:
        return request.seat
    if situation.grant is not None:
        return situation.grant.seat
    return Seat.PARTNER if situation.member.verified else Seat.CORE


def _gained(situation: Situation, change: Change, seat: Seat, catalogue: Catalogue) -> State:
    """Returns what the person comes to hold: what is granted, what another seat lets through, and all that a later expiry gives."""
    grant = situation.grant
    if grant is None:
        return change.granted
    if grant.expiry is ExpiryChange.LATER:
        return change.after
    through, before = seat_mask(seat, catalogue), seat_mask(grant.seat, catalogue)
    return change.granted | (change.after & through & ~(situation.before & before))


def _exceeds(situation: Situation, change: Change, seat: Seat, catalogue: Catalogue) -> bool:
    """Says whether seat or expiry would give or take more than the actor has, past the rule that the states obey (I1, I2).

    A seat lets only some of the stored permissions through, so another seat gives or takes those between the two. A later expiry
    gives all of the access again: nobody gives that to themselves. An earlier one only takes, as deactivating does (F34).
    """
    grant, beyond = situation.grant, ~(situation.client.authority or 0)
    if grant is None:
        return False
    moved = (change.after & seat_mask(seat, catalogue)) ^ (situation.before & seat_mask(grant.seat, catalogue))
    extends = grant.expiry is ExpiryChange.LATER
    return bool(moved & beyond) or (extends and (situation.member.is_actor or bool(change.after & beyond)))


def _remembered(situation: Situation, change: Change) -> tuple[int | None, bool]:
    """Returns the set version that the grant came from, and whether it differs from it (F13)."""
    requested, grant = situation.requested, situation.grant
    if isinstance(requested, Requested) and requested.set_version_id is not None:
        return requested.set_version_id, change.after != requested.set_state
    forgets = isinstance(requested, Requested) and requested.no_set and change.after == requested.state
    if grant is None or grant.set_version_id is None or forgets:
        return None, False
    if situation.template is None:
        return grant.set_version_id, grant.customised or change.after != situation.before
    return grant.set_version_id, change.after != situation.template


def _changes_nothing(request: OperationRequest, situation: Situation, decision: Decision, change: Change) -> bool:
    """Says whether the grant would stay as it is (E26): then there is no entry, no mail and no new version."""
    grant = situation.grant
    if change.after != situation.before:
        return False
    if grant is None:
        # Nobody is added with nothing: what was asked for is reported as withheld.
        return True
    # Under a lockdown it matters from which set access comes, also where another one contains the same.
    remembers = request.kind is OperationKind.REAPPLY or situation.client.lockdown is not None
    requested = situation.requested
    if restores(situation.wish) and isinstance(requested, Requested) and change.after != requested.state:
        # An undo puts the link back with the permissions, and not instead of them: it says whose access it is (N06, P09).
        remembers = False
    newer_version = remembers and decision.set_version_id != grant.set_version_id
    return not (
        newer_version or grant.expiry is not ExpiryChange.SAME or grant.other_teams or decision.seat is not grant.seat
    )
