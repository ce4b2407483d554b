"""GraphQL over HTTP, server-sent events and WebSocket (R31, R32): media types, status codes, and who asks.

The status codes follow the edition of September 2026 when ``Accept`` names ``application/graphql-response+json``. Older clients get
``application/json`` and 200 for every request in good form, since they take another status for a failure of a proxy; what is no
request at all is 400 for them, and 422 for the others.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from datetime import timedelta
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import orjson
import strawberry
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.extensions import SchemaExtension
from strawberry.http.websocket_origin import is_same_origin
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from models.replica import Freshness
from resolvers.viewer import Viewer
from server.body import (
    Parameters,
    check_content_type,
    decode_json,
    idempotency_key,
    parameters,
    query_parameters,
    read_body,
)
from server.error import ErrorCode, InvalidTokenError, MaskExtension, RequestError, masked, presentable
from server.event_stream import EventStreamResponse, Streams, wants_stream
from server.freshness import EXTENSION, HEADER, freshness
from server.limit import Limiter
from server.web_socket import Connection, SocketHandler

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
HTML = "text/html"

# Both `data` and `errors` (GraphQL over HTTP, September 2026). Servers know no phrase for it yet.
PARTIAL_SUCCESS = 294

# The status of a response without `data`, by the code of its first error; others are 422.
STATUS = {
    ErrorCode.GRAPHQL_PARSE_FAILED: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.DATABASE_UNAVAILABLE: 503,
}
REFUSED = 422
RETRY_SECONDS = "5"

SUBSCRIPTION_ADVICE = (
    "Subscriptions need a WebSocket with `graphql-transport-ws`, or `text/event-stream` as the first type in `Accept`."
)

ALLOWED_OPERATIONS = {"GET": {OperationType.QUERY}, "POST": {OperationType.QUERY, OperationType.MUTATION}}
STREAMED_OPERATIONS = {method: {*allowed, OperationType.SUBSCRIPTION} for method, allowed in ALLOWED_OPERATIONS.items()}
QUERY_KEYS = frozenset({"query", "documentId", "extensions"})

CONNECTION_INIT_WAIT = timedelta(seconds=10)
# The WebSocket's way to say so.
TRY_AGAIN_LATER = 1013
TOKEN_LENGTH = 512

SignIn = Callable[[str | None], Awaitable[Viewer | None]]
"""Finds out who asks by the bearer token; raises ``InvalidTokenError`` when there is one that opens nothing."""


class ContextFactory(Protocol):
    """Makes the context of one operation: who asks, and everything that lives as long as the operation (loaders, reader)."""

    async def __call__(
        self, *, viewer: Viewer | None, idempotency_key: str | None, freshness: Freshness, token: str | None
    ) -> object:
        """Returns what resolvers see as ``info.context``; with the token, a subscription finds out who asks again and again."""


class GraphQLView(GraphQL[Any, None]):
    """The endpoint ``/graphql``."""

    graphql_transport_ws_handler_class = SocketHandler

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        limiter: Limiter,
        sign_in: SignIn,
        context: ContextFactory,
        page: Callable[[], Response],
        body_limit: int,
        streams: Streams,
        connection_limit: int,
        documents: Mapping[str, str] | None = None,
        allowed_origins: Sequence[str] = (),
        extensions: Sequence[type[SchemaExtension]] = (),
    ) -> None:
        """Makes the endpoint.

        Args:
            schema: the schema; it is not changed, the view works with a copy that has the limiter and the mask in front.
            limiter: the limits of documents.
            sign_in: finds out who asks.
            context: makes the context of an operation.
            page: makes the page for browsers.
            body_limit: the largest body, in bytes.
            streams: counts the subscriptions; there are as many WebSockets at most as there may be subscriptions.
            connection_limit: how many of them one WebSocket may have.
            documents: the documents that may be named by their id ("sha256:…") instead of being sent (R33).
            allowed_origins: other origins whose pages may call, besides the service's own.
            extensions: what else goes with each operation.
        """
        guarded = copy(schema)
        guarded.extensions = (limiter.extension, MaskExtension, *extensions, *schema.extensions)
        super().__init__(
            guarded,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=CONNECTION_INIT_WAIT,
            # Limited by `web_socket`, with a code of ours.
            max_subscriptions_per_connection=None,
            allowed_origins=allowed_origins,
        )
        self.sign_in = sign_in
        self.context = context
        self.page = page
        self.body_limit = body_limit
        self.streams = streams
        self.connection_limit = connection_limit
        self.sockets = 0
        self.documents = documents or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request or runs a WebSocket."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            response = await self._respond(request)
            await response(scope, receive, send)
        elif self.sockets >= self.streams.limit:
            await WebSocket(scope, receive, send).close(TRY_AGAIN_LATER)
        else:
            self.sockets += 1
            try:
                await super().__call__(scope, receive, send)
            finally:
                self.sockets -= 1

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Connection:  # noqa: ARG002
        """Returns the state of a WebSocket; each of its operations gets a context of its own."""
        return Connection(request.headers.get("authorization"))

    async def on_ws_connect(self, context: Connection) -> dict[str, object]:
        """Refuses a connection with a token that opens nothing."""
        try:
            await self.sign_in(bearer_token(context.credentials))
            context.fresh()
        except RequestError as error:
            raise ConnectionRejectionError(error.formatted) from error
        except Exception as error:  # noqa: BLE001 logged here; each operation signs in again and says what is the matter
            masked(error)
        return {}

    def encode_json(self, data: object) -> str:
        """Returns a message for a WebSocket, whose protocol wants text."""
        return encoded(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        """Returns the value of a WebSocket's message."""
        return orjson.loads(data)

    async def operation_context(self, authorization: str | None, key: str | None, fresh: Freshness) -> object:
        """Returns the context of one operation, or raises ``InvalidTokenError``."""
        token = bearer_token(authorization)
        viewer = await self.sign_in(token)
        return await self.context(viewer=viewer, idempotency_key=key, freshness=fresh, token=token)

    async def _respond(self, request: Request) -> Response:
        media_type = GRAPHQL_JSON if weight(request.headers.get("accept", ""), GRAPHQL_JSON) else JSON
        try:
            if wants_page(request):
                return self.page()
            return await self._execute(request, media_type)
        except RequestError as error:
            status = error.status
            if status == REFUSED and media_type == JSON:
                # A document that is not known is no fault of form: Apollo's clients read the code from a 200.
                status = 200 if error.code == ErrorCode.PERSISTED_QUERY_NOT_FOUND else 400
            return answer({"errors": [error.formatted]}, status, media_type, error.headers)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 nothing may leave the process unmasked
            return failure([masked(error)], media_type)

    async def _execute(self, request: Request, media_type: str) -> Response:
        if request.method not in ALLOWED_OPERATIONS:
            raise RequestError(405, "Use GET or POST.", headers={"Allow": "GET, POST"})
        self._check_origin(request)
        found = await self._parameters(request)
        key = idempotency_key(request.headers.get("idempotency-key"))
        fresh = freshness(request.headers.get(HEADER), found.extensions)
        context = await self.operation_context(request.headers.get("authorization"), key, fresh)
        if wants_stream(request.headers.get("accept", "")):
            return await self._stream(request, found, context)
        try:
            result = await self.schema.execute(
                found.query,
                variable_values=found.variables,
                context_value=context,
                operation_name=found.operation_name,
                operation_extensions=found.extensions,
                allowed_operation_types=ALLOWED_OPERATIONS[request.method],
            )
        except CannotGetOperationTypeError as error:
            message = "The document has no operation to execute."
            if error.operation_name:
                message = "The document has no operation of the name in `operationName`."
            described = {"message": message, "extensions": {"code": ErrorCode.GRAPHQL_VALIDATION_FAILED}}
            return failure([described], media_type)
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise RequestError(422, SUBSCRIPTION_ADVICE) from error
            raise RequestError(405, "Send mutations by POST.", headers={"Allow": "POST"}) from error
        response = self._answer(result, media_type)
        if result.extensions and EXTENSION in result.extensions:
            response.headers[HEADER] = result.extensions[EXTENSION]
        return response

    async def _stream(self, request: Request, found: Parameters, context: object) -> Response:
        """Returns the results as server-sent events; what is wrong with the operation is said in the stream."""
        # Asked before the stream begins, so that a full server is said by a status.
        with self.streams.one():
            results = await self.schema.stream(
                found.query,
                variable_values=found.variables,
                context_value=context,
                operation_name=found.operation_name,
                operation_extensions=found.extensions,
                allowed_operation_types=STREAMED_OPERATIONS[request.method],
            )
        return EventStreamResponse(cast("Any", results), self.streams, encoded)

    async def _parameters(self, request: Request) -> Parameters:
        if request.method == "GET":
            return parameters(query_parameters(request.scope["query_string"]), self.documents)
        check_content_type(request.headers.get("content-type"))
        return parameters(decode_json(await read_body(request, self.body_limit)), self.documents)

    def _check_origin(self, request: Request) -> None:
        """Refuses a request that a page of another site makes; the headers are the browser's, a page cannot change them."""
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if origin is not None and _origin(origin) in self.allowed_origins:
            return
        if site is None:
            foreign = origin is not None and not is_same_origin(origin, request.headers.get("host"))
        else:
            foreign = site not in {"same-origin", "none"}
        if foreign:
            raise RequestError(403, "Pages of other sites may not call this service.", ErrorCode.FORBIDDEN)

    @staticmethod
    def _answer(result: ExecutionResult, media_type: str) -> Response:
        errors = [cast("dict[str, Any]", presentable(error).formatted) for error in result.errors or ()]
        # Variables that cannot be read fail before anything is executed: such an error has no path.
        executed = not isinstance(result, PreExecutionError) and (
            result.data is not None or not errors or any("path" in error for error in errors)
        )
        if not executed:
            return failure(errors, media_type, result.extensions)
        status = PARTIAL_SUCCESS if errors and media_type == GRAPHQL_JSON else 200
        body: dict[str, object] = {"data": result.data}
        if errors:
            body["errors"] = errors
        if result.extensions:
            body["extensions"] = result.extensions
        return answer(body, status, media_type)


def failure(
    errors: Sequence[Mapping[str, Any]], media_type: str, extensions: Mapping[str, object] | None = None
) -> Response:
    """Returns the answer to a request in good form that was not executed, so there is no `data`."""
    status = STATUS.get(errors[0]["extensions"]["code"], REFUSED)
    headers = {"Retry-After": RETRY_SECONDS} if status == STATUS[ErrorCode.DATABASE_UNAVAILABLE] else {}
    if media_type == JSON and status < STATUS[ErrorCode.INTERNAL_ERROR]:
        status = 200
    return answer({"errors": errors, **({"extensions": extensions} if extensions else {})}, status, media_type, headers)


def answer(body: object, status: int, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a response in JSON; what it says depends on who asks, so nobody may keep it."""
    fixed = {"Vary": "Accept", "Cache-Control": "no-store"}
    content_type = f"{media_type}; charset=utf-8"
    return Response(encoded(body), status, {**fixed, **(headers or {}), "Content-Type": content_type})


def encoded(body: object) -> bytes:
    """Returns JSON."""
    return orjson.dumps(body)


def bearer_token(authorization: str | None) -> str | None:
    """Returns the token of an ``Authorization`` header, or raises ``InvalidTokenError`` when there is something else in it."""
    if authorization is None:
        return None
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_LENGTH or not token.isascii():
        raise InvalidTokenError
    return token


def weight(accept: str, media_type: str) -> float:
    """Returns how much an ``Accept`` header wants a media type that it names; 0 when it does not."""
    for media_range in accept.lower().split(","):
        name, *options = (part.strip() for part in media_range.split(";"))
        if name == media_type:
            quality = next((option[2:] for option in options if option.startswith("q=")), "1")
            try:
                return float(quality)
            except ValueError:
                return 1.0
    return 0.0


def wants_page(request: Request) -> bool:
    """Tells whether this is a browser that opens the address, and not a client that asks for data."""
    if request.method != "GET" or not QUERY_KEYS.isdisjoint(request.query_params):
        return False
    accept = request.headers.get("accept", "")
    return weight(accept, HTML) > max(weight(accept, JSON), weight(accept, GRAPHQL_JSON))


def _origin(text: str) -> str:
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc}".lower()
