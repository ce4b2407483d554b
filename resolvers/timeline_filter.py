"""Which entries of the timeline a list shows (F55)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, exists, or_

from models.grant import grants
from models.member import members
from models.operation import OperationKind, operations
from models.user import users
from resolvers.search import contains


@dataclass(frozen=True, slots=True)
class TimelineFilter:
    """What is None does not filter."""

    kinds: tuple[OperationKind, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    """In the name and the e-mail address of the person whose access it is."""


def timeline_conditions(filter: TimelineFilter | None, rows: FromClause) -> list[ColumnElement[bool]]:  # noqa: A002 the argument's name in the API
    """Returns the conditions on the timeline's table, or an alias of it, that the filter makes."""
    conditions: list[ColumnElement[bool]] = []
    if filter is None:
        return conditions
    if filter.kinds is not None:
        operation = operations.alias("asked_operation")
        is_kind = operation.c.kind.in_([kind.value for kind in filter.kinds])
        conditions.append(exists().where(operation.c.id == rows.c.operation_id, is_kind).correlate(rows))
    if filter.since is not None:
        conditions.append(rows.c.at >= filter.since)
    if filter.until is not None:
        conditions.append(rows.c.at < filter.until)
    if filter.search is not None:
        conditions.append(_is_about(filter.search, rows))
    return conditions


def _is_about(search: str, rows: FromClause) -> ColumnElement[bool]:
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
