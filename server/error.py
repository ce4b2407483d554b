"""What a caller is told when something fails (R17): a closed list of codes, and nothing about the inside.

::

    Exception
    ├── RequestError            the request itself is refused: status, code, message
    │   └── InvalidTokenError   401: the bearer token is unknown, expired or revoked
    └── anything with .code     a domain error (``CodedError``): message and code reach the caller
"""

import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Protocol, cast, runtime_checkable

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError, StreamExecutionResult
from strawberry.types.graphql import OperationType

log = structlog.stdlib.get_logger(__name__)


class ErrorCode(StrEnum):
    """The values of ``extensions.code`` (R17): callers may rely on this list being complete."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_A_PARTNER = "NOT_A_PARTNER"
    NOT_FOUND = "NOT_FOUND"
    BAD_REQUEST = "BAD_REQUEST"
    BAD_INPUT = "BAD_INPUT"
    BAD_CURSOR = "BAD_CURSOR"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS"
    IDEMPOTENCY_KEY_MISMATCH = "IDEMPOTENCY_KEY_MISMATCH"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


CODES = frozenset(ErrorCode)

# A message may repeat what was sent; a quarter-megabyte literal must not come back whole.
MESSAGE_LIMIT = 1_000

DATABASE_UNAVAILABLE_MESSAGE = (
    "The database is busy or cannot be reached. Try again in a few seconds; "
    "with an idempotency key, repeating a change is safe."
)
INTERNAL_ERROR_MESSAGE = "Internal error"
# How graphql-core ends the message about a limit of the parser, and what we say instead.
PARSER_ABORTED = " Parsing aborted."
PARSER_ADVICE = "Send values as variables, and several things as several documents."

# Result codes of SQLite that say "not now" or "not here"; 1 (a wrong statement) is a bug and stays masked.
UNAVAILABLE_SQLITE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)

# What PostgreSQL says beside its operational errors: a server that only reads, as after a fail-over, and connections that were ended
# for having waited too long.
UNAVAILABLE_POSTGRESQL_STATES = frozenset({"25006", "25P03", "25P04"})

_SUGGESTION = re.compile(r"\s*Did you mean [^?]*\?", re.DOTALL)


@runtime_checkable
class CodedError(Protocol):
    """What a domain error looks like from here: a code of ``ErrorCode``; ``message`` and ``extensions`` if it has more to say.

    Drivers have attributes of this name too, so only the values of the closed list count.
    """

    code: str


class RequestError(Exception):
    """A request is refused before or instead of being executed."""

    def __init__(
        self, status: int, message: str, code: str = ErrorCode.BAD_REQUEST, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = dict(headers or {})

    @property
    def formatted(self) -> dict[str, object]:
        """Returns the error as an entry of a response's ``errors``."""
        return {"message": self.message, "extensions": {"code": self.code}}


class InvalidTokenError(RequestError):
    """The bearer token is unknown, expired or revoked (T1)."""

    def __init__(
        self,
        message: str = "The token is unknown, expired or revoked. Make a new one with `cam token create` and send it as "
        "`Authorization: Bearer <token>`.",
    ) -> None:
        super().__init__(
            401, message, ErrorCode.UNAUTHENTICATED, {"WWW-Authenticate": 'Bearer realm="cam", error="invalid_token"'}
        )


def root_cause(error: BaseException) -> BaseException:
    """Returns the exception that graphql-core wrapped, however often it did, or the error itself."""
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error


def is_database_unavailable(error: BaseException) -> bool:
    """Tells whether the database is locked, full, closed to writing or out of reach, so that a later try can succeed."""
    if isinstance(error, PoolTimeoutError | ConnectionError):
        return True
    if isinstance(error, DBAPIError):
        if isinstance(error.orig, sqlite3.Error):
            return is_database_unavailable(error.orig)
        if getattr(error.orig, "sqlstate", None) in UNAVAILABLE_POSTGRESQL_STATES:
            return True
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return isinstance(code, int) and code & 0xFF in UNAVAILABLE_SQLITE_CODES
    return False


def masked(error: BaseException, **where: object) -> dict[str, object]:
    """Returns what a caller may know of an unexpected exception; the log gets the rest under the same id (R17)."""
    error_id = secrets.token_hex(8)
    if is_database_unavailable(error):
        log.error("database unavailable", error_id=error_id, exc_info=error, **where)
        code, message = ErrorCode.DATABASE_UNAVAILABLE, DATABASE_UNAVAILABLE_MESSAGE
    else:
        log.error("internal error", error_id=error_id, exc_info=error, **where)
        code, message = ErrorCode.INTERNAL_ERROR, INTERNAL_ERROR_MESSAGE
    return {"message": message, "extensions": {"code": code, "errorId": error_id}}


def presentable(error: GraphQLError) -> GraphQLError:
    """Returns an error of a GraphQL response in the form in which it may leave the process (R17).

    Domain errors keep message and code. Errors about the request itself keep their message. All others are masked.
    """
    described = _described(error)
    return GraphQLError(
        str(described["message"]),
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=cast("dict[str, Any]", described["extensions"]),
    )


class MaskExtension(SchemaExtension):
    """Presents the errors of streamed results; the answers over HTTP are presented by ``server.view``, whatever made them."""

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        """Replaces the errors before a message is made of the result."""
        if isinstance(result, ExecutionResult) and result.errors:
            begun = not isinstance(result, PreExecutionError) and self._is_subscription()
            result.errors = [_accident(error) if begun else presentable(error) for error in result.errors]
        yield

    def _is_subscription(self) -> bool:
        context = self.execution_context
        return context.graphql_document is not None and context.operation_type is OperationType.SUBSCRIPTION


def _accident(error: GraphQLError) -> GraphQLError:
    """Returns an error of a subscription that had begun: without a path it is its source's, and none about the request any more."""
    if error.path is None and isinstance(root_cause(error), ValueError | TypeError):
        described = masked(root_cause(error))
        return GraphQLError(str(described["message"]), extensions=cast("dict[str, Any]", described["extensions"]))
    return presentable(error)


def _described(error: GraphQLError) -> dict[str, object]:
    cause = root_cause(error)
    if isinstance(cause, RequestError):
        return cause.formatted
    if isinstance(cause, GraphQLError):
        extensions = dict(cause.extensions or {})
        if extensions.get("code") in CODES:
            return {"message": cause.message, "extensions": extensions}
    elif isinstance(cause, CodedError) and cause.code in CODES:
        more = getattr(cause, "extensions", None)
        extensions = {**(more if isinstance(more, Mapping) else {}), "code": str(cause.code)}
        return {"message": str(getattr(cause, "message", cause)), "extensions": extensions}
    code = _request_code(error, cause)
    return masked(cause, path=error.path) if code is None else _kept(error.message, code)


def _request_code(error: GraphQLError, cause: BaseException) -> ErrorCode | None:
    """Returns the code of an error that GraphQL itself found in the request, or None for a fault of ours."""
    if isinstance(cause, GraphQLSyntaxError):
        aborted = cause.message.endswith(PARSER_ABORTED)
        return ErrorCode.QUERY_TOO_COMPLEX if aborted else ErrorCode.GRAPHQL_PARSE_FAILED
    if isinstance(cause, StrawberryInputCoercionError):
        return ErrorCode.BAD_INPUT
    if error.path is not None:
        # The executor checks arguments again with the values of the variables in place.
        wrong_argument = isinstance(cause, GraphQLError) and error.message.startswith("Argument '")
        return ErrorCode.BAD_INPUT if wrong_argument else None
    if isinstance(cause, GraphQLError):
        variable = error.message.startswith("Variable ")
        return ErrorCode.BAD_INPUT if variable else ErrorCode.GRAPHQL_VALIDATION_FAILED
    if isinstance(cause, CannotGetOperationTypeError | InvalidOperationTypeError):
        return ErrorCode.GRAPHQL_VALIDATION_FAILED
    # A scalar that refuses a value says why with a ValueError or TypeError; nothing is executed yet, so there is no path.
    return ErrorCode.BAD_INPUT if isinstance(cause, ValueError | TypeError) else None


def _kept(message: str, code: ErrorCode) -> dict[str, object]:
    message = _SUGGESTION.sub("", message)
    if "integer string conversion" in message:
        # Python's own words, with advice that no caller can follow.
        message = "A number has too many digits: an Int has at most ten."
    if message.endswith(PARSER_ABORTED):
        message = f"{message.removeprefix('Syntax Error: ').removesuffix(PARSER_ABORTED)} {PARSER_ADVICE}"
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 1] + "…"
    return {"message": message, "extensions": {"code": code}}
