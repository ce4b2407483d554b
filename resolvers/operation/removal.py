"""What removing access adds to the pipeline: the check of the review, and the assets of whoever goes (F38, F39)."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from resolvers.operation.request import Removal
from resolvers.operation.scope import Scope
from resolvers.viewer import Viewer


async def lay_out_removal(connection: AsyncConnection, viewer: Viewer, removal: Removal, scope: Scope) -> None:
    """Fills ``reviewed_grants``, ``blocked_grants`` and ``reassignments`` of ``resolvers.operation.cell``.

    The targets lie in ``target_clients`` and ``target_members`` (and ``target_pairs``) already.

    Raises:
        RefusedError: NOT_FOUND or INVALID_INPUT, for a rule of reassignment that names an unknown client or person, or a leaver.
    """
    raise NotImplementedError


async def settle_assets(connection: AsyncConnection, operation_id: int, at: datetime) -> None:
    """Gives the assets of everybody whose grant the operation's cells have REMOVED to whom ``reassignments`` says.

    All others keep the person as former owner. Writes ``asset_transfer`` and keeps ``asset_holding``.
    """
    raise NotImplementedError
