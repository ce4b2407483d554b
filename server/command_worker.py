"""`cam worker`: carries out queued operations, without serving anybody."""

import asyncio
import signal

import typer

from models.database import Database
from models.notice import sending
from server.clock import following_clock
from server.command_database import with_database
from server.log import configure_log
from server.secret_key import link_issuer
from server.setting import load_settings
from server.worker import work


def worker() -> None:
    """Carry out queued operations, beside the service or on a machine of its own, until interrupted.

    cam serve does that as well; start workers where large operations should not share its processor. With PostgreSQL there may be
    any number, on any machine, with the same CAM_DATABASE_URL and CAM_SECRET_KEY as the service. One that is lost is replaced by the
    others after CAM_STALLED_AFTER seconds. With SQLite it works beside the service on the same file.

    All workers of a database have one version: one of another version ends at once and says so. When the database is migrated, a
    worker that does not know the new version stops after the part that it is at. Ctrl+C or SIGTERM stops it; nothing is lost.
    """
    settings = load_settings()
    issuer = link_issuer(settings)

    async def run(database: Database) -> None:
        configure_log(settings.log_format, settings.log_level)
        stopping = asyncio.Event()
        for told in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(told, stopping.set)
        async with following_clock(database), sending(database):
            await work(settings, database, issuer, stopping)

    typer.echo("Working on queued operations; Ctrl+C stops.")
    with_database(run)
