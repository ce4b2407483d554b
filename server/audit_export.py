"""`GET /export/timeline` and `GET /export/elevated-access`: records for auditors, of a partner or of a client's own account.

The parameters are those of the filters in the API, in the singular; one that takes a list may be given several times.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from models.grant import AccessType
from models.operation import OperationKind
from resolvers.elevated_access.report import ElevatedAccessFilter
from resolvers.error import AccessCode, AccessError
from resolvers.export.elevated_access import COLUMNS as ELEVATED_ACCESS_COLUMNS
from resolvers.export.elevated_access import export_elevated_access
from resolvers.export.source import ExportSource
from resolvers.export.text import ExportFormat, export_text
from resolvers.export.timeline import COLUMNS as TIMELINE_COLUMNS
from resolvers.export.timeline import export_timeline
from resolvers.reader import Reader
from resolvers.timeline_filter import TimelineFilter, TimelineSide
from schema.node import decode_key, encode
from schema.scalar import read_date_time
from server.download import bad_input, check_parameters, file_response, partner_key, row_keys

TIMELINE_PATH = "/export/timeline"
ELEVATED_ACCESS_PATH = "/export/elevated-access"

_MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/x-ndjson; charset=utf-8",
}
_COMMON = ("format", "partner", "account", "since", "until", "search", "member", "client")
_TIMELINE = (*_COMMON, "operation", "kind", "grant", "askedFor", "askedBy", "askedByName")
_ELEVATED_ACCESS = (*_COMMON, "accessType", "permission", "stillHeld")
_SEVERAL = ("member", "client", "kind", "grant", "askedFor", "askedBy", "accessType", "permission")

Value = TypeVar("Value")
Choice = TypeVar("Choice", bound=StrEnum)


async def timeline(request: Request, reader: Reader) -> Response:
    """Sends the timeline, the oldest first (F55)."""
    form = _begin(request, TIMELINE_PATH, _TIMELINE)
    source = _source(request, reader, _advice(TIMELINE_PATH, _TIMELINE))
    filter_ = TimelineFilter(
        kinds=_choices(request, "kind", OperationKind),
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        search=request.query_params.get("search"),
        member_ids=_keys(request, "member", "Member"),
        client_ids=_keys(request, "client", "Client"),
        grant_ids=_keys(request, "grant", "Grant"),
        asked_for=_choices(request, "askedFor", TimelineSide),
        asked_by_ids=_keys(request, "askedBy", "User"),
        asked_by=request.query_params.get("askedByName"),
    )
    text = export_text(TIMELINE_COLUMNS, export_timeline(reader, source, filter_, encode), form)
    return await file_response(text, f"timeline.{form.value}", _MEDIA_TYPES[form])


async def elevated_access(request: Request, reader: Reader) -> Response:
    """Sends the elevated-access report, client by client (P23)."""
    form = _begin(request, ELEVATED_ACCESS_PATH, _ELEVATED_ACCESS)
    source = _source(request, reader, _advice(ELEVATED_ACCESS_PATH, _ELEVATED_ACCESS))
    filter_ = ElevatedAccessFilter(
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        access_types=_choices(request, "accessType", AccessType),
        permissions=_several(request, "permission", str),
        member_ids=_keys(request, "member", "Member"),
        client_ids=_keys(request, "client", "Client"),
        still_held=_flag(request, "stillHeld"),
        search=request.query_params.get("search"),
    )
    text = export_text(ELEVATED_ACCESS_COLUMNS, export_elevated_access(reader, source, filter_, encode), form)
    return await file_response(text, f"elevated-access.{form.value}", _MEDIA_TYPES[form])


def _advice(path: str, parameters: Sequence[str]) -> str:
    return f"{path} takes {', '.join(parameters)}"


def _begin(request: Request, path: str, parameters: Sequence[str]) -> ExportFormat:
    advice = _advice(path, parameters)
    check_parameters(request, parameters, _SEVERAL, advice)
    try:
        return ExportFormat(request.query_params.get("format", ExportFormat.CSV.value).lower())
    except ValueError:
        raise bad_input(f"format is csv or jsonl: {advice}.") from None


def _source(request: Request, reader: Reader, advice: str) -> ExportSource:
    """Returns whose records are asked for: a partner's unless an operation or an account is named."""
    named = [name for name in ("partner", "operation", "account") if name in request.query_params]
    if len(named) > 1:
        raise bad_input(f"Name one of {' and '.join(named)}: {advice}.")
    for name in ("operation", "account"):
        if name in named:
            key = decode_key(request.query_params[name], name.capitalize())
            if key is None:
                raise AccessError(AccessCode.NOT_FOUND, f"There is no such {name}.")
            return ExportSource(operation_id=key) if name == "operation" else ExportSource(account_id=key)
    return ExportSource(partner_id=partner_key(reader.viewer, request.query_params.get("partner"), advice))


def _keys(request: Request, name: str, type_name: str) -> tuple[int, ...] | None:
    keys = row_keys(request, name, type_name)
    return None if keys is None else tuple(keys)


def _several(request: Request, name: str, read: Callable[[str], Value]) -> tuple[Value, ...] | None:
    texts = request.query_params.getlist(name)
    return tuple(read(text) for text in texts) if texts else None


def _choices(request: Request, name: str, choices: type[Choice]) -> tuple[Choice, ...] | None:
    try:
        return _several(request, name, lambda text: choices(text.upper()))
    except ValueError:
        raise bad_input(f"{name} is one of {', '.join(choices)}.") from None


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    try:
        return None if text is None else read_date_time(text)
    except ValueError as error:
        # In a query, a plus that is not encoded is a space.
        advice = " In an address, write + as %2B, or give the moment in UTC, with Z." if " " in (text or "") else ""
        raise bad_input(f"{name}: {error}{advice}") from None


def _flag(request: Request, name: str) -> bool | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if text.lower() not in {"true", "false"}:
        raise bad_input(f"{name} is true or false.")
    return text.lower() == "true"
