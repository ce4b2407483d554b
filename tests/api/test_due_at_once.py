"""What is due, and what people do, at the same moment: each happens once, and what was decided is what there is (P04, P14, R13)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from models.expiry import expiry_holds
from models.grant import AccessType, grants
from models.mail import mails
from models.operation import operations
from resolvers.expiry.end import AGAIN_AFTER, end_due
from resolvers.issuer import EPHEMERAL
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.schedule.departure import leave_due
from resolvers.schedule.release import queue_due
from server.timekeeper import Timekeeper
from tests.api.caller import operation
from tests.api.counters import assert_counters_are_true
from tests.api.ending_story import review
from tests.api.matrix_story import entry
from tests.api.write_story import APPLIED, Story, Told, mutation, node_id, permissions, product
from tests.factory import Factory, MemberRow
from tests.histories.clock import Clock

VIEW = permissions({"contacts.view": "ALL"})
SHORT = """fragment Told on Operation { id state total done
  outcomes(first: 100) { totalCount nodes { client { id } member { id } status code message grant { id } } } }"""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.rule_over(monkeypatch)
    # Whoever waited for somebody who waits for them would be an error, and not tried again.
    monkeypatch.setattr("models.conflict.UNDONE", frozenset())
    return made


def written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


async def begin(factory: Factory) -> Story:
    story = await Story.begin(factory)
    return Story(factory, story.partner, story.actor, story.client, story.viewer, SHORT)


async def planned(story: Story, clock: Clock, field: str, people: Sequence[MemberRow], **values: Any) -> str:
    """Returns the id of an operation that is due in a day."""
    options = {**values.pop("options", {}), "runAt": written(clock.moment + timedelta(days=1))}
    asked = {"targets": product(people, [story.client]), "options": options, **values}
    data, codes = await story.run(mutation(field, fragment=SHORT), input=asked)
    assert (codes, data[field]["userErrors"]) == ([], [])
    return str(data[field]["operation"]["id"])


async def leaving(story: Story, clock: Clock, person: MemberRow) -> None:
    """Plans that somebody leaves in a day."""
    asked = {"member": node_id(person), "runAt": written(clock.moment + timedelta(days=1)), "acceptChanges": True}
    token = (await review(story, person))["token"]
    data, codes = await story.run(operation("schedule_leave"), input={**asked, "reviewToken": token})
    assert (codes, data["scheduleLeave"]["userErrors"]) == ([], [])


async def verdicts(story: Story, operation_id: str) -> list[tuple[str, str | None]]:
    return [Told(node).verdict for node in (await story.told(operation_id))["outcomes"]["nodes"]]


async def status_of(story: Story, person: MemberRow) -> list[str]:
    statement = select(grants.c.status).where(grants.c.member_id == person.id).order_by(grants.c.id)
    async with story.database.read() as connection:
        return list((await connection.execute(statement)).scalars())


async def test_p14_p04_of_several_timekeepers_each_thing_is_done_by_one(factory: Factory, clock: Clock) -> None:
    story = await begin(factory)
    newcomer, leaver, *ending = await factory.members(story.partner, 5)
    soon = clock.moment + timedelta(hours=12)
    for person in ending:
        await factory.grant(story.client, person, expires_at=soon)
    await factory.grant(story.client, leaver)
    kept = await factory.grant(story.client, await factory.member(story.partner), expires_at=soon + timedelta(days=3))
    given = await planned(story, clock, "grantAccess", [newcomer], access=VIEW)
    await leaving(story, clock, leaver)
    clock.wait(2)
    keepers = [Timekeeper(story.database, EPHEMERAL) for _ in range(3)]
    done = await asyncio.gather(*(keeper.look() for keeper in keepers))
    # The operation, the leaving, all expired access, and the round of reminders.
    assert sum(done) == 4
    await story.work()
    assert await verdicts(story, given) == [APPLIED]
    assert sum(await asyncio.gather(*(keeper.look() for keeper in keepers))) == 1, "telling of the result"
    assert await status_of(story, leaver) == ["REMOVED"]
    assert [await status_of(story, person) for person in ending] == [["DEACTIVATED"]] * 3
    async with story.database.read() as connection:
        made = (await connection.execute(select(operations.c.kind, operations.c.applied))).all()
        letters = list((await connection.execute(select(mails.c.subject))).scalars())
        version = await connection.scalar(select(grants.c.version).where(grants.c.id == kept.id))
    # Beside what each of the six had before.
    assert Counter(map(tuple, made)) == {("GRANT", 1): 1 + 6, ("REMOVE", 1): 1, ("EXPIRE", 3): 1}
    assert (letters, version) == (["Access in a client ends soon"], 1)
    await assert_counters_are_true(story.database)


async def test_p14_what_is_cancelled_when_it_is_due_is_cancelled_or_carried_out_and_never_both(
    factory: Factory, clock: Clock
) -> None:
    story = await begin(factory)
    people = await factory.members(story.partner, 4)
    asked = [await planned(story, clock, "grantAccess", [person], access=VIEW) for person in people]
    clock.wait(1)
    cancel = operation("cancel_operation")

    async def stop(operation_id: str, pauses: int) -> list[str]:
        for _ in range(pauses):
            await asyncio.sleep(0)
        data, codes = await story.run(cancel, input={"operation": operation_id})
        assert codes == []
        return [error["code"] for error in data["cancelOperation"]["userErrors"]]

    async def carry_out() -> None:
        await queue_due(story.database)
        await story.work()

    answers = await asyncio.gather(
        *(stop(operation_id, 40 * number) for number, operation_id in enumerate(asked)), carry_out(), carry_out()
    )
    await carry_out()
    for person, operation_id, refused in zip(people, asked, answers, strict=False):
        state = (await story.told(operation_id))["state"]
        expected = ("CANCELLED", [], []) if refused == [] else ("COMPLETED", ["CONFLICT"], ["ACTIVE"])
        assert (state, refused, await status_of(story, person)) == expected
    await assert_counters_are_true(story.database)


async def test_p14_f42_a_super_admin_whose_time_is_over_is_migrated_no_more(factory: Factory, clock: Clock) -> None:
    """At once with its end, and before it: access that becomes a partner admin's ends when the super admin's would have."""
    story = await begin(factory)
    over, later = await factory.members(story.partner, 2)
    await factory.own_person(story.client, await factory.user())
    await factory.super_admin(story.client, over, expires_at=clock.moment + timedelta(days=1))
    await factory.super_admin(story.client, later, expires_at=clock.moment + timedelta(days=2))
    asked = await planned(story, clock, "migrateToPartnerAdmin", [over, later], keepBilling=False)
    clock.wait(1)
    await queue_due(story.database)
    await asyncio.gather(story.work(), end_due(story.database), end_due(story.database))
    assert await verdicts(story, asked) == [("REJECTED", "NOT_SUPER_ADMIN"), APPLIED]
    assert (await status_of(story, over), await status_of(story, later)) == (["DEACTIVATED"], ["ACTIVE"])
    clock.wait(1)
    await end_due(story.database)
    async with story.database.read() as connection:
        row = (await connection.execute(select(grants).where(grants.c.member_id == later.id))).one()
    assert (row.status, row.access_type) == ("DEACTIVATED", AccessType.PARTNER_ADMIN)
    await assert_counters_are_true(story.database)


async def test_r13_who_leaves_at_the_moment_when_what_they_planned_is_due_gives_nothing(
    factory: Factory, clock: Clock
) -> None:
    story = await begin(factory)
    colleague, person = await factory.members(story.partner, 2)
    await factory.partner_admin(story.client, colleague)
    asked = await planned(await story.as_member(colleague), clock, "grantAccess", [person], access=VIEW)
    await leaving(story, clock, colleague)
    clock.wait(1)
    await asyncio.gather(queue_due(story.database), leave_due(story.database, EPHEMERAL))
    await story.work()
    assert await verdicts(story, asked) == [("REJECTED", "ACTOR_LOST_AUTHORITY")]
    assert (await status_of(story, person), await status_of(story, colleague)) == ([], ["REMOVED"])


async def test_p05_access_that_is_extended_when_it_ends_is_extended_or_ended_and_then_extended(
    factory: Factory, clock: Clock
) -> None:
    story = await begin(factory)
    people = await factory.members(story.partner, 4)
    for person in people:
        await factory.grant(story.client, person, {"contacts.view": "ALL"}, expires_at=clock.moment)
    until = clock.moment + timedelta(days=30)
    told, *_ = await asyncio.gather(
        story.outcomes("extendAccess", targets=product(people, [story.client]), expiresAt=written(until)),
        end_due(story.database),
        end_due(story.database),
    )
    assert [outcome.verdict for outcome in told] == [APPLIED] * 4
    async with story.database.read() as connection:
        theirs = select(grants.c.status, grants.c.expires_at, func.count()).where(
            grants.c.member_id.in_([person.id for person in people])
        )
        (row,) = (await connection.execute(theirs.group_by(grants.c.status, grants.c.expires_at))).all()
    assert row[1:] == (until, 4)
    assert await end_due(story.database) == 0
    await assert_counters_are_true(story.database)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p28_p14_a_row_of_a_matrix_whose_end_has_passed_by_then_gives_nothing(
    factory: Factory, clock: Clock
) -> None:
    story = await begin(factory)
    new, old, other = await factory.members(story.partner, 3)
    for person in (old, other):
        await story.grant(person, {"permissionSet": node_id(await factory.built_in_set("marketing"))})
    ends = written(clock.moment + timedelta(hours=12))
    rows = [entry(new, story.client, "Marketing", expiresAt=ends), entry(old, story.client, "Sales", expiresAt=ends)]
    rows.append(entry(other, story.client, "Sales"))
    options = {"runAt": written(clock.moment + timedelta(days=1))}
    asked = {"matrix": {"entries": rows}, "options": options}
    data, codes = await story.run(operation("apply_access_matrix"), input=asked)
    assert (codes, data["applyAccessMatrix"]["userErrors"]) == ([], [])
    clock.wait(1)
    await queue_due(story.database)
    await story.work()
    over = ("REJECTED", "EXPIRED")
    assert await verdicts(story, data["applyAccessMatrix"]["operation"]["id"]) == [over, over, APPLIED]
    assert (await status_of(story, new), await status_of(story, old)) == ([], ["ACTIVE"])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_p04_a_clock_that_was_ahead_keeps_no_expired_access(factory: Factory, clock: Clock) -> None:
    """What could not be ended because of an error is tried again after a day, whatever the clock said when it was written down."""
    story = await begin(factory)
    person = await factory.member(story.partner)
    grant = await factory.grant(story.client, person, expires_at=clock.moment)
    hold = {"grant_id": grant.id, "partner_id": story.partner.id, "expires_at": clock.moment}
    ahead = clock.moment + 9 * AGAIN_AFTER
    async with story.database.write() as session:
        connection = await session.connection()
        row = {**hold, "code": OutcomeCode.INTERNAL_ERROR.value, "at": clock.moment}
        await connection.execute(insert(expiry_holds).values(row))
    assert await end_due(story.database) == 0
    async with story.database.write() as session:
        await (await session.connection()).execute(update(expiry_holds).values(at=ahead))
    assert await end_due(story.database) == 1
    assert await status_of(story, person) == ["DEACTIVATED"]
