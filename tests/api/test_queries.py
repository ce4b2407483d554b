"""The operations of queries/: each is valid, and a client of another make runs it on the demo agency and gets data."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from gql import Client, gql
from gql.client import AsyncClientSession
from gql.transport.httpx import HTTPXAsyncTransport
from graphql import OperationDefinitionNode, OperationType, build_schema, parse, validate

from models.database import Database
from resolvers.demo.load import load_demo
from resolvers.demo.sign_in import demo_tokens
from resolvers.demo.size import THE_AGENCY
from schema.schema import sdl
from server.service import make_service
from server.setting import Settings
from tests.api.caller import QUERIES, operation
from tests.api.write_story import Story, node_id, pairs, permissions, product
from tests.factory import ClientRow, Factory, MemberRow
from tests.statement_recorder import StatementRecorder

NAMES = sorted(path.stem for path in QUERIES.glob("*.graphql"))
SCHEMA = build_schema(sdl())


def definition(name: str) -> OperationDefinitionNode:
    (only,) = parse(operation(name)).definitions
    assert isinstance(only, OperationDefinitionNode)
    return only


def variables(name: str) -> dict[str, Any]:
    beside = QUERIES / f"{name}.variables.json"
    found: dict[str, Any] = json.loads(beside.read_text()) if beside.exists() else {}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_named_and_says_for_whom_it_is(name: str) -> None:
    found = definition(name)
    assert validate(SCHEMA, parse(operation(name))) == []
    assert found.name is not None
    assert operation(name).startswith("# For ")
    needed = {v.variable.name.value for v in found.variable_definitions or () if v.type.kind == "non_null_type"}
    known = {v.variable.name.value for v in found.variable_definitions or ()}
    assert needed <= variables(name).keys() <= known


def test_every_mutation_and_every_root_has_an_example() -> None:
    used = {
        field.name.value
        for name in NAMES
        for field in definition(name).selection_set.selections
        if hasattr(field, "name")
    }
    query, mutation = SCHEMA.query_type, SCHEMA.mutation_type
    assert query is not None
    assert mutation is not None
    assert used == query.fields.keys() | mutation.fields.keys()


@asynccontextmanager
async def session(database: Database, url: str, token: str) -> AsyncIterator[AsyncClientSession]:
    app = make_service(Settings(database_url=url), database)
    transport = HTTPXAsyncTransport(
        url="http://testserver/graphql",
        transport=httpx2.ASGITransport(app=app),
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    async with Client(transport=transport, schema=SCHEMA, execute_timeout=60) as found:
        yield found


async def test_every_example_gets_data_on_the_demo_agency(database: Database, database_url: str) -> None:
    """Reads first, then the writes one after the other, with the variables that stand beside them."""
    await load_demo(database, THE_AGENCY)
    async with database.write() as writing:
        tokens = await demo_tokens(await writing.connection())
    writes = [name for name in NAMES if definition(name).operation is OperationType.MUTATION]
    reads = [name for name in NAMES if name not in writes]
    async with session(database, database_url, tokens[0].secret) as olivia:
        for name in (*reads, *writes):
            request = gql(operation(name))
            request.variable_values = variables(name)
            data = await olivia.execute(request)
            (root,) = data.values()
            assert root, name
            if name in writes:
                assert root["userErrors"] == [], name
                done = root.get("operation")
                assert done is None or done["counts"]["applied"] > 0, (name, done)
                assert "counts" not in root or root["counts"]["created"] == 1, name
            else:
                assert None not in (root if isinstance(root, list) else [root]), name
                assert all(page["nodes"] for page in first_pages(root)), name


def first_pages(found: Any) -> list[Any]:
    """The outermost connections of an answer."""
    if isinstance(found, dict):
        return [found] if "nodes" in found else [page for value in found.values() for page in first_pages(value)]
    return []


class Crowd:
    """So many people and clients, in all of which the actor is partner admin."""

    def __init__(self, story: Story, people: list[MemberRow], clients: list[ClientRow]) -> None:
        self.story, self.people, self.clients = story, people, clients

    @classmethod
    async def make(cls, story: Story, people: int, clients: int) -> "Crowd":
        factory = story.factory
        mark = f"crowd{time.monotonic_ns()}"
        ours = await factory.permission_set(story.partner, {"contacts.view": "ALL"}, mark)
        made = await factory.members(story.partner, people, default_permission_set_id=ours.id, search_text=mark)
        places = await factory.clients(story.partner, clients, search_text=mark)
        for place in places:
            await story.admin(place)
        crowd = cls(story, made, places)
        crowd.mark, crowd.ours = mark, ours
        return crowd

    mark: str
    ours: Any

    async def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Every operation of the pipeline over the whole crowd, in an order in which each has something to do."""
        story, factory = self.story, self.story.factory
        teams = [{"team": node_id(await factory.team(self.clients[0]))}]
        cells = [(person, client) for person in self.people for client in self.clients][:1000]
        targets = product(self.people, self.clients)
        source = await factory.grant(story.client, await factory.member(story.partner), {"deals.view": "ALL"})
        narrowed = {
            "permissionSet": node_id(self.ours),
            "permissions": permissions({"deals.view": "ALL"})["permissions"],
        }
        matching = {"memberSearch": self.mark, "clientSearch": self.mark}
        change = {"onExisting": "CHANGE"}
        return [
            ("grant_access_dry_run", {"targets": targets, "access": permissions({"contacts.view": "ALL"})}),
            ("grant_access", {"targets": targets, "access": permissions({"contacts.view": "ALL"})}),
            ("grant_by_pairs", {"targets": pairs(*cells), "access": permissions({"deals.view": "ALL"}), **change}),
            (
                "grant_matching",
                {"targets": {"matching": matching}, "access": permissions({"tasks.view": "ALL"}), **change},
            ),
            ("copy_access", {"targets": targets, "access": {"copyFrom": node_id(source)}, **change}),
            ("change_access", {"targets": targets, "access": permissions({"notes.view": "ALL"})}),
            ("assign_teams", {"targets": targets, "teams": teams}),
            ("grant_default_sets", {"targets": targets, "access": {"defaultSet": True}, **change}),
            ("update_permission_set", narrowed),
            ("reapply_permission_set", {"permissionSet": node_id(self.ours)}),
            ("set_default_permission_set", {"member": node_id(self.people[0]), "permissionSet": None}),
            ("delete_permission_set", {"permissionSet": node_id(self.ours)}),
        ]


async def test_t3_a_thousand_cells_need_as_many_statements_as_ten(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """Every write in queries/ over 10 and over 1,000 cells, the answer with its page of outcomes included."""
    story = await Story.begin(factory)

    async def counted(people: int, clients: int) -> dict[str, int]:
        crowd, statements = await Crowd.make(story, people, clients), {}
        for name, asked in await crowd.steps():
            values = {"options": {"dryRun": True}} if name == "grant_access_dry_run" else {}
            with recorder:
                data, codes = await story.run(operation(name), input={**asked, **values}, key=f"{name}{people}")
            assert codes == [], name
            (root,) = data.values()
            assert root["userErrors"] == [], name
            if "operation" in root:
                least = people if name == "assign_teams" else min(people * clients, 1_000)
                assert root["operation"]["counts"]["applied"] >= least, name
                if name == "grant_access":
                    key = root["operation"]["id"]
            statements[name] = recorder.count
        with recorder:
            data, codes = await story.run(operation("operation"), id=key)
        assert data["node"]["outcomes"]["totalCount"] == people * clients
        return {**statements, "operation": recorder.count}

    await counted(1, 1)
    few = await counted(10, 1)
    many = await counted(100, 10)
    assert many == few
    assert max(few.values()) <= 60


def test_every_write_is_counted_or_has_no_cells() -> None:
    writes = {name for name in NAMES if definition(name).operation is OperationType.MUTATION}
    counted = {
        "grant_access_dry_run",
        "grant_access",
        "grant_by_pairs",
        "grant_matching",
        "copy_access",
        "change_access",
        "assign_teams",
        "grant_default_sets",
        "update_permission_set",
        "reapply_permission_set",
        "set_default_permission_set",
        "delete_permission_set",
    }
    assert writes - counted == {
        "add_member",
        "create_api_token",
        "create_permission_set",
        "import_clients",
        "import_members",
        "revoke_api_token",
        "update_client",
        "update_member",
    }


async def test_the_header_idempotency_key_reaches_the_write_through_http(
    database: Database, database_url: str, factory: Factory
) -> None:
    """R22, over the service as it is served: two posts with one key are one operation, another input is refused."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    headers = {"Authorization": f"Bearer {await factory.api_token(story.actor)}", "Idempotency-Key": "once"}
    app = make_service(Settings(database_url=database_url), database)
    asked = {"targets": product([person], [story.client]), "access": permissions({"contacts.view": "ALL"})}
    query = "mutation($input: GrantAccessInput!) { grantAccess(input: $input) { operation { id counts { applied } } } }"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://testserver") as http:

        async def post(values: dict[str, Any]) -> Any:
            body = {"query": query, "variables": {"input": values}}
            return (await http.post("/graphql", json=body, headers=headers)).json()

        first, again = await post(asked), await post(asked)
        other = await post({**asked, "options": {"atomic": True}})
    assert first["data"] == again["data"]
    assert first["data"]["grantAccess"]["operation"]["counts"] == {"applied": 1}
    assert [error["extensions"]["code"] for error in other["errors"]] == ["IDEMPOTENCY_KEY_MISMATCH"]
