"""Somebody leaves: all access ends in one operation, or nothing happens (R6, R8, R9, R12, R14, N04, F38, F39)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.asset import AssetKind, asset_holdings, assets
from models.client import clients
from models.database import Database
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.operation import OperationKind, cell_key
from models.partner import PartnerProgram
from models.permission.level import PermissionLevel
from resolvers import locked_member, member_removal, removal_review
from resolvers.locked_member import TRIES, member_to_change
from resolvers.operation.execute import run
from resolvers.operation.request import FromPermissions, OperationRequest, Product
from schema.node import encode
from tests.api.asset_story import asset, record, recorded, several
from tests.api.write_story import APPLIED, BRIEF, Story, Told, contents, living_grants, node_id, product
from tests.factory import MOMENT, ClientRow, Factory, MemberRow
from tests.statement_recorder import StatementRecorder

MEMBER = "member { id status managerRights totalClients defaultPermissionSet { id } }"
REMOVE = f"""mutation($input: RemoveMemberInput!) {{ removeMember(input: $input) {{
  {MEMBER} userErrors {{ __typename code message field }} operation {{ ...Told }} }} }} {BRIEF}"""
REVIEW = "query($id: ID!) { node(id: $id) { ... on Member { removalReview { token grantCount } } } }"


async def review(story: Story, person: MemberRow) -> str:
    """The token of a review of all that the person has."""
    data, codes = await story.run(REVIEW, id=node_id(person))
    assert codes == []
    return str(data["node"]["removalReview"]["token"])


async def remove(story: Story, person: MemberRow | str, key: str | None = None, **values: Any) -> Any:
    """The payload of removeMember."""
    named = person if isinstance(person, str) else node_id(person)
    data, codes = await story.run(REMOVE, header=key, input={"member": named, **values})
    assert codes == []
    return data["removeMember"]


async def reviewed(story: Story, person: MemberRow, key: str | None = None, **values: Any) -> Any:
    """The same with the token of a fresh review."""
    return await remove(story, person, key, reviewToken=await review(story, person), **values)


async def gone(story: Story, person: MemberRow, **values: Any) -> list[Told]:
    """Removes somebody who must not be refused, and returns the outcomes; there are none without access."""
    payload = await reviewed(story, person, **values)
    assert payload["userErrors"] == []
    assert payload["member"] == {
        "id": node_id(person),
        "status": "LEFT",
        "managerRights": "NONE",
        "totalClients": 0,
        "defaultPermissionSet": None,
    }
    return [] if payload["operation"] is None else [Told(node) for node in payload["operation"]["outcomes"]["nodes"]]


async def refused(story: Story, person: MemberRow | str, **values: Any) -> Any:
    """Why it is refused before anything happens; nothing at all may have been written."""
    before = await contents(story.database)
    payload = await remove(story, person, **values)
    assert await contents(story.database) == before
    assert (payload["member"], payload["operation"]) == (None, None)
    (refusal,) = payload["userErrors"]
    return refusal


RECORDS = {"operation", "decision", "outcome", "permission_state", "timeline_block"}
"""The tables that say what an operation was asked and why it was rejected."""


async def rejected(story: Story, person: MemberRow, **values: Any) -> tuple[Any, list[Told]]:
    """Why the operation was rejected, and its outcomes; only the operation may have been written."""
    before = await contents(story.database)
    payload = await remove(story, person, **values)
    after = await contents(story.database)
    assert {name for name, rows in after.items() if rows != before[name]} <= RECORDS
    assert payload["member"]["status"] == "ACTIVE"
    (refusal,) = payload["userErrors"]
    assert payload["operation"]["counts"]["applied"] == 0
    return refusal, [Told(node) for node in payload["operation"]["outcomes"]["nodes"]]


async def own(database: Database, person: MemberRow, client: ClientRow, *names: str) -> None:
    """Deals with these external ids belong to the person."""
    row = {"partner_id": client.partner_id, "client_id": client.id, "kind": AssetKind.DEAL, "owner_id": person.id}
    async with database.write() as session:
        connection = await session.connection()
        for name in names:
            await connection.execute(insert(assets).values(**row, external_id=name, name=name))
        held = {"client_id": client.id, "member_id": person.id, "kind": AssetKind.DEAL}
        await connection.execute(insert(asset_holdings).values(**held, total=len(names), version=1))


async def owners(database: Database) -> dict[str, tuple[int | None, int | None]]:
    async with database.read() as connection:
        rows = await connection.execute(select(assets.c.external_id, assets.c.owner_id, assets.c.former_owner_id))
        return {row.external_id: (row.owner_id, row.former_owner_id) for row in rows}


async def holdings(database: Database) -> dict[tuple[int, int], int]:
    async with database.read() as connection:
        rows = await connection.execute(select(asset_holdings).where(asset_holdings.c.total > 0))
        return {(row.client_id, row.member_id): row.total for row in rows}


async def row_of(database: Database, person: MemberRow) -> Any:
    async with database.read() as connection:
        return (await connection.execute(select(members).where(members.c.id == person.id))).one()


async def lead(database: Database, client: ClientRow, person: MemberRow) -> None:
    async with database.write() as session:
        values = {"lead_id": person.id}
        await (await session.connection()).execute(update(clients).where(clients.c.id == client.id).values(values))


async def lead_of(database: Database, client: ClientRow) -> int | None:
    async with database.read() as connection:
        key: int | None = await connection.scalar(select(clients.c.lead_id).where(clients.c.id == client.id))
        return key


async def test_r8_all_access_ends_in_one_operation_and_the_membership_with_it(factory: Factory) -> None:
    """Active, deactivated and expired access, in clients where the actor has nothing (R4)."""
    story = await Story.begin(factory)
    default = await factory.permission_set(story.partner, {"contacts.view": "ALL"})
    person = await factory.member(story.partner, default_permission_set_id=default.id)
    places = [story.client, *await factory.clients(story.partner, 2)]
    await factory.grant(places[0], person, {"contacts.view": "ALL"})
    await factory.partner_admin(places[1], person)
    await factory.grant(places[2], person, status=GrantStatus.DEACTIVATED)
    await lead(factory.database, places[2], person)
    before = await story.timeline_length()
    outcomes = await gone(story, person, options={"reason": "moves on"})
    assert [told.verdict for told in outcomes] == [("APPLIED", None)] * 3
    assert {told.cell for told in outcomes} == {(node_id(person), node_id(client)) for client in places}
    assert await story.timeline_length() == before + 3
    assert {grant.member_id for grant in await living_grants(factory.database)} == {story.actor.id}
    assert await lead_of(factory.database, places[2]) is None
    row = await row_of(factory.database, person)
    assert (row.status, row.super_admin, row.active_clients) == ("LEFT", False, 0)
    query = "query { partner { operations(first: 1) { nodes { kind reason total atomic } } members { nodes { id } } } }"
    data, _ = await story.run(query)
    assert data["partner"]["operations"]["nodes"] == [
        {"kind": "REMOVE", "reason": "moves on", "total": 3, "atomic": True}
    ]
    assert data["partner"]["members"]["nodes"] == [{"id": node_id(story.actor)}]


async def test_r8_somebody_without_access_needs_no_review_and_makes_no_operation(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, led = await factory.member(story.partner), await factory.client(story.partner)
    await factory.grant(story.client, person, status=GrantStatus.REMOVED)
    await lead(factory.database, led, person)
    payload = await remove(story, person)
    assert (payload["userErrors"], payload["operation"], payload["member"]["status"]) == ([], None, "LEFT")
    assert await lead_of(factory.database, led) is None


async def test_f38_with_access_a_review_comes_first(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person)
    for token in ({}, {"reviewToken": None}, {"reviewToken": ""}):
        refusal = await refused(story, person, **token)
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "reviewToken"])
        assert "removalReview" in refusal["message"]


async def test_f38_a_token_that_is_not_of_this_state_is_stale_and_nothing_changes(factory: Factory) -> None:
    """Of another person, made up, with a character changed, or outdated by a change of access or of assets."""
    story = await Story.begin(factory)
    person, other = await factory.members(story.partner, 2)
    elsewhere = await factory.client(story.partner)
    for client in (story.client, elsewhere):
        await factory.grant(client, person, {"contacts.view": "ALL"})
    await factory.grant(story.client, other)
    token = await review(story, person)
    changed = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    for wrong in (await review(story, other), "nonsense", changed):
        refusal, outcomes = await rejected(story, person, reviewToken=wrong)
        assert (refusal["code"], refusal["field"]) == ("STALE_REVIEW", ["input", "reviewToken"])
        assert "removalReview" in refusal["message"]
        assert {told.verdict[0] for told in outcomes} == {"REJECTED"}
        assert ("REJECTED", "STALE_REVIEW") in {told.verdict for told in outcomes}
    await own(factory.database, person, elsewhere, "late")
    refusal, outcomes = await rejected(story, person, reviewToken=token)
    assert refusal["code"] == "STALE_REVIEW"
    assert refusal["message"].startswith("One client ")
    assert {told.cell[1]: told.verdict[1] for told in outcomes} == {
        node_id(story.client): "ATOMIC_REJECTED",
        node_id(elsewhere): "STALE_REVIEW",
    }
    token = await review(story, person)
    await factory.grant(await factory.client(story.partner), person)
    refusal, _ = await rejected(story, person, reviewToken=token)
    assert refusal["code"] == "STALE_REVIEW"
    assert len(await gone(story, person)) == 3


async def test_f38_a_token_longer_than_any_review_is_refused(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person)
    refusal = await refused(story, person, reviewToken="A" * 200_000)
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "reviewToken"])


async def test_n04_the_last_partner_admin_of_others_leaves_only_if_the_lockout_is_accepted(factory: Factory) -> None:
    """R7: everywhere else nothing ends either."""
    story = await Story.begin(factory)
    person, elsewhere = await factory.member(story.partner), await factory.client(story.partner)
    await factory.grant(story.client, person)
    await factory.partner_admin(elsewhere, person)
    await factory.grant(elsewhere, await factory.member(story.partner), status=GrantStatus.DEACTIVATED)
    token = await review(story, person)
    refusal, outcomes = await rejected(story, person, reviewToken=token)
    assert (refusal["code"], refusal["__typename"]) == ("WOULD_LOCK_OUT", "ConflictError")
    assert refusal["field"] == ["input", "options", "acceptLockout"]
    assert refusal["message"].startswith("One client ")
    assert "acceptLockout" in refusal["message"]
    assert [told.verdict[1] for told in outcomes] == ["ATOMIC_REJECTED", "WOULD_LOCK_OUT"]
    outcomes = await gone(story, person, options={"acceptLockout": True})
    assert [told.verdict for told in outcomes] == [("APPLIED", None)] * 2


async def test_the_last_super_admin_of_accounts_cannot_leave_whatever_is_accepted(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, elsewhere = await factory.member(story.partner), await factory.client(story.partner)
    for client in (story.client, elsewhere):
        await factory.super_admin(client, person)
    token = await review(story, person)
    refusal, _ = await rejected(story, person, reviewToken=token, options={"acceptLockout": True})
    assert (refusal["code"], refusal["field"]) == ("LAST_SUPER_ADMIN", ["input", "member"])
    assert refusal["message"].startswith("2 clients ")
    await factory.own_person(story.client, await factory.user())
    refusal, outcomes = await rejected(story, person, reviewToken=token)
    assert [told.verdict[1] for told in outcomes] == ["ATOMIC_REJECTED", "LAST_SUPER_ADMIN"]
    assert refusal["message"].startswith("One client ")
    await factory.own_person(elsewhere, await factory.user())
    assert len(await gone(story, person)) == 2


async def test_f39_assets_go_where_the_rules_say_and_the_rest_keep_the_person_as_former_owner(factory: Factory) -> None:
    """What is owned where the person has no access does too."""
    story = await Story.begin(factory)
    person, elsewhere, outside = (
        await factory.member(story.partner),
        await factory.client(story.partner),
        await factory.client(story.partner),
    )
    for client in (story.client, elsewhere):
        await factory.grant(client, person)
    await own(factory.database, person, story.client, "a", "b")
    await own(factory.database, person, elsewhere, "c")
    await own(factory.database, person, outside, "d")
    rule = {"client": node_id(story.client), "to": node_id(story.actor)}
    await gone(story, person, reassign=[rule])
    taken, kept = (story.actor.id, person.id), (None, person.id)
    assert await owners(factory.database) == {"a": taken, "b": taken, "c": kept, "d": kept}
    assert await holdings(factory.database) == {(story.client.id, story.actor.id): 2}


async def test_n01_a_dry_run_says_where_the_assets_would_go(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, elsewhere = await factory.member(story.partner), await factory.client(story.partner)
    for client in (story.client, elsewhere):
        await factory.grant(client, person)
        await own(factory.database, person, client, f"a{client.id}", f"b{client.id}")
    query = """mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code } operation {
      outcomes { nodes { client { id } status assetTransfers { kind total to { id } } } } } } }"""
    rule = {"client": node_id(story.client), "to": node_id(story.actor)}
    asked = {"member": node_id(person), "reviewToken": await review(story, person), "reassign": [rule]}
    answers = []
    for dry_run in (True, False):
        data, codes = await story.run(query, input={**asked, "options": {"dryRun": dry_run}})
        assert codes == []
        answers.append(data["removeMember"])
    assert [node["assetTransfers"] for node in answers[0]["operation"]["outcomes"]["nodes"]] == [
        [{"kind": "DEAL", "total": 2, "to": {"id": node_id(story.actor)}}],
        [{"kind": "DEAL", "total": 2, "to": None}],
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("who", ["inactive", "foreign", "the leaver", "garbage"])
async def test_f39_assets_go_to_nobody_who_cannot_take_them(factory: Factory, who: str) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person)
    await own(factory.database, person, story.client, "a")
    takers = {
        "inactive": node_id(await factory.member(story.partner)),
        "foreign": node_id(await factory.member(await factory.partner())),
        "the leaver": node_id(person),
        "garbage": "nonsense",
    }
    token, reassign = await review(story, person), [{"to": takers[who]}]
    if who == "inactive":
        refusal, outcomes = await rejected(story, person, reviewToken=token, reassign=reassign)
        assert [told.verdict for told in outcomes] == [("REJECTED", "REASSIGNEE_NOT_ACTIVE")]
        assert (refusal["code"], refusal["field"]) == ("CONFLICT", ["input", "reassign"])
        assert refusal["message"].startswith("One client ")
        return
    refusal = await refused(story, person, reviewToken=token, reassign=reassign)
    assert refusal["code"] == ("INVALID_INPUT" if who == "the leaver" else "NOT_FOUND")
    assert refusal["field"][:3] == ["input", "reassign", "0"]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("somewhere", [True, False])
async def test_f39_rules_are_checked_also_of_who_owns_nothing_or_has_no_access(
    factory: Factory, *, dry_run: bool, somewhere: bool
) -> None:
    """R16: each at its place in the input, and nothing is written; with access in one client, the rules name another."""
    story = await Story.begin(factory)
    person, other = await factory.members(story.partner, 2)
    elsewhere = await factory.client(story.partner)
    asked: dict[str, Any] = {"options": {"dryRun": dry_run}}
    if somewhere:
        await factory.grant(story.client, person)
        asked["reviewToken"] = await review(story, person)
    foreign = await factory.partner()
    there, to = {"client": node_id(elsewhere)}, {"to": node_id(other)}
    for rule, code, place in (
        ({**there, "to": "garbage"}, "NOT_FOUND", "to"),
        ({**there, "to": node_id(await factory.member(foreign))}, "NOT_FOUND", "to"),
        ({**there, "to": node_id(person)}, "INVALID_INPUT", "to"),
        ({"to": node_id(person)}, "INVALID_INPUT", "to"),
        ({**to, "client": "garbage"}, "NOT_FOUND", "client"),
        ({**to, "client": node_id(await factory.client(foreign))}, "NOT_FOUND", "client"),
    ):
        refusal = await refused(story, person, reassign=[{**to, "kind": "FORM"}, rule], **asked)
        assert (refusal["code"], refusal["field"]) == (code, ["input", "reassign", "1", place])
    payload = await remove(story, person, reassign=[{**there, **to}], **asked)
    assert payload["userErrors"] == []


@pytest.mark.parametrize("somewhere", [True, False])
async def test_f39_the_rules_reach_what_is_owned_without_access(factory: Factory, *, somewhere: bool) -> None:
    """By the most specific rule; where none is, the person stays former owner. Others' and the taker's own are untouched."""
    story = await Story.begin(factory)
    person, taker, chief = await factory.members(story.partner, 3)
    first, second, third, ended = await factory.clients(story.partner, 4)
    for client in (first, second, ended):
        await factory.grant(client, taker)
    await factory.grant(ended, person, status=GrantStatus.REMOVED)
    await factory.grant(second, chief)
    await lead(factory.database, second, chief)
    if somewhere:
        await factory.grant(story.client, person)
        await own(factory.database, person, story.client, "with access")
    for client, name in ((first, "a"), (second, "b"), (third, "c"), (ended, "d")):
        await own(factory.database, person, client, f"{name}1", f"{name}2")
    await own(factory.database, taker, first, "own")
    rules = [
        {"client": node_id(first), "to": node_id(taker)},
        {"client": node_id(ended), "kind": "DEAL", "to": node_id(taker)},
        {"client": node_id(second), "toLead": True},
        {"client": node_id(second), "kind": "FORM", "to": node_id(taker)},
        {"client": node_id(story.client), "to": node_id(story.actor)},
    ]
    told = await gone(story, person, reassign=rules)
    assert [outcome.verdict for outcome in told] == [APPLIED] * somewhere
    expected: dict[str, tuple[int | None, int | None]] = {"own": (taker.id, None)}
    for name, to_id in (("a", taker.id), ("b", chief.id), ("c", None), ("d", taker.id)):
        expected |= {f"{name}{number}": (to_id, person.id) for number in (1, 2)}
    held = {(first.id, taker.id): 3, (second.id, chief.id): 2, (ended.id, taker.id): 2}
    if somewhere:
        expected["with access"] = (story.actor.id, person.id)
        held[story.client.id, story.actor.id] = 1
    assert await owners(factory.database) == expected
    assert await holdings(factory.database) == held


@pytest.mark.parametrize("dry_run", [True, False])
async def test_f39_what_is_owned_without_access_goes_to_nobody_who_is_not_active_there(
    factory: Factory, *, dry_run: bool
) -> None:
    """Without any access there, deactivated, expired, or no lead at all: then nothing happens, with or without access."""
    story = await Story.begin(factory)
    person, taker, idle = await factory.members(story.partner, 3)
    places = [await factory.client(story.partner, display_name=name) for name in ("Ash", "Birch", "Cedar", "Dogwood")]
    for client in places:
        await own(factory.database, person, client, f"in {client.id}")
    await factory.grant(places[1], taker, status=GrantStatus.DEACTIVATED)
    await factory.grant(places[2], taker, expires_at=MOMENT)
    # Whoever leaves takes nothing over as the lead either.
    await factory.grant(places[3], idle)
    await lead(factory.database, places[3], person)
    asked: dict[str, Any] = {"options": {"dryRun": dry_run}}
    refusal = await refused(story, person, reassign=[{"to": node_id(taker)}], **asked)
    assert (refusal["code"], refusal["field"]) == ("CONFLICT", ["input", "reassign"])
    assert refusal["message"].startswith("In 4 clients (Ash, Birch, Cedar and others) ")
    refusal = await refused(
        story, person, reassign=[{"toLead": True}, {"client": node_id(places[3]), "to": node_id(idle)}], **asked
    )
    assert refusal["message"].startswith("In 3 clients (Ash, Birch, Cedar) ")
    await factory.grant(story.client, person)
    asked["reviewToken"] = await review(story, person)
    reassign = [{"client": node_id(places[3]), "toLead": True}]
    refusal = await refused(story, person, reassign=reassign, **asked)
    assert refusal["message"].startswith("In one client (Dogwood) ")
    assert "Give them access there first" in refusal["message"]
    await lead(factory.database, places[3], idle)
    payload = await remove(story, person, reassign=reassign, **asked)
    assert payload["userErrors"] == []
    told = await owners(factory.database)
    assert told[f"in {places[3].id}"] == ((person.id, None) if dry_run else (idle.id, person.id))


async def test_f39_what_is_recorded_while_its_owner_leaves_is_handed_over_or_refused(factory: Factory) -> None:
    """Whichever comes first: nothing stays with somebody who has left, and every holding is what is owned."""
    story = await Story.begin(factory)
    taker = await factory.member(story.partner)
    await factory.grant(story.client, taker)
    for attempt in range(4):
        person = await factory.member(story.partner)
        await record(story, several(story.client, person, 3))
        late = [asset(story.client, person, f"late {attempt}")]
        payload, _ = await asyncio.gather(
            remove(story, person, reassign=[{"to": node_id(taker)}]), recorded(story, late)
        )
        assert payload["userErrors"] == []
        assert person.id not in {owner for owner, _ in (await owners(factory.database)).values()}
    owned = [owner for owner, _ in (await owners(factory.database)).values() if owner == taker.id]
    assert await holdings(factory.database) == {(story.client.id, taker.id): len(owned)}
    assert len(owned) >= 12


@pytest.mark.parametrize("dry_run", [True, False])
async def test_r16_every_reason_is_told_once_with_its_number_of_clients(factory: Factory, *, dry_run: bool) -> None:
    story = await Story.begin(factory)
    person, other, taker = await factory.members(story.partner, 3)
    only, also, locked, handing, fine = await factory.clients(story.partner, 5)
    for client in (only, also):
        await factory.super_admin(client, person)
    await factory.partner_admin(locked, person)
    await factory.grant(locked, other)
    for client in (handing, fine):
        await factory.grant(client, person)
    await own(factory.database, person, handing, "a")
    asked: dict[str, Any] = {"reassign": [{"to": node_id(taker)}], "options": {"dryRun": dry_run}}
    token = await review(story, person)
    await factory.grant(story.client, person)
    payload = await remove(story, person, reviewToken=token, **asked)
    assert payload["member"]["status"] == "ACTIVE"
    assert payload["operation"]["counts"]["applied"] == 0
    told = {error["code"]: error for error in payload["userErrors"]}
    assert len(told) == len(payload["userErrors"])
    assert {code: (error["field"], error["message"].partition(" cannot ")[0]) for code, error in told.items()} == {
        "LAST_SUPER_ADMIN": (["input", "member"], "2 clients"),
        "WOULD_LOCK_OUT": (["input", "options", "acceptLockout"], "One client"),
        "CONFLICT": (["input", "reassign"], "One client"),
        "STALE_REVIEW": (["input", "reviewToken"], "One client"),
    }
    assert "lastSuperAdminClients" in told["LAST_SUPER_ADMIN"]["message"]
    assert "by the same request" in told["CONFLICT"]["message"]


async def test_f38_who_has_more_access_than_one_review_is_about_loses_it_in_parts_first(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_removal, "MOST_GRANTS", 2)
    monkeypatch.setattr(removal_review, "MOST_GRANTS", 2)
    story = await Story.begin(factory)
    person, places = await factory.member(story.partner), await factory.clients(story.partner, 3)
    for client in places:
        await factory.grant(client, person)
    narrowed = """query($id: ID!, $clients: [ID!]) { node(id: $id) { ... on Member {
      removalReview(clients: $clients) { token } } } }"""
    data, _ = await story.run(narrowed, id=node_id(person), clients=[node_id(places[0])])
    part = data["node"]["removalReview"]["token"]
    for token in ({}, {"reviewToken": part}):
        refusal = await refused(story, person, **token)
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "member"])
        assert "removeAccess first" in refusal["message"]
    (told,) = await story.outcomes("removeAccess", targets=product([person], places[:1]), reviewToken=part)
    assert told.verdict == APPLIED
    assert [outcome.verdict for outcome in await gone(story, person)] == [APPLIED, APPLIED]


async def test_r6_removing_somebody_who_has_left_changes_nothing(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person)
    token = await review(story, person)
    first = await remove(story, person, reviewToken=token)
    before = await contents(factory.database)
    for again in ({"reviewToken": token}, {}):
        payload = await remove(story, person, **again)
        assert (payload["userErrors"], payload["operation"]) == ([], None)
        assert payload["member"] == first["member"]
    assert await contents(factory.database) == before


async def test_who_is_marked_as_left_but_still_has_access_loses_it(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner, status=MemberStatus.LEFT, manager_rights=ManagerRights.NONE)
    await factory.grant(story.client, person)
    assert [told.verdict for told in await gone(story, person)] == [("APPLIED", None)]


async def test_p02_a_dry_run_tells_the_same_and_writes_nothing(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, elsewhere = await factory.member(story.partner), await factory.client(story.partner)
    await factory.partner_admin(story.client, person)
    await factory.partner_admin(elsewhere, person)
    other = await factory.grant(elsewhere, await factory.member(story.partner))
    token, options = await review(story, person), {"dryRun": True}
    before = await contents(factory.database)
    payload = await remove(story, person, reviewToken=token, options=options)
    assert payload["userErrors"][0]["code"] == "WOULD_LOCK_OUT"
    assert payload["operation"]["dryRun"] is True
    verdicts = [node["code"] for node in payload["operation"]["outcomes"]["nodes"]]
    assert verdicts == ["ATOMIC_REJECTED", "WOULD_LOCK_OUT"]
    refusal = await refused(story, person, options=options)
    assert refusal["field"] == ["input", "reviewToken"]
    assert await contents(factory.database) == before
    await factory.move(other, GrantStatus.REMOVED)
    before = await contents(factory.database)
    payload = await remove(story, person, reviewToken=token, options=options)
    assert payload["userErrors"] == []
    assert (payload["operation"]["counts"]["applied"], payload["member"]["status"]) == (2, "ACTIVE")
    unused = await factory.member(story.partner)
    assert (await remove(story, unused, options=options))["operation"] is None
    assert (await row_of(factory.database, unused)).status == "ACTIVE"
    after = await contents(factory.database)
    assert {name for name, rows in after.items() if rows != before[name]} == {"member", "user"}


async def test_r22_a_retry_gets_the_first_answer(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, stuck = await factory.members(story.partner, 2)
    await factory.grant(story.client, person)
    await factory.super_admin(story.client, stuck)
    values = {"reviewToken": await review(story, person)}
    first = await remove(story, person, "a", **values)
    assert await remove(story, person, "a", **values) == first
    values = {"reviewToken": await review(story, stuck)}
    first = await remove(story, stuck, "b", **values)
    before = await contents(factory.database)
    assert await remove(story, stuck, "b", **values) == first
    assert first["userErrors"][0]["code"] == "LAST_SUPER_ADMIN"
    assert await contents(factory.database) == before


async def test_r14_nobody_removes_the_last_person_with_edit_themselves_included(factory: Factory) -> None:
    story = await Story.begin(factory)
    await factory.member(story.partner, manager_rights=ManagerRights.VIEW)
    refusal = await refused(story, story.actor, reviewToken=await review(story, story.actor))
    assert (refusal["code"], refusal["field"]) == ("LAST_EDITOR", ["input", "member"])
    assert "EDIT" in refusal["message"]
    await factory.member(story.partner)
    outcomes = await gone(story, story.actor)
    assert [told.verdict for told in outcomes] == [("APPLIED", None)]
    later = await story.as_member(story.actor)
    refusal = await refused(later, story.actor)
    assert refusal["code"] == "NOT_FOUND"


async def test_r14_of_two_who_remove_each_other_at_once_one_stays(factory: Factory) -> None:
    story = await Story.begin(factory)
    other = await factory.member(story.partner)
    await factory.grant(story.client, other)
    theirs = await story.as_member(other)
    tokens = [await review(story, person) for person in (other, story.actor)]
    answers = await asyncio.gather(
        remove(story, other, reviewToken=tokens[0]),
        remove(theirs, story.actor, reviewToken=tokens[1], options={"acceptLockout": True}),
    )
    codes = [[error["code"] for error in answer["userErrors"]] for answer in answers]
    assert sorted(codes) in ([[], ["FORBIDDEN"]], [[], ["LAST_EDITOR"]])
    statuses = [(await row_of(factory.database, person)).status for person in (story.actor, other)]
    assert sorted(statuses) == ["ACTIVE", "LEFT"]


async def test_n04_of_the_last_two_partner_admins_who_leave_at_once_one_is_held(factory: Factory) -> None:
    """A removal waits for the other and then counts who is left."""
    story = await Story.begin(factory)
    client = await factory.client(story.partner)
    await factory.grant(client, await factory.member(story.partner))
    people = await factory.members(story.partner, 2)
    for person in people:
        await factory.partner_admin(client, person)
    tokens = [await review(story, person) for person in people]
    answers = await asyncio.gather(
        *(remove(story, person, reviewToken=token) for person, token in zip(people, tokens, strict=True))
    )
    codes = sorted([error["code"] for error in answer["userErrors"]] for answer in answers)
    assert codes == [[], ["WOULD_LOCK_OUT"]]
    assert sorted([(await row_of(factory.database, person)).status for person in people]) == ["ACTIVE", "LEFT"]


async def test_r8_removed_twice_at_once_is_removed_once(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person)
    token, before = await review(story, person), await story.timeline_length()
    answers = await asyncio.gather(*(remove(story, person, reviewToken=token) for _ in range(2)))
    assert [answer["userErrors"] for answer in answers] == [[], []]
    assert sorted(answer["operation"] is None for answer in answers) == [False, True]
    assert await story.timeline_length() == before + 1


async def test_r8_a_removal_while_access_is_given_waits_and_needs_a_new_review(factory: Factory) -> None:
    """It does not hold the person while it waits for the new client: a change of the person there would wait for it in turn."""
    story = await Story.begin(factory)
    leaver, elsewhere = await factory.member(story.partner), await factory.client(story.partner)
    await factory.grant(elsewhere, leaver, {"contacts.view": "ALL"})
    token = await review(story, leaver)
    give = OperationRequest(
        kind=OperationKind.GRANT,
        targets=Product((leaver.id,), (story.client.id,)),
        access=FromPermissions((("contacts.view", PermissionLevel.ALL),)),
    )
    assert story.viewer is not None
    async with factory.database.write() as session:
        await run(session, story.viewer, give)
        leave = asyncio.create_task(remove(story, leaver, reviewToken=token))
        await asyncio.sleep(0.5)
        targets = product([leaver], [story.client])
        change = asyncio.create_task(story.outcomes("deactivateAccess", targets=targets))
        await asyncio.sleep(0.5)
    answer, told = await asyncio.gather(leave, change)
    assert [error["code"] for error in answer["userErrors"]] == ["STALE_REVIEW"]
    assert [outcome.verdict for outcome in told] == [APPLIED]
    assert [outcome.verdict for outcome in await gone(story, leaver)] == [APPLIED, APPLIED]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("times", [1, TRIES])
async def test_every_client_of_a_leaver_is_locked_however_often_one_more_comes(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Access, and a client to lead, that come while the clients are locked; the person is let go each time in between."""
    story = await Story.begin(factory)
    leaver, (first, *more) = await factory.member(story.partner), await factory.clients(story.partner, times + 1)
    unconcerned = await factory.client(story.partner)
    await factory.grant(first, leaver)
    coming = list(more)
    lock = locked_member._lock

    async def overtaken(connection: AsyncConnection, member_id: int | None) -> None:
        if coming:
            place = coming.pop()
            async with factory.database.write() as session:
                other = await session.connection()
                taken = select(members.c.id).where(members.c.id == leaver.id)
                await other.execute(taken.with_for_update(key_share=True, nowait=True))
                await other.execute(update(clients).where(clients.c.id == place.id).values(lead_id=leaver.id))
        await lock(connection, member_id)

    monkeypatch.setattr(locked_member, "_lock", overtaken)
    assert story.viewer is not None
    async with factory.database.write() as session, factory.database.write() as watching:
        found = await member_to_change(
            await session.connection(), story.viewer, leaver.id, demotes=True, with_clients=True
        )
        assert found.id == leaver.id
        assert coming == []
        free = select(clients.c.id).with_for_update(key_share=True, skip_locked=True)
        left = set((await (await watching.connection()).execute(free)).scalars())
    assert not left & {first.id, *(place.id for place in more)}
    assert left == ({unconcerned.id, story.client.id} if times < TRIES else set())


async def test_f02_t1_who_may_remove_whom(factory: Factory) -> None:
    """R3: a partner admin without EDIT does nothing; foreign, unknown and unreadable people look alike."""
    story = await Story.begin(factory)
    person, helper = (
        await factory.member(story.partner),
        await factory.member(story.partner, manager_rights=ManagerRights.VIEW),
    )
    await factory.partner_admin(story.client, helper)
    assert (await refused(await story.as_member(helper), person))["code"] == "FORBIDDEN"
    closed = await factory.member(story.partner, manager_rights=ManagerRights.NONE)
    assert (await refused(await story.as_member(closed), person))["code"] == "NOT_FOUND"
    assert (await refused(await story.as_member(closed), closed))["code"] == "FORBIDDEN"
    unfit = await factory.partner(program=PartnerProgram.NONE)
    theirs = await factory.member(unfit)
    assert (await refused(await story.as_member(theirs), theirs))["code"] == "NOT_A_PARTNER"
    foreign = await factory.member(await factory.partner())
    alike = [
        await refused(story, named)
        for named in (node_id(foreign), encode("Member", 10**12), "x" * 10_000, node_id(story.client))
    ]
    assert [(each["code"], each["field"]) for each in alike] == [("NOT_FOUND", ["input", "member"])] * 4
    assert len({each["message"] for each in alike}) == 1


async def test_only_a_super_admin_of_the_partner_removes_another(factory: Factory) -> None:
    story = await Story.begin(factory)
    owner, second = [await factory.member(story.partner, super_admin=True) for _ in range(2)]
    refusal = await refused(story, owner)
    assert (refusal["code"], refusal["field"]) == ("FORBIDDEN", ["input", "member"])
    await gone(await story.as_member(second), owner)
    assert (await row_of(factory.database, owner)).super_admin is False


async def test_r9_a_contractor_of_two_partners_keeps_the_others_grants_and_membership(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner, kind=MemberKind.CONTRACTOR)
    there = await factory.partner()
    same = await factory.member(there, user=person, kind=MemberKind.CONTRACTOR)
    theirs = await factory.client(there, account=story.client.account)
    await factory.grant(story.client, person)
    kept = await factory.partner_admin(theirs, same)
    await own(factory.database, same, theirs, "theirs")
    await lead(factory.database, theirs, same)
    before = await row_of(factory.database, same)
    assert [told.cell for told in await gone(story, person)] == [(node_id(person), node_id(story.client))]
    assert await row_of(factory.database, same) == before
    assert {grant.id for grant in await living_grants(factory.database)} >= {kept.id}
    assert await owners(factory.database) == {"theirs": (same.id, None)}
    assert await lead_of(factory.database, theirs) == same.id


async def test_after_leaving_and_coming_back_nothing_is_as_before(factory: Factory) -> None:
    """addMember begins anew: no access, no rights, no default set, no lead."""
    story = await Story.begin(factory)
    default = await factory.permission_set(story.partner, {"contacts.view": "ALL"})
    person = await factory.member(story.partner, default_permission_set_id=default.id)
    await factory.partner_admin(story.client, person)
    await lead(factory.database, story.client, person)
    await gone(story, person)
    query = f"""mutation($input: AddMemberInput!) {{ addMember(input: $input) {{
      {MEMBER} userErrors {{ code }} }} }}"""
    data, codes = await story.run(query, input={"email": person.email, "kind": "EMPLOYEE", "verified": True})
    assert codes == []
    assert data["addMember"] == {
        "member": {
            "id": node_id(person),
            "status": "ACTIVE",
            "managerRights": "NONE",
            "totalClients": 0,
            "defaultPermissionSet": None,
        },
        "userErrors": [],
    }
    assert {grant.member_id for grant in await living_grants(factory.database)} == {story.actor.id}
    assert await lead_of(factory.database, story.client) is None
    told = await story.grant(person, {"permissions": [{"permission": "contacts.view", "level": "ALL"}]})
    assert (told.verdict, told.grant["version"]) == (("APPLIED", None), 1)


async def test_r12_the_links_of_who_left_stay_and_are_suspended_until_they_are_back(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    link = "mutation($input: GetAccessLinkInput!) { getAccessLink(input: $input) { userErrors { code } accessLink { id state } } }"
    data, codes = await story.run(link, input={"member": node_id(person)})
    assert codes == []
    made = data["getAccessLink"]["accessLink"]
    assert made["state"] == "LIVE"
    await gone(story, person)
    state = "query($id: ID!) { node(id: $id) { ... on AccessLink { state } } }"
    data, _ = await story.run(state, id=made["id"])
    assert data["node"]["state"] == "SUSPENDED"
    back = "mutation($input: AddMemberInput!) { addMember(input: $input) { userErrors { code } } }"
    await story.run(back, input={"email": person.email, "kind": "EMPLOYEE", "verified": True})
    data, _ = await story.run(state, id=made["id"])
    assert data["node"]["state"] == "LIVE"


async def test_a_reason_that_cannot_be_stored_is_refused(factory: Factory) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    for reason in ("x" * 1_001, "a\x00b"):
        refusal = await refused(story, person, options={"reason": reason})
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["input", "options", "reason"])


async def spread(story: Story, person: MemberRow, places: Sequence[ClientRow]) -> None:
    """Gives a person and the actor, who leads the clients, access in many of them at once, and the person a deal in each."""
    shared = {
        "partner_id": story.partner.id,
        "status": GrantStatus.ACTIVE,
        "access_type": AccessType.STANDARD,
        "seat": Seat.PARTNER,
        "state_id": await story.factory.state({"contacts.view": "ALL"}),
        "ended": 0,
        "customised": False,
        "version": 1,
        "since": MOMENT,
    }
    cells = [(client, holder) for client in places for holder in (person, story.actor)]
    held = [
        {"client_id": client.id, "account_id": client.account_id, "member_id": holder.id, "user_id": holder.user_id}
        for client, holder in cells
    ]
    deal = {"partner_id": story.partner.id, "kind": AssetKind.DEAL, "external_id": "deal", "name": "Deal"}
    owned = {"member_id": person.id, "kind": AssetKind.DEAL, "total": 1, "version": 1}
    async with story.database.write() as session:
        connection = await session.connection()
        first = cell_key(10**6 + person.id, 0)
        await connection.execute(insert(grants), [{**shared, **row, "id": first + n} for n, row in enumerate(held)])
        deals = [{**deal, "client_id": client.id, "owner_id": person.id, "recorded_at": MOMENT} for client in places]
        await connection.execute(insert(assets), deals)
        await connection.execute(insert(asset_holdings), [{**owned, "client_id": client.id} for client in places])
        ours = clients.c.id.in_([client.id for client in places])
        await connection.execute(update(clients).where(ours).values(lead_id=story.actor.id, active_people=2))
        counted = update(members).where(members.c.id == person.id)
        await connection.execute(counted.values(active_clients=len(places)))


async def test_a_person_of_a_thousand_clients_leaves_with_as_many_statements_as_of_two(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """R8, F39: review and removal, each in one request; all that the person owns goes to the clients' lead."""
    story = await Story.begin(factory)

    async def counted(count: int) -> tuple[int, int]:
        person = await factory.member(story.partner)
        places = await factory.clients(story.partner, count)
        await spread(story, person, places)
        with recorder:
            token = await review(story, person)
        reading = recorder.count
        with recorder:
            payload = await remove(story, person, reviewToken=token, reassign=[{"toLead": True}])
        assert payload["userErrors"] == []
        assert payload["operation"]["counts"]["applied"] == count
        assert payload["member"]["totalClients"] == 0
        taken = await holdings(factory.database)
        assert {(client.id, story.actor.id) for client in places} <= set(taken)
        assert person.id not in {member_id for _, member_id in taken}
        return reading, recorder.count

    # What is read once for the life of the process is read by the first.
    await counted(2)
    assert await counted(1_000) == await counted(2)
