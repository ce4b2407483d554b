"""Every way to say which people and clients (F26, F27, F28, F31), and what nobody learns from asking (T1)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from models.grant import AccessType, GrantStatus
from models.member import ManagerRights, MemberKind, MemberStatus
from schema.node import encode
from tests.api.write_story import (
    APPLIED,
    NO_CHANGE,
    Row,
    Story,
    contents,
    ids,
    node_id,
    pairs,
    permissions,
    product,
)
from tests.factory import Factory

ACCESS = permissions({"contacts.view": "ALL"})


async def test_f26_one_client_and_many_people(factory: Factory) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 3)
    told = await story.outcomes("grantAccess", targets=product(people, [story.client]), access=ACCESS)
    assert [outcome.cell for outcome in told] == [(key, node_id(story.client)) for key in ids(*people)]
    assert {outcome.verdict for outcome in told} == {APPLIED}


async def test_f27_a_contractor_is_linked_to_clients(factory: Factory) -> None:
    story = await Story.begin(factory)
    more = await factory.clients(story.partner, 2)
    for client in more:
        await story.admin(client)
    contractor = await factory.member(story.partner, kind=MemberKind.CONTRACTOR, manager_rights=ManagerRights.NONE)
    told = await story.outcomes("grantAccess", targets=product([contractor], more), access=ACCESS)
    assert [outcome.verdict for outcome in told] == [APPLIED] * 2
    data, _ = await story.run(
        "query($id: ID!) { node(id: $id) { ... on Member { totalClients } } }", id=node_id(contractor)
    )
    assert data["node"] == {"totalClients": 2}


async def test_f28_one_person_and_many_clients_in_the_order_of_the_request(factory: Factory) -> None:
    story = await Story.begin(factory)
    clients = await factory.clients(story.partner, 3)
    for client in clients:
        await story.admin(client)
    people = await factory.members(story.partner, 2)
    chosen = [clients[2], clients[0], clients[1]]
    told = await story.outcomes("grantAccess", targets=product(people, chosen), access=ACCESS)
    assert [outcome.cell for outcome in told] == [(m, c) for c in ids(*chosen) for m in ids(*people)]


async def test_pairs_are_only_those_listed_and_each_once(factory: Factory) -> None:
    """E17 for pairs: an outcome each, in the order of the list."""
    story = await Story.begin(factory)
    other = await factory.client(story.partner)
    await story.admin(other)
    first, second = await factory.members(story.partner, 2)
    cells = [(second, other), (first, story.client), (second, other)]
    told = await story.outcomes("grantAccess", targets=pairs(*cells), access=ACCESS)
    assert [outcome.cell for outcome in told] == [(node_id(m), node_id(c)) for m, c in cells[:2]]
    assert {outcome.verdict for outcome in told} == {APPLIED}


async def test_grants_are_their_people_and_clients(factory: Factory) -> None:
    story = await Story.begin(factory)
    people = await factory.members(story.partner, 2)
    made = [await factory.grant(story.client, person, {"deals.view": "ALL"}) for person in people]
    told = await story.outcomes("changeAccess", targets={"grants": ids(*made, made[0])}, access=ACCESS)
    assert [outcome.grant["id"] for outcome in told] == ids(*made)
    assert [outcome.held for outcome in told] == [{"contacts.view": "ALL"}] * 2


async def test_f31_matching_is_all_that_the_filters_select(factory: Factory) -> None:
    """Filters, searches and exceptions; who left is never meant, and the actor's own cell is left out."""
    story = await Story.begin(factory, display_name="Alpha One")
    beta, gamma, foreign = (
        await factory.client(story.partner, display_name="Alpha Two"),
        await factory.client(story.partner, display_name="Gamma"),
        await factory.client(await factory.partner(), display_name="Alpha Three"),
    )
    for client in (beta, gamma):
        await story.admin(client)
    contractors = await factory.members(story.partner, 2, kind=MemberKind.CONTRACTOR)
    employee = await factory.member(story.partner, "Eva Employee")
    await factory.member(story.partner, kind=MemberKind.CONTRACTOR, status=MemberStatus.LEFT)
    matching: dict[str, Any] = {"members": {"kinds": ["CONTRACTOR"]}, "clientSearch": "álpha"}
    told = await story.outcomes("grantAccess", targets={"matching": matching}, access=ACCESS)
    assert {outcome.cell for outcome in told} == {
        (member, client) for member in ids(*contractors) for client in ids(story.client, beta)
    }
    assert node_id(foreign) not in {outcome.cell[1] for outcome in told}
    matching = {
        "partner": node_id(story.partner),
        "memberSearch": "eva",
        "clients": {"accessTypes": ["PARTNER_ADMIN"]},
        "exceptClients": ids(gamma),
    }
    told = await story.outcomes("grantAccess", targets={"matching": matching}, access=ACCESS)
    assert [outcome.cell for outcome in told] == [(node_id(employee), c) for c in ids(story.client, beta)]
    everybody = {"exceptMembers": ids(*contractors), "exceptClients": ids(beta, gamma)}
    told = await story.outcomes("grantAccess", targets={"matching": everybody}, access=ACCESS)
    assert {outcome.cell[0]: outcome.verdict for outcome in told} == {
        node_id(story.actor): ("NOOP", "SELF_EXCLUDED"),
        node_id(employee): ("NOOP", "ALREADY_GRANTED"),
    }


async def test_an_exception_that_names_nobody_is_refused(factory: Factory) -> None:
    """A mistyped exception must not give access to the very person who was to be left out."""
    story = await Story.begin(factory)
    stranger = await factory.member(await factory.partner())
    for key in (node_id(stranger), encode("Member", 10**9), "nonsense"):
        targets = {"matching": {"exceptMembers": [node_id(story.actor), key]}}
        (refusal,) = await story.refusals("grantAccess", targets=targets, access=ACCESS)
        assert refusal["code"] == "NOT_FOUND"
        assert refusal["field"] == ["input", "targets", "matching", "exceptMembers", "1"]


async def test_the_actors_own_cells_are_left_out_unless_asked_for(factory: Factory) -> None:
    story = await Story.begin(factory)
    told = await story.change(story.actor, ACCESS)
    assert told.verdict == ("NOOP", "SELF_EXCLUDED")
    assert "includeSelf" in told.node["message"]
    assert (told.withheld, told.retained, told.revoked) == ({}, {}, {})
    told = await story.change(story.actor, seat="PARTNER", options={"includeSelf": True})
    assert told.verdict == NO_CHANGE


UNKNOWN: list[tuple[str, str, Callable[[str, Any], dict[str, Any]]]] = [
    ("member", "grantAccess", lambda key, s: {"targets": {"product": {"members": [key], "clients": ids(s.client)}}}),
    ("client", "grantAccess", lambda key, s: {"targets": {"product": {"members": ids(s.actor), "clients": [key]}}}),
    ("member", "grantAccess", lambda key, s: {"targets": {"pairs": [{"member": key, "client": node_id(s.client)}]}}),
    ("client", "grantAccess", lambda key, s: {"targets": {"pairs": [{"member": node_id(s.actor), "client": key}]}}),
    ("grant", "changeAccess", lambda key, _: {"targets": {"grants": [key]}}),
    ("partner", "grantAccess", lambda key, _: {"targets": {"matching": {"partner": key}}}),
    ("set", "grantAccess", lambda key, s: {"targets": pairs((s.actor, s.client)), "access": {"permissionSet": key}}),
    ("grant", "grantAccess", lambda key, s: {"targets": pairs((s.actor, s.client)), "access": {"copyFrom": key}}),
    ("team", "grantAccess", lambda key, s: {"targets": pairs((s.actor, s.client)), "teams": [{"team": key}]}),
    ("team", "assignTeams", lambda key, s: {"targets": pairs((s.actor, s.client)), "teams": [{"team": key}]}),
    ("set", "reapplyPermissionSet", lambda key, _: {"permissionSet": key}),
]


@pytest.mark.parametrize(
    ("noun", "field", "asked"), UNKNOWN, ids=[f"{row[1]}-{i}-{row[0]}" for i, row in enumerate(UNKNOWN)]
)
async def test_t1_unknown_foreign_and_garbage_ids_look_alike(
    factory: Factory, noun: str, field: str, asked: Callable[[str, Any], dict[str, Any]]
) -> None:
    """To the byte, and nothing is written."""
    story = await Story.begin(factory)
    stranger = await factory.partner()
    place, person = await factory.client(stranger), await factory.member(stranger)
    rows: dict[str, Row] = {
        "member": person,
        "client": place,
        "grant": await factory.grant(place, person, {"contacts.view": "ALL"}),
        "partner": stranger,
        "set": await factory.permission_set(stranger, {"contacts.view": "ALL"}),
        "team": await factory.team(place),
    }
    foreign = rows[noun]
    type_name = {"set": "PermissionSet"}.get(noun, noun.capitalize())
    answers, before = set(), await contents(factory.database)
    for key in (
        node_id(foreign),
        encode(type_name, 987_654_321),
        encode("Partner" if noun != "partner" else "Client", story.partner.id),
        encode(type_name, 2**63),
        "garbage",
        "",
        "Ü" * 300,
    ):
        access = {} if field in {"assignTeams", "reapplyPermissionSet"} else {"access": ACCESS}
        answer = await story.answer(field, **{**access, **asked(key, story)})
        assert answer["operation"] is None
        refused = answer["userErrors"]
        assert {error["code"] for error in refused} == {"NOT_FOUND"}
        assert {error["__typename"] for error in refused} == {"NotFoundError"}
        answers.add(json.dumps(refused))
    assert await contents(factory.database) == before
    assert len(answers) == 1
    assert "There is no" in answers.pop() or noun in {"team", "set"}


async def test_t1_every_unknown_id_is_named_with_its_place(factory: Factory) -> None:
    story = await Story.begin(factory)
    unknown = [encode("Member", 10**9), "nonsense"]
    targets = {"product": {"members": [node_id(story.actor), *unknown], "clients": ["?", node_id(story.client)]}}
    refused = await story.refusals("grantAccess", targets=targets, access=ACCESS)
    assert [error["field"][2:] for error in refused] == [
        ["product", "clients", "0"],
        ["product", "members", "1"],
        ["product", "members", "2"],
    ]


async def test_a_removed_grant_is_no_target(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    grant = await factory.grant(story.client, person, {"deals.view": "ALL"}, status=GrantStatus.REMOVED)
    (refusal,) = await story.refusals("changeAccess", targets={"grants": ids(grant)}, access=ACCESS)
    assert refusal["code"] == "NOT_FOUND"


async def test_two_partners_of_one_person_are_two_requests(factory: Factory) -> None:
    """Somebody who acts for two agencies: their rows are known, but one request is one agency's."""
    story = await Story.begin(factory)
    second = await factory.partner()
    await factory.member(second, user=story.actor)
    place, person = await factory.client(second), await factory.member(second)
    both = await story.as_member(story.actor)
    (refusal,) = await both.refusals("grantAccess", targets=product([person], [story.client]), access=ACCESS)
    assert refusal["code"] == "INVALID_INPUT"
    assert "one request for each partner" in refusal["message"]
    (refusal,) = await both.refusals("grantAccess", targets={"matching": {}}, access=ACCESS)
    assert "say for which one" in refusal["message"]
    told = await both.outcomes("grantAccess", targets=product([person], [place]), access=ACCESS)
    assert [outcome.verdict for outcome in told] == [("REJECTED", "NOT_PARTNER_ADMIN")]


async def test_another_agencys_grant_in_the_same_account_stays(factory: Factory) -> None:
    """R9, T1: one contractor of two agencies in one account that both have as a client."""
    story = await Story.begin(factory)
    second = await factory.partner()
    place = await factory.client(second, account=story.client.account)
    person = await factory.member(story.partner, kind=MemberKind.CONTRACTOR)
    there = await factory.member(second, user=person, kind=MemberKind.CONTRACTOR)
    await factory.grant(place, there, {"deals.view": "ALL"}, access_type=AccessType.STANDARD)
    before = [row for row in (await contents(factory.database))["grant"] if row[1] == second.id]
    assert len(before) == 1
    told = await story.grant(person, ACCESS)
    assert told.verdict == APPLIED
    assert told.held == {"contacts.view": "ALL"}
    assert [row for row in (await contents(factory.database))["grant"] if row[1] == second.id] == before
