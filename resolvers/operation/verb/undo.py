"""Taking back what an operation did, as one pure function of a situation (N06)."""

from dataclasses import replace

from models.grant import GrantStatus
from models.operation import OperationKind, OutcomeStatus
from models.permission.catalogue import Catalogue
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OnExisting, OperationRequest
from resolvers.operation.situation import Decision, ExpiryChange, Situation
from resolvers.operation.verb.deactivate import deactivate
from resolvers.operation.verb.give import give
from resolvers.operation.verb.reactivate import reactivate
from resolvers.operation.verb.remove import remove
from resolvers.operation.wish import Wish


def undo(request: OperationRequest, situation: Situation, wish: Wish, catalogue: Catalogue) -> Decision:
    """Returns what undoing makes of every cell in a situation, under the authority of whoever undoes.

    Each step back is the verb that anybody would take for it, by that verb's rules: what was given is removed, what was
    deactivated is reactivated, and what was changed is changed to what it was, as far as the bounded rule lets it.
    """
    known, grant = situation.known(), situation.grant
    if situation.member.is_actor and not request.options.include_self:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.SELF_EXCLUDED)
    if situation.vanished or (grant is not None and grant.conflict):
        return replace(known, code=OutcomeCode.CHANGED_SINCE)
    if wish.obstacle is not None:
        return replace(known, code=OutcomeCode(wish.obstacle))
    return _step_back(request, situation, wish, catalogue)


def _step_back(request: OperationRequest, situation: Situation, wish: Wish, catalogue: Catalogue) -> Decision:
    grant = situation.grant
    if wish.status is None:
        return remove(request, situation)
    match wish.status, grant and grant.status:
        case GrantStatus.ACTIVE, GrantStatus.DEACTIVATED:
            return reactivate(situation, catalogue)
        case GrantStatus.DEACTIVATED, GrantStatus.ACTIVE:
            return deactivate(request, situation)
    if grant is not None and situation.term.is_set and grant.expiry is not ExpiryChange.SAME:
        # There was no end then, and by now access may not last for ever here.
        return replace(situation.known(), code=OutcomeCode.EXPIRY_TOO_LATE)
    asked = replace(
        request,
        # As when a newer version is given: that another set is remembered is a change too.
        kind=OperationKind.GRANT if grant is None else OperationKind.REAPPLY,
        seat=None if grant is not None and wish.seat is grant.seat else wish.seat,
        on_existing=OnExisting.CHANGE,
    )
    decision = give(asked, situation, catalogue)
    applied = decision.status is OutcomeStatus.APPLIED
    if applied and wish.set_version_id is not None and decision.set_version_id != wish.set_version_id:
        # A client's own set is at any time what the client says (F49).
        return replace(decision, code=OutcomeCode.SET_EDITED)
    return decision
