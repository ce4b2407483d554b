"""Which access is a pod's: what it gave and nobody has changed since (P09).

Access is the pod's as long as it is the very grant that the pod gave, of the set that the pod gave, and holds exactly that set. Its
seat, teams, expiry and status may be others by now, and so may the version of the set: these are not what the pod decides. Whoever
changes its permissions, or its set, by hand takes it over from the pod.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, func, select

from models.grant import grants
from models.permission_set import permission_set_versions
from models.pod import pod_cells, pod_clients, pod_exclusions, pod_members, pods
from resolvers.pod.state import PodCellState

_HELD, _VERSION, _LIVING = grants.alias("held"), permission_set_versions.alias("held_version"), grants.alias("living")
_OTHER, _POD = pod_cells.alias("other_cell"), pods.alias("cell_pod")


def is_held(rows: FromClause) -> ColumnElement[bool]:
    """Says whether the access of a cell is still the pod's."""
    # As a value and not as EXISTS, which PostgreSQL turns into a join that goes wrong on rows it has no statistics of yet.
    given = (
        select(_VERSION.c.set_id)
        .join(_HELD, _HELD.c.set_version_id == _VERSION.c.id)
        .where(_HELD.c.id == rows.c.grant_id, _HELD.c.ended == 0, ~_HELD.c.customised)
    )
    return func.coalesce(given.correlate(rows).scalar_subquery(), 0) == func.coalesce(rows.c.set_id, -1)


def is_shared(rows: FromClause) -> ColumnElement[bool]:
    """Says whether another pod gives the access of a cell as well, so that it stays when this one takes its part back."""
    other = (
        select(_OTHER.c.id)
        .where(_OTHER.c.grant_id == rows.c.grant_id, _OTHER.c.set_id == rows.c.set_id)
        .where(_OTHER.c.pod_id != rows.c.pod_id, ~_OTHER.c.leaving)
        .limit(1)
    )
    return other.correlate(rows).scalar_subquery().is_not(None)


def living_grant(rows: FromClause) -> ColumnElement[int | None]:
    """Returns the key of the access that the person of a cell has in the client, whoever gave it."""
    living = select(_LIVING.c.id).where(
        _LIVING.c.client_id == rows.c.client_id, _LIVING.c.member_id == rows.c.member_id, _LIVING.c.ended == 0
    )
    return living.correlate(rows).scalar_subquery()


def present_set(rows: FromClause) -> ColumnElement[int]:
    """Returns the set of the pod of a cell."""
    return select(_POD.c.set_id).where(_POD.c.id == rows.c.pod_id).correlate(rows).scalar_subquery()


def state_of(rows: FromClause) -> ColumnElement[str]:
    """Returns how it stands with a cell."""
    held = is_held(rows)
    return case(
        (held & rows.c.leaving, PodCellState.LEFT_OVER.value),
        (held & (rows.c.set_id == present_set(rows)), PodCellState.GIVEN.value),
        (held, PodCellState.FORMER_SET.value),
        (living_grant(rows).is_not(None), PodCellState.OTHER_ACCESS.value),
        else_=PodCellState.NOT_GIVEN.value,
    )


def is_shown(rows: FromClause) -> ColumnElement[bool]:
    """Says whether a cell is the pod's, or holds what is still to be taken away."""
    return ~rows.c.leaving | is_held(rows)


def is_in_groups(rows: FromClause) -> ColumnElement[bool]:
    """Says whether a cell is one that ``wanted`` selects: by look-ups, for a join of all with all takes long for a large pod."""
    of_client = exists().where(pod_clients.c.pod_id == rows.c.pod_id, pod_clients.c.client_id == rows.c.client_id)
    of_member = exists().where(pod_members.c.pod_id == rows.c.pod_id, pod_members.c.member_id == rows.c.member_id)
    excluded = exists().where(
        pod_exclusions.c.pod_id == rows.c.pod_id,
        pod_exclusions.c.client_id == rows.c.client_id,
        pod_exclusions.c.member_id == rows.c.member_id,
    )
    return and_(of_client.correlate(rows), of_member.correlate(rows), ~excluded.correlate(rows))


def wanted(pod_id: int) -> Select[Any]:
    """Selects client and person of all that a pod gives its set."""
    excluded = exists().where(
        pod_exclusions.c.pod_id == pod_id,
        pod_exclusions.c.client_id == pod_clients.c.client_id,
        pod_exclusions.c.member_id == pod_members.c.member_id,
    )
    return (
        select(pod_clients.c.client_id, pod_members.c.member_id)
        .join(pod_members, pod_members.c.pod_id == pod_clients.c.pod_id)
        .where(pod_clients.c.pod_id == pod_id, ~excluded.correlate(pod_clients, pod_members))
    )
