"""What commands have in common that read in somebody's name and write a file."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

from models.database import Database
from resolvers.error import RefusalCode, refuse
from resolvers.partner_creation import partner_by_hub_id, user_by_email
from resolvers.reader import Reader
from resolvers.sign_in import viewer_of


async def named_reader(database: Database, email: str) -> Reader:
    """Returns what the person with this address reads with."""
    async with database.read() as connection:
        viewer = await viewer_of(connection, await user_by_email(connection, email))
    return Reader(database.for_tenants(viewer.tenancy), viewer)


async def partner_reader(database: Database, email: str, hub_id: int | None) -> tuple[Reader, int]:
    """Returns what the person reads with, and the partner that is meant."""
    reader = await named_reader(database, email)
    async with database.read() as connection:
        named = None if hub_id is None else await partner_by_hub_id(connection, hub_id)
    partner_id = reader.viewer.meant_partner_id if named is None else named
    if partner_id is None:
        raise refuse(RefusalCode.INVALID_INPUT, "This person belongs to several partners: say which with --partner.")
    return reader, partner_id


async def write_file(file: Path, text: AsyncIterator[str]) -> None:
    """Writes a text that comes in parts; a file is there only once it is whole."""
    if str(file) == "-":
        async for part in text:
            sys.stdout.write(part)
        return
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            async for part in text:
                stream.write(part)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
