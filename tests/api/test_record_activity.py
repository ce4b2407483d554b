"""Recording activity: new, repeated and refused events, totals and last moments that are kept as events come in any order (F52)."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from models.activity import activity_events
from models.member import ManagerRights, MemberStatus
from models.table import now
from resolvers.activity.write import MOST_AT_ONCE
from schema.node import encode
from tests.api.activity_story import NOON, RECORD, ActivityStory, check_kept, event, kept, later, record, recorded
from tests.api.caller import Caller
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder


async def test_f52_events_are_recorded_with_totals_by_day_and_last_moments(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    other = await factory.client(story.partner)
    sent = [
        event(story.client, story.actor, "1", later(hours=1), permission="contacts.edit", subject="  Deal   4711 "),
        event(story.client, story.actor, "2", permission="contacts.edit"),
        event(story.client, story.actor, "3", later(days=1), kind="VIEWED"),
        event(other, story.actor, "4"),
    ]
    assert await recorded(story.caller, sent) == (4, 0)
    days, last = await kept(factory.database)
    partner, client, member = story.partner.id, story.client.id, story.actor.id
    assert days == {
        (partner, NOON.date(), client, member, "UPDATED", "contacts.edit"): (2, later(hours=1)),
        (partner, later(days=1).date(), client, member, "VIEWED", ""): (1, later(days=1)),
        (partner, NOON.date(), other.id, member, "UPDATED", ""): (1, NOON),
    }
    assert last == {(client, member): later(days=1), (other.id, member): NOON}
    async with factory.database.read() as connection:
        # By the moment: it is stored as every other moment is.
        at_one = activity_events.c.at == later(hours=1)
        row = (await connection.execute(select(activity_events).where(at_one))).one()
    assert (row.event_id, row.kind, row.permission, row.subject) == ("1", "UPDATED", "contacts.edit", "Deal 4711")
    assert (row.partner_id, row.client_id, row.member_id) == (partner, client, member)


async def test_f52_a_repeated_event_counts_once_in_one_call_and_in_the_next(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    first, again = event(story.client, story.actor, "1"), event(story.client, story.actor, "1", later(days=2))
    assert await recorded(story.caller, [first, again, first]) == (1, 2)
    before = await kept(factory.database)
    assert await recorded(story.caller, [again, first]) == (0, 2)
    assert await kept(factory.database) == before
    assert before[1] == {(story.client.id, story.actor.id): NOON}
    await check_kept(factory.database)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_f52_event_ids_are_told_apart_to_the_letter(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    ids = ["a b", "a  b", " a b", "A b", "é", "e\u0301"]
    sent = [event(story.client, story.actor, event_id) for event_id in ids]
    assert await recorded(story.caller, [*sent, sent[1]]) == (6, 1)
    async with factory.database.read() as connection:
        kept_ids = (await connection.execute(select(activity_events.c.event_id))).scalars()
    assert sorted(kept_ids) == sorted(ids)


async def test_f52_the_same_event_id_of_another_source_or_partner_is_another_event(factory: Factory) -> None:
    story, other = await ActivityStory.begin(factory), await ActivityStory.begin(factory)
    sent = [event(story.client, story.actor, "1")]
    assert await recorded(story.caller, sent, "crm") == (1, 0)
    assert await recorded(story.caller, sent, "mail  tool ") == (1, 0)
    assert await recorded(story.caller, sent, "mail tool") == (0, 1)
    assert await recorded(other.caller, [event(other.client, other.actor, "1")], "crm") == (1, 0)


async def test_f52_whatever_the_order_and_the_batches_the_totals_and_last_moments_are_those_of_the_events(
    factory: Factory,
) -> None:
    story, chance = await ActivityStory.begin(factory), Random(52)  # noqa: S311 no secret
    places = [story.client, *[await factory.client(story.partner) for _ in range(2)]]
    people = await factory.members(story.partner, 3)
    sent = [
        event(
            chance.choice(places),
            chance.choice(people),
            str(number),
            NOON - timedelta(minutes=chance.randrange(60 * 24 * 5)),
            kind=chance.choice(["VIEWED", "UPDATED", "SIGNED_IN"]),
            permission=chance.choice([None, "contacts.view", "deals.edit"]),
        )
        for number in range(240)
    ]
    sent += chance.sample(sent, 60)
    chance.shuffle(sent)
    new = 0
    while sent:
        size = chance.randrange(1, 60)
        part, sent = sent[:size], sent[size:]
        new += (await recorded(story.caller, part))[0]
        await check_kept(factory.database)
    assert new == 240


async def test_f52_late_events_never_move_the_last_moment_back(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    place = (story.client.id, story.actor.id)
    for number, (days, last) in enumerate([(0, 0), (-30, 0), (3, 3), (2, 3)]):
        await recorded(story.caller, [event(story.client, story.actor, str(number), later(days=days))])
        assert (await kept(factory.database))[1] == {place: later(days=last)}


async def test_f52_client_and_person_are_named_as_tools_know_them(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    left = await factory.member(story.partner, status=MemberStatus.LEFT)
    named = {"hubId": str(story.client.hub_id), "email": story.actor.email.upper()}
    of_left = {"client": encode("Client", story.client.id), "email": left.email}
    rest = {"kind": "VIEWED", "at": "2026-10-14T14:00:00+02:00"}
    assert await recorded(story.caller, [{**named, **rest, "eventId": "1"}, {**of_left, **rest, "eventId": "2"}]) == (
        2,
        0,
    )
    last = (await kept(factory.database))[1]
    assert last == {(story.client.id, story.actor.id): NOON, (story.client.id, left.id): NOON}


WRONG: list[tuple[dict[str, Any], str, str, str]] = [
    ({"client": "nonsense"}, "client", "NOT_FOUND", "There is no such client."),
    ({"client": None}, "client", "NOT_FOUND", "There is no such client."),
    ({"hubId": "1"}, "client", "NOT_FOUND", "There is no such client."),
    ({"client": None, "hubId": "12"}, "client", "NOT_FOUND", "“12” is the Hub ID of no client of this partner"),
    ({"member": encode("Client", 1)}, "member", "NOT_FOUND", "There is no such member."),
    ({"member": None, "email": "a@b.example"}, "member", "NOT_FOUND", "“a@b.example” is the address of nobody"),
    ({"permission": "contacts.fly"}, "permission", "UNKNOWN_PERMISSION", "no permission “contacts.fly”"),
    ({"member": None, "email": "no address"}, "member", "NOT_FOUND", "“no address” is the address of nobody"),
    ({"kind": "DREAMT"}, "kind", "INVALID_INPUT", "There is no kind “DREAMT”; write one of SIGNED_IN, VIEWED"),
    ({"at": "yesterday"}, "at", "INVALID_INPUT", "“yesterday” is no moment"),
    ({"at": "2026-10-14T12:00:00"}, "at", "INVALID_INPUT", "has no time zone"),
    ({"at": "1999-12-31T23:59:59Z"}, "at", "INVALID_INPUT", "lies before the year 2000"),
    ({"eventId": " "}, "eventId", "INVALID_INPUT", "eventId cannot be used. Write 1 to 200 characters."),
    ({"eventId": "x" * 201}, "eventId", "INVALID_INPUT", "Write 1 to 200 characters."),
    ({"eventId": "a\tb"}, "eventId", "INVALID_INPUT", "leave out the character U+0009"),
    ({"eventId": "a\u200bb"}, "eventId", "INVALID_INPUT", "leave out the character U+200B"),
    ({"subject": "x" * 201}, "subject", "INVALID_INPUT", "Write 1 to 200 characters."),
    ({"subject": "a\u202eb"}, "subject", "INVALID_INPUT", "Leave out the control character U+202E."),
]


async def test_f52_events_that_cannot_be_used_are_refused_by_themselves(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    sent = [event(story.client, story.actor, "good")]
    for number, (changed, *_) in enumerate(WRONG):
        wrong = event(story.client, story.actor, f"wrong {number}") | changed
        sent.append({name: value for name, value in wrong.items() if value is not None})
    sent.append(event(story.client, story.actor, "good too"))
    answer = await record(story.caller, sent)
    assert answer["counts"] == {"recorded": 2, "repeated": 0, "refused": len(WRONG)}
    for index, (refused, (_, field, code, message)) in enumerate(zip(answer["refused"], WRONG, strict=True), start=1):
        assert (refused["index"], refused["field"], refused["code"]) == (index, field, code)
        assert message in refused["message"]
    await check_kept(factory.database)


async def test_f52_an_hour_of_a_fast_clock_is_forgiven_and_no_more(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    moment = now()
    sent = [
        event(story.client, story.actor, "1", moment + timedelta(minutes=59)),
        event(story.client, story.actor, "2", moment + timedelta(minutes=62)),
    ]
    answer = await record(story.caller, sent)
    assert [refused["index"] for refused in answer["refused"]] == [1]
    assert "more than an hour ahead" in answer["refused"][0]["message"]


async def test_t1_what_is_another_partners_is_refused_like_what_does_not_exist(factory: Factory) -> None:
    story, other = await ActivityStory.begin(factory), await ActivityStory.begin(factory)
    nowhere, nobody = encode("Client", 10**9), encode("Member", 10**9)
    sent = [
        event(other.client, story.actor, "1"),
        event(story.client, story.actor, "2") | {"client": nowhere},
        event(story.client, other.actor, "3"),
        event(story.client, story.actor, "4") | {"member": nobody},
    ]
    answer = await record(story.caller, sent)
    told_of = [(refused["field"], refused["code"], refused["message"]) for refused in answer["refused"]]
    assert told_of[0] == told_of[1]
    assert told_of[2] == told_of[3]
    for row in sent[:1] + sent[2:3]:
        del row["client"], row["member"]
    sent[0] |= {"hubId": str(other.client.hub_id), "email": story.actor.email}
    sent[2] |= {"hubId": str(story.client.hub_id), "email": other.actor.email}
    answer = await record(story.caller, [sent[0], sent[2]])
    assert [refused["field"] for refused in answer["refused"]] == ["client", "member"]
    assert await kept(factory.database) == ({}, {})


async def test_f02_recording_needs_edit_and_a_token_that_writes(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    looker = await factory.member(story.partner, manager_rights=ManagerRights.VIEW)
    sent = [event(story.client, story.actor, "1")]
    answer = await record(await Caller.signed_in(factory, looker), sent)
    assert [error["code"] for error in answer["userErrors"]] == ["FORBIDDEN"]
    assert answer["counts"] is None
    reading = await Caller.signed_in(factory, story.actor, "read")
    assert await reading.code(RECORD, input={"source": "crm", "events": sent}) == "FORBIDDEN"
    foreign = await factory.partner()
    answer = await record(story.caller, sent, partner=encode("Partner", foreign.id))
    assert [error["code"] for error in answer["userErrors"]] == ["NOT_FOUND"]


async def test_f52_a_call_without_events_or_source_or_with_too_many_is_refused(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_AT_ONCE == 10_000
    monkeypatch.setattr("resolvers.activity.record.MOST_AT_ONCE", 3)
    story = await ActivityStory.begin(factory)
    one = event(story.client, story.actor, "1")
    for events, source, field in (
        ([], "crm", ["input", "events"]),
        ([one] * 4, "crm", ["input", "events"]),
        ([one], " ", ["input", "source"]),
    ):
        answer = await record(story.caller, events, source)
        (error,) = answer["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID_INPUT", field)
    assert await kept(factory.database) == ({}, {})


async def test_r22_a_retry_with_the_same_key_gets_the_first_answer(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    retried = RECORD.replace("(input: $input)", '(input: $input) @idempotent(key: "k")')
    given = {"source": "crm", "events": [event(story.client, story.actor, "1"), event(story.client, story.actor, " ")]}
    first = await story.caller.data(retried, input=given)
    assert first["recordActivity"]["counts"] == {"recorded": 1, "repeated": 0, "refused": 1}
    assert await story.caller.data(retried, input=given) == first


async def test_f52_recording_takes_the_same_statements_however_many_events(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await ActivityStory.begin(factory)
    places = [story.client, *[await factory.client(story.partner) for _ in range(4)]]
    people = await factory.members(story.partner, 5)
    counts = []
    for size in (2, 400):
        sent = [
            event(places[number % 5], people[number % 4], f"{size} {number}", later(hours=-number))
            for number in range(size)
        ]
        with recorder:
            assert await recorded(story.caller, sent) == (size, 0)
        counts.append(recorder.count)
    assert counts[0] == counts[1] <= 11


async def test_f52_calls_at_the_same_time_count_an_event_once(factory: Factory) -> None:
    """On PostgreSQL the transactions really overlap; other sources go on beside them."""
    story = await ActivityStory.begin(factory)
    people = await factory.members(story.partner, 3)
    sent = [event(story.client, people[number % 3], str(number), later(minutes=number)) for number in range(60)]
    parts = [sent[:40], sent[20:], list(reversed(sent)), sent[10:50]]
    answers = await asyncio.gather(
        *(recorded(story.caller, part) for part in parts), *(recorded(story.caller, part, "mail") for part in parts)
    )
    assert [sum(new for new, _ in answers[:4]), sum(new for new, _ in answers[4:])] == [60, 60]
    await check_kept(factory.database)
    async with factory.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(activity_events)) == 120
