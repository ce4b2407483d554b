"""Deactivating access: it counts for nothing until somebody reactivates it, and keeps its permissions (F34, F36, F37)."""

from dataclasses import replace

from models.grant import GrantStatus
from models.member import MemberKind
from models.operation import OutcomeStatus
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OperationRequest
from resolvers.operation.situation import Decision, Situation


def deactivate(request: OperationRequest, situation: Situation) -> Decision:
    """Returns what deactivating makes of every cell in a situation; EDIT in the manager is enough for it (F34)."""
    known, grant = situation.known(), situation.grant
    if situation.member.is_actor and not request.options.include_self:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.SELF_EXCLUDED)
    if situation.member.kind is MemberKind.CONTRACTOR:
        return replace(known, code=OutcomeCode.NOT_FOR_CONTRACTORS)
    if grant is None or grant.status is not GrantStatus.ACTIVE:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.NO_CHANGE)
    if grant.conflict:
        return replace(known, code=OutcomeCode.CONFLICT)
    return replace(known, status=OutcomeStatus.APPLIED, after_status=GrantStatus.DEACTIVATED)
