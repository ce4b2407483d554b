"""Clients ranked by access, beside money and activity (N10)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from models.activity import last_activities
from models.database import Database
from models.grant import GrantStatus
from schema.node import encode
from tests.api.caller import Caller
from tests.factory import MOMENT, ClientRow, Factory, MemberRow, PartnerRow
from tests.statement_recorder import StatementRecorder

MONEY = "{ amount currency }"
ROW = f"""{{ client {{ id displayName }} people superAdmins partnerAdmins standard elevated deactivated weight lastActiveAt
  managedMrr {MONEY} soldMrr {MONEY} managedMrrPerWeight {MONEY} }}"""
ARGUMENTS = (
    "search: $search, filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before"
)
RANKING = f"""query($partner: ID, $search: String, $filter: AccessAgainstMoneyFilter, $orderBy: AccessAgainstMoneyOrder, $first: Int,
  $after: String, $last: Int, $before: String) {{
  partner(id: $partner) {{ accessAgainstMoney({ARGUMENTS}) {{
    totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {ROW} }} }} }}"""


class Agency:
    """Four clients: a Crowd that pays little, a Fortress that pays well, an Idle one that pays nothing, and one in Dollars."""

    def __init__(self, factory: Factory, partner: PartnerRow, viewer: MemberRow, places: dict[str, ClientRow]) -> None:
        self.factory, self.partner, self.viewer, self.places = factory, partner, viewer, places
        self.caller: Caller

    async def ranking(self, **arguments: Any) -> Any:
        page = (await self.caller.data(RANKING, **arguments))["partner"]["accessAgainstMoney"]
        if arguments.keys() <= {"search", "filter", "orderBy"}:
            assert page["totalCount"] == len(page["nodes"])
        return page

    async def names(self, **arguments: Any) -> list[str]:
        return [row["client"]["displayName"] for row in (await self.ranking(**arguments))["nodes"]]


@pytest.fixture
async def agency(factory: Factory, database: Database) -> Agency:
    partner = await factory.partner()
    people = await factory.members(partner, 5)
    places = {
        name: await factory.client(
            partner, name, managed_mrr=None if amount is None else Decimal(amount), currency=amount and currency
        )
        for name, amount, currency in (
            ("Crowd", "10", "EUR"),
            ("Fortress", "1000", "EUR"),
            ("Idle", None, "EUR"),
            ("Dollar", "500", "USD"),
            ("Empty", "20", "EUR"),
        )
    }
    for person in people:
        await factory.grant(places["Crowd"], person)
    await factory.super_admin(places["Fortress"], people[0])
    await factory.partner_admin(places["Fortress"], people[1])
    await factory.partner_admin(places["Idle"], people[0])
    await factory.grant(places["Idle"], people[1])
    await factory.super_admin(places["Idle"], people[2], status=GrantStatus.DEACTIVATED)
    await factory.grant(places["Dollar"], people[0])
    async with database.write() as session:
        rows = [
            {"client_id": places[name].id, "member_id": person.id, "partner_id": partner.id, "at": MOMENT - ago}
            for name, person, ago in (
                ("Crowd", people[0], timedelta(days=90)),
                ("Crowd", people[1], timedelta(days=60)),
                ("Fortress", people[0], timedelta(days=1)),
                ("Dollar", people[0], timedelta(days=30)),
            )
        ]
        await (await session.connection()).execute(insert(last_activities), rows)
    made = Agency(factory, partner, people[0], places)
    made.caller = await Caller.signed_in(factory, people[0])
    return made


async def test_n10_people_by_access_type_with_their_weight_money_and_activity(agency: Agency) -> None:
    rows = {row["client"]["displayName"]: row for row in (await agency.ranking())["nodes"]}
    fortress = rows["Fortress"]
    assert fortress == {
        "client": {"id": encode("Client", agency.places["Fortress"].id), "displayName": "Fortress"},
        "people": 2,
        "superAdmins": 1,
        "partnerAdmins": 1,
        "standard": 0,
        "elevated": 2,
        "deactivated": 0,
        "weight": 8,
        "lastActiveAt": (MOMENT - timedelta(days=1)).isoformat().replace("+00:00", "Z"),
        "managedMrr": {"amount": "1000", "currency": "EUR"},
        "soldMrr": None,
        "managedMrrPerWeight": {"amount": "125", "currency": "EUR"},
    }
    idle = rows["Idle"]
    assert [idle[name] for name in ("people", "superAdmins", "partnerAdmins", "standard", "deactivated", "weight")] == [
        *(2, 0, 1, 1, 1, 4)
    ]
    assert [idle[name] for name in ("lastActiveAt", "managedMrr", "managedMrrPerWeight")] == [None] * 3
    assert (rows["Empty"]["weight"], rows["Empty"]["managedMrrPerWeight"]) == (0, None)
    assert rows["Crowd"]["lastActiveAt"].startswith("2026-09-02")


async def test_n10_much_access_and_no_money_or_nobody_active_comes_first(agency: Agency) -> None:
    assert await agency.names() == ["Fortress", "Crowd", "Idle", "Dollar", "Empty"]

    async def ranked(by: str, direction: str = "DESC", **filter_: Any) -> list[str]:
        return await agency.names(orderBy={"field": by, "direction": direction}, filter=filter_)

    assert await ranked("ELEVATED") == ["Fortress", "Idle", "Empty", "Dollar", "Crowd"]
    assert await ranked("PEOPLE") == ["Crowd", "Idle", "Fortress", "Dollar", "Empty"]
    assert await ranked("LAST_ACTIVE", "ASC") == ["Idle", "Empty", "Crowd", "Dollar", "Fortress"]
    assert await ranked("MANAGED_MRR", "ASC", currency="EUR") == ["Idle", "Crowd", "Empty", "Fortress"]
    assert await ranked("MANAGED_MRR_PER_WEIGHT", "ASC", currency="EUR") == ["Idle", "Crowd", "Fortress", "Empty"]
    assert await agency.names(filter={"clients": {"hasManagedMrr": False}}) == ["Idle"]
    assert await agency.names(filter={"inactiveSince": (MOMENT - timedelta(days=40)).isoformat()}) == [
        *("Crowd", "Idle", "Empty")
    ]
    assert await agency.names(filter={"elevated": True}) == ["Fortress", "Idle"]
    assert await agency.names(filter={"elevated": False, "currency": "EUR"}) == ["Crowd", "Empty"]
    assert await agency.names(search="DOL") == ["Dollar"]


async def test_n10_amounts_of_different_currencies_are_never_compared(agency: Agency) -> None:
    for field in ("MANAGED_MRR", "MANAGED_MRR_PER_WEIGHT"):
        order = {"field": field}
        assert await agency.caller.code(RANKING, orderBy=order) == "BAD_INPUT"
        assert await agency.caller.code(RANKING, orderBy=order, filter={"elevated": True}) == "BAD_INPUT"
        assert await agency.names(orderBy=order, filter={"currency": "USD"}) == ["Dollar", "Idle"]
    for wrong in ("euro", "eur", "", "XXX"):
        assert await agency.caller.code(RANKING, filter={"currency": wrong}) == "BAD_INPUT"


@pytest.mark.parametrize(
    "field", ["WEIGHT", "ELEVATED", "PEOPLE", "LAST_ACTIVE", "MANAGED_MRR", "MANAGED_MRR_PER_WEIGHT"]
)
async def test_t4_each_order_is_paged_both_ways(agency: Agency, field: str) -> None:
    """Equal values too: three more clients without anybody, that pay the same."""
    await agency.factory.clients(agency.partner, 3, managed_mrr=Decimal(20))
    asked = {"orderBy": {"field": field}, "filter": {"currency": "EUR"}}
    everything = await agency.names(**asked)
    assert len(set(everything)) == 7
    pages = [await agency.ranking(first=2, **asked)]
    while pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(await agency.ranking(first=2, after=pages[-1]["pageInfo"]["endCursor"], **asked))
    assert [row["client"]["displayName"] for page in pages for row in page["nodes"]] == everything
    back = [await agency.ranking(last=4, **asked)]
    while back[-1]["pageInfo"]["hasPreviousPage"]:
        back.append(await agency.ranking(last=4, before=back[-1]["pageInfo"]["startCursor"], **asked))
    assert [row["client"]["displayName"] for page in reversed(back) for row in page["nodes"]] == everything


async def test_f02_t1_only_with_the_manager_and_t3_of_ones_own_people(
    agency: Agency, recorder: StatementRecorder
) -> None:
    factory, crowd = agency.factory, agency.places["Crowd"]
    closed = await Caller.signed_in(factory, await factory.member(agency.partner, manager_rights="NONE"))
    assert await closed.code(RANKING) == "FORBIDDEN"
    other = await factory.partner()
    theirs = await factory.client(other, account=crowd.account, managed_mrr=Decimal(1))
    boss = await factory.member(other)
    await factory.super_admin(theirs, boss)
    stranger = await Caller.signed_in(factory, boss)
    page = (await stranger.data(RANKING))["partner"]["accessAgainstMoney"]
    assert [(row["client"]["id"], row["weight"], row["lastActiveAt"]) for row in page["nodes"]] == [
        (encode("Client", theirs.id), 5, None)
    ]
    assert (await stranger.data(RANKING, partner=encode("Partner", agency.partner.id)))["partner"] is None
    rows = {row["client"]["displayName"]: row for row in (await agency.ranking())["nodes"]}
    assert (rows["Crowd"]["superAdmins"], rows["Crowd"]["weight"]) == (0, 5)
    counts = []
    for size in (1, 5):
        with recorder:
            await agency.ranking(first=size)
        counts.append(recorder.count)
    assert counts[0] == counts[1]
