"""Interned permission states, and what publishing the built-in sets does to the partner admins that there are (E21, E22)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func, insert, select

from models.database import Database
from models.grant import AccessType, GrantStatus, grants
from models.operation import OperationKind, OperationState, decisions, operations
from models.outcome import outcomes
from models.permission.built_in import BUILT_IN_SETS, PARTNER_ADMIN_SET, BuiltInSet
from models.permission.catalogue import catalogue
from models.permission_set import permission_set_versions, permission_sets
from models.permission_state import permission_states
from models.timeline_entry import timeline_entries
from resolvers.interning import intern_states, publish_catalogue, state_contents
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder

REPORTS = catalogue.where(lambda permission: permission.area == "reports")
SMALL = catalogue.closure(catalogue.state({"contacts.edit": "TEAM"}))
LESS = catalogue.largest_closed_subset(PARTNER_ADMIN_SET.state & ~catalogue.state({"import": "ALL"}))
"""What the Partner Admin set was before it gained ``import``."""


async def publish(database: Database, sets: Sequence[BuiltInSet] = BUILT_IN_SETS) -> None:
    async with database.write() as session:
        await publish_catalogue(await session.connection(), sets)


def with_admin(state: int) -> list[BuiltInSet]:
    return [replace(built, state=state) if built.is_partner_admin else built for built in BUILT_IN_SETS]


async def rows(database: Database, table: Any) -> list[dict[str, Any]]:
    async with database.read() as connection:
        return [dict(row._mapping) for row in await connection.execute(select(table).order_by(table.c.id))]


async def test_a_state_is_one_row_however_often_it_is_interned(database: Database, recorder: StatementRecorder) -> None:
    states = [SMALL, 0, catalogue.everything, SMALL]
    async with database.write() as session:
        first = await intern_states(await session.connection(), states)
    with recorder:
        async with database.write() as session:
            again = await intern_states(await session.connection(), states)
    assert first == again
    assert len(set(first.values())) == 3
    assert recorder.count == 1
    async with database.read() as connection:
        assert await state_contents(connection, first.values()) == {key: state for state, key in first.items()}


async def test_interning_at_once_gives_the_same_rows(database: Database) -> None:
    states = [catalogue.closure(1 << index) for index in range(60)]

    async def intern(order: list[int]) -> dict[int, int]:
        async with database.write() as session:
            return await intern_states(await session.connection(), order)

    first, second = await asyncio.gather(intern(states), intern(states[::-1]))
    assert first == second


async def test_contents_are_read_once(database: Database, recorder: StatementRecorder) -> None:
    async with database.write() as session:
        keys = await intern_states(await session.connection(), [SMALL])
    async with database.read() as connection:
        await state_contents(connection, keys.values())
        with recorder:
            assert await state_contents(connection, keys.values()) == {keys[SMALL]: SMALL}
    assert recorder.count == 0


async def test_what_was_rolled_back_is_not_remembered(database: Database) -> None:
    other = catalogue.closure(catalogue.state({"deals.view": "ALL"}))
    async with database.write() as session:
        connection = await session.connection()
        key = (await intern_states(connection, [SMALL]))[SMALL]
        assert await state_contents(connection, [key]) == {key: SMALL}
        await connection.rollback()
    async with database.write() as session:
        again = (await intern_states(await session.connection(), [other]))[other]
    async with database.read() as connection:
        assert await state_contents(connection, [again]) == {again: other}


async def test_a_key_that_left_the_catalogue_is_ignored_when_reading(database: Database) -> None:
    """E22."""
    content = {"digest": "old", "content": "contacts.view:TEAM telegrams.send:ALL"}
    async with database.write() as session:
        made = await (await session.connection()).execute(
            insert(permission_states).values(content).returning(permission_states.c.id)
        )
        key = made.scalar_one()
    async with database.read() as connection:
        assert await state_contents(connection, [key]) == {key: catalogue.state({"contacts.view": "TEAM"})}


async def test_publishing_makes_each_built_in_set_a_row_with_one_version(database: Database) -> None:
    """F06, P12; the fixture has published already."""
    found = await rows(database, permission_sets)
    assert [(row["key"], row["name"], row["version"], row["origin"]) for row in found] == [
        (built.key, built.name, 1, "BUILT_IN") for built in BUILT_IN_SETS
    ]
    assert len(await rows(database, permission_set_versions)) == len(BUILT_IN_SETS)


async def test_publishing_again_writes_nothing(database: Database, recorder: StatementRecorder) -> None:
    before = [await rows(database, table) for table in (permission_sets, permission_set_versions, permission_states)]
    with recorder:
        await publish(database)
    after = [await rows(database, table) for table in (permission_sets, permission_set_versions, permission_states)]
    assert after == before
    assert not [text for text in recorder.statements if text.lstrip().upper().startswith("UPDATE")]


async def test_publishing_at_once_from_two_processes_makes_each_version_once(database: Database) -> None:
    await asyncio.gather(*(publish(database, with_admin(LESS)) for _ in range(3)))
    found = await rows(database, permission_set_versions)
    assert len(found) == len(BUILT_IN_SETS) + 1


async def test_changed_words_and_retired_sets_are_kept_up(database: Database) -> None:
    renamed = [replace(built, name=f"{built.name} 2") for built in BUILT_IN_SETS[:-1]]
    await publish(database, renamed)
    found = await rows(database, permission_sets)
    assert [row["name"] for row in found[:-1]] == [built.name for built in renamed]
    assert found[-1]["archived_at"] is not None
    assert {row["version"] for row in found} == {1}
    await publish(database)
    assert (await rows(database, permission_sets))[-1]["archived_at"] is None


async def test_present_partner_admins_gain_what_the_set_gains_and_others_do_not(
    database: Database, factory: Factory
) -> None:
    """E21, F11: one operation by the system, one timeline entry each; reduced ones stay reduced, a ceiling holds."""
    await publish(database, with_admin(LESS))
    partner = await factory.partner()
    people = await factory.members(partner, 6)
    client = await factory.client(partner)
    held = await factory.client(partner, ceiling=SMALL | catalogue.closure(catalogue.partner_admin))
    admin_set = await factory.built_in_set()
    assert admin_set.state == LESS
    from_set: dict[str, Any] = {"permission_set": admin_set, "access_type": AccessType.PARTNER_ADMIN}
    plain = await factory.grant(client, people[0], **from_set)
    reduced_state = catalogue.largest_closed_subset(LESS & ~REPORTS)
    reduced = await factory.grant(client, people[1], reduced_state, customised=True, **from_set)
    off = await factory.grant(client, people[2], **from_set, status=GrantStatus.DEACTIVATED)
    gone = await factory.grant(client, people[3], **from_set, status=GrantStatus.REMOVED)
    worker = await factory.grant(client, people[4], SMALL)
    boss = await factory.super_admin(client, people[5])
    ceiled = await factory.grant(
        held, people[0], catalogue.closure(catalogue.partner_admin), access_type=plain.access_type
    )
    before = {row["id"]: row for row in await rows(database, grants)}

    await publish(database)

    after = {row["id"]: row for row in await rows(database, grants)}
    new_set = await factory.built_in_set()
    assert (new_set.version, new_set.state) == (3, PARTNER_ADMIN_SET.state)
    gained = PARTNER_ADMIN_SET.state & ~LESS
    async with database.read() as connection:
        states = await state_contents(connection, {row["state_id"] for row in after.values()})
    for key, state, customised in ((plain.id, new_set.state, False), (reduced.id, reduced_state | gained, True)):
        assert states[after[key]["state_id"]] == state
        assert (after[key]["set_version_id"], after[key]["customised"]) == (new_set.version_id, customised)
        assert after[key]["version"] == before[key]["version"] + 1
    assert states[after[off.id]["state_id"]] == new_set.state
    assert after[off.id]["status"] == "DEACTIVATED"
    for key in (gone.id, worker.id, boss.id, ceiled.id):
        assert after[key] == before[key]

    (operation,) = [row for row in await rows(database, operations) if row["kind"] == OperationKind.REAPPLY]
    assert (operation["requested_by_id"], operation["state"]) == (None, OperationState.COMPLETED)
    assert (operation["total"], operation["applied"]) == (3, 3)
    entries = [row for row in await rows(database, timeline_entries) if row["operation_id"] == operation["id"]]
    assert sorted(entry["grant_id"] for entry in entries) == sorted([plain.id, reduced.id, off.id])
    for entry in entries:
        assert entry["before_state_id"] == before[entry["grant_id"]]["state_id"]
        assert entry["after_state_id"] == after[entry["grant_id"]]["state_id"]
        assert entry["before_status"] == entry["after_status"] == after[entry["grant_id"]]["status"]
    async with database.read() as connection:
        cells = (await connection.execute(select(outcomes).where(outcomes.c.operation_id == operation["id"]))).all()
        number = await connection.scalar(
            select(func.count()).select_from(decisions).where(decisions.c.operation_id == operation["id"])
        )
    assert sorted(cell.position for cell in cells) == [0, 1, 2]
    assert len({cell.decision for cell in cells}) == number == 3

    await publish(database)
    assert {row["id"]: row for row in await rows(database, grants)} == after


async def test_a_set_that_only_loses_permissions_takes_nothing_from_anybody(
    database: Database, factory: Factory
) -> None:
    partner = await factory.partner()
    await factory.partner_admin(await factory.client(partner), await factory.member(partner))
    before = await rows(database, grants)
    await publish(database, with_admin(LESS))
    assert await rows(database, grants) == before
    assert (await factory.built_in_set()).state == LESS
    async with database.read() as connection:
        kinds = (await connection.execute(select(operations.c.kind))).scalars().all()
    assert OperationKind.REAPPLY not in kinds
