"""What would happen if somebody left now: clients, assets, links, operations, leads, and who could take over (N03)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from models.access_link import access_links
from models.asset import AssetKind, asset_holdings
from models.client import clients
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.database import Database
from models.grant import AccessType, GrantStatus
from models.member import ManagerRights, MemberStatus
from models.operation import OperationKind, OperationState, operations
from models.partner import PartnerProgram
from models.table import now
from tests.api.caller import Caller
from tests.api.write_story import Story, contents, node_id
from tests.factory import ClientRow, Factory, MemberRow
from tests.life_factory import LifeFactory
from tests.statement_recorder import StatementRecorder

PAST, FUTURE = timedelta(days=-1), timedelta(days=1)
CLIENTS = """{ totalCount nodes {
  client { id } grant { id member { id } } consequence assets { kind total } suggestedSuccessor { id } } }"""
REPORT = f"""query($id: ID!) {{ node(id: $id) {{ ... on Member {{ leaverReport {{
  canLeave lastEditor accessLinks confirmationLinks assets {{ kind total }}
  clients(first: 100) {CLIENTS}
  clientsWithoutPartnerAdmin(first: 100) {CLIENTS}
  clientsWithOnePartnerAdmin(first: 100) {CLIENTS}
  lastSuperAdminClients(first: 100) {CLIENTS}
  leads {{ totalCount nodes {{ id }} }}
  operations {{ totalCount nodes {{ id state }} }}
}} }} }} }}"""


async def report(story: Story, person: MemberRow) -> Any:
    data, codes = await story.run(REPORT, id=node_id(person))
    assert codes == []
    return data["node"]["leaverReport"]


def at_client(told: Mapping[str, Any], client: ClientRow, field: str = "clients") -> Any:
    """What the report says of one client."""
    assert told[field]["totalCount"] == len(told[field]["nodes"])
    (found,) = [node for node in told[field]["nodes"] if node["client"]["id"] == node_id(client)]
    return found


def named(told: Mapping[str, Any], field: str) -> list[str]:
    """The clients of a list of the report."""
    assert told[field]["totalCount"] == len(told[field]["nodes"])
    return [node["client"]["id"] for node in told[field]["nodes"]]


async def add(database: Database, table: Any, *rows: Mapping[str, Any]) -> list[int]:
    async with database.write() as session:
        connection = await session.connection()
        return [
            (await connection.execute(insert(table).values(**row).returning(*table.primary_key))).one()[0]
            for row in rows
        ]


async def own(database: Database, person: MemberRow, client: ClientRow, **totals: int) -> None:
    """What the person owns in the client, by kind."""
    rows = [
        {"client_id": client.id, "member_id": person.id, "kind": AssetKind(kind), "total": total, "version": 1}
        for kind, total in totals.items()
    ]
    await add(database, asset_holdings, *rows)


async def lead(database: Database, client: ClientRow, person: MemberRow | None) -> None:
    async with database.write() as session:
        values = {"lead_id": person and person.id}
        await (await session.connection()).execute(update(clients).where(clients.c.id == client.id).values(values))


async def test_n03_the_last_partner_admin_leaves_people_behind_and_it_is_said(factory: Factory) -> None:
    story = await Story.begin(factory)
    await factory.grant(story.client, await factory.member(story.partner), {"contacts.view": "ALL"})
    told = await report(story, story.actor)
    assert at_client(told, story.client)["consequence"] == "NO_PARTNER_ADMIN_LEFT"
    assert named(told, "clientsWithoutPartnerAdmin") == [node_id(story.client)]
    assert (named(told, "clientsWithOnePartnerAdmin"), named(told, "lastSuperAdminClients")) == ([], [])
    assert (told["canLeave"], told["lastEditor"]) == (False, False)
    assert at_client(told, story.client)["grant"]["member"]["id"] == node_id(story.actor)


@pytest.mark.parametrize(
    ("others", "consequence"),
    [
        ([], "NONE"),
        ([{}], "ONE_PARTNER_ADMIN_LEFT"),
        ([{}, {}], "NONE"),
        ([{}, {"status": GrantStatus.DEACTIVATED}], "ONE_PARTNER_ADMIN_LEFT"),
        ([{"status": GrantStatus.DEACTIVATED}], "NO_PARTNER_ADMIN_LEFT"),
        ([{"status": GrantStatus.REMOVED}], "NONE"),
        ([{"expires": PAST}], "NO_PARTNER_ADMIN_LEFT"),
        ([{"expires": FUTURE}], "ONE_PARTNER_ADMIN_LEFT"),
        ([{"member": MemberStatus.DEACTIVATED}], "NO_PARTNER_ADMIN_LEFT"),
        ([{"member": MemberStatus.DEACTIVATED}, {}], "ONE_PARTNER_ADMIN_LEFT"),
        ([{"type": AccessType.SUPER_ADMIN}], "NO_PARTNER_ADMIN_LEFT"),
        ([{"type": AccessType.STANDARD, "status": GrantStatus.DEACTIVATED}], "NO_PARTNER_ADMIN_LEFT"),
    ],
)
async def test_n03_only_active_unexpired_partner_admins_who_work_for_the_partner_count(
    factory: Factory, others: Sequence[Mapping[str, Any]], consequence: str
) -> None:
    """People count as long as their access is not removed, the deactivated too (F41)."""
    story = await Story.begin(factory)
    for other in others:
        person = await factory.member(story.partner, status=other.get("member", MemberStatus.ACTIVE))
        expires = {"expires_at": now() + other["expires"]} if "expires" in other else {}
        status = other.get("status", GrantStatus.ACTIVE)
        kind = other.get("type", AccessType.PARTNER_ADMIN)
        await factory.grant(story.client, person, access_type=kind, status=status, **expires)
    assert at_client(await report(story, story.actor), story.client)["consequence"] == consequence


async def test_n03_somebody_who_is_no_partner_admin_leaves_nothing_behind(factory: Factory) -> None:
    """That a client had no partner admin before is no consequence of this person's leaving."""
    story = await Story.begin(factory)
    elsewhere, person = await factory.client(story.partner), await factory.member(story.partner)
    for client in (story.client, elsewhere):
        await factory.grant(client, person, {"contacts.view": "ALL"})
    await factory.grant(elsewhere, await factory.member(story.partner))
    idle = await factory.client(story.partner)
    await factory.partner_admin(idle, person, status=GrantStatus.DEACTIVATED)
    await factory.grant(idle, await factory.member(story.partner))
    gone = await factory.client(story.partner)
    await factory.partner_admin(gone, person, status=GrantStatus.REMOVED)
    told = await report(story, person)
    assert {node["consequence"] for node in told["clients"]["nodes"]} == {"NONE"}
    assert named(told, "clients") == [node_id(client) for client in (story.client, elsewhere, idle)]
    assert told["canLeave"] is True


@pytest.mark.parametrize(
    ("other", "blocked"),
    [
        (None, True),
        ("own person", False),
        ("deactivated own person", True),
        ("another partner's person", False),
        ("expired", True),
    ],
)
async def test_n03_the_last_super_admin_of_an_account_blocks_the_clients_own_people_counted(
    factory: Factory, other: str | None, *, blocked: bool
) -> None:
    """M2, R11: whoever is deactivated or expired counts for nothing."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner, manager_rights=ManagerRights.NONE)
    await factory.super_admin(story.client, person)
    if other in {"own person", "deactivated own person"}:
        grant = await factory.own_person(story.client, await factory.user())
        if other != "own person":
            await factory.move(grant, GrantStatus.DEACTIVATED)
    elif other == "another partner's person":
        theirs = await factory.partner()
        client = await factory.client(theirs, account=story.client.account)
        await factory.super_admin(client, await factory.member(theirs))
    elif other == "expired":
        await factory.super_admin(story.client, await factory.member(story.partner), expires_at=now() + PAST)
    told = await report(story, person)
    assert named(told, "lastSuperAdminClients") == ([node_id(story.client)] if blocked else [])
    assert at_client(told, story.client)["consequence"] == ("LAST_SUPER_ADMIN" if blocked else "NONE")
    assert told["canLeave"] is not blocked


async def test_n03_a_super_admin_who_is_deactivated_or_expired_blocks_nothing(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, elsewhere = await factory.member(story.partner), await factory.client(story.partner)
    await factory.super_admin(story.client, person, status=GrantStatus.DEACTIVATED)
    await factory.super_admin(elsewhere, person, expires_at=now() + PAST)
    told = await report(story, person)
    assert [node["consequence"] for node in told["clients"]["nodes"]] == ["NONE", "NONE"]
    assert told["canLeave"] is True


async def test_n03_what_the_person_owns_is_told_by_client_and_overall(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, elsewhere = await factory.member(story.partner), await factory.client(story.partner)
    for client in (story.client, elsewhere):
        await factory.grant(client, person)
    await own(factory.database, person, story.client, DEAL=3, WORKFLOW=1, FORM=0)
    await own(factory.database, person, elsewhere, DEAL=4)
    await own(factory.database, story.actor, story.client, DEAL=100)
    told = await report(story, person)
    assert told["assets"] == [{"kind": "DEAL", "total": 7}, {"kind": "WORKFLOW", "total": 1}]
    here = at_client(told, story.client)["assets"]
    assert here == [{"kind": "DEAL", "total": 3}, {"kind": "WORKFLOW", "total": 1}]
    assert at_client(told, elsewhere)["assets"] == [{"kind": "DEAL", "total": 4}]


async def test_n03_living_links_open_operations_and_leads_are_told(factory: Factory) -> None:
    story = await Story.begin(factory)
    person, database = await factory.member(story.partner), factory.database
    link = {"partner_id": story.partner.id, "created_by_id": person.user_id, "nonce": "n", "created_at": now()}
    at = {"expires_at": now() + FUTURE}
    (gone, *_) = await add(
        database,
        access_links,
        {**link, **at, "member_id": person.id, "token_hash": "a", "revoked_at": now()},
        {**link, **at, "member_id": person.id, "token_hash": "b", "reference": "living"},
        {**link, "member_id": person.id, "token_hash": "c", "reference": "late", "expires_at": now() + PAST},
        {**link, **at, "member_id": story.actor.id, "token_hash": "d", "reference": "another's"},
    )
    async with database.write() as session:
        await (await session.connection()).execute(
            update(access_links).where(access_links.c.id == gone).values(ended=gone)
        )
    for_client = {**link, "client_id": story.client.id}
    keys = await add(
        database,
        confirmation_links,
        {**for_client, **at, "token_hash": "e"},
        {**for_client, **at, "token_hash": "f", "answer": "APPROVED"},
        {**for_client, **at, "token_hash": "g", "revoked_at": now()},
        {**for_client, "token_hash": "h", "expires_at": now() + PAST},
        {**for_client, **at, "token_hash": "i"},
    )
    names = [{"link_id": key, "member_id": person.id} for key in keys[:4]]
    await add(database, confirmation_link_members, *names, {"link_id": keys[4], "member_id": story.actor.id})
    asked = {"partner_id": story.partner.id, "kind": OperationKind.GRANT, "requested_by_id": person.user_id}
    other_partner = {**asked, "partner_id": (await factory.partner()).id}
    states = [OperationState.QUEUED, OperationState.COMPLETED, OperationState.RUNNING]
    await add(
        database,
        operations,
        *({**asked, "state": state, "created_at": now()} for state in states),
        {**other_partner, "state": OperationState.QUEUED, "created_at": now()},
    )
    led = await factory.client(story.partner)
    await lead(database, led, person)
    told = await report(story, person)
    assert (told["accessLinks"], told["confirmationLinks"]) == (1, 1)
    assert [node["state"] for node in told["operations"]["nodes"]] == ["RUNNING", "QUEUED"]
    assert told["operations"]["totalCount"] == 2
    assert told["leads"] == {"totalCount": 1, "nodes": [{"id": node_id(led)}]}
    others = await report(story, story.actor)
    assert (others["accessLinks"], others["confirmationLinks"], others["leads"]["totalCount"]) == (1, 1, 0)


@pytest.mark.parametrize("owner", ["unverified", "deactivated", "eligible"])
async def test_r12_links_that_nobody_could_approve_are_not_counted(
    factory: Factory, life_factory: LifeFactory, owner: str
) -> None:
    story = await Story.begin(factory)
    status = MemberStatus.DEACTIVATED if owner == "deactivated" else MemberStatus.ACTIVE
    person = await factory.member(story.partner, verified=owner != "unverified", status=status)
    await life_factory.access_link(person, created_at=now(), expires_at=now() + FUTURE)
    told = await report(story, person)
    assert told["accessLinks"] == (1 if owner == "eligible" else 0)


async def test_r14_the_last_editor_cannot_leave(factory: Factory) -> None:
    """A deactivated person, one without EDIT and one of another partner are no other editors; a super admin is."""
    story = await Story.begin(factory)
    await factory.member(story.partner, manager_rights=ManagerRights.VIEW)
    await factory.member(story.partner, status=MemberStatus.DEACTIVATED)
    await factory.member(await factory.partner())
    told = await report(story, story.actor)
    assert (told["lastEditor"], told["canLeave"]) == (True, False)
    owner = await factory.member(story.partner, manager_rights=ManagerRights.NONE, super_admin=True)
    for person in (story.actor, owner):
        told = await report(story, person)
        assert (told["lastEditor"], told["canLeave"]) == (False, True)


async def suggested(story: Story, person: MemberRow) -> str | None:
    found = at_client(await report(story, person), story.client)["suggestedSuccessor"]
    return None if found is None else found["id"]


async def test_n03_the_successor_is_a_partner_admin_then_whoever_has_the_most_then_the_lead(factory: Factory) -> None:
    """Each candidate goes in turn, and the next best is suggested; the leaver never is."""
    story = await Story.begin(factory)
    person, day = story.actor, timedelta(days=1)
    boss = await factory.member(story.partner, "Lead Person")
    await lead(factory.database, story.client, boss)
    much = {"contacts.view": "ALL", "deals.view": "ALL"}
    late = await factory.member(story.partner)
    ladder = [
        await factory.partner_admin(story.client, await factory.member(story.partner), since=now() - 2 * day),
        await factory.partner_admin(story.client, late, since=now() - day),
        await factory.grant(story.client, await factory.member(story.partner), much, since=now() - 2 * day),
        await factory.grant(story.client, await factory.member(story.partner), much, since=now() - day),
        await factory.grant(
            story.client, await factory.member(story.partner), {"contacts.view": "ALL"}, since=now() - 9 * day
        ),
    ]
    for kind, values in (
        ({"verified": False}, {}),
        ({"status": MemberStatus.DEACTIVATED}, {}),
        ({}, {"status": GrantStatus.DEACTIVATED}),
        ({}, {"expires_at": now() - day}),
    ):
        nobody = await factory.member(story.partner, **kind)
        await factory.grant(story.client, nobody, {"contacts.view": "ALL", "tickets.view": "ALL"}, **values)
    found = []
    for grant in ladder:
        found.append(await suggested(story, person))
        await factory.move(grant, GrantStatus.REMOVED)
    holders = [grant.member_id for grant in ladder]
    assert found == [node_id(MemberRow(key or 0, 0, 0, "")) for key in holders]
    assert await suggested(story, person) == node_id(boss)
    for other in (
        person,
        await factory.member(story.partner, verified=False),
        await factory.member(story.partner, status=MemberStatus.DEACTIVATED),
        None,
    ):
        await lead(factory.database, story.client, other)
        assert await suggested(story, person) is None


async def test_n03_the_lists_are_pages_and_can_be_narrowed_to_consequences(factory: Factory) -> None:
    story = await Story.begin(factory)
    places = [story.client, *await factory.clients(story.partner, 4)]
    other = await factory.member(story.partner)
    for client in places[1:]:
        await story.admin(client)
    for client in places[:3]:
        await factory.grant(client, other)
    await factory.partner_admin(places[4], other)
    query = """query($id: ID!, $told: [LeaverConsequence!], $after: String) { node(id: $id) { ... on Member { leaverReport {
      clients(consequences: $told, first: 2, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } nodes { client { id } } } } } } }"""

    async def page(told: list[str] | None, after: str | None = None) -> Any:
        data, codes = await story.run(query, id=node_id(story.actor), told=told, after=after)
        assert codes == []
        return data["node"]["leaverReport"]["clients"]

    first = await page(["NO_PARTNER_ADMIN_LEFT"])
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    second = await page(["NO_PARTNER_ADMIN_LEFT"], first["pageInfo"]["endCursor"])
    assert second["pageInfo"]["hasNextPage"] is False
    assert named_in(first) + named_in(second) == [node_id(client) for client in places[:3]]
    both = await page(["ONE_PARTNER_ADMIN_LEFT", "NONE"])
    assert (both["totalCount"], named_in(both)) == (2, [node_id(places[3]), node_id(places[4])])
    assert (await page([]))["totalCount"] == 0
    assert (await page(None))["totalCount"] == 5


def named_in(page: Mapping[str, Any]) -> list[str]:
    return [node["client"]["id"] for node in page["nodes"]]


async def test_n03_a_report_changes_nothing_and_one_of_somebody_who_left_is_empty(factory: Factory) -> None:
    story = await Story.begin(factory)
    gone = await factory.member(story.partner, status=MemberStatus.LEFT)
    await factory.partner_admin(story.client, gone, status=GrantStatus.REMOVED)
    before = await contents(factory.database)
    told = await report(story, gone)
    assert await contents(factory.database) == before
    assert (told["canLeave"], told["clients"]["totalCount"], told["assets"]) == (True, 0, [])


async def test_f02_t1_only_who_sees_the_manager_reads_it(factory: Factory) -> None:
    """VIEW is enough; without it one's own report is FORBIDDEN, and a foreign person is nobody."""
    story = await Story.begin(factory)
    looker = await story.as_member(await factory.member(story.partner, manager_rights=ManagerRights.VIEW))
    assert named(await report(looker, story.actor), "clients") == [node_id(story.client)]
    outside = await factory.member(story.partner, manager_rights=ManagerRights.NONE)
    _, codes = await (await story.as_member(outside)).run(REPORT, id=node_id(outside))
    assert codes == ["FORBIDDEN"]
    unfit = await factory.partner(program=PartnerProgram.NONE)
    theirs = await factory.member(unfit)
    _, codes = await (await story.as_member(theirs)).run(REPORT, id=node_id(theirs))
    assert codes == ["NOT_A_PARTNER"]
    foreign = await story.as_member(await factory.member(await factory.partner()))
    data, codes = await foreign.run(REPORT, id=node_id(story.actor))
    assert (data["node"], codes) == (None, [])


async def test_t1_r9_another_partners_clients_assets_and_people_are_not_told(factory: Factory) -> None:
    """The same user works for two partners: each report is about one of them."""
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    there = await factory.partner()
    same, theirs = await factory.member(there, user=person), await factory.client(there, account=story.client.account)
    await factory.grant(story.client, person)
    await factory.partner_admin(theirs, same)
    await factory.partner_admin(theirs, await factory.member(there))
    await own(factory.database, same, theirs, DEAL=5)
    await lead(factory.database, theirs, same)
    caller = await Caller.signed_in(factory, story.actor)
    told = (await caller.data(REPORT, id=node_id(person)))["node"]["leaverReport"]
    assert named(told, "clients") == [node_id(story.client)]
    assert (told["assets"], told["leads"]["totalCount"]) == ([], 0)
    assert at_client(told, story.client)["suggestedSuccessor"] == {"id": node_id(story.actor)}


async def test_t3_many_clients_and_people_need_as_many_statements_as_two(
    factory: Factory, recorder: StatementRecorder
) -> None:
    story = await Story.begin(factory)
    people = [story.actor, await factory.member(story.partner)]
    await factory.partner_admin(story.client, people[1])
    query = f"""query {{ partner {{ members(first: 100) {{ nodes {{ leaverReport {{
      canLeave lastEditor accessLinks confirmationLinks assets {{ kind total }}
      clients(first: 100) {CLIENTS} clientsWithoutPartnerAdmin {CLIENTS}
      leads {{ totalCount nodes {{ id }} }} operations {{ totalCount nodes {{ id }} }} }} }} }} }} }}"""

    async def counted() -> tuple[int, int]:
        with recorder:
            data, codes = await story.run(query)
        assert codes == []
        nodes = data["partner"]["members"]["nodes"]
        return recorder.count, sum(len(node["leaverReport"]["clients"]["nodes"]) for node in nodes)

    async def more(helper: MemberRow, count: int) -> None:
        for client in await factory.clients(story.partner, count):
            await story.admin(client)
            await factory.grant(client, helper, {"contacts.view": "ALL"})
            await own(factory.database, story.actor, client, DEAL=1)
            await lead(factory.database, client, story.actor)

    await more(people[1], 1)
    few = await counted()
    assert few[1] == 4
    others = await factory.members(story.partner, 20)
    await more(others[0], 40)
    many = await counted()
    assert many == (few[0], 84)
