"""The ceiling: the most that a client lets a partner's people hold in its account (P08, E24)."""

from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import update

from models.client import clients
from models.database import Database
from models.grant import AccessType, GrantStatus
from models.operation import OperationKind, OutcomeStatus
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from resolvers.client_authority import ClientAnswer, ClientDecision, ClientOrder, Living, decide_as_client
from resolvers.client_edit import KEEP, Keep
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall
from resolvers.interning import intern_states, state_contents
from resolvers.operation.access import load_templates
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.situation import Decision
from resolvers.permission_request import requested_state
from resolvers.viewer import Viewer

Listed: TypeAlias = tuple[tuple[str, PermissionLevel], ...]


@dataclass(frozen=True, slots=True)
class CeilingDraft:
    """The ceiling that is wanted; None is no ceiling."""

    permissions: Listed | Keep | None
    enforce: bool


async def set_ceiling(
    database: Database, viewer: Viewer, order: ClientOrder, draft: CeilingDraft, call: IdempotentCall | None = None
) -> ClientAnswer:
    """Sets a partner's ceiling for the people who decide for the account, and enforces it if that is asked for.

    Until then all existing access stays as it is, and only new access is held (E24): the pipeline takes the authority of whoever
    gives it under the ceiling.

    Raises:
        RefusedError: as ``decide_as_client``; as ``requested_state``; INVALID_INPUT where nothing is said, or nothing can be
            enforced.
    """
    listed, named = draft.permissions, ("input", "permissions")
    if listed is KEEP and not draft.enforce:
        raise refuse(RefusalCode.INVALID_INPUT, "Say what to do: permissions, or enforce: true.", "input")
    ceiling = KEEP if listed is KEEP else None if listed is None else requested_state(listed, *named)

    async def work(decision: ClientDecision) -> ClientAnswer:
        present = await _set(decision, ceiling)
        if not draft.enforce:
            return replace(await decision.carry_out(OperationKind.CHANGE, ()), ceiling=present)
        if present is None:
            raise refuse(
                RefusalCode.INVALID_INPUT,
                "Without a ceiling there is nothing to enforce: give permissions, or leave enforce out.",
                "input",
                "enforce",
            )
        living = await decision.living()
        versions = {cell.row.set_version_id for cell in living if cell.row.set_version_id is not None}
        templates = await load_templates(decision.connection, versions)
        lowered = [(cell, lower(cell, present, templates.get(cell.row.set_version_id))) for cell in living]
        return replace(await decision.carry_out(OperationKind.CHANGE, lowered), ceiling=present)

    return await decide_as_client(database, viewer, order, call, work)


async def _set(decision: ClientDecision, ceiling: State | Keep | None) -> State | None:
    """Writes the ceiling, if it is to change, and returns the one that holds now."""
    connection, client = decision.connection, decision.client
    if ceiling is KEEP:
        key = client.ceiling_id
        return None if key is None else (await state_contents(connection, [key]))[key]
    key = None if ceiling is None else (await intern_states(connection, [ceiling]))[ceiling]
    await connection.execute(update(clients).where(clients.c.id == client.id).values(ceiling_id=key))
    return ceiling


def lower(living: Living, ceiling: State, template: State | None) -> Decision:
    """Returns what enforcing a ceiling makes of a living grant: the largest closed part of it under the ceiling (E24).

    A partner admin whose Partner Admin permission lies beyond becomes STANDARD. To an ACTIVE super admin no ceiling applies:
    the client revokes the person, or has them migrated. A deactivated one is none any more (R11), and nothing makes them one
    again.

    Args:
        living: the grant.
        ceiling: the most that it may hold.
        template: what the version of the set contains from which it came.
    """
    as_is = living.as_is
    beyond = 0
    if as_is.before_access_type is AccessType.SUPER_ADMIN:
        if as_is.before_status is GrantStatus.ACTIVE:
            return replace(as_is, status=OutcomeStatus.REJECTED, code=OutcomeCode.TARGET_IS_SUPER_ADMIN)
        beyond = catalogue.partner_admin
    after = catalogue.largest_closed_subset(as_is.before & ceiling & ~beyond)
    if after == as_is.before:
        return as_is
    is_partner_admin = bool(after & catalogue.partner_admin)
    return replace(
        as_is,
        status=OutcomeStatus.APPLIED,
        code=None,
        after=after,
        requested=after,
        after_access_type=AccessType.PARTNER_ADMIN if is_partner_admin else AccessType.STANDARD,
        customised=as_is.set_version_id is not None and after != template,
    )
