"""What a client decides about a partner's people in its own account: the client is the authority there, whoever gave what (P07, P08)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.grant import AccessType, GrantStatus, grants, working_partner_admin
from models.member import members
from models.operation import OperationKind, OutcomeStatus
from models.permission.state import State
from models.table import now
from resolvers.account_manager import check_account_manager
from resolvers.direct_operation import DirectCell, DirectOperation, unchanged, write_directly
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.interning import state_contents
from resolvers.moment import moment_after
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision
from resolvers.readable import readable_account_partners
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class ClientOrder:
    """What every decision of a client's names: the account, which of its partners, why, and how it is asked for."""

    account_id: int | None
    client_id: int | None
    """The key of the relationship with the partner."""
    reason: str | None = None
    dry_run: bool = False
    as_json: str = "{}"
    """The request in the caller's words, kept with the operation."""


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """What became of a client's decision."""

    account_id: int
    client_id: int
    changed: tuple[int, ...] = ()
    """The grants that are others now, in the order of the people."""
    refused: tuple[tuple[int, OutcomeCode], ...] = ()
    """The grants that stay as they are although they were meant, and why."""
    ceiling: State | None = None
    """The most that the partner's people may hold from now on, where that was decided."""
    lacks_partner_admin: bool = False
    """Whether people of the partner's have access now but nobody is ACTIVE partner admin."""


@dataclass(frozen=True, slots=True)
class Living:
    """A living grant of the partner's, and the decision that leaves it as it is."""

    row: Row[Any]
    as_is: Decision

    @property
    def is_super_admin(self) -> bool:
        """Says whether the person is an ACTIVE super admin."""
        return (self.row.access_type, self.row.status) == (AccessType.SUPER_ADMIN, GrantStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class ClientDecision:
    """The transaction in which a client decides; the relationship is locked, so nobody gives access under it meanwhile."""

    connection: AsyncConnection
    viewer: Viewer
    order: ClientOrder
    client: Row[Any]
    """The relationship with the partner."""
    by_super_admin: bool
    """Whether it is one of the account's super admins who decides."""

    async def living(self) -> list[Living]:
        """Returns the partner's people there who have access, the deactivated among them, and locks the people."""
        here = (grants.c.client_id == self.client.id, grants.c.ended == 0)
        people = members.c.id.in_(select(grants.c.member_id).where(*here))
        await lock_rows(self.connection, select(members.c.id).where(people).order_by(members.c.id))
        # While they were waited for, the right to decide may have ended.
        await check_account_manager(self.connection, self.viewer, self.order.account_id, "input", "account")
        statement = select(grants).where(*here).order_by(grants.c.member_id)
        rows = (await self.connection.execute(statement)).all()
        states = await state_contents(self.connection, {row.state_id for row in rows})
        return [Living(row, unchanged(row, states[row.state_id])) for row in rows]

    async def carry_out(self, kind: OperationKind, decided: Sequence[tuple[Living, Decision]]) -> ClientAnswer:
        """Writes the decisions as one operation by the client's person, and returns what became of them."""
        answer = ClientAnswer(self.client.account_id, self.client.id)
        if not decided:
            return answer
        operation = DirectOperation(
            partner_id=self.client.partner_id,
            kind=kind,
            at=await moment_after(self.connection, [self.client.id]),
            requested_by_id=self.viewer.user_id,
            reason=self.order.reason,
            request=self.order.as_json,
            by_client=True,
        )
        cells = [
            DirectCell(
                client_id=self.client.id,
                account_id=self.client.account_id,
                member_id=living.row.member_id,
                user_id=living.row.user_id,
                decision=decision,
                grant_id=living.row.id,
                expires_at=living.row.expires_at,
            )
            for living, decision in decided
        ]
        recorded = await write_directly(self.connection, operation, cells)
        refused = tuple(
            (living.row.id, code)
            for (living, _), done in zip(decided, recorded, strict=True)
            if done.decision.status is OutcomeStatus.REJECTED and (code := done.decision.code)
        )
        changed = tuple(
            living.row.id
            for (living, _), done in zip(decided, recorded, strict=True)
            if done.decision.status is OutcomeStatus.APPLIED
        )
        return replace(answer, changed=changed, refused=refused)


async def decide_as_client(
    database: Database,
    viewer: Viewer,
    order: ClientOrder,
    call: IdempotentCall | None,
    work: Callable[[ClientDecision], Awaitable[ClientAnswer]],
) -> ClientAnswer:
    """Does the work in one transaction for somebody who decides for the account, and once however often it is tried.

    Raises:
        RefusedError: NOT_FOUND for an account or a partner that the viewer does not know of (T1), FORBIDDEN, and what the work
            refuses.
    """
    everything = database.everything()
    async with everything.rehearse() if order.dry_run else everything.write() as session:
        first = None if order.dry_run else await remembered(session, call)
        if first is not None:
            account_id, client_id, changed, refused, ceiling, lacks = first
            codes = tuple((grant_id, OutcomeCode(code)) for grant_id, code in refused)
            return ClientAnswer(account_id, client_id, tuple(changed), codes, ceiling, lacks)
        connection = await session.connection()
        await check_account_manager(connection, viewer, order.account_id, "input", "account")
        client = await _client(connection, viewer, order)
        # Once more, for it may have waited for the client's row.
        by_super_admin = await check_account_manager(connection, viewer, order.account_id, "input", "account")
        decided = await work(ClientDecision(connection, viewer, order, client, by_super_admin))
        answer = replace(decided, lacks_partner_admin=await _lacks_partner_admin(connection, client.id))
        if not order.dry_run:
            await remember(session, call, astuple(answer))
    return answer


async def _client(connection: AsyncConnection, viewer: Viewer, order: ClientOrder) -> Row[Any]:
    """Returns the relationship, locked until the transaction ends: nobody gives access under it meanwhile."""
    known = readable_account_partners(viewer).where(
        clients.c.id == order.client_id, clients.c.account_id == order.account_id
    )
    if await connection.scalar(known) is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "No such agency works in this account: account.partners lists them.",
            "input",
            "partner",
        )
    await lock_rows(connection, select(clients.c.id).where(clients.c.id == order.client_id))
    return (await connection.execute(select(clients).where(clients.c.id == order.client_id))).one()


async def _lacks_partner_admin(connection: AsyncConnection, client_id: int) -> bool:
    """Says whether people of the partner's have access there while nobody who works for it is ACTIVE partner admin (N04)."""
    here = select(grants.c.id).where(grants.c.client_id == client_id)
    people, admins = here.where(grants.c.ended == 0), here.where(working_partner_admin(grants, now()))
    return bool(await connection.scalar(select(people.exists() & ~admins.exists())))
