"""Which people of a list are meant: OR within a filter, AND between them (F22, F24)."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement

from models.member import ManagerRights, MemberKind, MemberStatus, members
from resolvers.search import contains
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """What is None does not filter, but those who LEFT are found only by asking for that status."""

    kinds: tuple[MemberKind, ...] | None = None
    statuses: tuple[MemberStatus, ...] | None = None
    verified: bool | None = None
    manager_rights: tuple[ManagerRights, ...] | None = None


def member_conditions(
    _viewer: Viewer,
    filter: MemberFilter | None,  # noqa: A002 the argument's name in the API
    search: str | None,
) -> list[ColumnElement[bool]]:
    """Returns the conditions on the table of members that the filter and the search make."""
    asked = filter or MemberFilter()
    conditions = [
        members.c.status != MemberStatus.LEFT if asked.statuses is None else members.c.status.in_(asked.statuses)
    ]
    if search is not None:
        conditions.append(contains(members.c.search_text, search))
    if asked.kinds is not None:
        conditions.append(members.c.kind.in_(asked.kinds))
    if asked.verified is not None:
        conditions.append(members.c.verified.is_(asked.verified))
    if asked.manager_rights is not None:
        conditions.append(members.c.manager_rights.in_(asked.manager_rights))
    return conditions
