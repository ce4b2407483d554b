"""Operations that are asked for ahead of time: fixed now, judged and carried out when their time has come (P14, R13)."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from models.grant import GrantStatus, grants
from models.mail import mails
from models.member import members
from models.operation_chunk import queued_operations
from models.schedule import scheduled_operations
from resolvers.operation.chunk import waiting_partners
from resolvers.operation.queue import QueueLimits, join_queue
from resolvers.schedule import release, result
from resolvers.schedule.release import next_due, queue_due
from resolvers.schedule.result import tell_due
from schema.node import decode_key
from tests.api.asset_story import asset, record
from tests.api.counters import assert_counters_are_true
from tests.api.write_story import APPLIED, Story, Told, mutation, node_id, pairs, permissions, product
from tests.factory import ClientRow, Factory, MemberRow
from tests.histories.clock import Clock
from tests.statement_recorder import StatementRecorder

VIEW = permissions({"contacts.view": "ALL"})
FIELDS = "fragment Told on Operation { id state runAt total done cancelledBy { id } }"
CANCEL = f"""mutation($input: CancelOperationInput!) {{ cancelOperation(input: $input) {{
  userErrors {{ code }} operation {{ ...Told }} }} }} {FIELDS}"""
LIST = """query($filter: OperationFilter) { partner { operations(filter: $filter) { totalCount nodes { id runAt state kind } } } }"""
REVIEW = "query($id: ID!) { node(id: $id) { ... on Member { removalReview { token } } } }"
ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is decided the same way whatever the database is."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.rule_over(monkeypatch)
    return made


def written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


async def ask(story: Story, clock: Clock, field: str = "grantAccess", days: int = 7, **values: Any) -> Any:
    """Returns the payload of something asked for so many days ahead."""
    if field == "grantAccess":
        values = {"access": VIEW, **values}
    options = {**values.pop("options", {}), "runAt": written(clock.moment + timedelta(days=days))}
    data, codes = await story.run(mutation(field), input={**values, "options": options})
    assert codes == []
    return data[field]


async def planned(
    story: Story, clock: Clock, people: list[MemberRow], field: str = "grantAccess", **values: Any
) -> Any:
    answer = await ask(story, clock, field, targets=product(people, [story.client]), **values)
    assert answer["userErrors"] == []
    return answer["operation"]


async def verdicts(story: Story, operation: Any) -> list[tuple[str, str | None]]:
    return [Told(node).verdict for node in (await story.told(operation["id"]))["outcomes"]["nodes"]]


async def listed(story: Story, **chosen: Any) -> list[str]:
    data, codes = await story.run(LIST, filter=chosen)
    assert codes == []
    found = data["partner"]["operations"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["id"] for node in found["nodes"]]


async def carried_out(story: Story, clock: Clock, days: int = 7) -> int:
    """Lets time pass, and does what is due then; returns how many operations it was."""
    clock.wait(days)
    due = await queue_due(story.database)
    await story.work()
    return due


async def test_p14_an_operation_waits_for_its_time_and_is_then_carried_out_once(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    operation = await planned(story, clock, [person])
    assert (operation["state"], operation["total"], operation["done"]) == ("QUEUED", 1, 0)
    due = clock.moment + timedelta(days=7)
    assert await next_due(story.database) == due
    assert await waiting_partners(story.database) == []
    assert await carried_out(story, clock, 6) == 0
    assert await verdicts(story, operation) == []
    clock.moment = due
    assert sum(await asyncio.gather(*(queue_due(story.database) for _ in range(3)))) == 1
    await story.work()
    assert await verdicts(story, operation) == [APPLIED]
    told = await story.told(operation["id"])
    assert (told["state"], told["done"]) == ("COMPLETED", 1)
    assert (await queue_due(story.database), await next_due(story.database)) == (0, None)
    assert [await tell_due(story.database) for _ in range(2)] == [1, 0]
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(mails)) == 0
    await assert_counters_are_true(story.database)


async def test_p14_it_is_listed_with_its_time_and_can_be_cancelled_before(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    operation = await planned(story, clock, [person])
    other = await planned(story, clock, [person], "deactivateAccess", days=8)
    done = await story.operation("grantAccess", targets=product([person], [story.client]), access=VIEW)
    assert await listed(story, scheduled=True) == [other["id"], operation["id"]]
    assert done["id"] in await listed(story, scheduled=False)
    assert await listed(story, scheduled=True, kinds=["DEACTIVATE"]) == [other["id"]]
    assert (await listed(story, states=["COMPLETED"], kinds=["GRANT"], scheduled=False))[0] == done["id"]
    assert await listed(story, states=[]) == []
    data, codes = await story.run(CANCEL, input={"operation": operation["id"]})
    assert (codes, data["cancelOperation"]["userErrors"]) == ([], [])
    told = data["cancelOperation"]["operation"]
    assert (told["state"], told["runAt"]) == ("CANCELLED", written(clock.moment + timedelta(days=7)))
    assert told["cancelledBy"] is not None
    assert await listed(story, scheduled=True) == [other["id"]]
    assert await carried_out(story, clock) == 0
    assert await verdicts(story, operation) == []


@ON_ONE
async def test_p14_a_partner_that_is_another_ones_may_not_cancel_it(factory: Factory, clock: Clock) -> None:
    """T1."""
    story, stranger = await Story.begin(factory), await Story.begin(factory)
    operation = await planned(story, clock, [await factory.member(story.partner)])
    data, _ = await stranger.run(CANCEL, input={"operation": operation["id"]})
    assert data["cancelOperation"]["userErrors"] == [{"code": "NOT_FOUND"}]
    assert await listed(stranger, scheduled=True) == []


@ON_ONE
async def test_p14_whom_it_is_about_is_fixed_when_it_is_asked_for(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    everybody = {"matching": {"members": {"kinds": ["EMPLOYEE"]}}}
    answer = await ask(story, clock, targets=everybody)
    late = await factory.member(story.partner)
    await carried_out(story, clock)
    told = await story.told(answer["operation"]["id"])
    assert [Told(node).cell[0] for node in told["outcomes"]["nodes"]] == [node_id(story.actor), node_id(person)]
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).where(grants.c.member_id == late.id)) == 0


@pytest.mark.parametrize("loss", ["partner admin", "left"])
async def test_r13_who_has_lost_the_authority_by_then_does_nothing(factory: Factory, clock: Clock, loss: str) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    operation = await planned(story, clock, [person])
    mine = members.c.id == story.actor.id
    statement: Any = {
        "partner admin": update(grants).where(grants.c.member_id == story.actor.id).values(status="DEACTIVATED"),
        "left": update(members).where(mine).values(status="LEFT"),
    }[loss]
    async with story.database.write() as session:
        await (await session.connection()).execute(statement)
    await carried_out(story, clock)
    back = await story.as_member(await factory.member(story.partner))
    boss = await factory.member(story.partner, super_admin=True)
    assert await verdicts(back, operation) == [("REJECTED", "ACTOR_LOST_AUTHORITY")]
    (node,) = (await back.told(operation["id"]))["outcomes"]["nodes"]
    assert "includeRejected" in node["message"]
    assert sum(await asyncio.gather(*(tell_due(story.database) for _ in range(3)))) == 1
    async with story.database.read() as connection:
        (mail,) = (await connection.execute(select(mails))).all()
    # Whoever works there no more hears of nothing: it is the agency that has to.
    hears = story.actor if loss == "partner admin" else boss
    assert (mail.recipient, mail.subject) == (hears.email, "1 of 1 planned changes were not carried out")
    assert "includeRejected" in mail.text
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).where(grants.c.member_id == person.id)) == 0


@ON_ONE
async def test_p14_what_somebody_else_gives_up_by_then_does_not_matter(factory: Factory, clock: Clock) -> None:
    """The authority is that of then: what the actor has gained counts, what they have lost does not."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    operation = await planned(story, clock, [person], access=permissions({"contacts.view": "ALL", "deals.view": "ALL"}))
    full = await factory.state((await factory.built_in_set()).state)
    async with story.database.write() as session:
        mine = grants.c.member_id == story.actor.id
        await (await session.connection()).execute(update(grants).where(mine).values(state_id=full))
    await carried_out(story, clock)
    (node,) = (await story.told(operation["id"]))["outcomes"]["nodes"]
    assert Told(node).held == {"contacts.view": "ALL", "deals.view": "ALL"}


@pytest.mark.parametrize("accept", [False, True])
async def test_p14_f38_a_removal_ahead_of_time_is_of_what_was_reviewed(
    factory: Factory, clock: Clock, *, accept: bool
) -> None:
    """What has changed by then: STALE_REVIEW, unless whoever reviewed it said that it goes as well."""
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 2)
    tokens = []
    for person in people:
        await story.grant(person, VIEW)
        data, _ = await story.run(REVIEW, id=node_id(person))
        tokens.append(data["node"]["removalReview"]["token"])
    operations = [
        await planned(story, clock, [person], "removeAccess", reviewToken=token, acceptChanges=accept)
        for person, token in zip(people, tokens, strict=True)
    ]
    await record(story, [asset(story.client, people[0], "1")])
    assert await carried_out(story, clock) == 2
    changed = APPLIED if accept else ("REJECTED", "STALE_REVIEW")
    assert [await verdicts(story, operation) for operation in operations] == [[changed], [APPLIED]]


@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize("paired", [False, True])
async def test_f38_nothing_is_planned_to_be_removed_that_was_not_reviewed_as_it_is(
    factory: Factory, clock: Clock, *, accept: bool, paired: bool
) -> None:
    """Whatever may change until then, in one place or another."""
    story = await Story.begin(factory)
    person, other = await factory.members(story.partner, 2)
    await story.grant(person, VIEW)
    data, _ = await story.run(REVIEW, id=node_id(person))
    token = data["node"]["removalReview"]["token"]
    wanted = (
        pairs((person, story.client), (other, story.client)) if paired else product([person, other], [story.client])
    )
    asked: dict[str, Any] = {"targets": wanted, "acceptChanges": accept}
    answer = await ask(story, clock, "removeAccess", **asked, reviewToken=token, options={"dryRun": True})
    outcomes = answer["operation"]["outcomes"]["nodes"]
    assert [Told(node).verdict[0] for node in outcomes] == ["APPLIED", "NOOP"]
    assert (await ask(story, clock, "removeAccess", **asked, reviewToken=token))["userErrors"] == []
    await story.grant(other, VIEW)
    for wrong in ("x", token):
        (refusal,) = (await ask(story, clock, "removeAccess", **asked, reviewToken=wrong))["userErrors"]
        assert (refusal["code"], refusal["field"]) == ("STALE_REVIEW", ["input", "reviewToken"])
    answer = await ask(story, clock, "removeAccess", **asked, reviewToken=token, options={"dryRun": True})
    outcomes = answer["operation"]["outcomes"]["nodes"]
    assert [Told(node).verdict for node in outcomes] == [APPLIED, ("REJECTED", "STALE_REVIEW")]


@ON_ONE
async def test_f38_trying_a_planned_removal_again_is_of_what_was_reviewed(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await story.grant(person, VIEW)
    data, _ = await story.run(REVIEW, id=node_id(person))
    token = data["node"]["removalReview"]["token"]
    operation = await planned(story, clock, [person], "removeAccess", reviewToken=token, acceptChanges=True)
    mine = update(members).where(members.c.id == story.actor.id)
    for rights in ("VIEW", "EDIT"):
        async with story.database.write() as session:
            await (await session.connection()).execute(mine.values(manager_rights=rights))
        await carried_out(story, clock)
    assert await verdicts(story, operation) == [("REJECTED", "ACTOR_LOST_AUTHORITY")]
    await record(story, [asset(story.client, person, "1")])
    retry = f"""mutation($input: RetryOperationInput!) {{ retryOperation(input: $input) {{
      userErrors {{ code }} operation {{ ...Told }} }} }} {story.fragment}"""
    data, _ = await story.run(retry, input={"operation": operation["id"], "includeRejected": True})
    outcomes = data["retryOperation"]["operation"]["outcomes"]["nodes"]
    assert [Told(node).verdict for node in outcomes] == [("REJECTED", "STALE_REVIEW")]


@ON_ONE
async def test_p14_a_row_that_goes_wrong_keeps_no_other(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when they are due nor when they are told of."""
    story = await Story.begin(factory)
    made = [await planned(story, clock, await factory.members(story.partner, 1)) for _ in range(2)]
    bad = decode_key(made[0]["id"], "Operation")

    def failing(work: Any) -> Any:
        async def fail(connection: Any, operation_id: int, *more: Any) -> Any:
            if operation_id == bad:
                raise ValueError("a row that nobody foresaw")
            return await work(connection, operation_id, *more)

        return fail

    with monkeypatch.context() as patch:
        patch.setattr(release, "join_queue", failing(join_queue))
        assert await carried_out(story, clock) == 1
    assert await carried_out(story, clock, 0) == 1
    with monkeypatch.context() as patch:
        patch.setattr(result, "_operation", failing(result._operation))
        assert await tell_due(story.database) == 1
    assert await tell_due(story.database) == 1


@ON_ONE
async def test_p14_what_may_change_is_for_what_is_removed_later(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await story.grant(person, VIEW)
    (refusal,) = await story.refusals(
        "removeAccess", targets=product([person], [story.client]), reviewToken="", acceptChanges=True
    )
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "acceptChanges"])


@ON_ONE
async def test_p14_a_moment_that_has_passed_is_now_and_one_too_far_ahead_is_refused(
    factory: Factory, clock: Clock
) -> None:
    story = await Story.begin(factory)
    first, second = await factory.members(story.partner, 2)
    at_once = await planned(story, clock, [first], days=-1)
    assert (at_once["state"], at_once["counts"]["applied"]) == ("COMPLETED", 1)
    answer = await ask(story, clock, days=367, targets=product([second], [story.client]))
    (refusal,) = answer["userErrors"]
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "options", "runAt"])
    assert "366 days" in refusal["message"]
    ends = written(clock.moment + timedelta(days=5))
    answer = await ask(story, clock, targets=product([second], [story.client]), expiresAt=ends)
    (refusal,) = answer["userErrors"]
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "expiresAt"])
    preview = await planned(story, clock, [second], options={"dryRun": True})
    assert (preview["state"], preview["counts"]["applied"]) == ("COMPLETED", 1)
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(scheduled_operations)) == 0


@ON_ONE
async def test_p14_the_retry_of_a_scheduled_operation_is_carried_out_at_once(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    operation = await planned(story, clock, [person])
    mine = update(grants).where(grants.c.member_id == story.actor.id)
    async with story.database.write() as session:
        await (await session.connection()).execute(mine.values(status=GrantStatus.DEACTIVATED.value))
    await carried_out(story, clock)
    async with story.database.write() as session:
        await (await session.connection()).execute(mine.values(status=GrantStatus.ACTIVE.value))
    retry = f"""mutation($input: RetryOperationInput!) {{ retryOperation(input: $input) {{
      userErrors {{ code }} operation {{ ...Told }} }} }} {story.fragment}"""
    data, _ = await story.run(retry, input={"operation": operation["id"], "includeRejected": True})
    again = data["retryOperation"]["operation"]
    assert (again["state"], [Told(node).verdict for node in again["outcomes"]["nodes"]]) == ("COMPLETED", [APPLIED])


@ON_ONE
async def test_p14_what_is_due_later_neither_holds_up_nor_overtakes_the_others(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    clients: list[ClientRow] = [story.client, *await factory.clients(story.partner, 3)]
    for client in clients[1:]:
        await story.admin(client)
    slow = replace(story, limits=QueueLimits(queue_above=0, chunk_cells=1))
    person, other = await factory.members(story.partner, 2)
    ahead = (await ask(slow, clock, targets=product([person], clients)))["operation"]
    data, _ = await slow.run(mutation("grantAccess"), input={"targets": product([other], clients), "access": VIEW})
    assert await waiting_partners(story.database) == [story.partner.id]
    assert await story.work() == len(clients)
    assert (await story.told(data["grantAccess"]["operation"]["id"]))["state"] == "COMPLETED"
    assert (await story.told(ahead["id"]))["done"] == 0
    # Others have had many turns by then: it begins beside them, and not before.
    await slow.run(mutation("deactivateAccess"), input={"targets": product([other], clients)})
    async with story.database.write() as session:
        await (await session.connection()).execute(update(queued_operations).values(turn=40))
    clock.wait(7)
    await queue_due(story.database)
    async with story.database.read() as connection:
        assert set((await connection.execute(select(queued_operations.c.turn))).scalars()) == {40}
    await story.work()
    assert (await story.told(ahead["id"]))["counts"]["applied"] == len(clients)


@ON_ONE
async def test_t3_planning_and_releasing_take_a_fixed_number_of_statements(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory)
    counts = []
    for size in (2, 60):
        people = await factory.members(story.partner, size)
        with StatementRecorder(story.database) as recorder:
            operation = await planned(story, clock, people)
        planning = recorder.count
        clock.wait(7)
        with StatementRecorder(story.database) as recorder:
            assert await queue_due(story.database) == 1
        counts.append((planning, recorder.count))
        await story.work()
        assert (await story.told(operation["id"]))["counts"]["applied"] == size
    assert counts[0] == counts[1]
