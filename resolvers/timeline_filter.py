"""Which entries of the timeline a list shows (F55)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_

from models.grant import grants
from models.member import members
from models.operation import OperationKind, operations
from models.text import fold
from models.user import users
from resolvers.period import check_period
from resolvers.readable import readable_clients, readable_grants, readable_members, readable_users
from resolvers.search import contains
from resolvers.viewer import Viewer

# Aliases, because whoever uses these conditions may have the tables themselves in the statement around them.
_OPERATION, _ASKER, _ASKING_USER = (
    operations.alias("asked_operation"),
    members.alias("filtered_asker"),
    users.alias("filtered_asking_user"),
)


class TimelineSide(StrEnum):
    """On whose behalf somebody asked for a change."""

    PARTNER = "PARTNER"
    CLIENT = "CLIENT"
    SERVICE = "SERVICE"


@dataclass(frozen=True, slots=True)
class TimelineFilter:
    """What is None does not filter; of keys, those that the viewer does not know of are in no entry (T1)."""

    kinds: tuple[OperationKind, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    """In the name and the e-mail address of the person whose access it is."""
    member_ids: tuple[int, ...] | None = None
    client_ids: tuple[int, ...] | None = None
    grant_ids: tuple[int, ...] | None = None
    asked_for: tuple[TimelineSide, ...] | None = None
    asked_by_ids: tuple[int, ...] | None = None
    asked_by: str | None = None
    """In the name of who asked, as the entry shows it."""


def timeline_conditions(
    viewer: Viewer,
    filter: TimelineFilter | None,  # noqa: A002 the argument's name in the API
    rows: FromClause,
    *,
    for_account: bool = False,
) -> list[ColumnElement[bool]]:
    """Returns the conditions on the timeline's table, or an alias of it, that the filter makes.

    Args:
        viewer: who asks.
        filter: which entries.
        rows: the table or an alias of it.
        for_account: whether they are read as one of the account's own people, who see which of them asked (T1).

    Raises:
        InputError: for a text longer than any name is, and as ``check_period``.
    """
    if filter is None:
        return []
    check_period(filter.since, filter.until)
    conditions: list[ColumnElement[bool]] = []
    if filter.since is not None:
        conditions.append(rows.c.at >= filter.since)
    if filter.until is not None:
        conditions.append(rows.c.at < filter.until)
    if filter.search is not None:
        conditions.append(is_about(filter.search, rows))
    for column, keys, readable in (
        (rows.c.member_id, filter.member_ids, readable_members),
        (rows.c.client_id, filter.client_ids, readable_clients),
        (rows.c.grant_id, filter.grant_ids, readable_grants),
    ):
        if keys is not None:
            conditions += [column.in_(keys), column.in_(readable(viewer))]
    asked = _asked(viewer, filter, rows, for_account=for_account)
    if asked:
        operation = exists().where(_OPERATION.c.id == rows.c.operation_id, *asked)
        conditions.append(operation.correlate(rows))
    return conditions


def _asked(
    viewer: Viewer, filter_: TimelineFilter, rows: FromClause, *, for_account: bool
) -> list[ColumnElement[bool]]:
    """Returns the conditions on the operation of an entry; who of a client's people asked is in no answer to a partner (T1)."""
    asker = _OPERATION.c.requested_by_id
    conditions: list[ColumnElement[bool]] = []
    if filter_.kinds is not None:
        conditions.append(_OPERATION.c.kind.in_([kind.value for kind in filter_.kinds]))
    if filter_.asked_for is not None:
        by_partner = and_(_OPERATION.c.by_client.is_(False), asker.is_not(None))
        by_service = and_(_OPERATION.c.by_client.is_(False), asker.is_(None))
        sides = {
            TimelineSide.PARTNER: by_partner,
            TimelineSide.CLIENT: _OPERATION.c.by_client.is_(True),
            TimelineSide.SERVICE: by_service,
        }
        # Never alone: of no sides at all there are no entries.
        conditions.append(or_(_OPERATION.c.id.is_(None), *(sides[side] for side in filter_.asked_for)))
    if filter_.asked_by_ids is not None:
        conditions += [asker.in_(filter_.asked_by_ids), asker.in_(readable_users(viewer))]
    # Blank finds everything, what the service itself did included.
    name = filter_.asked_by if filter_.asked_by is not None and fold(filter_.asked_by) else None
    if name is not None:
        conditions.append(_is_by(name, rows, for_account=for_account))
    if not for_account and (filter_.asked_by_ids is not None or name is not None):
        conditions.append(_OPERATION.c.by_client.is_(False))
    return conditions


def _is_by(search: str, rows: FromClause, *, for_account: bool) -> ColumnElement[bool]:
    """Says whether this text is in the name of who asked: the partner's name for the person, of own people the address."""
    asker = _OPERATION.c.requested_by_id
    place = and_(_ASKER.c.user_id == asker, _ASKER.c.partner_id == rows.c.partner_id)
    # The folded name alone: the partner's people's addresses are not shown to a client, so they are not searched either.
    named = exists().where(place, contains(_ASKER.c.sort_name, search)).correlate(rows, _OPERATION)
    by_partner = and_(_OPERATION.c.by_client.is_(False), named)
    if not for_account:
        return by_partner
    own = exists().where(_ASKING_USER.c.id == asker, contains(_ASKING_USER.c.email_key, search)).correlate(_OPERATION)
    return or_(by_partner, and_(_OPERATION.c.by_client.is_(True), own))


def is_about(search: str, rows: FromClause) -> ColumnElement[bool]:
    """Says whether an entry is about a person with this text in name or address; own people are known by their address."""
    person, grant, own = members.alias("person"), grants.alias("persons_grant"), users.alias("own_user")
    is_member = exists().where(person.c.id == rows.c.member_id, contains(person.c.search_text, search))
    owned = grant.join(own, own.c.id == grant.c.user_id)
    is_own = (
        exists()
        .select_from(owned)
        .where(rows.c.member_id.is_(None), grant.c.id == rows.c.grant_id, contains(own.c.email_key, search))
    )
    return or_(is_member.correlate(rows), is_own.correlate(rows))
