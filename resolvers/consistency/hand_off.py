"""Hand-offs: what colleagues ask each other is of one agency, and of outcomes that there are (N02)."""

from typing import Any

from sqlalchemy import and_, func, or_, select

from models.hand_off import hand_off_cells, hand_offs
from models.member import members
from models.operation import operations
from models.outcome import outcomes
from resolvers.consistency.check import Check, differ, selected

_ASKER, _ASKED, _ACCEPTED = members.alias("asker"), members.alias("asked"), operations.alias("accepted")


def _places() -> Check:
    elsewhere = or_(
        *(
            hand_offs.c.partner_id != other
            for other in (operations.c.partner_id, _ASKER.c.partner_id, _ASKED.c.partner_id, _ACCEPTED.c.partner_id)
        )
    )
    return Check(
        "hand_offs",
        "each hand-off is between people of one agency, about its own operations",
        [hand_offs],
        selected(
            select(hand_offs.c.id)
            .join(operations, operations.c.id == hand_offs.c.operation_id)
            .join(_ASKER, _ASKER.c.id == hand_offs.c.asker_id)
            .join(_ASKED, _ASKED.c.id == hand_offs.c.asked_id)
            .outerjoin(_ACCEPTED, _ACCEPTED.c.id == hand_offs.c.accepted_id)
            .where(elsewhere)
            .order_by(hand_offs.c.id),
            lambda row: f"hand-off {row.id}: its people or operations are another agency's",
        ),
    )


def _sizes() -> Check:
    number = func.count(hand_off_cells.c.position)
    return Check(
        "hand_off_sizes",
        "each hand-off is about as many outcomes as it says",
        [hand_offs, hand_off_cells],
        selected(
            select(hand_offs.c.id, hand_offs.c.total, number.label("number"))
            .outerjoin(hand_off_cells, hand_off_cells.c.hand_off_id == hand_offs.c.id)
            .group_by(hand_offs.c.id, hand_offs.c.total)
            .having(number != hand_offs.c.total)
            .order_by(hand_offs.c.id),
            lambda row: f"hand-off {row.id}: {row.number} outcomes instead of {row.total}",
        ),
    )


def _cells() -> Check:
    cell = hand_off_cells.c
    made = and_(outcomes.c.operation_id == hand_offs.c.operation_id, outcomes.c.position == cell.position)
    names = ("client_id", "member_id")
    wrong = or_(cell.partner_id != hand_offs.c.partner_id, differ(*((cell[name], outcomes.c[name]) for name in names)))
    return Check(
        "hand_off_cells",
        "what is handed off are outcomes of its operation",
        [hand_off_cells],
        selected(
            select(cell.hand_off_id, cell.position)
            .join(hand_offs, hand_offs.c.id == cell.hand_off_id)
            .outerjoin(outcomes, made)
            .where(wrong)
            .order_by(cell.hand_off_id, cell.position),
            _tell,
        ),
    )


def _tell(row: Any) -> str:
    return f"hand-off {row.hand_off_id}: its cell {row.position} is not that outcome of its operation"


HAND_OFF_CHECKS = (_places(), _sizes(), _cells())
