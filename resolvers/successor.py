"""Who could take over from somebody who leaves a client (N03)."""

from collections.abc import Sequence

from sqlalchemy import Row, and_, func, or_, select

from models.client import clients
from models.grant import GrantStatus, active_partner_admin, grants, unexpired
from models.member import MemberStatus, members
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from models.table import now
from resolvers.leaver_report import LeaverClientRecord
from resolvers.readable import readable_grants
from resolvers.reader import Reader

_LEAVING, _HELD = grants.alias("leaving_grant"), grants.alias("successor_grant")
_PERSON, _LEAD = members.alias("successor"), members.alias("lead_person")


async def successors_by_leaver_client(reader: Reader, parents: Sequence[LeaverClientRecord]) -> list[int | None]:
    """Returns the key of the member who could take over in each client; None where there is nobody.

    That is the partner admin who has been there longest; else, of the verified people who are active there, whoever has the most
    permissions, the earliest of several; else the client's lead, if verified and active in the partner.
    """
    at = now()
    keys = [parent.grant_id for parent in parents]
    is_admin = active_partner_admin(_HELD, at)
    # Of those with the same permissions only the earliest is read: few rows a client, however many people it has.
    place = func.row_number().over(
        partition_by=(_LEAVING.c.id, is_admin, _HELD.c.state_id), order_by=(_HELD.c.since, _HELD.c.member_id)
    )
    ranked = (
        select(
            _LEAVING.c.id.label("leaving_id"),
            _HELD.c.member_id,
            _HELD.c.since,
            _HELD.c.state_id,
            is_admin.label("is_admin"),
            place.label("place"),
        )
        .join(_HELD, and_(_HELD.c.client_id == _LEAVING.c.client_id, _HELD.c.member_id != _LEAVING.c.member_id))
        .join(_PERSON, _PERSON.c.id == _HELD.c.member_id)
        .where(_LEAVING.c.id.in_(keys), _HELD.c.ended == 0, _HELD.c.status == GrantStatus.ACTIVE.value)
        .where(unexpired(_HELD, at), _PERSON.c.status == MemberStatus.ACTIVE.value)
        .where(or_(is_admin, _PERSON.c.verified))
        .subquery("ranked")
    )
    is_lead = and_(
        _LEAD.c.id == clients.c.lead_id,
        _LEAD.c.id != _LEAVING.c.member_id,
        _LEAD.c.status == MemberStatus.ACTIVE.value,
        _LEAD.c.verified,
    )
    statement = (
        select(
            _LEAVING.c.id.label("leaving_id"),
            _LEAD.c.id.label("lead_id"),
            ranked.c.member_id,
            ranked.c.since,
            ranked.c.is_admin,
            permission_states.c.content,
        )
        .select_from(_LEAVING)
        .join(clients, clients.c.id == _LEAVING.c.client_id)
        .outerjoin(_LEAD, is_lead)
        .outerjoin(ranked, and_(ranked.c.leaving_id == _LEAVING.c.id, ranked.c.place == 1))
        .outerjoin(permission_states, permission_states.c.id == ranked.c.state_id)
        .where(_LEAVING.c.id.in_(readable_grants(reader.viewer).where(grants.c.id.in_(keys))))
    )
    candidates: dict[int, list[Row[tuple[object, ...]]]] = {key: [] for key in keys}
    for row in await reader.rows(statement):
        candidates[row.leaving_id].append(row)
    sizes = {row.content: _size(row.content) for rows in candidates.values() for row in rows if row.content is not None}
    return [_best(candidates[key], sizes) for key in keys]


def _size(content: str) -> int:
    """Returns how many permissions a state has."""
    return len(catalogue.levels(catalogue.decode(content)))


def _best(candidates: Sequence[Row[tuple[object, ...]]], sizes: dict[str, int]) -> int | None:
    """Returns the best of the candidates of one client, or else its lead."""
    there = [row for row in candidates if row.member_id is not None]
    if not there:
        return next((row.lead_id for row in candidates), None)
    best = min(
        there,
        key=lambda row: (
            not row.is_admin,
            0 if row.is_admin else -sizes[row.content],
            row.since,
            row.member_id,
        ),
    )
    key: int = best.member_id
    return key
