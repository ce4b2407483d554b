"""`cam serve`: the service itself."""

import socket
from typing import Annotated

import structlog
import typer
import uvicorn
from starlette.applications import Starlette

from models import migration
from models.database import Database
from models.durability import risks
from resolvers.demo.load import is_new, load_demo
from resolvers.demo.sign_in import DemoToken, demo_tokens
from server.command_database import migrate, with_database
from server.command_import import progress_bar
from server.database import open_database
from server.log import configure_log
from server.secret_key import link_issuer
from server.setting import Settings, load_settings

log = structlog.stdlib.get_logger(__name__)

STOP_SECONDS = 10
"""How long requests may take to finish when the service is told to stop."""
SOCKET_MESSAGE_BYTES = 65_536
SOCKET_PING_SECONDS = 20.0
"""Between two pings of a WebSocket, and how long its client may take to answer."""


class AddressError(RuntimeError):
    """The service cannot listen where the settings say."""


def serve(
    migrate_first: Annotated[bool, typer.Option("--migrate", help="Bring the database up to date first.")] = False,  # noqa: FBT002 an option of a command line
    demo_if_new: Annotated[  # noqa: FBT002 an option of a command line
        bool, typer.Option("--demo-if-new", help="Fill a new database with the demo agency, and print tokens for it.")
    ] = False,
) -> None:
    """Serve GraphQL and its pages, until interrupted."""
    # Not before, since every other command would wait for the schema to be built; and not later, lest it fail halfway.
    from server.service import make_service  # noqa: PLC0415

    settings = load_settings()
    # The socket first, so that an address in use is known before anything is said or written.
    with _listener(settings) as listener:
        # With port 0 the system has chosen one: links lead there.
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        tokens, warnings = with_database(
            lambda database: _prepare(database, settings, migrating=migrate_first, demo=demo_if_new),
            migrated=not migrate_first,
        )
        configure_log(settings.log_format, settings.log_level)
        for warning in warnings:
            log.warning(warning)
        _greet(settings, tokens)
        Server(make_service(settings, open_database(settings))).run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn as this service needs it; ends the streams of server-sent events when it stops, which it would wait for."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                # Waits when a client does not read. Compression would keep a window for each connection.
                ws="websockets-sansio",
                ws_max_size=SOCKET_MESSAGE_BYTES,
                ws_ping_interval=SOCKET_PING_SECONDS,
                ws_ping_timeout=SOCKET_PING_SECONDS,
                ws_per_message_deflate=False,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops, as soon as what is being answered is answered."""
        self._app.state.end_streams()
        await super().shutdown(sockets)


async def _prepare(
    database: Database, settings: Settings, *, migrating: bool, demo: bool
) -> tuple[list[DemoToken], list[str]]:
    # Nothing is written by a service that cannot start for want of a key, nor a key beside a database that is not there.
    issuer = link_issuer(settings)
    if migrating:
        await migrate(database)
    await migration.check_writable(database)
    warnings = await risks(database)
    if not demo:
        return [], warnings
    if await is_new(database):
        with progress_bar("Demo") as report:
            await load_demo(database, report, issuer=issuer)
    async with database.write() as session:
        return await demo_tokens(await session.connection()), warnings


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
    from server.app import ENDPOINT  # noqa: PLC0415 as above

    typer.echo(f"Client Access Manager: {settings.address}{ENDPOINT}")
    if tokens:
        typer.echo(
            "Sign in as one of the demo people with a token, made for this start and shown this once (those of earlier starts end now):"
        )
    for token in tokens:
        typer.echo(f"  {token.secret}  {token.email}: {token.who}")
