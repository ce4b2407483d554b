"""What becomes of every cell in a situation: one pure function for each verb."""

from dataclasses import replace

from models.operation import OperationKind
from models.permission.catalogue import Catalogue
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OperationRequest
from resolvers.operation.situation import Decision, Situation
from resolvers.operation.verb.conform import conform
from resolvers.operation.verb.deactivate import deactivate
from resolvers.operation.verb.give import give
from resolvers.operation.verb.migrate import migrate
from resolvers.operation.verb.reactivate import reactivate
from resolvers.operation.verb.remove import remove
from resolvers.operation.verb.undo import undo


def decide(request: OperationRequest, situation: Situation, catalogue: Catalogue) -> Decision:
    """Returns what becomes of every cell in a situation; neither reads nor writes anything.

    Who asked for it ahead of time and is no partner admin when it is carried out has lost the authority (R13).
    """
    decision = _decided(request, situation, catalogue)
    ahead = request.checked and request.options.run_at is not None
    if ahead and decision.code is OutcomeCode.NOT_PARTNER_ADMIN:
        return replace(decision, code=OutcomeCode.ACTOR_LOST_AUTHORITY)
    return decision


def _decided(request: OperationRequest, situation: Situation, catalogue: Catalogue) -> Decision:
    match request.kind:
        case OperationKind.DEACTIVATE:
            return deactivate(request, situation)
        case OperationKind.REACTIVATE:
            return reactivate(situation, catalogue)
        case OperationKind.REMOVE:
            return remove(request, situation)
        case OperationKind.MIGRATE:
            return migrate(request, situation, catalogue)
        case kind if situation.wish is not None:
            to_wish = undo if kind is OperationKind.UNDO else conform
            return to_wish(request, situation, situation.wish, catalogue)
        case _:
            return give(request, situation, catalogue)
