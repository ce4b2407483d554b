"""`GET /export/…`: what is exported as files (P28, F55, P23)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from models.database import Database
from resolvers.matrix.export import export_matrix
from resolvers.matrix.text import MatrixFormat, matrix_text
from resolvers.reader import Reader
from server.audit_export import ELEVATED_ACCESS_PATH, TIMELINE_PATH, elevated_access, timeline
from server.download import SignIn, bad_input, check_parameters, download_route, file_response, partner_key, row_keys

PATH = "/export/matrix"

_MEDIA_TYPES = {MatrixFormat.CSV: "text/csv; charset=utf-8", MatrixFormat.JSON: "application/json; charset=utf-8"}
_PARAMETERS = ("format", "partner", "client", "member")
_ADVICE = f"{PATH}?partner=…&format=csv, with the id of a partner, and with ids as client=… and member=… for some of it"


def export_routes(database: Database, sign_in: SignIn) -> list[BaseRoute]:
    """Returns the routes of what is exported as files."""
    downloads = {PATH: _matrix, TIMELINE_PATH: timeline, ELEVATED_ACCESS_PATH: elevated_access}
    return [download_route(path, download, database, sign_in) for path, download in downloads.items()]


async def _matrix(request: Request, reader: Reader) -> Response:
    """Sends the access of an agency's people (P28)."""
    check_parameters(request, _PARAMETERS, ("client", "member"), _ADVICE)
    form = _format(request.query_params.get("format", MatrixFormat.CSV.value))
    partner_id = partner_key(reader.viewer, request.query_params.get("partner"), _ADVICE)
    client_ids, member_ids = (row_keys(request, name, name.capitalize()) for name in ("client", "member"))
    text = matrix_text(export_matrix(reader, partner_id, client_ids, member_ids), form)
    return await file_response(text, f"access-matrix.{form.value}", _MEDIA_TYPES[form])


def _format(text: str) -> MatrixFormat:
    try:
        return MatrixFormat(text.lower())
    except ValueError:
        raise bad_input(f"format is csv or json: {_ADVICE}.") from None
