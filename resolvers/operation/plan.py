"""The plan of an operation: every cell with its decision, in temporary tables of the transaction."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.dialect import create_temporary, insert_many
from models.operation import OperationKind
from models.permission.catalogue import catalogue
from models.table import now
from models.tenancy import everything
from resolvers.acting_partner import check_acting
from resolvers.moment import moment_after
from resolvers.operation import cell
from resolvers.operation.access import AccessSource, find_access
from resolvers.operation.actor import Actor, find_actor
from resolvers.operation.billing import find_billing
from resolvers.operation.classes import Classes
from resolvers.operation.decide import decide
from resolvers.operation.expected import find_expected, seen_in
from resolvers.operation.guard import (
    count_cells,
    guard_atomic,
    guard_lockout,
    guard_over,
    guard_super_admins,
    guard_undone,
)
from resolvers.operation.lockdown import Lockdowns, find_lockdowns
from resolvers.operation.removal import lay_out_removal
from resolvers.operation.request import OnExisting, OperationRequest, TeamRequest
from resolvers.operation.scope import Scope, find_scope
from resolvers.operation.situation import GrantFacts, Requested
from resolvers.operation.team import TeamPlan, find_teams, find_wished_teams
from resolvers.operation.term import term_of_wish
from resolvers.operation.verdict import Verdicts
from resolvers.operation.wish import WishedCell
from resolvers.partner_admin import load_admin_set
from resolvers.viewer import Viewer

_BY_RIGHT = (OperationKind.DEACTIVATE, OperationKind.REMOVE, OperationKind.MIGRATE, OperationKind.UNDO)
"""What EDIT in the manager allows without being partner admin; so it is judged inside the transaction (F34, F42)."""
_OF_KIND = {
    OperationKind.REMOVE: cell.OF_REMOVAL,
    OperationKind.UNDO: cell.OF_REMOVAL,
    OperationKind.MIGRATE: cell.OF_MIGRATION,
}
"""The temporary tables that one kind of operation needs beside the others."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The decided cells of an operation; they lie in the temporary tables until the transaction ends."""

    scope: Scope
    verdicts: Verdicts
    counts: Mapping[int, int]
    """By decision: how many cells it has."""
    has_teams: bool
    teams: tuple[TeamRequest, ...] | None
    """The teams asked for, each with whose it is; None if nothing was said about teams."""
    at: datetime
    """The moment of the operation: taken when the clients and people that it touches are locked."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a queued operation: its cells were found before, and other parts have made decisions already."""

    scope: Scope
    """Locked."""
    first_decision: int = 0
    """The number of the first decision of this part."""
    lacks_cells: bool = False
    """Whether it is without cells that cannot be carried out: then an operation that is all or nothing does nothing."""
    asked_at: datetime | None = None
    """When the operation was asked for."""


async def make_plan(
    connection: AsyncConnection, viewer: Viewer, request: OperationRequest, part: Part | None = None
) -> Plan:
    """Returns the plan of a request: targets → cells → situations → decide → guards. Writes only temporary tables.

    The number of statements does not depend on the number of cells.

    Args:
        connection: of the transaction.
        viewer: who asks.
        request: what is asked for.
        part: what of it is to be planned; None for all.

    Raises:
        RefusedError: if the request as a whole cannot be carried out.
    """
    locked = not request.options.dry_run
    scope = part.scope if part else await targets_of(connection, viewer, request, locked=locked)
    # Not before: whoever had to wait acts with the authority of afterwards.
    at = now()
    if request.kind in _BY_RIGHT:
        await check_acting(connection, viewer, scope.partner_id)
    source = await find_access(connection, viewer, scope.partner_id, request.access)
    if request.kind is OperationKind.MIGRATE:
        admin_set = await load_admin_set(connection)
        source = AccessSource(fixed=Requested(admin_set.state, admin_set.version_id, admin_set.state))
    await create_temporary(connection, *cell.TEMPORARY, *_OF_KIND.get(request.kind, ()))
    asked = source.copied_teams if request.teams is None else request.teams
    about_teams = bool(asked) or request.teams is not None
    gains = _may_gain(request)
    with_teams = about_teams or gains
    actor = await find_actor(connection, viewer.user_id, scope.partner_id, scope.clients, at, with_teams=with_teams)
    team_plan = TeamPlan()
    if about_teams:
        team_plan = await find_teams(
            connection, viewer, asked, scope.clients, copied=request.teams is None, checked=request.checked
        )
    elif scope.wishes is not None:
        team_plan = await find_wished_teams(connection, viewer, scope.wishes)
    lockdowns = Lockdowns()
    if request.access is not None or request.kind is OperationKind.MIGRATE:
        # Only now: whoever locks access to sets waits for those who give it, and these for them.
        lockdowns = await find_lockdowns(connection, [scope.partner_id])
    classes = Classes(request, source, actor, team_plan, lockdowns, at=at)
    await _lay_out(connection, scope, classes, team_plan, actor)
    expected = await find_expected(connection, viewer, request, scope) if scope.wishes is None else seen_in(scope)
    await insert_many(connection, cell.expected_versions, expected)
    if request.removal is not None:
        await lay_out_removal(connection, viewer, request.removal, scope, checked=request.checked)
    if request.migration is not None:
        await insert_many(
            connection, cell.billing_choices, find_billing(request.migration, scope, checked=request.checked)
        )
    verdicts = Verdicts(part.first_decision if part else 0)
    asked_of_grants = cell.Asked(
        at,
        None if request.expiry is None else (request.expiry.at,),
        classes.has_teams,
        removal=request.removal is not None,
        migration=request.kind is OperationKind.MIGRATE,
        gains=gains,
        wishes=scope.wishes is not None,
        undone=request.kind is OperationKind.UNDO,
    )
    # Of the account's own people a migration has to know, whoever's they are; its targets were found behind the wall (M8).
    async with everything(connection) if asked_of_grants.migration else nullcontext():
        await _decide_all(connection, request, classes, verdicts, asked_of_grants, paired=scope.pairs is not None)
    await _guard(connection, request, verdicts, at, locked=locked, asked_at=part.asked_at if part else None)
    counts = await count_cells(connection)
    if sum(counts.values()) != scope.size:
        raise RuntimeError("Grants changed while they were decided over, although their clients were locked.")
    spoiled = bool(part and part.lacks_cells)
    if request.options.atomic and await guard_atomic(connection, verdicts, counts, spoiled=spoiled):
        counts = await count_cells(connection)
    teams = None if request.teams is None else team_plan.placed(request.teams)
    written_at = await moment_after(connection, [client.id for client in scope.clients])
    return Plan(scope, verdicts, counts, has_teams=classes.has_teams, teams=teams, at=written_at)


async def _guard(
    connection: AsyncConnection,
    request: OperationRequest,
    verdicts: Verdicts,
    at: datetime,
    *,
    locked: bool,
    asked_at: datetime | None,
) -> None:
    """Keeps what must hold for clients and accounts as a whole, whatever each cell alone may do."""
    if request.kind is OperationKind.UNDO:
        await guard_undone(connection, verdicts, asked_at)
    if request.expiry is not None and request.expiry.of_cell:
        await guard_over(connection, verdicts, at, undone=request.kind is OperationKind.UNDO)
    await guard_super_admins(connection, verdicts, at, locked=locked)
    if not request.options.accept_lockout:
        await guard_lockout(connection, verdicts, at)


async def targets_of(connection: AsyncConnection, viewer: Viewer, request: OperationRequest, *, locked: bool) -> Scope:
    """Returns the people and clients that a request is about.

    Raises:
        RefusedError: as ``find_scope``.
    """
    ended_too = request.kind is OperationKind.REMOVE
    return await find_scope(connection, viewer, request.targets, locked=locked, ended_too=ended_too)


def _may_gain(request: OperationRequest) -> bool:
    """Says whether somebody who has access already may come to hold more by a request (E6)."""
    if request.kind is OperationKind.GRANT and request.on_existing is OnExisting.SKIP:
        return False
    changes = (request.access, request.seat, request.expiry)
    return request.kind is OperationKind.REACTIVATE or any(change is not None for change in changes)


async def _lay_out(
    connection: AsyncConnection, scope: Scope, classes: Classes, team_plan: TeamPlan, actor: Actor
) -> None:
    """Writes the targets with their classes, and what decides about teams, into the temporary tables."""
    clients = [
        {
            "id": client.id,
            "position": position,
            "account_id": client.account_id,
            "class": classes.of_client(client),
            "has_teams": classes.has_teams_in(client),
            "edits_teams": classes.edits_teams_in(client),
            "latest": classes.latest_end(client),
        }
        for position, client in enumerate(scope.clients, scope.first_client)
    ]
    members = [
        {"id": member.id, "position": position, "user_id": member.user_id, "class": classes.of_member(member)}
        for position, member in enumerate(scope.members)
    ]
    latest = {client.id: classes.latest_end(client) for client in scope.clients}
    pairs = [
        {
            "position": position,
            "member_id": member_id,
            "client_id": client_id,
            "class": 0 if wished is None else _wish_class(classes, wished, client_id, latest[client_id]),
            "team_class": classes.of_teams(wished.wish.teams) if wished else None,
            "expires_at": wished and wished.expires_at,
        }
        for position, (member_id, client_id), wished in zip(
            _positions(scope), scope.pairs or (), scope.wishes or repeat(None, len(scope.pairs or ())), strict=True
        )
    ]
    teams = [
        {"client_id": client_id, "class": 0, "team_id": team.team_id, "is_primary": team.primary}
        for client_id, asked in team_plan.by_client.items()
        for team in asked
    ]
    wished_teams = {
        (pair[1], wished.wish.teams) for pair, wished in zip(scope.pairs or (), scope.wishes or (), strict=False)
    }
    teams += [
        {"client_id": client_id, "class": classes.of_teams(wished), "team_id": team_id, "is_primary": primary}
        for client_id, wished in wished_teams
        for team_id, primary in wished or ()
    ]
    # Where the actor may edit teams, it does not matter which ones they are in.
    held = [
        {"client_id": client.id, "team_id": team_id}
        for client in scope.clients
        if not classes.edits_teams_in(client)
        for team_id in sorted(actor.teams.get(client.id, ()))
    ]
    await insert_many(connection, cell.target_clients, clients)
    await insert_many(connection, cell.target_members, members)
    await insert_many(connection, cell.target_pairs, pairs)
    await insert_many(connection, cell.target_teams, teams)
    await insert_many(connection, cell.held_teams, held)


def _wish_class(classes: Classes, wished: WishedCell, client_id: int, latest: datetime | None) -> int:
    """Returns the class of what is wanted in a single pair."""
    return classes.of_wish(wished.wish, term_of_wish(latest, wished.expires_at), client_id)


def _positions(scope: Scope) -> Sequence[int]:
    """Returns the positions of single pairs."""
    return range(len(scope.pairs or ())) if scope.positions is None else scope.positions


async def _decide_all(
    connection: AsyncConnection,
    request: OperationRequest,
    classes: Classes,
    verdicts: Verdicts,
    asked: cell.Asked,
    *,
    paired: bool,
) -> None:
    """Decides every situation once and fills the cells with the decisions, by one statement."""
    key = cell.grant_key(asked)
    rows = await connection.execute(cell.existing_situations(key, asked, paired=paired))
    existing = {(row.client_class, row.member_class, row.grant_key, row.pair_class) for row in rows}
    facts = {grant_key: GrantFacts.of_key(grant_key) for _, _, grant_key, _ in existing}
    await classes.load(connection, [grant for grant in facts.values() if grant is not None])
    decided = [
        {
            "client_class": client,
            "member_class": member,
            "grant_key": grant_key,
            "pair_class": pair,
            "decision": verdicts.number(decide(request, situation, catalogue)),
        }
        for client, member, grant_key, pair in sorted(existing | classes.combinations())
        for situation in [classes.situation(client, member, grant_key, facts.get(grant_key), pair)]
    ]
    await insert_many(connection, cell.situations, decided)
    filled = cell.filled_cells(key, asked, paired=paired)
    await connection.execute(insert(cell.cells).from_select([column.name for column in cell.cells.c], filled))
