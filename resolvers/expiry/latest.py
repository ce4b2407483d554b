"""When access ends at the latest that is given now (P04)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.expiry import expiry_rules
from resolvers.operation.term import latest_end, shorter


async def latest_ends(connection: AsyncConnection, client_ids: Sequence[int], at: datetime) -> dict[int, datetime]:
    """Returns the latest end in each of the clients in which it is limited."""
    rule = expiry_rules.c
    statement = (
        select(clients.c.id, rule.longest_days.label("by_partner"), clients.c.longest_days.label("by_client"))
        .outerjoin(expiry_rules, rule.partner_id == clients.c.partner_id)
        .where(clients.c.id.in_(client_ids))
    )
    rows = await connection.execute(statement)
    ends = {row.id: latest_end(shorter(row.by_partner, row.by_client), at) for row in rows}
    return {key: end for key, end in ends.items() if end is not None}
