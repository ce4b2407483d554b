"""Reminders before access ends: one mail for each person and round, about all of it, and never twice (P04)."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.expiry import expiry_rules
from models.grant import GrantStatus, grants
from models.mail import mails
from models.member import members
from resolvers.expiry import reminder
from resolvers.expiry.reminder import remind_due
from resolvers.mail import Letter, post
from tests.factory import ClientRow, Factory, MemberRow, PartnerRow
from tests.histories.clock import Clock

ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is decided the same way whatever the database is."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.rule_over(monkeypatch)
    return made


async def give(factory: Factory, clock: Clock, client: ClientRow, person: MemberRow, days: float) -> None:
    await factory.grant(client, person, expires_at=clock.moment + timedelta(days=days))


async def lead(factory: Factory, client: ClientRow, person: MemberRow) -> None:
    async with factory.database.write() as session:
        led = update(clients).where(clients.c.id == client.id).values(lead_id=person.id)
        await (await session.connection()).execute(led)


async def told(factory: Factory, clock: Clock, days: int = 0) -> list[tuple[str, str]]:
    """What is told of in a round after so many days: recipients and texts."""
    clock.wait(days)
    await remind_due(factory.database, "https://access.example.com")
    async with factory.database.write() as session:
        connection = await session.connection()
        rows = (await connection.execute(select(mails.c.recipient, mails.c.text).order_by(mails.c.recipient))).all()
        await connection.execute(update(mails).values(recipient="told@example.com"))
    return [(row.recipient, row.text) for row in rows if row.recipient != "told@example.com"]


async def begin(factory: Factory) -> tuple[PartnerRow, ClientRow, MemberRow, MemberRow]:
    partner = await factory.partner()
    client = await factory.client(partner, "Maple Mills")
    person = await factory.member(partner, "Ada Ash", email="ada@example.com")
    boss = await factory.member(partner, "Bo Beech", email="bo@example.com")
    await lead(factory, client, boss)
    return partner, client, person, boss


async def test_p04_person_and_lead_are_reminded_fourteen_and_three_days_before(factory: Factory, clock: Clock) -> None:
    _, client, person, _ = await begin(factory)
    await give(factory, clock, client, person, 20)
    # Deactivated access ends without a word, and so does nobody's that is far away.
    idle = await factory.member(PartnerRow(client.partner_id, 0, ""), "Cleo Cedar")
    await factory.grant(client, idle, status=GrantStatus.DEACTIVATED, expires_at=clock.moment + timedelta(days=2))
    assert await told(factory, clock) == []
    assert await told(factory, clock, 5) == []
    (ada, first), (bo, second) = await told(factory, clock, 1)
    assert (ada, bo) == ("ada@example.com", "bo@example.com")
    place = f"Maple Mills ({client.hub_id}), on {clock.moment + timedelta(days=14):%Y-%m-%d}"
    assert f"Your access:\n\n{place}\n" in first
    assert f"In clients that you lead:\n\nAda Ash: {place}\n" in second
    assert "https://access.example.com" in first
    assert [await told(factory, clock, days) for days in (0, 1, 9)] == [[], [], []]
    assert [recipient for recipient, _ in await told(factory, clock, 1)] == ["ada@example.com", "bo@example.com"]
    assert [await told(factory, clock, days) for days in (1, 1, 5)] == [[], [], []]


@ON_ONE
async def test_p04_one_mail_is_about_all_of_it_however_much(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminder, "LISTED", 3)
    partner, client, person, boss = await begin(factory)
    others = await factory.clients(partner, 4)
    for place in others:
        await give(factory, clock, place, person, 2)
    await give(factory, clock, client, boss, 2)
    await give(factory, clock, client, person, 10)
    (_, first), (_, second) = await told(factory, clock)
    assert "And 2 more." in first
    # Whoever leads the client hears of their own access once.
    assert second.count("Maple Mills") == 2
    assert second.index("Your access:") < second.index("In clients that you lead:") < second.index("Ada Ash")


async def test_p04_two_at_once_tell_once_and_what_was_missed_is_told_later(factory: Factory, clock: Clock) -> None:
    _, client, person, _ = await begin(factory)
    await give(factory, clock, client, person, 30)
    assert await told(factory, clock) == []
    # The service stood still for a fortnight, and the first reminder is over.
    clock.wait(18)
    await asyncio.gather(*(remind_due(factory.database) for _ in range(3)))
    assert len(await told(factory, clock)) == 2
    assert len(await told(factory, clock, 10)) == 2


@ON_ONE
async def test_p04_an_extension_is_told_of_anew_and_whoever_left_of_nothing(factory: Factory, clock: Clock) -> None:
    _, client, person, boss = await begin(factory)
    await give(factory, clock, client, person, 2)
    assert len(await told(factory, clock)) == 2
    async with factory.database.write() as session:
        connection = await session.connection()
        later = clock.moment + timedelta(days=15)
        await connection.execute(update(grants).where(grants.c.member_id == person.id).values(expires_at=later))
        await connection.execute(update(members).where(members.c.id == boss.id).values(status="DEACTIVATED"))
    assert [recipient for recipient, _ in await told(factory, clock, 1)] == ["ada@example.com"]


@ON_ONE
async def test_p04_the_partner_says_when_and_whether(factory: Factory, clock: Clock) -> None:
    partner, client, person, _ = await begin(factory)
    await give(factory, clock, client, person, 9)

    async def remind(days: str) -> None:
        async with factory.database.write() as session:
            ours = update(expiry_rules).where(expiry_rules.c.partner_id == partner.id)
            await (await session.connection()).execute(ours.values(remind_days=days, reminded_at=None))

    assert len(await told(factory, clock)) == 2
    await remind("")
    assert await told(factory, clock, 1) == []
    await remind("7")
    assert await told(factory, clock) == []
    assert len(await told(factory, clock, 1)) == 2


@ON_ONE
async def test_p04_what_came_between_two_rounds_is_told_and_nothing_twice(factory: Factory, clock: Clock) -> None:
    """Given, shortened, reactivated, or reached by a new reminder: inside the reach of those that there were."""
    partner, client, person, _ = await begin(factory)
    assert await told(factory, clock) == []
    clock.moment += timedelta(hours=1)
    await give(factory, clock, client, person, 2)
    assert len(await told(factory, clock, 1)) == 2
    far, idle = await factory.members(partner, 2)
    await give(factory, clock, client, far, 40)
    await factory.grant(
        client, idle, status=GrantStatus.DEACTIVATED, expires_at=clock.moment + timedelta(days=9, hours=1)
    )
    assert await told(factory, clock, 1) == []

    async def change(whom: MemberRow, **values: object) -> None:
        async with factory.database.write() as session:
            changed = update(grants).where(grants.c.member_id == whom.id).values(values)
            await (await session.connection()).execute(changed)

    await change(far, expires_at=clock.moment + timedelta(days=12))
    await change(idle, status="ACTIVE")
    assert [recipient for recipient, _ in await told(factory, clock, 1)] == ["bo@example.com", far.email, idle.email]
    # For the same end and reminder, nobody hears again.
    await change(idle, status="DEACTIVATED")
    assert await told(factory, clock, 1) == []
    await change(idle, status="ACTIVE")
    assert await told(factory, clock, 1) == []
    async with factory.database.write() as session:
        ours = update(expiry_rules).where(expiry_rules.c.partner_id == partner.id)
        await (await session.connection()).execute(ours.values(remind_days="90 7"))
    assert [recipient for recipient, _ in await told(factory, clock, 1)] == ["bo@example.com", idle.email]


@ON_ONE
async def test_p04_a_clock_that_was_ahead_silences_nobody(factory: Factory, clock: Clock) -> None:
    _, client, person, _ = await begin(factory)
    await give(factory, clock, client, person, 20)
    assert await told(factory, clock, 400) == []
    clock.wait(-400)
    assert [len(await told(factory, clock, days)) for days in (0, 6, 1, 10)] == [0, 2, 0, 2]


@ON_ONE
async def test_p04_a_partner_whose_round_goes_wrong_keeps_no_other(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        partner = await factory.partner()
        await give(factory, clock, await factory.client(partner), await factory.member(partner), 2)
    posted = 0

    async def failing(connection: AsyncConnection, letter: Letter) -> None:
        nonlocal posted
        posted += 1
        if posted == 1:
            raise ValueError("an address that nobody foresaw")
        await post(connection, letter)

    monkeypatch.setattr(reminder, "post", failing)
    assert [await remind_due(factory.database) for _ in range(2)] == [1, 1]
    assert len(await told(factory, clock)) == 2
