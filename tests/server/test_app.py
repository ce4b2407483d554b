"""The application as a whole: probes, headers, start and stop, log lines."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import structlog
from pydantic import ByteSize
from starlette.applications import Starlette
from starlette.testclient import TestClient

from models.database import Database
from server import health
from server.app import create_app
from server.setting import Settings
from tests.server.conftest import StartLog
from tests.server.toy import SCHEMA, TOKEN, make_context, page, sign_in, toy_app


def probing(check: Callable[[], Awaitable[str | None]]) -> httpx2.AsyncClient:
    app = Starlette(routes=health.health_routes(check))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver")


async def works() -> str | None:
    return None


async def not_migrated() -> str | None:
    return "The database is not migrated: run `cam migrate`."


async def broken() -> str | None:
    raise OSError("postgresql://me:hunter2@db/cam refused")


async def hangs() -> str | None:
    await asyncio.sleep(60)
    return None


async def test_the_process_says_that_it_lives_whatever_the_database_does() -> None:
    async with probing(broken) as client:
        response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("check", "status", "body"),
    [
        (works, 200, {"status": "ready"}),
        (not_migrated, 503, {"status": "unavailable", "reason": "The database is not migrated: run `cam migrate`."}),
        (broken, 503, {"status": "unavailable", "reason": "The database cannot be reached."}),
        (hangs, 503, {"status": "unavailable", "reason": "The database cannot be reached."}),
    ],
)
async def test_readiness_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, check: Callable[[], Awaitable[str | None]], status: int, body: dict[str, str]
) -> None:
    """A probe is answered in time, and an accident is not shown."""
    monkeypatch.setattr(health, "READY_SECONDS", 0.05)
    async with probing(check) as client:
        response = await client.get("/readyz")
    assert (response.status_code, response.json(), response.headers["cache-control"]) == (status, body, "no-store")


def test_the_database_is_closed_after_what_runs_in_the_background(tmp_path: Path) -> None:
    """Start and stop: the background work ends before the connections do."""
    happened: list[str] = []

    class Watched(Database):
        async def dispose(self) -> None:
            happened.append("disposed")
            await super().dispose()

    @asynccontextmanager
    async def background() -> AsyncIterator[None]:
        happened.append("started")
        yield
        happened.append("stopped")

    app = create_app(
        Settings(),
        schema=SCHEMA,
        database=Watched(f"sqlite:///{tmp_path / 'a.sqlite3'}"),
        sign_in=sign_in,
        context=make_context,
        ready=works,
        page=page,
        pages=(),
        background=background(),
    )
    with TestClient(app) as client:
        assert client.get("/readyz").status_code == 200
        assert happened == ["started"]
    assert happened == ["started", "stopped", "disposed"]


def test_the_schema_that_is_given_is_not_changed(tmp_path: Path) -> None:
    """Two applications around one schema do not stack their limiters."""
    before = tuple(SCHEMA.extensions)
    toy_app(tmp_path)
    toy_app(tmp_path)
    assert tuple(SCHEMA.extensions) == before


async def test_the_settings_reach_the_endpoint(tmp_path: Path) -> None:
    """The public address is trusted and brings HSTS; limits are those of the settings."""
    settings = Settings(public_url="https://access.example.com", query_cost_limit=100, body_limit=ByteSize(64 * 1024))
    transport = httpx2.ASGITransport(app=toy_app(tmp_path, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://inside:8000") as client:
        headers = {"Origin": "https://access.example.com", "Sec-Fetch-Site": "cross-site"}
        trusted = await client.post("/graphql", json={"query": "{ hello }"}, headers=headers)
        assert (trusted.status_code, trusted.headers["strict-transport-security"]) == (200, "max-age=31536000")
        costly = await client.post("/graphql", json={"query": "{ clients(first: 100) { nodes { id } } }"})
        assert costly.json()["extensions"] == {"cost": {"requested": 101, "limit": 100}}
        large = await client.post("/graphql", json={"query": "{ hello }" + " " * 70_000})
        assert large.status_code == 413


async def test_a_request_has_one_id_in_response_and_log(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    """A given id is kept if it is one; the line has the path without its query."""
    given = await client.get("/graphql?query={hello}&secret=1", headers={"X-Request-ID": "abc-1"})
    made = await client.get("/graphql", headers={"X-Request-ID": "a b"})
    await client.get("/healthz")
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert given.headers["x-request-id"] == "abc-1"
    assert len(made.headers["x-request-id"]) == 16
    assert [(line["path"], line["status"], line["request_id"]) for line in found] == [
        ("/graphql", 200, "abc-1"),
        ("/graphql", 400, made.headers["x-request-id"]),
    ]
    assert "secret" not in lines.getvalue()


def test_lines_of_other_libraries_look_the_same(lines: io.StringIO) -> None:
    """uvicorn's and SQLAlchemy's lines go through structlog, without secrets."""
    logging.getLogger("uvicorn.error").warning("started %s", f"Bearer {TOKEN}")
    logging.getLogger("uvicorn.access").info("GET /graphql?token=1")
    logging.getLogger("sqlalchemy.engine").error("refused postgresql://me:hunter2@db/cam")
    structlog.stdlib.get_logger("x").debug("too quiet")
    structlog.stdlib.get_logger("x").info("https://cam.example/access-link#" + "T-_9" * 10 + "abc")
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["logger"], line["event"]) for line in found] == [
        ("uvicorn.error", "started Bearer …"),
        ("sqlalchemy.engine", "refused postgresql://me:…@db/cam"),
        ("x", "https://cam.example/access-link#…"),
    ]


@pytest.mark.parametrize(
    ("log_format", "terminal", "as_json"), [("auto", True, False), ("auto", False, True), ("text", False, False)]
)
def test_the_format_of_the_log_follows_the_setting(
    start_log: StartLog,
    log_format: str,
    terminal: bool,  # noqa: FBT001 a column of the table
    as_json: bool,  # noqa: FBT001 a column of the table
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    start_log(log_format, stream)
    structlog.stdlib.get_logger("x").info("said", number=1, text="two words")
    line = stream.getvalue().strip()
    assert line.startswith("{") is as_json
    assert ("number=1" in line and 'text="two words"' in line) is not as_json
