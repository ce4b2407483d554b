"""Puts the service together: schema, database, sign-in and pages become one application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette

from models import migration
from models.broadcaster import Broadcaster
from models.database import Database
from models.replica import Freshness
from resolvers import sign_in as sign_in_resolver
from resolvers.issuer import Issuer
from resolvers.operation.queue import QueueLimits
from resolvers.viewer import Viewer
from schema.context import Context
from schema.schema import schema
from server.app import create_app
from server.body import document_id
from server.clock import following_clock
from server.error import InvalidTokenError
from server.export import export_routes
from server.mail import mail_delivery
from server.page import QUERIES, page_routes, read_examples
from server.secret_key import link_issuer
from server.setting import Settings
from server.worker import working

log = structlog.stdlib.get_logger(__name__)

USES_EVERY = 60.0
"""Seconds between two writings of the tokens' last uses."""


def make_service(settings: Settings, database: Database) -> Starlette:
    """Returns the whole service on a migrated database.

    Raises:
        SettingError: if there is no secret key, and no place to keep one.
    """
    issuer = link_issuer(settings)
    limits = QueueLimits(settings.queue_above, settings.chunk_cells)
    broadcaster = Broadcaster(database)

    async def sign_in(token: str | None) -> Viewer | None:
        if token is None:
            return None
        try:
            return await sign_in_resolver.sign_in(database, token)
        except sign_in_resolver.InvalidTokenError as error:
            raise InvalidTokenError from error

    async def context(
        *, viewer: Viewer | None, idempotency_key: str | None, freshness: Freshness, token: str | None
    ) -> Context:
        async def sign_in_again() -> Viewer | None:
            return await broadcaster.reads.read(("sign-in", token), lambda: sign_in(token))

        return Context(
            database,
            viewer,
            idempotency_key,
            issuer,
            settings.survey_url,
            queue_limits=limits,
            broadcaster=broadcaster,
            sign_in_again=sign_in_again,
            freshness=freshness,
        )

    async def ready() -> str | None:
        return await migration.state(database)

    return create_app(
        settings,
        schema=schema,
        database=database,
        sign_in=sign_in,
        context=context,
        ready=ready,
        documents={document_id(example["query"]): example["query"] for example in read_examples(QUERIES)},
        pages=[*page_routes(), *export_routes(database, sign_in)],
        background=_background(settings, database, broadcaster, issuer),
    )


@asynccontextmanager
async def _background(
    settings: Settings, database: Database, broadcaster: Broadcaster, issuer: Issuer
) -> AsyncIterator[None]:
    async with (
        following_clock(database),
        _last_uses(database),
        mail_delivery(settings, database),
        broadcaster.running(),
        working(settings, database, issuer),
    ):
        yield


@asynccontextmanager
async def _last_uses(database: Database) -> AsyncIterator[None]:
    """Writes the last uses of tokens every minute, and once more at the end."""
    task = asyncio.create_task(_write_last_uses(database))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _write_once(database)


async def _write_last_uses(database: Database) -> None:
    while True:
        await asyncio.sleep(USES_EVERY)
        await _write_once(database)


async def _write_once(database: Database) -> None:
    try:
        await sign_in_resolver.record_last_uses(database)
    except SQLAlchemyError:
        log.warning("last uses of tokens not written", exc_info=True)
