"""Whether the counters that lists show are what the rows say (R15)."""

from typing import Any

from sqlalchemy import func, select

from models.client import clients
from models.database import Database
from models.grant import AccessType, GrantStatus, grants
from models.member import members


async def assert_counters_are_true(database: Database) -> None:
    """Compares every client's and member's counters with its grants."""
    active = (grants.c.status == GrantStatus.ACTIVE) & (grants.c.ended == 0)

    def count(*conditions: Any) -> Any:
        return select(func.count()).where(*conditions).scalar_subquery()

    here, own = grants.c.client_id == clients.c.id, grants.c.member_id == members.c.id
    admins = grants.c.access_type == AccessType.PARTNER_ADMIN
    async with database.read() as connection:
        for row in await connection.execute(
            select(
                clients.c.active_people,
                count(here, active),
                clients.c.deactivated_people,
                count(here, grants.c.status == GrantStatus.DEACTIVATED),
                clients.c.active_partner_admins,
                count(here, active, admins),
            )
        ):
            assert row[0::2] == row[1::2]
        for row in await connection.execute(select(members.c.active_clients, count(own, active))):
            assert row[0] == row[1]
