"""Whose rows a transaction is about: what PostgreSQL's row-level security asks for (``models.row_security``).

The settings last as long as the transaction and are never set for the session: behind a pooler the connection goes to somebody else
next. They cost one small statement when a transaction begins. On SQLite there is nothing to set.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from models import idle_limit

ALL = "*"
OPTION = "tenancy"
"""The execution option with the ``Tenancy`` of an engine's transactions; without it they are about everything."""

_NARROW = "SELECT set_config('cam.partners', %s, true), set_config('cam.accounts', %s, true), set_config('cam.user', %s, true)"
_WIDE = f"SELECT set_config('cam.partners', '{ALL}', true)"


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Whose rows somebody may be shown: of which partners, about which accounts, and their own."""

    partner_ids: tuple[int, ...] = ()
    account_ids: tuple[int, ...] = ()
    user_id: int | None = None

    @property
    def settings(self) -> tuple[str, str, str]:
        """Returns what the policies read."""
        user = "" if self.user_id is None else str(self.user_id)
        return ",".join(map(str, self.partner_ids)), ",".join(map(str, self.account_ids)), user


def begin(connection: Connection) -> None:
    """Says at the beginning of a transaction whose rows it is about, and, in the same round trip, how long it may be idle."""
    options = connection.get_execution_options()
    tenancy: Tenancy | None = options.get(OPTION)
    limit = f", {idle_limit.SETTING}" if options.get(idle_limit.OPTION) else ""
    if tenancy is None:
        connection.exec_driver_sql(f"{_WIDE}{limit}")
    else:
        connection.exec_driver_sql(f"{_NARROW}{limit}", tenancy.settings)


@asynccontextmanager
async def everything(connection: AsyncConnection) -> AsyncIterator[None]:
    """Lets the statements inside see all rows, where a rule counts what other partners have; nothing of that is to be shown.

    After an error the transaction is over, and the settings with it.
    """
    sync = connection.sync_connection
    tenancy: Tenancy | None = None if sync is None else sync.get_execution_options().get(OPTION)
    if tenancy is None:
        yield
        return
    await connection.exec_driver_sql(_WIDE)
    yield
    await connection.exec_driver_sql(_NARROW, tenancy.settings)
