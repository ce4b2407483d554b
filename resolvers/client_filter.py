"""Which clients of a list are meant: OR within a filter, AND between them (F22)."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, exists, func, literal, not_, or_, select

from models.account import AccountType, accounts
from models.client import clients
from models.grant import AccessType, GrantStatus, active_partner_admin, grants, unexpired
from models.table import Amount, now
from resolvers.search import contains
from resolvers.viewer import Viewer

_NOTHING = literal(Decimal(0), Amount())
# Aliases, because whoever uses these conditions may have the tables themselves in the statement around them.
_ACCOUNT, _GRANT = accounts.alias("filtered_account"), grants.alias("filtered_grant")


@dataclass(frozen=True, slots=True)
class ClientFilter:
    """What is None does not filter."""

    account_types: tuple[AccountType, ...] | None = None
    access_types: tuple[AccessType, ...] | None = None
    """The viewer's own access type there, NONE included (T2)."""
    has_managed_mrr: bool | None = None
    without_partner_admin: bool | None = None
    """Access problems: people of this partner, but no ACTIVE partner admin."""


def client_conditions(
    viewer: Viewer,
    filter: ClientFilter | None,  # noqa: A002 the argument's name in the API
    search: str | None,
) -> list[ColumnElement[bool]]:
    """Returns the conditions on the table of clients that the filter and the search make."""
    conditions = [] if search is None else [contains(clients.c.search_text, search)]
    if filter is None:
        return conditions
    if filter.account_types is not None:
        of_type = _ACCOUNT.c.account_type.in_(filter.account_types)
        conditions.append(exists().where(_ACCOUNT.c.id == clients.c.account_id, of_type))
    if filter.access_types is not None:
        conditions.append(_viewer_has(viewer, filter.access_types))
    if filter.has_managed_mrr is not None:
        managed = func.coalesce(clients.c.managed_mrr, _NOTHING) > _NOTHING
        conditions.append(managed if filter.has_managed_mrr else not_(managed))
    if filter.without_partner_admin is not None:
        admin = exists().where(_GRANT.c.client_id == clients.c.id, active_partner_admin(_GRANT, now()))
        problem = and_(not_(admin), clients.c.active_people + clients.c.deactivated_people > 0)
        conditions.append(problem if filter.without_partner_admin else not_(problem))
    return conditions


def _viewer_has(viewer: Viewer, access_types: tuple[AccessType, ...]) -> ColumnElement[bool]:
    own = select(_GRANT.c.client_id).where(
        _GRANT.c.member_id.in_([membership.member_id for membership in viewer.memberships]),
        _GRANT.c.ended == 0,
        _GRANT.c.status == GrantStatus.ACTIVE,
        unexpired(_GRANT, now()),
    )
    held = clients.c.id.in_(own.where(_GRANT.c.access_type.in_(access_types)))
    return or_(held, clients.c.id.not_in(own)) if AccessType.NONE in access_types else held
