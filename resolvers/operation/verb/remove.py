"""Removing access: it ends, after a review of what the person owns there (F34, F38, F39, R5, R6)."""

from dataclasses import replace

from models.grant import GrantStatus
from models.operation import OutcomeStatus
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OperationRequest
from resolvers.operation.situation import Decision, Situation


def remove(request: OperationRequest, situation: Situation) -> Decision:
    """Returns what removing makes of every cell in a situation; EDIT in the manager is enough for it (F34, R4)."""
    known, grant = situation.known(), situation.grant
    if situation.member.is_actor and not request.options.include_self:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.SELF_EXCLUDED)
    if grant is None:
        return replace(known, status=OutcomeStatus.NOOP, code=OutcomeCode.NO_CHANGE)
    if request.removal is not None and not grant.reviewed:
        return replace(known, code=OutcomeCode.STALE_REVIEW)
    if grant.blocked:
        return replace(known, code=OutcomeCode.REASSIGNEE_NOT_ACTIVE)
    return replace(known, status=OutcomeStatus.APPLIED, after_status=GrantStatus.REMOVED)
