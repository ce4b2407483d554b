"""The application: what listens where, what starts and stops with the process, and the headers of every response."""

import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import strawberry
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.database import Database
from server.event_stream import Streams
from server.freshness import freshness_extension
from server.health import ReadyCheck, health_routes
from server.limit import Limiter
from server.log import RequestLogMiddleware
from server.page import graphiql_page, page_routes
from server.setting import Settings
from server.view import ContextFactory, GraphQLView, SignIn

ENDPOINT = "/graphql"

# A page brings its own policy; anything else that a browser shows may load and do nothing.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Only where the public address is https: a browser that has seen this on http would be locked out for a year.
TRANSPORT_SECURITY = {"Strict-Transport-Security": "max-age=31536000"}


class HeaderMiddleware:
    """Adds headers to each response that does not say otherwise itself."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app = app
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request through the application."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def create_app(
    settings: Settings,
    *,
    schema: strawberry.Schema,
    database: Database,
    sign_in: SignIn,
    context: ContextFactory,
    ready: ReadyCheck,
    documents: Mapping[str, str] | None = None,
    list_sizes: Mapping[str, int] | None = None,
    page: Callable[[], Response] = graphiql_page,
    pages: Sequence[BaseRoute] | None = None,
    background: AbstractAsyncContextManager[object] | None = None,
) -> Starlette:
    """Returns the application that uvicorn serves.

    Args:
        settings: how this process runs.
        schema: the GraphQL schema.
        database: disposed when the process stops.
        sign_in: finds out who asks by the bearer token.
        context: makes the context of one operation.
        ready: says what keeps the service from working, for ``/readyz``.
        documents: documents that may be named by id (``server.body.document_id``) instead of being sent (R33).
        list_sizes: lengths of lists without pages, for the cost (``server.limit``).
        page: makes the page for browsers at ``/graphql``.
        pages: further routes for people; by default those of ``server.page``.
        background: runs as long as the process does, between start and the disposal of the database.
    """
    trusted = [settings.public_url] if settings.public_url else []
    streams = Streams(settings.subscription_limit)
    view = GraphQLView(
        schema,
        limiter=Limiter(schema, cost_limit=settings.query_cost_limit, list_sizes=list_sizes),
        sign_in=sign_in,
        context=context,
        page=page,
        body_limit=settings.body_limit,
        streams=streams,
        connection_limit=settings.connection_subscription_limit,
        documents=documents,
        allowed_origins=trusted,
        extensions=[] if database.replica is None else [freshness_extension(database.replica)],
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            async with background or nullcontext():
                # What was loaded until now lives as long as the process: the collector need not look at it again.
                gc.collect()
                gc.freeze()
                yield
        finally:
            await database.dispose()

    https = (settings.public_url or "").startswith("https://")
    app = Starlette(
        routes=[
            Route(ENDPOINT, view),
            WebSocketRoute(ENDPOINT, view),
            *health_routes(ready),
            *(page_routes() if pages is None else pages),
        ],
        middleware=[
            Middleware(RequestLogMiddleware),
            Middleware(HeaderMiddleware, headers={**SECURITY_HEADERS, **(TRANSPORT_SECURITY if https else {})}),
        ],
        lifespan=lifespan,
    )
    # A stream has no end of its own, and a server waits for its requests before it tells the application to stop.
    app.state.end_streams = streams.end
    return app
