"""Whether what an operation has left undone is still to be done: the access must be as the operation has left it (N02)."""

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, FromClause, and_, case, not_, or_
from sqlalchemy.sql.selectable import Join

from models.grant import GrantStatus, grants
from models.member import MemberStatus, members
from models.operation import OperationKind, decisions
from models.outcome import outcomes
from models.table import now
from resolvers.hand_off.asked import Asked

LIVING = grants.alias("living")
"""The access that is there now."""


def with_living(source: FromClause) -> Join:
    """Joins outcomes with their decisions, their people and the access that is there now, if any is."""
    ours = and_(decisions.c.operation_id == outcomes.c.operation_id, decisions.c.number == outcomes.c.decision)
    there = and_(
        LIVING.c.client_id == outcomes.c.client_id, LIVING.c.member_id == outcomes.c.member_id, LIVING.c.ended == 0
    )
    return source.join(decisions, ours).join(members, members.c.id == outcomes.c.member_id).outerjoin(LIVING, there)


def stands(asked: Mapping[int, Asked]) -> ColumnElement[bool]:
    """Says of rows of ``with_living`` whether the access is as the operation has left it, and can be given to the person.

    What has changed since was somebody else's decision: a hand-off neither overwrites nor revives it.

    Args:
        asked: what was asked for in each operation.
    """
    reactivating = _among(key for key, what in asked.items() if what.kind is OperationKind.REACTIVATE)
    # Deactivated access counts for nothing in its decision: what would have counted was asked for.
    state_id = case((reactivating, decisions.c.requested_state_id), else_=decisions.c.after_state_id)
    had = and_(decisions.c.after_status.is_not(None), decisions.c.after_status != GrantStatus.REMOVED.value)
    same = and_(LIVING.c.status == decisions.c.after_status, LIVING.c.state_id == state_id)
    timed = _among(key for key, what in asked.items() if what.term)
    lasts = or_(LIVING.c.expires_at.is_(None), LIVING.c.expires_at > now(), timed)
    return and_(
        members.c.status == MemberStatus.ACTIVE.value,
        or_(and_(not_(had), LIVING.c.id.is_(None)), and_(had, same, lasts)),
    )


def _among(keys: Iterable[int]) -> ColumnElement[bool]:
    return decisions.c.operation_id.in_(sorted(keys))
