"""The access that an agency's people have, as the rows of a matrix; memory does not grow with their number (P28)."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Select, select

from models.account import accounts
from models.client import clients
from models.grant import AccessType, grants
from models.permission_set import permission_set_versions
from models.user import users
from resolvers.matrix.set_name import SINGLE_PERMISSIONS, SUPER_ADMIN, NamedSet, SetNames, load_sets, shown_name
from resolvers.readable import readable_clients, readable_grants, readable_members
from resolvers.reader import Reader

ROWS_AT_ONCE = 5_000
"""About how many rows are read at once; the people of one client always are."""
_CLIENTS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A living grant; the names are those of the columns."""

    email: str
    hub_id: str
    permission_set: str
    version: int | None
    seat: str
    expires_at: str | None
    customised: bool
    status: str
    grant_version: int


async def export_matrix(
    reader: Reader,
    partner_id: int,
    client_ids: Sequence[int] | None = None,
    member_ids: Sequence[int] | None = None,
) -> AsyncIterator[list[MatrixRow]]:
    """Yields the rows of all of a partner's people in all clients, or of some in some, client by client.

    Whoever is not readable has no rows (T1). A grant that is there throughout is in it once, whatever else comes and goes (T4).

    Raises:
        AccessError: FORBIDDEN or NOT_A_PARTNER, before anything is read.
    """
    viewer = reader.viewer
    viewer.open_manager(partner_id)
    async with reader.database.read() as connection:
        sets = await load_sets(connection, viewer, partner_id)
    names, by_version = SetNames(sets), {key: named for named in sets for key in named.versions.values()}
    people = clients.c.active_people + clients.c.deactivated_people
    places = select(clients.c.id, people.label("people")).where(
        clients.c.partner_id == partner_id, clients.c.id.in_(readable_clients(viewer))
    )
    if client_ids is not None:
        places = places.where(clients.c.id.in_(client_ids))
    found = await reader.rows(places.where(people > 0).order_by(clients.c.id))
    for keys in _parts(found):
        statement = _rows(keys).where(grants.c.id.in_(readable_grants(viewer)))
        if member_ids is not None:
            statement = statement.where(
                grants.c.member_id.in_(member_ids), grants.c.member_id.in_(readable_members(viewer))
            )
        yield [_row(row, by_version, names) for row in await reader.rows(statement)]


def _parts(places: Sequence[Any]) -> Iterator[list[int]]:
    """Yields the keys of as many clients at a time as have about so many people."""
    part: list[int] = []
    rows = 0
    for place in places:
        if part and (rows + place.people > ROWS_AT_ONCE or len(part) == _CLIENTS_AT_ONCE):
            yield part
            part, rows = [], 0
        part.append(place.id)
        rows += place.people
    if part:
        yield part


def _rows(client_ids: Sequence[int]) -> Select[Any]:
    return (
        select(
            users.c.email,
            accounts.c.hub_id,
            grants.c.account_id,
            grants.c.set_version_id,
            permission_set_versions.c.version.label("set_version"),
            grants.c.access_type,
            grants.c.seat,
            grants.c.expires_at,
            grants.c.customised,
            grants.c.status,
            grants.c.version,
        )
        .select_from(grants)
        .join(accounts, accounts.c.id == grants.c.account_id)
        .join(users, users.c.id == grants.c.user_id)
        .outerjoin(permission_set_versions, permission_set_versions.c.id == grants.c.set_version_id)
        .where(grants.c.client_id.in_(client_ids), grants.c.ended == 0)
        .order_by(grants.c.client_id, grants.c.member_id)
    )


def _row(row: Any, by_version: dict[int, NamedSet], names: SetNames) -> MatrixRow:
    named = by_version.get(row.set_version_id)
    name, version = SINGLE_PERMISSIONS, None
    if row.access_type == AccessType.SUPER_ADMIN.value:
        name = SUPER_ADMIN
    elif named is not None:
        name, version = shown_name(named, names.collides(named, row.account_id)), row.set_version
    return MatrixRow(
        email=row.email,
        hub_id=str(row.hub_id),
        permission_set=name,
        version=version,
        seat=row.seat,
        expires_at=None if row.expires_at is None else row.expires_at.astimezone(UTC).isoformat(),
        customised=row.customised,
        status=row.status,
        grant_version=row.version,
    )
