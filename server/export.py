"""`GET /export/matrix`: the access of an agency's people as a file, sent while it is read (P28)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from models.database import Database
from resolvers.error import AccessCode, AccessError
from resolvers.matrix.export import export_matrix
from resolvers.matrix.text import MatrixFormat, matrix_text
from resolvers.reader import Reader
from resolvers.viewer import Viewer
from schema.node import decode_key
from server.error import ErrorCode, RequestError, masked
from server.freshness import HEADER, freshness
from server.view import answer, bearer_token

PATH = "/export/matrix"

_MEDIA_TYPES = {MatrixFormat.CSV: "text/csv; charset=utf-8", MatrixFormat.JSON: "application/json; charset=utf-8"}
_STATUS = {
    AccessCode.UNAUTHENTICATED.value: 401,
    AccessCode.FORBIDDEN.value: 403,
    AccessCode.NOT_A_PARTNER.value: 403,
    AccessCode.NOT_FOUND.value: 404,
}
_MOST_IDS = 1_000
_ADVICE = f"{PATH}?partner=…&format=csv, with the id of a partner, and with ids as client=… and member=… for some of it"

SignIn = Callable[[str | None], Awaitable[Viewer | None]]


def export_routes(database: Database, sign_in: SignIn) -> list[BaseRoute]:
    """Returns the routes of what is exported as files."""

    async def matrix(request: Request) -> Response:
        try:
            viewer = await sign_in(bearer_token(request.headers.get("authorization")))
            return await _matrix(request, database, viewer)
        except RequestError as error:
            return answer({"errors": [error.formatted]}, error.status, "application/json", error.headers)
        except AccessError as error:
            refused = {"message": error.message, "extensions": {"code": error.code}}
            return answer({"errors": [refused]}, _STATUS.get(error.code, 400), "application/json")
        except Exception as error:  # noqa: BLE001 nothing may leave the process unmasked
            told: dict[str, Any] = masked(error)
            status = 503 if told["extensions"]["code"] == ErrorCode.DATABASE_UNAVAILABLE else 500
            return answer({"errors": [told]}, status, "application/json")

    return [Route(PATH, matrix, methods=["GET"])]


async def _matrix(request: Request, database: Database, viewer: Viewer | None) -> Response:
    fresh = freshness(request.headers.get(HEADER))
    # A report is what the copy is for.
    fresh.copy = True
    reader = Reader(database if viewer is None else database.for_tenants(viewer.tenancy), viewer, fresh)
    if not reader.viewer.scopes & {"read", "write"}:
        raise AccessError(AccessCode.FORBIDDEN, "This token lacks the scope read.")
    form = _format(request.query_params.get("format", MatrixFormat.CSV.value))
    partner_id = _partner(reader.viewer, request.query_params.get("partner"))
    client_ids, member_ids = (_keys(request, name) for name in ("client", "member"))
    text = matrix_text(export_matrix(reader, partner_id, client_ids, member_ids), form)
    # The first part is read before anything is sent: what goes wrong until then has a status of its own.
    first = [await anext(text), await anext(text, "")]

    async def parts() -> AsyncIterator[str]:
        for part in first:
            yield part
        async for part in text:
            yield part

    headers = {
        "Content-Disposition": f'attachment; filename="access-matrix.{form.value}"',
        "Cache-Control": "no-store",
        "Content-Type": _MEDIA_TYPES[form],
    }
    return StreamingResponse(parts(), headers=headers)


def _format(text: str) -> MatrixFormat:
    try:
        return MatrixFormat(text.lower())
    except ValueError:
        raise RequestError(400, f"format is csv or json: {_ADVICE}.", ErrorCode.BAD_INPUT) from None


def _partner(viewer: Viewer, text: str | None) -> int:
    """Returns the partner that is named, or the only one whose manager is open to the viewer."""
    if text is None:
        if viewer.meant_partner_id is None:
            raise RequestError(400, f"Say for which partner: {_ADVICE}.", ErrorCode.BAD_INPUT)
        return viewer.meant_partner_id
    key = decode_key(text, "Partner")
    if key is None or viewer.membership(key) is None:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such partner.")
    return key


def _keys(request: Request, name: str) -> Sequence[int] | None:
    """Returns the keys that narrow the file; what is unknown is in no row, like what is another partner's (T1)."""
    ids = request.query_params.getlist(name)
    if len(ids) > _MOST_IDS:
        raise RequestError(400, f"Name at most {_MOST_IDS:,} ids as {name}.", ErrorCode.BAD_INPUT)
    keys = [decode_key(text, name.capitalize()) for text in ids]
    return [key for key in keys if key is not None] if ids else None
