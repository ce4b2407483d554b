"""Lists and reports from a streaming copy: real ones, made with pg_basebackup, whose replay is held up to see who answers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import event, text, update
from sqlalchemy.engine import URL
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from models import replica
from models.api_token import api_tokens
from models.database import Database, DatabaseUrlError, postgresql_url
from models.member import ManagerRights, members
from models.table import now
from schema.node import encode
from server.freshness import HEADER
from server.service import make_service
from server.setting import SettingError, Settings, load_settings
from tests.cluster import Cluster, copied
from tests.factory import Factory
from tests.pristine import Pristine

CLIENTS = "query { partner { clients { nodes { id displayName } } } }"
RENAME = """mutation($client: ID!, $name: String) {
  updateClient(input: {client: $client, displayName: $name}) { client { displayName } userErrors { message } } }"""
COMMITS = "-c synchronous_commit=on"


@pytest.fixture(scope="module")
def standby(postgresql_server: URL, postgresql_pristine: Pristine) -> Iterator[Cluster]:
    with copied(postgresql_server, streaming=True) as cluster:
        yield cluster


@pytest.fixture
def urls(standby: Cluster, postgresql_pristine: Pristine) -> tuple[URL, URL]:
    """The primary's address and the copy's, for the service's role."""
    postgresql_pristine.restore()
    primary = postgresql_pristine.service_url
    options = f"{primary.query.get('options', '')} {COMMITS}".strip()
    copy = standby.url(primary.database)
    return primary.update_query_dict({"options": options}), copy.update_query_dict({"options": options})


@pytest.fixture
async def database(urls: tuple[URL, URL], standby: Cluster) -> AsyncIterator[Database]:
    primary, copy = urls
    database = Database(primary, replica=copy)
    yield database
    standby.run("SELECT pg_wal_replay_resume()")
    await database.dispose()


@dataclass
class Agency:
    """A partner with one client, *Before*, on both servers; and somebody who asks for it through HTTP."""

    database: Database
    standby: Cluster
    http: httpx2.AsyncClient
    token: str
    partner_id: int = 0
    member_id: int = 0
    client: str = ""

    async def post(
        self, query: str, *, extensions: object = None, headers: dict[str, str] | None = None, **variables: Any
    ) -> Any:
        body = {"query": query, "variables": variables, "extensions": extensions}
        return await self.http.post("/graphql", json=body, headers={**self.authorization, **(headers or {})})

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def names(self, freshness: str | None = None) -> list[str]:
        response = await self.post(CLIENTS, headers={HEADER: freshness} if freshness else None)
        assert response.status_code == 200, response.text
        nodes = response.json()["data"]["partner"]["clients"]["nodes"]
        self.client = nodes[0]["id"]
        return [node["displayName"] for node in nodes]

    async def rename(self, name: str) -> str:
        """Returns the token of the answer."""
        response = await self.post(RENAME, client=self.client, name=name)
        body = response.json()
        assert body["data"]["updateClient"] == {"client": {"displayName": name}, "userErrors": []}
        assert body["extensions"]["freshness"] == response.headers[HEADER]
        return str(response.headers[HEADER])

    async def settle(self) -> None:
        """Waits until the copy has everything."""
        async with self.database.write() as session:
            connection = await session.connection()
            await connection.execute(text("SELECT pg_current_xact_id()"))
        async with self.database.read() as connection:
            position = await connection.scalar(text("SELECT pg_current_wal_flush_lsn()::text"))
        await self.until(f"pg_last_wal_replay_lsn() >= '{position}'")

    async def hold_up(self) -> None:
        """Keeps the copy as it is."""
        await self.settle()
        self.standby.run("SELECT pg_wal_replay_pause()")
        await self.until("pg_get_wal_replay_pause_state() = 'paused'")

    async def until(self, condition: str) -> None:
        async with asyncio.timeout(60):
            for _ in iter(lambda: self.standby.run(f"SELECT CASE WHEN {condition} THEN 'yes' END"), "yes"):
                await asyncio.sleep(0.01)

    def answers(self, *words: str) -> list[str]:
        """Returns a list that grows by the name of the server with each statement that has one of the words, those of the list
        of clients unless told otherwise."""
        assert self.database.replica is not None
        wanted = words or ("client.display_name", "page_row.display_name")
        seen: list[str] = []
        for name, engine in (("primary", self.database.engine), ("copy", self.database.replica.engine)):

            def look(_connection: Any, _cursor: Any, statement: str, *_rest: Any, name: str = name) -> None:
                if any(word in statement for word in wanted):
                    seen.append(name)

            event.listen(engine.sync_engine, "before_cursor_execute", look)
        return seen


def settings(database: Database) -> Settings:
    return Settings(database_url=database.url.render_as_string(hide_password=False), secret_key="k" * 40)


@pytest.fixture
async def agency(database: Database, factory: Factory, standby: Cluster) -> AsyncIterator[Agency]:
    partner = await factory.partner()
    await factory.client(partner, "Before")
    member = await factory.member(partner)
    token = await factory.api_token(member, "read write")
    transport = httpx2.ASGITransport(app=make_service(settings(database), database))
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        agency = Agency(database, standby, http, token, partner.id, member.id)
        await agency.settle()
        assert await agency.names() == ["Before"]
        yield agency


async def test_queries_read_from_the_copy_and_mutations_from_the_primary(agency: Agency) -> None:
    await agency.hold_up()
    answers = agency.answers()
    assert await agency.names() == ["Before"]
    assert answers == ["copy"]
    await agency.rename("After")
    assert set(answers[1:]) == {"primary"}
    del answers[:]
    assert await agency.names() == ["Before"]
    assert answers == ["copy"]


async def test_the_copy_shows_each_tenant_its_own_rows(agency: Agency) -> None:
    """Row-level security holds there as well: the query says whose rows it is about."""
    assert agency.database.replica is not None
    said: list[object] = []

    def look(_connection: Any, _cursor: Any, statement: str, parameters: object, *_rest: Any) -> None:
        if "set_config" in statement:
            said.append(parameters)

    event.listen(agency.database.replica.engine.sync_engine, "before_cursor_execute", look)
    assert await agency.names() == ["Before"]
    assert said
    assert {parameters[0] for parameters in said if isinstance(parameters, tuple)} == {str(agency.partner_id)}


async def test_a_link_that_was_cut_is_cut_at_once(agency: Agency) -> None:
    """What a link or a review says is what somebody is about to decide by: never from a copy."""
    await agency.hold_up()
    links = agency.answers("access_link.token_hash", "confirmation_link.token_hash")
    named = agency.answers("FROM member \nWHERE member.id IN")
    token = "A" * 43
    assert (await agency.post("query($t: String!) { accessLink(token: $t) { kind } }", t=token)).json()["data"] == {
        "accessLink": None
    }
    assert set(links) == {"primary"}
    review = "query($c: ID!, $m: [ID!]) { client(by: {id: $c}) { removalReview(members: $m) { token } } }"
    reviewed = await agency.post(review, c=agency.client, m=[encode("Member", agency.member_id)])
    assert "errors" not in reviewed.json()
    assert set(named) == {"primary"}


async def test_who_has_written_waits_for_the_copy(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "WAIT_SECONDS", 60.0)
    await agency.hold_up()
    token = await agency.rename("After")
    answers = agency.answers()
    asked = asyncio.create_task(agency.names(token))
    done, _ = await asyncio.wait({asked}, timeout=0.1)
    assert not done
    agency.standby.run("SELECT pg_wal_replay_resume()")
    assert await asked == ["After"]
    assert answers == ["copy"]


async def test_who_has_waited_long_enough_is_answered_by_the_primary(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "WAIT_SECONDS", 0.05)
    await agency.hold_up()
    token = await agency.rename("After")
    answers = agency.answers()
    assert await agency.names(token) == ["After"]
    assert answers == ["primary"]
    response = await agency.post(CLIENTS, extensions={"freshness": token})
    assert "After" in response.text
    # As far as no server will ever come.
    assert await agency.names("FFFFFFFF/FFFFFFFF") == ["After"]
    assert set(answers) == {"primary"}


async def test_a_copy_that_is_too_far_behind_is_not_asked(
    agency: Agency, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("MOST_BEHIND", "SAMPLE_EVERY", "WAIT_SECONDS"):
        monkeypatch.setattr(replica, name, 0.0)
    await agency.hold_up()
    await agency.rename("After")
    with caplog.at_level(logging.WARNING, replica.__name__):
        for _ in range(3):
            assert await agency.names() == ["After"]
        assert said(caplog) == ["The database of CAM_READ_DATABASE_URL is too far behind. Reads go to the primary."]
        agency.standby.run("SELECT pg_wal_replay_resume()")
        await agency.settle()
        answers = agency.answers()
        assert await agency.names() == ["After"]
    assert answers == ["copy"]
    assert said(caplog)[1:] == ["The database of CAM_READ_DATABASE_URL answers again."]


async def test_who_may_ask_is_found_out_on_the_primary(agency: Agency, database: Database) -> None:
    await agency.hold_up()
    assert await agency.names() == ["Before"]
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(update(members).values(manager_rights=ManagerRights.NONE))
    refused = await agency.post(CLIENTS)
    assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    async with database.write() as session:
        await (await session.connection()).execute(update(api_tokens).values(revoked_at=now()))
    assert (await agency.post(CLIENTS)).status_code == 401


async def test_a_token_that_is_none_is_refused_with_what_to_do(agency: Agency) -> None:
    for wrong in ("nonsense", "0/", "1/2/3", "-1/0", "0/123456789", "0/ff", " "):
        response = await agency.post(CLIENTS, headers={HEADER: wrong})
        assert response.status_code == 400, wrong
        error = response.json()["errors"][0]
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert "Send back the newest one as it is, or none" in error["message"]
    for value in (7, ["0/1"], "0", {"a": 1}):
        assert (await agency.post(CLIENTS, extensions={"freshness": value})).status_code == 400, value
    assert (await agency.post(CLIENTS, extensions={"freshness": None})).status_code == 200


async def test_reads_go_to_the_primary_while_the_copy_is_gone(
    agency: Agency, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await agency.settle()
    agency.standby.stop()
    try:
        answers = agency.answers()
        with caplog.at_level(logging.WARNING, replica.__name__):
            for _ in range(3):
                assert await agency.names() == ["Before"]
        assert answers.count("primary") == 3
        assert len(said(caplog)) == 1
        assert "cannot be used" in said(caplog)[0]
        assert "\n" not in said(caplog)[0]
    finally:
        agency.standby.start()
    assert await agency.names() == ["Before"]
    assert answers[-1] == "primary", "it is left alone for some seconds"
    assert agency.database.replica is not None
    monkeypatch.setattr(agency.database.replica, "_left_alone_until", 0.0)
    assert await agency.names() == ["Before"]
    assert answers[-1] == "copy"


async def test_a_copy_that_breaks_off_in_the_middle_costs_nobody_an_answer(agency: Agency) -> None:
    await agency.settle()
    answers = agency.answers()
    agency.standby.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'cam' AND pid <> pg_backend_pid()"
    )
    assert await agency.names() == ["Before"]
    assert answers


@pytest.mark.parametrize(("other", "word"), [(True, "it is another database"), (False, "it is no streaming copy")])
async def test_what_is_no_copy_of_this_database_is_not_read(
    urls: tuple[URL, URL],
    factory: Factory,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    other: bool,
    word: str,
) -> None:
    if other:
        monkeypatch.setattr(replica, "_COPY", text("SELECT 1e18::numeric, 1::bigint"))
    async with asyncio.timeout(30):
        partner = await factory.partner()
        token = await factory.api_token(await factory.member(partner), "read")
        database = Database(urls[0], replica=urls[0])
        try:
            transport = httpx2.ASGITransport(app=make_service(settings(database), database))
            async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
                response = await http.post(
                    "/graphql", json={"query": "{ partner { name } }"}, headers={"Authorization": f"Bearer {token}"}
                )
        finally:
            await database.dispose()
    assert response.json()["data"]["partner"]["name"] == partner.name
    assert word in said(caplog)[0]


def test_a_websocket_reads_its_own_writes(agency: Agency, urls: tuple[URL, URL]) -> None:
    """The token of the answer's ``extensions``, sent in ``connection_init`` or with the operation."""
    database = Database(urls[0], replica=urls[1])
    with TestClient(make_service(settings(database), database)) as browser:
        with connect(browser, agency.authorization) as socket:
            assert "Before" in str(ask(socket, {"query": CLIENTS}))
            agency.standby.run("SELECT pg_wal_replay_pause()")
            answer = ask(socket, {"query": RENAME, "variables": {"client": agency.client, "name": "After"}})
            token = answer["extensions"]["freshness"]
            assert "Before" in str(ask(socket, {"query": CLIENTS}))
            assert "After" in str(ask(socket, {"query": CLIENTS, "extensions": {"freshness": token}}))
        with connect(browser, {**agency.authorization, HEADER: token}) as socket:
            assert "After" in str(ask(socket, {"query": CLIENTS}))
            socket.send_json(
                {"id": "2", "type": "subscribe", "payload": {"query": CLIENTS, "extensions": {"freshness": 1}}}
            )
            assert socket.receive_json()["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
        with pytest.raises(WebSocketDisconnect), connect(browser, {**agency.authorization, HEADER: "nonsense"}):
            pass


async def test_without_a_copy_nobody_is_told_of_freshness(
    database: Database, factory: Factory, urls: tuple[URL, URL]
) -> None:
    partner = await factory.partner()
    client = await factory.client(partner, "Before")
    token = await factory.api_token(await factory.member(partner), "read write")
    alone = Database(urls[0])
    try:
        transport = httpx2.ASGITransport(app=make_service(settings(alone), alone))
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            agency = Agency(alone, None, http, token)  # type: ignore[arg-type]
            assert await agency.names("0/1") == ["Before"]
            response = await agency.post(RENAME, client=agency.client, name="After")
    finally:
        await alone.dispose()
    assert client
    assert HEADER not in response.headers
    assert "freshness" not in response.json()["extensions"]


def test_no_copy_beside_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_DATABASE_URL", "sqlite:///data/cam.sqlite3")
    monkeypatch.setenv("CAM_READ_DATABASE_URL", "postgresql://user@host/name")
    with pytest.raises(
        SettingError, match=r"^CAM_READ_DATABASE_URL is for PostgreSQL, and CAM_DATABASE_URL names an SQL"
    ):
        load_settings()
    monkeypatch.setenv("CAM_DATABASE_URL", "postgresql://user@host/name")
    assert load_settings().read_database_url == "postgresql+psycopg://user@host/name"


@pytest.mark.parametrize("address", ["sqlite:///data/cam.sqlite3", "nonsense", "mysql://host/name", ""])
def test_a_copy_is_a_postgresql_database(address: str) -> None:
    with pytest.raises(DatabaseUrlError, match=r"CAM_READ_DATABASE_URL must be like postgresql://user@host/name\."):
        postgresql_url(address, "CAM_READ_DATABASE_URL")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == replica.__name__]


@contextmanager
def connect(browser: TestClient, params: dict[str, str]) -> Iterator[WebSocketTestSession]:
    with browser.websocket_connect("/graphql", subprotocols=["graphql-transport-ws"]) as socket:
        socket.send_json({"type": "connection_init", "payload": params})
        assert socket.receive_json()["type"] == "connection_ack"
        yield socket


def ask(socket: WebSocketTestSession, payload: dict[str, Any]) -> Any:
    socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
    answer = socket.receive_json()
    assert answer["type"] == "next", answer
    assert socket.receive_json()["type"] == "complete"
    return answer["payload"]
