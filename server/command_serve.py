"""`cam serve`: the service itself."""

import socket
from typing import Annotated

import typer
import uvicorn

from models import migration
from models.database import Database
from resolvers.demo.load import is_new, load_demo
from resolvers.demo.sign_in import DemoToken, demo_tokens
from resolvers.demo.size import THE_AGENCY
from server.app import ENDPOINT
from server.command_database import migrate, with_database
from server.command_import import progress_bar
from server.log import configure_log
from server.secret_key import link_issuer
from server.service import make_service
from server.setting import Settings, load_settings

STOP_SECONDS = 10
"""How long requests may take to finish when the service is told to stop."""


class AddressError(RuntimeError):
    """The service cannot listen where the settings say."""


def serve(
    migrate_first: Annotated[bool, typer.Option("--migrate", help="Bring the database up to date first.")] = False,  # noqa: FBT002 an option of a command line
    demo_if_new: Annotated[  # noqa: FBT002 an option of a command line
        bool, typer.Option("--demo-if-new", help="Fill a new database with the demo agency, and print tokens for it.")
    ] = False,
) -> None:
    """Serve GraphQL and its pages, until interrupted."""
    settings = load_settings()
    # The socket first, so that an address in use is known before anything is said or written.
    with _listener(settings) as listener:
        # With port 0 the system has chosen one: links lead there.
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        tokens = with_database(
            lambda database: _prepare(database, settings, migrating=migrate_first, demo=demo_if_new),
            migrated=not migrate_first,
        )
        configure_log(settings.log_format, settings.log_level)
        _greet(settings, tokens)
        config = uvicorn.Config(
            make_service(settings, Database(settings.database_url)),
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


async def _prepare(database: Database, settings: Settings, *, migrating: bool, demo: bool) -> list[DemoToken]:
    # Nothing is written by a service that cannot start for want of a key, nor a key beside a database that is not there.
    issuer = link_issuer(settings)
    if migrating:
        await migrate(database)
    await migration.check_writable(database)
    if not demo:
        return []
    if await is_new(database):
        with progress_bar("Demo") as report:
            await load_demo(database, THE_AGENCY, report, issuer=issuer)
    async with database.write() as session:
        return await demo_tokens(await session.connection())


def _listener(settings: Settings) -> socket.socket:
    """Returns the socket that the service listens on."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise AddressError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. Choose with CAM_HOST and CAM_PORT."
        ) from error
    return listener


def _greet(settings: Settings, tokens: list[DemoToken]) -> None:
    typer.echo(f"Client Access Manager: {settings.address}{ENDPOINT}")
    if tokens:
        typer.echo(
            "Sign in as one of the demo people with a token, made for this start and shown this once (those of earlier starts end now):"
        )
    for token in tokens:
        typer.echo(f"  {token.secret}  {token.email}: {token.who}")
