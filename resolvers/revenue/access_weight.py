"""How much access there is in a client, as one number: its people, each counted by access type (N10)."""

from sqlalchemy import ColumnElement, FromClause, Select, String, func, literal, select

from models.grant import AccessType, GrantStatus, grants

WEIGHTS = {AccessType.SUPER_ADMIN: 5, AccessType.PARTNER_ADMIN: 3, AccessType.STANDARD: 1}
"""What an ACTIVE person counts. A partner admin can do most of what a super admin can, and neither is one among many."""

_GRANT = grants.alias("weighed_grant")


def super_admins(rows: FromClause) -> ColumnElement[int]:
    """Returns how many of the partner's people are ACTIVE super admins of a row of clients."""
    # The values stand in the statement and not in parameters: only then do the databases see that the partial index serves.
    kind = literal(AccessType.SUPER_ADMIN.value, String, literal_execute=True)
    status = literal(GrantStatus.ACTIVE.value, String, literal_execute=True)
    found: Select[int] = select(func.count()).where(
        _GRANT.c.account_id == rows.c.account_id,
        _GRANT.c.client_id == rows.c.id,
        _GRANT.c.access_type == kind,
        _GRANT.c.status == status,
    )
    return found.correlate(rows).scalar_subquery()


def elevated(rows: FromClause) -> ColumnElement[int]:
    """Returns how many ACTIVE people are partner admins or super admins of a row of clients."""
    return rows.c.active_partner_admins + super_admins(rows)


def weight(rows: FromClause) -> ColumnElement[int]:
    """Returns the sum of the weights of all ACTIVE people of a row of clients: from its counters, without counting grants."""
    standard, admin = WEIGHTS[AccessType.STANDARD], WEIGHTS[AccessType.PARTNER_ADMIN]
    people = rows.c.active_people * standard + rows.c.active_partner_admins * (admin - standard)
    return people + super_admins(rows) * (WEIGHTS[AccessType.SUPER_ADMIN] - standard)
