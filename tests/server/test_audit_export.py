"""`GET /export/timeline` and `GET /export/elevated-access` over the service as it is served (F55, P23)."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import event

from models.database import Database
from resolvers.export import elevated_access, timeline
from schema.node import encode
from server.audit_export import ELEVATED_ACCESS_PATH, TIMELINE_PATH
from server.service import make_service
from server.setting import Settings
from tests.api.client_story import REVOKE, ClientStory
from tests.api.write_story import Story, node_id, permissions
from tests.factory import MOMENT, Factory

PATHS = (TIMELINE_PATH, ELEVATED_ACCESS_PATH)


class Auditor:
    """Somebody who downloads."""

    def __init__(self, database: Database, url: str) -> None:
        app = make_service(Settings(database_url=url, secret_key="k" * 43), database)
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver")
        self.token: str | None = None

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return await self.http.get(path, params=query, headers=headers)

    async def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The rows as JSON lines tell them, which CSV must tell as well."""
        told = await self.get(path, format="jsonl", **query)
        assert (told.status_code, told.headers["content-type"]) == (200, "application/x-ndjson; charset=utf-8")
        rows = [json.loads(line) for line in told.text.splitlines()]
        table = await self.get(path, **query)
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert [row["id"] for row in csv.DictReader(io.StringIO(table.text))] == [row["id"] for row in rows]
        return rows

    async def refused(self, path: str, **query: Any) -> tuple[int, str]:
        answer = await self.get(path, **query)
        (error,) = answer.json()["errors"]
        return answer.status_code, error["extensions"]["code"]


@pytest.fixture
def auditor(database: Database, database_url: str) -> Auditor:
    return Auditor(database, database_url)


async def test_f55_the_timeline_is_exported_the_oldest_first(
    auditor: Auditor, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, each entry once, as the list with the same filter shows them; no cell is a formula."""
    monkeypatch.setattr(timeline, "ROWS_AT_ONCE", 2)
    story = await Story.begin(factory, display_name="=HYPERLINK(1)")
    nina = await factory.member(story.partner, "@Nina New")
    told = await story.grant(nina, permissions({"contacts.view": "ALL"}), options={"reason": '-2+3\nfor them, "all"'})
    await story.change(nina, permissions({"contacts.view": "TEAM", "deals.view": "OWNED"}))
    auditor.token = await factory.api_token(story.actor, "read")
    rows = await auditor.rows(TIMELINE_PATH)
    assert [row["kind"] for row in rows] == ["GRANT", "GRANT", "CHANGE"]
    assert list(rows[0]) == list(timeline.COLUMNS)
    given, changed = rows[1:]
    assert given == {
        **dict.fromkeys(timeline.COLUMNS),
        "id": given["id"],
        "at": given["at"],
        "kind": "GRANT",
        "operation": given["operation"],
        "partner": story.partner.name,
        "hub_id": str(story.client.hub_id),
        "client": "=HYPERLINK(1)",
        "person_name": "@Nina New",
        "person_email": nina.email,
        "asked_for": "PARTNER",
        "asked_by_name": given["asked_by_name"],
        "reason": '-2+3\nfor them, "all"',
        "after_status": "ACTIVE",
        "after_access_type": "STANDARD",
        "after_seat": "PARTNER",
        "granted": ["contacts.view:ALL"],
        "revoked": [],
    }
    assert given["asked_by_name"]
    assert (changed["granted"], changed["revoked"], changed["before_status"]) == (
        ["deals.view:OWNED"],
        ["contacts.view:TEAM<ALL"],
        "ACTIVE",
    )
    answer = await auditor.get(TIMELINE_PATH)
    assert answer.headers["content-disposition"] == 'attachment; filename="timeline.csv"'
    assert answer.headers["cache-control"] == "no-store"
    cells = list(csv.DictReader(io.StringIO(answer.text)))[1]
    assert (cells["client"], cells["person_name"], cells["reason"].splitlines()[0]) == (
        *("'=HYPERLINK(1)", "'@Nina New", "'-2+3"),
    )
    for query, number in (
        ({"kind": ["CHANGE", "REMOVE"]}, 1),
        ({"kind": "grant", "member": node_id(nina)}, 1),
        ({"member": [node_id(nina), node_id(story.actor)]}, 3),
        ({"client": node_id(story.client), "search": "nina"}, 2),
        ({"grant": told.grant["id"]}, 2),
        ({"askedFor": "SERVICE"}, 1),
        ({"askedBy": encode("User", story.actor.user_id)}, 2),
        ({"askedByName": given["asked_by_name"]}, 2),
        ({"operation": given["operation"]}, 1),
        ({"until": (MOMENT - timedelta(days=1)).isoformat()}, 0),
        ({"since": "2026-01-01T00:00:00Z", "partner": encode("Partner", story.partner.id)}, 3),
        ({"member": "nonsense"}, 0),
    ):
        assert len(await auditor.rows(TIMELINE_PATH, **query)) == number, query


async def test_p23_the_elevated_access_is_exported_client_by_client(
    auditor: Auditor, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevated_access, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(elevated_access, "CLIENTS_AT_ONCE", 1)
    story = await ClientStory.begin(factory)
    ada, zoe = await story.someone(name="Ada Admin"), await story.someone(name="Zoe Zorn")
    second = await factory.client(story.partner)
    await factory.super_admin(second, ada)
    una = await story.someone(name="Una Usual")
    held = [await factory.partner_admin(story.client, person) for person in (ada, zoe, una)]
    await factory.grant(story.client, await story.someone(), {"contacts.view": "ALL"})
    assert (await story.decide(REVOKE, person=encode("AccountPerson", held[1].id), reason="Left."))["revoked"] == 1
    auditor.token = await factory.api_token(ada, "read")
    rows = await auditor.rows(ELEVATED_ACCESS_PATH)
    assert [(row["person_name"], row["access_type"], row["hub_id"]) for row in rows] == [
        *((name, "PARTNER_ADMIN", str(story.client.hub_id)) for name in ("Ada Admin", "Zoe Zorn", "Una Usual")),
        ("Ada Admin", "SUPER_ADMIN", str(second.hub_id)),
    ]
    assert list(rows[0]) == list(elevated_access.COLUMNS)
    zoes = rows[1]
    assert (zoes["still_held"], zoes["ended_for"], zoes["ended_by_name"], zoes["end_kind"], zoes["end_reason"]) == (
        *(False, "CLIENT", None, "REMOVE", "Left."),
    )
    assert zoes["ended_at"] == zoes["until"]
    assert (rows[0]["until"], rows[0]["still_held"], rows[0]["granted_for"], rows[0]["grant_kind"]) == (
        *(None, True, "SERVICE", "GRANT"),
    )
    assert "billing" in rows[3]["sensitive_permissions"]
    for query, number in (
        ({"accessType": "SUPER_ADMIN"}, 1),
        ({"permission": "billing"}, 1),
        ({"member": encode("Member", ada.id)}, 2),
        ({"client": encode("Client", second.id)}, 1),
        ({"client": "nonsense"}, 0),
        ({"stillHeld": "false"}, 1),
        ({"search": "zoe"}, 1),
        ({"until": "2026-01-01T00:00:00Z"}, 0),
    ):
        assert len(await auditor.rows(ELEVATED_ACCESS_PATH, **query)) == number, query
    auditor.token = await factory.api_token(story.owner, "read")
    key = encode("Account", story.account.id)
    told = await auditor.rows(ELEVATED_ACCESS_PATH, account=key)
    assert [(row["partner"], row["person_name"], row["ended_by_name"], row["hub_id"]) for row in told] == [
        *(
            ("North Agency", name, story.owner.email if name == "Zoe Zorn" else None, str(story.account.hub_id))
            for name in ("Ada Admin", "Zoe Zorn", "Una Usual")
        ),
        (None, story.owner.email, None, str(story.account.hub_id)),
    ]
    whole = await auditor.rows(TIMELINE_PATH, account=key)
    assert [row["person_name"] for row in whole][-1] == "Zoe Zorn"
    assert len(whole) == 6
    assert {row["operation"] for row in whole} == {None}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p23_a_part_of_the_report_reads_no_entries_of_other_parts(
    auditor: Auditor, factory: Factory, database: Database
) -> None:
    """However many the agency has, and however many states occur in them: SQLite says how it goes about it."""
    story = await Story.begin(factory)
    auditor.token = await factory.api_token(story.actor)
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        statements.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    await auditor.get(ELEVATED_ACCESS_PATH)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    ((statement, parameters),) = (one for one in statements if "state_mark" in one[0])
    async with database.read() as connection:
        steps = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
    said = [step.detail for step in steps]
    assert "SEARCH entry_of_part USING COVERING INDEX ix_timeline_entry_client (client_id=?)" in said
    assert not any(detail.startswith(("SCAN state_mark", "SCAN timeline_entry")) for detail in said)
    reads = [detail for detail in said if detail.startswith("SEARCH timeline_entry")]
    assert reads
    assert all("rowid=?" in detail for detail in reads)


async def test_f02_t1_who_may_not_look_gets_nothing(auditor: Auditor, factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    closed, member = await story.someone(manager_rights="NONE"), await story.someone()
    south = await story.other_agency()
    stranger = await story.someone(south)
    reader = await factory.user()
    await factory.own_person(story.account, reader, {"contacts.view": "ALL"})
    account, partner = encode("Account", story.account.id), encode("Partner", story.partner.id)
    token = await factory.api_token(member, "read")
    for sent, query, refusal in (
        (None, {}, (401, "UNAUTHENTICATED")),
        ("cam_nonsense", {}, (401, "UNAUTHENTICATED")),
        (await factory.api_token(closed), {}, (403, "FORBIDDEN")),
        (await factory.api_token(reader), {"account": account}, (403, "FORBIDDEN")),
        (await factory.api_token(stranger), {"account": account}, (404, "NOT_FOUND")),
        (await factory.api_token(stranger), {"partner": partner}, (404, "NOT_FOUND")),
        (token, {"account": account}, (404, "NOT_FOUND")),
        (token, {"account": "nonsense"}, (404, "NOT_FOUND")),
        (token, {"partner": "nonsense"}, (404, "NOT_FOUND")),
        (token, {"partner": partner, "account": account}, (400, "BAD_INPUT")),
        (token, {"format": "xlsx"}, (400, "BAD_INPUT")),
        (token, {"clients": "x"}, (400, "BAD_INPUT")),
        (token, {"since": "yesterday"}, (400, "BAD_INPUT")),
        (token, {"client": ["x"] * 1_001}, (400, "BAD_INPUT")),
        (token, {"search": "x" * 201}, (400, "BAD_INPUT")),
    ):
        auditor.token = sent
        for path in PATHS:
            assert await auditor.refused(path, **query) == refusal, (path, query)
    auditor.token = token
    assert await auditor.refused(TIMELINE_PATH, kind="NOTHING") == (400, "BAD_INPUT")
    assert await auditor.refused(TIMELINE_PATH, operation="nonsense") == (404, "NOT_FOUND")
    assert await auditor.refused(TIMELINE_PATH, operation=encode("Operation", 10**9)) == (404, "NOT_FOUND")
    for wrong in (
        {"accessType": "BOSS"},
        {"permission": "contacts.view"},
        {"stillHeld": "perhaps"},
        {"operation": encode("Operation", 1)},
        {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
    ):
        assert await auditor.refused(ELEVATED_ACCESS_PATH, **wrong) == (400, "BAD_INPUT")


async def test_what_goes_wrong_before_the_first_row_has_a_status(
    auditor: Auditor, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(timeline, "_page", broken)
    auditor.token = await factory.api_token((await Story.begin(factory)).actor)
    answer = await auditor.get(TIMELINE_PATH)
    assert answer.status_code == 500
    assert "inside" not in answer.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_would_look_like_a_quiet_time_is_refused(auditor: Auditor, factory: Factory) -> None:
    """A period the wrong way round, or in the future; one of two values; a plus that has become a space."""
    auditor.token = await factory.api_token((await Story.begin(factory)).actor, "read")
    early, late = "2026-01-01T00:00:00Z", "2126-01-01T00:00:00Z"
    wrong: list[tuple[str, dict[str, Any], str]] = [
        *((path, {"since": late, "until": early}, "until must be later than since") for path in PATHS),
        *((path, {"since": [early, late]}, "Give since once") for path in PATHS),
        *((path, {"since": "2026-01-01T00:00:00 02:00"}, "%2B") for path in PATHS),
        (ELEVATED_ACCESS_PATH, {"since": late, "until": "2127-01-01T00:00:00Z"}, "begins in the future"),
        ("/export/matrix", {"clients": "x"}, "no parameter clients"),
        ("/export/matrix", {"format": ["csv", "json"]}, "Give format once"),
    ]
    for path, query, told in wrong:
        assert await auditor.refused(path, **query) == (400, "BAD_INPUT")
        assert told in (await auditor.get(path, **query)).json()["errors"][0]["message"]
    assert (await auditor.get("/export/matrix", client=["x", "y"])).status_code == 200
