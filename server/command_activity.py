"""`cam import activity`: what a partner's people did in client accounts, from files of any size (F52)."""

from collections.abc import Sequence
from typing import Annotated

import typer

from models.database import Database
from resolvers.activity.draft import RefusedEvent
from resolvers.activity.event_file import EventFile, EventFormat
from resolvers.activity.file_import import ImportedActivity, import_activity
from resolvers.partner_creation import partner_by_hub_id
from server.command_database import with_database
from server.command_import import File, HubId, opened, progress_bar

_LINES = (".jsonl", ".ndjson", ".json")


def activity(
    file: File,
    partner: HubId = None,
    source: Annotated[
        str, typer.Option(help="The tool that tells it: the same each time, as event ids are unique within it.")
    ] = "import",
    form: Annotated[
        EventFormat | None, typer.Option("--format", help="csv or jsonl; by the file's ending unless told otherwise.")
    ] = None,
) -> None:
    """Import what a partner's people did in client accounts, as CSV or as JSON lines.

    Columns, or names in each object: hub_id (of the client), email (of the person), kind (VIEWED, UPDATED, COMMUNICATED …), at (such as
    2026-11-21T09:30:00Z), event_id, permission, subject; the last two may be empty. In any order, however late, and of any size: it is
    written while it is read, 10,000 at a time. Good lines are taken, bad ones are named; events that are known already count once, so
    an import that was interrupted is simply repeated. Exit code 1 if a line was refused.
    """
    chosen = form or (EventFormat.JSONL if file.suffix.lower() in _LINES else EventFormat.CSV)

    def tell(refused: Sequence[RefusedEvent]) -> None:
        for event in refused:
            typer.echo(f"line {event.place}: {event.message}", err=True)

    with opened(file) as stream, progress_bar("Activity") as report:

        async def work(database: Database) -> ImportedActivity:
            async with database.read() as connection:
                partner_id = await partner_by_hub_id(connection, partner)
            return await import_activity(database, partner_id, EventFile(stream, chosen, source), tell, report)

        done = with_database(work)
    typer.echo(f"Activity: {done.recorded} recorded, {done.repeated} repeated, {done.refused} refused.")
    if done.refused:
        raise typer.Exit(1)
