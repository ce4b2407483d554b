"""Taking a partner's access to a client's account away, by the client: one person's, or everybody's (P07)."""

from dataclasses import replace

from sqlalchemy import select

from models.database import Database
from models.grant import GrantStatus, grants
from models.operation import OperationKind, OutcomeStatus
from resolvers.client_authority import ClientAnswer, ClientDecision, ClientOrder, Living, decide_as_client
from resolvers.client_edit import KEEP, Keep
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision
from resolvers.viewer import Viewer


async def revoke_partner_access(
    database: Database,
    viewer: Viewer,
    order: ClientOrder,
    grant_id: int | Keep | None,
    call: IdempotentCall | None = None,
) -> ClientAnswer:
    """Removes one person's access, or that of all of the partner's people, for those who decide for the account.

    Nobody reviews it and no lockout is guarded against: it is the client's account. Only its last ACTIVE super admin stays
    (LAST_SUPER_ADMIN), and only a super admin ends another's access (TARGET_IS_SUPER_ADMIN). Who has no access any more needs
    nothing (R6).

    Args:
        database: where to.
        viewer: who asks.
        order: of which account and partner.
        grant_id: the access of one person; None for one that is unknown, KEEP for everybody.
        call: the call that this is a try of.

    Raises:
        RefusedError: as ``decide_as_client``; NOT_FOUND for a person who is not the partner's.
    """

    async def work(decision: ClientDecision) -> ClientAnswer:
        if grant_id is not KEEP:
            await _check_person(decision, grant_id)
        meant = [cell for cell in await decision.living() if grant_id in {KEEP, cell.row.id}]
        removed = [(cell, _removed(decision, cell)) for cell in meant]
        return await decision.carry_out(OperationKind.REMOVE, removed)

    return await decide_as_client(database, viewer, order, call, work)


def _removed(decision: ClientDecision, cell: Living) -> Decision:
    """Returns the decision that ends one person's access; only a super admin ends another's (F05)."""
    if cell.is_super_admin and not decision.by_super_admin:
        return replace(cell.as_is, status=OutcomeStatus.REJECTED, code=OutcomeCode.TARGET_IS_SUPER_ADMIN)
    return replace(cell.as_is, status=OutcomeStatus.APPLIED, code=None, after_status=GrantStatus.REMOVED)


async def _check_person(decision: ClientDecision, grant_id: int | None) -> None:
    known = select(grants.c.id).where(grants.c.id == grant_id, grants.c.client_id == decision.client.id)
    if await decision.connection.scalar(known) is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "The agency has no such person here: the people of one of account.partners have ids.",
            "input",
            "person",
        )
