"""The pages for people: what is served, in which form, and that the committed build fits its sources."""

import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.page import (
    CONTENT_SECURITY_POLICY,
    ExampleError,
    accepts_gzip,
    graphiql_page,
    leading_comment,
    page_routes,
    read_examples,
)

CONSOLE = Path(__file__).parents[2] / "console"
DIST = CONSOLE / "dist"

VIEWER = "# Who am I?\nquery Viewer { viewer { scopes } }\n"


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "zebra.graphql").write_text("# The last one.\nquery Zebra { viewer { scopes } }\n", encoding="utf-8")
    (folder / "access.graphql").write_text("query Access($id: ID!) { node(id: $id) { id } }\n", encoding="utf-8")
    (folder / "access.variables.json").write_text('{"id": "Größe"}', encoding="utf-8")
    (folder / "grant_access.graphql").write_text(
        "# Two lines\n# of comment.\nmutation GrantAccess { x }\n", encoding="utf-8"
    )
    (folder / "answer.graphql").write_text(
        "# For the client's own people: says yes.\nmutation Answer { x }\n", encoding="utf-8"
    )
    (folder / "viewer.graphql").write_text(VIEWER, encoding="utf-8")
    (folder / "README.md").write_text("not an operation", encoding="utf-8")
    return folder


@pytest.fixture
async def client(queries: Path) -> AsyncIterator[AsyncClient]:
    def page(_request: Request) -> Response:
        return graphiql_page()

    app = Starlette(routes=[*page_routes(queries, DIST), Route("/graphql", page)])
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service.test") as client:
        yield client


async def test_the_root_leads_to_the_explorer(client: AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/graphql")


async def test_the_examples_come_in_file_order_with_those_for_newcomers_first_and_for_clients_last(
    client: AsyncClient,
) -> None:
    answer = await client.get("/queries.json")
    assert answer.headers["content-type"] == "application/json"
    assert [example["name"] for example in answer.json()] == ["viewer", "grant_access", "access", "zebra", "answer"]
    assert answer.json()[0] == {"name": "viewer", "comment": "Who am I?", "query": VIEWER, "variables": None}
    assert answer.json()[2]["variables"] == {"id": "Größe"}


def test_an_empty_folder_gives_no_examples(tmp_path: Path) -> None:
    assert read_examples(tmp_path) == []


@pytest.mark.parametrize(
    ("query", "comment"),
    [
        ("# One line.\nquery A { a }", "One line."),
        ("\n\n#  Two\n#lines.\n\n# not this\nquery A { a }", "Two lines."),
        ("query A { a } # after", None),
        ("#\nquery A { a }", None),
        ("", None),
    ],
)
def test_the_comment_is_what_opens_the_file(query: str, comment: str | None) -> None:
    assert leading_comment(query) == comment


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("viewer.variables.json", b'{"a": 1,\n}', "viewer.variables.json, line 2: this is not JSON"),
        ("viewer.variables.json", b"[1]", "viewer.variables.json: variables are a JSON object"),
        ("viewer.graphql", b"\xff\xfe", "viewer.graphql: this file is not UTF-8"),
    ],
)
def test_a_broken_example_stops_the_start_and_is_named(queries: Path, name: str, content: bytes, message: str) -> None:
    (queries / name).write_bytes(content)
    with pytest.raises(ExampleError, match=f"^{re.escape(message)}"):
        page_routes(queries, DIST)


def test_a_missing_build_stops_the_start(queries: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"graphiql\.html"):
        page_routes(queries, tmp_path)


async def test_the_page_runs_only_scripts_of_this_service(client: AsyncClient) -> None:
    answer = await client.get("/graphql")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "script-src 'self';" in CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<title>Client Access Manager</title>" in answer.text
    assert re.findall(r"<script(?![^>]*\bsrc=)", answer.text) == []


async def test_everything_the_page_names_is_served_and_may_be_kept_for_ever(client: AsyncClient) -> None:
    page = (await client.get("/graphql")).text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) > 2
    for address in addresses:
        answer = await client.get(address)
        assert (answer.status_code, address) == (200, address)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (
            answer.headers["content-type"].split(";")[0]
            == {
                "js": "text/javascript",
                "css": "text/css",
                "svg": "image/svg+xml",
            }[address.rsplit(".", 1)[1]]
        )


async def test_an_asset_goes_out_packed_to_those_who_take_it_and_is_packed_once(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = max((DIST / "assets").iterdir(), key=lambda path: path.stat().st_size)
    plain = await client.get(f"/console/assets/{path.name}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == path.read_bytes()

    calls: list[int] = []
    compress = gzip.compress

    def counting(data: bytes, compresslevel: int = 9, *, mtime: float | None = None) -> bytes:
        calls.append(len(data))
        return compress(data, compresslevel, mtime=mtime)

    monkeypatch.setattr(gzip, "compress", counting)
    for _ in range(3):
        packed = await client.get(f"/console/assets/{path.name}", headers={"Accept-Encoding": "br, gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        assert int(packed.headers["content-length"]) < path.stat().st_size / 2
        assert packed.content == path.read_bytes()
    assert calls == [path.stat().st_size]


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5, br", True),
        ("gzip; q=1.0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("x-gzip-like, br", False),
        ("", False),
    ],
)
def test_the_weight_of_gzip_counts(header: str, *, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    "address",
    [
        "/console/assets/none.js",
        "/console/assets/",
        "/console/assets/..%2FBUILD.json",
        "/console/assets/%2e%2e/BUILD.json",
        "/console/BUILD.json",
        "/console/assets/..%2f..%2f..%2fpyproject.toml",
    ],
)
async def test_anything_else_is_a_plain_404(client: AsyncClient, address: str) -> None:
    answer = await client.get(address)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text) < 20


async def test_a_page_is_only_read(client: AsyncClient) -> None:
    answer = await client.post("/queries.json")
    assert answer.status_code == 405
    head = await client.head("/queries.json")
    assert (head.status_code, head.content) == (200, b"")


async def test_the_licences_of_the_build_are_served(client: AsyncClient) -> None:
    text = (await client.get("/console/THIRD_PARTY.txt")).text
    for name in ("graphiql 5.4.0 (MIT)", "monaco-editor 0.52.2 (MIT)", "react 19.3.1 (MIT)", "SIL OPEN FONT LICENSE"):
        assert name in text


def files_under(folder: Path, *, left_out: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yields path and SHA-256 of each file, in the order of the paths' bytes."""
    found = {path.relative_to(folder).as_posix(): path for path in walk(folder, left_out)}
    for name in sorted(found, key=str.encode):
        yield name, hashlib.sha256(found[name].read_bytes()).hexdigest()


def walk(folder: Path, left_out: frozenset[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name not in left_out:
            yield from walk(path, frozenset())
        elif path.is_file():
            yield path


def test_the_build_fits_its_sources_and_no_built_file_was_touched() -> None:
    record = json.loads((DIST / "BUILD.json").read_text(encoding="utf-8"))
    sources = hashlib.sha256()
    for name, digest in files_under(CONSOLE, left_out=frozenset({"node_modules", "dist"})):
        sources.update(f"{name}\0{digest}\n".encode())
    built = {name: digest for name, digest in files_under(DIST) if name != "BUILD.json"}
    assert built == record["files"], "console/dist was changed by hand: run `npm ci && npm run build` in console/"
    assert sources.hexdigest() == record["sources"], "console/ has changed: run `npm ci && npm run build` there"


def test_the_build_carries_no_source_map_and_names_no_host_to_load_from() -> None:
    assert [name for name, _ in files_under(DIST) if name.endswith(".map")] == []
    for path in (DIST / "assets").iterdir():
        content = path.read_bytes()
        assert b"sourceMappingURL=" not in content, path.name
        for host in (b"esm.sh", b"cdn.jsdelivr.net", b"unpkg.com", b"fonts.googleapis.com"):
            assert host not in content, f"{path.name} names {host.decode()}"


def test_the_lock_names_no_package_index() -> None:
    lock = (CONSOLE / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    packages = json.loads(lock)["packages"]
    unchecked = [name for name, package in packages.items() if name and "integrity" not in package]
    assert unchecked == []


def test_every_dependency_of_the_pages_is_pinned() -> None:
    manifest = json.loads((CONSOLE / "package.json").read_text(encoding="utf-8"))
    versions = {**manifest["dependencies"], **manifest["devDependencies"]}
    assert {name: version for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)} == {}
