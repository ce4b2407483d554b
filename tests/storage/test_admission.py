"""What the operator records: clients have made somebody their partner admin before this service existed (F12, L2 to L4)."""

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.database import Database
from models.dialect import lock_keys
from models.grant import GrantStatus, grants
from models.member import MemberStatus, members
from models.operation import operations
from models.outcome import outcomes
from models.partner import PartnerProgram
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from models.timeline_entry import timeline_entries
from resolvers import admission, member_removal
from resolvers.admission import AdmissionResult, admit
from resolvers.error import RefusedError
from resolvers.interning import state_contents
from resolvers.issuer import EPHEMERAL
from resolvers.member_removal import MemberRemoval, remove_member
from tests.api.caller import Caller
from tests.factory import Factory, MemberRow, PartnerRow


async def run(
    database: Database, partner: PartnerRow, member: MemberRow, hub_ids: list[int] | None = None
) -> AdmissionResult:
    async with database.write() as session:
        return await admit(await session.connection(), partner.id, member.email.upper(), hub_ids)


async def test_a_member_becomes_partner_admin_with_operation_outcomes_timeline_and_counters(
    database: Database, factory: Factory
) -> None:
    partner, other = await factory.partner(), await factory.partner()
    member = await factory.member(partner)
    found = await factory.clients(partner, 3)
    foreign = await factory.client(other)
    result = await run(
        database, partner, member, [found[0].hub_id, found[1].hub_id, found[0].hub_id, foreign.hub_id, 7]
    )
    assert result == AdmissionResult(admitted=2, unknown=(7, foreign.hub_id))
    async with database.read() as connection:
        made = (await connection.execute(select(grants).order_by(grants.c.client_id))).all()
        entries = (await connection.execute(select(timeline_entries))).all()
        cells = (await connection.execute(select(outcomes))).all()
        operation = (await connection.execute(select(operations))).one()
        counted = (await connection.execute(select(clients.c.id, clients.c.active_partner_admins))).all()
        states = await state_contents(connection, [row.state_id for row in made])
    assert [(row.client_id, row.access_type, row.seat, row.status) for row in made] == [
        (client.id, "PARTNER_ADMIN", "PARTNER", "ACTIVE") for client in found[:2]
    ]
    assert {states[row.state_id] for row in made} == {PARTNER_ADMIN_SET.state}
    assert {row.set_version_id for row in made} == {(await factory.built_in_set()).version_id}
    assert {entry.grant_id for entry in entries} == {row.id for row in made} == {cell.grant_id for cell in cells}
    assert (operation.requested_by_id, operation.partner_id, operation.applied) == (None, partner.id, 2)
    assert "operator" in operation.reason
    assert dict(counted) == {found[0].id: 1, found[1].id: 1, found[2].id: 0, foreign.id: 0}


async def test_admitting_everywhere_twice_changes_nothing_the_second_time(database: Database, factory: Factory) -> None:
    """E26, L1."""
    partner = await factory.partner()
    member = await factory.member(partner)
    await factory.clients(partner, 5)
    assert await run(database, partner, member) == AdmissionResult(admitted=5)
    assert await run(database, partner, member) == AdmissionResult(already=5)
    async with database.read() as connection:
        assert len((await connection.execute(select(timeline_entries.c.id))).all()) == 5


async def test_what_is_there_already_is_respected(database: Database, factory: Factory) -> None:
    """L2 super admins stay, L3 the set is added, L4 the deactivated come back, P08 a ceiling holds."""
    partner = await factory.partner()
    member = await factory.member(partner)
    above, worker, off = await factory.clients(partner, 3)
    ceiling = catalogue.closure(catalogue.partner_admin)
    held = await factory.client(partner, ceiling=ceiling)
    billing = catalogue.closure(catalogue.state({"billing": "ALL"}))
    boss = await factory.super_admin(above, member)
    standard = await factory.grant(worker, member, billing)
    admin = await factory.partner_admin(off, member, status=GrantStatus.DEACTIVATED)
    assert await run(database, partner, member) == AdmissionResult(admitted=3, rejected=1)
    async with database.read() as connection:
        rows = {row.client_id: row for row in await connection.execute(select(grants))}
        states = await state_contents(connection, [row.state_id for row in rows.values()])
        counts = {row.id: row for row in await connection.execute(select(clients))}
    assert (rows[above.id].id, rows[above.id].access_type, rows[above.id].version) == (boss.id, "SUPER_ADMIN", 1)
    assert rows[worker.id].id == standard.id
    assert states[rows[worker.id].state_id] == catalogue.closure(billing | PARTNER_ADMIN_SET.state)
    assert rows[worker.id].customised
    assert (rows[off.id].id, rows[off.id].status, rows[off.id].access_type) == (admin.id, "ACTIVE", "PARTNER_ADMIN")
    assert states[rows[held.id].state_id] == ceiling
    assert [counts[client.id].active_partner_admins for client in (above, worker, off, held)] == [0, 1, 1, 1]
    assert [counts[client.id].active_people for client in (above, worker, off, held)] == [1, 1, 1, 1]
    assert counts[off.id].deactivated_people == 0


async def test_only_an_active_verified_member_of_an_eligible_partner_is_admitted(
    database: Database, factory: Factory
) -> None:
    """F01, F09."""
    partner, ineligible = await factory.partner(), await factory.partner(program=PartnerProgram.NONE)
    await factory.client(partner)
    for owner, values in (
        (partner, {"verified": False}),
        (partner, {"status": MemberStatus.DEACTIVATED}),
        (partner, {"status": MemberStatus.LEFT}),
        (ineligible, {}),
    ):
        member = await factory.member(owner, **values)
        with pytest.raises(RefusedError):
            await run(database, owner, member)
    stranger = await factory.member(ineligible)
    with pytest.raises(RefusedError, match="no member"):
        await run(database, partner, stranger)
    async with database.read() as connection:
        assert (await connection.execute(select(grants.c.id))).all() == []


async def test_f09_nobody_is_admitted_who_leaves_at_the_same_time(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The admission waits for the removal and then finds that the member has left."""
    partner = await factory.partner()
    place, boss, leaver = await factory.client(partner), await factory.member(partner), await factory.member(partner)
    viewer = (await Caller.signed_in(factory, boss)).viewer
    assert viewer is not None
    tasks = []

    async def held_up(connection: AsyncConnection, member_id: int) -> None:
        tasks.append(asyncio.create_task(run(database, partner, leaver, [place.hub_id])))
        await asyncio.sleep(0.5)
        await leave(connection, member_id)

    leave = member_removal._leave
    monkeypatch.setattr(member_removal, "_leave", held_up)
    await remove_member(database, viewer, MemberRemoval(leaver.id, EPHEMERAL))
    with pytest.raises(RefusedError, match="no active member"):
        await tasks[0]
    async with database.read() as connection:
        assert await connection.scalar(select(members.c.status).where(members.c.id == leaver.id)) == "LEFT"
        assert (await connection.execute(select(grants.c.id))).all() == []


async def test_all_the_clients_are_locked_before_the_member(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunk by chunk, it would hold the member and wait for a client, the reverse of what operations do."""
    monkeypatch.setattr(admission, "CHUNK", 1)
    partner = await factory.partner()
    member = await factory.member(partner)
    places = await factory.clients(partner, 3)
    async with database.write() as session:
        connection = await session.connection()
        await lock_keys(connection, clients, [places[-1].id])
        task = asyncio.create_task(run(database, partner, member))
        await asyncio.sleep(0.5)
        await lock_keys(connection, members, [member.id])
    assert await task == AdmissionResult(admitted=3)
