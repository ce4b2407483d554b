"""`GET /export/matrix` over the service as it is served (P28)."""

import json
from typing import Any

import httpx2
import pytest

from models.database import Database
from resolvers.matrix import export
from schema.node import encode
from server.export import PATH
from server.service import make_service
from server.setting import Settings
from tests.api.write_story import Story
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder


@pytest.fixture
async def story(factory: Factory) -> Story:
    """An agency with one client and one partner admin, and another agency."""
    await Story.begin(factory)
    return await Story.begin(factory)


class Browser:
    """Somebody who downloads."""

    def __init__(self, story: Story, url: str) -> None:
        self.story = story
        app = make_service(Settings(database_url=url, secret_key="k" * 43), story.database)
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver")

    async def get(self, token: str | None, **query: Any) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.http.get(PATH, params=query, headers=headers)


@pytest.fixture
def browser(story: Story, database_url: str) -> Browser:
    return Browser(story, database_url)


def code(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    found: str = error["extensions"]["code"]
    return found


async def test_a_matrix_is_downloaded_as_csv_or_json(browser: Browser, factory: Factory) -> None:
    token = await factory.api_token(browser.story.actor, "read")
    answer = await browser.get(token)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="access-matrix.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.splitlines()[1:] == [
        f"{browser.story.actor.email},{browser.story.client.hub_id},Partner Admin,1,PARTNER,,false,ACTIVE,1"
    ]
    partner = encode("Partner", browser.story.partner.id)
    answer = await browser.get(token, format="json", partner=partner)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    ((row),) = json.loads(answer.text)
    assert (row["email"], row["grant_version"]) == (browser.story.actor.email, 1)
    for narrowed, count in (
        ({"client": encode("Client", browser.story.client.id)}, 1),
        ({"member": encode("Member", browser.story.actor.id)}, 1),
        ({"client": "nonsense"}, 0),
        ({"member": encode("Client", browser.story.client.id)}, 0),
    ):
        assert len((await browser.get(token, format="json", **narrowed)).json()) == count


async def test_f02_t1_who_may_not_look_gets_nothing(browser: Browser, factory: Factory) -> None:
    story = browser.story
    closed = await factory.member(story.partner, manager_rights="NONE")
    token = await factory.api_token(story.actor, "read")
    for sent, query, status, said in (
        (None, {}, 401, "UNAUTHENTICATED"),
        ("cam_nonsense", {}, 401, "UNAUTHENTICATED"),
        (await factory.api_token(closed), {}, 403, "FORBIDDEN"),
        (await factory.api_token(await factory.user()), {}, 403, "FORBIDDEN"),
        (token, {"partner": encode("Partner", story.partner.id - 1)}, 404, "NOT_FOUND"),
        (token, {"partner": "nonsense"}, 404, "NOT_FOUND"),
        (token, {"format": "xlsx"}, 400, "BAD_INPUT"),
        (token, {"client": ["x"] * 1_001}, 400, "BAD_INPUT"),
    ):
        answer = await browser.get(sent, **query)
        assert (answer.status_code, code(answer)) == (status, said), query
    other = await factory.partner()
    await factory.member(other, user=story.actor)
    answer = await browser.get(token)
    assert (answer.status_code, code(answer)) == (400, "BAD_INPUT")
    assert (await browser.get(token, partner=encode("Partner", other.id))).text.count("\n") == 1


async def test_what_goes_wrong_before_the_first_row_has_a_status(
    browser: Browser, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_ids: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(export, "_rows", broken)
    answer = await browser.get(await factory.api_token(browser.story.actor))
    assert (answer.status_code, code(answer)) == (500, "INTERNAL_ERROR")
    assert "inside" not in answer.text


async def test_a_large_matrix_is_read_in_parts(
    browser: Browser, database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole clients, as many as have about so many people; each grant is there once."""
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 5)
    for place in await factory.clients(browser.story.partner, 5):
        for person in await factory.members(browser.story.partner, 2):
            await factory.grant(place, person)
    token = await factory.api_token(browser.story.actor)
    await browser.get(token)
    with StatementRecorder(database) as recorder:
        rows = (await browser.get(token, format="json")).json()
    assert len({(row["email"], row["hub_id"]) for row in rows}) == len(rows) == 11
    assert len([text for text in recorder.statements if "grant_version" in text or "customised" in text]) == 3
