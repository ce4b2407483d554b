"""The review before a removal: every client, every asset by kind, and a token for exactly that (F38, F40, T1, T3)."""

import json
from typing import Any

import pytest

from models.grant import AccessType, GrantStatus
from models.member import ManagerRights, MemberKind, MemberStatus
from resolvers import removal_review
from resolvers.issuer import Issuer
from resolvers.operation.review_stamp import LONGEST_TOKEN, MOST_GRANTS, stamps_of, token_of
from schema.context import Context
from schema.node import encode
from schema.schema import schema
from tests.api.asset_story import asset, record, several
from tests.api.bulk import bulk_grants
from tests.api.write_story import Story, contents, ids, node_id
from tests.factory import MOMENT, Factory, MemberRow
from tests.statement_recorder import StatementRecorder

REVIEW = """
fragment Review on RemovalReview {
  token grantCount totals { kind total }
  entries(first: 100) { totalCount nodes {
    client { id displayName } member { id } grant { id status accessType } assets { kind total } wouldLockOut lastSuperAdmin
  } }
}
query($id: ID!, $clients: [ID!], $members: [ID!]) { node(id: $id) {
  ... on Member { removalReview(clients: $clients) { ...Review } }
  ... on Client { removalReview(members: $members) { ...Review } }
} }
"""


async def review(story: Story, row: Any, **narrowed: Any) -> Any:
    data, codes = await story.run(REVIEW, id=node_id(row), **narrowed)
    assert codes == []
    return data["node"]["removalReview"]


async def token(story: Story, person: MemberRow) -> str:
    found: str = (await review(story, person))["token"]
    return found


def told(review: Any) -> list[tuple[str, dict[str, int]]]:
    """The clients of a review with the counts of assets."""
    return [
        (entry["client"]["displayName"], {count["kind"]: count["total"] for count in entry["assets"]})
        for entry in review["entries"]["nodes"]
    ]


async def test_f38_the_review_lists_every_client_with_the_persons_assets_by_kind(factory: Factory) -> None:
    """Active and deactivated access, by client name; not what was removed, nor what others own, nor other clients."""
    story = await Story.begin(factory, display_name="Delta")
    beta, alpha, gone, none = [
        await factory.client(story.partner, display_name=name) for name in ("Beta", "alpha", "Gone", "None")
    ]
    person, other = await factory.members(story.partner, 2)
    for client in (story.client, beta):
        await factory.grant(client, person, {"deals.view": "ALL"})
    await factory.grant(alpha, person, {"deals.view": "ALL"}, status=GrantStatus.DEACTIVATED)
    await factory.grant(gone, person, {"deals.view": "ALL"}, status=GrantStatus.REMOVED)
    await record(
        story,
        [
            *several(beta, person, 3),
            *several(beta, person, 1, "CONTACT"),
            *several(alpha, person, 2, "CONTACT"),
            *several(none, person, 1),
            *several(beta, other, 5),
        ],
    )
    found = await review(story, person)
    assert told(found) == [("alpha", {"CONTACT": 2}), ("Beta", {"CONTACT": 1, "DEAL": 3}), ("Delta", {})]
    assert [entry["grant"]["status"] for entry in found["entries"]["nodes"]] == ["DEACTIVATED", "ACTIVE", "ACTIVE"]
    assert {entry["member"]["id"] for entry in found["entries"]["nodes"]} == {node_id(person)}
    assert found["grantCount"] == found["entries"]["totalCount"] == 3
    assert found["totals"] == [{"kind": "CONTACT", "total": 3}, {"kind": "DEAL", "total": 3}]


async def test_f40_the_review_of_a_client_is_about_all_of_its_people(factory: Factory) -> None:
    story = await Story.begin(factory)
    zoe, ann = await factory.member(story.partner, "Zoe"), await factory.member(story.partner, "Ann")
    for person in (zoe, ann):
        await factory.grant(story.client, person, {"deals.view": "ALL"}, status=GrantStatus.DEACTIVATED)
    await factory.grant(await factory.client(story.partner), ann, {"deals.view": "ALL"})
    await record(story, several(story.client, ann, 2))
    found = await review(story, story.client)
    people = [entry["member"]["id"] for entry in found["entries"]["nodes"]]
    assert sorted(people) == sorted(ids(story.actor, ann, zoe))
    assert people.index(node_id(ann)) < people.index(node_id(zoe))
    assert found["totals"] == [{"kind": "DEAL", "total": 2}]
    narrowed = await review(story, story.client, members=ids(zoe, ann, zoe))
    assert [entry["member"]["id"] for entry in narrowed["entries"]["nodes"]] == ids(ann, zoe)


async def test_clients_narrow_a_review_and_its_token(factory: Factory) -> None:
    story = await Story.begin(factory)
    more = await factory.clients(story.partner, 2)
    person = await factory.member(story.partner)
    for client in (story.client, *more):
        await factory.grant(client, person, {"deals.view": "ALL"})
    whole, part = await review(story, person), await review(story, person, clients=ids(more[0]))
    assert (whole["grantCount"], part["grantCount"]) == (3, 1)
    assert whole["token"] != part["token"]
    assert (await review(story, person, clients=ids(*more, story.client)))["token"] == whole["token"]
    nothing = await review(story, person, clients=[])
    assert (nothing["grantCount"], nothing["totals"], nothing["entries"]["nodes"]) == (0, [], [])


@pytest.mark.parametrize("argument", ["clients", "members"])
async def test_t1_narrowing_to_what_is_unknown_foreign_or_garbage_is_refused_alike(
    factory: Factory, argument: str
) -> None:
    story = await Story.begin(factory)
    stranger = await factory.partner()
    foreign = await (factory.client(stranger) if argument == "clients" else factory.member(stranger))
    known, row = (story.client, story.actor) if argument == "clients" else (story.actor, story.client)
    type_name = argument.capitalize().removesuffix("s")
    answers = set()
    for key in (node_id(foreign), encode(type_name, 10**12), encode("Partner", story.partner.id), "x", ""):
        narrowed: dict[str, Any] = {argument: [node_id(known), key]}
        data, codes = await story.run(REVIEW, id=node_id(row), **narrowed)
        answers.add(json.dumps([data, codes]))
    (answer,) = answers
    assert json.loads(answer) == [{"node": None}, ["BAD_INPUT"]]


async def test_narrowing_takes_at_most_a_thousand_ids(factory: Factory) -> None:
    story = await Story.begin(factory)
    _, codes = await story.run(REVIEW, id=node_id(story.actor), clients=[node_id(story.client)] * 1_001)
    assert codes == ["BAD_INPUT"]


async def test_t1_another_partners_people_and_clients_are_not_found(factory: Factory) -> None:
    story = await Story.begin(factory)
    stranger = await factory.partner()
    for row in (await factory.member(stranger), await factory.client(stranger)):
        assert await story.run(REVIEW, id=node_id(row)) == ({"node": None}, [])


async def test_t2_r9_another_partners_grant_and_assets_in_the_same_account_are_not_in_the_review(
    factory: Factory,
) -> None:
    story = await Story.begin(factory)
    second = await Story.begin(factory)
    place = await factory.client(second.partner, account=story.client.account)
    person = await factory.member(story.partner, kind=MemberKind.CONTRACTOR)
    there = await factory.member(second.partner, user=person, kind=MemberKind.CONTRACTOR)
    await factory.grant(story.client, person, {"deals.view": "ALL"})
    await factory.grant(place, there, {"deals.view": "ALL"})
    await record(story, several(story.client, person, 1))
    await record(second, several(place, there, 2))
    assert [counts for _, counts in told(await review(story, person))] == [{"DEAL": 1}]
    assert [counts for _, counts in told(await review(second, there))] == [{"DEAL": 2}]


@pytest.mark.parametrize(
    ("rights", "code"), [(ManagerRights.VIEW, None), (ManagerRights.EDIT, None), (ManagerRights.NONE, "FORBIDDEN")]
)
async def test_f02_view_is_enough_to_review(factory: Factory, rights: ManagerRights, code: str | None) -> None:
    story = await Story.begin(factory)
    viewer = await factory.member(story.partner, manager_rights=rights)
    other = await story.as_member(viewer)
    # Whoever the manager is closed to still knows their own place.
    _, codes = await other.run(REVIEW, id=node_id(viewer))
    assert codes == ([] if code is None else [code])


async def test_n04_the_review_says_what_would_lock_a_client_out(factory: Factory) -> None:
    """As the removal judges it: the last partner admin who works for the partner and whose access has not expired."""
    story = await Story.begin(factory)
    person, colleague = await factory.members(story.partner, 2)
    left = await factory.member(story.partner, status=MemberStatus.DEACTIVATED)
    alone, last, with_expired, with_other = await factory.clients(story.partner, 4)
    for client in (alone, last, with_expired, with_other):
        await factory.partner_admin(client, person)
    await factory.grant(last, colleague, {"deals.view": "ALL"}, status=GrantStatus.DEACTIVATED)
    await factory.partner_admin(with_expired, colleague, expires_at=MOMENT)
    await factory.partner_admin(with_expired, left)
    await factory.partner_admin(with_other, colleague)
    await factory.grant(story.client, person, {"deals.view": "ALL"})
    found = {
        entry["client"]["id"]: entry["wouldLockOut"] for entry in (await review(story, person))["entries"]["nodes"]
    }
    assert found == {
        node_id(alone): False,
        node_id(last): True,
        node_id(with_expired): True,
        node_id(with_other): False,
        node_id(story.client): False,
    }
    both = await review(story, with_other)
    assert [entry["wouldLockOut"] for entry in both["entries"]["nodes"]] == [False, False], "nobody would be left"
    await factory.grant(with_other, await factory.member(story.partner), {"deals.view": "ALL"})
    both = await review(story, with_other, members=ids(person, colleague))
    assert [entry["wouldLockOut"] for entry in both["entries"]["nodes"]] == [True, True]


async def test_m1_m2_the_review_names_the_last_super_admin(factory: Factory) -> None:
    """The client's own people and another partner's count, the deactivated and the expired do not (R11)."""
    story = await Story.begin(factory)
    person, colleague = await factory.members(story.partner, 2)
    only, own, shared, expired = await factory.clients(story.partner, 4)
    for client in (only, own, shared, expired):
        await factory.super_admin(client, person)
    await factory.super_admin(only, colleague, status=GrantStatus.DEACTIVATED)
    await factory.own_person(own, await factory.user())
    stranger = await factory.partner()
    await factory.super_admin(await factory.client(stranger, account=shared.account), await factory.member(stranger))
    await factory.super_admin(expired, colleague, expires_at=MOMENT)
    entries = (await review(story, person))["entries"]["nodes"]
    assert {entry["client"]["id"]: entry["lastSuperAdmin"] for entry in entries} == {
        node_id(only): True,
        node_id(own): False,
        node_id(shared): False,
        node_id(expired): True,
    }
    assert {entry["grant"]["accessType"] for entry in entries} == {AccessType.SUPER_ADMIN}


async def test_the_token_changes_with_every_change_of_access_or_assets_and_with_nothing_else(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, other = await factory.members(story.partner, 2)
    grant = await factory.grant(story.client, person, {"deals.view": "ALL"})
    elsewhere = await factory.client(story.partner)
    await record(story, several(story.client, person, 1))
    tokens = [await token(story, person)]
    await record(story, [*several(story.client, other, 3), *several(elsewhere, person, 1)])
    await factory.grant(story.client, other, {"deals.view": "ALL"})
    before = await contents(factory.database)
    assert await token(story, person) == tokens[0], "of others, or elsewhere"
    assert await contents(factory.database) == before
    await record(story, [asset(story.client, person, "one more")])
    tokens.append(await token(story, person))
    await record(story, [asset(story.client, other, "one more")])
    tokens.append(await token(story, person))
    await record(story, [asset(story.client, person, "a ticket", "TICKET")])
    tokens.append(await token(story, person))
    grant = await factory.move(grant, GrantStatus.DEACTIVATED)
    tokens.append(await token(story, person))
    await factory.move(grant, GrantStatus.ACTIVE)
    tokens.append(await token(story, person))
    await factory.grant(elsewhere, person, {"deals.view": "ALL"})
    tokens.append(await token(story, person))
    assert len(set(tokens)) == len(tokens)
    assert await token(story, person) == tokens[-1]


async def test_a_review_is_paged_in_both_directions(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    names = [f"Client {letter}" for letter in "ABCDE"]
    for name in reversed(names):
        await factory.grant(await factory.client(story.partner, display_name=name), person, {"deals.view": "ALL"})
    query = """query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
      node(id: $id) { ... on Member { removalReview { grantCount token
        entries(first: $first, after: $after, last: $last, before: $before) {
          nodes { client { displayName } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } } }"""

    async def page(**asked: Any) -> tuple[list[str], Any]:
        data, codes = await story.run(query, id=node_id(person), **asked)
        assert codes == []
        entries = data["node"]["removalReview"]["entries"]
        return [node["client"]["displayName"] for node in entries["nodes"]], entries["pageInfo"]

    first, info = await page(first=2)
    assert (first, info["hasNextPage"], info["hasPreviousPage"]) == (names[:2], True, False)
    second, info = await page(first=2, after=info["endCursor"])
    assert (second, info["hasNextPage"], info["hasPreviousPage"]) == (names[2:4], True, True)
    third, info = await page(first=2, after=info["endCursor"])
    assert (third, info["hasNextPage"]) == (names[4:], False)
    back, info = await page(last=3, before=info["startCursor"])
    assert (back, info["hasPreviousPage"]) == (names[1:4], True)
    assert (await page(last=1))[0] == names[4:]
    for asked in ({"after": "nonsense"}, {"before": "bm9uZQ"}):
        _, codes = await story.run(query, id=node_id(person), **asked)
        assert codes == ["BAD_CURSOR"]
    _, codes = await story.run(query, id=node_id(person), first=101)
    assert codes == ["BAD_INPUT"]


async def test_more_grants_than_a_review_can_hold_are_refused(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal_review, "MOST_GRANTS", 2)
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    clients = await factory.clients(story.partner, 3)
    for client in clients[:2]:
        await factory.grant(client, person, {"deals.view": "ALL"})
    assert (await review(story, person))["grantCount"] == 2
    await factory.grant(clients[2], person, {"deals.view": "ALL"})
    answer = await schema.execute(REVIEW, {"id": node_id(person)}, context_value=Context(story.database, story.viewer))
    (error,) = answer.errors or []
    assert getattr(error.original_error, "code", None) == "BAD_INPUT"
    assert "narrow the review" in error.message
    assert "removeAccess first" in error.message
    assert (await review(story, person, clients=ids(*clients[1:])))["grantCount"] == 2


async def test_t3_the_statements_of_a_review_do_not_grow_with_the_clients(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """F38: ten clients or a thousand."""
    story = await Story.begin(factory)
    counts = []
    for number in (10, 1_000):
        person = await factory.member(story.partner)
        clients = await factory.clients(story.partner, number)
        await bulk_grants(factory, person, clients)
        for start in range(0, number, 500):
            await record(story, [asset(client, person, "1") for client in clients[start : start + 500]])
        with recorder:
            found = await review(story, person)
        counts.append(recorder.count)
        assert found["grantCount"] == found["totals"][0]["total"] == number
    assert counts[0] == counts[1]


async def test_t3_the_reviews_of_many_people_are_read_together(factory: Factory, recorder: StatementRecorder) -> None:
    story = await Story.begin(factory)
    query = """query($id: ID!) { node(id: $id) { ... on Partner { members(first: 100) { nodes {
      id removalReview { token grantCount } } } } } }"""
    counts = []
    for _ in range(2):
        for person in await factory.members(story.partner, 5):
            await factory.grant(story.client, person, {"deals.view": "ALL"})
        with recorder:
            data, codes = await story.run(query, id=node_id(story.partner))
        assert codes == []
        counts.append(recorder.count)
    nodes = data["node"]["members"]["nodes"]
    assert [node["removalReview"]["grantCount"] for node in nodes] == [1] * 11
    assert len({node["removalReview"]["token"] for node in nodes}) == 11
    assert counts[0] == counts[1]


KEY = Issuer(b"k" * 32, "https://cam.example/link")


def test_a_token_gives_its_stamps_back_and_no_other_text_does() -> None:
    """L8: cut, changed in any character, of another key, empty, far too long, or no token at all."""
    stamps = [bytes([number]) * 8 for number in range(3)]
    made = token_of(KEY, stamps)
    assert stamps_of(KEY, made) == frozenset(stamps)
    assert stamps_of(KEY, token_of(KEY, [])) == frozenset()
    assert stamps_of(Issuer(b"o" * 32, ""), made) == frozenset()
    for place, letter in enumerate(made):
        changed = "A" if letter != "A" else "B"
        assert stamps_of(KEY, made[:place]) == frozenset()
        assert stamps_of(KEY, f"{made[:place]}{changed}{made[place + 1 :]}") == frozenset()
    for text in ("", "=", "Ü", "\ud800", f"{made}=", f"{made}A", f" {made}", made * 2, "A" * 10_000, "\0"):
        assert stamps_of(KEY, text) == frozenset()


def test_the_token_of_the_largest_review_is_not_too_long() -> None:
    assert len(token_of(KEY, [b"12345678"] * MOST_GRANTS)) <= LONGEST_TOKEN < 110_000
