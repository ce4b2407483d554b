"""What decides over hand-offs besides the outcomes themselves, looked up for many of them with a few statements (N02, T3)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.grant import active_super_admin, grants
from models.permission.state import State
from models.table import now
from models.tenancy import everything
from resolvers.hand_off.asked import Asked
from resolvers.hand_off.colleague import Colleague, colleagues_of
from resolvers.hand_off.fact import Cell
from resolvers.operation.access import load_newest_versions, load_templates, load_usable_versions
from resolvers.operation.lockdown import Lockdowns, find_lockdowns
from resolvers.operation.situation import Requested
from resolvers.operation.target import TargetClient, client_of, client_rows, rows_by_key
from resolvers.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Ground:
    """The places, and who works there."""

    at: datetime
    clients: Mapping[int, TargetClient]
    colleagues: Mapping[int, Sequence[Colleague]]
    """By client, by name."""
    lockdowns: Lockdowns
    usable: Mapping[int, Requested]
    """By version of a set: what it gives as somebody's default set."""
    newest: Mapping[int, Requested | None]
    """By version of a set: what its newest version gives."""
    templates: Mapping[int, State]
    """By version of a set: what it contains."""
    super_admins: Mapping[int, int]
    """By account: how many super admins it has, where some are to be migrated."""


async def look_around(
    connection: AsyncConnection,
    viewer: Viewer,
    asked: Mapping[int, Asked],
    cells: Iterable[Cell],
    *,
    only_id: int | None = None,
) -> Ground:
    """Returns what decides in the places of these outcomes.

    Args:
        connection: of the transaction.
        viewer: who asks.
        asked: what was asked for.
        cells: the outcomes.
        only_id: the only colleague that is asked about; None for all.
    """
    listed = list(cells)
    keys = {cell.client_id for cell in listed}
    at = now()
    places = await rows_by_key(connection, client_rows(viewer, locked=False), clients, keys)
    sources = [what.source for what in asked.values() if what.source is not None]
    defaults = {cell.person.default_version_id for cell in listed} - {None}
    given = {cell.living.set_version_id for cell in listed if cell.living} - {None}
    reapplies = any(source.by_current_version for source in sources)
    by_default = any(source.by_default for source in sources)
    accounts = {client.account_id for client in map(client_of, places.values())}
    return Ground(
        at=at,
        clients={row.id: client_of(row) for row in places.values()},
        colleagues=await colleagues_of(connection, viewer, keys, only_id=only_id),
        lockdowns=await find_lockdowns(connection, {what.partner_id for what in asked.values()}),
        usable=await load_usable_versions(connection, _keys(defaults)) if by_default else {},
        newest=await load_newest_versions(connection, _keys(given)) if reapplies else {},
        templates=await load_templates(connection, _keys(given)) if reapplies else {},
        super_admins=await _super_admins(connection, accounts, at)
        if any(what.migrates for what in asked.values())
        else {},
    )


def _keys(keys: Iterable[int | None]) -> list[int]:
    return sorted(key for key in keys if key is not None)


async def _super_admins(connection: AsyncConnection, account_ids: Collection[int], at: datetime) -> dict[int, int]:
    """Counts the super admins of accounts, whoever's they are (F42); nothing of that is shown."""
    account = grants.c.account_id
    number = select(account, func.count().label("number")).where(active_super_admin(grants, at)).group_by(account)
    async with everything(connection):
        rows = await connection.execute(number.where(account.in_(sorted(account_ids))))
        return {row.account_id: row.number for row in rows}
