"""PostgreSQL gone and back: what callers and operators are told meanwhile, and that work goes on by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from models import postgresql as connections
from models.database import Database
from models.durability import RISKS, risks
from server.service import make_service
from server.setting import Settings
from tests import postgresql
from tests.cluster import Cluster, copied
from tests.factory import Factory
from tests.pristine import Pristine

# Errors are logged as the service does it; structlog's own way takes seconds for each.
pytestmark = pytest.mark.usefixtures("lines")

CLIENTS = "query { partner { clients { nodes { id displayName } } } }"
RENAME = """mutation($client: ID!, $name: String) {
  updateClient(input: {client: $client, displayName: $name}) { client { displayName } userErrors { message } } }"""
STRICT = {"Accept": "application/graphql-response+json"}
WAITS = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"


@pytest.fixture(scope="module")
def cluster(postgresql_server: URL, postgresql_pristine: Pristine) -> Iterator[Cluster]:
    postgresql_pristine.restore()
    with copied(postgresql_server, streaming=False) as cluster:
        yield cluster


class Service:
    """The service on a database, and one client of it who has an agency with one client, *Before*."""

    def __init__(self, database: Database, http: httpx2.AsyncClient, token: str) -> None:
        self.database = database
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}", **STRICT}
        self.client = ""

    async def post(self, query: str, *, key: str | None = None, **variables: Any) -> Any:
        headers = self.headers if key is None else {**self.headers, "Idempotency-Key": key}
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)

    async def names(self) -> list[str]:
        response = await self.post(CLIENTS)
        assert response.status_code == 200, response.text
        nodes = response.json()["data"]["partner"]["clients"]["nodes"]
        self.client = nodes[0]["id"]
        return [node["displayName"] for node in nodes]

    async def probe(self, path: str) -> tuple[int, dict[str, str]]:
        response = await self.http.get(path)
        return response.status_code, response.json()


async def served(database: Database) -> AsyncIterator[Service]:
    factory = Factory(database)
    partner = await factory.partner()
    await factory.client(partner, "Before")
    token = await factory.api_token(await factory.member(partner), "read write")
    settings = Settings(database_url=database.url.render_as_string(hide_password=False), secret_key="k" * 40)
    transport = httpx2.ASGITransport(app=make_service(settings, database))
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Service(database, http, token)
    await database.dispose()


@pytest.fixture
async def on_its_own_server(cluster: Cluster, postgresql_pristine: Pristine) -> AsyncIterator[Service]:
    there = postgresql_pristine.service_url
    url = cluster.url(there.database).update_query_dict({"options": there.query.get("options", "")})
    async for service in served(Database(url)):
        yield service


@pytest.fixture
async def service(postgresql_pristine: Pristine) -> AsyncIterator[Service]:
    postgresql_pristine.restore()
    async for service in served(Database(postgresql_pristine.service_url, pool_size=1)):
        yield service


def is_told_to_come_back(response: Any) -> None:
    error = response.json()["errors"][0]
    assert error["extensions"]["code"] == "DATABASE_UNAVAILABLE"
    assert "Try again in a few seconds" in error["message"]
    assert "SELECT" not in response.text


async def test_work_goes_on_by_itself_after_the_server_was_away(on_its_own_server: Service, cluster: Cluster) -> None:
    """It stops in the middle of a change, stays away for a while, and comes back."""
    service = on_its_own_server
    assert await service.names() == ["Before"]
    assert await service.probe("/readyz") == (200, {"status": "ready"})
    # Somebody who holds the row keeps the change from being finished.
    held = Database(service.database.url)
    async with held.engine.connect() as connection:
        await connection.execute(text("SELECT 1 FROM client FOR UPDATE"))
        changing = asyncio.create_task(service.post(RENAME, key="once", client=service.client, name="After"))
        async with asyncio.timeout(60):
            for _ in iter(lambda: str(cluster.run(WAITS)), "True"):
                await asyncio.sleep(0.01)
        cluster.stop()
        broken = await changing
        await connection.invalidate()
    await held.dispose()
    is_told_to_come_back(broken)

    for query in (CLIENTS, RENAME):
        away = await service.post(query, client=service.client, name="Never")
        assert (away.status_code, away.headers["retry-after"]) == (503, "5")
        is_told_to_come_back(away)
    status, said = await service.probe("/readyz")
    assert (status, said["status"]) == (503, "unavailable")
    assert said["reason"].startswith("The database postgresql+psycopg://postgres@/")
    assert "cannot be used: connection " in said["reason"]
    assert await service.probe("/healthz") == (200, {"status": "ok"})

    cluster.start()
    assert await service.names() == ["Before"], "what was broken off is not there in part"
    assert await service.probe("/readyz") == (200, {"status": "ready"})
    for _ in range(2):
        again = await service.post(RENAME, key="once", client=service.client, name="After")
        assert again.json()["data"]["updateClient"]["client"] == {"displayName": "After"}
    assert await service.names() == ["After"]


async def test_connections_that_the_server_has_closed_are_replaced(service: Service, postgresql_server: URL) -> None:
    assert await service.names() == ["Before"]
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cam'"
    postgresql.administer(postgresql_server, ended)
    for _ in range(3):
        assert await service.names() == ["Before"]


async def test_when_all_connections_are_in_use_callers_are_told_so_soon(
    postgresql_pristine: Pristine, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql_pristine.restore()
    monkeypatch.setattr(connections, "POOL_SECONDS", 0.1)
    async for service in served(Database(postgresql_pristine.service_url, pool_size=1)):
        async with service.database.read(), service.database.read():
            busy = await service.post(CLIENTS)
            assert busy.status_code == 503
            is_told_to_come_back(busy)
        assert await service.names() == ["Before"]


async def test_a_server_that_only_reads_is_said_to_be_away(service: Service) -> None:
    """As after a fail-over, until the address leads to the new primary."""
    assert await service.names() == ["Before"]
    url = service.database.url
    options = f"{url.query.get('options', '')} -c default_transaction_read_only=on"
    reading = Database(url.update_query_dict({"options": options}))
    try:
        app = make_service(
            Settings(database_url=url.render_as_string(hide_password=False), secret_key="k" * 40), reading
        )
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver") as http:
            service.http = http
            assert await service.names() == ["Before"]
            is_told_to_come_back(await service.post(RENAME, client=service.client, name="After"))
    finally:
        await reading.dispose()


async def test_what_a_ledger_should_not_run_on_is_told(postgresql_server: URL, postgresql_pristine: Pristine) -> None:
    """The tests' own server is not made to last."""
    for url, told in (
        (postgresql_server, {"fsync", "synchronous_commit", "superuser"}),
        (postgresql_pristine.service_url.update_query_dict(options(postgresql_pristine)), {"fsync"}),
    ):
        database = Database(url)
        try:
            assert set(await risks(database)) == {RISKS[name] for name in told}
        finally:
            await database.dispose()


def options(pristine: Pristine) -> dict[str, str]:
    return {"options": f"{pristine.service_url.query.get('options', '')} -c synchronous_commit=on"}


async def test_sqlite_is_set_up_by_the_service_itself(tmp_path: Any) -> None:
    assert await risks(Database(f"sqlite:///{tmp_path / 'cam.sqlite3'}")) == []
