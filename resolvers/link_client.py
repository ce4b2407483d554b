"""An account as the client of the partner whose access link it answers; an approval makes it one (F17, F18)."""

from typing import Any

from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import access_links
from models.account import accounts
from models.client import clients
from models.dialect import insert_or_ignore, lock_rows
from models.table import now
from resolvers.client_import import client_texts
from resolvers.locked_member import lock_partner

_NEW = {"active_people": 0, "deactivated_people": 0, "active_partner_admins": 0, "sort_name": "", "search_text": ""}


def as_client(link_id: int, account_id: int) -> Select[Any]:
    """Selects the key of the client that the account is to the link's partner; nothing if it is none."""
    return (
        select(clients.c.id)
        .join(access_links, access_links.c.partner_id == clients.c.partner_id)
        .where(access_links.c.id == link_id, clients.c.account_id == account_id)
    )


async def make_client(connection: AsyncConnection, link: Row[Any], account_id: int) -> bool:
    """Makes the account a client of the link's partner if it is none yet, still without its name; says whether it did.

    It waits for an import that may be making the same client, as that waits for it: both lock the partner first.
    """
    if (await connection.execute(as_client(link.id, account_id))).scalar_one_or_none() is not None:
        return False
    await lock_partner(connection, link.partner_id)
    row = {"partner_id": link.partner_id, "account_id": account_id, "since": now(), **_NEW}
    inserted = insert_or_ignore(connection, clients).values(row).returning(clients.c.id)
    return (await connection.execute(inserted)).scalar_one_or_none() is not None


async def locked_client(connection: AsyncConnection, link: Row[Any], account_id: int) -> Row[Any]:
    """Returns the account as the partner's client with its official data, its row locked."""
    key = (await connection.execute(as_client(link.id, account_id))).scalar_one()
    await lock_rows(connection, select(clients.c.id).where(clients.c.id == key))
    official = (accounts.c.official_name, accounts.c.hub_id)
    statement: Select[Any] = (
        select(clients.c.id, clients.c.account_id, clients.c.ceiling_id, *official)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .where(clients.c.id == key)
    )
    client: Row[Any] = (await connection.execute(statement)).one()
    return client


async def name_client(connection: AsyncConnection, client: Row[Any]) -> None:
    """Makes a new client sorted and searched by the official data, locked: an import may be changing it (F20, F22)."""
    row = select(accounts.c.official_name, accounts.c.domain, accounts.c.hub_id).where(
        accounts.c.id == client.account_id
    )
    await lock_rows(connection, row)
    official = (await connection.execute(row)).one()
    await connection.execute(update(clients).where(clients.c.id == client.id).values(client_texts(None, *official)))
