"""Three processes of the service and two workers on one PostgreSQL, behind a reverse proxy (issue, Shown)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport
from sqlalchemy import select

from models.client import clients
from models.database import Database
from tests.api.caller import operation
from tests.api.write_story import Story, mutation, node_id, permissions, product
from tests.factory import ClientRow, Factory, MemberRow
from tests.server.queued_work import PATIENCE_SECONDS, until
from tests.server.round_robin import RoundRobin
from tests.storms.nursery import Nursery, kill, nursery
from tests.storms.soundness import assert_sound

SERVICES, WORKERS = 3, 2
PEOPLE, CLIENTS = 25, 20
QUEUE_ABOVE, CHUNK_CELLS = 50, 100
CELLS = PEOPLE * CLIENTS
PROGRESS = operation("operation_progress")
ASK = mutation("grantAccess", fragment="fragment Told on Operation { id state total }")
RENAME = """mutation($client: ID!, $name: String) {
  updateClient(input: {client: $client, displayName: $name}) { userErrors { message } } }"""
NAME = "query($client: ID!) { node(id: $client) { ... on Client { displayName } } }"
OPERATION = "query($id: ID!) { node(id: $id) { ... on Operation { state done counts { applied } } } }"
ADDRESS = re.compile(r"^Client Access Manager: http://127\.0\.0\.1:(\d+)/graphql$", re.MULTILINE)

Seen = list[tuple[str, int]]
"""The states and numbers of cells done that a subscription has told."""


@dataclass(frozen=True)
class Site:
    """What a person outside knows: the address of the proxy, and their token."""

    proxy: RoundRobin
    token: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.proxy.port}/graphql"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, query: str, **variables: Any) -> Any:
        """The data of an answer over a connection of its own, so each goes to the next process."""
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            body = {"query": query, "variables": variables}
            response = await http.post(f"http://{self.address}", json=body, headers=self.headers)
        answer = response.json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def grant(self, people: list[MemberRow], places: list[ClientRow]) -> str:
        """Asks for more than is done at once and returns the operation's id."""
        asked = {"targets": product(people, places), "access": permissions({"contacts.view": "ALL"})}
        told = (await self.post(ASK, input=asked))["grantAccess"]
        assert told["userErrors"] == []
        assert told["operation"]["total"] == len(people) * len(places)
        assert told["operation"]["state"] == "QUEUED"
        return str(told["operation"]["id"])

    async def by_socket(self, query: str, **variables: Any) -> AsyncIterator[Any]:
        """What a subscription tells over WebSocket."""
        transport = WebsocketsTransport(
            url=f"ws://{self.address}", init_payload=self.headers, subprotocols=["graphql-transport-ws"]
        )
        request = gql(query)
        request.variable_values = variables
        async with Client(transport=transport) as session:
            async for told in session.subscribe(request):
                yield told

    async def by_events(self, query: str, **variables: Any) -> AsyncIterator[Any]:
        """What a subscription tells by server-sent events."""
        async with (
            httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as http,
            http.stream(
                "POST",
                f"http://{self.address}",
                json={"query": query, "variables": variables},
                headers={**self.headers, "Accept": "text/event-stream"},
            ) as response,
        ):
            async for line in response.aiter_lines():
                if line == "event: complete":
                    return
                if line.startswith("data: "):
                    yield orjson.loads(line.removeprefix("data: "))["data"]
        pytest.fail("The stream ended without saying so.")


def begun(workers: Nursery) -> list[int]:
    """The ports of the services that have said where they are."""
    return [int(port) for port in ADDRESS.findall(workers.log)]


async def answering(port: int) -> None:
    async def ready() -> bool:
        try:
            return bool(httpx2.get(f"http://127.0.0.1:{port}/readyz").is_success)
        except httpx2.TransportError:
            return False

    await until(ready)


async def started(born: Nursery, url: str) -> dict[int, int]:
    """Starts the services; returns their process ids by their ports."""
    found: dict[int, int] = {}
    for _ in range(SERVICES):
        limits = {"CAM_QUEUE_ABOVE": str(QUEUE_ABOVE), "CAM_CHUNK_CELLS": str(CHUNK_CELLS)}
        pid = born.service(url, **limits)

        async def told() -> bool:
            return len(begun(born)) > len(found)

        await until(told)
        found[begun(born)[-1]] = pid
    for port in found:
        await answering(port)
    return found


async def watch(events: AsyncIterator[Any], seen: Seen) -> None:
    """Notes how far an operation is until the subscription ends by itself."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for told in events:
            seen.append((told["operationProgress"]["state"], told["operationProgress"]["done"]))


async def watching(site: Site, operation_id: str) -> tuple[list[Seen], "asyncio.Future[Any]"]:
    """Begins to watch an operation over WebSocket and then by server-sent events, each on the next process."""
    seen: list[Seen] = []
    watches = []
    for way in (site.by_socket, site.by_events):
        states: Seen = []
        watches.append(asyncio.create_task(watch(way(PROGRESS, id=operation_id), states)))
        seen.append(states)
        await until(_has(states))
    return seen, asyncio.gather(*watches)


def _has(seen: Seen) -> Callable[[], Awaitable[bool]]:
    async def has() -> bool:
        return bool(seen)

    return has


@asynccontextmanager
async def held(database: Database, place: ClientRow) -> AsyncIterator[None]:
    """Nobody gets past this client meanwhile, so an operation stops at its chunk."""
    async with database.engine.connect() as holder:
        await holder.execute(select(clients.c.id).where(clients.c.id == place.id).with_for_update(key_share=True))
        yield


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_subscription_on_one_process_sees_what_others_do(
    database: Database, factory: Factory, tmp_path: Path
) -> None:
    """Asked on one process, seen on two others, done by workers; when a process is killed, the others go on."""
    story = await Story.begin(factory)
    places = [story.client, *await factory.clients(story.partner, CLIENTS - 1)]
    for place in places[1:]:
        await story.admin(place)
    people = await factory.members(story.partner, 2 * PEOPLE)
    url = database.url.render_as_string(hide_password=False)
    token = await factory.api_token(story.actor)
    with nursery(tmp_path, services=True) as born:
        pids = await started(born, url)
        async with RoundRobin(list(pids)).running() as proxy:
            site = Site(proxy, token)
            operation_id = await site.grant(people[:PEOPLE], places)
            seen, ends = await watching(site, operation_id)
            assert seen == [[("QUEUED", 0)]] * 2, "no service works on it"
            assert sorted(proxy.handed) == [0, 1, 2], "each was another process"
            async with held(database, places[-1]):
                for _ in range(WORKERS):
                    born.worker(url)

                async def is_half_done() -> bool:
                    return all(0 < states[-1][1] < CELLS for states in seen)

                await until(is_half_done)
            await ends
            for states in seen:
                assert states[-1] == ("COMPLETED", CELLS)
                assert [done for _, done in states] == sorted(done for _, done in states), "never back"
            await read_what_was_done(site, operation_id)
            await read_what_was_written(site, places[0])
            async with held(database, places[-1]):
                operation_id = await site.grant(people[PEOPLE:], places)
                ends = await lose_a_process(site, operation_id, pids)
            await ends
            await read_what_was_done(site, operation_id)
            await read_what_was_written(site, places[0])
        assert "Traceback" not in born.log
        assert "alembic" not in born.log, "whether it is ready is asked all the time"
    await assert_sound(database)


async def read_what_was_done(site: Site, operation_id: str) -> None:
    for _ in range(SERVICES):
        told = (await site.post(OPERATION, id=operation_id))["node"]
        assert told == {"state": "COMPLETED", "done": CELLS, "counts": {"applied": CELLS}}


async def read_what_was_written(site: Site, place: ClientRow) -> None:
    """What one process was told, each of the others knows with the next request."""
    for number in range(SERVICES):
        name = f"Renamed {number}"
        assert (await site.post(RENAME, client=node_id(place), name=name))["updateClient"]["userErrors"] == []
        read = [(await site.post(NAME, client=node_id(place)))["node"]["displayName"] for _ in range(SERVICES)]
        assert read == [name] * SERVICES


async def lose_a_process(site: Site, operation_id: str, pids: dict[int, int]) -> "asyncio.Future[Any]":
    """Kills the process that somebody is connected to, who connects again, elsewhere, and sees how it goes on."""
    connection = site.by_socket(PROGRESS, id=operation_id)
    await anext(connection)
    lost = site.proxy.handed[-1]
    await asyncio.to_thread(kill, pids[site.proxy.ports[lost]])
    with pytest.raises(TransportError):
        await watch(connection, [])
    since = len(site.proxy.handed)
    seen, ends = await watching(site, operation_id)
    assert len({lost, *site.proxy.handed[since:]}) == SERVICES, "both others have one"

    async def end() -> None:
        await ends
        assert [states[-1] for states in seen] == [("COMPLETED", CELLS)] * 2

    return asyncio.ensure_future(end())
