"""What becomes of every cell in a situation: one pure function for each verb."""

from models.operation import OperationKind
from models.permission.catalogue import Catalogue
from resolvers.operation.request import OperationRequest
from resolvers.operation.situation import Decision, Situation
from resolvers.operation.verb.conform import conform
from resolvers.operation.verb.deactivate import deactivate
from resolvers.operation.verb.give import give
from resolvers.operation.verb.migrate import migrate
from resolvers.operation.verb.reactivate import reactivate
from resolvers.operation.verb.remove import remove


def decide(request: OperationRequest, situation: Situation, catalogue: Catalogue) -> Decision:
    """Returns what becomes of every cell in a situation; neither reads nor writes anything."""
    match request.kind:
        case OperationKind.DEACTIVATE:
            return deactivate(request, situation)
        case OperationKind.REACTIVATE:
            return reactivate(situation, catalogue)
        case OperationKind.REMOVE:
            return remove(request, situation)
        case OperationKind.MIGRATE:
            return migrate(request, situation, catalogue)
        case _ if situation.wish is not None:
            return conform(request, situation, situation.wish, catalogue)
        case _:
            return give(request, situation, catalogue)
