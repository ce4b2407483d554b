"""The operations of queries/: each is valid, and a client of another make runs it on the demo agency and gets data."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from gql import Client, gql
from gql.client import AsyncClientSession
from gql.transport.httpx import HTTPXAsyncTransport
from graphql import build_schema, parse, validate

from models.database import Database
from resolvers.demo.cast import DEMO_PEOPLE, THE_CLIENT
from resolvers.demo.load import load_demo
from resolvers.demo.sign_in import demo_tokens
from schema.schema import sdl
from server.secret_key import link_issuer
from server.service import make_service
from server.setting import Settings
from tests.api.caller import operation
from tests.api.example import NAMES, READS, WRITES, definition, is_for_the_client, variables
from tests.api.write_story import Story, permissions, product
from tests.factory import Factory

SCHEMA = build_schema(sdl())
ENDINGS = (
    "remove_access",
    "remove_member",
    "revoke_access_link",
    "revoke_confirmation_link",
    "set_ceiling",
    "revoke_partner_access",
)
"""The writes after which there is less for the others to do, in the order in which they are run."""
COURSES = ("cancel_operation", "retry_operation", "undo_operation")
"""The writes that are about operations themselves."""


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
    query, mutation, subscription = SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type
    assert query is not None
    assert mutation is not None
    assert subscription is not None
    assert used == query.fields.keys() | mutation.fields.keys() | subscription.fields.keys()


@asynccontextmanager
async def session(database: Database, settings: Settings, token: str) -> AsyncIterator[AsyncClientSession]:
    app = make_service(settings, database)
    transport = HTTPXAsyncTransport(
        url="http://testserver/graphql",
        transport=httpx2.ASGITransport(app=app),
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    async with Client(transport=transport, schema=SCHEMA, execute_timeout=60) as found:
        yield found


@dataclass
class Demo:
    """The demo agency, and the two who run examples there."""

    olivia: AsyncClientSession
    office: AsyncClientSession
    """The client's own side."""
    slow: AsyncClientSession
    """Olivia again, where every operation is queued."""

    async def run(self, name: str, **known: Any) -> Any:
        """Returns what an example answers to the person for whom it is."""
        request = gql(operation(name))
        request.variable_values = {**variables(name), **known}
        who = self.office if is_for_the_client(name) else self.olivia
        (root,) = (await who.execute(request)).values()
        return root

    async def operations(self) -> list[Any]:
        """The agency's operations, the newest first."""
        found: list[Any] = (await self.run("operations"))["operations"]["nodes"]
        return found

    async def _named(self, name: str) -> dict[str, Any]:
        """What is pasted of operations, and of the colleague who is asked."""
        if name == "retry_operation":
            (latest,) = [found for found in await self.operations() if found["counts"]["rejected"] == 1][:1]
            return {"operation": latest["id"]}
        if name == "undo_operation":
            (latest,) = [found for found in await self.operations() if found["canUndo"]][:1]
            return {"operation": latest["id"]}
        # Of the same operation Olivia has handed off another outcome already.
        listed = (await self.run("hand_offs"))["handOffs"]["nodes"]
        (hers,) = [found for found in listed if found["askedBy"]["user"]["name"] == "Olivia Oakes"]
        return {"operation": hers["operation"]["id"], "to": hers["to"]["id"]}

    async def values(self, name: str) -> dict[str, Any]:
        """What a person pastes from another example, as the words in the variables file tell them."""
        if name == "access_link":
            links = (await self.run("access_links"))["accessLinks"]["nodes"]
            return {"token": links[0]["url"].partition("#")[2]}
        asked = variables(name).get("input", {})
        if name == "cancel_operation":
            request = gql(operation("grant_matching"))
            request.variable_values = variables("grant_matching")
            queued = await self.slow.execute(request)
            return {"input": {"operation": queued["grantAccess"]["operation"]["id"]}}
        if name in {"retry_operation", "undo_operation", "hand_off_operation"}:
            return {"input": {**asked, **(await self._named(name))}}
        if name == "cancel_leave":
            await self.run("schedule_leave", **await self.values("schedule_leave"))
        if "runAt" in asked:
            asked = {**asked, "runAt": (datetime.now(UTC) + timedelta(days=14)).isoformat()}
        if "reviewToken" not in asked:
            return {}
        chosen = asked.get("targets", {}).get("existing", {"members": [asked.get("member")]})
        (member,) = chosen["members"]
        found = await self.run("removal_review", member=member, clients=chosen.get("clients"))
        return {"input": {**asked, "reviewToken": found["removalReview"]["token"]}}


@asynccontextmanager
async def demo(database: Database, url: str) -> AsyncIterator[Demo]:
    settings = Settings(database_url=url, secret_key="k" * 43)
    await load_demo(database, issuer=link_issuer(settings))
    async with database.write() as writing:
        tokens = {token.email: token.secret for token in await demo_tokens(await writing.connection())}
    async with (
        session(database, settings, tokens[DEMO_PEOPLE[0].email]) as olivia,
        session(database, settings, tokens[THE_CLIENT.email]) as office,
        session(database, settings.model_copy(update={"queue_above": 0}), tokens[DEMO_PEOPLE[0].email]) as slow,
    ):
        yield Demo(olivia, office, slow)


async def test_every_example_does_what_it_says_on_the_demo_agency(database: Database, database_url: str) -> None:
    """Reads first, then the writes by name, but those that end something last; with the variables that stand beside them."""
    writes = sorted(WRITES, key=lambda name: ENDINGS.index(name) if name in ENDINGS else -1)
    answers = {}
    async with demo(database, database_url) as stage:
        for name in (*READS, *writes):
            root = answers[name] = await stage.run(name, **await stage.values(name))
            assert root, name
            if name in WRITES:
                assert_done(name, root)
            else:
                assert None not in (root if isinstance(root, list) else [root]), name
                assert all(page["nodes"] for page in first_pages(root)), name
    assert answers["viewer"]["user"]["name"] == "Olivia Oakes"
    assert [account["hubId"] for account in answers["accounts"]["accounts"]] == ["1000001"]
    assert answers["access_link"]["kind"] == "ACCESS_LINK"
    # Who is the only super admin of an account stays one (M1).
    assert verdicts(answers["migrate_to_partner_admin"]) == ["APPLIED", "APPLIED", "LAST_SUPER_ADMIN"]
    dropped, kept, _ = answers["migrate_to_partner_admin"]["operation"]["outcomes"]["nodes"]
    assert "billing" in {lost["permission"]["key"] for lost in dropped["revoked"]}
    assert "billing" not in {lost["permission"]["key"] for lost in kept["revoked"]}
    assert verdicts(answers["retry_operation"]) == ["LAST_SUPER_ADMIN"]
    undone = answers["undo_operation"]["operation"]
    assert undone["dryRun"]
    assert undone["counts"]["applied"] > 0
    cancelled = answers["cancel_operation"]["operation"]
    assert (cancelled["state"], cancelled["counts"]["pending"]) == ("CANCELLED", cancelled["total"])
    assert set(verdicts(answers["reactivate_access"])) == {"APPLIED", "NO_CHANGE"}
    assert handed_over(answers["remove_access"]) == {"Bram Rosmarinho", "Håkon Kamillová", None}
    assert handed_over(answers["remove_member"]) == {"Olivia Oakes"}
    assert answers["remove_member"]["member"]["status"] == "LEFT"
    assert [(person["name"], person["letIn"]) for person in answers["confirm_relationship"]["people"]] == [
        ("Sigrid Salm", True)
    ]
    assert answers["approve_access_link"]["answer"] == "APPROVED"
    assert answers["decline_access_link"]["answer"] == answers["decline_relationship"]["answer"] == "DECLINED"
    assert answers["revoke_partner_access"]["partner"]["activePeople"] == 0
    assert answers["revoke_access_link"]["accessLink"]["state"] == "REVOKED"
    assert answers["revoke_confirmation_link"]["confirmationLink"]["state"] == "REVOKED"
    votes = [answers[name]["wish"]["votes"] for name in ("vote_for_wish", "withdraw_vote")]
    assert votes == [1, 0]


def assert_done(name: str, root: Any) -> None:
    """The write was not refused, and changed something, without anything being left undone."""
    assert root["userErrors"] == [], name
    done = root.get("operation")
    assert name in COURSES or done is None or (done["counts"]["applied"] > 0 and done["counts"]["failed"] == 0), (
        name,
        done,
    )
    new = {"record_assets": {"created": 1}, "record_activity": {"recorded": 2}}.get(name, {})
    assert root.get("counts", {}).items() >= new.items(), name
    assert root.get("changed", True), name
    assert root.get("lowered", 1) > 0, name
    assert root.get("revoked", 1) > 0, name
    assert not root.get("notLowered"), name
    assert not root.get("notRevoked"), name


def verdicts(root: Any) -> list[str]:
    """What became of each cell: why nothing was done, or that it was."""
    return [outcome["code"] or outcome["status"] for outcome in root["operation"]["outcomes"]["nodes"]]


def handed_over(root: Any) -> set[str | None]:
    """Who has taken over assets; None for those that keep their former owner."""
    transfers = [move for outcome in root["operation"]["outcomes"]["nodes"] for move in outcome["assetTransfers"]]
    return {move["to"] and move["to"]["user"]["name"] for move in transfers}


def first_pages(found: Any) -> list[Any]:
    """The outermost connections of an answer."""
    if isinstance(found, dict):
        return [found] if "nodes" in found else [page for value in found.values() for page in first_pages(value)]
    return []


async def test_the_header_idempotency_key_reaches_the_write_through_http(
    database: Database, database_url: str, factory: Factory
) -> None:
    """R22, over the service as it is served: two posts with one key are one operation, another input is refused."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    headers = {"Authorization": f"Bearer {await factory.api_token(story.actor)}", "Idempotency-Key": "once"}
    app = make_service(Settings(database_url=database_url, secret_key="k" * 43), database)
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
