"""Who in the agency could do what somebody's own permissions did not allow (N02)."""

from datetime import timedelta
from typing import Any

import pytest

from models.grant import AccessType, GrantStatus
from models.member import ManagerRights, MemberStatus
from models.table import now
from tests.api.explain_story import who_could
from tests.api.write_story import ADMIN_REPORTS, Story, ids, node_id, permissions, product
from tests.factory import Factory, MemberRow
from tests.statement_recorder import StatementRecorder

WHO_COULD = """
fragment Told on Operation {
  id state dryRun total done counts { pending applied noop rejected failed }
  whoCould {
    outcomes byNobody colleagues { outcomes member { id } }
    groups { outcomes withheld { permission { key } level } retained { permission { key } level } members { id } }
  }
  outcomes(first: 100) { totalCount nodes { member { id } client { id } status code whoCould { id } } }
}
"""
BOTH = permissions({"contacts.view": "ALL", "reports.view": "ALL"})

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Where nothing but the words of the statements would differ, once is enough."""


async def _asked(story: Story, people: list[MemberRow], places: Any, **values: Any) -> Any:
    told = Story(**{**vars(story), "fragment": WHO_COULD})
    return await told.operation("grantAccess", targets=product(people, places), access=BOTH, **values)


async def test_n02_those_could_who_are_working_partner_admins_there_and_have_it_within_the_ceiling(
    factory: Factory,
) -> None:
    """F02, F04, F09: neither who may not edit, is not verified, deactivated or expired, nor a super admin, nor who lacks it."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    partner, place = story.partner, story.client
    able = [await factory.member(partner, name) for name in ("Zoe Zed", "Ann Alp")]
    for person in able:
        await factory.partner_admin(place, person)
    others = {
        "viewing": await factory.member(partner, manager_rights=ManagerRights.VIEW),
        "unverified": await factory.member(partner, verified=False),
        "deactivated": await factory.member(partner, status=MemberStatus.DEACTIVATED),
    }
    for person in others.values():
        await factory.partner_admin(place, person)
    lapsed, off, elsewhere = await factory.members(partner, 3)
    await factory.partner_admin(place, lapsed, expires_at=now() - timedelta(days=1))
    await factory.move(await factory.partner_admin(place, off), GrantStatus.DEACTIVATED)
    await factory.super_admin(place, await factory.member(partner))
    await factory.partner_admin(await factory.client(partner), elsewhere)
    without = await factory.member(partner)
    await factory.partner_admin(place, without, without=ADMIN_REPORTS)
    assert await who_could(story, "reports.view", "ALL") == ids(able[1], able[0])
    assert set(await who_could(story, "contacts.view", "ALL")) == set(ids(story.actor, without, *able))
    assert await who_could(story, "billing", "ALL") == []


@on_sqlite
async def test_n02_a_ceiling_holds_everybody(factory: Factory) -> None:
    story = await Story.begin(factory, ceiling={"contacts.view": "TEAM"})
    assert await who_could(story, "contacts.view", "TEAM") == ids(story.actor)
    assert await who_could(story, "contacts.view", "ALL") == []


@on_sqlite
@pytest.mark.parametrize(("key", "level"), [("contacts.view", "NONE"), ("billing", "TEAM"), ("no.such", "ALL")])
async def test_a_permission_or_level_that_there_is_not_is_told(factory: Factory, key: str, level: str) -> None:
    story = await Story.begin(factory)
    query = """query($client: ID!, $key: ID!, $level: PermissionLevel!) {
      node(id: $client) { ... on Client { whoCould(permission: $key, level: $level) { id } } }
    }"""
    assert (await story.run(query, client=node_id(story.client), key=key, level=level))[1] == ["BAD_INPUT"]


@pytest.mark.parametrize("dry", [False, True])
async def test_n02_an_operation_says_who_could_grouped_and_each_outcome_by_itself(
    factory: Factory, *, dry: bool
) -> None:
    """In the first client a colleague could, in the second nobody, in the third the actor is no partner admin."""
    story = await Story.begin(factory, held={"without": ADMIN_REPORTS})
    second, third = await factory.clients(story.partner, 2)
    await story.admin(second, {"contacts.view": "ALL"})
    full = await factory.member(story.partner)
    people = await factory.members(story.partner, 2)
    for place in (story.client, third):
        await factory.partner_admin(place, full)
    places = [story.client, second, third]
    operation = await _asked(story, [*people, full], places, options={"dryRun": dry})
    found = operation["whoCould"]
    # The colleague's own access in the third client was to be left alone.
    assert (found["outcomes"], found["byNobody"]) == (7, 3)
    assert found["colleagues"] == [{"outcomes": 4, "member": {"id": node_id(full)}}]
    told = {
        (tuple(at["permission"]["key"] for at in group["withheld"]), len(group["members"])): group["outcomes"]
        for group in found["groups"]
    }
    assert told == {
        (("reports.view",), 1): 2,
        (("reports.view",), 0): 3,
        (("contacts.view", "reports.view"), 1): 2,
    }
    cells = {
        (node["member"]["id"], node["client"]["id"]): [person["id"] for person in node["whoCould"]]
        for node in operation["outcomes"]["nodes"]
    }
    for person in people:
        assert cells[node_id(person), node_id(story.client)] == [node_id(full)]
        assert cells[node_id(person), node_id(second)] == []
        assert cells[node_id(person), node_id(third)] == [node_id(full)]
    assert not any(cells[node_id(full), node_id(place)] for place in places)


@on_sqlite
async def test_n02_whoever_is_to_do_what_was_rejected_must_hold_all_of_it(factory: Factory) -> None:
    """STRICT: not only what the actor lacked."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    half, whole, person = await factory.members(story.partner, 3)
    await factory.grant(story.client, half, {"reports.view": "ALL"}, access_type=AccessType.PARTNER_ADMIN)
    await factory.partner_admin(story.client, whole)
    strict = await _asked(story, [person], [story.client], options={"mode": "STRICT"})
    assert strict["outcomes"]["nodes"][0]["whoCould"] == [{"id": node_id(whole)}]
    clamped = await _asked(story, [person], [story.client])
    assert {found["id"] for found in clamped["outcomes"]["nodes"][0]["whoCould"]} == set(ids(half, whole))


@on_sqlite
async def test_n02_what_was_done_asks_for_nobody(factory: Factory) -> None:
    story = await Story.begin(factory)
    operation = await _asked(story, [await factory.member(story.partner)], [story.client])
    assert operation["whoCould"] == {"outcomes": 0, "byNobody": 0, "colleagues": [], "groups": []}
    assert [node["whoCould"] for node in operation["outcomes"]["nodes"]] == [[]]


@on_sqlite
async def test_t3_who_could_of_an_operation_takes_as_many_statements_whatever_its_size(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await Story.begin(factory, held={"without": ADMIN_REPORTS})
    full, people = await factory.member(story.partner), await factory.members(story.partner, 6)
    places = await factory.clients(story.partner, 8)
    for place in places:
        await factory.partner_admin(place, full)
    counts, rows = [], []
    for some, where in ((people[:1], places[:1]), (people[1:], places)):
        operation = await _asked(story, some, where)
        query = f"query($id: ID!) {{ node(id: $id) {{ ...Told }} }} {WHO_COULD}"
        await story.run(query, id=operation["id"])
        with recorder:
            data, codes = await story.run(query, id=operation["id"])
        assert codes == []
        counts.append(recorder.count)
        rows.append(len(data["node"]["whoCould"]["groups"]))
    assert counts[0] == counts[1]
    assert rows == [1, 1]


@on_sqlite
async def test_t3_who_could_of_a_page_of_operations_takes_as_many_statements_whatever_was_asked_for(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """Sets, copies, teams and defaults are looked up for all of them together."""
    story = await Story.begin(factory, held={"without": [*ADMIN_REPORTS, "teams.edit"]})
    full, model, person = await factory.members(story.partner, 3)
    await factory.partner_admin(story.client, full)
    levels = {"contacts.view": "ALL", "reports.view": "ALL"}
    team = await factory.team(story.client)
    source = await factory.grant(story.client, model, levels, teams=[team])
    query = """query($size: Int!) { partner { operations(first: $size) { nodes {
      whoCould { outcomes colleagues { member { id } } } } } } }"""
    ours = await factory.permission_set(story.partner, levels)
    await story.set_default(person, ours)
    for access in ({"permissionSet": node_id(ours)}, {"defaultSet": True}, {"copyFrom": node_id(source)}):
        for _ in range(2):
            await _asked_to(story, person, access)
    await _asked_to(story, person, BOTH, teams=[{"team": node_id(team), "primary": True}])
    counts = []
    for size in (4, 7):
        await story.run(query, size=size)
        with recorder:
            data, codes = await story.run(query, size=size)
        assert codes == []
        counts.append(recorder.count)
        found = [node["whoCould"] for node in data["partner"]["operations"]["nodes"]]
        assert len(found) == size
        assert found[0] == {"outcomes": 1, "colleagues": [{"member": {"id": node_id(full)}}]}
    assert counts[1] - counts[0] <= 2, "a set, and what it contains"


async def _asked_to(story: Story, person: MemberRow, access: Any, **values: Any) -> None:
    targets = product([person], [story.client])
    options = {"mode": "STRICT"}
    await story.operation("grantAccess", targets=targets, access=access, options=options, **values)


@on_sqlite
async def test_t1_another_agencys_people_never_could(factory: Factory) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    other = await factory.partner()
    shared = await factory.client(other, account=story.client.account)
    await factory.partner_admin(shared, await factory.member(other))
    assert await who_could(story, "reports.view", "ALL") == []
