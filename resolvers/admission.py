"""Partner admins whom clients have admitted themselves: what the operator records of the time before this service."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.dialect import lock_rows
from models.member import MemberStatus, members
from models.operation import OperationKind, OutcomeStatus
from models.partner import PartnerProgram, partners
from models.table import now
from models.user import users
from resolvers.direct_operation import DirectOperation
from resolvers.email_address import email_key
from resolvers.error import RefusalCode, refuse
from resolvers.partner_admin import AdmittingClient, Newcomer, admit_people

REASON = "Recorded by the operator: the client has admitted this partner admin."
CHUNK = 5_000


@dataclass(slots=True)
class AdmissionResult:
    """What became of the clients that were named."""

    admitted: int = 0
    already: int = 0
    rejected: int = 0
    unknown: tuple[int, ...] = ()
    """Hub IDs that are no clients of the partner."""


async def admit(
    connection: AsyncConnection, partner_id: int, email: str, hub_ids: Sequence[int] | None
) -> AdmissionResult:
    """Makes a member partner admin in the clients with these Hub IDs, or in all of the partner's (F53, L2 to L4).

    This goes past the bounded rule, as a client's own approval does: the operator's shell is the authority for it. Somebody who
    is super admin in a client stays that (L2); another ACTIVE grant gets the Partner Admin set added (L3); a DEACTIVATED one
    becomes ACTIVE again (L4). Each change is in an operation with outcomes and in the timeline.

    Raises:
        RefusedError: NOT_FOUND, NOT_A_PARTNER (F01), or INVALID_INPUT for somebody who is not active or not verified (F09).
    """
    member = await _member(connection, partner_id, email)
    statement = (
        select(clients.c.id, clients.c.account_id, clients.c.ceiling_id, accounts.c.hub_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.partner_id == member.partner_id)
        .order_by(clients.c.id)
    )
    found: Sequence[Any] = (await connection.execute(statement)).all()
    result = AdmissionResult()
    if hub_ids is not None:
        wanted = set(hub_ids)
        result.unknown = tuple(sorted(wanted - {row.hub_id for row in found}))
        found = [row for row in found if row.hub_id in wanted]
    for start in range(0, len(found), CHUNK):
        await _admit(connection, member, found[start : start + CHUNK], result)
    return result


async def _member(connection: AsyncConnection, partner_id: int, email: str) -> Any:
    row = (
        await connection.execute(
            select(
                members.c.id,
                members.c.partner_id,
                members.c.user_id,
                members.c.status,
                members.c.verified,
                partners.c.program,
            )
            .join(users, users.c.id == members.c.user_id)
            .join(partners, partners.c.id == members.c.partner_id)
            .where(partners.c.id == partner_id, users.c.email_key == email_key(email))
        )
    ).one_or_none()
    if row is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            f"The partner has no member with the address {email}. Import the people first.",
        )
    if row.program == PartnerProgram.NONE:
        raise refuse(RefusalCode.NOT_A_PARTNER, "Only a partner in an eligible program can have partner admins.")
    if row.status != MemberStatus.ACTIVE:
        raise refuse(RefusalCode.INVALID_INPUT, f"{email} is no active member of the partner.")
    if not row.verified:
        raise refuse(
            RefusalCode.INVALID_INPUT, f"{email} is not verified: import the person with verified = true first."
        )
    return row


async def _admit(connection: AsyncConnection, member: Any, found: Sequence[Any], result: AdmissionResult) -> None:
    touched = select(clients.c.id).where(clients.c.id.in_([client.id for client in found])).order_by(clients.c.id)
    await lock_rows(connection, touched)
    operation = DirectOperation(member.partner_id, OperationKind.GRANT, now(), reason=REASON)
    places = [AdmittingClient(client.id, client.account_id, client.ceiling_id) for client in found]
    outcomes = await admit_people(connection, operation, places, [Newcomer(member.id, member.user_id)])
    statuses = Counter(outcome.decision.status for outcome in outcomes)
    result.admitted += statuses[OutcomeStatus.APPLIED]
    result.already += statuses[OutcomeStatus.NOOP]
    result.rejected += statuses[OutcomeStatus.REJECTED]
