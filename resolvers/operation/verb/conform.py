"""Bringing access to what a cell of an access matrix says, as one pure function of a situation (P28)."""

from dataclasses import replace

from models.grant import AccessType, GrantStatus
from models.operation import OutcomeStatus
from models.permission.catalogue import Catalogue
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OperationRequest
from resolvers.operation.situation import Decision, ExpiryChange, GrantFacts, Situation
from resolvers.operation.verb.give import give
from resolvers.operation.wish import Wish, WishForm


def conform(request: OperationRequest, situation: Situation, wish: Wish, catalogue: Catalogue) -> Decision:
    """Returns what becomes of every cell in a situation with a wish of its own.

    What is as wished needs nobody's authority, and matters not how it came to be so; anything else must be as it was seen.
    """
    known, grant = situation.known(), situation.grant
    if situation.member.is_actor and not request.options.include_self:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.SELF_EXCLUDED)
    if _is_met(wish, grant):
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.NO_CHANGE)
    decision = _brought_about(request, situation, wish, catalogue)
    stale = situation.vanished or (grant is not None and grant.conflict)
    if stale and decision.status is not OutcomeStatus.NOOP:
        return replace(known, code=OutcomeCode.CONFLICT)
    return decision


def _brought_about(request: OperationRequest, situation: Situation, wish: Wish, catalogue: Catalogue) -> Decision:
    grant = situation.grant
    if wish.form is WishForm.NONE:
        return replace(situation.known(), code=OutcomeCode.REMOVAL_NEEDS_REVIEW)
    cannot_be_given = wish.form is WishForm.KEEP and not _describes(wish, grant)
    ends = wish.status is GrantStatus.DEACTIVATED and (grant is None or grant.status is GrantStatus.ACTIVE)
    if cannot_be_given or ends:
        return replace(situation.known(), code=OutcomeCode.NOT_BY_MATRIX)
    # Whether what was seen is still there is judged afterwards: it does not matter where nothing would change.
    judged = situation if grant is None else replace(situation, grant=replace(grant, conflict=False))
    return give(replace(request, seat=wish.seat), judged, catalogue)


def _is_met(wish: Wish, grant: GrantFacts | None) -> bool:
    """Says whether all is as wished."""
    if grant is None or wish.form is WishForm.NONE:
        return grant is None and wish.form is WishForm.NONE
    as_said = wish.status in {None, grant.status} and wish.seat in {None, grant.seat}
    return as_said and grant.expiry is ExpiryChange.SAME and _describes(wish, grant)


def _describes(wish: Wish, grant: GrantFacts | None) -> bool:
    """Says whether the permissions are what is wished: by set and version, and whether they differ from that."""
    if grant is None:
        return False
    is_super_admin = grant.access_type is AccessType.SUPER_ADMIN
    if wish.super_admin or is_super_admin:
        return wish.super_admin and is_super_admin
    # Without a set there is nothing from which it could differ.
    customised = wish.set_version_id is None or wish.customised is grant.customised
    return wish.set_version_id == grant.set_version_id and customised
