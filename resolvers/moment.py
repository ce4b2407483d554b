"""The moment of what is written into a timeline."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.table import now
from models.timeline_entry import timeline_entries


async def moment_after(connection: AsyncConnection, partner_id: int | None) -> datetime:
    """Returns the present, or the moment of the newest entry of the partner's timeline if the clock says that it is yet to come.

    So the moments of what becomes of a grant are in the order in which it becomes of it, though a clock was set back or two machines
    differ by milliseconds: what was there at a moment is found by it (N05).

    Args:
        connection: of the transaction, when everything is locked that is to be changed.
        partner_id: whose grants are to be changed; None if they are an account's own.
    """
    entry = timeline_entries.c
    # As a comparison with NULL is written, and not as one that holds for both: an index serves only so.
    ours = entry.partner_id.is_(None) if partner_id is None else entry.partner_id == partner_id
    newest = select(entry.at).where(ours).order_by(entry.id.desc()).limit(1)
    latest: datetime | None = await connection.scalar(newest)
    return now() if latest is None else max(now(), latest)
