"""The end of access: how long it lasts at most, how it is extended, and what it becomes (P04, P05, R10, F37, F42)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from models.expiry import expiry_holds
from models.grant import grants
from models.member import MemberKind, members
from models.operation import OperationKind, operations
from resolvers import direct_operation
from resolvers.direct_operation import DirectOperation
from resolvers.expiry import end
from resolvers.expiry.end import end_due
from resolvers.operation.queue import QueueLimits
from resolvers.partner_admin import AdmittingClient, Newcomer, admit_people
from schema.node import encode
from tests.api.asset_story import asset, record
from tests.api.caller import Caller
from tests.api.counters import assert_counters_are_true
from tests.api.matrix_story import apply, entry, verdicts
from tests.api.write_story import APPLIED, NO_CHANGE, Story, Told, node_id, permissions, product
from tests.factory import ClientRow, Factory, MemberRow
from tests.histories.clock import Clock
from tests.statement_recorder import StatementRecorder

VIEW = permissions({"contacts.view": "ALL"})
RULE = """mutation($input: SetExpiryRuleInput!) { setExpiryRule(input: $input) {
  userErrors { code field } partner { expiryRule { longestDays action remindDays } } } }"""
LIMIT = """mutation($input: SetAccessLimitInput!) { setAccessLimit(input: $input) {
  userErrors { code field } partner { longestDays } account { id } } }"""
ACCESS_LIMIT = (
    "query($id: ID!) { node(id: $id) { ... on Client { accessLimit { days byPartner byClient latestEnd } } } }"
)
HOLD = "query($id: ID!) { node(id: $id) { ... on Grant { status expiryHold { code message at } } } }"
EXPIRING = """query($filter: GrantFilter) { partner { expiringGrants(filter: $filter) {
  totalCount nodes { id expiresAt member { id } expiryHold { code message } } } } }"""
ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is decided the same way whatever the database is."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.rule_over(monkeypatch)
    return made


def after(clock: Clock, days: int) -> str:
    return (clock.moment + timedelta(days=days)).isoformat().replace("+00:00", "Z")


async def begin(factory: Factory) -> tuple[Story, MemberRow]:
    """An agency with somebody without access."""
    story = await Story.begin(factory)
    return story, await factory.member(story.partner)


async def rule(story: Story, **values: Any) -> Any:
    """What a super admin of the partner account has decided then."""
    boss = await story.as_member(await story.factory.member(story.partner, super_admin=True))
    data, codes = await boss.run(RULE, input=values)
    assert codes == []
    assert data["setExpiryRule"]["userErrors"] == []
    return data["setExpiryRule"]["partner"]["expiryRule"]


async def limit(story: Story, client: ClientRow, days: int | None) -> None:
    """What the client's own super admin decides."""
    user = await story.factory.user()
    await story.factory.own_person(client, user)
    office = await Caller.signed_in(story.factory, user)
    query = "query($by: AccountKey!) { account(by: $by) { id partners { id } } }"
    account = (await office.data(query, by={"hubId": str(client.hub_id)}))["account"]
    values = {"account": account["id"], "partner": account["partners"][0]["id"], "longestDays": days}
    answer = (await office.data(LIMIT, input=values))["setAccessLimit"]
    assert (answer["userErrors"], answer["partner"]) == ([], {"longestDays": days})


async def extend(story: Story, person: MemberRow, until: str | None) -> Told:
    (told,) = await story.outcomes("extendAccess", targets=product([person], [story.client]), expiresAt=until)
    return told


async def status_of(story: Story, person: MemberRow) -> tuple[str, datetime | None]:
    statement = select(grants.c.status, grants.c.expires_at).where(grants.c.member_id == person.id)
    async with story.database.read() as connection:
        row = (await connection.execute(statement.order_by(grants.c.id.desc()).limit(1))).one()
    return row.status, row.expires_at


@ON_ONE
async def test_p04_a_rule_is_a_super_admins_and_says_what_holds(factory: Factory, clock: Clock) -> None:
    story, _ = await begin(factory)
    assert await rule(story) == {"longestDays": None, "action": "DEACTIVATE", "remindDays": [14, 3]}
    made = await rule(story, longestDays=30, action="REMOVE", remindDays=[1, 7, 7])
    assert made == {"longestDays": 30, "action": "REMOVE", "remindDays": [7, 1]}
    assert (await rule(story, longestDays=None))["longestDays"] is None
    for wrong, code in (
        ({"longestDays": 0}, "INVALID_INPUT"),
        ({"remindDays": [91]}, "INVALID_INPUT"),
        ({}, "FORBIDDEN"),
    ):
        data, _ = await story.run(RULE, input=wrong)
        assert [error["code"] for error in data["setExpiryRule"]["userErrors"]] == [code]


@ON_ONE
async def test_p04_who_decided_a_limit_last_and_when_is_told(factory: Factory, clock: Clock) -> None:
    """To the agency its own rule's, to the client its own limit's."""
    story, _ = await begin(factory)
    query = "query { partner { expiryRule { setAt setBy { id } } } }"
    data, _ = await story.run(query)
    assert data["partner"]["expiryRule"] == {"setAt": None, "setBy": None}
    for days in (30, 20):
        clock.wait(1)
        boss = await factory.member(story.partner, super_admin=True)
        await (await story.as_member(boss)).run(RULE, input={"longestDays": days})
    data, _ = await story.run(query)
    assert data["partner"]["expiryRule"] == {"setAt": after(clock, 0), "setBy": {"id": encode("User", boss.user_id)}}
    user = await factory.user()
    await factory.own_person(story.client, user)
    office = await Caller.signed_in(factory, user)
    query = "query($id: ID!) { account(by: {id: $id}) { partners { id longestDaysAt longestDaysBy } } }"
    key = encode("Account", story.client.account_id)
    (agency,) = (await office.data(query, id=key))["account"]["partners"]
    assert (agency["longestDaysAt"], agency["longestDaysBy"]) == (None, None)
    for limit_ in (90, None):
        clock.wait(1)
        await office.data(LIMIT, input={"account": key, "partner": agency["id"], "longestDays": limit_})
    (agency,) = (await office.data(query, id=key))["account"]["partners"]
    assert (agency["longestDaysAt"], agency["longestDaysBy"]) == (after(clock, 0), user.email)


async def test_p04_access_without_an_expiry_lasts_as_long_as_it_may_and_says_so(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    await rule(story, longestDays=90)
    await limit(story, story.client, 30)
    data, _ = await story.run(ACCESS_LIMIT, id=node_id(story.client))
    latest = after(clock, 30)
    assert data["node"]["accessLimit"] == {"days": 30, "byPartner": 90, "byClient": 30, "latestEnd": latest}
    preview = await story.grant(person, VIEW, options={"dryRun": True})
    assert preview.verdict == ("APPLIED", "EXPIRY_SET")
    told = await story.grant(person, VIEW)
    assert (told.verdict, told.grant["expiresAt"]) == (("APPLIED", "EXPIRY_SET"), latest)
    # What is there keeps its end, whatever else changes.
    clock.wait(1)
    told = await story.change(person, permissions({"contacts.view": "ALL", "deals.view": "ALL"}))
    assert (told.verdict, told.grant["expiresAt"]) == (APPLIED, latest)
    query = "query($id: ID!) { node(id: $id) { ... on Client { timeline { nodes { before { expiresAt } after { expiresAt } } } } } }"
    data, _ = await story.run(query, id=node_id(story.client))
    ends = [
        (entry["before"] and entry["before"]["expiresAt"], entry["after"]["expiresAt"])
        for entry in data["node"]["timeline"]["nodes"][:2]
    ]
    assert ends == [(latest, latest), (None, latest)]


@ON_ONE
async def test_p04_a_later_expiry_than_is_allowed_is_refused(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    old = await factory.member(story.partner)
    await story.grant(old, VIEW)
    await rule(story, longestDays=30)
    elsewhere = await factory.client(await factory.partner())
    for until in (after(clock, 31), None):
        told = (
            await story.change(old, expiresAt=until)
            if until
            else await story.grant(person, VIEW, expiresAt=after(clock, 31))
        )
        assert told.verdict == ("REJECTED", "EXPIRY_TOO_LATE")
        assert "accessLimit" in told.node["message"]
    assert (await story.grant(person, VIEW, expiresAt=after(clock, 30))).verdict == APPLIED
    assert (await story.change(person, expiresAt=None)).verdict == ("REJECTED", "EXPIRY_TOO_LATE")
    assert (await story.change(old, expiresAt=None)).verdict == NO_CHANGE
    assert (await story.change(old, expiresAt=after(clock, 30))).verdict == APPLIED
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).where(grants.c.client_id == elsewhere.id)) == 0


@ON_ONE
async def test_p04_whoever_a_client_lets_in_stays_as_long_as_that_is_allowed(factory: Factory, clock: Clock) -> None:
    """By an access link; the client is the authority, and the limit is its own or the agency's."""
    story, person = await begin(factory)
    await limit(story, story.client, 30)
    async with story.database.write() as session:
        connection = await session.connection()
        operation = DirectOperation(story.partner.id, OperationKind.GRANT, clock.moment)
        client = AdmittingClient(story.client.id, story.client.account_id, None)
        await admit_people(connection, operation, [client], [Newcomer(person.id, person.user_id)])
    assert await status_of(story, person) == ("ACTIVE", clock.moment + timedelta(days=30))


@ON_ONE
async def test_p05_extending_is_under_the_rule_and_shortens_nothing(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    await rule(story, longestDays=30)
    await story.grant(person, VIEW, expiresAt=after(clock, 10))
    assert (await extend(story, person, after(clock, 5))).verdict == NO_CHANGE
    assert (await extend(story, person, after(clock, 31))).verdict == ("REJECTED", "EXPIRY_TOO_LATE")
    told = await extend(story, person, after(clock, 30))
    assert (told.verdict, told.grant["expiresAt"]) == (APPLIED, after(clock, 30))
    assert (await extend(story, await factory.member(story.partner), after(clock, 5))).verdict == (
        "REJECTED",
        "NOT_FOUND",
    )
    reduced = await Story.begin(factory, {"deals.view": "ALL"})
    other = await factory.member(reduced.partner)
    await factory.grant(reduced.client, other, {"contacts.view": "ALL"}, expires_at=clock.moment + timedelta(days=2))
    assert (await extend(reduced, other, after(clock, 5))).verdict == ("REJECTED", "EXCEEDS_AUTHORITY")
    (refusal,) = await story.refusals(
        "extendAccess", targets=product([person], [story.client]), expiresAt=after(clock, -1)
    )
    assert refusal["field"] == ["input", "expiresAt"]


@ON_ONE
async def test_p05_f09_nobody_becomes_partner_admin_again_who_is_not_verified_any_more(
    factory: Factory, clock: Clock
) -> None:
    """By extending, once their access has expired; until then it is theirs."""
    story, _ = await begin(factory)
    first, second = await factory.members(story.partner, 2)
    for person, days in ((first, 2), (second, 9)):
        await factory.partner_admin(story.client, person, expires_at=clock.moment + timedelta(days=days))
    async with story.database.write() as session:
        lost = update(members).where(members.c.id.in_([first.id, second.id])).values(verified=False)
        await (await session.connection()).execute(lost)
    clock.wait(3)
    assert (await extend(story, first, after(clock, 30))).verdict == ("REJECTED", "NOT_VERIFIED")
    assert (await extend(story, second, after(clock, 30))).verdict == APPLIED


async def test_p04_r10_expired_access_is_deactivated_then_extended_and_reactivated(
    factory: Factory, clock: Clock
) -> None:
    story, person = await begin(factory)
    await story.grant(person, VIEW, expiresAt=after(clock, 10))
    targets = product([person], [story.client])
    clock.wait(10)
    assert await end_due(story.database) == 1
    assert (await status_of(story, person))[0] == "DEACTIVATED"
    assert await end_due(story.database) == 0
    async with story.database.read() as connection:
        made = (await connection.execute(select(operations).order_by(operations.c.id.desc()).limit(1))).one()
    assert (made.kind, made.state, made.requested_by_id, made.applied) == ("EXPIRE", "COMPLETED", None, 1)
    (told,) = await story.outcomes("reactivateAccess", targets=targets)
    assert told.verdict == ("REJECTED", "EXPIRED")
    told = await extend(story, person, after(clock, 5))
    assert (told.verdict, told.grant["status"]) == (APPLIED, "DEACTIVATED")
    (told,) = await story.outcomes("reactivateAccess", targets=targets)
    assert (told.verdict, told.grant["status"]) == (APPLIED, "ACTIVE")
    await assert_counters_are_true(story.database)


async def test_p04_f37_access_is_removed_where_the_partner_says_so_and_always_a_contractors(
    factory: Factory, clock: Clock
) -> None:
    """In one operation of the partner's, with all that belongs to a removal; what has been deactivated before stays."""
    story, person = await begin(factory)
    idle = await factory.member(story.partner)
    contractor = await factory.member(story.partner, kind=MemberKind.CONTRACTOR)
    other = await Story.begin(factory)
    lucky = await factory.member(other.partner)
    for member in (person, idle, contractor):
        await story.grant(member, VIEW, expiresAt=after(clock, 10))
    await other.grant(lucky, VIEW, expiresAt=after(clock, 10))
    await story.outcomes("deactivateAccess", targets=product([idle], [story.client]))
    await record(story, [asset(story.client, contractor, "1")])
    clock.wait(11)
    assert await end_due(story.database) == 2
    found = [(await status_of(story, member))[0] for member in (person, idle, contractor, lucky)]
    assert found == ["DEACTIVATED", "DEACTIVATED", "REMOVED", "DEACTIVATED"]
    late = await factory.member(story.partner)
    await story.grant(late, VIEW, expiresAt=after(clock, 1))
    await rule(story, action="REMOVE")
    assert await end_due(story.database) == 0
    clock.wait(1)
    assert await end_due(story.database) == 1
    found = [(await status_of(story, member))[0] for member in (person, idle, late, lucky)]
    assert found == ["DEACTIVATED", "DEACTIVATED", "REMOVED", "DEACTIVATED"]
    assert await end_due(story.database) == 0
    await assert_counters_are_true(story.database)


async def test_p04_f42_an_accounts_last_super_admin_stays_with_the_reason(factory: Factory, clock: Clock) -> None:
    """Once, and until there is another one."""
    story, person = await begin(factory)
    grant = await factory.super_admin(story.client, person, expires_at=clock.moment + timedelta(days=1))
    clock.wait(2)
    assert [await end_due(story.database) for _ in range(2)] == [1, 0]
    data, _ = await story.run(HOLD, id=node_id(grant))
    assert (data["node"]["status"], data["node"]["expiryHold"]["code"]) == ("ACTIVE", "LAST_SUPER_ADMIN")
    data, _ = await story.run(EXPIRING, filter={"expiresBefore": after(clock, 0)})
    assert [node["id"] for node in data["partner"]["expiringGrants"]["nodes"]] == [node_id(grant)]
    await factory.own_person(story.client, await factory.user())
    assert [await end_due(story.database) for _ in range(2)] == [1, 0]
    data, _ = await story.run(HOLD, id=node_id(grant))
    assert data["node"] == {"status": "DEACTIVATED", "expiryHold": None}
    async with story.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(expiry_holds)) == 0


@ON_ONE
async def test_p04_n04_the_last_partner_admins_access_ends_all_the_same(factory: Factory, clock: Clock) -> None:
    story = await Story.begin(factory, held={"expires_at": clock.moment + timedelta(days=1)})
    await factory.grant(story.client, await factory.member(story.partner))
    clock.wait(2)
    assert await end_due(story.database) == 1
    assert (await status_of(story, story.actor))[0] == "DEACTIVATED"


async def test_p04_a_grant_that_cannot_be_ended_keeps_no_other(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, person = await begin(factory)
    others = await factory.members(story.partner, 2)
    for member in (person, *others):
        await story.grant(member, VIEW, expiresAt=after(clock, 1))
    clock.wait(2)
    write = direct_operation.write_directly

    async def failing(connection: Any, operation: Any, cells: Any) -> Any:
        if any(cell.member_id == person.id for cell in cells):
            raise ValueError("a row that nobody foresaw")
        return await write(connection, operation, cells)

    with monkeypatch.context() as patch:
        patch.setattr(end, "write_directly", failing)
        assert [await end_due(story.database) for _ in range(2)] == [2, 0]
    assert [(await status_of(story, member))[0] for member in (person, *others)] == [
        "ACTIVE",
        "DEACTIVATED",
        "DEACTIVATED",
    ]
    data, _ = await story.run(EXPIRING, filter={"expiresBefore": after(clock, 0)})
    held = [node["expiryHold"] for node in data["partner"]["expiringGrants"]["nodes"] if node["expiryHold"]]
    assert [hold["code"] for hold in held] == ["INTERNAL_ERROR"]
    assert "tries again after a day" in held[0]["message"]
    clock.wait(1)
    assert await end_due(story.database) == 1
    assert (await status_of(story, person))[0] == "DEACTIVATED"


@ON_ONE
async def test_p04_ending_takes_as_many_statements_for_sixty_grants_as_for_two(factory: Factory, clock: Clock) -> None:
    story, _ = await begin(factory)
    counts = []
    for size in (1, 2, 60):
        targets = product(await factory.members(story.partner, size), [story.client])
        await story.outcomes("grantAccess", targets=targets, access=VIEW, expiresAt=after(clock, 1))
        clock.wait(2)
        with StatementRecorder(story.database) as recorder:
            assert await end_due(story.database) == 1
        counts.append(recorder.count)
    # The first one writes down what the permissions are.
    assert counts[1] == counts[2]


@ON_ONE
async def test_p04_looking_for_what_is_due_reads_nothing_that_has_ended(factory: Factory, clock: Clock) -> None:
    """However much history there is: SQLite says that it goes by the index of what is ACTIVE."""
    looks: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        looks.append((statement, parameters))

    engine = factory.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await end_due(factory.database)
    event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = (look for look in looks if look[0].startswith("SELECT"))
    async with factory.database.read() as connection:
        steps = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
        index = "SELECT sql FROM sqlite_master WHERE name = 'ix_grant_expires_at'"
        assert "status = 'ACTIVE'" in str((await connection.exec_driver_sql(index)).scalar())
    assert any("grant USING INDEX ix_grant_expires_at (expires_at<?)" in step.detail for step in steps)


@ON_ONE
async def test_p05_what_ends_until_a_date_is_listed_with_the_earliest_first(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    second, forever = await factory.members(story.partner, 2)
    await story.grant(second, VIEW, expiresAt=after(clock, 20))
    await story.grant(person, VIEW, expiresAt=after(clock, 10))
    await story.grant(forever, VIEW)
    data, _ = await story.run(EXPIRING)
    assert [node["member"]["id"] for node in data["partner"]["expiringGrants"]["nodes"]] == [
        node_id(person),
        node_id(second),
    ]
    data, _ = await story.run(EXPIRING, filter={"expiresBefore": after(clock, 15)})
    assert data["partner"]["expiringGrants"]["totalCount"] == 1
    query = "query($id: ID!, $filter: GrantFilter) { node(id: $id) { ... on Client { grants(filter: $filter) { totalCount } } } }"
    data, _ = await story.run(query, id=node_id(story.client), filter={"expiresBefore": after(clock, 15)})
    assert data["node"]["grants"]["totalCount"] == 1


@ON_ONE
async def test_p04_what_is_queued_keeps_to_the_limit_of_when_it_is_carried_out(factory: Factory, clock: Clock) -> None:
    story, person = await begin(factory)
    queued = replace(story, limits=QueueLimits(queue_above=0))
    await rule(story, longestDays=30)
    told = await queued.grant(person, VIEW)
    assert (told.verdict, told.grant["expiresAt"]) == (("APPLIED", "EXPIRY_SET"), after(clock, 30))


async def test_p28_p04_never_in_a_matrix_is_as_long_as_it_is_allowed_and_applying_it_again_changes_nothing(
    factory: Factory, clock: Clock
) -> None:
    story, person = await begin(factory)
    old, new = await factory.members(story.partner, 2)
    assert (await story.grant(old, VIEW)).verdict == APPLIED
    await rule(story, longestDays=30)
    matrix = [entry(person, story.client, "Marketing"), entry(new, story.client, "Sales", expiresAt=after(clock, 31))]
    assert verdicts(await apply(story, matrix)) == [("APPLIED", "EXPIRY_SET"), ("REJECTED", "EXPIRY_TOO_LATE")]
    assert (await status_of(story, person))[1] == clock.moment + timedelta(days=30)
    clock.wait(1)
    never = entry(person, story.client, "Marketing", neverExpires=True)
    assert verdicts(await apply(story, [never])) == [NO_CHANGE]
    changed = [entry(whom, story.client, "Sales") for whom in (person, old)]
    assert verdicts(await apply(story, changed)) == [APPLIED, APPLIED]
    assert (await status_of(story, person))[1] == clock.moment + timedelta(days=29)
    assert (await status_of(story, old))[1] is None
