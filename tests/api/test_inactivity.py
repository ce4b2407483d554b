"""Who has access and does not use it (P25), and the least set that would do (N09)."""

from datetime import timedelta
from typing import Any

import pytest

from models.grant import AccessType, GrantStatus
from models.member import MemberKind
from models.permission.catalogue import catalogue
from models.table import now
from schema.node import encode
from tests.api.activity_story import NOON, ActivityStory, event, later, recorded, told
from tests.api.write_story import listed
from tests.factory import ClientRow, Factory, GrantRow
from tests.statement_recorder import StatementRecorder

INACTIVE = """query($days: Int!, $filter: InactivityFilter, $first: Int, $after: String, $last: Int, $before: String) {
  partner { inactivity(days: $days, filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage endCursor } nodes { since days lastActiveAt grant { id member { id } client { id } } } } } }"""
_LEVELS = "{ permission { key } level above }"
LEAST = f"""query($ids: [ID!]!, $since: DateTime, $until: DateTime) {{ nodes(ids: $ids) {{ ... on Grant {{
  leastSet(since: $since, until: $until) {{ permissionSet {{ id name }} uses {{ permission {{ key }} total lastAt }}
    needed {_LEVELS} surplus {_LEVELS} addition {_LEVELS} }} }} }} }}"""


def ago(**span: float) -> Any:
    return now().replace(microsecond=0) - timedelta(**span)


async def inactive(story: ActivityStory, days: int = 30, **values: Any) -> list[str]:
    """The grants of the list, which must be as many as it says."""
    found = (await story.caller.data(INACTIVE, days=days, **values))["partner"]["inactivity"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["grant"]["id"] for node in found["nodes"]]


def grant_id(grant: GrantRow) -> str:
    return encode("Grant", grant.id)


async def test_p25_access_that_is_not_used_is_listed_with_the_longest_unused_first(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    people = await factory.members(story.partner, 7)
    since = [ago(days=days) for days in (400, 400, 100, 10, 400, 400, 50)]
    held = [
        await factory.grant(story.client, person, since=moment) for person, moment in zip(people, since, strict=True)
    ]
    await factory.move(held[5], GrantStatus.DEACTIVATED)
    used = {0: ago(days=70), 1: ago(days=5), 3: ago(days=200), 5: ago(days=90), 6: ago(days=300)}
    await recorded(story.caller, [event(story.client, people[place], str(place), at) for place, at in used.items()])
    # 1 was active, 3 has had the access for ten days, 5 has none.
    found = (await story.caller.data(INACTIVE, days=30))["partner"]["inactivity"]["nodes"]
    assert [node["grant"]["id"] for node in found] == [grant_id(held[place]) for place in (4, 2, 0, 6)]
    assert [node["lastActiveAt"] for node in found] == [None, None, told(used[0]), told(used[6])]
    assert [node["since"] for node in found] == [told(moment) for moment in (since[4], since[2], used[0], since[6])]
    assert [node["days"] for node in found] == [400, 100, 70, 50]
    assert await inactive(story, 60) == [grant_id(held[place]) for place in (4, 2, 0)]
    assert await inactive(story, 401) == []
    first = (await story.caller.data(INACTIVE, days=30, first=3))["partner"]["inactivity"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    rest = await story.caller.data(INACTIVE, days=30, after=first["pageInfo"]["endCursor"])
    assert [node["grant"]["id"] for node in rest["partner"]["inactivity"]["nodes"]] == [grant_id(held[6])]


async def test_p25_the_list_can_be_narrowed(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    other = await factory.client(story.partner)
    old = {"since": ago(days=200)}
    anna = await factory.member(story.partner, "Anna Ash", kind=MemberKind.CONTRACTOR)
    bert = await factory.member(story.partner, "Bert Birch")
    admin = await factory.partner_admin(story.client, bert, **old)
    here, there = await factory.grant(story.client, anna, **old), await factory.grant(other, anna, **old)
    await recorded(story.caller, [event(other, anna, "1", ago(days=100))])
    cases: list[tuple[dict[str, Any], set[GrantRow]]] = [
        ({}, {admin, here, there}),
        ({"persons": [encode("Member", bert.id)]}, {admin}),
        ({"clients": [encode("Client", other.id)]}, {there}),
        ({"memberKinds": ["CONTRACTOR"]}, {here, there}),
        ({"accessTypes": [AccessType.PARTNER_ADMIN.value]}, {admin}),
        ({"neverActive": True}, {admin, here}),
        ({"neverActive": False}, {there}),
        ({"search": "ANNA", "clients": [encode("Client", story.client.id)]}, {here}),
        ({"persons": []}, set()),
    ]
    for wanted, expected in cases:
        assert sorted(await inactive(story, filter=wanted)) == sorted(map(grant_id, expected)), wanted


@pytest.mark.parametrize("days", [0, -1, 3_651])
async def test_p25_a_number_of_days_that_cannot_be_is_refused(factory: Factory, days: int) -> None:
    story = await ActivityStory.begin(factory)
    assert await story.caller.code(INACTIVE, days=days) == "BAD_INPUT"


async def test_t1_another_partners_access_is_on_no_list(factory: Factory) -> None:
    story, other = await ActivityStory.begin(factory), await ActivityStory.begin(factory)
    await factory.grant(other.client, other.actor, since=ago(days=200))
    assert await inactive(story) == []
    assert len(await inactive(other)) == 1


async def used(story: ActivityStory, place: ClientRow, keys: list[str], name: str = "", days: float = 0) -> None:
    """The actor used these permissions at a place."""
    person = story.actor
    sent = [
        event(place, person, f"{name}{place.id} {person.id} {number}", later(days=days, minutes=number), permission=key)
        for number, key in enumerate(keys)
    ]
    await recorded(story.caller, sent)


async def least(story: ActivityStory, *grants: GrantRow, **period: Any) -> list[Any]:
    data = await story.caller.data(LEAST, ids=[grant_id(grant) for grant in grants], **period)
    return [node["leastSet"] for node in data["nodes"]]


async def test_n09_the_least_set_covers_what_was_used_at_the_level_that_events_prove(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    wide = await factory.permission_set(
        story.partner,
        {"contacts.edit": "ALL", "deals.edit": "ALL", "deals.view": "ALL", "companies.view": "ALL"},
        "Wide",
    )
    narrow = await factory.permission_set(story.partner, {"contacts.edit": "TEAM"}, "Narrow")
    await factory.permission_set(story.partner, {"contacts.view": "ALL"}, "Too little")
    await factory.permission_set(story.partner, {"contacts.edit": "OWNED"}, "Gone", archived=True)
    grant = await factory.grant(story.client, story.actor, wide.state)
    await used(story, story.client, ["contacts.edit", "contacts.edit", "contacts.view"])
    (found,) = await least(story, grant)
    assert found["permissionSet"] == {"id": encode("PermissionSet", narrow.id), "name": "Narrow"}
    assert [(use["permission"]["key"], use["total"]) for use in found["uses"]] == [
        ("contacts.edit", 2),
        ("contacts.view", 1),
    ]
    assert found["uses"][0]["lastAt"] == told(later(minutes=1))
    # That somebody edited a contact does not say that it was another's, and editing requires viewing.
    assert listed(found["needed"]) == {"contacts.view": "OWNED", "contacts.edit": "OWNED"}
    surplus = listed(found["surplus"])
    assert surplus["contacts.edit"] == "TEAM<ALL"
    assert surplus["deals.edit"] == "ALL"
    assert found["addition"] == []


async def test_n09_what_the_set_would_add_is_told_and_without_use_or_cover_there_is_no_set(factory: Factory) -> None:
    story = await ActivityStory.begin(factory)
    other, third = await factory.clients(story.partner, 2)
    both = await factory.permission_set(story.partner, {"contacts.view": "OWNED", "deals.view": "OWNED"}, "Both")
    covered = await factory.grant(story.client, story.actor, {"contacts.view": "OWNED"})
    unused = await factory.grant(other, story.actor, {"contacts.view": "OWNED"})
    beyond = await factory.super_admin(third, story.actor)
    never = next(key for key, permission in catalogue.permissions.items() if not permission.delegable)
    await used(story, story.client, ["contacts.view", "deals.view"])
    await used(story, third, [never])
    found = await least(story, covered, unused, beyond)
    assert found[0]["permissionSet"]["id"] == encode("PermissionSet", both.id)
    assert listed(found[0]["addition"]) == {"deals.view": "OWNED"}
    assert found[0]["surplus"] == []
    assert (found[1]["permissionSet"], found[1]["uses"]) == (None, [])
    assert listed(found[1]["surplus"]) == {"contacts.view": "OWNED"}
    assert found[2]["permissionSet"] is None
    assert never in listed(found[2]["needed"])


async def test_n09_only_the_period_and_the_place_count_and_a_page_takes_a_fixed_number_of_statements(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await ActivityStory.begin(factory)
    places = [story.client, *await factory.clients(story.partner, 5)]
    held = [await factory.grant(place, story.actor, {"deals.view": "ALL"}) for place in places]
    for number, place in enumerate(places):
        await used(story, place, ["contacts.view"], "old", days=-60)
        await used(story, place, ["deals.view"] * (number + 1))
    since = {"since": told(later(days=-30, hours=-12)), "until": told(later(days=1, hours=-12))}
    found = await least(story, *held, **since)
    assert [[(use["permission"]["key"], use["total"]) for use in one["uses"]] for one in found] == [
        [("deals.view", number + 1)] for number in range(6)
    ]
    counts = []
    for part in (held[:1], held):
        with recorder:
            await least(story, *part, **since)
        counts.append(recorder.count)
    assert counts[0] == counts[1]
    data, codes = await story.caller.run(LEAST, ids=[grant_id(held[0])], since=told(NOON))
    assert (data["nodes"], codes) == ([None], ["BAD_INPUT"])
