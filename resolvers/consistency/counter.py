"""What is counted as it is written is what a recount gives: people and clients (R15), assets (F38)."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, union_all

from models.asset import asset_holdings, assets
from models.client import clients
from models.grant import AccessType, GrantStatus, grants
from models.member import members
from resolvers.consistency.check import Check, differ, selected

_LIVING = and_(grants.c.client_id.is_not(None), grants.c.ended == 0)
_ACTIVE = grants.c.status == GrantStatus.ACTIVE.value


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


_OF_CLIENT: dict[str, ColumnElement[bool]] = {
    "active_people": _ACTIVE,
    "deactivated_people": grants.c.status == GrantStatus.DEACTIVATED.value,
    "active_partner_admins": and_(_ACTIVE, grants.c.access_type == AccessType.PARTNER_ADMIN.value),
}


def _client_counters() -> Check:
    counted = (
        select(grants.c.client_id, *(_sum(condition).label(name) for name, condition in _OF_CLIENT.items()))
        .where(_LIVING)
        .group_by(grants.c.client_id)
        .subquery("counted")
    )
    truth = {name: func.coalesce(counted.c[name], 0) for name in _OF_CLIENT}
    return Check(
        "client_counters",
        "each client counts the people who have access",
        [clients],
        selected(
            select(
                clients.c.id,
                *(clients.c[name] for name in truth),
                *(truth[name].label(f"true_{name}") for name in truth),
            )
            .select_from(clients.outerjoin(counted, counted.c.client_id == clients.c.id))
            .where(or_(*(clients.c[name] != value for name, value in truth.items())))
            .order_by(clients.c.id),
            _tell_client,
        ),
    )


def _tell_client(row: Any) -> str:
    pairs = {name: (getattr(row, name), getattr(row, f"true_{name}")) for name in _OF_CLIENT}
    told = [f"{name} is {kept} instead of {counted}" for name, (kept, counted) in pairs.items() if kept != counted]
    return f"client {row.id}: {', '.join(told)}"


def _member_counters() -> Check:
    counted = (
        select(grants.c.member_id, func.count().label("number"))
        .where(_LIVING, _ACTIVE)
        .group_by(grants.c.member_id)
        .subquery("counted")
    )
    number = func.coalesce(counted.c.number, 0)
    return Check(
        "member_counters",
        "each person counts the clients in which their access is active",
        [members],
        selected(
            select(members.c.id, members.c.active_clients, number.label("number"))
            .select_from(members.outerjoin(counted, counted.c.member_id == members.c.id))
            .where(members.c.active_clients != number)
            .order_by(members.c.id),
            lambda row: f"member {row.id}: active_clients is {row.active_clients} instead of {row.number}",
        ),
    )


def _holdings() -> Check:
    """A holding that is missing is as good as one of nothing."""
    owned = (
        select(assets.c.client_id, assets.c.owner_id, assets.c.kind, func.count().label("number"))
        .where(assets.c.owner_id.is_not(None))
        .group_by(assets.c.client_id, assets.c.owner_id, assets.c.kind)
        .subquery("owned")
    )
    same = and_(
        asset_holdings.c.client_id == owned.c.client_id,
        asset_holdings.c.member_id == owned.c.owner_id,
        asset_holdings.c.kind == owned.c.kind,
    )
    kept = func.coalesce(asset_holdings.c.total, 0)
    miscounted = (
        select(owned.c.client_id, owned.c.owner_id.label("member_id"), owned.c.kind, kept.label("kept"), owned.c.number)
        .select_from(owned.outerjoin(asset_holdings, same))
        .where(kept != owned.c.number)
    )
    unfounded = (
        select(
            asset_holdings.c.client_id,
            asset_holdings.c.member_id,
            asset_holdings.c.kind,
            asset_holdings.c.total,
            literal(0),
        )
        .select_from(asset_holdings.outerjoin(owned, same))
        .where(owned.c.number.is_(None), asset_holdings.c.total != 0)
    )
    return Check(
        "asset_holdings",
        "holdings count the assets that people own",
        [assets, asset_holdings],
        selected(
            union_all(miscounted, unfounded),
            lambda row: (
                f"member {row.member_id} in client {row.client_id} holds {row.kept} {row.kind} by the holding and "
                f"{row.number} by the assets"
            ),
        ),
    )


def _asset_places() -> Check:
    owner = members.alias("owner")
    wrong = or_(
        differ((assets.c.partner_id, clients.c.partner_id)),
        and_(assets.c.owner_id.is_not(None), differ((assets.c.partner_id, owner.c.partner_id))),
    )
    joined = assets.outerjoin(clients, clients.c.id == assets.c.client_id).outerjoin(
        owner, owner.c.id == assets.c.owner_id
    )
    return Check(
        "asset_places",
        "each asset is of its client's agency, and so is its owner",
        [assets],
        selected(
            select(assets.c.id, assets.c.client_id, assets.c.owner_id).select_from(joined).where(wrong),
            lambda row: f"asset {row.id}: client {row.client_id} or owner {row.owner_id} is another agency's",
        ),
    )


COUNTER_CHECKS = (_client_counters(), _member_counters(), _holdings(), _asset_places())
