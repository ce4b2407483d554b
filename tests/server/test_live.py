"""Subscriptions as clients of other makes meet them: the whole service in uvicorn, over WebSocket and server-sent events."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import orjson
import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport
from sqlalchemy import update
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from models.api_token import api_tokens
from models.database import Database
from models.table import now
from resolvers.issuer import EPHEMERAL
from resolvers.operation.chunk import work_once
from resolvers.operation.queue import QueueLimits
from server.command_serve import SOCKET_MESSAGE_BYTES, Server
from server.service import make_service
from server.setting import Settings
from tests.api.caller import operation
from tests.api.write_story import Story, mutation, node_id, permissions, product
from tests.factory import Factory

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

VIEW = permissions({"contacts.view": "ALL"})
PROTOCOL = "graphql-transport-ws"


@dataclass(frozen=True)
class Service:
    """A service that runs, and a queued operation in it of two chunks."""

    server: Server
    story: Story
    address: str
    token: str
    operation_id: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def work(self) -> None:
        await work_once(self.story.database, EPHEMERAL, self.story.partner.id)


@pytest.fixture
async def service(
    factory: Factory, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    # The test does the work, so that it knows what happens when.
    monkeypatch.setattr("server.service.working", lambda *_: _nothing())
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    story = replace(story, limits=QueueLimits(queue_above=0, chunk_cells=1))
    asked = {"targets": product([await factory.member(story.partner)], [story.client, other]), "access": VIEW}
    data, _ = await story.run(mutation("grantAccess"), input=asked)
    token = await factory.api_token(story.actor)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        server = Server(make_service(Settings(database_url=database_url, secret_key="k" * 43), Database(database_url)))
        running = asyncio.ensure_future(server.serve([listener]))
        await until(lambda: server.started)
        yield Service(server, story, address, token, data["grantAccess"]["operation"]["id"])
        server.should_exit = True
        async with asyncio.timeout(30):
            await running


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 nothing tells it
            await asyncio.sleep(0.01)


@asynccontextmanager
async def stream(service: Service, query: str, **variables: Any) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of a subscription by server-sent events."""
    headers = {**service.headers, "Accept": "text/event-stream"}
    body = {"query": query, "variables": variables}
    async with (
        httpx2.AsyncClient(timeout=30) as client,
        client.stream("POST", f"http://{service.address}/graphql", json=body, headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def _events(response: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, orjson.loads(line.removeprefix("data: ") or "null")


async def test_gql_watches_an_operation_over_websocket(service: Service) -> None:
    transport = WebsocketsTransport(
        url=f"ws://{service.address}/graphql", init_payload=service.headers, subprotocols=[PROTOCOL]
    )
    request = gql(operation("operation_progress"))
    request.variable_values = {"id": service.operation_id}
    seen = []
    async with Client(transport=transport) as session:
        async for event in session.subscribe(request):
            seen.append((event["operationProgress"]["state"], event["operationProgress"]["done"]))
            await service.work()
    assert seen == [("QUEUED", 0), ("RUNNING", 1), ("COMPLETED", 2)]


async def test_an_http_client_watches_by_server_sent_events(service: Service) -> None:
    seen = []
    async with stream(service, operation("operation_progress"), id=service.operation_id) as events:
        async for name, value in events:
            seen.append((name, value and value["data"]["operationProgress"]["done"]))
            await service.work()
    assert seen == [("next", 0), ("next", 1), ("next", 2), ("complete", None)]


async def test_a_revoked_token_ends_a_stream_with_an_error(service: Service) -> None:
    async with stream(service, operation("operation_progress"), id=service.operation_id) as events:
        assert (await anext(events))[0] == "next"
        async with service.story.database.write() as session:
            await (await session.connection()).execute(update(api_tokens).values(revoked_at=now()))
        await service.work()
        name, value = await anext(events)
        assert (name, value["data"]) == ("next", None)
        assert [error["extensions"]["code"] for error in value["errors"]] == ["UNAUTHENTICATED"]
        assert await anext(events) == ("complete", None)


async def test_when_the_service_stops_streams_end_and_sockets_are_told_to_come_back(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """1012 is what clients of the protocol connect again after; a stream without `complete` likewise."""
    query, wanted = operation("timeline_entries"), {"partner": node_id(service.story.partner)}
    async with (
        stream(service, operation("operation_progress"), id=service.operation_id) as events,
        connect(f"ws://{service.address}/graphql", subprotocols=[PROTOCOL]) as sock,  # type: ignore[list-item]
    ):
        await sock.send(orjson.dumps({"type": "connection_init", "payload": service.headers}).decode())
        assert orjson.loads(await sock.recv())["type"] == "connection_ack"
        message = {"type": "subscribe", "id": "1", "payload": {"query": query, "variables": wanted}}
        await sock.send(orjson.dumps(message).decode())
        assert (await anext(events))[0] == "next"
        with caplog.at_level(logging.ERROR, "uvicorn.error"):
            service.server.should_exit = True
            assert [event async for event in events] == []
            with pytest.raises(ConnectionClosed):
                await sock.recv()
            assert sock.close_code == 1012
    assert "Cancel" not in caplog.text


async def test_a_message_that_is_too_large_closes_the_socket(service: Service) -> None:
    async with connect(f"ws://{service.address}/graphql", subprotocols=[PROTOCOL]) as sock:  # type: ignore[list-item]
        await sock.send("x" * (SOCKET_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            await sock.recv()
        assert sock.close_code == 1009
