"""Who has access and does not use it (P25)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, select

from models.activity import last_activities
from models.client import clients
from models.grant import AccessType, GrantStatus, grants, unexpired
from models.member import MemberKind, members
from models.partner import partners
from models.table import now
from resolvers.cursor import SortKind
from resolvers.error import InputError
from resolvers.grant import GRANTS, GrantRecord
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.readable import readable_grants
from resolvers.reader import Reader
from resolvers.search import contains
from resolvers.viewer import Viewer

MOST_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class InactivityFilter:
    """What is None does not filter."""

    member_ids: tuple[int, ...] | None = None
    client_ids: tuple[int, ...] | None = None
    member_kinds: tuple[MemberKind, ...] | None = None
    access_types: tuple[AccessType, ...] | None = None
    never_active: bool | None = None
    search: str | None = None
    """In the person's name and e-mail address."""


@dataclass(slots=True, eq=False)
class InactiveGrantRecord:
    """Access that is not used."""

    grant: GrantRecord
    since: datetime
    """The last activity, or the beginning of the access if that is later."""
    last_at: datetime | None

    @property
    def days(self) -> int:
        """Returns for how many whole days."""
        return (now() - self.since).days


_LAST, _PERSON, _PLACE = last_activities.alias("last"), members.alias("person"), clients.alias("place")


def _since(rows: FromClause) -> ColumnElement[datetime]:
    """Returns since when a grant is not used: not before it began, however long ago the person was there last."""
    of_pair = and_(_LAST.c.client_id == rows.c.client_id, _LAST.c.member_id == rows.c.member_id)
    later = select(_LAST.c.at).where(of_pair, _LAST.c.at > rows.c.since).correlate(rows).scalar_subquery()
    return func.coalesce(later, rows.c.since)


LONGEST_FIRST = Order("inactivity", SortKind.MOMENT, _since)


def _columns(viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    shown = last_activities.alias("shown_last")
    theirs = and_(shown.c.client_id == rows.c.client_id, shown.c.member_id == rows.c.member_id)
    return GRANTS.columns(viewer, rows, source.outerjoin(shown, theirs)).add_columns(_since(rows), shown.c.at)


def _record(*row: Any) -> InactiveGrantRecord:
    return InactiveGrantRecord(GrantRecord(*row[:-2]), row[-2], row[-1])


_INACTIVE = Projection(grants, _columns, _record)


async def inactive_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    days: int,
    filter: InactivityFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[InactiveGrantRecord]]:
    """Returns one page of the access of each partner's people that was not used for so many days, the longest unused first.

    Raises:
        InputError: for a number of days that cannot be one.
    """
    choice = _choice(reader, days, filter).where(_PLACE.c.partner_id == partners.c.id)
    return await _INACTIVE.pages(reader, partners, parents, choice, order=LONGEST_FIRST, request=page)


async def inactive_total_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    days: int,
    filter: InactivityFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many grants each partner has in such a list."""
    return await totals(reader, _PLACE.c.partner_id, parents, _choice(reader, days, filter))


def _choice(reader: Reader, days: int, filter_: InactivityFilter | None) -> Select[Any]:
    if not 1 <= days <= MOST_DAYS:
        raise InputError(f"days goes from 1 to {MOST_DAYS:,}.")
    asked, moment = filter_ or InactivityFilter(), now()
    # By the clients: grants have no index by partner.
    choice = readable_grants(reader.viewer).join(_PLACE, _PLACE.c.id == grants.c.client_id)
    has_access = and_(grants.c.ended == 0, grants.c.status == GrantStatus.ACTIVE.value, unexpired(grants, moment))
    choice = choice.where(has_access, _since(grants) < moment - timedelta(days=days))
    if asked.member_ids is not None:
        choice = choice.where(grants.c.member_id.in_(asked.member_ids))
    if asked.client_ids is not None:
        choice = choice.where(grants.c.client_id.in_(asked.client_ids))
    if asked.access_types is not None:
        choice = choice.where(grants.c.access_type.in_([kind.value for kind in asked.access_types]))
    if asked.never_active is not None:
        pair = and_(
            last_activities.c.client_id == grants.c.client_id, last_activities.c.member_id == grants.c.member_id
        )
        ever = select(last_activities.c.at).where(pair).correlate(grants).exists()
        choice = choice.where(~ever if asked.never_active else ever)
    if asked.member_kinds is not None or asked.search is not None:
        choice = choice.join(_PERSON, _PERSON.c.id == grants.c.member_id).where(
            contains(_PERSON.c.search_text, asked.search)
        )
        if asked.member_kinds is not None:
            choice = choice.where(_PERSON.c.kind.in_([kind.value for kind in asked.member_kinds]))
    return choice
