"""What becomes of assets when access is removed: as reviewed, to whom the rules say, and exactly once (F38, F39, P15, R5, R6, R9)."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from models.asset import asset_transfers
from models.grant import GrantStatus
from models.member import MemberKind, MemberStatus
from resolvers.operation.review_stamp import LONGEST_TOKEN
from schema.node import encode
from tests.api.asset_story import assert_holdings_are_true, asset, holdings, owners, record, several
from tests.api.bulk import bulk_grants
from tests.api.counters import assert_counters_are_true
from tests.api.write_story import APPLIED, BRIEF, NO_CHANGE, Story, Told, ids, living_grants, node_id, pairs, product
from tests.factory import MOMENT, ClientRow, Factory, MemberRow
from tests.statement_recorder import StatementRecorder

TOLD = BRIEF.replace("code message", "code message assetTransfers { kind total to { id } }")
STALE = ("REJECTED", "STALE_REVIEW")
BLOCKED = ("REJECTED", "REASSIGNEE_NOT_ACTIVE")
ACCESS = {"deals.view": "ALL"}


async def begin(factory: Factory) -> Story:
    return replace(await Story.begin(factory), fragment=TOLD)


async def token(story: Story, row: MemberRow | ClientRow, *narrowed: Any) -> str:
    """The token of a fresh review, of a person in clients or of a client's people."""
    query = """query($id: ID!, $keys: [ID!]) { node(id: $id) {
      ... on Member { removalReview(clients: $keys) { token } } ... on Client { removalReview(members: $keys) { token } } } }"""
    data, codes = await story.run(query, id=node_id(row), keys=ids(*narrowed) or None)
    assert codes == []
    found: str = data["node"]["removalReview"]["token"]
    return found


async def remove(
    story: Story, person: MemberRow, places: list[ClientRow], *reassign: dict[str, Any], **values: Any
) -> list[Told]:
    """Removes a person from clients as reviewed just now, unless a token is given."""
    values.setdefault("reviewToken", await token(story, person))
    return await story.outcomes("removeAccess", targets=product([person], places), reassign=list(reassign), **values)


def rule(to: MemberRow | None = None, client: ClientRow | None = None, kind: str | None = None) -> dict[str, Any]:
    """A rule of reassignment; to nobody stands for the lead."""
    told: dict[str, Any] = {"toLead": True} if to is None else {"to": node_id(to)}
    return {**told, **({"client": node_id(client)} if client else {}), **({"kind": kind} if kind else {})}


def transfers(told: Told) -> list[tuple[str, int, str | None]]:
    return [(at["kind"], at["total"], at["to"] and at["to"]["id"]) for at in told.node["assetTransfers"]]


async def person_in(factory: Factory, story: Story, *places: ClientRow, **values: Any) -> MemberRow:
    """A person of the partner with access in these clients."""
    person = await factory.member(story.partner, **values)
    for place in places:
        await factory.grant(place, person, ACCESS)
    return person


async def test_f38_what_nobody_takes_over_keeps_the_removed_person_as_former_owner(factory: Factory) -> None:
    story = await begin(factory)
    elsewhere = await factory.client(story.partner)
    person = await person_in(factory, story, story.client, elsewhere)
    other = await person_in(factory, story, story.client)
    await record(story, [*several(story.client, person, 2), asset(story.client, person, "t", "TICKET")])
    await record(story, [asset(elsewhere, person, "there"), asset(story.client, other, "others")])
    (told,) = await remove(story, person, [story.client])
    assert told.verdict == APPLIED
    assert told.grant["status"] == "REMOVED"
    assert transfers(told) == [("DEAL", 2, None), ("TICKET", 1, None)]
    owned = await owners(factory.database)
    assert [owned[key] for key in (f"{person.id}-0", f"{person.id}-1", "t")] == [(None, person.id)] * 3
    assert (owned["there"], owned["others"]) == ((person.id, None), (other.id, None))
    assert await holdings(factory.database) == {
        (elsewhere.id, person.id, "DEAL"): (1, 1),
        (story.client.id, other.id, "DEAL"): (1, 1),
    }
    await assert_counters_are_true(factory.database)


async def test_f39_assets_go_by_client_and_kind_to_somebody_active_there(factory: Factory) -> None:
    story = await begin(factory)
    person = await person_in(factory, story, story.client)
    taker = await person_in(factory, story, story.client)
    await record(story, [*several(story.client, person, 3), *several(story.client, person, 2, "TICKET")])
    await record(story, several(story.client, taker, 1))
    (told,) = await remove(story, person, [story.client], rule(taker, story.client, "DEAL"))
    assert transfers(told) == [("DEAL", 3, node_id(taker)), ("TICKET", 2, None)]
    owned = await owners(factory.database)
    assert [owned[f"{person.id}-{number}"] for number in range(3)] == [(taker.id, person.id)] * 3
    assert [owned[f"TICKET {person.id}-{number}"] for number in range(2)] == [(None, person.id)] * 2
    # The taker's own review is of what there was before.
    assert await holdings(factory.database) == {(story.client.id, taker.id, "DEAL"): (4, 2)}
    await assert_holdings_are_true(factory.database)


async def test_p15_the_most_specific_rule_counts_whatever_their_order(factory: Factory) -> None:
    """Client and kind, then client, then kind, then neither."""
    story = await begin(factory)
    other = await factory.client(story.partner)
    places = [story.client, other]
    person = await person_in(factory, story, *places)
    general, by_kind, by_client, by_both = [await person_in(factory, story, *places) for _ in range(4)]
    for place in places:
        await record(story, [asset(place, person, kind, kind) for kind in ("DEAL", "TICKET", "FORM")])
    rules = [
        rule(general),
        rule(by_kind, kind="DEAL"),
        rule(by_kind, kind="TICKET"),
        rule(by_client, other),
        rule(by_both, other, "DEAL"),
    ]
    outcomes = await remove(story, person, places, *reversed(rules))
    assert [{kind: to for kind, _, to in transfers(told)} for told in outcomes] == [
        {"DEAL": node_id(by_kind), "TICKET": node_id(by_kind), "FORM": node_id(general)},
        {"DEAL": node_id(by_both), "TICKET": node_id(by_client), "FORM": node_id(by_client)},
    ]
    await assert_holdings_are_true(factory.database)


async def test_p15_all_assets_go_to_each_clients_lead(factory: Factory) -> None:
    """Where there is none, or the lead is not active there, or goes as well, that client is rejected and the others go on (R5)."""
    story = await begin(factory)
    person = await factory.member(story.partner)
    lead = await factory.member(story.partner)
    led, unled, led_by_absent, led_by_leaver, unowned = [
        await factory.client(story.partner, lead_id=lead_id) for lead_id in (lead.id, None, lead.id, person.id, None)
    ]
    places = [led, unled, led_by_absent, led_by_leaver, unowned]
    for place in places:
        await factory.grant(place, person, ACCESS)
        if place is not unowned:
            await record(story, [asset(place, person, str(place.id))])
    await factory.grant(led, lead, ACCESS)
    told = await remove(story, person, places, rule())
    assert [outcome.verdict for outcome in told] == [APPLIED, BLOCKED, BLOCKED, BLOCKED, APPLIED]
    assert [transfers(outcome) for outcome in told] == [[("DEAL", 1, node_id(lead))], [], [], [], []]
    assert "Choose somebody active there" in told[1].node["message"]
    owned = await owners(factory.database)
    assert owned == {
        str(led.id): (lead.id, person.id),
        **{str(place.id): (person.id, None) for place in (unled, led_by_absent, led_by_leaver)},
    }
    again = await remove(story, person, places, rule(), rule(lead, led_by_absent, "TICKET"))
    assert [outcome.verdict for outcome in again] == [NO_CHANGE, BLOCKED, BLOCKED, BLOCKED, NO_CHANGE]
    last = await remove(story, person, places)
    assert [outcome.verdict for outcome in last] == [NO_CHANGE, APPLIED, APPLIED, APPLIED, NO_CHANGE]
    await assert_holdings_are_true(factory.database)


async def test_a_lead_who_is_removed_from_another_client_only_takes_over_here(factory: Factory) -> None:
    story = await begin(factory)
    person, lead = await factory.members(story.partner, 2)
    here = await factory.client(story.partner, lead_id=lead.id)
    for place in (here, story.client):
        await factory.grant(place, lead, ACCESS)
    await factory.grant(here, person, ACCESS)
    await record(story, several(here, person, 1))
    for cells, verdict in (
        (((person, here), (lead, here)), BLOCKED),
        (((person, here), (lead, story.client)), APPLIED),
    ):
        tokens = [await token(story, here)] if cells[1][1] is here else [await token(story, person)]
        told = await story.outcomes(
            "removeAccess",
            targets=pairs(*cells),
            reviewToken=tokens[0],
            reassign=[rule()],
            options={"dryRun": True, "acceptLockout": True},
        )
        assert told[0].verdict == verdict


async def test_f39_who_loses_access_in_one_client_takes_over_in_another(factory: Factory) -> None:
    """R5: where they go as well, or are not active, only that cell is blocked; a rule for a client in which they go is refused."""
    story = await begin(factory)
    other, foreign = await factory.clients(story.partner, 2)
    person = await person_in(factory, story, story.client, other, foreign)
    taker = await person_in(factory, story, story.client, other)
    for place in (story.client, other, foreign):
        await record(story, [asset(place, person, str(place.id))])
    cells = [(person, story.client), (person, other), (person, foreign), (taker, story.client)]
    grants = (await living_grants(factory.database))[-5:]
    keys = [encode("Grant", row.id) for row in grants if (row.member_id, row.client_id) != (taker.id, other.id)]
    values = {"reviewToken": await token(story, person), "options": {"dryRun": True}}
    for targets in (pairs(*cells), {"grants": keys}):
        told = await story.outcomes("removeAccess", targets=targets, reassign=[rule(taker)], **values)
        verdicts = {outcome.cell: outcome.verdict for outcome in told}
        assert [verdicts[node_id(who), node_id(place)] for who, place in cells] == [BLOCKED, APPLIED, BLOCKED, STALE]
        for place in (other, foreign):
            told = await story.outcomes("removeAccess", targets=targets, reassign=[rule(taker, place)], **values)
            verdicts = {outcome.cell: outcome.verdict for outcome in told}
            assert verdicts[node_id(person), node_id(story.client)] == APPLIED
            assert verdicts[node_id(person), node_id(place)] == (APPLIED if place is other else BLOCKED)
        (error,) = await story.refusals(
            "removeAccess", targets=targets, reassign=[rule(taker, other), rule(taker, story.client)], **values
        )
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "reassign", "1", "to"])
    # Wherever anybody goes, so does the taker: the rule can be meant nowhere.
    (error,) = await story.refusals("removeAccess", targets=pairs(cells[0], cells[3]), reassign=[rule(taker)], **values)
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "reassign", "0", "to"])


async def test_f39_existing_access_of_two_goes_and_one_takes_over_where_they_stay(factory: Factory) -> None:
    """`existing` names both people, but only their living grants are cells."""
    story = await begin(factory)
    other = await factory.client(story.partner)
    person, taker = await person_in(factory, story, story.client, other), await person_in(factory, story, story.client)
    await record(story, [asset(place, person, str(place.id)) for place in (story.client, other)])
    values = {"targets": {"existing": {"members": ids(person, taker)}}, "reviewToken": await token(story, person)}
    told = await story.outcomes("removeAccess", reassign=[rule(taker, other), rule(story.actor)], **values)
    verdicts = {outcome.cell: outcome.verdict for outcome in told}
    # The taker is no cell there, and without access there takes nothing over.
    assert verdicts[node_id(person), node_id(other)] == BLOCKED
    assert verdicts[node_id(person), node_id(story.client)] == APPLIED
    assert (await owners(factory.database))[str(story.client.id)] == (story.actor.id, person.id)
    await assert_holdings_are_true(factory.database)


@pytest.mark.parametrize(
    "case", ["no grant", "deactivated", "removed", "expired", "deactivated member", "elsewhere only"]
)
async def test_f39_whoever_is_not_active_in_the_client_takes_nothing_over(factory: Factory, case: str) -> None:
    story = await begin(factory)
    elsewhere = await factory.client(story.partner)
    person = await person_in(factory, story, story.client, elsewhere)
    taker = await factory.member(
        story.partner, status=MemberStatus.DEACTIVATED if case == "deactivated member" else MemberStatus.ACTIVE
    )
    await factory.grant(elsewhere, taker, ACCESS)
    if case in {"deactivated", "removed"}:
        await factory.grant(story.client, taker, ACCESS, status=GrantStatus(case.upper()))
    elif case in {"expired", "deactivated member"}:
        await factory.grant(story.client, taker, ACCESS, expires_at=MOMENT if case == "expired" else None)
    await record(story, [asset(place, person, "one") for place in (story.client, elsewhere)])
    told = await remove(story, person, [story.client, elsewhere], rule(taker))
    there = BLOCKED if case == "deactivated member" else APPLIED
    assert [outcome.verdict for outcome in told] == [BLOCKED, there]
    told = await remove(story, person, [story.client], rule(taker, kind="TICKET"), rule(taker, elsewhere))
    assert told[0].verdict == APPLIED, "a rule about what the person does not own there blocks nothing"


BAD_RULES: list[tuple[str, list[dict[str, Any]], str, list[str]]] = [
    ("nobody", [{}], "INVALID_INPUT", ["0"]),
    ("not the lead", [{"toLead": False, "kind": "DEAL"}], "INVALID_INPUT", ["0"]),
    ("both", [{"to": "taker"}, {"to": "taker", "toLead": True, "kind": "DEAL"}], "INVALID_INPUT", ["1"]),
    ("alike", [{"to": "taker"}, {"toLead": True}], "INVALID_INPUT", ["1"]),
    ("alike of a client", [{"to": "taker", "client": "client"}] * 2, "INVALID_INPUT", ["1"]),
    ("the leaver", [{"toLead": True}, {"to": "person", "kind": "DEAL"}], "INVALID_INPUT", ["1", "to"]),
    ("too many", [{"toLead": True}] * 1_001, "INVALID_INPUT", []),
]


@pytest.mark.parametrize(("rules", "code", "place"), [row[1:] for row in BAD_RULES], ids=[row[0] for row in BAD_RULES])
async def test_a_rule_that_cannot_be_meant_is_refused(
    factory: Factory, rules: list[dict[str, Any]], code: str, place: list[str]
) -> None:
    story = await begin(factory)
    people = {"person": await person_in(factory, story, story.client), "taker": await factory.member(story.partner)}
    known = {**{name: node_id(row) for name, row in people.items()}, "client": node_id(story.client)}
    sent = [
        {key: known.get(value, value) if isinstance(value, str) else value for key, value in one.items()}
        for one in rules
    ]
    refused = await story.refusals(
        "removeAccess",
        targets=product([people["person"]], [story.client]),
        reviewToken=await token(story, people["person"]),
        reassign=sent,
    )
    assert [(error["code"], error["field"]) for error in refused] == [(code, ["input", "reassign", *place])]


@pytest.mark.parametrize("part", ["to", "client"])
async def test_t1_rules_with_unknown_foreign_and_garbage_ids_are_refused_alike(factory: Factory, part: str) -> None:
    """Somebody of another partner of the same actor is as unknown here as anybody."""
    story = await begin(factory)
    stranger, second = await factory.partner(), await factory.partner()
    await factory.member(second, user=story.actor)
    story = replace(await story.as_member(story.actor), fragment=TOLD)
    build: Any = factory.member if part == "to" else factory.client
    person = await person_in(factory, story, story.client)
    fresh = await token(story, person)
    answers = set()
    type_name = "Member" if part == "to" else "Client"
    for key in (
        node_id(await build(stranger)),
        node_id(await build(second)),
        encode(type_name, 10**12),
        encode("Partner", 1),
        "x",
        "",
    ):
        refused = await story.refusals(
            "removeAccess",
            targets=product([person], [story.client]),
            reviewToken=fresh,
            reassign=[{"kind": "DEAL", "toLead": True}, {**({} if part == "to" else {"toLead": True}), part: key}],
        )
        assert [(error["code"], error["field"]) for error in refused] == [
            ("NOT_FOUND", ["input", "reassign", "1", part])
        ]
        answers.add(json.dumps(refused))
    assert len(answers) == 1


async def test_a_review_token_that_is_not_of_this_review_removes_nothing(factory: Factory) -> None:
    """L8: another member's, of the person in another client, cut, with one character changed, empty, garbage."""
    story = await begin(factory)
    elsewhere = await factory.client(story.partner)
    person = await person_in(factory, story, story.client, elsewhere)
    other = await person_in(factory, story, story.client)
    good = await token(story, person)
    assert good != await token(story, other)
    for bad in (
        await token(story, other),
        await token(story, person, elsewhere),
        good[:-1],
        good[: len(good) // 2],
        ("B" if good[20] == "A" else "A").join([good[:20], good[21:]]),
        "",
        "garbage",
        "Ü" * 1_000,
        "A" * 10_000,
    ):
        (told,) = await remove(story, person, [story.client], reviewToken=bad)
        assert told.verdict == STALE
        assert told.grant["status"] == "ACTIVE"
    assert "Review again" in told.node["message"]
    (told,) = await remove(story, person, [story.client], reviewToken=good)
    assert told.verdict == APPLIED


async def test_a_text_too_long_for_a_token_is_refused(factory: Factory) -> None:
    story = await begin(factory)
    person = await person_in(factory, story, story.client)
    (error,) = await story.refusals(
        "removeAccess", targets=product([person], [story.client]), reviewToken="A" * (LONGEST_TOKEN + 1)
    )
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "reviewToken"])


async def test_r5_what_has_changed_since_the_review_is_stale_and_the_rest_goes_on(factory: Factory) -> None:
    """A changed grant, one more asset, one that moved away, one with another name, a new grant; a retry finishes it."""
    story = await begin(factory)
    same, grown, shrunk, renamed, moved, new = places = await factory.clients(story.partner, 6)
    person = await person_in(factory, story, same, grown, shrunk, renamed)
    taker = await person_in(factory, story, *places)
    grant = await factory.grant(moved, person, ACCESS)
    await record(story, [asset(place, person, "one") for place in places])
    reviewed = await token(story, person)
    await record(
        story,
        [asset(grown, person, "two"), asset(shrunk, taker, "one"), asset(renamed, person, "one", name="Another name")],
    )
    await factory.move(grant, GrantStatus.DEACTIVATED)
    await factory.grant(new, person, ACCESS)
    told = await remove(story, person, places, rule(taker), reviewToken=reviewed)
    assert [outcome.verdict for outcome in told] == [APPLIED, STALE, STALE, STALE, STALE, STALE]
    assert [transfers(outcome) for outcome in told] == [[("DEAL", 1, node_id(taker))], [], [], [], [], []]
    again = await remove(story, person, places, rule(taker))
    assert [outcome.verdict for outcome in again] == [NO_CHANGE] + [APPLIED] * 5
    assert {owner for owner, _ in (await owners(factory.database)).values()} == {taker.id}
    await assert_holdings_are_true(factory.database)


async def test_r6_removing_again_changes_nothing_and_a_new_grant_needs_a_new_review(factory: Factory) -> None:
    story = await begin(factory)
    person = await person_in(factory, story, story.client)
    reviewed = await token(story, person)
    assert (await remove(story, person, [story.client], reviewToken=reviewed))[0].verdict == APPLIED
    assert (await remove(story, person, [story.client], reviewToken=reviewed))[0].verdict == NO_CHANGE
    await factory.grant(story.client, person, ACCESS)
    assert (await remove(story, person, [story.client], reviewToken=reviewed))[0].verdict == STALE


async def test_r9_a_contractor_of_two_partners_keeps_the_others_grant_and_assets(factory: Factory) -> None:
    story, second = await begin(factory), await begin(factory)
    place = await factory.client(second.partner, account=story.client.account)
    person = await person_in(factory, story, story.client, kind=MemberKind.CONTRACTOR)
    there = await factory.member(second.partner, user=person, kind=MemberKind.CONTRACTOR)
    await factory.grant(place, there, ACCESS)
    await record(story, several(story.client, person, 1))
    await record(second, several(place, there, 1))
    reviewed = await token(second, there)
    (told,) = await remove(story, person, [story.client])
    assert told.verdict == APPLIED
    assert await holdings(factory.database) == {(place.id, there.id, "DEAL"): (1, 1)}
    assert (await owners(factory.database))[f"{there.id}-0"] == (there.id, None)
    (told,) = await remove(second, there, [place], reviewToken=reviewed)
    assert told.verdict == APPLIED


async def test_an_atomic_removal_that_is_rejected_leaves_all_assets(factory: Factory) -> None:
    story = await begin(factory)
    other = await factory.client(story.partner)
    person = await person_in(factory, story, story.client)
    await record(story, several(story.client, person, 2))
    reviewed = await token(story, person)
    await factory.grant(other, person, ACCESS)
    told = await remove(story, person, [story.client, other], reviewToken=reviewed, options={"atomic": True})
    assert [outcome.verdict for outcome in told] == [("REJECTED", "ATOMIC_REJECTED"), STALE]
    assert await holdings(factory.database) == {(story.client.id, person.id, "DEAL"): (2, 1)}
    assert {transfer for outcome in told for transfer in transfers(outcome)} == set()


async def test_a_dry_run_foresees_what_becomes_of_the_assets_and_moves_none(factory: Factory) -> None:
    """P02, N01: the same outcomes as the removal itself."""
    story = await begin(factory)
    stale = await factory.client(story.partner)
    person, taker = [await person_in(factory, story, story.client) for _ in range(2)]
    await record(story, [*several(story.client, person, 2), asset(story.client, person, "t", "TICKET")])
    reviewed = await token(story, person)
    await factory.grant(stale, person, ACCESS)
    await record(story, several(stale, person, 1))
    before = await owners(factory.database), await holdings(factory.database)
    told = []
    for dry_run in (True, False):
        options = {"dryRun": dry_run}
        sent = rule(taker, kind="DEAL")
        told.append(await remove(story, person, [story.client, stale], sent, reviewToken=reviewed, options=options))
        after = await owners(factory.database), await holdings(factory.database)
        assert (after == before) is dry_run
    foreseen, done = told
    assert [outcome.verdict for outcome in foreseen] == [outcome.verdict for outcome in done] == [APPLIED, STALE]
    assert transfers(foreseen[0]) == transfers(done[0]) == [("DEAL", 2, node_id(taker)), ("TICKET", 1, None)]
    assert transfers(foreseen[1]) == transfers(done[1]) == []


async def test_f40_all_people_of_a_client_go_by_one_review_and_one_takes_over(factory: Factory) -> None:
    """What several leave to one person is added up."""
    story = await begin(factory)
    people = [await person_in(factory, story, story.client) for _ in range(3)]
    for number, person in enumerate(people, start=1):
        await record(story, several(story.client, person, number))
    told = await story.outcomes(
        "removeAccess",
        targets=product(people, [story.client]),
        reviewToken=await token(story, story.client, *people),
        reassign=[rule(story.actor)],
    )
    assert [outcome.verdict for outcome in told] == [APPLIED] * 3
    assert await holdings(factory.database) == {(story.client.id, story.actor.id, "DEAL"): (6, 1)}
    assert {former for _, former in (await owners(factory.database)).values()} == {person.id for person in people}
    async with factory.database.read() as connection:
        rows = (await connection.execute(select(asset_transfers).order_by(asset_transfers.c.position))).all()
    assert [(row.position, row.kind, row.total, row.to_id) for row in rows] == [
        (number - 1, "DEAL", number, story.actor.id) for number in (1, 2, 3)
    ]


async def test_the_assets_of_many_outcomes_are_read_by_one_statement(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """T3, and nobody else reads them (T1)."""
    story = await begin(factory)
    counts, keys = [], []
    for number in (2, 20):
        person = await factory.member(story.partner)
        places = await factory.clients(story.partner, number)
        await bulk_grants(factory, person, places)
        await record(story, [asset(place, person, "one") for place in places])
        operation = await story.operation(
            "removeAccess", targets=product([person], places), reviewToken=await token(story, person)
        )
        keys.append(operation["id"])
        query = """query($id: ID!) { node(id: $id) { ... on Operation { outcomes(first: 100) { nodes {
          assetTransfers { kind total to { id } } } } } } }"""
        with recorder:
            data, codes = await story.run(query, id=operation["id"])
        assert codes == []
        nodes = data["node"]["outcomes"]["nodes"]
        assert nodes == [{"assetTransfers": [{"kind": "DEAL", "total": 1, "to": None}]}] * number
        counts.append(recorder.count)
    assert counts[0] == counts[1]
    both = """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Operation { outcomes(first: 100) { nodes {
      assetTransfers { total } } } } } }"""
    data, _ = await story.run(both, ids=keys)
    assert [len(node["outcomes"]["nodes"]) for node in data["nodes"]] == [2, 20]
    assert {len(at["assetTransfers"]) for node in data["nodes"] for at in node["outcomes"]["nodes"]} == {1}


async def test_removing_where_nobody_owns_anything_costs_one_statement_about_assets(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await begin(factory)
    person = await person_in(factory, story, story.client)
    reviewed = await token(story, person)
    with recorder:
        await remove(story, person, [story.client], reviewToken=reviewed)
    written = [sql for sql in recorder.statements if sql.startswith(("INSERT INTO asset", "UPDATE asset"))]
    assert len(written) == 1


async def test_two_removals_at_once_hand_the_assets_over_once(factory: Factory) -> None:
    story = await begin(factory)
    person, first, second = [await person_in(factory, story, story.client) for _ in range(3)]
    await record(story, several(story.client, person, 5))
    reviewed = await token(story, person)
    told = await asyncio.gather(
        *(remove(story, person, [story.client], rule(taker), reviewToken=reviewed) for taker in (first, second))
    )
    assert sorted(outcome.verdict[0] for (outcome,) in told) == ["APPLIED", "NOOP"]
    (held,) = (await holdings(factory.database)).values()
    assert held == (5, 1)
    await assert_holdings_are_true(factory.database)
    await assert_counters_are_true(factory.database)


async def test_recording_and_removing_at_once_never_leave_an_asset_uncounted(factory: Factory) -> None:
    """Either the removal comes first, or it is stale; what is recorded afterwards belongs to somebody without access."""
    story = await begin(factory)
    for attempt in range(4):
        person, taker = [await person_in(factory, story, story.client) for _ in range(2)]
        await record(story, several(story.client, person, 5))
        reviewed = await token(story, person)
        (told,), _ = await asyncio.gather(
            remove(story, person, [story.client], rule(taker), reviewToken=reviewed),
            record(story, [asset(story.client, person, f"{attempt} {number}") for number in range(5)]),
        )
        held = await holdings(factory.database)
        counts = [held.get((story.client.id, at.id, "DEAL"), (0, 0))[0] for at in (person, taker)]
        assert counts == ([5, 5] if told.verdict == APPLIED else [10, 0])
        assert told.verdict in {APPLIED, STALE}
    await assert_holdings_are_true(factory.database)


async def test_t3_removing_from_a_thousand_clients_takes_as_many_statements_as_from_ten(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """The person's assets go to each client's lead, but for the tickets, which go to another person, in one request.

    The very first removal stores the permission states that all later ones name, so it is not counted.
    """
    story = await begin(factory)
    counts = []
    for number in (1, 10, 1_000):
        person, lead, taker = await factory.members(story.partner, 3)
        places = await factory.clients(story.partner, number, lead_id=lead.id)
        for somebody in (person, lead, taker):
            await bulk_grants(factory, somebody, places)
        for start in range(0, number, 300):
            part = places[start : start + 300]
            await record(
                story, [asset(place, person, "one", kind) for place in part for kind in ("DEAL", "TICKET", "FORM")]
            )
        reviewed = await token(story, person)
        with recorder:
            operation = await story.operation(
                "removeAccess",
                targets=product([person], places),
                reviewToken=reviewed,
                reassign=[rule(), rule(taker, kind="TICKET")],
            )
        counts.append(recorder.count)
        assert operation["counts"]["applied"] == number
        held = await holdings(factory.database)
        assert sum(total for (_, owner, _), (total, _) in held.items() if owner == lead.id) == 2 * number
        assert sum(total for (_, owner, _), (total, _) in held.items() if owner == taker.id) == number
        assert not [key for key in held if key[1] == person.id]
    assert counts[1] == counts[2]
    await assert_holdings_are_true(factory.database)
    await assert_counters_are_true(factory.database)
