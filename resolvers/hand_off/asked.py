"""What was asked for in an operation, as a colleague would ask it again now (N02)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.operation import OperationKind, operations
from models.table import now
from models.team import teams
from resolvers.error import RefusedError
from resolvers.issuer import EPHEMERAL
from resolvers.operation.access import AccessSource, copies_as_they_are, find_access, sets_as_they_are
from resolvers.operation.request import (
    AsWished,
    CopyFrom,
    CurrentVersion,
    DefaultSet,
    FromSet,
    OnExisting,
    OperationRequest,
    TeamRequest,
    WriteOptions,
)
from resolvers.operation.situation import Requested
from resolvers.operation.stored_request import NO_TARGETS, read_again
from resolvers.partner_admin import load_admin_set
from resolvers.readable import readable_operations, readable_teams
from resolvers.viewer import Viewer

HANDED = {
    OperationKind.GRANT,
    OperationKind.CHANGE,
    OperationKind.REACTIVATE,
    OperationKind.MIGRATE,
    OperationKind.ASSIGN_TEAMS,
    OperationKind.REAPPLY,
}
"""What somebody with more authority can do in the place of whoever asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, and what it stands for now."""

    kind: OperationKind
    partner_id: int
    request: OperationRequest | None = None
    """As ``again`` makes it; None for what nobody can ask for again, as an access matrix or an undo."""
    on_existing: OnExisting = OnExisting.CHANGE
    """What was to become of people who had access already."""
    source: AccessSource | None = None
    """None where what was to be given is not there any more, or its expiry has passed."""
    team_accounts: Mapping[int, int] = field(default_factory=dict)
    """By team that is asked for, whose it is."""

    @property
    def teams(self) -> tuple[TeamRequest, ...] | None:
        """Returns the teams that are to be given, named or those of the copied access; None to leave teams as they are."""
        if self.request is None or self.source is None:
            return None
        return self.request.teams if self.request.teams is not None else self.source.copied_teams or None

    @property
    def migrates(self) -> bool:
        """Says whether super admins are to become partner admins, of whom the last stays in each account (F42)."""
        return self.kind is OperationKind.MIGRATE


def can_be_asked_again(kind: OperationKind, request: OperationRequest | None) -> bool:
    """Says whether a request can be made once more by itself, by somebody else."""
    return kind in HANDED and request is not None and not isinstance(request.access, AsWished)


def again(request: OperationRequest, reason: str | None = None) -> OperationRequest:
    """Returns a request as it is made once more: sets, defaults and copied access are what they are by now.

    Whoever was given only a part has access by now, so people with access are changed; what nobody but the first one has agreed to,
    as a lockout, is not agreed to again.
    """
    access = request.access
    match access:
        case FromSet():
            access = replace(access, version_id=None)
        case CopyFrom():
            access = replace(access, copied=None)
        case DefaultSet() | CurrentVersion():
            access = replace(access, versions=None)
    given = request.options
    return replace(
        request,
        access=access,
        on_existing=OnExisting.CHANGE if request.kind is OperationKind.GRANT else request.on_existing,
        expected_versions=(),
        options=WriteOptions(atomic=given.atomic, mode=given.mode, reason=given.reason if reason is None else reason),
        checked=True,
    )


async def asked_in_operations(connection: AsyncConnection, viewer: Viewer, keys: Collection[int]) -> dict[int, Asked]:
    """Returns what was asked for in each of these operations that the viewer may know of."""
    if not keys:
        return {}
    columns = (operations.c.id, operations.c.partner_id, operations.c.kind, operations.c.request)
    known = readable_operations(viewer).where(operations.c.id.in_(sorted(keys))).with_only_columns(*columns)
    rows = (await connection.execute(known)).all()
    # The issuer is for tokens of reviews, of which nothing is looked at.
    requests = [
        (row.id, row.partner_id, OperationKind(row.kind), read_again(row.request, EPHEMERAL, NO_TARGETS))
        for row in rows
    ]
    return await asked_as_things_stand(connection, viewer, requests)


async def asked_as_things_stand(
    connection: AsyncConnection,
    viewer: Viewer,
    requests: Iterable[tuple[int, int, OperationKind, OperationRequest | None]],
) -> dict[int, Asked]:
    """Returns what requests stand for now, with a number of statements that does not depend on how many they are.

    Args:
        connection: of the transaction.
        viewer: who asks.
        requests: each with a key of its own, the partner and the kind of the operation.
    """
    listed = list(requests)
    repeatable = {
        key: (partner_id, again(request))
        for key, partner_id, kind, request in listed
        if request is not None and can_be_asked_again(kind, request)
    }
    sources = await _sources(connection, viewer, repeatable)
    named = {
        team.team_id
        for key, (_, request) in repeatable.items()
        for team in (*(request.teams or ()), *(sources[key].copied_teams if key in sources else ()))
    } - {None}
    whose: dict[int, int] = {}
    if named:
        known = select(teams.c.id, teams.c.account_id).where(
            teams.c.id.in_(sorted(key for key in named if key)), teams.c.id.in_(readable_teams(viewer))
        )
        whose = {row.id: row.account_id for row in await connection.execute(known)}
    return {
        key: Asked(
            kind,
            partner_id,
            repeatable[key][1] if key in repeatable else None,
            OnExisting.CHANGE if request is None else request.on_existing,
            sources.get(key),
            whose,
        )
        for key, partner_id, kind, request in listed
    }


async def _sources(
    connection: AsyncConnection, viewer: Viewer, asked: Mapping[int, tuple[int, OperationRequest]]
) -> dict[int, AccessSource]:
    """Returns where the access comes from that each request is about; left out is what is not there any more."""
    sets = await sets_as_they_are(
        connection,
        viewer,
        [
            (partner, request.access.set_id)
            for partner, request in asked.values()
            if isinstance(request.access, FromSet)
        ],
    )
    copies = await copies_as_they_are(
        connection,
        viewer,
        [
            (partner, request.access.grant_id)
            for partner, request in asked.values()
            if isinstance(request.access, CopyFrom)
        ],
    )
    migrating = any(request.kind is OperationKind.MIGRATE for _, request in asked.values())
    admin = await load_admin_set(connection) if migrating else None
    at, found = now(), dict[int, AccessSource | None]()
    for key, (partner_id, request) in asked.items():
        source: AccessSource | None
        match request.access:
            case FromSet(set_id=set_id):
                source = sets.get((partner_id, set_id))
            case CopyFrom(grant_id=grant_id):
                source = copies.get((partner_id, grant_id))
            case _ if admin is not None and request.kind is OperationKind.MIGRATE:
                source = AccessSource(fixed=Requested(admin.state, admin.version_id, admin.state))
            case _:
                source = await _without_statement(connection, viewer, partner_id, request)
        over = request.expiry is not None and request.expiry.at is not None and request.expiry.at <= at
        found[key] = None if over else source
    return {key: source for key, source in found.items() if source is not None}


async def _without_statement(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, request: OperationRequest
) -> AccessSource | None:
    """Returns single permissions, or those of each person or grant; None if the catalogue does not have them any more."""
    try:
        return await find_access(connection, viewer, partner_id, request.access)
    except RefusedError:
        return None
