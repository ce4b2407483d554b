"""Status codes, media types and negotiation: variant C of the API's rules (R31)."""

import httpx2
import pytest

from tests.server.toy import PAGE, SECRET, STORED_ID, TOKEN, Mutation

NEW = "application/graphql-response+json"
OLD = "application/json"

# What a request is answered with: by a client that names the new media type, and by any other.
ROWS = [
    ("executed", {"query": "{ hello }"}, 200, 200, None),
    ("data and errors", {"query": "{ hello boom }"}, 294, 200, "INTERNAL_ERROR"),
    ("data null and errors", {"query": "{ boomRequired }"}, 294, 200, "INTERNAL_ERROR"),
    ("domain error", {"query": "{ denied }"}, 294, 200, "FORBIDDEN"),
    ("document does not parse", {"query": "{"}, 400, 200, "GRAPHQL_PARSE_FAILED"),
    ("document is not valid", {"query": "{ nothing }"}, 422, 200, "GRAPHQL_VALIDATION_FAILED"),
    ("no such operation", {"query": "query A { hello }", "operationName": "B"}, 422, 200, "GRAPHQL_VALIDATION_FAILED"),
    ("which operation", {"query": "query A { hello } query B { hello }"}, 422, 200, "GRAPHQL_VALIDATION_FAILED"),
    ("fragments only", {"query": "fragment F on Query { hello }"}, 422, 200, "GRAPHQL_VALIDATION_FAILED"),
    (
        "variable of a wrong type",
        {"query": "query($n: Int!) { echo(number: $n) }", "variables": {"n": "x"}},
        422,
        200,
        "BAD_INPUT",
    ),
    ("variable is missing", {"query": "query($n: Int!) { echo(number: $n) }"}, 422, 200, "BAD_INPUT"),
    ("over a limit", {"query": "{ clients(first: 100000) { nodes { id } } }"}, 422, 200, "QUERY_TOO_COMPLEX"),
    ("no document", {}, 422, 400, "BAD_REQUEST"),
    ("empty document", {"query": "  "}, 422, 400, "BAD_REQUEST"),
    ("document is no string", {"query": 7}, 422, 400, "BAD_REQUEST"),
    ("variables are no object", {"query": "{ hello }", "variables": [1]}, 422, 400, "BAD_REQUEST"),
    ("extensions are no object", {"query": "{ hello }", "extensions": "x"}, 422, 400, "BAD_REQUEST"),
    ("operation name is no string", {"query": "{ hello }", "operationName": {}}, 422, 400, "BAD_REQUEST"),
    ("a batch", [{"query": "{ hello }"}], 422, 400, "BAD_REQUEST"),
    ("a subscription", {"query": "subscription { count(to: 1) }"}, 422, 400, "BAD_REQUEST"),
    ("unknown document", {"documentId": "sha256:" + "0" * 64}, 422, 200, "PERSISTED_QUERY_NOT_FOUND"),
    ("malformed document id", {"documentId": "md5:1"}, 422, 400, "BAD_REQUEST"),
]


def code_of(response: httpx2.Response) -> str | None:
    errors = response.json().get("errors")
    return errors[0]["extensions"]["code"] if errors else None


@pytest.mark.parametrize(("body", "new", "old", "code"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_status_follows_the_edition_of_september_2026(
    client: httpx2.AsyncClient, body: object, new: int, old: int, code: str | None
) -> None:
    """R31: the codes for clients of the new media type, 200 for requests in good form for all others."""
    for accept, status, media_type in (
        (NEW, new, NEW),
        (OLD, old, OLD),
        ("*/*", old, OLD),
        (f"{NEW}, {OLD};q=0.9", new, NEW),
    ):
        response = await client.post("/graphql", json=body, headers={"Accept": accept})
        assert (response.status_code, code_of(response)) == (status, code)
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert response.headers["vary"] == "Accept"
        assert response.headers["cache-control"] == "no-store"
        # A request that was not executed has no data, not even null.
        assert ("data" in response.json()) == (new in {200, 294})


async def test_a_missing_accept_header_gets_json(client: httpx2.AsyncClient) -> None:
    """R31: a client that does not say what it wants is an old one."""
    request = client.build_request("POST", "/graphql", json={"query": "{ hello boom }"})
    del request.headers["accept"]
    response = await client.send(request)
    assert (response.status_code, response.headers["content-type"]) == (200, f"{OLD}; charset=utf-8")


@pytest.mark.parametrize("accept", [f"{NEW};q=0", "application/graphql-response+jsonp", "text/plain"])
async def test_a_media_type_that_is_refused_or_only_similar_is_not_served(
    client: httpx2.AsyncClient, accept: str
) -> None:
    response = await client.post("/graphql", json={"query": "{"}, headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, f"{OLD}; charset=utf-8")


@pytest.mark.parametrize("accept", [NEW, OLD])
@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('Application/JSON; charset="UTF-8"', 200),
        ("application/json; charset=iso-8859-1", 415),
        ("text/plain", 415),
        ("application/graphql", 415),
        ("application/jsonp", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
        (None, 415),
    ],
)
async def test_only_json_is_read(
    client: httpx2.AsyncClient, accept: str, content_type: str | None, status: int
) -> None:
    """R31, CSRF: a page of another site can send only the other types without asking."""
    headers = {"Accept": accept} if content_type is None else {"Accept": accept, "Content-Type": content_type}
    response = await client.post("/graphql", content=b'{"query": "{ hello }"}', headers=headers)
    assert response.status_code == status
    assert code_of(response) == (None if status == 200 else "BAD_REQUEST")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY"])
async def test_other_methods_are_refused_with_what_is_allowed(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_get_runs_queries(client: httpx2.AsyncClient) -> None:
    """R31: GET with a query, variables and an operation name in the address."""
    found = {
        "query": "query A($t: String!) { echo(text: $t) } query B { hello }",
        "variables": '{"t": "é"}',
        "operationName": "A",
    }
    response = await client.get("/graphql", params=found)
    assert (response.status_code, response.json()["data"]) == (200, {"echo": "é"})


@pytest.mark.parametrize("accept", [NEW, OLD])
async def test_get_does_not_run_mutations(client: httpx2.AsyncClient, accept: str) -> None:
    """R31: 405 with Allow, and nothing happened."""
    before = Mutation.renamed
    found = {"query": 'mutation { rename(name: "x") }'}
    response = await client.get("/graphql", params=found, headers={"Accept": accept})
    assert (response.status_code, response.headers["allow"], code_of(response)) == (405, "POST", "BAD_REQUEST")
    assert Mutation.renamed == before


@pytest.mark.parametrize(
    ("query_string", "status"),
    [
        ("", 400),
        ("variables=%7B%7D", 400),
        ("query=%7Bhello%7D&variables=%7B", 400),
        ("query=%7Bhello%7D&variables=%5B%5D", 400),
        ("query=%7Bhello%7D&extensions=7", 400),
        ("query=%FF", 400),
        ("query=a&query=b", 400),
        ("&".join(f"p{number}=1" for number in range(40)), 400),
        ("query=%7Bhello%7D&variables=", 200),
    ],
)
async def test_a_broken_query_string_is_refused(client: httpx2.AsyncClient, query_string: str, status: int) -> None:
    response = await client.get(f"/graphql?{query_string}", headers={"Accept": "*/*"})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("accept", "address", "page"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "/graphql", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "/graphql?tab=1", True),
        ("text/html,*/*", "/graphql?query={hello}", False),
        ("text/html,*/*", f"/graphql?documentId={STORED_ID}", False),
        ("*/*", "/graphql", False),
        ("application/json, text/html;q=0.5", "/graphql", False),
        ("application/json, text/html", "/graphql", False),
        (OLD, "/graphql", False),
    ],
)
async def test_only_a_browser_that_opens_the_address_gets_the_page(
    client: httpx2.AsyncClient,
    accept: str,
    address: str,
    page: bool,  # noqa: FBT001 a column of the table
) -> None:
    """Curl's `*/*` gets JSON; a browser gets GraphiQL."""
    response = await client.get(address, headers={"Accept": accept, "Sec-Fetch-Site": "none"})
    assert (response.text == PAGE) is page
    assert response.headers["content-type"].startswith("text/html" if page else OLD)


async def test_a_link_on_another_site_opens_the_page(client: httpx2.AsyncClient) -> None:
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await client.get("/graphql", headers=headers)).text == PAGE


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://testserver"}, 200),
        # A proxy in front ends TLS: the page came by https, the request comes on by http.
        ({"Origin": "https://testserver"}, 200),
        ({"Origin": "http://testserver:81"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
    ],
)
async def test_pages_of_other_sites_may_not_call(
    client: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    """CSRF: the browser says where a request comes from."""
    posted = await client.post("/graphql", json={"query": "{ hello }"}, headers=headers)
    fetched = await client.get("/graphql?query={hello}", headers=headers)
    assert (posted.status_code, fetched.status_code) == (status, status)


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": STORED_ID},
        {"documentId": STORED_ID.removeprefix("sha256:")},
        {"documentId": STORED_ID, "variables": {"text": "stored"}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": STORED_ID.removeprefix("sha256:")}}},
        {"query": None, "documentId": STORED_ID, "operationName": "Stored"},
    ],
)
async def test_a_document_is_named_by_its_hash(client: httpx2.AsyncClient, body: dict[str, object]) -> None:
    """R33: by `documentId`, or in the form of Apollo's clients."""
    response = await client.post("/graphql", json=body)
    assert response.json()["data"] == {"echo": "stored"}


async def test_a_document_is_named_by_its_hash_over_get(client: httpx2.AsyncClient) -> None:
    """R33: GET with `documentId`, so that a proxy may tell requests apart by their address."""
    response = await client.get("/graphql", params={"documentId": STORED_ID, "variables": '{"text": "got"}'})
    assert response.json()["data"] == {"echo": "got"}


async def test_documents_are_not_registered_by_callers(client: httpx2.AsyncClient) -> None:
    """R33: look-up only; sending a text with a hash does not make the hash known."""
    found = {"persistedQuery": {"version": 1, "sha256Hash": "1" * 64}}
    sent = await client.post("/graphql", json={"query": "{ hello }", "extensions": found})
    assert sent.json()["data"] == {"hello": "world"}
    again = await client.post("/graphql", json={"extensions": found})
    assert again.json()["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize("accept", [NEW, OLD])
@pytest.mark.parametrize("credentials", ["Bearer wrong", "Bearer", "Basic dXNlcjpwYXNz", "Bearer " + "x" * 600, "x"])
async def test_a_token_that_opens_nothing_is_401(client: httpx2.AsyncClient, accept: str, credentials: str) -> None:
    """T1: it is not taken for nobody, and the message says what to do."""
    headers = {"Authorization": credentials, "Accept": accept}
    response = await client.post("/graphql", json={"query": "{ me }"}, headers=headers)
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "cam token create" in response.json()["errors"][0]["message"]


async def test_a_token_says_who_asks(client: httpx2.AsyncClient) -> None:
    """T1: the viewer is in the context; without a token there is none."""
    known = await client.post("/graphql", json={"query": "{ me }"}, headers={"Authorization": f"bearer {TOKEN}"})
    unknown = await client.post("/graphql", json={"query": "{ me }"})
    assert (known.json()["data"], unknown.json()["data"]) == ({"me": 7}, {"me": None})


async def test_a_locked_database_at_sign_in_is_503(client: httpx2.AsyncClient) -> None:
    headers = {"Authorization": "Bearer cam_broken-database"}
    response = await client.post("/graphql", json={"query": "{ me }"}, headers=headers)
    assert (response.status_code, code_of(response)) == (503, "DATABASE_UNAVAILABLE")
    assert response.headers["retry-after"]
    assert "SELECT" not in response.text


@pytest.mark.parametrize("key", ["a", "k" * 255, "with space inside", "0d3f7c1a-8c5e"])
async def test_an_idempotency_key_reaches_the_context(client: httpx2.AsyncClient, key: str) -> None:
    """R22: the header is the fallback of the directive."""
    response = await client.post("/graphql", json={"query": "{ key }"}, headers={"Idempotency-Key": key})
    assert response.json()["data"] == {"key": key}


@pytest.mark.parametrize("key", [b"", b"k" * 256, b"tab\tinside", "é".encode()])
async def test_an_idempotency_key_that_is_none_is_400(client: httpx2.AsyncClient, key: bytes) -> None:
    """R22: a key that would be cut or changed on the way is refused."""
    response = await client.post("/graphql", json={"query": "{ key }"}, headers=[(b"Idempotency-Key", key)])
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


async def test_every_response_has_the_security_headers(client: httpx2.AsyncClient) -> None:
    for address in ("/graphql", "/graphql?query={hello}", "/healthz", "/nowhere"):
        headers = (await client.get(address)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "strict-transport-security" not in headers


async def test_nothing_of_the_inside_is_in_an_answer(client: httpx2.AsyncClient) -> None:
    """R17: not the message, not the type, not a file of the traceback."""
    query = "{ boom boomAgain: boom bareError unlisted locked wrongStatement tooBig }"
    text = (await client.post("/graphql", json={"query": query})).text
    for inside in (SECRET, "RuntimeError", "hunter2", ".py", "Traceback", "SELECT", "no such table", "1099511627776"):
        assert inside not in text


async def test_a_number_of_thousands_of_digits_is_told_in_our_words(client: httpx2.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": f"{{ echo(number: {'9' * 5_000}) }}"})
    (error,) = response.json()["errors"]
    assert error["message"] == "A number has too many digits: an Int has at most ten."
