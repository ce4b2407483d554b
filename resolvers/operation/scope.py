"""From targets to people and clients: which rows are meant, all of one partner for which the viewer may act."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Row, Select, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.grant import GrantStatus, grants
from models.member import MemberStatus, members
from models.operation import CELLS
from models.permission_set import permission_set_versions, permission_sets
from resolvers.client_filter import client_conditions
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.member_filter import member_conditions
from resolvers.operation.request import Grants, Key, Matching, OutdatedGrants, Pairs, Product, Targets
from resolvers.readable import readable_clients, readable_grants, readable_members, readable_permission_sets
from resolvers.viewer import Viewer

MOST_KEYS = 1_000
"""The most ids in one list; `matching` selects more."""

_KEYS_AT_ONCE = 10_000
"""How many keys go into one statement: both databases limit its parameters."""

TARGETS = ("input", "targets")

Places: TypeAlias = dict[int | str, tuple[str, ...]]
"""Each key once, with where it stands in the input below the targets."""


@dataclass(frozen=True, slots=True)
class TargetClient:
    """A client that the operation touches."""

    id: int
    partner_id: int
    account_id: int
    ceiling_id: int | None
    tiers: str


@dataclass(frozen=True, slots=True)
class TargetMember:
    """A person whom the operation touches."""

    id: int
    partner_id: int
    user_id: int
    status: MemberStatus
    verified: bool
    default_version_id: int | None


@dataclass(frozen=True, slots=True)
class Scope:
    """The people and clients of an operation, in the order of the input; with `pairs`, only these cells of them."""

    partner_id: int
    clients: Sequence[TargetClient]
    members: Sequence[TargetMember]
    pairs: Sequence[tuple[int, int]] | None = None

    @property
    def size(self) -> int:
        """Returns the number of cells."""
        return len(self.clients) * len(self.members) if self.pairs is None else len(self.pairs)


async def find_scope(connection: AsyncConnection, viewer: Viewer, targets: Targets, *, locked: bool) -> Scope:
    """Returns what the targets stand for; locked, so that operations on the same clients and people wait for each other.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, NOT_FOUND (unknown, foreign and unreadable ids alike, T1), INVALID_INPUT.
    """
    _may_act_somewhere(viewer)
    match targets:
        case Matching():
            return await _matching(connection, viewer, targets, locked=locked)
        case Product(members=member_keys, clients=client_keys):
            member_ids = _listed(member_keys, "product", "members")
            client_ids = _listed(client_keys, "product", "clients")
            pairs: Sequence[tuple[Key, Key]] | None = None
        case Pairs(pairs=listed):
            _check_length(listed, "pairs")
            member_ids = _places([key for key, _ in listed], "pairs", "member")
            client_ids = _places([key for _, key in listed], "pairs", "client")
            pairs = listed
        case Grants(grants=grant_keys):
            pairs = await _pairs_of_grants(connection, viewer, grant_keys)
            member_ids = _places([member_id for member_id, _ in pairs], "grants")
            client_ids = _places([client_id for _, client_id in pairs], "grants")
        case OutdatedGrants(set_id=set_id):
            pairs = await _pairs_of_outdated(connection, viewer, set_id)
            member_ids = _places([member_id for member_id, _ in pairs], "permissionSet")
            client_ids = _places([client_id for _, client_id in pairs], "permissionSet")
    found_clients = await _rows(connection, _client_rows(viewer, locked=locked), clients, client_ids)
    found_members = await _rows(connection, _member_rows(viewer, locked=locked), members, member_ids)
    refusals = [*_missing(client_ids, found_clients, "client"), *_missing(member_ids, found_members, "member")]
    if refusals:
        raise RefusedError(refusals)
    target_clients = [_client(found_clients[key]) for key in client_ids]
    target_members = [_member(found_members[key]) for key in member_ids]
    partner_id = _one_partner(viewer, target_clients, target_members)
    known = None if pairs is None else list(dict.fromkeys((m, c) for m, c in pairs if m is not None and c is not None))
    return Scope(partner_id, target_clients, target_members, known)


def _may_act_somewhere(viewer: Viewer) -> None:
    """Refuses a viewer who can act for no partner at all, with the reason (F01, F02)."""
    if not any(place.acts for place in viewer.memberships):
        viewer.acting(viewer.memberships[0].partner_id if viewer.memberships else 0)


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


def _check_length(keys: Sequence[object], *place: str) -> None:
    if not keys:
        raise refuse(RefusalCode.INVALID_INPUT, "Name at least one here.", *TARGETS, *place)
    if len(keys) > MOST_KEYS:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"At most {MOST_KEYS:,} fit in one list, and this one has {len(keys):,}: select them with `matching`.",
            *TARGETS,
            *place,
        )


def _listed(keys: Sequence[Key], *place: str) -> Places:
    """Returns each key once with its place in the input.

    Raises:
        RefusedError: INVALID_INPUT for an empty or oversized list.
    """
    _check_length(keys, *place)
    return _places(keys, *place)


def _places(keys: Sequence[Key], before: str, *after: str) -> Places:
    """Returns each key once, in order, with its first place in the input; each unreadable id counts for itself."""
    inner, last = (after, ()) if before in {"product", "matching"} else ((), after)
    places: Places = {}
    for index, key in enumerate(keys):
        places.setdefault(f"unreadable {index}" if key is None else key, (before, *inner, str(index), *last))
    return places


async def _pairs_of_grants(connection: AsyncConnection, viewer: Viewer, keys: Sequence[Key]) -> list[tuple[int, int]]:
    places = _listed(keys, "grants")
    statement = select(grants.c.id, grants.c.member_id, grants.c.client_id).where(
        grants.c.ended == 0, grants.c.id.in_(readable_grants(viewer))
    )
    found = await _rows(connection, statement, grants, places)
    refusals = _missing(places, found, "grant")
    if refusals:
        raise RefusedError(refusals)
    return [(found[key].member_id, found[key].client_id) for key in places]


async def _rows(
    connection: AsyncConnection, statement: Select[Any], table: Table, places: Places
) -> dict[int | str, Row[Any]]:
    known = sorted(key for key in places if isinstance(key, int))
    found: dict[int | str, Row[Any]] = {}
    for start in range(0, len(known), _KEYS_AT_ONCE):
        rows = await connection.execute(statement.where(table.c.id.in_(known[start : start + _KEYS_AT_ONCE])))
        found |= {row.id: row for row in rows}
    return found


async def _pairs_of_outdated(connection: AsyncConnection, viewer: Viewer, set_id: Key) -> list[tuple[int, int]]:
    given = permission_set_versions
    statement = (
        select(grants.c.member_id, grants.c.client_id)
        .join(given, given.c.id == grants.c.set_version_id)
        .join(permission_sets, permission_sets.c.id == given.c.set_id)
        .where(permission_sets.c.id == set_id, given.c.version < permission_sets.c.version)
        .where(permission_sets.c.id.in_(readable_permission_sets(viewer)), permission_sets.c.archived_at.is_(None))
        .where(grants.c.ended == 0, grants.c.status == GrantStatus.ACTIVE.value)
        .where(grants.c.id.in_(readable_grants(viewer)))
        .order_by(grants.c.client_id, grants.c.member_id)
    )
    pairs = [(row.member_id, row.client_id) for row in await connection.execute(statement)]
    if not pairs:
        raise refuse(
            RefusalCode.NOT_FOUND,
            "There is no such permission set, or none of its grants is on an older version.",
            "input",
            "permissionSet",
        )
    return pairs


def _missing(places: Places, found: dict[int | str, Row[Any]], noun: str) -> list[Refusal]:
    message = f"There is no such {noun}."
    return [
        Refusal(RefusalCode.NOT_FOUND, message, (*TARGETS, *place)) for key, place in places.items() if key not in found
    ]


def _client_rows(viewer: Viewer, *, locked: bool) -> Select[Any]:
    """Selects clients in the order of their keys, in which all writers lock them, so that no two wait for each other."""
    statement = (
        select(
            clients.c.id,
            clients.c.partner_id,
            clients.c.account_id,
            clients.c.ceiling_id,
            accounts.c.tiers,
            clients.c.sort_name,
        )
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.id.in_(readable_clients(viewer)))
        .order_by(clients.c.id)
    )
    return statement.with_for_update(key_share=True, of=clients) if locked else statement


def _member_rows(viewer: Viewer, *, locked: bool) -> Select[Any]:
    """Selects people, as ``_client_rows`` does."""
    newest = and_(
        permission_set_versions.c.set_id == permission_sets.c.id,
        permission_set_versions.c.version == permission_sets.c.version,
    )
    usable = and_(permission_sets.c.id == members.c.default_permission_set_id, permission_sets.c.archived_at.is_(None))
    statement = (
        select(
            members.c.id,
            members.c.partner_id,
            members.c.user_id,
            members.c.status,
            members.c.verified,
            permission_set_versions.c.id.label("default_version_id"),
            members.c.sort_name,
        )
        .outerjoin(permission_sets, usable)
        .outerjoin(permission_set_versions, newest)
        .where(members.c.id.in_(readable_members(viewer)))
        .order_by(members.c.id)
    )
    return statement.with_for_update(key_share=True, of=members) if locked else statement


def _client(row: Row[Any]) -> TargetClient:
    return TargetClient(row.id, row.partner_id, row.account_id, row.ceiling_id, row.tiers)


def _member(row: Row[Any]) -> TargetMember:
    return TargetMember(
        row.id, row.partner_id, row.user_id, MemberStatus(row.status), row.verified, row.default_version_id
    )


def _by_name(row: Row[Any]) -> tuple[str, int]:
    return row.sort_name, row.id


async def _excepted(
    connection: AsyncConnection, statement: Select[Any], table: Table, keys: Sequence[Key], place: str
) -> list[int]:
    """Returns what the filters are to leave out; a key of nobody is refused, for it was meant to keep somebody out."""
    if not keys:
        return []
    places = _listed(keys, "matching", place)
    refusals = _missing(places, await _rows(connection, statement, table, places), table.name)
    if refusals:
        raise RefusedError(refusals)
    return [key for key in places if isinstance(key, int)]


async def _matching(connection: AsyncConnection, viewer: Viewer, targets: Matching, *, locked: bool) -> Scope:
    """Returns everything that the filters select in one partner (F31); people who left are never meant."""
    acting = [place.partner_id for place in viewer.memberships if place.acts]
    if targets.partner_id is not None:
        if viewer.membership(targets.partner_id) is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such partner.", *TARGETS, "matching", "partner")
        partner_id = viewer.acting(targets.partner_id).partner_id
    elif len(acting) > 1:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            "You act for several partners: say for which one in `partner`.",
            *TARGETS,
            "matching",
            "partner",
        )
    else:
        partner_id = acting[0]
    all_clients = select(clients.c.id).where(clients.c.id.in_(readable_clients(viewer)))
    all_members = select(members.c.id).where(members.c.id.in_(readable_members(viewer)))
    except_clients = await _excepted(connection, all_clients, clients, targets.except_clients, "exceptClients")
    except_members = await _excepted(connection, all_members, members, targets.except_members, "exceptMembers")
    selected_clients = (
        _client_rows(viewer, locked=locked)
        .where(clients.c.partner_id == partner_id)
        .where(*client_conditions(viewer, targets.clients, targets.client_search))
        .where(clients.c.id.not_in(except_clients))
    )
    selected_members = (
        _member_rows(viewer, locked=locked)
        .where(members.c.partner_id == partner_id, members.c.status != MemberStatus.LEFT.value)
        .where(*member_conditions(viewer, targets.members, targets.member_search))
        .where(members.c.id.not_in(except_members))
    )
    scope = Scope(
        partner_id,
        [_client(row) for row in sorted(await connection.execute(selected_clients), key=_by_name)],
        [_member(row) for row in sorted(await connection.execute(selected_members), key=_by_name)],
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
