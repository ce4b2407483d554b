"""Brings in from a file what a partner's people did, whatever its size (F52)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.database import Database
from resolvers.activity.directory import Directory
from resolvers.activity.draft import Draft, RefusedEvent, source_name
from resolvers.activity.event_file import EventFile, read_events
from resolvers.activity.record import RecordedActivity, take_events
from resolvers.activity.write import MOST_AT_ONCE
from resolvers.free_text import refusing_at
from resolvers.import_result import Progress

Tell = Callable[[Sequence[RefusedEvent]], None]
"""Is told of the lines that are not taken, in the order of the file."""


@dataclass(slots=True)
class ImportedActivity:
    """What became of the lines of a file."""

    recorded: int = 0
    repeated: int = 0
    refused: int = 0


async def import_activity(
    database: Database,
    partner_id: int,
    file: EventFile,
    tell: Tell,
    progress: Progress | None = None,
) -> ImportedActivity:
    """Writes the events of a file in batches, each a transaction of its own; an import that was interrupted is simply repeated.

    The next batch is read while one is written.

    Raises:
        CsvTableError: if the file cannot be read at all.
        RefusedError: INVALID_INPUT for a source without a name.
    """
    with refusing_at("source"):
        name = source_name(file.source)
    directory, total = Directory(partner_id), ImportedActivity()
    batches = read_events(file, MOST_AT_ONCE)
    reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
    done = 0
    while batch := await reading:
        reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
        unread = [line for line in batch if isinstance(line, RefusedEvent)]
        drafts = [line for line in batch if isinstance(line, Draft)]
        taken = await _write(database, directory, name, drafts)
        refused = sorted([*unread, *taken.refused])
        tell(refused)
        total.recorded += taken.recorded
        total.repeated += taken.repeated
        total.refused += len(refused)
        done += len(batch)
        if progress:
            progress(done, done)
    return total


async def _write(database: Database, directory: Directory, source: str, drafts: Sequence[Draft]) -> RecordedActivity:
    async with database.write() as session:
        return await take_events(await session.connection(), directory, source, drafts)
