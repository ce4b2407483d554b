"""The times in which grants gave elevated access, worked out from the timeline by the database (P23).

A span is the longest time in which a grant was ACTIVE, unexpired, and gave the same access type and the same sensitive permissions
without a break. It begins with an entry of the timeline; it ends with the next entry that changes this, or when the grant expires.
What counts as sensitive is what the catalogue calls so now; a permission counts as it was given, whatever seat and tiers let through.
"""

from functools import reduce
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Subquery, and_, case, func, literal, literal_column, or_, select

from models.grant import AccessType, GrantStatus, grants
from models.permission.catalogue import catalogue
from models.permission_state import permission_states
from models.timeline_entry import timeline_entries

SENSITIVE = tuple(key for key, permission in catalogue.permissions.items() if permission.sensitive)
"""The sensitive permissions, in the order of their places in a mark."""

_ADMINS = (AccessType.SUPER_ADMIN.value, AccessType.PARTNER_ADMIN.value)
_NOTHING, _ORDINARY = "", "0" * len(SENSITIVE)
_ENTRY = timeline_entries.c


def spans(chosen: Select[Any]) -> Subquery:
    """Returns the spans of all grants of which entries are chosen: id, places, access type, mark, at, until and ended_id.

    ``id`` and ``at`` are those of the entry that it begins with; ``until`` is when it ended or is to expire, None for neither;
    ``ended_id`` is the entry that ended it, None if it expired by itself or has not ended.

    Args:
        chosen: selects entries of the timeline, of each grant all or none.
    """
    followed = _followed(chosen).subquery("followed")
    window: dict[str, Any] = {"partition_by": followed.c.grant_id, "order_by": (followed.c.at, followed.c.id)}
    lapsed = _is_over(followed.c.was_expires_at, followed.c.at)
    changes = (
        select(
            followed,
            *(
                func.lead(column, type_=column.type).over(**window).label(f"next_{name}")
                for name, column in (
                    ("id", followed.c.id),
                    ("at", followed.c.at),
                    ("expired_at", followed.c.was_expires_at),
                )
            ),
        )
        .where(or_(func.coalesce(followed.c.was_kind, _NOTHING) != followed.c.kind, lapsed))
        .subquery("changes")
    )
    lapsed_then = _is_over(changes.c.next_expired_at, changes.c.next_at)
    until = case(
        (changes.c.next_id.is_(None), grants.c.expires_at),
        (lapsed_then, changes.c.next_expired_at),
        else_=changes.c.next_at,
    )
    return (
        select(
            *(changes.c[name] for name in ("id", *_PLACES, "access_type", "mark", "at")),
            until.label("until"),
            case((lapsed_then, None), else_=changes.c.next_id).label("ended_id"),
        )
        .join(grants, grants.c.id == changes.c.grant_id)
        .where(changes.c.kind != _NOTHING)
        .subquery("span")
    )


_PLACES = ("partner_id", "account_id", "client_id", "member_id", "grant_id")


def has_permission(mark: ColumnElement[Any], key: str) -> ColumnElement[bool]:
    """Says whether a span's mark has one of the sensitive permissions."""
    return func.substr(mark, SENSITIVE.index(key) + 1, 1) == "1"


def _followed(chosen: Select[Any]) -> Select[Any]:
    """Selects each entry with what the one before it in time left of the same grant."""
    marks = _marks(chosen)
    gives = or_(_ENTRY.after_access_type.in_(_ADMINS), marks.c.mark != _ORDINARY)
    kind = case(
        (and_(_ENTRY.after_status == GrantStatus.ACTIVE.value, gives), _ENTRY.after_access_type.concat(marks.c.mark)),
        else_=_NOTHING,
    )
    window: dict[str, Any] = {"partition_by": _ENTRY.grant_id, "order_by": (_ENTRY.at, _ENTRY.id)}
    expires = _ENTRY.after_expires_at
    columns: list[ColumnElement[Any]] = [
        _ENTRY.id,
        *(_ENTRY[name] for name in _PLACES),
        _ENTRY.at,
        _ENTRY.after_access_type.label("access_type"),
        marks.c.mark,
        kind.label("kind"),
        func.lag(kind, type_=kind.type).over(**window).label("was_kind"),
        # What was before is taken from the entry before: entries recorded elsewhere leave parts of it out.
        func.lag(expires, type_=expires.type).over(**window).label("was_expires_at"),
    ]
    # Every state has a mark. But of an inner join SQLite begins with the marks, and goes through the entries for each of them.
    return chosen.outerjoin(marks, marks.c.id == _ENTRY.after_state_id).with_only_columns(*columns)


def _marks(chosen: Select[Any]) -> CTE:
    """Returns for each state that occurs a text of zeros and ones: which of the sensitive permissions it has.

    Once for each state and not for each entry, of which there are hundreds of times as many.
    """
    # A key in canonical text follows a space, or nothing.
    content = literal(" ").concat(permission_states.c.content)
    places: list[ColumnElement[Any]] = [
        case((content.contains(f" {key}:", autoescape=True), literal_column("'1'")), else_=literal_column("'0'"))
        for key in SENSITIVE
    ]
    mark = reduce(lambda one, other: one.concat(other), places)
    used = chosen.with_only_columns(*[_ENTRY.after_state_id])
    found = select(permission_states.c.id, mark.label("mark")).where(permission_states.c.id.in_(used))
    return found.cte("state_mark").prefix_with("MATERIALIZED")


def _is_over(expires_at: ColumnElement[Any], at: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(expires_at.is_not(None), expires_at <= at)
