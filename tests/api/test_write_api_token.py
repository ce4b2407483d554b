"""One's own API tokens: made once, shown once, never stronger than the token that asks, and nobody else's (P30, T1)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models.api_token import api_tokens
from models.idempotency_key import idempotency_keys
from resolvers.api_token import is_token
from resolvers.sign_in import InvalidTokenError, record_last_uses, sign_in
from schema.node import encode
from tests.api.caller import Caller
from tests.api.write_story import contents
from tests.factory import MOMENT, Factory

SHOWN = "{ id name scopes createdAt expiresAt lastUsedAt revokedAt }"
CREATE = f"""mutation($input: CreateApiTokenInput!, $key: String!) {{
  createApiToken(input: $input) @idempotent(key: $key) {{ token apiToken {SHOWN} userErrors {{ code message field }} }}
}}"""
CREATE_ONCE = CREATE.replace(", $key: String!", "").replace("@idempotent(key: $key)", "")
REVOKE = f"""mutation($input: RevokeApiTokenInput!) {{
  revokeApiToken(input: $input) {{ apiToken {SHOWN} userErrors {{ code message field }} }}
}}"""
LIST = f"""query($first: Int, $after: String) {{ viewer {{ apiTokens(first: $first, after: $after) {{
  totalCount pageInfo {{ hasNextPage endCursor }} nodes {SHOWN} }} }} }}"""


async def somebody(factory: Factory, scopes: str = "read write") -> Caller:
    """A person who belongs to no partner at all: a token needs none."""
    return await Caller.signed_in(factory, await factory.user(), scopes)


async def make(caller: Caller, **values: Any) -> Any:
    payload = (await caller.data(CREATE_ONCE, input={"name": "Dashboard", "scopes": ["read"], **values}))[
        "createApiToken"
    ]
    assert payload["userErrors"] == []
    return payload


async def refused(caller: Caller, query: str, **values: Any) -> Any:
    """Returns the one reason why it is refused; nothing may have been written."""
    before = await contents(caller.database)
    (payload,) = (await caller.data(query, input=values)).values()
    assert await contents(caller.database) == before
    assert payload["apiToken"] is None
    assert payload.get("token") is None
    (refusal,) = payload["userErrors"]
    return refusal


async def test_p30_a_token_is_shown_once_and_signs_in_as_its_owner(factory: Factory) -> None:
    caller = await somebody(factory)
    assert caller.viewer is not None
    made = await make(caller, name="  Night   job ", scopes=["write", "read", "read"], expiresInDays=30)
    assert is_token(made["token"])
    shown = made["apiToken"]
    assert (shown["name"], shown["scopes"], shown["lastUsedAt"], shown["revokedAt"]) == (
        "Night job",
        ["read", "write"],
        None,
        None,
    )
    created, expires = (datetime.fromisoformat(shown[name]) for name in ("createdAt", "expiresAt"))
    assert expires - created == timedelta(days=30)
    viewer = await sign_in(factory.database, made["token"])
    assert (viewer.user_id, sorted(viewer.scopes)) == (caller.viewer.user_id, ["read", "write"])
    assert made["token"] not in str(await contents(factory.database))
    await record_last_uses(factory.database)
    again = await caller.data(f"query($id: ID!) {{ node(id: $id) {{ ... on ApiToken {SHOWN} }} }}", id=shown["id"])
    assert datetime.fromisoformat(again["node"].pop("lastUsedAt")) >= created
    assert again["node"] == {name: value for name, value in shown.items() if name != "lastUsedAt"}
    assert (await make(caller))["apiToken"]["expiresAt"] is None


async def test_p30_a_token_that_only_reads_makes_and_revokes_none(factory: Factory) -> None:
    person = await factory.user()
    full, reader = await Caller.signed_in(factory, person), await Caller.signed_in(factory, person, "read")
    key = (await make(full))["apiToken"]["id"]
    assert await reader.code(CREATE_ONCE, input={"name": "x", "scopes": ["read"]}) == "FORBIDDEN"
    assert await reader.code(REVOKE, input={"apiToken": key}) == "FORBIDDEN"
    nobody = Caller(factory.database, None)
    assert await nobody.code(CREATE_ONCE, input={"name": "x", "scopes": ["read"]}) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["read", "admin"]}, "scopes"),
        ({"scopes": ["READ"]}, "scopes"),
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": 3651}, "expiresInDays"),
    ],
    ids=str,
)
async def test_a_token_that_cannot_be_is_refused_where_it_lies(
    factory: Factory, values: dict[str, Any], place: str
) -> None:
    refusal = await refused(await somebody(factory), CREATE_ONCE, **{"name": "x", "scopes": ["read"], **values})
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", place])


async def test_r22_a_retry_makes_no_second_token_and_has_no_secret_to_tell(factory: Factory) -> None:
    caller = await somebody(factory)
    asked = {"name": "Dashboard", "scopes": ["read"]}
    first = (await caller.data(CREATE, input=asked, key="a"))["createApiToken"]
    again = (await caller.data(CREATE, input=asked, key="a"))["createApiToken"]
    assert is_token(first["token"])
    assert again == {**first, "token": None}
    assert await caller.code(CREATE, input={**asked, "scopes": ["write"]}, key="a") == "IDEMPOTENCY_KEY_MISMATCH"
    async with factory.database.read() as connection:
        answers = (await connection.execute(select(idempotency_keys.c.answer))).scalars().all()
        names = (await connection.execute(select(api_tokens.c.name).where(api_tokens.c.name != "test"))).scalars().all()
    assert len(answers) == len(names) == 1
    assert first["token"] not in str(await contents(factory.database))


async def test_a_revoked_token_opens_nothing_and_revoking_again_changes_nothing(factory: Factory) -> None:
    caller = await somebody(factory)
    made = await make(caller)
    values = {"apiToken": made["apiToken"]["id"]}
    first = (await caller.data(REVOKE, input=values))["revokeApiToken"]
    assert first["userErrors"] == []
    revoked = datetime.fromisoformat(first["apiToken"]["revokedAt"])
    assert timedelta(0) <= datetime.now(UTC) - revoked < timedelta(minutes=5)
    with pytest.raises(InvalidTokenError):
        await sign_in(factory.database, made["token"])
    assert (await caller.data(REVOKE, input=values))["revokeApiToken"] == first


async def test_t1_other_peoples_tokens_are_as_good_as_unknown(factory: Factory) -> None:
    """Also to somebody who acts for the other's partner."""
    partner = await factory.partner()
    boss = await Caller.signed_in(factory, await factory.member(partner, super_admin=True))
    other = await Caller.signed_in(factory, await factory.member(partner))
    made = await make(other)
    key = made["apiToken"]["id"]
    answers = [
        await refused(boss, REVOKE, apiToken=token)
        for token in (key, encode("ApiToken", 10**9), encode("Member", 1), "x")
    ]
    assert answers == [answers[0]] * 4
    assert (answers[0]["code"], answers[0]["field"]) == ("NOT_FOUND", ["input", "apiToken"])
    assert (await boss.data("query($id: ID!) { node(id: $id) { id } }", id=key))["node"] is None
    assert key not in str(await boss.data(LIST))
    assert key in str(await other.data(LIST))
    assert (await sign_in(factory.database, made["token"])).scopes == {"read"}


async def test_ones_own_tokens_are_listed_the_newest_first(factory: Factory) -> None:
    """The revoked and the expired too; no page repeats or skips any."""
    person = await factory.user()
    caller = await Caller.signed_in(factory, person)
    await factory.api_token(person, "read", expires_at=MOMENT, revoked_at=MOMENT)
    await factory.api_token(await factory.user())
    made = [(await make(caller, name=f"Token {number}"))["apiToken"] for number in range(3)]
    pages: list[Any] = []
    after = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append((await caller.data(LIST, first=2, after=after))["viewer"]["apiTokens"])
        after = pages[-1]["pageInfo"]["endCursor"]
    nodes = [node for page in pages for node in page["nodes"]]
    assert [len(page["nodes"]) for page in pages] == [2, 2, 1]
    assert {page["totalCount"] for page in pages} == {5}
    assert nodes[:3] == made[::-1]
    assert [node["name"] for node in nodes[3:]] == ["test", "test"]
    assert nodes[3]["revokedAt"] == nodes[3]["expiresAt"] == "2026-11-01T09:00:00Z"


async def test_p30_a_token_makes_none_that_outlives_it(factory: Factory) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    secret = await factory.api_token(await factory.user(), expires_at=end)
    caller = Caller(factory.database, await sign_in(factory.database, secret))
    for days in (None, 30):
        made = await make(caller, **({} if days is None else {"expiresInDays": days}))
        assert datetime.fromisoformat(made["apiToken"]["expiresAt"]) == end
    sooner = await make(caller, expiresInDays=1)
    assert datetime.fromisoformat(sooner["apiToken"]["expiresAt"]) < end


async def test_p30_write_includes_reading(factory: Factory) -> None:
    caller = await somebody(factory, "write")
    assert (await make(caller, scopes=["read"]))["apiToken"]["scopes"] == ["read"]
    assert (await caller.data("{ viewer { scopes } }"))["viewer"]["scopes"] == ["write"]
