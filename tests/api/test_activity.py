"""Reading activity: the feed with its filters, summaries, when each was last active, and all of it to the client (F52)."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from models.member import ManagerRights
from schema.node import encode
from tests.api.activity_story import (
    FEED,
    NODE_FEED,
    NOON,
    SUMMARY,
    ActivityStory,
    event,
    later,
    recorded,
    told,
)
from tests.api.caller import Caller
from tests.api.client_story import ClientStory
from tests.factory import ClientRow, Factory, MemberRow, PartnerRow
from tests.statement_recorder import StatementRecorder

KINDS = ("VIEWED", "UPDATED", "SIGNED_IN")
KEYS = (None, "contacts.view", "deals.edit")


async def lived(factory: Factory) -> tuple[ActivityStory, list[ClientRow], list[MemberRow], list[dict[str, Any]]]:
    """An agency with 90 events over 70 days, two of them at one moment, the latest first."""
    story, chance = await ActivityStory.begin(factory), Random(7)  # noqa: S311 no secret
    places = [story.client, *[await factory.client(story.partner) for _ in range(2)]]
    people = [story.actor, *await factory.members(story.partner, 2)]
    sent = [
        event(
            chance.choice(places),
            chance.choice(people),
            f"{number:03}",
            NOON - timedelta(minutes=chance.randrange(60 * 24 * 70)),
            kind=chance.choice(KINDS),
            permission=chance.choice(KEYS),
        )
        for number in range(88)
    ]
    sent += [sent[0] | {"eventId": "088"}, sent[1] | {"eventId": "089"}]
    assert await recorded(story.caller, sent) == (90, 0)
    return story, places, people, sorted(sent, key=lambda one: (one["at"], one["eventId"]), reverse=True)


def names(sent: Sequence[dict[str, Any]]) -> list[str]:
    return [one["eventId"] for one in sent]


def found(connection: Any) -> list[str]:
    return [node["eventId"] for node in connection["nodes"]]


async def test_f52_the_feed_has_everything_the_latest_first_in_pages_both_ways(factory: Factory) -> None:
    story, _, _, sent = await lived(factory)
    seen: list[str] = []
    after = None
    while True:
        page = (await story.caller.data(FEED, first=20, after=after))["partner"]["activity"]
        assert page["totalCount"] == 90
        seen += found(page)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == names(sent)
    back = (await story.caller.data(FEED, last=20, before=after))["partner"]["activity"]
    assert found(back) == names(sent)[59:79]
    assert await story.caller.code(FEED, after="nonsense") == "BAD_CURSOR"


async def test_f52_an_event_tells_who_what_where_and_by_which_tool(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    sent = event(story.client, story.actor, "7", subject="Deal 4711", permission="deals.edit", kind="DELETED")
    await recorded(story.caller, [sent], "crm")
    (node,) = (await story.caller.data(FEED))["partner"]["activity"]["nodes"]
    shown = {"kind": "DELETED", "at": told(NOON), "subject": "Deal 4711", "source": "crm", "eventId": "7"}
    assert {name: node[name] for name in shown} == shown
    assert node["permission"] == {"key": "deals.edit"}
    assert (node["client"]["id"], node["member"]["id"]) == (sent["client"], sent["member"])
    assert (node["partnerName"], node["personEmail"]) == (story.partner.name, story.actor.email.lower())


async def test_f52_each_filter_lets_through_what_fits_and_the_total_is_of_the_same(factory: Factory) -> None:
    """Also where the period begins within a day, and where it does not and the totals by day answer."""
    story, places, people, sent = await lived(factory)
    noon, midnight = told(later(days=-30)), told(later(days=-30, hours=-12))
    whole = {"since": midnight, "until": told(later(days=-10, hours=-12))}
    client, person = encode("Client", places[1].id), encode("Member", people[2].id)
    cases: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({"clients": [client]}, [one for one in sent if one["client"] == client]),
        ({"persons": [person]}, [one for one in sent if one["member"] == person]),
        ({"kinds": ["VIEWED", "SIGNED_IN"]}, [one for one in sent if one["kind"] != "UPDATED"]),
        ({"permissions": ["deals.edit"]}, [one for one in sent if one["permission"] == "deals.edit"]),
        ({"since": noon}, [one for one in sent if one["at"] >= noon]),
        (whole, [one for one in sent if midnight <= one["at"] < whole["until"]]),
        ({"search": people[1].email.upper()}, [one for one in sent if one["member"] == encode("Member", people[1].id)]),
        ({"persons": []}, []),
        ({"clients": ["nonsense", encode("Client", 10**9)]}, []),
        ({"permissions": ["no.such"]}, []),
        (
            {"clients": [client], "persons": [person], "kinds": ["UPDATED"]},
            [one for one in sent if (one["client"], one["member"], one["kind"]) == (client, person, "UPDATED")],
        ),
    ]
    for wanted, expected in cases:
        page = (await story.caller.data(FEED, first=100, filter=wanted))["partner"]["activity"]
        assert (found(page), page["totalCount"]) == (names(expected), len(expected)), wanted
    assert sum(1 for _, expected in cases if expected) >= 8


async def test_f52_client_and_person_have_a_feed_of_their_own(factory: Factory) -> None:
    story, places, people, sent = await lived(factory)
    for kind, key, field in (("Client", places[0].id, "client"), ("Member", people[1].id, "member")):
        page = (await story.caller.data(NODE_FEED, id=encode(kind, key), first=100))["node"]["activity"]
        expected = [one for one in sent if one[field] == encode(kind, key)]
        assert (found(page), page["totalCount"]) == (names(expected), len(expected))


def group(one: dict[str, Any], by: Sequence[str]) -> tuple[Any, ...]:
    """The group of an event, counted in Python."""
    at = datetime.fromisoformat(one["at"])
    monday = at.date() - timedelta(days=at.weekday())
    values = {
        "PERSON": one["member"],
        "CLIENT": one["client"],
        "KIND": one["kind"],
        "DAY": at.date().isoformat(),
        "WEEK": monday.isoformat(),
        "MONTH": at.date().replace(day=1).isoformat(),
    }
    return tuple(values[dimension] for dimension in by)


def grouped(row: dict[str, Any], by: Sequence[str]) -> tuple[Any, ...]:
    values = {
        "PERSON": (row["member"] or {}).get("id"),
        "CLIENT": (row["client"] or {}).get("id"),
        "KIND": row["kind"],
        "DAY": row["day"],
        "WEEK": row["week"],
        "MONTH": row["month"],
    }
    assert {dimension for dimension, value in values.items() if value is not None} == set(by)
    return tuple(values[dimension] for dimension in by)


async def test_f52_summaries_by_any_dimensions_are_those_of_the_events_and_read_only_totals(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story, _, people, sent = await lived(factory)
    combinations = [
        (),
        *((one,) for one in ("PERSON", "CLIENT", "KIND", "DAY", "WEEK", "MONTH")),
        ("CLIENT", "MONTH"),
        ("PERSON", "CLIENT", "KIND", "WEEK"),
    ]
    period = {"since": told(later(days=-50, hours=-12)), "until": told(later(days=-5, hours=-12))}
    person = encode("Member", people[0].id)
    for by in combinations:
        for wanted in ({}, {**period, "persons": [person], "kinds": ["VIEWED", "UPDATED"]}):
            with recorder:
                rows = (await story.caller.data(SUMMARY, by=by, filter=wanted))["partner"]["activitySummary"]
            assert not any("activity_event" in statement for statement in recorder.statements)
            assert any("activity_day" in statement for statement in recorder.statements)
            fits = [
                one
                for one in sent
                if not wanted
                or (
                    one["member"] == person
                    and one["kind"] != "SIGNED_IN"
                    and period["since"] <= one["at"] < period["until"]
                )
            ]
            assert len(fits) > 5
            assert {grouped(row, by): row["total"] for row in rows} == Counter(group(one, by) for one in fits)
            latest = {group(one, by): one["at"] for one in reversed(fits)}
            assert {grouped(row, by): row["lastAt"] for row in rows} == latest


async def test_f52_a_summary_of_a_year_by_client_and_month_is_in_the_order_of_time_and_of_the_totals(
    factory: Factory,
) -> None:
    story, _, _, _ = await lived(factory)
    year = {"since": told(later(days=-364, hours=-12))}
    rows = (await story.caller.data(SUMMARY, by=["CLIENT", "MONTH"], filter=year))["partner"]["activitySummary"]
    assert rows == sorted(rows, key=lambda row: (row["month"], -row["total"], row["client"]["id"]))
    assert sum(row["total"] for row in rows) == 90


async def test_f52_a_client_and_a_person_are_summed_up_alone(factory: Factory) -> None:
    story, places, people, sent = await lived(factory)
    query = """query($ids: [ID!]!) { nodes(ids: $ids) {
      ... on Client { activitySummary(by: [KIND]) { kind total } } ... on Member { activitySummary(by: [KIND]) { kind total } } } }"""
    ids = [encode("Client", places[2].id), encode("Member", people[1].id)]
    shown = (await story.caller.data(query, ids=ids))["nodes"]
    for node, key, field in zip(shown, ids, ("client", "member"), strict=True):
        counts = Counter(one["kind"] for one in sent if one[field] == key)
        assert {row["kind"]: row["total"] for row in node["activitySummary"]} == counts


async def test_f52_a_summary_that_is_too_large_or_within_days_is_refused_with_advice(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, _, _, _ = await lived(factory)
    monkeypatch.setattr("resolvers.activity.summary.MOST_GROUPS", 3)
    assert await story.caller.code(SUMMARY, by=["DAY"]) == "BAD_INPUT"
    assert len((await story.caller.data(SUMMARY, by=["KIND"]))["partner"]["activitySummary"]) == 3
    assert await story.caller.code(SUMMARY, by=["KIND"], filter={"since": told(NOON)}) == "BAD_INPUT"
    assert await story.caller.code(SUMMARY, by=["KIND"] * 7) == "BAD_INPUT"


LAST = """query($ids: [ID!]!) { nodes(ids: $ids) {
  ... on Grant { lastActiveAt } ... on Member { lastActiveAt } ... on Client { lastActiveAt }
  ... on AccountPerson { lastActiveAt } ... on AccountPartner { lastActiveAt } } }"""


async def test_f52_grants_people_and_clients_say_when_they_were_last_active(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await ActivityStory.begin(factory)
    places = [story.client, *[await factory.client(story.partner) for _ in range(3)]]
    people = [story.actor, *await factory.members(story.partner, 2)]
    held = [await factory.grant(place, person) for place in places for person in people[:2]]
    for number in range(4):
        await recorded(story.caller, [event(places[number % 3], people[number % 2], str(number), later(days=-number))])
    ids = [
        *(encode("Grant", grant.id) for grant in held),
        *(encode("Member", person.id) for person in people),
        *(encode("Client", place.id) for place in places),
    ]
    with recorder:
        shown = [node["lastActiveAt"] for node in (await story.caller.data(LAST, ids=ids))["nodes"]]
    # One for each type, and one for each kind of place.
    assert recorder.count == 6
    at = [told(later(days=-number)) for number in range(4)]
    assert shown[:8] == [at[0], at[3], None, at[1], at[2], None, None, None]
    assert shown[8:11] == [at[0], at[1], None]
    assert shown[11:] == [at[0], at[1], at[2], None]


async def test_f02_a_closed_manager_shows_no_activity(factory: Factory) -> None:
    story, _, people, _ = await lived(factory)
    closed = await factory.member(story.partner, manager_rights=ManagerRights.NONE)
    await recorded(story.caller, [event(story.client, closed, "own")])
    outside = await Caller.signed_in(factory, closed)
    assert await outside.code(FEED) == "FORBIDDEN"
    assert await outside.code(SUMMARY, by=["KIND"]) == "FORBIDDEN"
    own = encode("Member", closed.id)
    assert await outside.code(NODE_FEED, id=own) == "FORBIDDEN"
    shown = await outside.data(LAST, ids=[own, encode("Member", people[0].id)])
    assert shown["nodes"] == [{"lastActiveAt": None}, None]


async def test_t1_partners_never_see_each_others_activity_in_an_account_that_they_share(factory: Factory) -> None:
    one, other = await ActivityStory.begin(factory), await ActivityStory.begin(factory)
    shared = await factory.client(other.partner, account=one.client.account)
    await recorded(one.caller, [event(one.client, one.actor, "ours")])
    await recorded(other.caller, [event(shared, other.actor, "theirs")])
    for story, place, name in ((one, one.client, "ours"), (other, shared, "theirs")):
        for key in (encode("Client", place.id), encode("Member", story.actor.id), encode("Partner", story.partner.id)):
            page = (await story.caller.data(NODE_FEED, id=key))["node"]["activity"]
            assert (found(page), page["totalCount"]) == ([name], 1)
        rows = (await story.caller.data(SUMMARY, by=["PERSON"]))["partner"]["activitySummary"]
        assert [row["total"] for row in rows] == [1]
    foreign = {"filter": {"clients": [encode("Client", shared.id)], "persons": [encode("Member", other.actor.id)]}}
    assert found((await one.caller.data(FEED, **foreign))["partner"]["activity"]) == []


async def both_agencies(factory: Factory) -> tuple[ClientStory, ClientRow, list[dict[str, Any]]]:
    """An account that two agencies know; people of the first, whom it let in, were active there, the latest first."""
    story = await ClientStory.begin(factory)
    north = await factory.member(story.partner, "Nora North")
    await factory.grant(story.client, north)
    south = await story.other_agency()
    sender = await factory.member(story.partner)
    sent = [
        event(story.client, north, f"n{number:02}", later(hours=-2 * number), subject=f"Deal {number}")
        for number in range(30)
    ]
    await recorded(await Caller.signed_in(factory, sender), sent)
    elsewhere = await factory.client(story.partner)
    await recorded(await Caller.signed_in(factory, sender), [event(elsewhere, north, "elsewhere")])
    return story, south, sent


async def test_n08_the_client_reads_what_all_agencies_people_did_in_its_account_and_nothing_else(
    factory: Factory,
) -> None:
    story, south, sent = await both_agencies(factory)
    worker = await factory.member(PartnerRow(south.partner_id, 0, ""))
    await factory.grant(south, worker)
    caller = await Caller.signed_in(factory, worker)
    theirs = [event(south, worker, f"s{number:02}", later(hours=-2 * number - 1)) for number in range(30)]
    await recorded(caller, theirs)
    expected = sorted([*sent, *theirs], key=lambda one: one["at"], reverse=True)
    account, seen, after = encode("Account", story.account.id), [], None
    while True:
        page = (await story.caller.data(NODE_FEED, id=account, first=25, after=after))["node"]["activity"]
        assert page["totalCount"] == 60
        seen += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert [node["at"] for node in seen] == [one["at"] for one in expected]
    assert seen[0]["subject"] == "Deal 0"
    assert (seen[0]["partnerName"], seen[0]["personName"]) == ("North Agency", "Nora North")
    assert seen[1]["personEmail"] == worker.email.lower()
    # With which tools a partner works, and whom and what it calls how, is its own business.
    assert all(node[name] is None for node in seen for name in ("source", "eventId", "client", "member"))
    back = (await story.caller.data(NODE_FEED, id=account, last=10, before=after))["node"]["activity"]
    assert [node["at"] for node in back["nodes"]] == [one["at"] for one in expected[39:49]]
    searched = await story.caller.data(NODE_FEED, id=account, filter={"search": "nora", "since": told(later(hours=-5))})
    assert searched["node"]["activity"]["totalCount"] == 3
    assert [node["at"] for node in searched["node"]["activity"]["nodes"]] == [one["at"] for one in sent[:3]]


async def test_n08_the_client_sees_when_people_and_agencies_were_last_active(factory: Factory) -> None:
    story, _, _ = await both_agencies(factory)
    query = """query($hubId: String!) { account(by: {hubId: $hubId}) {
      partners { name lastActiveAt people { nodes { name lastActiveAt } } } } }"""
    (north,) = (await story.caller.data(query, hubId=str(story.account.hub_id)))["account"]["partners"]
    assert north["lastActiveAt"] == told(NOON)
    assert north["people"]["nodes"] == [{"name": "Nora North", "lastActiveAt": told(NOON)}]


async def test_t1_what_an_agency_tells_of_an_account_that_never_let_it_in_is_not_shown_there(factory: Factory) -> None:
    story, south, sent = await both_agencies(factory)
    stranger = await factory.member(PartnerRow(south.partner_id, 0, ""))
    await recorded(await Caller.signed_in(factory, stranger), [event(south, stranger, "made up", later(hours=1))])
    page = (await story.caller.data(NODE_FEED, id=encode("Account", story.account.id)))["node"]["activity"]
    assert (page["totalCount"], page["nodes"][0]["at"]) == (len(sent), told(NOON))


async def test_f16_only_who_decides_for_the_account_reads_its_activity(factory: Factory) -> None:
    story, _, _ = await both_agencies(factory)
    user = await factory.user()
    await factory.own_person(story.client, user, {"contacts.view": "ALL"})
    caller = await Caller.signed_in(factory, user)
    assert await caller.code(NODE_FEED, id=encode("Account", story.account.id)) == "FORBIDDEN"
    outsider = await Caller.signed_in(factory, await factory.user())
    assert (await outsider.data(NODE_FEED, id=encode("Account", story.account.id)))["node"] is None
