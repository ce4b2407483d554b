"""Writes at the same time (both databases): no error, no lost update, one grant each."""

import asyncio
from collections import Counter

from sqlalchemy import update

from models.client import clients as client_rows
from models.grant import AccessType, GrantStatus
from tests.api.counters import assert_counters_are_true
from tests.api.write_story import APPLIED, Story, living_grants, node_id, permissions, product
from tests.factory import Factory

CONTACTS = permissions({"contacts.view": "ALL"})


async def test_two_overlapping_grants_make_one_grant_each(factory: Factory) -> None:
    """Named in opposite orders, so that they would wait for each other if locks were taken in the caller's order."""
    story = await Story.begin(factory)
    clients = [story.client, *await factory.clients(story.partner, 5)]
    for client in clients[1:]:
        await story.admin(client)
    people = await factory.members(story.partner, 6)
    asked = [(people[:4], clients), (people[2:][::-1], clients[::-1]), (people, clients[2:4])]
    told = await asyncio.gather(
        *(story.outcomes("grantAccess", targets=product(m, c), access=CONTACTS) for m, c in asked)
    )
    applied = Counter(outcome.cell for outcomes in told for outcome in outcomes if outcome.verdict == APPLIED)
    assert set(applied.values()) == {1}
    assert len(applied) == 36
    assert {o.verdict for outcomes in told for o in outcomes} == {APPLIED, ("NOOP", "ALREADY_GRANTED")}
    rows = await living_grants(factory.database)
    assert len({(row.client_id, row.member_id) for row in rows}) == len(rows) == 36 + len(clients)
    await assert_counters_are_true(factory.database)


async def test_an_import_of_people_and_operations_on_them_do_not_wait_for_each_other(factory: Factory) -> None:
    """The order of addresses is the opposite of that of keys: rows updated by address while an operation locks by key would
    be a deadlock on PostgreSQL."""
    story = await Story.begin(factory)
    clients = [story.client, *await factory.clients(story.partner, 4)]
    for client in clients[1:]:
        await story.admin(client)
    people = [await factory.member(story.partner, email=f"p{999 - number}@x.example") for number in range(60)]
    header = "email,first_name,last_name,kind,manager_rights,verified\n"
    query = "mutation($csv: String!) { importMembers(input: { csv: $csv }) { userErrors { code } counts { updated } } }"
    for turn in range(6):
        csv = header + "".join(f"{person.email},Turn,{turn},EMPLOYEE,,\n" for person in people)
        levels = permissions({"contacts.view": ("ALL", "TEAM")[turn % 2]})
        field = "changeAccess" if turn else "grantAccess"
        imported, *told = await asyncio.gather(
            story.run(query, csv=csv),
            *(story.operation(field, targets=product(people, [client]), access=levels) for client in clients),
        )
        assert imported == ({"importMembers": {"userErrors": [], "counts": {"updated": 60}}}, [])
        assert [operation["counts"]["applied"] for operation in told] == [60] * len(clients)
    await assert_counters_are_true(factory.database)


async def test_of_two_with_the_same_expected_version_one_wins(factory: Factory) -> None:
    """P03."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    grant = await factory.grant(story.client, person, {"tasks.view": "ALL"})
    seen = [{"grant": node_id(grant), "version": 1}]
    told = await asyncio.gather(
        *(
            story.change(person, permissions({key: "ALL"}), expectedVersions=seen)
            for key in ("contacts.view", "deals.view", "tickets.view")
        )
    )
    assert sorted(outcome.verdict[0] for outcome in told) == ["APPLIED", "REJECTED", "REJECTED"]
    assert {outcome.node["code"] for outcome in told} == {None, "CONFLICT"}
    (row,) = [row for row in await living_grants(factory.database) if row.id == grant.id]
    assert row.version == 2


async def test_two_partner_admins_who_lower_each_other_do_not_lock_the_client_out(factory: Factory) -> None:
    """N04 under a race: authority and guard are judged inside the transaction, so one of them comes too late."""
    story = await Story.begin(factory)
    colleague = await factory.member(story.partner)
    await factory.partner_admin(story.client, colleague)
    other = await story.as_member(colleague)
    first, second = await asyncio.gather(story.change(colleague, CONTACTS), other.change(story.actor, CONTACTS))
    assert sorted([first.verdict[0], second.verdict[0]]) == ["APPLIED", "REJECTED"]
    assert ("REJECTED", "NOT_PARTNER_ADMIN") in {first.verdict, second.verdict}
    rows = await living_grants(factory.database)
    assert [row.access_type for row in rows if row.status == GrantStatus.ACTIVE].count(AccessType.PARTNER_ADMIN) == 1
    await assert_counters_are_true(factory.database)


async def test_a_dry_run_waits_for_no_writer(factory: Factory) -> None:
    """It reads what is committed while another transaction holds the client."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    writing, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with factory.database.write() as session:
            connection = await session.connection()
            await connection.execute(
                update(client_rows).where(client_rows.c.id == story.client.id).values(display_name="Held")
            )
            writing.set()
            await done.wait()

    holder = asyncio.create_task(hold())
    await asyncio.wait_for(writing.wait(), timeout=20)
    try:
        told = await asyncio.wait_for(story.grant(person, CONTACTS, options={"dryRun": True}), timeout=20)
    finally:
        done.set()
        await holder
    assert told.verdict == APPLIED
