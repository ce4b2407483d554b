"""The page that a link opens: it explains, loads nothing, and changes nothing whoever opens it, a mail scanner included."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from models.access_link import access_links, link_approvals
from models.database import Database
from models.grant import grants
from resolvers.issuer import Issuer
from schema.schema import schema
from server.service import make_service
from server.setting import Settings
from tests.factory import Factory
from tests.life_factory import LifeFactory

KEY = "k" * 43


@pytest.fixture
async def http(database: Database, database_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    app = make_service(Settings(database_url=database_url, secret_key=KEY), database)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver") as found:
        yield found


async def test_the_page_says_what_a_link_is_and_what_to_do(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/access-link")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for word in ("access link", "has changed nothing", "GraphiQL", "API token", "#", "<code>accessLink</code>"):
        assert word in answer.text
    assert "<script" not in answer.text


async def test_the_page_names_operations_that_there_are(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/access-link")).text
    sdl = schema.as_str()
    named = set(re.findall(r"<code>([a-z]+[A-Z]\w+)</code>", page))
    assert named == {"accessLink", "approveAccessLink", "declineAccessLink", "confirmRelationship"}
    assert {name for name in named if not re.search(rf"^  {name}\(", sdl, re.MULTILINE)} == set()


async def test_the_page_may_load_nothing_and_leaks_no_address(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/access-link")
    policy = answer.headers["Content-Security-Policy"]
    style = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_the_page_is_for_reading_only(http: httpx2.AsyncClient, method: str) -> None:
    assert (await http.request(method, "/access-link")).status_code == 405


async def test_opening_a_link_changes_nothing(http: httpx2.AsyncClient, factory: Factory, database: Database) -> None:
    """P07: a mail scanner opens every link, some with the token as a parameter."""
    issuer = Issuer(KEY.encode(), "http://testserver/access-link")
    member = await factory.member(await factory.partner())
    link = await LifeFactory(factory, issuer).access_link(member)

    async def everything() -> list[object]:
        async with database.read() as connection:
            return [list(await connection.execute(select(table))) for table in (access_links, link_approvals, grants)]

    before = await everything()
    pages = {
        (await http.request(method, address)).text
        for method in ("GET", "HEAD")
        for address in (issuer.url(link.token), f"/access-link?token={link.token}")
    }
    assert link.token not in "".join(pages)
    assert len(pages) == 2
    assert await everything() == before


async def test_links_lead_to_this_page_and_are_the_same_after_a_new_start(
    database: Database, database_url: str, factory: Factory
) -> None:
    """F15, F57: what the settings say reaches the operations, over HTTP as it is served."""
    member = await factory.member(await factory.partner())
    headers = {"Authorization": f"Bearer {await factory.api_token(member)}"}
    settings = Settings(
        database_url=database_url,
        secret_key=KEY,
        public_url="https://access.example.com",
        survey_url="https://survey.example.com/1",
    )
    query = "mutation { getAccessLink(input: {}) { accessLink { url } userErrors { message } } }"

    async def asked(settings: Settings, query: str) -> Any:
        app = make_service(settings, database)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver") as http:
            return (await http.post("/graphql", json={"query": query}, headers=headers)).json()["data"]

    made = await asked(settings, query)
    url = made["getAccessLink"]["accessLink"]["url"]
    assert re.fullmatch(r"https://access\.example\.com/access-link#[\w-]{43}", url)
    assert await asked(settings, query) == made
    elsewhere = settings.model_copy(update={"link_url": "https://console.example.com/open"})
    moved = await asked(elsewhere, query)
    assert moved["getAccessLink"]["accessLink"]["url"] == url.replace(
        "https://access.example.com/access-link", "https://console.example.com/open"
    )
    assert await asked(settings, "{ partner { surveyUrl } }") == {
        "partner": {"surveyUrl": "https://survey.example.com/1"}
    }
