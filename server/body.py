"""Reading a request: its body, its JSON, its parameters, and the documents that are known by their hash (R31, R33)."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from server.error import ErrorCode, RequestError

# A tree of filters is the deepest input there is; deeper JSON is an attack on recursion.
JSON_DEPTH = 32
# Ten thousand events of activity are ninety thousand values; graphql-core needs some 5 µs for each.
JSON_VALUES = 100_000
# A sender that hears "too large" only after it has sent everything needs somebody to read so far.
DRAINED = 64 * 1024 * 1024
QUERY_PARAMETERS = 16
IDEMPOTENCY_KEY_LENGTH = 255
NUL_MESSAGE = "The request has a NUL character (U+0000), which cannot be stored. Leave it out."

T = TypeVar("T")

_DOCUMENT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
# Escapes that stand for U+0000 in a GraphQL string, unless their backslash is itself escaped.
_NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|\{0+\})")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]+)', re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a GraphQL request."""

    query: str
    variables: dict[str, object] | None = None
    operation_name: str | None = None
    extensions: dict[str, object] | None = None


def document_id(text: str) -> str:
    """Returns the id of a document: ``sha256:`` and the hash of its text in hexadecimal."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


async def read_body(request: Request, limit: int) -> bytes:
    """Returns the body, or raises a 413 when it is longer than the limit, announced or not."""
    announced = request.headers.get("content-length", "")
    too_large = announced.isdecimal() and int(announced[:20]) > limit
    if too_large and request.headers.get("expect"):
        raise _too_large(limit)
    chunks: list[bytes] = []
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if too_large or length > limit:
            too_large = True
            chunks.clear()
            if length > max(limit, DRAINED):
                break
        else:
            chunks.append(chunk)
    if too_large:
        raise _too_large(limit)
    return b"".join(chunks)


def _too_large(limit: int) -> RequestError:
    message = f"The request body is larger than {limit} bytes. Send a file in several parts."
    return RequestError(413, message, headers={"Connection": "close"})


def check_content_type(header: str | None) -> None:
    """Refuses everything but JSON in UTF-8: a page of another site can send other types without asking (CSRF)."""
    media_type, _, parameters = (header or "").partition(";")
    charset = _CHARSET.search(f";{parameters}")
    if media_type.strip().lower() != "application/json" or (charset and charset[1].lower() not in {"utf-8", "utf8"}):
        raise RequestError(415, "Send the request as JSON in UTF-8, with `Content-Type: application/json`.")


def decode_json(data: bytes | str) -> object:
    """Returns the value of a JSON text, or raises a 400: broken, not UTF-8, or nested by the thousand."""
    try:
        return cast("object", orjson.loads(data))
    except (json.JSONDecodeError, RecursionError) as error:
        raise RequestError(400, "The request is not JSON in UTF-8.") from error


def check_values(value: object) -> None:
    """Raises when JSON is nested too deeply, has too many values, or a NUL, which databases refuse in a text."""
    level = [value]
    depth = count = 0
    while level:
        depth += 1
        if depth > JSON_DEPTH:
            raise RequestError(400, f"The request is nested deeper than {JSON_DEPTH} levels.")
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                count += len(item)
                below.extend(item.values() if count <= JSON_VALUES else ())
                _check_text(*item)
            elif isinstance(item, list):
                count += len(item)
                below.extend(item if count <= JSON_VALUES else ())
            elif isinstance(item, str):
                _check_text(item)
            if count > JSON_VALUES:
                raise RequestError(
                    400, f"The request has more than {JSON_VALUES} values. Split it, or select by `matching`."
                )
        level = below


def _check_text(*texts: str) -> None:
    if any("\0" in text for text in texts):
        raise RequestError(400, NUL_MESSAGE)


def query_parameters(query_string: bytes) -> dict[str, object]:
    """Returns the parameters of a GET request; ``variables`` and ``extensions`` are JSON in it."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_PARAMETERS
        )
    except ValueError as error:
        raise RequestError(400, f"The query string is not UTF-8 or has over {QUERY_PARAMETERS} parameters.") from error
    found: dict[str, object] = dict(pairs)
    if len(found) < len(pairs):
        raise RequestError(400, "A parameter stands twice in the query string.")
    for name in ("variables", "extensions"):
        text = found.get(name)
        if isinstance(text, str):
            found[name] = decode_json(text) if text else None
    return found


def parameters(data: object, documents: Mapping[str, str]) -> Parameters:
    """Returns the parameters of a request in good form, or raises a 422.

    A document may be named by its hash instead of being sent: ``documentId``, or ``extensions.persistedQuery.sha256Hash`` (R33).

    Args:
        data: the decoded body, or the parameters of the query string.
        documents: the documents known by id, as of ``document_id``.
    """
    if isinstance(data, list):
        raise RequestError(422, "Send one request, not a list: batches are not supported.")
    if not isinstance(data, dict):
        raise RequestError(422, "The request must be a JSON object with `query`.")
    check_values(data)
    query = _typed(data, "query", str)
    variables = _typed(data, "variables", dict)
    extensions = _typed(data, "extensions", dict)
    operation_name = _typed(data, "operationName", str)
    identifier = _typed(data, "documentId", str) or _persisted_hash(extensions)
    if query is None and identifier is not None:
        query = _document(identifier, documents)
    if not query or not query.strip():
        raise RequestError(422, 'The request has no document. Send {"query": "…"} or {"documentId": "sha256:…"}.')
    if _NUL_ESCAPE.search(query):
        raise RequestError(400, NUL_MESSAGE)
    return Parameters(query, variables, operation_name or None, extensions)


def _typed(data: dict[str, object], name: str, kind: type[T]) -> T | None:
    value = data.get(name)
    if value is not None and not isinstance(value, kind):
        form = "a string" if kind is str else "an object"
        raise RequestError(422, f"`{name}` must be {form} or null.")
    return value


def _persisted_hash(extensions: dict[str, object] | None) -> str | None:
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    value = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(value, str):
        raise RequestError(422, "`extensions.persistedQuery.sha256Hash` must be a string.")
    return value


def _document(identifier: str, documents: Mapping[str, str]) -> str:
    matched = _DOCUMENT_ID.fullmatch(identifier.lower())
    if matched is None:
        raise RequestError(422, "A document's id is `sha256:` and 64 hexadecimal digits.")
    text = documents.get(f"sha256:{matched[1]}")
    if text is None:
        # Apollo's clients know the message, and send the text when they read it.
        raise RequestError(422, "PersistedQueryNotFound", ErrorCode.PERSISTED_QUERY_NOT_FOUND)
    return text


def idempotency_key(header: str | None) -> str | None:
    """Returns the ``Idempotency-Key`` header, or raises a 400 when it is no key (R22)."""
    if header is None:
        return None
    if not _PRINTABLE.fullmatch(header):
        message = f"`Idempotency-Key` must be 1 to {IDEMPOTENCY_KEY_LENGTH} printable ASCII characters."
        raise RequestError(400, message)
    return header
