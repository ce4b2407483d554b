"""Importing a partner's own files on behalf of a viewer: rehearsed or for real, and once however often it is tried."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import astuple
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from resolvers.acting_partner import check_acting
from resolvers.csv_table import CsvTableError
from resolvers.error import RefusalCode, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.import_result import ImportedRow, ImportResult, ImportStatus
from resolvers.viewer import Viewer

File = TypeVar("File")

MOST_LINES = 100_000
"""The most lines of a file in a request: it is written in one transaction, while the caller waits."""


async def import_file(
    database: Database,
    viewer: Viewer,
    partner_id: int,
    text: str,
    steps: tuple[Callable[[str], File], Callable[[AsyncConnection, int, File], Awaitable[ImportResult]]],
    *,
    dry_run: bool = False,
    call: IdempotentCall | None = None,
) -> ImportResult:
    """Returns what became of each row; a dry run says the same and writes nothing.

    Args:
        database: where to.
        viewer: who imports; needs EDIT in the partner (F02).
        partner_id: whose people or clients they are.
        text: the file.
        steps: what reads such a file, and what writes what was read.
        dry_run: whether to undo it all in the end.
        call: the call that this is a try of.

    Raises:
        RefusedError: FORBIDDEN, NOT_A_PARTNER, or INVALID_FILE for a file that is no such table.
    """
    viewer.acting(partner_id)
    read, write = steps
    if text.count("\n") > MOST_LINES:
        raise refuse(
            RefusalCode.INVALID_FILE,
            f"A file in a request has at most {MOST_LINES:,} lines: send it in parts, or use cam import.",
            "input",
            "csv",
        )
    try:
        file = await asyncio.to_thread(read, text)
    except CsvTableError as error:
        raise refuse(RefusalCode.INVALID_FILE, error.message, "input", "csv") from error
    async with database.rehearse() if dry_run else database.write() as session:
        first = None if dry_run else await remembered(session, call)
        if first is not None:
            return ImportResult([ImportedRow(line, ImportStatus(status), *rest) for line, status, *rest in first])
        connection = await session.connection()
        await check_acting(connection, viewer, partner_id)
        result = await write(connection, partner_id, file)
        if not dry_run:
            await remember(session, call, [astuple(row) for row in result.rows])
    return result
