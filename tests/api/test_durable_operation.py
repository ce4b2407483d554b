"""Operations that are carried out after the answer, a chunk at a time (P01, R5, R13)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from models.database import Database
from models.grant import GrantStatus, grants
from models.member import members
from models.operation import OperationState, operations
from models.operation_chunk import operation_chunks
from models.outcome import outcomes
from models.permission.catalogue import Catalogue
from resolvers.error import RefusalCode, refuse
from resolvers.issuer import EPHEMERAL
from resolvers.operation import chunk as chunk_module
from resolvers.operation import execute, place, plan, retry
from resolvers.operation.chunk import Worked, waiting_partners, work_once
from resolvers.operation.decide import decide
from resolvers.operation.queue import QueueLimits
from resolvers.operation.situation import Situation
from tests.api.counters import assert_counters_are_true
from tests.api.durable_story import CANCEL, RETRY, VIEW, ask, begin, cells, course, left
from tests.api.write_story import Story, Told, mutation, node_id, pairs, permissions, product
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder
from tests.storms.soundness import assert_sound


async def test_p01_a_large_operation_is_answered_at_once_and_carried_out_in_chunks(factory: Factory) -> None:
    """The outcomes are those, in that order, of the same operation carried out at once."""
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))
    assert (queued["state"], queued["total"], queued["done"], queued["counts"]["pending"]) == ("QUEUED", 12, 0, 12)
    assert queued["outcomes"] == {"totalCount": 0, "nodes": []}
    assert await waiting_partners(story.database) == [story.partner.id]
    worked = await work_once(story.database, EPHEMERAL, story.partner.id)
    assert worked is not None
    assert (worked.ended, worked.more) == (False, True)
    running = await story.told(queued["id"])
    assert (running["state"], running["done"], running["counts"]["pending"]) == ("RUNNING", 6, 6)
    assert await story.work() == 1
    told = await story.told(queued["id"])
    assert (told["state"], told["done"], told["counts"]["applied"]) == ("COMPLETED", 12, 12)
    at_once = await replace(story, limits=QueueLimits()).operation(
        "grantAccess", targets=product(people, clients), access=VIEW
    )
    assert [cell for cell, _ in cells(told)] == [cell for cell, _ in cells(at_once)]
    assert {verdict for _, verdict in cells(at_once)} == {("NOOP", "ALREADY_GRANTED")}
    assert await left(story.database) == [0] * 5
    assert await waiting_partners(story.database) == []
    await assert_counters_are_true(story.database)


async def test_p01_pairs_keep_the_order_of_the_input_and_a_client_is_never_cut(factory: Factory) -> None:
    story, people, (oak, elm, *_) = await begin(factory, chunk_cells=2)
    meant = [(people[0], oak), (people[1], elm), (people[2], oak), (people[2], elm), (people[1], oak)]
    queued = await ask(story, pairs(*meant))
    async with story.database.read() as connection:
        sizes = (await connection.execute(select(operation_chunks.c.size).order_by("number"))).scalars().all()
    assert sizes == [3, 2]
    assert await story.work() == 2
    told = await story.told(queued["id"])
    assert [cell for cell, _ in cells(told)] == [(entry["member"], entry["client"]) for entry in pairs(*meant)["pairs"]]


async def test_f31_what_matches_is_fixed_when_it_is_asked_for(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    everybody = {"matching": {"members": {"kinds": ["EMPLOYEE"]}}}
    queued = await ask(story, everybody)
    assert queued["total"] == (len(people) + 1) * len(clients)
    late = await factory.member(story.partner)
    await story.work()
    told = await story.told(queued["id"])
    assert told["counts"]["applied"] == len(people) * len(clients)
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).where(grants.c.member_id == late.id)) == 0


async def test_p12_the_version_of_a_set_is_that_of_when_it_was_asked_for(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    made = await factory.permission_set(story.partner, {"contacts.view": "ALL"})
    await ask(story, product(people, clients), access={"permissionSet": node_id(made)})
    edit = (
        """mutation($input: UpdatePermissionSetInput!) { updatePermissionSet(input: $input) { userErrors { code } } }"""
    )
    changes = {"permissionSet": node_id(made), "permissions": permissions({"deals.view": "ALL"})["permissions"]}
    data, codes = await story.run(edit, input=changes)
    assert (codes, data["updatePermissionSet"]["userErrors"]) == ([], [])
    await story.work()
    async with story.database.read() as connection:
        versions = await connection.execute(select(grants.c.set_version_id).where(grants.c.member_id == people[0].id))
        assert set(versions.scalars()) == {made.version_id}


async def test_t3_queueing_takes_as_many_statements_for_a_thousand_cells_as_for_twelve(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    counts = []
    for crowd in ([], await factory.members(story.partner, 250)):
        with StatementRecorder(story.database) as recorder:
            await ask(story, product([*people, *crowd], clients))
        counts.append(recorder.count)
    assert counts[0] == counts[1] <= 30


@pytest.mark.parametrize("wrong", ["unknown set", "unknown team", "unknown version"])
async def test_whatever_is_wrong_with_a_request_is_told_before_it_is_queued(factory: Factory, wrong: str) -> None:
    story, people, clients = await begin(factory)
    asked: dict[str, dict[str, Any]] = {
        "unknown set": {"access": {"permissionSet": "nonsense"}},
        "unknown team": {"access": VIEW, "teams": [{"team": "nonsense"}]},
        "unknown version": {"access": VIEW, "expectedVersions": [{"grant": "nonsense", "version": 1}]},
    }
    field = "changeAccess" if wrong == "unknown version" else "grantAccess"
    (refusal,) = await story.refusals(field, targets=product(people, clients), **asked[wrong])
    assert refusal["code"] == "NOT_FOUND"
    assert await left(story.database) == [0] * 5


async def test_f02_without_edit_nothing_is_queued(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    viewer = await story.as_member(await factory.member(story.partner, manager_rights="VIEW"))
    viewer = replace(viewer, limits=story.limits)
    (refusal,) = await viewer.refusals("grantAccess", targets=product(people, clients), access=VIEW)
    assert refusal["code"] == "FORBIDDEN"


async def test_spec_2_2_authority_is_judged_when_each_cell_is_carried_out(factory: Factory) -> None:
    """Whoever is no partner admin any more when a chunk runs gives nothing in it; what was done before stays."""
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))
    await work_once(story.database, EPHEMERAL, story.partner.id)
    async with story.database.write() as session:
        mine = grants.c.member_id == story.actor.id
        await (await session.connection()).execute(update(grants).where(mine).values(status="DEACTIVATED"))
    await story.work()
    told = await story.told(queued["id"])
    assert told["counts"] == {"pending": 0, "applied": 6, "noop": 0, "rejected": 6, "failed": 0}
    assert {verdict for _, verdict in cells(told)[6:]} == {("REJECTED", "NOT_PARTNER_ADMIN")}


async def test_r13_whoever_lost_the_right_to_act_does_nothing_more(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))
    async with story.database.write() as session:
        mine = members.c.id == story.actor.id
        await (await session.connection()).execute(update(members).where(mine).values(manager_rights="NONE"))
    await story.work()
    async with story.database.read() as connection:
        (key, state), *_ = await connection.execute(
            select(operations.c.id, operations.c.state).where(operations.c.total == 12)
        )
        ours = outcomes.c.operation_id == key
        rows = (
            await connection.execute(select(outcomes.c.status, outcomes.c.position).where(ours).order_by("position"))
        ).all()
    assert [(row.status, row.position) for row in rows] == [("REJECTED", at) for at in range(12)]
    assert state == OperationState.COMPLETED
    back = await story.as_member(await factory.member(story.partner))
    assert {verdict for _, verdict in cells(await back.told(queued["id"]))} == {("REJECTED", "ACTOR_LOST_AUTHORITY")}


async def test_atomic_operations_of_any_size_do_all_or_nothing(factory: Factory) -> None:
    story, people, clients = await begin(factory, chunk_cells=1)
    elsewhere = await factory.client(story.partner)
    async with story.database.read() as connection:
        before = await connection.scalar(select(func.count()).select_from(grants))
    queued = await ask(story, product(people, [*clients, elsewhere]), options={"atomic": True})
    assert await story.work() == 1
    told = await story.told(queued["id"])
    assert (told["counts"]["applied"], told["counts"]["rejected"]) == (0, 15)
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(grants)) == before
    queued = await ask(story, product(people, clients), options={"atomic": True})
    assert await story.work() == 1
    assert (await story.told(queued["id"]))["counts"]["applied"] == 12


async def test_f42_the_last_super_admin_stays_whatever_the_chunks(factory: Factory) -> None:
    """M3: a chunk has all that happens in a client."""
    story, people, clients = await begin(factory, chunk_cells=1)
    for client in clients:
        for person in people:
            await factory.super_admin(client, person)
    queued = await ask(story, product(people, clients), "migrateToPartnerAdmin")
    assert await story.work() == len(clients)
    verdicts = [verdict for _, verdict in cells(await story.told(queued["id"]))]
    assert verdicts == [("APPLIED", None), ("APPLIED", None), ("REJECTED", "LAST_SUPER_ADMIN")] * len(clients)


async def test_the_operations_of_a_partner_take_turns(factory: Factory) -> None:
    """A small operation that was asked for after a huge one does not wait for its end."""
    story, people, clients = await begin(factory, chunk_cells=1)
    huge = await ask(story, product(people[:2], clients))
    small = await ask(story, product(people[2:], clients[:1]))
    order = []
    while (worked := await work_once(story.database, EPHEMERAL, story.partner.id)) is not None:
        order.append(worked.operation_id)
    first, second = order[0], order[1]
    assert order == [first, second, first, first, first]
    assert {(await story.told(asked["id"]))["state"] for asked in (huge, small)} == {"COMPLETED"}


async def test_a_chunk_that_is_delivered_many_times_at_once_takes_effect_once(factory: Factory) -> None:
    story, people, clients = await begin(factory, chunk_cells=3)
    queued = await ask(story, product(people, clients))
    while await waiting_partners(story.database):
        await asyncio.gather(*(work_once(story.database, EPHEMERAL, story.partner.id) for _ in range(4)))
    told = await story.told(queued["id"])
    assert (told["state"], told["counts"]["applied"], told["outcomes"]["totalCount"]) == ("COMPLETED", 12, 12)
    await assert_counters_are_true(story.database)


async def broken(database: Database, statement: str) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(text(statement))


async def test_of_a_chunk_with_a_bad_cell_only_that_cell_fails(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its reason, all the others are applied, and trying again does what failed and nothing else (P01, R5)."""
    story, people, clients = await begin(factory, chunk_cells=100)
    bad = (people[1].id, clients[2].id)
    write = execute.carry_out

    async def carry_out(connection: Any, *rest: Any, **block: Any) -> Any:
        counts = await write(connection, *rest, **block)
        made = select(grants.c.id).where(grants.c.member_id == bad[0], grants.c.client_id == bad[1])
        if await connection.scalar(made) is not None:
            raise IntegrityError("INSERT", {}, ValueError("a row that the database does not take"))
        return counts

    with monkeypatch.context() as patch:
        patch.setattr(chunk_module, "carry_out", carry_out)
        queued = await ask(story, product(people, clients))
        assert await story.work() == 1
    told = await story.told(queued["id"])
    assert (told["state"], told["counts"]) == (
        "COMPLETED",
        {"pending": 0, "applied": 11, "noop": 0, "rejected": 0, "failed": 1},
    )
    (failed,) = [found for found in map(Told, told["outcomes"]["nodes"]) if found.verdict[0] == "FAILED"]
    assert failed.cell == (node_id(people[1]), node_id(clients[2]))
    assert failed.verdict == ("FAILED", "INTERNAL_ERROR")
    assert "retryOperation" in failed.node["message"]
    again = await course(replace(story, limits=QueueLimits()), RETRY, operation=queued["id"])
    assert again["userErrors"] == []
    assert cells(again["operation"]) == [(failed.cell, ("APPLIED", None))]
    assert again["operation"]["retryOf"] == {"id": queued["id"]}
    await assert_counters_are_true(story.database)


async def test_an_atomic_operation_with_a_bad_cell_changes_nothing(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, people, clients = await begin(factory)
    write = execute.carry_out

    async def carry_out(connection: Any, *rest: Any, **block: Any) -> Any:
        counts = await write(connection, *rest, **block)
        if await connection.scalar(select(grants.c.id).where(grants.c.member_id == people[1].id)) is not None:
            raise IntegrityError("INSERT", {}, ValueError("a row that the database does not take"))
        return counts

    monkeypatch.setattr(chunk_module, "carry_out", carry_out)
    queued = await ask(story, product(people, clients), options={"atomic": True})
    assert await story.work() == 1
    told = await story.told(queued["id"])
    assert (told["counts"]["applied"], told["counts"]["failed"], told["counts"]["rejected"]) == (0, 4, 8)


@pytest.mark.parametrize("atomic", [False, True], ids=["each for itself", "all or nothing"])
async def test_of_a_chunk_with_a_cell_that_cannot_even_be_planned_only_that_cell_fails(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, *, atomic: bool
) -> None:
    """It has its place in the order of the input, its reason, and the grant that is there."""
    story, people, clients = await begin(factory, chunk_cells=100)
    there = await factory.grant(clients[2], people[1], status=GrantStatus.DEACTIVATED)

    def decided(request: Any, situation: Situation, catalogue: Catalogue) -> Any:
        if situation.grant is not None:
            raise ValueError("a row that nobody has foreseen")
        return decide(request, situation, catalogue)

    with monkeypatch.context() as patch:
        patch.setattr(plan, "decide", decided)
        queued = await ask(story, product(people, clients), options={"atomic": atomic})
        assert await story.work() == 1
    told = await story.told(queued["id"])
    other, verdict = ("rejected", ("REJECTED", "ATOMIC_REJECTED")) if atomic else ("applied", ("APPLIED", None))
    assert (told["state"], told["counts"]["failed"], told["counts"][other]) == ("COMPLETED", 1, 11)
    expected = [((node_id(person), node_id(client)), verdict) for client in clients for person in people]
    bad = (node_id(people[1]), node_id(clients[2]))
    assert cells(told) == [(cell, ("FAILED", "INTERNAL_ERROR") if cell == bad else of) for cell, of in expected]
    (failed,) = [node for node in told["outcomes"]["nodes"] if node["status"] == "FAILED"]
    assert failed["grant"]["id"] == node_id(there)
    await assert_sound(story.database)
    if not atomic:
        again = await course(replace(story, limits=QueueLimits()), RETRY, operation=queued["id"])
        assert cells(again["operation"]) == [(bad, ("REJECTED", "DEACTIVATED"))]


async def test_where_no_cell_can_be_planned_all_of_them_fail(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    story, people, clients = await begin(factory, chunk_cells=100)

    def decided(*_: Any) -> Any:
        raise ValueError("a rule that is broken")

    monkeypatch.setattr(plan, "decide", decided)
    queued = await ask(story, product(people[:1], clients))
    assert await story.work() == 1
    told = await story.told(queued["id"])
    assert (told["state"], told["counts"]["failed"], told["outcomes"]["totalCount"]) == ("COMPLETED", 4, 4)


async def test_who_loses_the_authority_while_a_failing_cell_is_looked_for_is_told_so(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13: that is the fault of no cell."""
    story, people, clients = await begin(factory, chunk_cells=100)
    fails = iter([True])

    async def find_actor(*_: Any, **__: Any) -> Any:
        if next(fails, False):
            raise ValueError("it works the next time")
        raise refuse(RefusalCode.FORBIDDEN, "You have lost the right to act for this partner in the meantime.")

    monkeypatch.setattr(plan, "find_actor", find_actor)
    queued = await ask(story, product(people, clients))
    assert await story.work() == 1
    told = await story.told(queued["id"])
    assert {verdict for _, verdict in cells(told)} == {("REJECTED", "ACTOR_LOST_AUTHORITY")}


async def test_an_error_of_the_database_that_comes_each_time_is_a_cells_fault(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No place in a row, a statement that takes too long: waiting would not help, and the others would wait for ever."""
    story, people, clients = await begin(factory, chunk_cells=100)

    class TooLargeError(Exception):
        """As the drivers tell it."""

        sqlstate = "54000"

    write = execute.carry_out

    async def carry_out(connection: Any, *rest: Any, **block: Any) -> Any:
        counts = await write(connection, *rest, **block)
        if await connection.scalar(select(grants.c.id).where(grants.c.member_id == people[1].id)) is not None:
            raise OperationalError("INSERT", {}, TooLargeError())
        return counts

    monkeypatch.setattr(chunk_module, "carry_out", carry_out)
    queued = await ask(story, product(people, clients))
    assert await story.work() == 1
    counts = (await story.told(queued["id"]))["counts"]
    assert (counts["applied"], counts["failed"]) == (8, 4)


async def test_an_expiry_that_passes_in_the_queue_ends_nothing(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does trying again: access that was to last a while longer would end at once."""
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients), expiresAt="2099-01-01T00:00:00Z")
    with monkeypatch.context() as patch:
        patch.setattr(chunk_module, "now", lambda: datetime(2100, 1, 1, tzinfo=UTC))
        await story.work()
    told = await story.told(queued["id"])
    assert {verdict for _, verdict in cells(told)} == {("REJECTED", "EXPIRED")}
    monkeypatch.setattr(retry, "now", lambda: datetime(2100, 1, 1, tzinfo=UTC))
    again = await course(story, RETRY, operation=queued["id"], includeRejected=True)
    assert [error["code"] for error in again["userErrors"]] == ["CONFLICT"]


async def test_what_somebody_else_agreed_to_is_not_agreed_to_by_trying_again(factory: Factory) -> None:
    """N04: the first has accepted a lockout, and whoever tries again has not."""
    story, _, clients = await begin(factory)
    colleague = await factory.member(story.partner)
    await factory.grant(clients[0], colleague, status=GrantStatus.DEACTIVATED)
    plain = replace(story, limits=QueueLimits())
    asked = {"targets": product([story.actor], clients[:1]), "options": {"includeSelf": True}}
    told = await plain.operation("deactivateAccess", **asked)
    assert [verdict for _, verdict in cells(told)] == [("REJECTED", "WOULD_LOCK_OUT")]
    other = replace(await story.as_member(colleague), limits=QueueLimits())
    again = await course(
        other, RETRY, operation=told["id"], includeRejected=True, options={"acceptLockout": True, "dryRun": True}
    )
    assert [verdict for _, verdict in cells(again["operation"])] == [("APPLIED", None)]
    again = await course(other, RETRY, operation=told["id"], includeRejected=True)
    assert [verdict for _, verdict in cells(again["operation"])] == [("REJECTED", "WOULD_LOCK_OUT")]


async def test_cells_that_only_fail_together_fail_as_a_whole(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    story, people, clients = await begin(factory, chunk_cells=100)
    write = execute.carry_out

    async def carry_out(connection: Any, key: int, plan: Any, *rest: Any, **block: Any) -> Any:
        if plan.scope.size > 6:
            raise ValueError("too many")
        return await write(connection, key, plan, *rest, **block)

    monkeypatch.setattr(chunk_module, "carry_out", carry_out)
    queued = await ask(story, product(people, clients))
    assert await story.work() == 1
    told = await story.told(queued["id"])
    assert (told["state"], told["counts"]["failed"]) == ("COMPLETED", 12)


async def test_a_chunk_that_kills_its_worker_three_times_is_set_aside(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are carried out, and the operation ends with a named error."""
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))

    class Killed(BaseException):
        """Nothing catches it, as nothing survives a kill."""

    async def dies(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(chunk_module, "_carry_out", dies)
        for _ in range(3):
            with pytest.raises(Killed):
                await work_once(story.database, EPHEMERAL, story.partner.id)
    assert await story.work() == 2
    told = await story.told(queued["id"])
    assert (told["state"], told["counts"]["failed"], told["counts"]["applied"]) == ("FAILED", 6, 6)
    assert {verdict for _, verdict in cells(told)[:6]} == {("FAILED", "CHUNK_SET_ASIDE")}
    data, _ = await story.run(
        "query($id: ID!) { node(id: $id) { ... on Operation { error finishedAt } } }", id=queued["id"]
    )
    assert data["node"]["error"] == "CHUNK_SET_ASIDE"
    assert data["node"]["finishedAt"] is not None
    again = await course(replace(story, limits=QueueLimits()), RETRY, operation=queued["id"])
    assert again["operation"]["counts"]["applied"] == 6


async def test_what_is_no_cells_fault_can_happen_as_often_as_it_likes(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is gone, or full: the chunk stays as it is, and no attempt is counted against it."""
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))

    async def gone(*_: Any) -> None:
        raise OperationalError("INSERT", {}, ValueError("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(chunk_module, "_carry_out", gone)
        for _ in range(5):
            with pytest.raises(OperationalError):
                await work_once(story.database, EPHEMERAL, story.partner.id)
    assert (await story.told(queued["id"]))["done"] == 0
    await story.work()
    assert (await story.told(queued["id"]))["counts"]["applied"] == 12


async def test_an_attempt_that_could_not_be_given_back_is_given_back_later(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, people, clients = await begin(factory)
    await ask(story, product(people, clients))
    count = chunk_module._count_attempt

    async def gone(*_: Any) -> None:
        raise OperationalError("UPDATE", {}, ValueError("the connection is closed"))

    async def only_taking(connection: Any, key: int, number: int, difference: int) -> None:
        if difference < 0:
            await gone()
        await count(connection, key, number, difference)

    with monkeypatch.context() as patch:
        patch.setattr(chunk_module, "_carry_out", gone)
        patch.setattr(chunk_module, "_count_attempt", only_taking)
        with pytest.raises(OperationalError):
            await work_once(story.database, EPHEMERAL, story.partner.id)
    assert isinstance(await work_once(story.database, EPHEMERAL, story.partner.id), Worked)
    async with story.database.read() as connection:
        attempts = await connection.execute(select(operation_chunks.c.attempts).order_by("number"))
        assert list(attempts.scalars()) == [1, 0]


async def test_p01_a_cancelled_operation_stops_before_its_next_chunk(factory: Factory) -> None:
    """It says what was done; stopping it again changes nothing."""
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))
    await work_once(story.database, EPHEMERAL, story.partner.id)
    for _ in range(2):
        answer = await course(story, CANCEL, operation=queued["id"])
        assert answer["userErrors"] == []
        told = answer["operation"]
        assert (told["state"], told["counts"]["applied"], told["counts"]["pending"]) == ("CANCELLED", 6, 6)
        assert told["cancelledBy"] == {"id": (await me(story))["id"]}
    assert await work_once(story.database, EPHEMERAL, story.partner.id) is None
    assert await left(story.database) == [0] * 5
    nothing = await course(story, RETRY, operation=queued["id"])
    assert [error["code"] for error in nothing["userErrors"]] == ["INVALID_INPUT"]


async def me(story: Story) -> Any:
    data, _ = await story.run("{ viewer { user { id } } }")
    return data["viewer"]["user"]


async def test_cancelling_during_the_last_chunk_waits_for_it_and_says_that_it_has_ended(factory: Factory) -> None:
    story, people, clients = await begin(factory, chunk_cells=100)
    queued = await ask(story, product(people, clients))
    _, answer = await asyncio.gather(
        work_once(story.database, EPHEMERAL, story.partner.id), course(story, CANCEL, operation=queued["id"])
    )
    told = await story.told(queued["id"])
    if answer["userErrors"]:
        assert [error["code"] for error in answer["userErrors"]] == ["CONFLICT"]
        assert (told["state"], told["counts"]["applied"]) == ("COMPLETED", 12)
    else:
        assert (told["state"], told["counts"]["applied"]) == ("CANCELLED", 0)
    assert await left(story.database) == [0] * 5


async def test_p01_an_ended_operation_cannot_be_cancelled_and_a_running_one_not_tried_again(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))
    answer = await course(story, RETRY, operation=queued["id"])
    assert [(error["code"], error["field"]) for error in answer["userErrors"]] == [("CONFLICT", ["input", "operation"])]
    assert "cancelOperation" in answer["userErrors"][0]["message"]
    await story.work()
    answer = await course(story, CANCEL, operation=queued["id"])
    assert [(error["code"], error["field"]) for error in answer["userErrors"]] == [("CONFLICT", ["input", "operation"])]
    answer = await course(story, RETRY, operation=queued["id"])
    assert [error["code"] for error in answer["userErrors"]] == ["INVALID_INPUT"]


@pytest.mark.parametrize("mutation", [CANCEL, RETRY], ids=["cancel", "retry"])
async def test_t1_another_partners_operation_is_as_unknown_as_garbage(factory: Factory, mutation: str) -> None:
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))
    other, _, _ = await begin(factory)
    refused = [(await course(other, mutation, operation=key))["userErrors"] for key in (queued["id"], "nonsense")]
    assert refused[0] == refused[1]
    assert refused[0][0]["code"] == "NOT_FOUND"
    assert (await story.told(queued["id"]))["state"] == "QUEUED"


@pytest.mark.parametrize("mutation", [CANCEL, RETRY], ids=["cancel", "retry"])
async def test_f02_whoever_only_sees_the_manager_neither_cancels_nor_retries(factory: Factory, mutation: str) -> None:
    story, people, clients = await begin(factory)
    queued = await ask(story, product(people, clients))
    seer = await story.as_member(await factory.member(story.partner, manager_rights="VIEW"))
    answer = await course(seer, mutation, operation=queued["id"])
    assert [error["code"] for error in answer["userErrors"]] == ["FORBIDDEN"]


async def test_r5_rejected_outcomes_are_tried_again_on_request_under_the_authority_of_whoever_asks(
    factory: Factory,
) -> None:
    story, people, clients = await begin(factory)
    elsewhere = await factory.client(story.partner)
    told = await story.operation("grantAccess", targets=product(people, [*clients, elsewhere]), access=VIEW)
    assert (told["counts"]["applied"], told["counts"]["rejected"]) == (12, 3)
    plain = replace(story, limits=QueueLimits())
    nothing = await course(plain, RETRY, operation=told["id"])
    assert "includeRejected" in nothing["userErrors"][0]["message"]
    colleague = await factory.member(story.partner)
    await factory.partner_admin(elsewhere, colleague)
    other = replace(await story.as_member(colleague), limits=QueueLimits())
    dry = await course(other, RETRY, operation=told["id"], includeRejected=True, options={"dryRun": True})
    real = await course(other, RETRY, operation=told["id"], includeRejected=True)
    for answer in (dry, real):
        assert {verdict for _, verdict in cells(answer["operation"])} == {("APPLIED", None)}
        assert answer["operation"]["total"] == 3
    assert (dry["operation"]["dryRun"], real["operation"]["dryRun"]) == (True, False)


async def test_r5_more_cells_are_tried_again_than_fit_in_one_list(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, people, clients = await begin(factory)
    colleague = await story.as_member(await factory.member(story.partner))
    told = await colleague.operation("grantAccess", targets=product(people, clients), access=VIEW)
    assert told["counts"]["rejected"] == 12
    monkeypatch.setattr(place, "MOST_KEYS", 11)
    again = await course(replace(story, limits=QueueLimits()), RETRY, operation=told["id"], includeRejected=True)
    assert again["operation"]["counts"]["applied"] == 12


async def test_r5_a_removal_is_tried_again_with_a_new_review(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    for client in clients:
        await factory.grant(client, people[0])
    plain = replace(story, limits=QueueLimits())
    review = """query($id: ID!) { node(id: $id) { ... on Member { removalReview { token } } } }"""
    data, _ = await plain.run(review, id=node_id(people[0]))
    token = data["node"]["removalReview"]["token"]
    async with story.database.write() as session:
        changed = (grants.c.member_id == people[0].id, grants.c.client_id == clients[1].id)
        await (await session.connection()).execute(update(grants).where(*changed).values(version=7))
    told = await plain.operation("removeAccess", targets=product(people[:1], clients), reviewToken=token)
    assert [verdict for _, verdict in cells(told)].count(("REJECTED", "STALE_REVIEW")) == 1
    data, _ = await plain.run(review, id=node_id(people[0]))
    fresh = data["node"]["removalReview"]["token"]
    again = await course(plain, RETRY, operation=told["id"], includeRejected=True, reviewToken=fresh)
    assert cells(again["operation"]) == [((node_id(people[0]), node_id(clients[1])), ("APPLIED", None))]


@pytest.mark.parametrize("field", ["deactivateAccess", "reactivateAccess", "migrateToPartnerAdmin"])
async def test_every_verb_can_be_queued(factory: Factory, field: str) -> None:
    """What comes of it is what comes of the same request carried out at once."""
    answers = []
    for limits in (QueueLimits(), QueueLimits(queue_above=0, chunk_cells=3)):
        story, people, clients = await begin(factory)
        story = replace(story, limits=limits)
        for client in clients[:3]:
            await factory.grant(client, people[0], {"contacts.view": "ALL"})
            await factory.grant(client, people[1], status=GrantStatus.DEACTIVATED)
            await factory.super_admin(client, people[2])
            await factory.own_person(client, await factory.user())
        told = await story.operation(field, targets=product(people, clients))
        answers.append((told["counts"], [verdict for _, verdict in cells(told)]))
        await assert_counters_are_true(story.database)
    assert answers[0] == answers[1]
    assert answers[0][0]["applied"]


async def test_r22_the_same_idempotency_key_gives_the_operation_that_was_queued(factory: Factory) -> None:
    story, people, clients = await begin(factory)
    asked = {"targets": product(people, clients), "access": VIEW}
    keys = set()
    for _ in range(2):
        data, _ = await story.run(mutation("grantAccess"), header="once", input=asked)
        keys.add(data["grantAccess"]["operation"]["id"])
    assert len(keys) == 1
    assert (await left(story.database))[0] == 1
