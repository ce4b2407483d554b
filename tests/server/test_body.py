"""Requests that are too large, broken or malicious before GraphQL begins."""

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from server.body import JSON_DEPTH, JSON_VALUES, check_values, decode_json
from server.error import RequestError
from server.setting import MEBIBYTE
from tests.server.test_limit import SHARE
from tests.server.yardstick import at_most

JSON_HEADERS = {"Content-Type": "application/json"}


async def post(client: httpx2.AsyncClient, content: bytes | AsyncIterator[bytes]) -> httpx2.Response:
    return await client.post("/graphql", content=content, headers=JSON_HEADERS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"NONSENSE",
        b'{"query": "{ hello }"} trailing',
        b'{"query": "\xff"}',
        '{"query": "{ hello }"}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b'{"query": "{ hello }\x00"}',
        b'{"query": "{ hello }", "variables": {"a": NaN}}',
        b'{"query": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"query": "{ hello }", "variables": ' + b'{"a":' * 100 + b"1" + b"}" * 101,
        b'{"query": "{ hello }", "variables": {"a": "\\u0000"}}',
        b'{"query": "{ hello }", "variables": {"\\u0000": 1}}',
        b'{"query": "{ hello } # \\u0000"}',
    ],
)
async def test_what_is_no_json_is_400(client: httpx2.AsyncClient, content: bytes) -> None:
    """Broken, not UTF-8, a NUL, nested by the thousand: one clean answer, at once."""
    response = await at_most(SHARE, lambda: post(client, content))
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


async def test_deep_variables_are_refused_over_get_as_well(client: httpx2.AsyncClient) -> None:
    deep = quote('{"a":' * 3_000 + "1" + "}" * 3_000)
    assert (await client.get(f"/graphql?query=%7Bhello%7D&variables={deep}")).status_code == 400


async def test_a_nul_in_a_literal_is_refused(client: httpx2.AsyncClient) -> None:
    """PostgreSQL cannot store it; written as an escape in the document it would come that far."""
    for literal in ('"a\\u0000b"', '"a\\u{0}b"'):
        response = await client.post("/graphql", json={"query": f"{{ echo(text: {literal}) }}"})
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    response = await client.post("/graphql", json={"query": '{ echo(text: "a\\\\u0000b") }'})
    assert response.json()["data"] == {"echo": "a\\u0000b"}


async def test_many_values_are_refused_at_once(client: httpx2.AsyncClient) -> None:
    """A body of ten megabytes may carry one long text, not five million numbers."""
    numbers = b'{"query": "{ hello }", "variables": {"a": [' + b"1," * 4_000_000 + b"1]}}"
    response = await at_most(2 * SHARE, lambda: post(client, numbers))
    assert response.status_code == 400
    assert str(JSON_VALUES) in response.json()["errors"][0]["message"]


def test_the_depth_and_the_number_of_values_at_the_limit_are_taken() -> None:
    value: object = 1
    for _ in range(JSON_DEPTH - 1):
        value = [value]
    check_values(value)
    check_values([0] * JSON_VALUES)
    with pytest.raises(RequestError):
        check_values([value])
    with pytest.raises(RequestError):
        check_values([0] * (JSON_VALUES + 1))


async def test_a_long_text_in_a_variable_is_taken(client: httpx2.AsyncClient) -> None:
    """`importClients` sends its file as one variable of megabytes."""
    csv = "hub_id,official_name\r\n" * 300_000
    body = {"query": "query($t: String!) { echo(text: $t) }", "variables": {"t": csv}}
    response = await client.post("/graphql", json=body)
    assert response.json()["data"] == {"echo": csv}


async def test_a_body_over_the_limit_is_413(client: httpx2.AsyncClient) -> None:
    """Announced by its length or not; the message names the limit."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b" " * MEBIBYTE

    for content in (b" " * (10 * MEBIBYTE + 1), chunks()):
        response = await post(client, content)
        assert (response.status_code, response.headers["connection"]) == (413, "close")
        assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
        assert str(10 * MEBIBYTE) in response.json()["errors"][0]["message"]


async def test_a_body_of_exactly_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    text = b'{"query": "{ hello }"}'
    response = await post(client, text + b" " * (10 * MEBIBYTE - len(text)))
    assert response.json()["data"] == {"hello": "world"}


async def test_a_client_that_waits_for_permission_gets_the_413_without_sending(app: Starlette) -> None:
    """`Expect: 100-continue`: nothing of a body that is too large is read."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        raise AssertionError("the body was read")

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", b"9" * 30), (b"expect", b"100-continue")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 413


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
async def test_random_bytes_never_break_the_service(client: httpx2.AsyncClient, content: bytes) -> None:
    """No body gives a 5xx, and every answer is JSON with a code of the list."""
    response = await post(client, content)
    assert 400 <= response.status_code < 500
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
documents = st.sampled_from(
    [
        "{ hello }",
        "{",
        "",
        "{ boom }",
        "query($a: Int!) { echo(number: $a) }",
        "mutation { rename(name: 1) }",
        "{ ...F }",
    ]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=values
    | st.fixed_dictionaries(
        {},
        optional={
            "query": documents | values,
            "variables": values,
            "operationName": values,
            "extensions": values,
            "documentId": values,
        },
    ),
    accept=st.sampled_from(["application/json", "application/graphql-response+json"]),
)
async def test_random_requests_never_break_the_service(client: httpx2.AsyncClient, body: object, accept: str) -> None:
    """Any JSON in place of a request gets an answer of the protocol, never a 5xx."""
    response = await client.post("/graphql", content=json.dumps(body), headers={**JSON_HEADERS, "Accept": accept})
    assert response.status_code in {200, 294, 400, 422}
    assert {"data", "errors"} & response.json().keys()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query_string=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=60))
async def test_random_addresses_never_break_the_service(client: httpx2.AsyncClient, query_string: str) -> None:
    response = await client.get(f"/graphql?{query_string}")
    assert response.status_code in {200, 400}


@given(value=values)
def test_json_is_read_as_it_was_written(value: object) -> None:
    try:
        assert decode_json(json.dumps(value)) == value
    except RequestError:
        # Lone surrogates are no text: they cannot be written as UTF-8.
        assert "\\ud" in json.dumps(value)
