"""From targets to people and clients: which rows are meant, all of one partner for which the viewer may act."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, Table, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.grant import GrantStatus, grants
from models.member import MemberStatus, members
from models.operation import CELLS
from models.permission_set import permission_set_versions, permission_sets
from resolvers.acting_partner import acting_partner
from resolvers.client_filter import client_conditions
from resolvers.error import RefusalCode, RefusedError, refuse
from resolvers.member_filter import member_conditions
from resolvers.operation.place import TARGETS, Places, check_length, listed_keys, missing, places_of
from resolvers.operation.request import (
    Existing,
    Grants,
    Key,
    Matching,
    OutdatedGrants,
    Pairs,
    Product,
    Targets,
    WishedPairs,
)
from resolvers.operation.target import (
    TargetClient,
    TargetMember,
    client_of,
    client_rows,
    member_of,
    member_rows,
    rows_by_key,
)
from resolvers.operation.wish import WishedCell
from resolvers.readable import readable_clients, readable_grants, readable_members, readable_permission_sets
from resolvers.viewer import Viewer

_NEWER = grants.alias("newer_grant")


@dataclass(frozen=True, slots=True)
class Scope:
    """The people and clients of an operation, in the order of the input; with `pairs`, only these cells of them."""

    partner_id: int
    clients: Sequence[TargetClient]
    members: Sequence[TargetMember]
    pairs: Sequence[tuple[int, int]] | None = None
    first_client: int = 0
    """The place of the first client among all clients of the operation, of which these may be a part."""
    positions: Sequence[int] | None = None
    """With `pairs`, the position of each among all cells of the operation; None if these are all."""
    wishes: Sequence[WishedCell] | None = None
    """With `pairs`, what is wanted in each, where they differ in it (P28)."""

    @property
    def size(self) -> int:
        """Returns the number of cells."""
        return len(self.clients) * len(self.members) if self.pairs is None else len(self.pairs)


async def find_scope(
    connection: AsyncConnection, viewer: Viewer, targets: Targets, *, locked: bool, ended_too: bool = False
) -> Scope:
    """Returns what the targets stand for; locked, so that operations on the same clients and people wait for each other.

    Args:
        connection: of the transaction.
        viewer: who asks.
        targets: what is asked for.
        locked: whether to lock it.
        ended_too: whether grants that are removed still name their person and client (R6).

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, NOT_FOUND (unknown, foreign and unreadable ids alike, T1), INVALID_INPUT.
    """
    if not any(place.acts for place in viewer.memberships):
        acting_partner(viewer, None)
    if isinstance(targets, Matching):
        return await _matching(connection, viewer, targets, locked=locked)
    if isinstance(targets, OutdatedGrants):
        of_partner, pairs = await _pairs_of_outdated(connection, viewer, targets.set_id, targets.partner_id)
        if not pairs:
            return Scope(of_partner, [], [], [])
        named = _Named.by_pairs(pairs, "permissionSet")
    else:
        named = await _named(connection, viewer, targets, ended_too=ended_too)
    found_clients = await rows_by_key(connection, client_rows(viewer, locked=locked), clients, named.clients)
    found_members = await rows_by_key(connection, member_rows(viewer, locked=locked), members, named.members)
    refusals = [*missing(named.clients, found_clients, "client"), *missing(named.members, found_members, "member")]
    if refusals:
        raise RefusedError(refusals)
    target_clients = [client_of(found_clients[key]) for key in named.clients]
    target_members = [member_of(found_members[key]) for key in named.members]
    partner_id = _one_partner(viewer, target_clients, target_members)
    known = None
    if named.pairs is not None:
        known = list(dict.fromkeys((m, c) for m, c in named.pairs if m is not None and c is not None))
    wishes = targets.wishes if isinstance(targets, WishedPairs) else None
    return Scope(partner_id, target_clients, target_members, known, wishes=wishes)


@dataclass(frozen=True, slots=True)
class _Named:
    """The people and clients that targets name, with their places in the input; with `pairs`, only these cells of them."""

    members: Places
    clients: Places
    pairs: Sequence[tuple[Key, Key]] | None = None

    @classmethod
    def by_pairs(cls, pairs: Sequence[tuple[Key, Key]], place: str, *inner: str) -> "_Named":
        """Returns what pairs name; ``inner`` are the names of person and client in each, if it has any."""
        member, client = ((name,) for name in inner) if inner else ((), ())
        return cls(
            places_of([key for key, _ in pairs], place, *member),
            places_of([key for _, key in pairs], place, *client),
            pairs,
        )


async def _named(
    connection: AsyncConnection,
    viewer: Viewer,
    targets: Product | Pairs | Grants | Existing | WishedPairs,
    *,
    ended_too: bool,
) -> _Named:
    """Returns whom and what targets name."""
    match targets:
        case Product(members=member_keys, clients=client_keys):
            return _Named(
                listed_keys(member_keys, "product", "members"), listed_keys(client_keys, "product", "clients")
            )
        case Pairs(pairs=listed):
            if targets.listed:
                check_length(listed, "pairs")
            return _Named.by_pairs(listed, "pairs", "member", "client")
        case WishedPairs(pairs=wished):
            return _Named.by_pairs(wished, "matrix")
        case Grants(grants=grant_keys):
            return _Named.by_pairs(
                await _pairs_of_grants(connection, viewer, grant_keys, ended_too=ended_too), "grants"
            )
        case Existing(members=member_keys, clients=client_keys):
            people = {} if member_keys is None else listed_keys(member_keys, "existing", "members")
            places = {} if client_keys is None else listed_keys(client_keys, "existing", "clients")
            pairs = await _pairs_of_existing(connection, viewer, people, places)
            found = _Named.by_pairs(pairs, "existing")
            return _Named(found.members | people, found.clients | places, pairs)


def _one_partner(viewer: Viewer, found: Sequence[TargetClient], people: Sequence[TargetMember]) -> int:
    partner_ids = {client.partner_id for client in found} | {person.partner_id for person in people}
    for partner_id in sorted(partner_ids):
        viewer.acting(partner_id)
    if len(partner_ids) != 1:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "These people and clients belong to different partners: make one request for each partner.",
            *TARGETS,
        )
    return partner_ids.pop()


async def _pairs_of_grants(
    connection: AsyncConnection, viewer: Viewer, keys: Sequence[Key], *, ended_too: bool
) -> list[tuple[Key, Key]]:
    places = listed_keys(keys, "grants")
    meant = grants.c.ended == 0
    if ended_too:
        # But never access that was given anew.
        anew = exists().where(_NEWER.c.client_id == grants.c.client_id, _NEWER.c.member_id == grants.c.member_id)
        meant = or_(meant, ~anew.where(_NEWER.c.ended == 0))
    statement = select(grants.c.id, grants.c.member_id, grants.c.client_id).where(
        meant, grants.c.id.in_(readable_grants(viewer))
    )
    found = await rows_by_key(connection, statement, grants, places)
    refusals = missing(places, found, "grant")
    if refusals:
        raise RefusedError(refusals)
    return [(found[key].member_id, found[key].client_id) for key in places]


async def _pairs_of_existing(
    connection: AsyncConnection, viewer: Viewer, people: Places, places: Places
) -> list[tuple[Key, Key]]:
    """Returns who has access where that is not removed: of these people, in these clients, or both; there may be none."""
    statement = (
        select(grants.c.member_id, grants.c.client_id)
        .where(grants.c.ended == 0, grants.c.id.in_(readable_grants(viewer)))
        .order_by(grants.c.client_id, grants.c.member_id)
    )
    if people:
        statement = statement.where(grants.c.member_id.in_([key for key in people if isinstance(key, int)]))
    if places:
        statement = statement.where(grants.c.client_id.in_([key for key in places if isinstance(key, int)]))
    pairs = [(row.member_id, row.client_id) for row in await connection.execute(statement)]
    if len(pairs) > CELLS:
        raise refuse(
            RefusalCode.INVALID_INPUT, f"An operation has at most {CELLS:,} outcomes: name fewer.", *TARGETS, "existing"
        )
    return pairs


async def _pairs_of_outdated(
    connection: AsyncConnection, viewer: Viewer, set_id: Key, named: Key
) -> tuple[int, list[tuple[Key, Key]]]:
    """Returns one partner, and the people and clients of all its grants on an older version of a set; there may be none (P12)."""
    known = permission_sets.c.id.in_(readable_permission_sets(viewer)) & permission_sets.c.archived_at.is_(None)
    owner = select(permission_sets.c.partner_id).where(permission_sets.c.id == set_id, known)
    found = (await connection.execute(owner)).one_or_none()
    if found is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such permission set.", "input", "permissionSet")
    partner_id = acting_partner(viewer, named if found.partner_id is None else found.partner_id, "input", "partner")
    given = permission_set_versions
    statement = (
        select(grants.c.member_id, grants.c.client_id)
        .join(given, given.c.id == grants.c.set_version_id)
        .join(permission_sets, permission_sets.c.id == given.c.set_id)
        .where(permission_sets.c.id == set_id, given.c.version < permission_sets.c.version)
        .where(grants.c.ended == 0, grants.c.status == GrantStatus.ACTIVE.value)
        .where(grants.c.id.in_(readable_grants(viewer).where(grants.c.partner_id == partner_id)))
        .order_by(grants.c.client_id, grants.c.member_id)
    )
    return partner_id, [(row.member_id, row.client_id) for row in await connection.execute(statement)]


def _by_name(row: Row[Any]) -> tuple[str, int]:
    return row.sort_name, row.id


async def _excepted(
    connection: AsyncConnection, statement: Select[Any], table: Table, keys: Sequence[Key], place: str
) -> list[int]:
    """Returns what the filters are to leave out; a key of nobody is refused, for it was meant to keep somebody out."""
    if not keys:
        return []
    places = listed_keys(keys, "matching", place)
    refusals = missing(places, await rows_by_key(connection, statement, table, places), table.name)
    if refusals:
        raise RefusedError(refusals)
    return [key for key in places if isinstance(key, int)]


async def _matching(connection: AsyncConnection, viewer: Viewer, targets: Matching, *, locked: bool) -> Scope:
    """Returns everything that the filters select in one partner (F31); people who left are never meant."""
    partner_id = acting_partner(viewer, targets.partner_id, *TARGETS, "matching", "partner")
    all_clients = select(clients.c.id).where(clients.c.id.in_(readable_clients(viewer)))
    all_members = select(members.c.id).where(members.c.id.in_(readable_members(viewer)))
    except_clients = await _excepted(connection, all_clients, clients, targets.except_clients, "exceptClients")
    except_members = await _excepted(connection, all_members, members, targets.except_members, "exceptMembers")
    selected_clients = (
        client_rows(viewer, locked=locked)
        .where(clients.c.partner_id == partner_id)
        .where(*client_conditions(viewer, targets.clients, targets.client_search))
        .where(clients.c.id.not_in(except_clients))
    )
    selected_members = (
        member_rows(viewer, locked=locked)
        .where(members.c.partner_id == partner_id, members.c.status != MemberStatus.LEFT.value)
        .where(*member_conditions(viewer, targets.members, targets.member_search))
        .where(members.c.id.not_in(except_members))
    )
    scope = Scope(
        partner_id,
        [client_of(row) for row in sorted(await connection.execute(selected_clients), key=_by_name)],
        [member_of(row) for row in sorted(await connection.execute(selected_members), key=_by_name)],
    )
    if not scope.size:
        raise refuse(RefusalCode.INVALID_INPUT, "Nobody, or no client, matches these filters.", *TARGETS, "matching")
    if scope.size > CELLS:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"{scope.size:,} people × clients are more than the {CELLS:,} of one operation: narrow the filters.",
            *TARGETS,
            "matching",
        )
    return scope
