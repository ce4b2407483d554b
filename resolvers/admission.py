"""Partner admins whom clients have admitted themselves: what the operator records of the time before this service."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.dialect import lock_keys
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
    result = AdmissionResult()
    keys = await _named_clients(connection, partner_id, hub_ids, result)
    # All the clients before the person, as operations lock them, and the person before they are judged: a removal that holds
    # them either comes first and is seen, or waits and finds the new access.
    await lock_keys(connection, clients, keys)
    member = await _locked_member(connection, partner_id, email)
    for start in range(0, len(keys), CHUNK):
        await _admit(connection, member, keys[start : start + CHUNK], result)
    return result


async def _named_clients(
    connection: AsyncConnection, partner_id: int, hub_ids: Sequence[int] | None, result: AdmissionResult
) -> list[int]:
    """Returns the keys of the partner's clients with these Hub IDs, or of all, in order; the result tells the unknown ones."""
    statement = (
        select(clients.c.id, accounts.c.hub_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.partner_id == partner_id)
        .order_by(clients.c.id)
    )
    found = (await connection.execute(statement)).all()
    if hub_ids is None:
        return [row.id for row in found]
    wanted = set(hub_ids)
    result.unknown = tuple(sorted(wanted - {row.hub_id for row in found}))
    return [row.id for row in found if row.hub_id in wanted]


async def _locked_member(connection: AsyncConnection, partner_id: int, email: str) -> Any:
    """Returns the member with this address, locked before it is read whether they may be partner admin."""
    key = await connection.scalar(
        select(members.c.id)
        .join(users, users.c.id == members.c.user_id)
        .join(partners, partners.c.id == members.c.partner_id)
        .where(partners.c.id == partner_id, users.c.email_key == email_key(email))
    )
    await lock_keys(connection, members, [] if key is None else [key])
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
            .join(partners, partners.c.id == members.c.partner_id)
            .where(members.c.id == key)
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


async def _admit(connection: AsyncConnection, member: Any, keys: Sequence[int], result: AdmissionResult) -> None:
    found = await connection.execute(
        select(clients.c.id, clients.c.account_id, clients.c.ceiling_id)
        .where(clients.c.id.in_(keys))
        .order_by(clients.c.id)
    )
    operation = DirectOperation(member.partner_id, OperationKind.GRANT, now(), reason=REASON)
    places = [AdmittingClient(client.id, client.account_id, client.ceiling_id) for client in found]
    outcomes = await admit_people(connection, operation, places, [Newcomer(member.id, member.user_id)])
    statuses = Counter(outcome.decision.status for outcome in outcomes)
    result.admitted += statuses[OutcomeStatus.APPLIED]
    result.already += statuses[OutcomeStatus.NOOP]
    result.rejected += statuses[OutcomeStatus.REJECTED]
