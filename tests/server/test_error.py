"""What callers hear of failures: a closed list of codes, and nothing of the inside (R17)."""

import io
import json
import sqlite3

import httpx2
import pytest
from graphql import GraphQLError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from strawberry.exceptions import StrawberryInputCoercionError

from resolvers.error import AccessCode
from server.error import CODES, MESSAGE_LIMIT, is_database_unavailable, masked, presentable
from tests.server.toy import SECRET, TOKEN, database_error


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def first_error(
    client: httpx2.AsyncClient, query: str, variables: dict[str, object] | None = None
) -> dict[str, object]:
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    error: dict[str, object] = response.json()["errors"][0]
    return error


@pytest.mark.parametrize("field", ["boom", "boomRequired", "bareError", "unlisted", "wrongStatement", "tooBig"])
async def test_an_unexpected_error_is_masked_and_found_in_the_log(
    client: httpx2.AsyncClient, lines: io.StringIO, field: str
) -> None:
    """R17: the caller gets an id, the log has the traceback under it."""
    error = await first_error(client, f"{{ {field} }}")
    assert error["message"] == "Internal error"
    assert error["path"] == [field]
    extensions = error["extensions"]
    assert isinstance(extensions, dict)
    assert extensions["code"] == "INTERNAL_ERROR"
    found = [line for line in logged(lines) if line.get("error_id") == extensions["errorId"]]
    assert len(found) == 1
    assert "Error" in str(found[0]["exception"])
    assert found[0]["request_id"]


async def test_each_masked_error_has_its_own_id(client: httpx2.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ a: boom b: boom }"})
    assert len({error["extensions"]["errorId"] for error in response.json()["errors"]}) == 2


async def test_a_domain_error_keeps_message_and_code(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    """R17: what a resolver says on purpose is said, and is no incident."""
    error = await first_error(client, "{ denied }")
    assert (error["message"], error["extensions"]) == ("Ask a super admin.", {"code": "FORBIDDEN"})
    assert [line for line in logged(lines) if line["level"] == "error"] == []


async def test_a_graphql_error_with_a_code_of_the_list_is_kept(client: httpx2.AsyncClient) -> None:
    error = await first_error(client, "{ badCursor }")
    assert (error["message"], error["extensions"]) == ("Bad cursor.", {"code": "BAD_CURSOR", "more": 1})


async def test_a_locked_database_asks_to_try_again(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    error = await first_error(client, "{ locked }")
    extensions = error["extensions"]
    assert isinstance(extensions, dict)
    assert extensions["code"] == "DATABASE_UNAVAILABLE"
    assert "Try again" in str(error["message"])
    assert [line["event"] for line in logged(lines) if line["level"] == "error"] == ["database unavailable"]


@pytest.mark.parametrize(
    ("error", "unavailable"),
    [
        (database_error(sqlite3.SQLITE_BUSY, "database is locked"), True),
        (database_error(sqlite3.SQLITE_READONLY, "attempt to write a readonly database"), True),
        (database_error(sqlite3.SQLITE_IOERR | (7 << 8), "disk I/O error"), True),
        (database_error(sqlite3.SQLITE_ERROR, "no such table"), False),
        (InterfaceError("SELECT", {}, RuntimeError("connection is closed")), True),
        (PoolTimeoutError(), True),
        (ConnectionRefusedError(), True),
        (ValueError("database is locked"), False),
        (sqlite3.IntegrityError("UNIQUE"), False),
    ],
)
def test_a_database_out_of_reach_is_told_from_a_wrong_statement(error: Exception, unavailable: bool) -> None:  # noqa: FBT001
    assert is_database_unavailable(error) is unavailable


@pytest.mark.parametrize(
    ("query", "variables", "code", "message"),
    [
        ("{ hello", None, "GRAPHQL_PARSE_FAILED", "Syntax Error: Expected Name, found <EOF>."),
        ("{ helo }", None, "GRAPHQL_VALIDATION_FAILED", "Cannot query field 'helo' on type 'Query'."),
        ("{ echo(txt: 1) }", None, "GRAPHQL_VALIDATION_FAILED", "Unknown argument 'txt' on field 'Query.echo'."),
        (
            "{ echo(tree: {nam: 1}) }",
            None,
            "GRAPHQL_VALIDATION_FAILED",
            "Expected value of type 'Tree' not to include unknown field 'nam', found: { nam: 1 }.",
        ),
    ],
)
async def test_what_is_wrong_with_a_document_is_said_without_suggestions(
    client: httpx2.AsyncClient, query: str, variables: dict[str, object] | None, code: str, message: str
) -> None:
    """R17: the message is kept; what else the schema has is not offered."""
    error = await first_error(client, query, variables)
    assert (error["message"], error["extensions"]) == (message, {"code": code})


async def test_variables_are_refused_without_suggestions(client: httpx2.AsyncClient) -> None:
    error = await first_error(client, "query($t: Tree) { echo(tree: $t) }", {"t": {"nam": 1}})
    assert error["extensions"] == {"code": "BAD_INPUT"}
    assert str(error["message"]).startswith("Variable '$t'")
    assert "mean" not in str(error["message"])


async def test_the_limits_of_the_parser_are_limits(client: httpx2.AsyncClient) -> None:
    """R34: the same code as for the other limits, and advice."""
    error = await first_error(client, "{" + "a " * 6_000 + "}")
    assert error["extensions"] == {"code": "QUERY_TOO_COMPLEX"}
    assert str(error["message"]).startswith("Document contains more than 5000 tokens. Send values as variables")


async def test_what_was_sent_does_not_come_back_whole(client: httpx2.AsyncClient) -> None:
    error = await first_error(client, '{ echo(number: "' + "x" * 100_000 + '") }')
    assert len(str(error["message"])) <= MESSAGE_LIMIT


def test_a_scalar_may_say_why_it_refuses_a_value() -> None:
    """A value of a variable that a scalar refuses is the caller's to mend; an accident inside the scalar is not shown."""
    refused = presentable(
        GraphQLError("Variable '$at': a time needs a zone", original_error=ValueError("a time needs a zone"))
    )
    assert (refused.message, refused.extensions) == ("Variable '$at': a time needs a zone", {"code": "BAD_INPUT"})
    coerced = presentable(GraphQLError("x", path=["a"], original_error=StrawberryInputCoercionError("No id.")))
    assert coerced.extensions == {"code": "BAD_INPUT"}
    broken = presentable(GraphQLError(f"Variable '$at': {SECRET}", original_error=OSError(SECRET)))
    assert broken.message == "Internal error"


def test_every_code_of_the_resolvers_is_in_the_closed_list() -> None:
    """R17: a code that is not in the list would be masked."""
    assert set(AccessCode) <= CODES


async def test_tokens_and_passwords_do_not_reach_the_log(client: httpx2.AsyncClient, lines: io.StringIO) -> None:
    """No secret in any line, whatever it is part of."""
    await client.post(
        "/graphql",
        json={"query": "{ boom }", "variables": {"token": TOKEN}},
        headers={"Authorization": f"Bearer {TOKEN}", "X-Request-ID": "given-id"},
    )

    masked(
        RuntimeError(f"{TOKEN} and postgresql://me:hunter3@host/db"),
        authorization="x",
        deep={"header": f"Bearer {TOKEN}"},
    )
    text = lines.getvalue()
    assert "internal error" in text
    assert TOKEN not in text
    assert "hunter3" not in text
