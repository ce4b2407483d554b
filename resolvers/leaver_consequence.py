"""What a client is left with when one of the partner's people is not there any more (N03, N04)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, func, literal, not_, select

from models.grant import AccessType, GrantStatus, active_super_admin, grants, unexpired, working_partner_admin

_OTHER = grants.alias("other_grant")


class LeaverConsequence(StrEnum):
    """What one person's leaving does to a client."""

    NONE = "NONE"
    ONE_PARTNER_ADMIN_LEFT = "ONE_PARTNER_ADMIN_LEFT"
    NO_PARTNER_ADMIN_LEFT = "NO_PARTNER_ADMIN_LEFT"
    LAST_SUPER_ADMIN = "LAST_SUPER_ADMIN"


def consequence(rows: FromClause, at: datetime) -> ColumnElement[str]:
    """Returns the column that says what the end of each grant does to its client, as the guards of a removal judge it.

    Partner admins count while they work for the partner and their access lasts; people are all whose access is not removed, the
    deactivated among them (F41). Of the account's super admins everybody's count, the client's own people's too.
    """
    there = _OTHER.c.client_id == rows.c.client_id
    is_other = _OTHER.c.member_id != rows.c.member_id
    admins = (
        select(func.count()).where(there, is_other, working_partner_admin(_OTHER, at)).correlate(rows).scalar_subquery()
    )
    people = exists().where(there, is_other, _OTHER.c.ended == 0).correlate(rows)
    super_admins = (
        exists()
        .where(_OTHER.c.account_id == rows.c.account_id, _OTHER.c.id != rows.c.id, active_super_admin(_OTHER, at))
        .correlate(rows)
    )
    active = rows.c.status == GrantStatus.ACTIVE.value
    is_super_admin = and_(active, rows.c.access_type == AccessType.SUPER_ADMIN.value, unexpired(rows, at))
    is_partner_admin = and_(active, rows.c.access_type == AccessType.PARTNER_ADMIN.value)
    none = literal(LeaverConsequence.NONE.value)
    without_admin = case((people, literal(LeaverConsequence.NO_PARTNER_ADMIN_LEFT.value)), else_=none)
    with_one = literal(LeaverConsequence.ONE_PARTNER_ADMIN_LEFT.value)
    return case(
        (and_(is_super_admin, not_(super_admins)), literal(LeaverConsequence.LAST_SUPER_ADMIN.value)),
        (is_partner_admin, case({0: without_admin, 1: with_one}, value=admins, else_=none)),
        else_=none,
    )
