"""Leavings that were planned, as they are read: who, when, and what came of it (P14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import FromClause, Select, func, select

from models.partner import partners
from models.schedule import scheduled_leaves
from resolvers.cursor import SortKind
from resolvers.member import MemberRecord
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_scheduled_leaves
from resolvers.reader import Reader
from resolvers.viewer import Viewer


class LeaveState(StrEnum):
    """How far a planned leaving is."""

    WAITING = "WAITING"
    LEFT = "LEFT"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"


@dataclass(slots=True, eq=False)
class ScheduledLeaveRecord:
    """A planned leaving."""

    id: int
    member_id: int
    requested_by_id: int
    run_at: datetime
    created_at: datetime
    ended_at: datetime | None
    code: str | None
    message: str | None
    operation_id: int | None
    cancelled_by_id: int | None

    @property
    def state(self) -> LeaveState:
        """Says how far it is."""
        if self.ended_at is None:
            return LeaveState.WAITING
        if self.cancelled_by_id is not None:
            return LeaveState.CANCELLED
        return LeaveState.LEFT if self.code is None else LeaveState.REFUSED


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.member_id,
        rows.c.requested_by_id,
        rows.c.run_at,
        rows.c.created_at,
        rows.c.ended_at,
        rows.c.code,
        rows.c.message,
        rows.c.operation_id,
        rows.c.cancelled_by_id,
    ).select_from(source)


_LEAVES = Projection(scheduled_leaves, _columns, ScheduledLeaveRecord)
_BY_TIME = Order("scheduled_leave", SortKind.MOMENT, lambda rows: rows.c.run_at)


async def scheduled_leaves_by_id(reader: Reader, keys: Sequence[int]) -> list[ScheduledLeaveRecord | None]:
    """Returns the plans with these keys; None for those the viewer does not know of (T1)."""
    return await _LEAVES.by_key(reader, readable_scheduled_leaves(reader.viewer), keys)


async def scheduled_leaves_by_member(
    reader: Reader, parents: Sequence[MemberRecord]
) -> list[ScheduledLeaveRecord | None]:
    """Returns the newest plan about each person; None where there never was one."""
    plan = scheduled_leaves.c
    chosen = readable_scheduled_leaves(reader.viewer).where(plan.member_id.in_({parent.id for parent in parents}))
    newest = chosen.with_only_columns(func.max(plan.id)).group_by(plan.member_id)
    found = {record.member_id: record for record in await _LEAVES.records(reader, newest)}
    return [found.get(parent.id) for parent in parents]


async def scheduled_leaves_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ScheduledLeaveRecord]]:
    """Returns one page of what each partner has planned and what waits for its time, the earliest first."""
    plan = scheduled_leaves.c
    choice = readable_scheduled_leaves(reader.viewer).where(plan.partner_id == partners.c.id, plan.ended_at.is_(None))
    keys = [parent.id for parent in parents]
    return await _LEAVES.pages(reader, partners, keys, choice, order=_BY_TIME, request=page)


async def scheduled_leave_totals_by_partner(reader: Reader, parents: Sequence[PartnerRecord]) -> list[int]:
    """Returns how much such a list has."""
    choice = readable_scheduled_leaves(reader.viewer).where(scheduled_leaves.c.ended_at.is_(None))
    return await totals(reader, scheduled_leaves.c.partner_id, [parent.id for parent in parents], choice)
