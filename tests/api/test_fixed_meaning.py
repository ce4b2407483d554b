"""What a queued operation means is fixed when it is asked for; what cannot be done any more by then has an outcome of its own."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table, delete, func, select, update

from models.grant import grants
from models.member import members
from models.operation import operations
from models.permission_set import permission_set_versions, permission_sets
from models.team import grant_teams, teams
from resolvers.issuer import EPHEMERAL
from resolvers.operation.chunk import work_once
from resolvers.operation.queue import QueueLimits
from tests.api.durable_story import RETRY, VIEW, ask, begin, cells, course
from tests.api.write_story import APPLIED, NO_CHANGE, Story, node_id, permissions, product
from tests.factory import MOMENT, Factory, GrantRow, MemberRow, SetRow, TeamRow, removal
from tests.statement_recorder import StatementRecorder

UPDATE_SET = (
    """mutation($input: UpdatePermissionSetInput!) { updatePermissionSet(input: $input) { userErrors { code } } }"""
)
CONTACTS, DEALS, TASKS = ({f"{area}.view": "ALL"} for area in ("contacts", "deals", "tasks"))


async def change(story: Story, table: Table, key: int, **values: Any) -> None:
    async with story.database.write() as session:
        await (await session.connection()).execute(update(table).where(table.c.id == key).values(values))


async def edited(story: Story, made: SetRow, levels: dict[str, str]) -> int:
    """Gives a set other permissions, and returns the key of its version with them."""
    changes = {"permissionSet": node_id(made), "permissions": permissions(levels)["permissions"]}
    data, codes = await story.run(UPDATE_SET, input=changes)
    assert (codes, data["updatePermissionSet"]["userErrors"]) == ([], [])
    newest = select(func.max(permission_set_versions.c.id)).where(permission_set_versions.c.set_id == made.id)
    async with story.database.read() as connection:
        return int(await connection.scalar(newest) or 0)


async def held(story: Story, *people: MemberRow) -> set[tuple[int | None, int]]:
    """The version of the set and the state of each of these people's grants, each of them once."""
    ours = grants.c.member_id.in_([person.id for person in people])
    async with story.database.read() as connection:
        rows = await connection.execute(select(grants.c.set_version_id, grants.c.state_id).where(ours))
        return {(row.set_version_id, row.state_id) for row in rows}


@pytest.mark.parametrize("becomes", ["other permissions", "no access"])
async def test_f50_what_is_copied_is_what_the_grant_was_when_it_was_asked_for(factory: Factory, becomes: str) -> None:
    """Every chunk gives the same, whatever becomes of the grant."""
    story, people, clients = await begin(factory)
    made = await factory.permission_set(story.partner, CONTACTS)
    source = await factory.grant(clients[0], await factory.member(story.partner), permission_set=made)
    queued = await ask(story, product(people, clients), access={"copyFrom": node_id(source)})
    await work_once(story.database, EPHEMERAL, story.partner.id)
    if becomes == "no access":
        await change(story, grants, source.id, **removal())
    else:
        await change(story, grants, source.id, state_id=await factory.state(DEALS), set_version_id=None)
    await story.work()
    assert (await story.told(queued["id"]))["counts"]["applied"] == 12
    assert await held(story, *people) == {(made.version_id, made.state_id)}


async def test_f50_a_copied_set_that_is_archived_meanwhile_is_not_remembered(factory: Factory) -> None:
    story, people, clients = await begin(factory, chunk_cells=100)
    made = await factory.permission_set(story.partner, CONTACTS)
    source = await factory.grant(clients[0], await factory.member(story.partner), permission_set=made)
    await ask(story, product(people, clients), access={"copyFrom": node_id(source)})
    await change(story, permission_sets, made.id, archived_at=MOMENT)
    await story.work()
    assert await held(story, *people) == {(None, made.state_id)}


async def test_f51_each_persons_default_set_is_that_of_when_it_was_asked_for(factory: Factory) -> None:
    """Neither another version nor another default set counts; a set that was archived since then gives nothing."""
    story, people, clients = await begin(factory)
    first, second, third = [await factory.permission_set(story.partner, levels) for levels in (CONTACTS, DEALS, TASKS)]
    for person, made in zip(people, (first, second, third), strict=True):
        await change(story, members, person.id, default_permission_set_id=made.id)
    late = await factory.member(story.partner)
    queued = await ask(story, product([*people, late], clients), access={"defaultSet": True})
    await work_once(story.database, EPHEMERAL, story.partner.id)
    await edited(story, first, TASKS)
    await change(story, members, people[1].id, default_permission_set_id=first.id)
    await change(story, members, late.id, default_permission_set_id=first.id)
    await change(story, permission_sets, third.id, archived_at=MOMENT)
    await story.work()
    assert await held(story, people[0]) == {(first.version_id, first.state_id)}
    assert await held(story, people[1]) == {(second.version_id, second.state_id)}
    told = cells(await story.told(queued["id"]))
    nothing = ("REJECTED", "NO_PERMISSION_SET")
    assert {verdict for (person, _), verdict in told if person == node_id(late)} == {nothing}
    assert [verdict for (person, _), verdict in told if person == node_id(people[2])] == [
        APPLIED,
        *[nothing] * (len(clients) - 1),
    ]


async def test_p12_the_current_version_is_that_of_when_it_was_asked_for(factory: Factory) -> None:
    """And nobody who has come to a later one meanwhile is brought back from it."""
    story, people, clients = await begin(factory)
    made = await factory.permission_set(story.partner, CONTACTS)
    other = await factory.permission_set(story.partner, TASKS)
    for client in clients:
        for person, given in zip(people, (made, made, other), strict=True):
            await factory.grant(client, person, permission_set=given)
    meant = await edited(story, made, CONTACTS | DEALS)
    targets = product(people, clients)
    queued = await ask(story, targets, "reapplyPermissionSet")
    await work_once(story.database, EPHEMERAL, story.partner.id)
    late = await edited(story, made, CONTACTS | TASKS)
    plain = replace(story, limits=QueueLimits())
    await plain.operation(
        "changeAccess", targets=product(people[:1], clients[-1:]), access={"permissionSet": node_id(made)}
    )
    await story.work()
    told = cells(await story.told(queued["id"]))
    assert dict(told)[(node_id(people[0]), node_id(clients[-1]))] == NO_CHANGE
    assert {version_id for version_id, _ in await held(story, people[0])} == {meant, late}
    assert {version_id for version_id, _ in await held(story, people[1])} == {meant}
    assert await held(story, people[2]) == {(other.version_id, other.state_id)}


async def test_p01_trying_again_asks_for_what_there_is_now(factory: Factory) -> None:
    """R5: what was taken from the copied grant meanwhile is given to nobody any more."""
    story, people, clients = await begin(factory)
    elsewhere = await factory.client(story.partner)
    source = await factory.grant(clients[0], await factory.member(story.partner), CONTACTS | DEALS)
    queued = await ask(story, product(people, [elsewhere]), access={"copyFrom": node_id(source)})
    await story.work()
    await story.admin(elsewhere)
    await change(story, grants, source.id, state_id=await factory.state(CONTACTS))
    plain = replace(story, limits=QueueLimits())
    again = await course(plain, RETRY, operation=queued["id"], includeRejected=True)
    assert {verdict for _, verdict in cells(again["operation"])} == {APPLIED}
    assert await held(story, *people) == {(None, await factory.state(CONTACTS))}


async def test_t3_a_chunk_takes_as_many_statements_with_a_meaning_of_its_own_for_each_person(factory: Factory) -> None:
    """Three people with three default sets or twelve with twelve."""
    story, people, clients = await begin(factory, chunk_cells=1000)
    counts = []
    # The first one also writes what is written once.
    for crowd in ([await factory.member(story.partner)], people, await factory.members(story.partner, 12)):
        for person in crowd:
            made = await factory.permission_set(story.partner, CONTACTS)
            await change(story, members, person.id, default_permission_set_id=made.id)
        await ask(story, product(crowd, clients), access={"defaultSet": True})
        with StatementRecorder(story.database) as recorder:
            assert await story.work() == 1
        counts.append(recorder.count)
    assert counts[1] == counts[2]


NOT_KNOWN = {
    "UNKNOWN_PERMISSION": ["gone.view", "ALL"],
    "INVALID_LEVEL": ["campaigns.view", "TEAM"],
    "INVALID_PREREQUISITE": ["contacts.edit", "ALL"],
    "NON_DELEGABLE": ["super_admins", "ALL"],
}


async def test_e22_a_request_that_a_newer_catalogue_does_not_know_says_so_in_each_outcome(factory: Factory) -> None:
    """It was right when it was asked for, and the service was raised to another version before it was carried out."""
    story, people, clients = await begin(factory)
    for code, wanted in NOT_KNOWN.items():
        queued = await ask(story, product(people[:1], clients[:2]))
        async with story.database.write() as session:
            connection = await session.connection()
            ours = operations.c.state == "QUEUED"
            kept = json.loads(await connection.scalar(select(operations.c.request).where(ours)) or "")
            kept["access"] = ["permissions", wanted]
            await connection.execute(update(operations).where(ours).values(request=json.dumps(kept)))
        await story.work()
        told = await story.told(queued["id"])
        assert told["state"] == "COMPLETED"
        assert [verdict for _, verdict in cells(told)] == [("REJECTED", code)] * 2


async def deleted(story: Story, team: TeamRow) -> None:
    async with story.database.write() as session:
        connection = await session.connection()
        await connection.execute(delete(grant_teams).where(grant_teams.c.team_id == team.id))
        await connection.execute(delete(teams).where(teams.c.id == team.id))


async def test_f54_a_team_that_is_deleted_meanwhile_is_missed_where_it_was(factory: Factory) -> None:
    """In the other clients all goes on; trying again misses it as well."""
    story, people, clients = await begin(factory)
    gone, kept = await factory.team(clients[1]), await factory.team(clients[2])
    given = [{"team": node_id(gone), "primary": True}, {"team": node_id(kept)}]
    queued = await ask(story, product(people, clients), access=VIEW, teams=given)
    await deleted(story, gone)
    await story.work()
    told = await story.told(queued["id"])
    missing = ("REJECTED", "TEAM_GONE")
    by_client = {client: verdict for (_, client), verdict in cells(told)}
    assert by_client == {node_id(client): missing if client is clients[1] else APPLIED for client in clients}
    assert told["counts"]["rejected"] == len(people)
    (message,) = {node["message"] for node in told["outcomes"]["nodes"] if node["code"] == "TEAM_GONE"}
    assert "without it" in message
    again = await course(story, RETRY, operation=queued["id"], includeRejected=True)
    await story.work()
    assert {verdict for _, verdict in cells(await story.told(again["operation"]["id"]))} == {missing}


async def test_f54_a_team_is_missed_as_well_when_what_was_done_at_once_is_tried_again(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    plain, elsewhere = replace(story, limits=QueueLimits()), await factory.client(story.partner)
    await factory.grant(elsewhere, await factory.member(story.partner), CONTACTS)
    gone = await factory.team(elsewhere)
    told = await plain.operation(
        "grantAccess", targets=product(people, [clients[0], elsewhere]), access=VIEW, teams=[{"team": node_id(gone)}]
    )
    assert told["counts"]["rejected"] == len(people)
    await story.admin(elsewhere)
    await deleted(story, gone)
    again = await course(plain, RETRY, operation=told["id"], includeRejected=True)
    assert {verdict for _, verdict in cells(again["operation"])} == {("REJECTED", "TEAM_GONE")}


async def test_f54_a_copied_team_that_is_deleted_meanwhile_is_missed_where_it_was(factory: Factory) -> None:
    """In the other clients it would have been dropped anyway (E27)."""
    story, people, clients = await begin(factory)
    gone = await factory.team(clients[1])
    source: GrantRow = await factory.grant(clients[1], await factory.member(story.partner), CONTACTS, teams=[gone])
    queued = await ask(story, product(people, clients), access={"copyFrom": node_id(source)})
    await deleted(story, gone)
    await story.work()
    by_client = {client: verdict for (_, client), verdict in cells(await story.told(queued["id"]))}
    missing = ("REJECTED", "TEAM_GONE")
    assert by_client == {node_id(client): missing if client is clients[1] else APPLIED for client in clients}
