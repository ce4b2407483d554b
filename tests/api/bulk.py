"""A person's access in a thousand clients, in a moment."""

from collections.abc import Sequence

from sqlalchemy import update

from models.client import clients
from models.dialect import insert_many
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import members
from tests.factory import MOMENT, ClientRow, Factory, MemberRow


async def bulk_grants(
    factory: Factory, person: MemberRow, places: Sequence[ClientRow], *, super_admin: bool = False
) -> None:
    """Gives one person access in many clients, as one operation would have: STANDARD without any permission, or super admin."""
    model = await (factory.super_admin if super_admin else factory.grant)(places[0], person)
    rows = [
        {
            "id": model.id + position,
            "partner_id": place.partner_id,
            "client_id": place.id,
            "member_id": person.id,
            "account_id": place.account_id,
            "user_id": person.user_id,
            "status": GrantStatus.ACTIVE,
            "ended": 0,
            "access_type": AccessType.SUPER_ADMIN if super_admin else AccessType.STANDARD,
            "seat": Seat.CORE if super_admin else Seat.PARTNER,
            "state_id": model.state_id,
            "customised": False,
            "version": 1,
            "since": MOMENT,
        }
        for position, place in enumerate(places)
        if position
    ]
    async with factory.database.write() as session:
        connection = await session.connection()
        await insert_many(connection, grants, rows)
        touched = [place.id for place in places[1:]]
        await connection.execute(
            update(clients).where(clients.c.id.in_(touched)).values(active_people=clients.c.active_people + 1)
        )
        await connection.execute(
            update(members).where(members.c.id == person.id).values(active_clients=members.c.active_clients + len(rows))
        )
