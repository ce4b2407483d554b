"""importClients and importMembers through GraphQL: who may, what is told, and that a try is counted once."""

from typing import Any

import pytest
from sqlalchemy import func, select

from models.client import clients
from models.database import Database
from models.member import members
from resolvers import file_import
from tests.api.caller import Caller
from tests.factory import Factory

CLIENTS = """mutation($csv: String!, $dryRun: Boolean, $first: Int, $after: Int) {
  importClients(input: { csv: $csv, dryRun: $dryRun }) {
    userErrors { code message field } counts { created updated unchanged rejected }
    results(first: $first, afterLine: $after) { line status message client { hubId displayName } }
    rejected: results(status: [REJECTED]) { line }
  }
}"""
MEMBERS = """mutation($csv: String!) {
  importMembers(input: { csv: $csv }) @idempotent(key: "people") {
    userErrors { code } counts { created updated unchanged rejected }
    results { line status message member { kind user { name email } } }
  }
}"""
HEADER = "hub_id,official_name,display_name,domain,account_type,managed_mrr,currency\n"
PEOPLE = "email,first_name,last_name,kind,manager_rights,verified\n"


async def _count(database: Database, table: Any) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def test_clients_are_imported_row_by_row(factory: Factory) -> None:
    caller = await Caller.signed_in(factory, await factory.member(await factory.partner()))
    csv = f"{HEADER}11,One Ltd,One,one.example,STANDARD,10.5,EUR\nx,Bad,,,,,\n12,Two Ltd,,,,,\n"
    rehearsed = (await caller.data(CLIENTS, csv=csv, dryRun=True, first=1, after=0))["importClients"]
    assert rehearsed["counts"] == {"created": 2, "updated": 0, "unchanged": 0, "rejected": 1}
    assert rehearsed["results"] == [{"line": 2, "status": "CREATED", "message": None, "client": None}]
    assert await _count(factory.database, clients) == 0
    told = (await caller.data(CLIENTS, csv=csv, first=10, after=2))["importClients"]
    assert [row["line"] for row in told["results"]] == [3, 4]
    assert told["results"][1]["client"] == {"hubId": "12", "displayName": "Two Ltd"}
    assert "digits only" in told["results"][0]["message"]
    assert told["rejected"] == [{"line": 3}]
    again = (await caller.data(CLIENTS, csv=csv, first=1, after=0))["importClients"]
    assert again["counts"] == {"created": 0, "updated": 0, "unchanged": 2, "rejected": 1}
    assert await caller.code(CLIENTS, csv=csv, first=5_000, after=0) == "BAD_INPUT"


async def test_people_are_imported_once_however_often_it_is_tried(factory: Factory) -> None:
    caller = await Caller.signed_in(factory, await factory.member(await factory.partner()))
    csv = f"{PEOPLE}ada@one.example,Ada,Oak,EMPLOYEE,EDIT,true\nbob@one.example,Bob,Elm,CONTRACTOR,NONE,false\n"
    first = (await caller.data(MEMBERS, csv=csv))["importMembers"]
    assert first["counts"] == {"created": 2, "updated": 0, "unchanged": 0, "rejected": 0}
    assert first["results"][1]["member"] == {
        "kind": "CONTRACTOR",
        "user": {"name": "Bob Elm", "email": "bob@one.example"},
    }
    assert (await caller.data(MEMBERS, csv=csv))["importMembers"] == first
    assert await _count(factory.database, members) == 3


@pytest.mark.parametrize(
    ("csv", "told"),
    [("", "empty"), ("hub_id\n1\n", "official_name"), ("\x00\x01", "not text"), ("\n" * 31, "in parts")],
)
async def test_a_file_that_is_no_table_is_refused_whole(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, csv: str, told: str
) -> None:
    monkeypatch.setattr(file_import, "MOST_LINES", 30)
    caller = await Caller.signed_in(factory, await factory.member(await factory.partner()))
    answer = (await caller.data(CLIENTS, csv=csv, first=1, after=0))["importClients"]
    (refusal,) = answer["userErrors"]
    assert (refusal["code"], refusal["field"]) == ("INVALID_FILE", ["input", "csv"])
    assert told in refusal["message"]
    assert await _count(factory.database, clients) == 0


async def test_f02_an_import_needs_edit(factory: Factory) -> None:
    partner = await factory.partner()
    for rights in ("VIEW", "NONE"):
        caller = await Caller.signed_in(factory, await factory.member(partner, manager_rights=rights))
        answer = (await caller.data(CLIENTS, csv=HEADER, first=1, after=0))["importClients"]
        assert [refusal["code"] for refusal in answer["userErrors"]] == ["FORBIDDEN"]
