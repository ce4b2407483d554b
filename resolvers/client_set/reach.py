"""How an edit of a client's own set reaches the grants that were given it: one operation for each partner, all at once (F49)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.dialect import lock_keys, lock_rows
from models.grant import AccessType, grants, working_partner_admin
from models.member import members
from models.operation import OperationKind, OutcomeStatus
from models.partner import PartnerProgram, partners
from models.permission.catalogue import catalogue
from models.permission_set import permission_set_versions
from models.table import now
from resolvers.client_set.bringing import Holding, NewVersion, bring_up
from resolvers.direct_operation import DirectCell, DirectOperation, unchanged, write_directly
from resolvers.interning import state_contents
from resolvers.moment import moment_after
from resolvers.operation.lockdown import Lockdowns, find_lockdowns
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import OnCustomised
from resolvers.operation.situation import Decision


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of a client's own set, and how it is carried out."""

    account_id: int
    set_id: int
    to: NewVersion
    on_customised: OnCustomised
    user_id: int
    reason: str | None
    as_json: str
    """The request in the caller's words, kept with the operations."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of the grants; each partner reads of its own only."""

    changed: tuple[int, ...] = ()
    refused: tuple[tuple[int, OutcomeCode], ...] = ()
    """The grants that stay on the version that they have, and why."""
    without_partner_admin: tuple[int, ...] = ()
    """The relationships in which people have access now but nobody is ACTIVE partner admin (N04)."""


async def lock_relationships(connection: AsyncConnection, account_id: int) -> None:
    """Locks the account's relationships with its partners: whoever gives access there is done, or reads what follows (F49)."""
    await lock_rows(connection, select(clients.c.id).where(clients.c.account_id == account_id).order_by(clients.c.id))


async def reach_grants(connection: AsyncConnection, edit: Edit, *, checked: Callable[[], Any]) -> Reached:
    """Brings all living grants that were given the set to its newest version; the account's relationships are locked.

    An account has no more grants than the agencies that work in it have people, so they are one transaction, written set-based.

    Args:
        connection: of the transaction.
        edit: what is edited.
        checked: judges again, once the people are locked, whether the viewer may still do this.
    """
    people = _given(edit).with_only_columns(grants.c.member_id)
    await lock_keys(connection, members, (await connection.execute(people)).scalars())
    await checked()
    rows = (await connection.execute(_given(edit))).all()
    if not rows:
        return Reached()
    decided = await _decided(connection, edit, rows)
    changed: list[int] = []
    refused: list[tuple[int, OutcomeCode]] = []
    for (client_id, partner_id), own in groupby(decided, key=lambda cell: (cell[0].client_id, cell[0].partner_id)):
        operation = DirectOperation(
            partner_id=partner_id,
            kind=OperationKind.REAPPLY,
            at=await moment_after(connection, [client_id]),
            requested_by_id=edit.user_id,
            reason=edit.reason,
            request=edit.as_json,
            by_client=True,
        )
        cells = [_cell(row, decision) for row, decision in own]
        for cell, done in zip(cells, await write_directly(connection, operation, cells), strict=True):
            grant_id, code = cell.grant_id or 0, done.decision.code
            if done.decision.status is OutcomeStatus.APPLIED:
                changed.append(grant_id)
            elif done.decision.status is OutcomeStatus.REJECTED and code is not None:
                refused.append((grant_id, code))
    touched = {row.client_id for row in rows}
    return Reached(tuple(changed), tuple(refused), await _without_partner_admin(connection, touched))


def _given(edit: Edit) -> Select[Any]:
    """Selects the living grants that an edit is about: those on an older version, and with RESET those that differ from the set.

    A super admin's access comes from no set, whatever it came from once.
    """
    versions = permission_set_versions.c
    older = grants.c.set_version_id != edit.to.id
    meant = or_(older, grants.c.customised) if edit.on_customised is OnCustomised.RESET else older
    eligible = case((partners.c.program != PartnerProgram.NONE.value, True), else_=False)
    return (
        select(
            grants,
            versions.state_id.label("template_id"),
            clients.c.ceiling_id,
            members.c.verified,
            eligible.label("eligible"),
        )
        .join(permission_set_versions, versions.id == grants.c.set_version_id)
        .join(clients, clients.c.id == grants.c.client_id)
        .join(members, members.c.id == grants.c.member_id)
        .join(partners, partners.c.id == grants.c.partner_id)
        .where(versions.set_id == edit.set_id, grants.c.account_id == edit.account_id, meant)
        .where(grants.c.ended == 0, grants.c.access_type != AccessType.SUPER_ADMIN.value)
        .order_by(grants.c.client_id, grants.c.member_id)
    )


async def _decided(
    connection: AsyncConnection, edit: Edit, rows: Sequence[Row[Any]]
) -> list[tuple[Row[Any], Decision]]:
    keys = {key for row in rows for key in (row.state_id, row.template_id, row.ceiling_id) if key is not None}
    states = await state_contents(connection, keys)
    closed = catalogue.largest_closed_subset
    lockdowns: Lockdowns = await find_lockdowns(connection, {row.partner_id for row in rows})
    decided = []
    for row in rows:
        holding = Holding(
            template=closed(states[row.template_id]),
            ceiling=None if row.ceiling_id is None else states[row.ceiling_id],
            verified=row.verified,
            eligible=bool(row.eligible),
            locked=lockdowns.of(row.partner_id, edit.account_id) is not None,
            own=row.user_id == edit.user_id,
        )
        as_is = unchanged(row, states[row.state_id])
        decided.append((row, bring_up(as_is, holding, edit.to, edit.on_customised)))
    return decided


def _cell(row: Row[Any], decision: Decision) -> DirectCell:
    return DirectCell(
        client_id=row.client_id,
        account_id=row.account_id,
        member_id=row.member_id,
        user_id=row.user_id,
        decision=decision,
        grant_id=row.id,
        expires_at=row.expires_at,
    )


async def _without_partner_admin(connection: AsyncConnection, client_ids: set[int]) -> tuple[int, ...]:
    people, admins = grants.alias("people"), grants.alias("admins")
    has_people = select(func.count()).where(people.c.client_id == clients.c.id, people.c.ended == 0)
    has_admins = select(func.count()).where(admins.c.client_id == clients.c.id, working_partner_admin(admins, now()))
    statement = (
        select(clients.c.id)
        .where(clients.c.id.in_(sorted(client_ids)))
        .where(has_people.correlate(clients).scalar_subquery() > 0)
        .where(has_admins.correlate(clients).scalar_subquery() == 0)
        .order_by(clients.c.id)
    )
    return tuple((await connection.execute(statement)).scalars())
