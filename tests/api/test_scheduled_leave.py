"""Planning that somebody leaves: judged and carried out on the day, all of it or nothing (P14, R8, R13, F38)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.mail import mails
from models.member import members
from resolvers.issuer import EPHEMERAL
from resolvers.schedule import departure
from resolvers.schedule.departure import leave_due
from tests.api.asset_story import asset, record
from tests.api.write_story import Story, node_id, permissions
from tests.factory import Factory, MemberRow
from tests.histories.clock import Clock

VIEW = permissions({"contacts.view": "ALL"})
PLAN = """mutation($input: ScheduleLeaveInput!) { scheduleLeave(input: $input) {
  userErrors { code field } scheduledLeave { state runAt member { id } requestedBy { id } } } }"""
CANCEL = """mutation($input: CancelLeaveInput!) { cancelLeave(input: $input) {
  userErrors { code } scheduledLeave { state cancelledBy { id } } } }"""
SEEN = """query($id: ID!) { node(id: $id) { ... on Member { status
  scheduledLeave { state code message operation { state counts { applied rejected } } } } } }"""
LIST = "{ partner { scheduledLeaves { totalCount nodes { member { id } } } } }"
REVIEW = "query($id: ID!) { node(id: $id) { ... on Member { removalReview { token } } } }"
ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is decided the same way whatever the database is."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.rule_over(monkeypatch)
    return made


async def begin(factory: Factory) -> tuple[Story, MemberRow]:
    """An agency with somebody who has access."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner, "Ada Ash")
    await story.grant(person, VIEW)
    return story, person


async def plan(story: Story, clock: Clock, person: MemberRow, days: int = 7, **values: Any) -> Any:
    data, codes = await story.run(REVIEW, id=node_id(person))
    assert codes == []
    run_at = (clock.moment + timedelta(days=days)).isoformat()
    asked = {
        "member": node_id(person),
        "runAt": run_at,
        "reviewToken": data["node"]["removalReview"]["token"],
        **values,
    }
    data, codes = await story.run(PLAN, input=asked)
    assert codes == []
    return data["scheduleLeave"]


async def seen(story: Story, person: MemberRow) -> Any:
    data, codes = await story.run(SEEN, id=node_id(person))
    assert codes == []
    return data["node"]


async def listed(story: Story) -> list[str]:
    data, codes = await story.run(LIST)
    assert codes == []
    found = data["partner"]["scheduledLeaves"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["member"]["id"] for node in found["nodes"]]


async def letters(story: Story) -> list[str]:
    async with story.database.read() as connection:
        return list(
            (await connection.execute(select(mails.c.subject).where(mails.c.event.like("scheduled-leave:%")))).scalars()
        )


async def test_p14_r8_a_planned_leaving_is_carried_out_once_on_its_day(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    answer = await plan(story, clock, person)
    assert answer["userErrors"] == []
    assert (answer["scheduledLeave"]["state"], answer["scheduledLeave"]["member"]["id"]) == ("WAITING", node_id(person))
    assert await listed(story) == [node_id(person)]
    (refusal,) = (await plan(story, clock, person))["userErrors"]
    assert refusal == {"code": "CONFLICT", "field": ["input", "member"]}
    clock.wait(6)
    assert await leave_due(story.database, EPHEMERAL) == 0
    clock.wait(1)
    assert sum(await asyncio.gather(*(leave_due(story.database, EPHEMERAL) for _ in range(3)))) == 1
    found = await seen(story, person)
    assert (found["status"], found["scheduledLeave"]["state"], found["scheduledLeave"]["code"]) == (
        "LEFT",
        "LEFT",
        None,
    )
    assert found["scheduledLeave"]["operation"]["counts"] == {"applied": 1, "rejected": 0}
    assert (await listed(story), await letters(story)) == ([], [])


async def test_p14_it_can_be_taken_back_and_planned_anew(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    stranger = await Story.begin(factory)
    await plan(story, clock, person)
    assert await listed(stranger) == []
    for who, codes in ((stranger, ["NOT_FOUND"]), (story, []), (story, ["CONFLICT"])):
        data, _ = await who.run(CANCEL, input={"member": node_id(person)})
        assert [error["code"] for error in data["cancelLeave"]["userErrors"]] == codes
    assert (await seen(story, person))["scheduledLeave"]["state"] == "CANCELLED"
    assert (await plan(story, clock, person))["userErrors"] == []
    # Whoever is removed before has nothing planned any more.
    data, _ = await story.run(REVIEW, id=node_id(person))
    remove = "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code } } }"
    token = data["node"]["removalReview"]["token"]
    data, _ = await story.run(remove, input={"member": node_id(person), "reviewToken": token})
    assert data["removeMember"]["userErrors"] == []
    assert (await seen(story, person))["scheduledLeave"]["state"] == "LEFT"
    clock.wait(7)
    assert await leave_due(story.database, EPHEMERAL) == 0


async def test_p14_f38_what_has_changed_since_the_review_keeps_the_person_unless_it_was_agreed_to(
    factory: Factory, clock: Clock
) -> None:
    """Access that has come since, and assets: STALE_REVIEW, and whoever planned it hears of it."""
    story, person = await begin(factory)
    other = await factory.member(story.partner, "Bo Beech")
    await story.grant(other, VIEW)
    await plan(story, clock, person)
    await plan(story, clock, other, acceptChanges=True)
    elsewhere = await factory.client(story.partner)
    await factory.grant(elsewhere, other)
    await record(story, [asset(story.client, owner, str(owner.id)) for owner in (person, other)])
    clock.wait(7)
    assert await leave_due(story.database, EPHEMERAL) == 2
    found = await seen(story, person)
    assert (found["status"], found["scheduledLeave"]["code"]) == ("ACTIVE", "STALE_REVIEW")
    assert found["scheduledLeave"]["operation"]["counts"] == {"applied": 0, "rejected": 1}
    assert (await seen(story, other))["status"] == "LEFT"
    assert await letters(story) == ["Ada Ash has not left as planned"]


@ON_ONE
async def test_f38_nobody_is_planned_to_leave_whose_access_was_not_reviewed_as_it_is(
    factory: Factory, clock: Clock
) -> None:
    """Whatever may change until then."""
    story, person = await begin(factory)
    data, _ = await story.run(REVIEW, id=node_id(person))
    await record(story, [asset(story.client, person, "1")])
    for token in ("x", data["node"]["removalReview"]["token"]):
        for accept in (False, True):
            (refusal,) = (await plan(story, clock, person, reviewToken=token, acceptChanges=accept))["userErrors"]
            assert refusal == {"code": "STALE_REVIEW", "field": ["input", "reviewToken"]}
    assert await listed(story) == []


@ON_ONE
@pytest.mark.parametrize("with_boss", [False, True])
async def test_p14_when_whoever_planned_it_has_left_those_who_decide_hear_of_it(
    factory: Factory, clock: Clock, *, with_boss: bool
) -> None:
    """And are not sent where nothing can be tried again."""
    story, person = await begin(factory)
    await plan(story, clock, person)
    bosses = [await factory.member(story.partner, super_admin=True)] if with_boss else []
    await factory.member(story.partner, super_admin=True, status="DEACTIVATED")
    async with story.database.write() as session:
        gone = update(members).where(members.c.id == story.actor.id).values(status="LEFT", manager_rights="NONE")
        await (await session.connection()).execute(gone)
    clock.wait(7)
    assert await leave_due(story.database, EPHEMERAL) == 1
    async with story.database.read() as connection:
        found = (await connection.execute(select(mails.c.recipient, mails.c.text))).all()
    # Where there is no super admin, it is whoever has EDIT.
    assert [recipient for recipient, _ in found] == [hears.email for hears in bosses or [person]]
    assert f"{story.actor.email}, who is no active member any more, has planned" in found[0].text
    assert "scheduleLeave" in found[0].text
    assert "retryOperation" not in found[0].text


@ON_ONE
async def test_r13_who_may_not_act_any_more_lets_nobody_leave(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    await plan(story, clock, person)
    async with story.database.write() as session:
        mine = update(members).where(members.c.id == story.actor.id)
        await (await session.connection()).execute(mine.values(manager_rights="NONE"))
    clock.wait(7)
    assert await leave_due(story.database, EPHEMERAL) == 1
    found = await seen(await story.as_member(await factory.member(story.partner)), person)
    assert (found["status"], found["scheduledLeave"]["state"]) == ("ACTIVE", "REFUSED")
    assert found["scheduledLeave"]["code"] == "ACTOR_LOST_AUTHORITY"


@ON_ONE
async def test_p14_what_nobody_foresaw_ends_the_plan_and_is_told(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, person = await begin(factory)
    await plan(story, clock, person)

    async def fail(*_arguments: Any) -> None:
        raise ValueError("something that nobody foresaw")

    monkeypatch.setattr(departure, "remove_in", fail)
    clock.wait(7)
    assert [await leave_due(story.database, EPHEMERAL) for _ in range(2)] == [1, 0]
    found = await seen(story, person)
    assert (found["status"], found["scheduledLeave"]["code"]) == ("ACTIVE", "INTERNAL_ERROR")
    assert "retryOperation" not in found["scheduledLeave"]["message"]
    assert len(await letters(story)) == 1


@ON_ONE
async def test_p14_what_could_not_be_done_now_cannot_be_planned(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    boss = await factory.member(story.partner, super_admin=True)
    viewer = await story.as_member(await factory.member(story.partner, manager_rights="VIEW"))
    gone = await factory.member(story.partner, status="LEFT")
    wrong: list[tuple[Story, MemberRow, dict[str, Any], str]] = [
        (story, person, {"reviewToken": None}, "INVALID_INPUT"),
        (story, person, {"reviewToken": None, "acceptChanges": True}, "INVALID_INPUT"),
        (story, person, {"days": -1}, "INVALID_INPUT"),
        (story, person, {"days": 400}, "INVALID_INPUT"),
        (story, person, {"member": "nonsense"}, "NOT_FOUND"),
        (story, boss, {}, "FORBIDDEN"),
        (story, gone, {}, "CONFLICT"),
        (viewer, person, {}, "FORBIDDEN"),
    ]
    for who, whom, values, code in wrong:
        (refusal,) = (await plan(who, clock, whom, **values))["userErrors"]
        assert refusal["code"] == code, values
    assert await listed(story) == []
