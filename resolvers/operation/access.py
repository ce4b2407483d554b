"""From the access that is asked for to R of the rule, for each client, person and grant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.grant import AccessType, GrantStatus, grants
from models.permission.catalogue import catalogue
from models.permission.mask import tier_mask
from models.permission.state import State
from models.permission_set import permission_set_versions, permission_sets
from models.team import grant_teams
from resolvers.error import RefusalCode, refuse
from resolvers.interning import state_contents
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.operation.request import (
    AsWished,
    CopiedGrant,
    CopyFrom,
    CurrentVersion,
    DefaultSet,
    FromPermissions,
    FromSet,
    Key,
    RequestedAccess,
    TeamRequest,
)
from resolvers.operation.situation import ClientFacts, GrantFacts, MemberFacts, Requested
from resolvers.operation.target import TargetMember
from resolvers.permission_request import requested_state
from resolvers.readable import readable_grants, readable_permission_sets
from resolvers.viewer import Viewer

ACCESS = ("input", "access")


@dataclass(slots=True)
class AccessSource:
    """Where R comes from: one state for all, or one that depends on the client, the person or the grant."""

    fixed: Requested | None = None
    account_id: int | None = None
    """The only account in which the set can be used: it is that client's own (F49)."""
    copied_account_id: int | None = None
    """The only account that knows the set of the copied grant."""
    by_default: bool = False
    default_versions: Mapping[int, int] | None = None
    """By person, the version of the default set that was fixed for them; None for what is theirs now."""
    by_current_version: bool = False
    current_versions: Mapping[int, int] | None = None
    """By set, the version that was fixed; None for the newest."""
    copied: Requested | None = None
    copied_teams: tuple[TeamRequest, ...] = ()
    sets: Mapping[int, Requested | None] = field(default_factory=dict)
    """By version: what each person's default set, the newest version of each grant's set, or a wished version gives; None to leave
    a grant that is past it already as it is."""

    @property
    def needs_tiers(self) -> bool:
        """Says whether the client's product tiers decide over R (E27)."""
        return self.copied is not None

    @property
    def keeps_set(self) -> bool:
        """Says whether grants stay with the set they came from, so that what it contains says if they are customised (F13)."""
        return self.fixed is not None and self.fixed.set_version_id is None

    def default_version(self, member: TargetMember) -> int | None:
        """Returns the version of a person's default set, where it decides (F51)."""
        if not self.by_default:
            return None
        if self.default_versions is None:
            return member.default_version_id
        return self.default_versions.get(member.id)

    def of(self, client: ClientFacts, member: MemberFacts, grant: GrantFacts | None) -> Requested | OutcomeCode | None:
        """Returns R for a situation, or why there is none; None leaves the permissions as they are."""
        if self.by_default:
            return self.sets.get(member.default_version_id or 0, OutcomeCode.NO_PERMISSION_SET)
        if self.by_current_version:
            version_id = grant.set_version_id if grant else None
            return self.sets.get(version_id or 0, OutcomeCode.NO_PERMISSION_SET)
        if self.copied is not None and client.tiers is not None:
            copied = self.copied
            # Under a lockdown only the whole set can be given; what the client lacks of it counts for nothing there (E20).
            kept = copied.state
            if client.lockdown is None:
                kept = catalogue.largest_closed_subset(kept & tier_mask(client.tiers, catalogue))
            return Requested(
                state=kept,
                set_version_id=None if client.lacks_set else copied.set_version_id,
                set_state=None if client.lacks_set else copied.set_state,
                dropped=copied.state & ~kept,
            )
        return self.fixed


async def find_access(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, access: RequestedAccess | None
) -> AccessSource:
    """Returns the source of R for what was asked.

    Raises:
        RefusedError: UNKNOWN_PERMISSION, INVALID_LEVEL, INVALID_PREREQUISITE, NON_DELEGABLE, NOT_FOUND, SOURCE_IS_SUPER_ADMIN.
    """
    match access:
        case None | AsWished():
            return AccessSource()
        case FromPermissions(permissions=permissions):
            return AccessSource(fixed=Requested(requested_state(permissions, *ACCESS, "permissions")))
        case FromSet():
            return await _from_set(connection, viewer, partner_id, access)
        case CopyFrom(grant_id=grant_id, copied=copied):
            copied = copied or await find_copied(connection, viewer, partner_id, grant_id)
            return (await _from_copies(connection, [copied]))[0]
        case DefaultSet(versions=versions):
            return AccessSource(by_default=True, default_versions=versions)
        case CurrentVersion(versions=versions):
            return AccessSource(by_current_version=True, current_versions=versions)


async def _from_set(connection: AsyncConnection, viewer: Viewer, partner_id: int, access: FromSet) -> AccessSource:
    version = permission_set_versions.c.version == permission_sets.c.version
    if access.version_id is not None:
        # A client's own set is at any time what the client says: its edits reach all grants (F49).
        fixed = permission_set_versions.c.id == access.version_id
        version = case((permission_sets.c.account_id.is_(None), fixed), else_=version)
    statement = _usable_sets(viewer, version).where(permission_sets.c.id == access.set_id)
    row = (await connection.execute(statement)).one_or_none()
    if row is None or row.partner_id not in {None, partner_id}:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such permission set: take an id from partner.permissionSets or client.permissionSets.",
            *ACCESS,
            "permissionSet",
        )
    return _source_of_set(row, await _closed_states(connection, {row.state_id}))


def _usable_sets(viewer: Viewer, version: ColumnElement[bool]) -> Select[Any]:
    """Selects sets that can be given, each with one of its versions."""
    sets = permission_sets.c
    return (
        select(sets.id.label("set_id"), sets.account_id, sets.partner_id, permission_set_versions.c.id)
        .add_columns(permission_set_versions.c.state_id)
        .join(permission_set_versions, permission_set_versions.c.set_id == sets.id)
        .where(version, sets.archived_at.is_(None), sets.id.in_(readable_permission_sets(viewer)))
    )


def _source_of_set(row: Row[Any], states: Mapping[int, State]) -> AccessSource:
    state = states[row.state_id]
    return AccessSource(fixed=Requested(state, row.id, state), account_id=row.account_id)


async def sets_as_they_are(
    connection: AsyncConnection, viewer: Viewer, wanted: Iterable[tuple[int, Key]]
) -> dict[tuple[int, Key], AccessSource]:
    """Returns what permission sets give now, by the partner for which they are wanted and the set; left out is what gives nothing."""
    asked = set(wanted)
    if not asked:
        return {}
    current = permission_set_versions.c.version == permission_sets.c.version
    keys = sorted({set_id for _, set_id in asked if set_id is not None})
    rows = (await connection.execute(_usable_sets(viewer, current).where(permission_sets.c.id.in_(keys)))).all()
    states = await _closed_states(connection, {row.state_id for row in rows})
    found = {row.set_id: (row.partner_id, _source_of_set(row, states)) for row in rows}
    return {
        (partner_id, set_id): found[set_id][1]
        for partner_id, set_id in asked
        if set_id in found and found[set_id][0] in {None, partner_id}
    }


async def find_copied(
    connection: AsyncConnection, viewer: Viewer, partner_id: int, grant_id: int | None
) -> CopiedGrant:
    """Returns what is to be copied of a grant, as it is now.

    Raises:
        RefusedError: NOT_FOUND, SOURCE_IS_SUPER_ADMIN.
    """
    row = (await connection.execute(_copied_grants(viewer).where(grants.c.id == grant_id))).one_or_none()
    if row is None or row.partner_id != partner_id:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such grant to copy from: take the id of one of client.grants that is not removed.",
            *ACCESS,
            "copyFrom",
        )
    if row.access_type == AccessType.SUPER_ADMIN.value:
        raise refuse(
            RefusalCode.SOURCE_IS_SUPER_ADMIN,
            "A super admin's access cannot be copied: copy from a partner admin, or use a permission set.",
            *ACCESS,
            "copyFrom",
        )
    teams = await connection.execute(_teams_of_grants([row.id]))
    return _copied(row, teams.all())


def _copied_grants(viewer: Viewer) -> Select[Any]:
    """Selects access that can be copied, unless it is a super admin's."""
    columns = ("id", "partner_id", "access_type", "state_id", "set_version_id", "account_id")
    living = grants.c.status != GrantStatus.REMOVED.value
    return select(*(grants.c[name] for name in columns)).where(living, grants.c.id.in_(readable_grants(viewer)))


def _teams_of_grants(keys: Sequence[int]) -> Select[Any]:
    of_grant = grant_teams.c
    return select(of_grant.grant_id, of_grant.team_id, of_grant.is_primary).where(of_grant.grant_id.in_(keys))


def _copied(row: Row[Any], teams: Iterable[Row[Any]]) -> CopiedGrant:
    listed = tuple(TeamRequest(team.team_id, team.is_primary, row.account_id) for team in teams)
    return CopiedGrant(row.state_id, row.set_version_id, listed)


async def copies_as_they_are(
    connection: AsyncConnection, viewer: Viewer, wanted: Iterable[tuple[int, Key]]
) -> dict[tuple[int, Key], AccessSource]:
    """Returns what a copy of grants gives now, by the partner for which it is wanted and the grant; left out is what gives nothing."""
    asked = set(wanted)
    if not asked:
        return {}
    keys = sorted({grant_id for _, grant_id in asked if grant_id is not None})
    rows = (await connection.execute(_copied_grants(viewer).where(grants.c.id.in_(keys)))).all()
    teams: dict[int, list[Row[Any]]] = {}
    for team in await connection.execute(_teams_of_grants(keys)):
        teams.setdefault(team.grant_id, []).append(team)
    copied = [(row.partner_id, row.id) for row in rows if row.access_type != AccessType.SUPER_ADMIN.value]
    sources = await _from_copies(
        connection,
        [_copied(row, teams.get(row.id, ())) for row in rows if row.access_type != AccessType.SUPER_ADMIN.value],
    )
    found: dict[tuple[int, Key], AccessSource] = dict(zip(copied, sources, strict=True))
    return {key: source for key, source in found.items() if key in asked}


async def _from_copies(connection: AsyncConnection, copied: Sequence[CopiedGrant]) -> list[AccessSource]:
    versions = permission_set_versions.c
    keys = {copy.set_version_id for copy in copied if copy.set_version_id is not None}
    of_sets: dict[int, Any] = {}
    if keys:
        statement = (
            select(versions.id, versions.state_id, permission_sets.c.account_id, permission_sets.c.archived_at)
            .join(permission_sets, permission_sets.c.id == versions.set_id)
            .where(versions.id.in_(sorted(keys)))
        )
        of_sets = {row.id: row for row in await connection.execute(statement)}
    states = await _closed_states(
        connection, {copy.state_id for copy in copied} | {row.state_id for row in of_sets.values()}
    )
    return [_source_of_copy(copy, of_sets.get(copy.set_version_id or 0), states) for copy in copied]


def _source_of_copy(copy: CopiedGrant, of_set: Row[Any] | None, states: Mapping[int, State]) -> AccessSource:
    state, account_id = states[copy.state_id], None if of_set is None else of_set.account_id
    # Nobody is given an archived set any more: the permissions are copied, and the set is not remembered.
    if of_set is None or of_set.archived_at is not None:
        copied = Requested(state)
    else:
        copied = Requested(state, of_set.id, states[of_set.state_id])
    return AccessSource(copied=copied, copied_account_id=account_id, copied_teams=copy.teams)


async def load_newest_versions(
    connection: AsyncConnection, version_ids: Iterable[int], fixed: Mapping[int, int] | None = None
) -> dict[int, Requested | None]:
    """Returns, for each version of a set, what the newest version of the same set gives (P12); archived sets give nothing.

    Args:
        connection: of the transaction.
        version_ids: the versions.
        fixed: by set, the version that was the newest when it was asked for; it gives None for later ones.
    """
    given = permission_set_versions.alias("given")
    newest = permission_set_versions.alias("newest")
    which = newest.c.version == permission_sets.c.version if fixed is None else newest.c.id.in_(list(fixed.values()))
    rows = (
        await connection.execute(
            select(given.c.id, newest.c.id.label("newest_id"), newest.c.state_id)
            .add_columns((given.c.version > newest.c.version).label("is_later"))
            .join(permission_sets, permission_sets.c.id == given.c.set_id)
            .join(newest, (newest.c.set_id == given.c.set_id) & which)
            .where(given.c.id.in_(sorted(set(version_ids))), permission_sets.c.archived_at.is_(None))
        )
    ).all()
    states = await _closed_states(connection, {row.state_id for row in rows})
    return {
        row.id: None if row.is_later else Requested(states[row.state_id], row.newest_id, states[row.state_id])
        for row in rows
    }


async def load_usable_versions(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[int, Requested]:
    """Returns what each version of a set gives (F51, P28); archived sets give nothing, a client's own always its newest (F49)."""
    sets, given, usable = permission_sets.c, permission_set_versions.alias("given"), permission_set_versions.alias()
    which = case((sets.account_id.is_(None), usable.c.id == given.c.id), else_=usable.c.version == sets.version)
    statement = (
        select(given.c.id, usable.c.id.label("usable_id"), usable.c.state_id)
        .join(permission_sets, sets.id == given.c.set_id)
        .join(usable, (usable.c.set_id == given.c.set_id) & which)
        .where(given.c.id.in_(sorted(set(version_ids))), sets.archived_at.is_(None))
    )
    rows = (await connection.execute(statement)).all()
    states = await _closed_states(connection, {row.state_id for row in rows})
    return {row.id: Requested(states[row.state_id], row.usable_id, states[row.state_id]) for row in rows}


async def load_templates(connection: AsyncConnection, version_ids: Iterable[int]) -> dict[int, State]:
    """Returns what each version of a set contains (F13)."""
    wanted = sorted(set(version_ids))
    if not wanted:
        return {}
    versions = permission_set_versions.c
    statement = select(versions.id, versions.state_id).where(versions.id.in_(wanted))
    rows = (await connection.execute(statement)).all()
    states = await _closed_states(connection, {row.state_id for row in rows})
    return {row.id: states[row.state_id] for row in rows}


async def _closed_states(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, State]:
    """Returns states as far as they are complete in themselves: one from before a requirement was added may not be (E22)."""
    found = await state_contents(connection, ids)
    return {key: catalogue.largest_closed_subset(state) for key, state in found.items()}
