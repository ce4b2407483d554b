"""Hand-offs as they are read, with the outcomes that they are about (N02)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, false, or_, select

from models.first_of_each import first_of_each
from models.hand_off import HandOffState, hand_off_cells, hand_offs
from models.member import MemberStatus, members
from models.operation import decisions
from models.outcome import outcomes
from models.partner import partners
from models.table import now
from resolvers.cursor import SortKind, decode_cursor
from resolvers.outcome import IN_ORDER, OutcomeRecord, decision_of
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.partner import PartnerRecord
from resolvers.readable import readable_hand_offs
from resolvers.reader import Reader
from resolvers.state_content import states_of
from resolvers.viewer import Viewer

NEWEST_FIRST = Order("handOff", SortKind.KEY, lambda rows: rows.c.id, descending=True)
STATES = ("before_state_id", "after_state_id", "requested_state_id", "authority_state_id", "dropped_state_id")
"""The columns of a decision that name states."""
_GONE = members.alias("gone_member")


class HandOffSide(StrEnum):
    """On which side of a hand-off the viewer is."""

    TO_ME = "TO_ME"
    BY_ME = "BY_ME"


@dataclass(slots=True, eq=False)
class HandOffRecord:
    """A hand-off."""

    id: int
    operation_id: int
    asker_id: int
    asked_id: int
    note: str
    state: HandOffState
    reply: str
    created_at: datetime
    expires_at: datetime
    answered_at: datetime | None
    accepted_id: int | None
    total: int
    left_out: int


@dataclass(frozen=True, slots=True)
class HandOffFilter:
    """What is None does not filter."""

    states: tuple[HandOffState, ...] | None = None
    side: HandOffSide | None = None
    operation_id: int | None = None
    """0 for an id that cannot be read."""


def state_of(rows: FromClause, at: datetime) -> ColumnElement[str]:
    """Returns how far a hand-off is at a moment: nobody waits any more for whom has left, or for whoever did not answer in time."""
    left = exists().where(_GONE.c.id.in_([rows.c.asker_id, rows.c.asked_id]), _GONE.c.status == MemberStatus.LEFT.value)
    is_over = or_(rows.c.expires_at <= at, left.correlate(rows))
    ended = and_(rows.c.state == HandOffState.OPEN.value, is_over)
    return case((ended, HandOffState.EXPIRED.value), else_=rows.c.state)


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(
        rows.c.id,
        rows.c.operation_id,
        rows.c.asker_id,
        rows.c.asked_id,
        rows.c.note,
        state_of(rows, now()),
        rows.c.reply,
        rows.c.created_at,
        rows.c.expires_at,
        rows.c.answered_at,
        rows.c.accepted_id,
        rows.c.total,
        rows.c.left_out,
    ).select_from(source)


_HAND_OFFS = Projection(hand_offs, _columns, HandOffRecord)


async def hand_offs_by_id(reader: Reader, keys: Sequence[int]) -> list[HandOffRecord | None]:
    """Returns the hand-offs with these keys; None for those the viewer does not know of (T1)."""
    return await _HAND_OFFS.by_key(reader, readable_hand_offs(reader.viewer), keys)


async def hand_offs_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    filter: HandOffFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[HandOffRecord]]:
    """Returns one page of what each partner's people have asked each other to do, the newest first."""
    choice = _choice(reader.viewer, filter).where(hand_offs.c.partner_id == partners.c.id)
    keys = [parent.id for parent in parents]
    return await _HAND_OFFS.pages(reader, partners, keys, choice, order=NEWEST_FIRST, request=page)


async def hand_off_totals_by_partner(
    reader: Reader,
    parents: Sequence[PartnerRecord],
    *,
    filter: HandOffFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many hand-offs each partner has in such a list."""
    keys = [parent.id for parent in parents]
    return await totals(reader, hand_offs.c.partner_id, keys, _choice(reader.viewer, filter))


def _choice(viewer: Viewer, filter_: HandOffFilter | None) -> Select[Any]:
    choice, wanted = readable_hand_offs(viewer), filter_ or HandOffFilter()
    if wanted.states is not None:
        choice = choice.where(state_of(hand_offs, now()).in_([state.value for state in wanted.states]))
    if wanted.operation_id is not None:
        choice = choice.where(hand_offs.c.operation_id == wanted.operation_id)
    if wanted.side is not None:
        mine = [place.member_id for place in viewer.memberships]
        side = hand_offs.c.asked_id if wanted.side is HandOffSide.TO_ME else hand_offs.c.asker_id
        choice = choice.where(side.in_(mine) if mine else false())
    return choice


async def outcomes_by_hand_off(
    reader: Reader,
    parents: Sequence[HandOffRecord],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[OutcomeRecord]]:
    """Returns one page of the outcomes that each hand-off is about, as they were decided when they were handed off."""
    rows, cell = hand_off_cells.alias("page_cell"), hand_off_cells.c
    chosen = select(cell.position).where(cell.hand_off_id == hand_offs.c.id)
    for cursor, is_after in ((page.after, True), (page.before, False)):
        if cursor is not None:
            place = decode_cursor(IN_ORDER.name, IN_ORDER.kind, cursor)[1]
            chosen = chosen.where(cell.position > place if is_after else cell.position < place)
    chosen = chosen.order_by(cell.position.desc() if page.backward else cell.position).limit(page.size + 1)
    within = rows.c.hand_off_id == hand_offs.c.id
    source = first_of_each(
        hand_offs, rows, chosen, lateral=not reader.database.is_sqlite, key="position", within=within
    )
    of_operation = and_(outcomes.c.operation_id == hand_offs.c.operation_id, outcomes.c.position == rows.c.position)
    ours = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    found = await reader.rows(
        select(hand_offs.c.id.label("hand_off_id"), outcomes, *(c for c in decisions.c if c.name not in outcomes.c))
        .select_from(source.join(outcomes, of_operation).join(decisions, ours))
        .where(hand_offs.c.id.in_({parent.id for parent in parents}))
        .order_by(hand_offs.c.id, outcomes.c.position)
    )
    states = await states_of(reader, {getattr(row, name) for row in found for name in STATES})
    listed: dict[int, list[OutcomeRecord]] = {parent.id: [] for parent in parents}
    for row in found:
        decision = decision_of(row, states)
        record = OutcomeRecord(row.position, row.client_id, row.member_id, row.grant_id, decision, row.operation_id)
        listed[row.hand_off_id].append(record)
    return [_page(listed[parent.id], page) for parent in parents]


def _page(found: list[OutcomeRecord], page: PageRequest) -> Page[OutcomeRecord]:
    more = len(found) > page.size
    if more:
        del found[0 if page.backward else -1]
    return Page(
        items=found,
        places=[(record.position, record.position) for record in found],
        order=IN_ORDER,
        has_next=page.before is not None if page.backward else more,
        has_previous=more if page.backward else page.after is not None,
    )
