"""Partner admins whom clients have admitted themselves: what the operator records of the time before this service."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.dialect import lock_rows
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberStatus, members
from models.operation import OperationKind, OutcomeStatus
from models.partner import PartnerProgram, partners
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from models.permission.state import State
from models.permission_set import permission_set_versions, permission_sets
from models.table import now
from models.user import users
from resolvers.direct_operation import DirectCell, DirectOperation, write_directly
from resolvers.email_address import email_key
from resolvers.error import RefusalCode, refuse
from resolvers.interning import state_contents
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision

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


@dataclass(frozen=True, slots=True)
class _AdminSet:
    version_id: int
    state: State


def admitted(state: State, set_version_id: int, set_state: State) -> Decision:
    """Returns the decision that makes somebody a partner admin by the will of the client (F12)."""
    return Decision(
        status=OutcomeStatus.APPLIED,
        after=state,
        requested=state,
        authority=catalogue.everything,
        after_status=GrantStatus.ACTIVE,
        after_access_type=AccessType.PARTNER_ADMIN,
        seat=Seat.PARTNER,
        set_version_id=set_version_id,
        customised=state != set_state,
    )


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
    admin_set = await _admin_set(connection)
    for start in range(0, len(found), CHUNK):
        await _admit(connection, member, found[start : start + CHUNK], admin_set, result)
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


async def _admin_set(connection: AsyncConnection) -> _AdminSet:
    sets, versions = permission_sets.c, permission_set_versions.c
    row = (
        await connection.execute(
            select(versions.id, versions.state_id)
            .join(permission_sets, (sets.id == versions.set_id) & (sets.version == versions.version))
            .where(sets.key == PARTNER_ADMIN_SET.key)
        )
    ).one()
    return _AdminSet(row.id, (await state_contents(connection, [row.state_id]))[row.state_id])


async def _admit(
    connection: AsyncConnection,
    member: Any,
    found: Sequence[Any],
    admin_set: _AdminSet,
    result: AdmissionResult,
) -> None:
    touched = select(clients.c.id).where(clients.c.id.in_([client.id for client in found])).order_by(clients.c.id)
    await lock_rows(connection, touched)
    living = await connection.execute(
        select(grants)
        .where(grants.c.member_id == member.id, grants.c.ended == 0)
        .where(grants.c.client_id.in_([client.id for client in found]))
    )
    present = {row.client_id: row for row in living}
    ceilings = {client.ceiling_id for client in found if client.ceiling_id is not None}
    states = await state_contents(connection, {row.state_id for row in present.values()} | ceilings)
    cells = []
    for client in found:
        grant = present.get(client.id)
        held = states[grant.state_id] if grant else 0
        given = authority(admin_set.state, states.get(client.ceiling_id), catalogue)
        decision = _decision(grant, held, given, admin_set)
        if decision.status is OutcomeStatus.APPLIED:
            result.admitted += 1
        elif decision.status is OutcomeStatus.NOOP:
            result.already += 1
        else:
            result.rejected += 1
        cells.append(
            DirectCell(client.id, client.account_id, member.id, member.user_id, decision, grant.id if grant else None)
        )
    if cells:
        operation = DirectOperation(member.partner_id, OperationKind.GRANT, now(), reason=REASON)
        await write_directly(connection, operation, cells)


def _decision(grant: Any, held: State, given: State, admin_set: _AdminSet) -> Decision:
    after = catalogue.closure(held | given)
    made = admitted(after, admin_set.version_id, admin_set.state)
    if grant is None:
        return made
    before: dict[str, Any] = {
        "before": held,
        "before_status": GrantStatus(grant.status),
        "before_access_type": AccessType(grant.access_type),
    }
    stays: dict[str, Any] = {
        **before,
        "after": held,
        "after_status": before["before_status"],
        "after_access_type": before["before_access_type"],
        "seat": Seat(grant.seat),
        "set_version_id": grant.set_version_id,
        "customised": grant.customised,
    }
    if grant.access_type == AccessType.SUPER_ADMIN:
        return replace(made, status=OutcomeStatus.REJECTED, code=OutcomeCode.TARGET_IS_SUPER_ADMIN, **stays)
    if grant.access_type == AccessType.PARTNER_ADMIN and grant.status == GrantStatus.ACTIVE and after == held:
        return replace(made, status=OutcomeStatus.NOOP, code=OutcomeCode.NO_CHANGE, **stays)
    return replace(made, **before)
