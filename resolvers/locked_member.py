"""A person who is to be changed: known to the viewer, locked, and changed by somebody who may (F02, T1)."""

from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import asset_holdings
from models.client import clients
from models.dialect import lock_keys, lock_rows
from models.grant import grants
from models.member import members
from models.partner import partners
from models.user import users
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.readable import readable_members
from resolvers.viewer import Viewer

TRIES = 3
"""How often somebody may come to work in one more client while their clients are locked, before all of the partner's are."""


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
        with_clients: the clients in which the person has access or assets, or which the person leads, are locked too, and until
            the transaction ends there will be no others.
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
            await _lock_with_clients(connection, partner_id, member_id)
        else:
            await _lock(connection, member_id)
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


async def _lock(connection: AsyncConnection, member_id: int | None) -> None:
    """Locks the person: what gives access, assets or a client to lead locks them too, so none of it comes in between."""
    await lock_rows(connection, select(members.c.id).where(members.c.id == member_id))


async def _lock_with_clients(connection: AsyncConnection, partner_id: int, member_id: int | None) -> None:
    """Locks the person's clients, so that nobody changes who is partner admin there, and then the person.

    Which clients these are is certain only when the person is locked, and then it is too late to lock one more: whoever holds
    that client may be waiting for the person. So everything locked here is let go, and it starts over.
    """
    for _ in range(TRIES):
        async with connection.begin_nested() as attempt:
            held = await _clients_of(connection, member_id)
            await lock_keys(connection, clients, held)
            await _lock(connection, member_id)
            if await _clients_of(connection, member_id) <= held:
                return
            await attempt.rollback()
    await lock_rows(connection, select(clients.c.id).where(clients.c.partner_id == partner_id).order_by(clients.c.id))
    await _lock(connection, member_id)


async def _clients_of(connection: AsyncConnection, member_id: int | None) -> set[int]:
    """Returns the clients in which a person has access or assets, or which the person leads."""
    held = select(grants.c.client_id).where(grants.c.member_id == member_id, grants.c.ended == 0)
    owned = select(asset_holdings.c.client_id).where(asset_holdings.c.member_id == member_id)
    theirs = or_(clients.c.id.in_(held), clients.c.id.in_(owned), clients.c.lead_id == member_id)
    return set((await connection.execute(select(clients.c.id).where(theirs))).scalars())
