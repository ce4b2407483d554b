"""How somebody becomes partner admin by the will of the client, who is the authority for it (F15 to F18, F53, L1 to L4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import AccessType, GrantStatus, Seat, grants
from models.operation import OutcomeStatus
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from models.permission.rule import authority
from models.permission.state import State
from models.permission_set import permission_set_versions, permission_sets
from resolvers.direct_operation import DirectCell, DirectOperation, Recorded, unchanged, write_directly
from resolvers.expiry.latest import latest_ends
from resolvers.interning import state_contents
from resolvers.moment import moment_after
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import Expiry
from resolvers.operation.situation import Decision


@dataclass(frozen=True, slots=True)
class AdminSet:
    """The newest version of the Partner Admin set (F06)."""

    version_id: int
    state: State


@dataclass(frozen=True, slots=True)
class AdmittingClient:
    """The client that lets people in; its row is locked."""

    id: int
    account_id: int
    ceiling_id: int | None


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A member who is to become partner admin; active and verified, as the caller has made sure."""

    member_id: int
    user_id: int


async def load_admin_set(connection: AsyncConnection) -> AdminSet:
    """Returns the Partner Admin set as it is now."""
    sets, versions = permission_sets.c, permission_set_versions.c
    row = (
        await connection.execute(
            select(versions.id, versions.state_id)
            .join(permission_sets, (sets.id == versions.set_id) & (sets.version == versions.version))
            .where(sets.key == PARTNER_ADMIN_SET.key)
        )
    ).one()
    return AdminSet(row.id, (await state_contents(connection, [row.state_id]))[row.state_id])


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


async def admit_people(
    connection: AsyncConnection,
    operation: DirectOperation,
    clients: Sequence[AdmittingClient],
    people: Sequence[Newcomer],
) -> list[Recorded]:
    """Makes the people partner admins in the clients, as far as their ceilings go, with one operation.

    A super admin stays that (L2: TARGET_IS_SUPER_ADMIN); who is partner admin already stays as they are (L1: NOOP); another
    ACTIVE grant gets the Partner Admin set added (L3); a DEACTIVATED or expired one becomes ACTIVE again (L4).
    It lasts as long as it may there (P04). Returns what became of each person, client by client.
    """
    if not clients or not people:
        return []
    admin_set = await load_admin_set(connection)
    living = await connection.execute(
        select(grants)
        .where(grants.c.client_id.in_([client.id for client in clients]), grants.c.ended == 0)
        .where(grants.c.member_id.in_([person.member_id for person in people]))
    )
    present = {(row.client_id, row.member_id): row for row in living}
    ceilings = {client.ceiling_id for client in clients if client.ceiling_id is not None}
    states = await state_contents(connection, {row.state_id for row in present.values()} | ceilings)
    latest = await latest_ends(connection, [client.id for client in clients], operation.at)
    cells = []
    for client in clients:
        ceiling = None if client.ceiling_id is None else states[client.ceiling_id]
        given = authority(admin_set.state, ceiling, catalogue)
        for person in people:
            grant = present.get((client.id, person.member_id))
            held = states[grant.state_id] if grant else 0
            decision = decide_admission(grant, held, given, admin_set, at=operation.at, ceiling=ceiling)
            grant_id, expires_at = (grant.id, grant.expires_at) if grant else (None, None)
            cells.append(
                DirectCell(
                    client_id=client.id,
                    account_id=client.account_id,
                    member_id=person.member_id,
                    user_id=person.user_id,
                    decision=decision,
                    grant_id=grant_id,
                    expires_at=expires_at,
                    until=latest.get(client.id),
                )
            )
    at = await moment_after(connection, [client.id for client in clients])
    return await write_directly(connection, replace(operation, at=at, expiry=Expiry(None, of_cell=True)), cells)


def decide_admission(
    grant: Any, held: State, given: State, admin_set: AdminSet, *, at: datetime, ceiling: State | None
) -> Decision:
    """Returns what an admission makes of a person's living grant, or of none.

    Args:
        grant: the row of the grant, if there is one.
        held: what it contains.
        given: the Partner Admin set as far as the client's ceiling goes.
        admin_set: the set.
        at: the moment; what has expired by then no longer counts.
        ceiling: the most that the client lets the partner's people hold, if it does not let them hold everything.
    """
    if grant is None:
        return _within_ceiling(admitted(given, admin_set.version_id, admin_set.state))
    counts = grant.status == GrantStatus.ACTIVE and (grant.expires_at is None or grant.expires_at > at)
    is_super_admin = grant.access_type == AccessType.SUPER_ADMIN
    stays = unchanged(grant, held)
    # What a super admin alone may have does not come back with a deactivated super admin (R11, M11).
    kept = 0 if is_super_admin else held
    if not counts and ceiling is not None:
        # What counts is left to the client's enforcing (E24); what comes back keeps to the ceiling as what is new does.
        kept = catalogue.largest_closed_subset(kept & ceiling)
    after = catalogue.closure(kept | given)
    if is_super_admin and counts:
        return replace(stays, status=OutcomeStatus.REJECTED, code=OutcomeCode.TARGET_IS_SUPER_ADMIN)
    if grant.access_type == AccessType.PARTNER_ADMIN and counts and after == held:
        return stays
    made = _within_ceiling(admitted(after, admin_set.version_id, admin_set.state))
    if made.status is not OutcomeStatus.APPLIED:
        return replace(stays, status=made.status, code=made.code)
    return replace(
        made,
        before=held,
        before_status=stays.before_status,
        before_access_type=stays.before_access_type,
        before_seat=stays.before_seat,
        before_set_version_id=stays.before_set_version_id,
    )


def _within_ceiling(made: Decision) -> Decision:
    """Rejects what a ceiling without the Partner Admin permission would make (P08)."""
    if made.after & catalogue.partner_admin:
        return made
    return Decision(
        OutcomeStatus.REJECTED, OutcomeCode.EXCEEDS_AUTHORITY, requested=made.requested, authority=made.authority
    )
