"""N05: who had access as of a moment in the past, and what has become of it since."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from models.database import Database
from models.grant import GrantStatus
from models.table import now
from resolvers.consistency.ledger import findings
from resolvers.timeline_chain.window import seal_everything
from schema.node import encode
from tests.api.caller import Caller
from tests.api.ending_story import DEACTIVATE, several
from tests.api.write_story import Story, node_id, permissions, product
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder

FORM = """status accessType seat expired changedAt permissionSetVersion permissions { permission { key } level }
  client { id } member { id } permissionSet { name } operation { kind }"""
AS_OF = f"""query($id: ID!, $at: DateTime!) {{ node(id: $id) {{
  ... on Client {{ accessAsOf(at: $at) {{ {FORM} }} }}
  ... on Member {{ accessAsOf(at: $at) {{ {FORM} }} }} }} }}"""
BETWEEN = f"""query($id: ID!, $since: DateTime!, $until: DateTime!) {{ node(id: $id) {{
  ... on Client {{ accessBetween(since: $since, until: $until) {{
    client {{ id }} member {{ id }} before {{ {FORM} }} after {{ {FORM} }}
    granted {{ permission {{ key }} level }} revoked {{ permission {{ key }} level }} }} }}
  ... on Member {{ accessBetween(since: $since, until: $until) {{ member {{ id }} before {{ status }} after {{ status }} }} }} }} }}"""
VIEW, EDIT = {"contacts.view": "ALL"}, {"contacts.view": "ALL", "contacts.edit": "ALL"}


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> list[timedelta]:
    """How far the service's clock is ahead; the last one counts."""
    ahead, moment = [timedelta()], now()
    monkeypatch.setattr("models.table.clock", SimpleNamespace(now=lambda: moment + ahead[-1]))
    return ahead


async def ask(story: Story, query: str, key: str, field: str, **variables: Any) -> Any:
    caller = Caller(story.factory.database, story.viewer)
    moments = {name: value.isoformat() for name, value in variables.items()}
    return (await caller.data(query, id=key, **moments))["node"][field]


async def as_of(story: Story, key: str, at: datetime) -> Any:
    return await ask(story, AS_OF, key, "accessAsOf", at=at)


def keys(grant: Any) -> set[str]:
    return {found["permission"]["key"] for found in grant["permissions"]}


async def test_n05_each_moment_is_told_as_it_was(factory: Factory, days: list[timedelta]) -> None:
    story = await Story.begin(factory)
    person, other = await factory.members(story.partner, 2)
    client, member = node_id(story.client), node_id(person)
    beginning = now()

    def day(number: int) -> datetime:
        return beginning + timedelta(days=number)

    days.append(timedelta(days=1))
    await story.grant(person, permissions(VIEW))
    days.append(timedelta(days=2))
    await story.outcomes(
        "changeAccess",
        targets=product([person], [story.client]),
        access=permissions(EDIT),
        expiresAt=day(6).isoformat(),
    )
    days.append(timedelta(days=3))
    await several(story, DEACTIVATE, [person], [story.client])
    days.append(timedelta(days=4))
    await story.grant(other, permissions(VIEW))
    days.append(timedelta(days=9))
    assert await as_of(story, member, day(0)) == []
    (first,) = await as_of(story, member, day(1))
    assert (first["status"], first["accessType"], keys(first)) == ("ACTIVE", "STANDARD", {"contacts.view"})
    assert (first["client"]["id"], first["member"]["id"], first["operation"]["kind"]) == (client, member, "GRANT")
    (second,) = await as_of(story, member, day(2) + timedelta(hours=5))
    assert (second["status"], keys(second), second["expired"]) == ("ACTIVE", {"contacts.view", "contacts.edit"}, False)
    assert datetime.fromisoformat(second["changedAt"]) == day(2)
    (third,) = await as_of(story, member, day(4))
    assert (third["status"], third["operation"]["kind"], third["expired"]) == ("DEACTIVATED", "DEACTIVATE", False)
    (late,) = await as_of(story, member, day(7))
    assert (late["status"], late["expired"]) == ("DEACTIVATED", True)
    there = await as_of(story, client, day(4))
    assert [found["member"]["id"] for found in there if found["member"]["id"] != node_id(story.actor)] == [
        member,
        node_id(other),
    ]
    assert third in there


async def test_n05_a_clock_that_is_set_back_disorders_nothing(factory: Factory, days: list[timedelta]) -> None:
    """As on a machine whose time was put right, or on one of several that is behind by some milliseconds."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    beginning = now()
    days.append(timedelta(days=3))
    await story.grant(person, permissions(VIEW))
    days.append(timedelta(days=2, hours=1))
    # Of what is written elsewhere meanwhile, the keys are higher and the moments lower.
    elsewhere = await factory.client(story.partner)
    await story.admin(elsewhere)
    await story.outcomes("grantAccess", targets=product([person], [elsewhere]), access=permissions(VIEW))
    await story.change(person, permissions(EDIT))
    await several(story, DEACTIVATE, [person], [story.client])
    days.append(timedelta(days=2, hours=2))
    ended = next(
        found
        for found in await as_of(story, node_id(person), beginning + timedelta(days=9))
        if found["client"]["id"] == node_id(story.client)
    )
    assert (ended["status"], keys(ended)) == ("DEACTIVATED", {"contacts.view", "contacts.edit"})
    assert datetime.fromisoformat(ended["changedAt"]) == beginning + timedelta(days=3)
    there = await as_of(story, node_id(person), now())
    assert [found["client"]["id"] for found in there] == [node_id(elsewhere)]
    await seal_everything(factory.database)
    assert {finding.check.key: finding.told async for finding in findings(factory.database) if finding.faults} == {}


async def test_n05_a_clock_that_was_far_ahead_is_not_waited_for(factory: Factory, days: list[timedelta]) -> None:
    """What it has written stands in the future; what comes when it is right again is found where it belongs."""
    story = await Story.begin(factory)
    person, other = await factory.members(story.partner, 2)
    beginning = now()
    days.append(timedelta(days=9_000))
    await story.grant(person, permissions(VIEW))
    days.append(timedelta(days=1))
    await story.grant(other, permissions(VIEW))
    await story.change(other, permissions(EDIT))
    (found,) = await as_of(story, node_id(other), beginning + timedelta(days=2))
    assert (keys(found), datetime.fromisoformat(found["changedAt"])) == (
        {"contacts.view", "contacts.edit"},
        beginning + timedelta(days=1),
    )
    assert await as_of(story, node_id(person), beginning + timedelta(days=2)) == []


async def test_n05_two_moments_differ_by_what_came_and_went(factory: Factory, days: list[timedelta]) -> None:
    story = await Story.begin(factory)
    person, other, gone = await factory.members(story.partner, 3)
    await story.grant(person, permissions(VIEW))
    removed = await factory.grant(story.client, gone, VIEW)
    since = now() + timedelta(hours=1)
    days.append(timedelta(days=1))
    await story.change(person, permissions({"deals.view": "ALL"}))
    await story.grant(other, permissions(VIEW))
    await factory.move(removed, GrantStatus.DEACTIVATED)
    until = now()
    found = await ask(story, BETWEEN, node_id(story.client), "accessBetween", since=since, until=until)
    by_member = {difference["member"]["id"]: difference for difference in found}
    # The factory's own moves have the factory's moment: for the timeline they happened before.
    assert by_member.keys() == {node_id(person), node_id(other)}
    changed, came = by_member[node_id(person)], by_member[node_id(other)]
    assert [at["permission"]["key"] for at in changed["granted"]] == ["deals.view"]
    assert [at["permission"]["key"] for at in changed["revoked"]] == ["contacts.view"]
    assert (came["before"], came["after"]["status"], came["revoked"]) == (None, "ACTIVE", [])
    backwards = await ask(story, BETWEEN, node_id(story.client), "accessBetween", since=until, until=since)
    assert {difference["member"]["id"] for difference in backwards} == by_member.keys()
    told = await ask(story, BETWEEN, node_id(other), "accessBetween", since=since, until=until)
    assert told == [{"member": {"id": node_id(other)}, "before": None, "after": {"status": "ACTIVE"}}]
    assert await ask(story, BETWEEN, node_id(story.client), "accessBetween", since=until, until=until) == []


async def test_n05_t1_the_past_of_others_is_not_told(factory: Factory) -> None:
    story, other = await Story.begin(factory), await Story.begin(factory)
    shared = await factory.client(other.partner, account=await factory.account())
    await factory.grant(shared, await factory.member(other.partner), VIEW)
    caller = Caller(story.factory.database, story.viewer)
    answer = await caller.data(AS_OF, id=node_id(shared), at=now().isoformat())
    assert answer["node"] is None
    reader = await Caller.signed_in(factory, await factory.member(story.partner, manager_rights="NONE"))
    answer = await reader.data(AS_OF, id=node_id(story.client), at=now().isoformat())
    assert answer["node"] is None


async def test_n05_a_page_of_clients_costs_the_same_however_many_there_are(
    factory: Factory, database: Database
) -> None:
    story = await Story.begin(factory)
    query = f"""query($id: ID!, $at: DateTime!) {{ partner(id: $id) {{
      clients(first: 100) {{ nodes {{ accessAsOf(at: $at) {{ {FORM} }} }} }} }} }}"""
    caller, counts = Caller(factory.database, story.viewer), []
    for number in (1, 12):
        people = await factory.members(story.partner, 2)
        for client in await factory.clients(story.partner, number):
            for person in people:
                await factory.grant(client, person, VIEW)
        with StatementRecorder(database) as recorder:
            await caller.data(query, id=encode("Partner", story.partner.id), at=now().isoformat())
        counts.append(recorder.count)
    assert counts[0] == counts[1]
