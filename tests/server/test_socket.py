"""GraphQL over WebSocket: `graphql-transport-ws` only, tokens in `connection_init` (R32)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from server.setting import Settings
from tests.server.toy import SECRET, STORED_ID, STREAMS, TOKEN, toy_app

PROTOCOL = "graphql-transport-ws"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(toy_app(tmp_path_factory.mktemp("socket"))) as client:
        yield client


@contextmanager
def connect(client: TestClient, payload: dict[str, object] | None = None) -> Iterator[WebSocketTestSession]:
    with client.websocket_connect("/graphql", subprotocols=[PROTOCOL]) as socket:
        socket.send_json({"type": "connection_init", "payload": payload or {}})
        yield socket


def run(client: TestClient, payload: object, init: dict[str, object] | None = None) -> list[dict[str, Any]]:
    """Returns all messages of one operation."""
    with connect(client, init) as socket:
        assert socket.receive_json()["type"] == "connection_ack"
        socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
        messages = [socket.receive_json()]
        while messages[-1]["type"] == "next":
            messages.append(socket.receive_json())
        return messages


def test_a_subscription_sends_each_value_and_completes(browser: TestClient) -> None:
    messages = run(browser, {"query": "subscription($to: Int!) { count(to: $to) }", "variables": {"to": 3}})
    assert [message["payload"]["data"] for message in messages[:-1]] == [{"count": 0}, {"count": 1}, {"count": 2}]
    assert messages[-1] == {"id": "1", "type": "complete"}


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_the_token_comes_in_connection_init(browser: TestClient, name: str) -> None:
    """R32: browsers cannot set headers on a WebSocket."""
    messages = run(browser, {"query": "subscription { whose }"}, {name: f"Bearer {TOKEN}"})
    assert messages[0]["payload"]["data"] == {"whose": 7}


def test_without_a_token_nobody_asks(browser: TestClient) -> None:
    assert run(browser, {"query": "subscription { whose }"})[0]["payload"]["data"] == {"whose": None}


@pytest.mark.parametrize("credentials", ["Bearer wrong", "x"])
def test_a_token_that_opens_nothing_ends_the_connection(browser: TestClient, credentials: str) -> None:
    """T1: 4403, not a connection of nobody."""
    with connect(browser, {"Authorization": credentials}) as socket, pytest.raises(WebSocketDisconnect) as caught:
        socket.receive_json()
    assert caught.value.code == 4403


def test_a_locked_database_is_said_by_the_operation(browser: TestClient) -> None:
    """The connection stays: a later operation may find the database open."""
    messages = run(browser, {"query": "{ hello }"}, {"Authorization": "Bearer cam_broken-database"})
    assert [message["type"] for message in messages] == ["error"]
    assert messages[0]["payload"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"


def test_queries_and_named_documents_are_answered(browser: TestClient) -> None:
    """R33: the same parameters as over HTTP."""
    assert run(browser, {"query": "{ hello }"})[0]["payload"]["data"] == {"hello": "world"}
    assert run(browser, {"documentId": STORED_ID})[0]["payload"]["data"] == {"echo": "stored"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "fragment F on Query { hello }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "{ clients(first: 100000) { nodes { id } } }"}, "QUERY_TOO_COMPLEX"),
        ({"query": "{" + "a " * 6_000 + "}"}, "QUERY_TOO_COMPLEX"),
        ({}, "BAD_REQUEST"),
        ({"query": 7}, "BAD_REQUEST"),
        ([], "BAD_REQUEST"),
        ("x", "BAD_REQUEST"),
        (None, "BAD_REQUEST"),
        ({"query": "{ hello }", "variables": [1]}, "BAD_REQUEST"),
        ({"documentId": "sha256:" + "0" * 64}, "PERSISTED_QUERY_NOT_FOUND"),
    ],
)
def test_a_wrong_operation_ends_with_an_error_and_its_code(browser: TestClient, payload: object, code: str) -> None:
    """R17: the closed list holds here as well, and the connection goes on."""
    messages = run(browser, payload)
    assert messages[-1]["type"] == "error"
    assert messages[-1]["payload"][0]["extensions"]["code"] == code


@pytest.mark.parametrize("query", ["{ boom }", "subscription { burst }", "subscription { slip }"])
def test_errors_are_masked(browser: TestClient, query: str) -> None:
    """R17: an accident in a stream is masked like one in an answer."""
    messages = run(browser, {"query": query})
    errors = [error for message in messages[:-1] for error in message["payload"].get("errors", [])]
    assert [error["message"] for error in errors] == ["Internal error"]
    assert SECRET not in str(messages)


@pytest.mark.parametrize("text", ["[1]", "7", '"x"', "null", "{}", "NONSENSE", '{"type": "nothing"}', "[" * 5_000])
def test_a_message_that_is_none_closes_the_connection(browser: TestClient, text: str) -> None:
    with connect(browser) as socket:
        assert socket.receive_json()["type"] == "connection_ack"
        socket.send_text(text)
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_json()
    assert caught.value.code == 4400


@pytest.mark.parametrize(
    "message", [{"type": "subscribe"}, {"type": "subscribe", "id": 7, "payload": {"query": "{ hello }"}}]
)
def test_an_operation_needs_an_id(browser: TestClient, message: dict[str, object]) -> None:
    with connect(browser) as socket:
        assert socket.receive_json()["type"] == "connection_ack"
        socket.send_json(message)
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_json()
    assert caught.value.code == 4400


def test_nothing_runs_before_connection_init(browser: TestClient) -> None:
    with browser.websocket_connect("/graphql", subprotocols=[PROTOCOL]) as socket:
        socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": "{ hello }"}})
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_json()
    assert caught.value.code == 4401


def test_the_old_protocol_is_not_spoken(browser: TestClient) -> None:
    """R32: legacy `graphql-ws` is off."""
    with (
        browser.websocket_connect("/graphql", subprotocols=["graphql-ws"]) as socket,
        pytest.raises(WebSocketDisconnect) as caught,
    ):
        socket.receive_json()
    assert caught.value.code == 4406


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://testserver.evil.example"])
def test_pages_of_other_sites_may_not_connect(browser: TestClient, origin: str) -> None:
    """R32: cross-site WebSocket hijacking."""
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        browser.websocket_connect("/graphql", subprotocols=[PROTOCOL], headers={"Origin": origin}),
    ):
        pass


def test_own_pages_may_connect(browser: TestClient) -> None:
    with browser.websocket_connect(
        "/graphql", subprotocols=[PROTOCOL], headers={"Origin": "http://testserver"}
    ) as socket:
        assert socket.accepted_subprotocol == PROTOCOL


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with few subscriptions."""
    settings = Settings(subscription_limit=3, connection_subscription_limit=2)
    with TestClient(toy_app(tmp_path_factory.mktemp("narrow"), settings)) as client:
        yield client


FOREVER = {"query": "subscription { forever }"}


def subscribe(socket: WebSocketTestSession, key: str) -> Any:
    socket.send_json({"type": "subscribe", "id": key, "payload": FOREVER})
    return socket.receive_json()


def test_a_connection_has_so_many_subscriptions_and_then_again(narrow: TestClient) -> None:
    with connect(narrow) as socket:
        socket.receive_json()
        assert [subscribe(socket, key)["type"] for key in "12"] == ["next", "next"]
        refused = subscribe(socket, "3")
        assert (refused["type"], refused["id"]) == ("error", "3")
        assert refused["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        assert "at most 2 subscriptions" in refused["payload"][0]["message"]
        socket.send_json({"type": "complete", "id": "1"})
        assert subscribe(socket, "4")["type"] == "next"
    assert STREAMS == []


def test_a_process_has_so_many_subscriptions_and_sockets(narrow: TestClient) -> None:
    with connect(narrow) as first, connect(narrow) as second, connect(narrow) as third:
        for socket in (first, second, third):
            socket.receive_json()
        assert [subscribe(first, key)["type"] for key in "12"] == ["next", "next"]
        assert subscribe(second, "1")["type"] == "next"
        refused = subscribe(third, "1")
        assert refused["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            narrow.websocket_connect("/graphql", subprotocols=[PROTOCOL]),
        ):
            pass
        assert caught.value.code == 1013
    assert STREAMS == []
    with connect(narrow) as socket:
        socket.receive_json()
        assert subscribe(socket, "1")["type"] == "next"


def test_a_subscription_has_one_root_field_and_a_limited_cost(browser: TestClient) -> None:
    two = run(browser, {"query": "subscription { count(to: 1) burst }"})
    assert two[-1]["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    many = "subscription { " + " ".join(f"a{number}: count(to: 1)" for number in range(60)) + " }"
    assert run(browser, {"query": many})[-1]["payload"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
