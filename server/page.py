"""The pages for people: GraphiQL, its assets and the example operations, all served from this service."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from server.link_page import link_route

QUERIES = Path(__file__).parent.parent / "queries"
DIST = Path(__file__).parent.parent / "console" / "dist"

# The operations that a newcomer should meet first; the first four become GraphiQL's first tabs.
FIRST = ("viewer", "clients", "client", "grant_access")

# How the operations begin that are of no use to an agency's people; they stand together, after those that are.
FOR_CLIENTS = "For the client's own people:"

# Monaco, the editor inside GraphiQL, writes style attributes: a nonce cannot allow those, so styles may be inline. Scripts
# may not, and nothing may come from or go to another host.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
REVALIDATE = "no-cache"
IMMUTABLE = "public, max-age=31536000, immutable"

# The table of the operating system differs from machine to machine, and a wrong type stops a script under nosniff.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
}


class ExampleError(ValueError):
    """Tells at start which file of the queries folder cannot be offered, and why."""


class Example(TypedDict):
    """One operation as `/queries.json` lists it."""

    name: str
    comment: str | None
    query: str
    variables: dict[str, object] | None


@dataclass(frozen=True)
class Asset:
    """Something that does not change while the service runs; it is compressed once, when first asked for."""

    read: Callable[[], bytes]
    media_type: str
    cache_control: str

    @cached_property
    def packed(self) -> bytes:
        """The gzip form, kept in memory: compressing the largest file anew costs a quarter second of processor time."""
        return gzip.compress(self.read(), compresslevel=6, mtime=0)

    def response(self, request: Request) -> Response:
        """Returns the asset in the form that the client takes."""
        headers = {**SECURITY_HEADERS, "Cache-Control": self.cache_control, "Vary": "Accept-Encoding"}
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            return Response(self.packed, media_type=self.media_type, headers=headers)
        return Response(self.read(), media_type=self.media_type, headers=headers)


def page_routes(queries_dir: Path = QUERIES, dist_dir: Path = DIST) -> list[BaseRoute]:
    """Returns the routes of everything around the GraphiQL page; the page itself is at `/graphql` (`graphiql_page`).

    The folders are read now, so that a missing build or a broken example stops the start and not a request.

    Args:
        queries_dir: The folder of the example operations.
        dist_dir: The folder of the built pages.

    Raises:
        ExampleError: A file of the queries folder cannot be offered.
        FileNotFoundError: The pages are not built.
    """
    read_page(dist_dir)
    examples = json.dumps(read_examples(queries_dir), ensure_ascii=False).encode()
    example_list = Asset(lambda: examples, "application/json", REVALIDATE)
    third_party = _file(dist_dir / "THIRD_PARTY.txt", REVALIDATE)
    assets = {path.name: _file(path, IMMUTABLE) for path in (dist_dir / "assets").iterdir() if path.is_file()}

    # Plain functions, here and in Asset: Starlette runs them in a thread, where reading and compressing hold nobody up.
    def built_asset(request: Request) -> Response:
        asset = assets.get(request.path_params["name"])
        if asset is None:
            return PlainTextResponse("Not found", status_code=404, headers=SECURITY_HEADERS)
        return asset.response(request)

    def start(_request: Request) -> Response:
        return RedirectResponse("/graphql")

    return [
        Route("/", start),
        Route("/queries.json", example_list.response),
        Route("/console/assets/{name}", built_asset),
        Route("/console/THIRD_PARTY.txt", third_party.response),
        link_route(),
    ]


def graphiql_page(dist_dir: Path = DIST) -> Response:
    """Returns GraphiQL for a browser that asks for `/graphql`; other clients get JSON from the same address."""
    headers = {**SECURITY_HEADERS, "Cache-Control": REVALIDATE, "Vary": "Accept"}
    return Response(read_page(dist_dir), media_type=MEDIA_TYPES[".html"], headers=headers)


@lru_cache
def read_page(dist_dir: Path) -> bytes:
    """Returns the HTML of the page that `npm run build` has written."""
    return (dist_dir / "graphiql.html").read_bytes()


def read_examples(queries_dir: Path) -> list[Example]:
    """Returns the operations of a folder by file name, but those for newcomers first and those for clients last.

    Raises:
        ExampleError: A file is not UTF-8, or the variables beside it are not a JSON object.
    """
    examples = [_example(path) for path in sorted(queries_dir.glob("*.graphql"), key=lambda path: path.name)]
    rank = {name: place for place, name in enumerate(FIRST)}
    examples.sort(key=lambda example: rank.get(example["name"], len(rank)))
    examples.sort(key=lambda example: (example["comment"] or "").startswith(FOR_CLIENTS))
    return examples


def leading_comment(query: str) -> str | None:
    """Returns the comment that opens an operation, as one line, or nothing where there is none."""
    lines: list[str] = []
    for line in query.strip().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return " ".join(filter(None, lines)) or None


def accepts_gzip(accept_encoding: str) -> bool:
    """Tells whether the header names gzip and does not give it the weight 0."""
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False


def _example(path: Path) -> Example:
    query = _text(path)
    beside = path.with_suffix(".variables.json")
    variables = _variables(beside) if beside.exists() else None
    return Example(name=path.stem, comment=leading_comment(query), query=query, variables=variables)


def _variables(path: Path) -> dict[str, object]:
    try:
        variables: object = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ExampleError(f"{path.name}, line {error.lineno}: this is not JSON: {error.msg}") from error
    if not isinstance(variables, dict):
        raise ExampleError(f"{path.name}: variables are a JSON object")
    return variables


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ExampleError(f"{path.name}: this file is not UTF-8") from error


def _file(path: Path, cache_control: str) -> Asset:
    return Asset(path.read_bytes, MEDIA_TYPES.get(path.suffix, "application/octet-stream"), cache_control)
