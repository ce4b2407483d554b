"""Logging: structlog for everything, uvicorn's and SQLAlchemy's lines included; one id a request; no secret in any line."""

import logging
import re
import secrets
import sys
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor

REQUEST_ID_HEADER = "X-Request-ID"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What opens a door: our API tokens (wherever they stand), bearer credentials, the password in the address of a database or mail
# server, the token of a link.
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+"), r"\1 …"),
    (re.compile(r"cam_[A-Za-z0-9_-]{8,}"), "cam_…"),
    (re.compile(r"(://[^\s:/@]*):[^\s/@]+@"), r"\1:…@"),
    (re.compile(r"#[A-Za-z0-9_-]{43,}"), "#…"),
)
_SECRET_KEYS = frozenset({"authorization", "cookie", "password", "secret", "token"})

access_log = structlog.stdlib.get_logger("server.access")


def without_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Takes tokens and passwords out of every text of a line, tracebacks included."""
    for key, value in event.items():
        if key.lower() in _SECRET_KEYS:
            event[key] = "…"
        elif isinstance(value, str):
            event[key] = redacted(value)
        elif not isinstance(value, int | float | bool | None):
            event[key] = redacted(str(value))
    return event


def redacted(text: str) -> str:
    """Returns a text with its tokens and passwords replaced."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def configure_log(log_format: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Sends every logger of the process through structlog.

    Args:
        log_format: json, text, or auto: text on a terminal, otherwise JSON.
        level: the least important level that is logged.
        stream: where the lines go, if not to the standard error.
    """
    stream = stream or sys.stderr
    as_json = log_format == "json" or (log_format == "auto" and not stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        without_secrets,
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        # A logger that a module has made before this call follows the new configuration.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        _through_root(name)
    # The request line of uvicorn has the query string in it; the middleware below says the same without it.
    logging.getLogger("uvicorn.access").disabled = True
    # Its steps are no news to whoever runs a service, and it tells of itself whenever somebody asks whether we are ready.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Strawberry logs every wrong document as an error with a traceback; what is ours to know is logged by server.error.
    logging.getLogger("strawberry.execution").disabled = True


def _through_root(name: str) -> None:
    logger = logging.getLogger(name)
    logger.handlers = []
    logger.propagate = True


class RequestLogMiddleware:
    """Gives each request an id, in every line and in the response, and logs one line when it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request through the application."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        started = time.perf_counter()
        answered: dict[str, int] = {}

        async def send_with_id(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                MutableHeaders(scope=_headed(message))[REQUEST_ID_HEADER] = request_id
                answered["status"] = message.get("status", 101)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                # Probes come every few seconds and say nothing as long as they are answered.
                level = logging.DEBUG if scope["path"] in {"/healthz", "/readyz"} else logging.INFO
                access_log.log(
                    level,
                    "request",
                    method=scope.get("method", "WEBSOCKET"),
                    path=scope["path"],
                    status=answered.get("status", 0),
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _headed(message: Message) -> MutableMapping[str, Any]:
    message.setdefault("headers", [])
    return message
