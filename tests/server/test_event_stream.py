"""GraphQL over server-sent events: distinct connections, only where a client asks for nothing else first."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from httpx2 import AsyncClient, Response
from strawberry.types.execution import ExecutionResult

from server import event_stream
from server.error import RequestError
from server.event_stream import EventStreamResponse, Streams, wants_stream
from tests.server.toy import SECRET, STORED_ID, TOKEN

# What urql sends with each query: it means JSON.
EVERYTHING = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
STREAM = {"Accept": "text/event-stream"}


async def ask(client: AsyncClient, query: object, **headers: str) -> Response:
    body = query if isinstance(query, dict) else {"query": query}
    return await client.post("/graphql", json=body, headers={**STREAM, **headers})


def events(response: Response) -> list[tuple[str, Any]]:
    """The events as a client reads them that knows line feeds alone."""
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "\r" not in response.text
    found = []
    for block in response.text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        found.append((name.removeprefix("event: "), orjson.loads(data.removeprefix("data: ") or "null")))
    return found


async def test_a_subscription_sends_each_value_and_completes(client: AsyncClient) -> None:
    response = await ask(client, {"query": "subscription($to: Int!) { count(to: $to) }", "variables": {"to": 3}})
    *values, last = events(response)
    assert [(name, value["data"]) for name, value in values] == [("next", {"count": number}) for number in range(3)]
    assert last == ("complete", None)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert "content-length" not in response.headers


@pytest.mark.parametrize("accept", [EVERYTHING, "*/*", "application/json, text/event-stream", "text/event-stream;q=0"])
async def test_whoever_names_it_later_gets_json(client: AsyncClient, accept: str) -> None:
    response = await ask(client, "{ hello }", Accept=accept)
    assert response.headers["content-type"].split(";")[0] in {"application/json", "application/graphql-response+json"}
    assert response.json()["data"] == {"hello": "world"}


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "Text/Event-Stream; q=0.1, application/json", " text/event-stream ,*/*"]
)
def test_whoever_names_it_first_gets_a_stream(accept: str) -> None:
    assert wants_stream(accept)


@pytest.mark.parametrize("accept", [EVERYTHING, "application/json"])
async def test_a_subscription_by_plain_post_is_told_what_to_do(client: AsyncClient, accept: str) -> None:
    response = await ask(client, "subscription { count(to: 1) }", Accept=accept)
    (error,) = response.json()["errors"]
    assert "graphql-transport-ws" in error["message"]
    assert "text/event-stream" in error["message"]


async def test_queries_mutations_and_named_documents_are_answered(client: AsyncClient) -> None:
    for body, data in (
        ({"query": "{ hello }"}, {"hello": "world"}),
        ({"query": 'mutation { rename(name: "x") }'}, {"rename": "x"}),
        ({"documentId": STORED_ID}, {"echo": "stored"}),
    ):
        ((name, value), last) = events(await ask(client, body))
        assert (name, value["data"], last) == ("next", data, ("complete", None))


async def test_it_works_by_get_for_what_changes_nothing(client: AsyncClient) -> None:
    async def get(query: str) -> Any:
        return events(await client.get("/graphql", params={"query": query}, headers=STREAM))[0][1]

    assert (await get("subscription { count(to: 1) }"))["data"] == {"count": 0}
    (error,) = (await get('mutation { rename(name: "x") }'))["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count(to: 1) burst }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count(to: 99999999999) }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ clients(first: 100000) { nodes { id } } }", "QUERY_TOO_COMPLEX"),
    ],
)
async def test_a_wrong_operation_is_said_in_the_stream(client: AsyncClient, query: str, code: str) -> None:
    ((name, value), last) = events(await ask(client, query))
    assert (name, last) == ("next", ("complete", None))
    assert "data" not in value
    assert value["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize("query", ["{ boom }", "subscription { burst }", "subscription { slip }"])
async def test_errors_are_masked(client: AsyncClient, query: str) -> None:
    response = await ask(client, query)
    *values, last = events(response)
    assert [error["message"] for _, value in values for error in value.get("errors", [])] == ["Internal error"]
    assert last == ("complete", None)
    assert SECRET not in response.text


async def test_the_token_is_in_the_header(client: AsyncClient) -> None:
    whose = "subscription { whose }"
    assert events(await ask(client, whose))[0][1]["data"] == {"whose": None}
    assert events(await ask(client, whose, Authorization=f"Bearer {TOKEN}"))[0][1]["data"] == {"whose": 7}
    refused = await ask(client, whose, Authorization="Bearer wrong")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_pages_of_other_sites_may_not_read(client: AsyncClient) -> None:
    refused = await ask(client, "subscription { count(to: 1) }", Origin="http://evil.example")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")


class Source:
    """Results without end; knows how many were taken, and whether it was closed."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False
        self.more = asyncio.Event()

    async def results(self) -> AsyncIterator[ExecutionResult]:
        try:
            while True:
                self.taken += 1
                yield ExecutionResult(data={"number": self.taken}, errors=None)
                await self.more.wait()
        finally:
            self.closed = True


class Peer:
    """The other end of a response: what it was sent, and when it goes or ceases to read."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.ended = False
        self.gone = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
            self.parts.append(message["body"])
            self.ended = not message["more_body"]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 nothing tells it
                await asyncio.sleep(0.001)


def start(source: Source, peer: Peer, streams: Streams) -> asyncio.Task[None]:
    response = EventStreamResponse(source.results(), streams, orjson.dumps)
    return asyncio.ensure_future(response({"type": "http"}, peer.receive, peer.send))


async def test_a_client_that_goes_ends_its_stream() -> None:
    source, peer, streams = Source(), Peer(), Streams(1)
    answering = start(source, peer, streams)
    await peer.until(lambda: source.taken == 1)
    assert streams.count == 1
    peer.gone.set()
    await answering
    assert source.closed
    assert streams.count == 0


async def test_a_client_that_does_not_read_holds_one_result_and_no_more() -> None:
    source, peer, streams = Source(), Peer(), Streams(1)
    source.more.set()
    peer.reads.clear()
    answering = start(source, peer, streams)
    for _ in range(100):
        await asyncio.sleep(0)
    assert (source.taken, peer.parts) == (1, [])
    peer.gone.set()
    await answering
    assert source.closed


async def test_when_the_process_stops_streams_end_but_are_not_complete() -> None:
    """So clients know that there is more, and connect again."""
    source, peer, streams = Source(), Peer(), Streams(1)
    answering = start(source, peer, streams)
    await peer.until(lambda: bool(peer.parts))
    streams.end()
    await answering
    assert source.closed
    assert peer.ended
    assert b"complete" not in b"".join(peer.parts)


async def test_a_quiet_stream_is_kept_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PING_SECONDS", 0.001)
    source, peer, streams = Source(), Peer(), Streams(1)
    answering = start(source, peer, streams)
    await peer.until(lambda: peer.parts.count(b":\n\n") >= 3)
    peer.gone.set()
    await answering


async def test_a_full_process_takes_no_more() -> None:
    streams = Streams(1)
    with streams.one(), pytest.raises(RequestError) as caught, streams.one():
        pass
    assert (caught.value.status, caught.value.code) == (503, "TOO_MANY_SUBSCRIPTIONS")
    assert caught.value.headers["Retry-After"] == "5"
    with streams.one():
        assert streams.count == 1
