"""What somebody who leaves owns in clients without having access there: the rules of reassignment reach it too (F39).

No outcome of an operation tells of it, for there is no access to end.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, MetaData, Select, String, Table, and_, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.asset import AssetKind, asset_holdings, assets
from models.client import clients
from models.dialect import create_temporary, insert_many
from models.grant import grants
from models.table import BigKey, now
from resolvers.asset_holding import add_holdings
from resolvers.error import RefusalCode, RefusedError, refuse
from resolvers.operation.reassignment import Leavers, check_reassignments, find_reassignments
from resolvers.operation.removal import takes_over
from resolvers.operation.request import Reassignment
from resolvers.viewer import Viewer

_NAMED = 3
"""How many of the clients where the assets cannot go as asked the refusal names."""

_transfers = Table(
    "remaining_transfer",
    MetaData(),
    Column("client_id", BigKey, primary_key=True, autoincrement=False),
    Column("kind", String, primary_key=True),
    Column("to_id", BigKey, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""Who takes over what the person owns where they have no access."""


async def lay_out_remaining(
    connection: AsyncConnection, viewer: Viewer, rules: Sequence[Reassignment], partner_id: int, member_id: int
) -> None:
    """Works the rules out for what a person owns in clients without having access there.

    The rules are checked whatever the person owns, and nobody who leaves takes anything over.

    Raises:
        RefusedError: as ``check_reassignments``; CONFLICT where whoever is to take over is not active.
    """
    held = asset_holdings
    owned = (held.c.member_id == member_id, held.c.total > 0)
    places = select(held.c.client_id.label("id")).where(*owned).distinct().subquery("place")
    leavers = Leavers(partner_id, frozenset({member_id}))
    await check_reassignments(connection, viewer, rules, leavers)
    found = await find_reassignments(connection, rules, leavers, places)
    has_access = exists().where(
        grants.c.client_id == held.c.client_id, grants.c.member_id == held.c.member_id, grants.c.ended == 0
    )
    remaining = await connection.execute(select(held.c.client_id, held.c.kind).where(*owned, ~has_access))
    rows = [
        {"client_id": row.client_id, "kind": row.kind, "to_id": to_id}
        for row in remaining
        if (to_id := found.taker(row.client_id, AssetKind(row.kind))) is not None
    ]
    await create_temporary(connection, _transfers)
    await insert_many(connection, _transfers, rows)
    blocked = list((await connection.execute(_blocked_clients())).scalars())
    if blocked:
        raise _cannot_take_over(blocked)


def _blocked_clients() -> Select[Any]:
    """Selects the names of the clients in which whoever is to take over is not active."""
    blocked = select(_transfers.c.client_id).where(~takes_over(_transfers, now()))
    return (
        select(func.coalesce(clients.c.display_name, accounts.c.official_name))
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.id.in_(blocked))
        .order_by(clients.c.sort_name, clients.c.id)
    )


def _cannot_take_over(names: Sequence[str]) -> RefusedError:
    where = "one client" if len(names) == 1 else f"{len(names):,} clients"
    listed = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
    return refuse(
        RefusalCode.CONFLICT,
        f"In {where} ({listed}) the person owns assets without having access, and whoever is to take them over, or the lead person "
        "who is to, is not active there. Give them access there first, or send for each of these clients a rule that names "
        "somebody active there. Nothing was changed.",
        "input",
        "reassign",
    )


async def hand_over_remaining(connection: AsyncConnection, member_id: int) -> None:
    """Gives what ``lay_out_remaining`` has worked out to whoever takes it over; the person's own holdings are the caller's."""
    await connection.execute(
        update(assets)
        .where(assets.c.owner_id == member_id)
        .where(assets.c.client_id == _transfers.c.client_id, assets.c.kind == _transfers.c.kind)
        .values(owner_id=_transfers.c.to_id, former_owner_id=member_id, recorded_at=now())
    )
    held = and_(
        asset_holdings.c.client_id == _transfers.c.client_id,
        asset_holdings.c.kind == _transfers.c.kind,
        asset_holdings.c.member_id == member_id,
    )
    taken = (_transfers.c.client_id, _transfers.c.to_id, _transfers.c.kind, asset_holdings.c.total.label("more"))
    await add_holdings(connection, select(*taken).join_from(_transfers, asset_holdings, held))
