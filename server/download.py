"""What all downloads have in common: who asks, what the query names, and a file that is sent while it is read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from models.database import Database
from resolvers.error import AccessCode, AccessError
from resolvers.reader import Reader
from resolvers.viewer import Viewer
from schema.node import decode_key
from server.error import ErrorCode, RequestError, masked
from server.freshness import HEADER, freshness
from server.view import answer, bearer_token

SignIn: TypeAlias = Callable[[str | None], Awaitable[Viewer | None]]
Download: TypeAlias = Callable[[Request, Reader], Awaitable[Response]]

_STATUS = {
    AccessCode.UNAUTHENTICATED.value: 401,
    AccessCode.FORBIDDEN.value: 403,
    AccessCode.NOT_A_PARTNER.value: 403,
    AccessCode.NOT_FOUND.value: 404,
}
_MOST_IDS = 1_000


def download_route(path: str, download: Download, database: Database, sign_in: SignIn) -> BaseRoute:
    """Returns the route of a file; what goes wrong before it begins is answered like anything else that goes wrong."""

    async def endpoint(request: Request) -> Response:
        try:
            viewer = await sign_in(bearer_token(request.headers.get("authorization")))
            return await download(request, _reader(request, database, viewer))
        except RequestError as error:
            return answer({"errors": [error.formatted]}, error.status, "application/json", error.headers)
        except AccessError as error:
            refused = {"message": error.message, "extensions": {"code": error.code}}
            return answer({"errors": [refused]}, _STATUS.get(error.code, 400), "application/json")
        except Exception as error:  # noqa: BLE001 nothing may leave the process unmasked
            told: dict[str, Any] = masked(error)
            status = 503 if told["extensions"]["code"] == ErrorCode.DATABASE_UNAVAILABLE else 500
            return answer({"errors": [told]}, status, "application/json")

    return Route(path, endpoint, methods=["GET"])


def _reader(request: Request, database: Database, viewer: Viewer | None) -> Reader:
    fresh = freshness(request.headers.get(HEADER))
    # A report is what the copy is for.
    fresh.copy = True
    reader = Reader(database if viewer is None else database.for_tenants(viewer.tenancy), viewer, fresh)
    if not reader.viewer.scopes & {"read", "write"}:
        raise AccessError(AccessCode.FORBIDDEN, "This token lacks the scope read.")
    return reader


async def file_response(text: AsyncIterator[str], name: str, media_type: str) -> Response:
    """Returns the answer that sends a text while it is read.

    The first two parts are read before anything is sent: what goes wrong until then has a status of its own.
    """
    first = [await anext(text), await anext(text, "")]

    async def parts() -> AsyncIterator[str]:
        for part in first:
            yield part
        async for part in text:
            yield part

    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "Content-Type": media_type,
    }
    return StreamingResponse(parts(), headers=headers)


def partner_key(viewer: Viewer, text: str | None, advice: str) -> int:
    """Returns the partner that is named, or the only one whose manager is open to the viewer."""
    if text is None:
        if viewer.meant_partner_id is None:
            raise bad_input(f"Say for which partner: {advice}.")
        return viewer.meant_partner_id
    key = decode_key(text, "Partner")
    if key is None or viewer.membership(key) is None:
        raise AccessError(AccessCode.NOT_FOUND, "There is no such partner.")
    return key


def row_keys(request: Request, name: str, type_name: str) -> Sequence[int] | None:
    """Returns the keys that narrow the file; what is unknown is in no row, like what is another partner's (T1)."""
    ids = request.query_params.getlist(name)
    if len(ids) > _MOST_IDS:
        raise bad_input(f"Name at most {_MOST_IDS:,} ids as {name}.")
    keys = [decode_key(text, type_name) for text in ids]
    return [key for key in keys if key is not None] if ids else None


def check_parameters(request: Request, known: Collection[str], several: Collection[str], advice: str) -> None:
    """Refuses a parameter that would do nothing, so that nobody takes a whole file for a part of it, or one part for another.

    Args:
        request: the request.
        known: the parameters that there are.
        several: those of them that may be given several times.
        advice: what could be asked for.

    Raises:
        RequestError: 400.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise bad_input(f"There is no parameter {name[:_LONGEST_NAME]}: {advice}.")
        if name not in several and names.count(name) > 1:
            raise bad_input(f"Give {name} once: {advice}.")


_LONGEST_NAME = 100


def bad_input(message: str) -> RequestError:
    """Returns the refusal of a query that cannot be."""
    return RequestError(400, message, ErrorCode.BAD_INPUT)
