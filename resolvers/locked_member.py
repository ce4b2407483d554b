"""A person who is to be changed: known to the viewer, locked, and changed by somebody who may (F02, T1)."""

from typing import Any

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import asset_holdings
from models.client import clients
from models.dialect import lock_rows
from models.grant import grants
from models.member import members
from models.partner import partners
from models.user import users
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.readable import readable_members
from resolvers.viewer import Viewer


async def lock_partner(connection: AsyncConnection, partner_id: int) -> None:
    """Lets one writer at a time judge who is a member and who may act."""
    await lock_rows(connection, select(partners.c.id).where(partners.c.id == partner_id))


async def member_to_change(
    connection: AsyncConnection,
    viewer: Viewer,
    member_id: int | None,
    *,
    demotes: bool,
    with_clients: bool,
    locked: bool = True,
) -> Row[Any]:
    """Returns the membership and the user's address, locked until the transaction ends.

    Args:
        connection: of the writing transaction; for a preview a reading one, and nothing is ``locked``.
        viewer: who asks.
        member_id: the person; None for an id that cannot be read.
        demotes: the change is about the person's status or rights, which a super admin owes only to another one.
        with_clients: the clients in which the person has access or assets, or which the person leads, are locked too.
        locked: False for a preview.

    Raises:
        RefusedError: NOT_FOUND, NOT_A_PARTNER (F01) or FORBIDDEN (F02).
    """
    readable = select(members.c.partner_id).where(members.c.id == member_id, members.c.id.in_(readable_members(viewer)))
    partner_id = (await connection.execute(readable)).scalar_one_or_none()
    if partner_id is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", "input", "member")
    viewer.acting(partner_id)
    if locked:
        await lock_partner(connection, partner_id)
        if with_clients:
            # Nobody else changes who is partner admin there while it is judged whether this person is dispensable.
            await lock_rows(connection, _clients_of(member_id))
        # Grants of the pipeline lock the member too, so nobody gets access between the check and the change.
        await lock_rows(connection, select(members.c.id).where(members.c.id == member_id))
    is_super_admin = await check_acting(connection, viewer, partner_id)
    statement = (
        select(members, users.c.email).join(users, users.c.id == members.c.user_id).where(members.c.id == member_id)
    )
    found = (await connection.execute(statement)).one()
    if found.super_admin and demotes and not is_super_admin:
        raise refuse(
            RefusalCode.FORBIDDEN,
            "Only a super admin of the partner account changes the status or rights of another.",
            "input",
            "member",
        )
    return found


def _clients_of(member_id: int | None) -> Select[Any]:
    """Selects the clients in which a person has access or assets, or which the person leads, in the order of their keys."""
    held = select(grants.c.client_id).where(grants.c.member_id == member_id, grants.c.ended == 0)
    owned = select(asset_holdings.c.client_id).where(asset_holdings.c.member_id == member_id)
    theirs = or_(clients.c.id.in_(held), clients.c.id.in_(owned), clients.c.lead_id == member_id)
    return select(clients.c.id).where(theirs).order_by(clients.c.id)
