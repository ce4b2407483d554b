"""The clients and people of a partner, by whatever an event names them."""

from collections.abc import Iterable

from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.member import members
from models.user import users
from resolvers.email_address import email_key
from resolvers.hub_id import hub_id_number

Named = int | str | None
"""A key, or a Hub ID or an e-mail address as somebody wrote it; None for what is neither."""


class Directory:
    """What has been looked up; clients and people never go, so that an import keeps it from one batch to the next."""

    def __init__(self, partner_id: int) -> None:
        """Knows nobody yet."""
        self.partner_id = partner_id
        self.clients: dict[Named, int] = {}
        self.members: dict[Named, int] = {}

    async def look_up(self, connection: AsyncConnection, clients_: Iterable[Named], members_: Iterable[Named]) -> None:
        """Looks up those that are not known yet, with one statement for all clients and one for all people."""
        await self._look_up_clients(connection, set(clients_) - self.clients.keys())
        await self._look_up_members(connection, set(members_) - self.members.keys())

    async def _look_up_clients(self, connection: AsyncConnection, named: set[Named]) -> None:
        hub_ids = {name: hub_id_number(name.strip()) for name in named if isinstance(name, str)}
        keys = {name for name in named if isinstance(name, int)}
        if not keys and not any(hub_ids.values()):
            return
        ours = select(clients.c.id, accounts.c.hub_id).join(accounts, accounts.c.id == clients.c.account_id)
        ours = ours.where(clients.c.partner_id == self.partner_id)
        numbers = {number for number in hub_ids.values() if number is not None}
        # Apart, so that an index serves each.
        rows = await connection.execute(
            union_all(ours.where(clients.c.id.in_(keys)), ours.where(accounts.c.hub_id.in_(numbers)))
        )
        found = {row.hub_id: row.id for row in rows}
        self.clients |= {key: key for key in keys & set(found.values())}
        self.clients |= {name: found[number] for name, number in hub_ids.items() if number in found}

    async def _look_up_members(self, connection: AsyncConnection, named: set[Named]) -> None:
        addresses = {name: email_key(name.strip()) for name in named if isinstance(name, str)}
        keys = {name for name in named if isinstance(name, int)}
        if not keys and not addresses:
            return
        ours = select(members.c.id, users.c.email_key).join(users, users.c.id == members.c.user_id)
        ours = ours.where(members.c.partner_id == self.partner_id)
        # What no database stores is nobody's address.
        usable = {address for address in addresses.values() if address.isprintable()}
        rows = await connection.execute(
            union_all(ours.where(members.c.id.in_(keys)), ours.where(users.c.email_key.in_(usable)))
        )
        found = {row.email_key: row.id for row in rows}
        self.members |= {key: key for key in keys & set(found.values())}
        self.members |= {name: found[address] for name, address in addresses.items() if address in found}
