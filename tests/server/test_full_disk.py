"""A disk that is full in the middle of a write: the caller is told, nothing is half done, and it goes on when there is room."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import event

from models.database import Database
from resolvers.consistency.ledger import findings
from resolvers.timeline_chain.window import seal_everything
from server.service import make_service
from server.setting import Settings
from tests.api.write_story import BRIEF, Story, contents, mutation, permissions, product
from tests.factory import Factory

PAGES_MORE = 2
"""So many pages more, and the disk is full: fewer than the write needs."""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_disk_leaves_nothing_half_done(factory: Factory, database: Database, database_url: str) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 80)
    token = await factory.api_token(story.actor)
    before = await contents(database)
    full = True
    small = Database(database_url, durable=False, pool_size=1)

    def limit(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        # Of this connection alone, and so of the pool's only one.
        cursor.execute(f"PRAGMA max_page_count = {pages + PAGES_MORE if full else 1_000_000}")
        cursor.close()

    event.listen(small.engine.sync_engine, "connect", limit)
    settings = Settings(database_url=database_url, secret_key="k" * 40)
    transport = httpx2.ASGITransport(app=make_service(settings, small))
    asked = {
        "query": mutation("grantAccess", fragment=BRIEF),
        "variables": {
            "input": {
                "targets": product(people, [story.client]),
                "access": permissions({"contacts.view": "OWNED"}),
            }
        },
    }
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "full"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        refused = (await http.post("/graphql", json=asked, headers=headers)).json()
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["DATABASE_UNAVAILABLE"]
        assert "Try again" in refused["errors"][0]["message"]
        assert await contents(database) == before
        read = await http.post("/graphql", json={"query": "{ partner { id } }"}, headers=headers)
        assert read.json()["data"]["partner"]["id"], "reading goes on"
        full = False
        await small.engine.dispose()
        done = (await http.post("/graphql", json=asked, headers=headers)).json()
    assert done["data"]["grantAccess"]["operation"]["counts"]["applied"] == 80
    await small.dispose()
    await seal_everything(database)
    assert [finding.told async for finding in findings(database) if finding.faults] == []
