"""Managed revenue at a glance: totals by currency, by lead person, and the clients without any (F56, P21)."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import QueuePool

from models.database import Database
from schema.loader import Loader
from schema.node import encode
from tests.api.caller import Caller
from tests.factory import Factory
from tests.statement_recorder import StatementRecorder

REVENUE = """totalClients clientsWithManagedMrr clientsWithoutManagedMrr
  totals { currency clientsWithManagedMrr managed { amount currency } sold { amount currency } }"""
OVERVIEW = f"""query($first: Int, $after: String) {{ partner {{ managedMrr {{
  {REVENUE}
  withoutManagedMrr {{ totalCount nodes {{ displayName }} }}
  byLead(first: $first, after: $after) {{
    totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ lead {{ user {{ name }} }} {REVENUE} }}
  }}
  withoutLead {{ lead {{ id }} {REVENUE} }}
}} }} }}"""
OF_PARTNER = "query($id: ID!) { partner(id: $id) { managedMrr { totalClients } } }"


async def overview(caller: Caller, **arguments: Any) -> Any:
    return (await caller.data(OVERVIEW, **arguments))["partner"]["managedMrr"]


def totals(revenue: Any) -> dict[str, tuple[str, str, int]]:
    for total in revenue["totals"]:
        assert {total["managed"]["currency"], total["sold"]["currency"]} == {total["currency"]}
    return {
        total["currency"]: (total["managed"]["amount"], total["sold"]["amount"], total["clientsWithManagedMrr"])
        for total in revenue["totals"]
    }


def clients(revenue: Any) -> tuple[int, int, int]:
    return revenue["totalClients"], revenue["clientsWithManagedMrr"], revenue["clientsWithoutManagedMrr"]


async def test_f56_totals_are_exact_by_currency_and_by_lead(factory: Factory) -> None:
    partner = await factory.partner()
    ada, ben = await factory.member(partner, "Ada Zorn"), await factory.member(partner, "Ben Abel")
    for amount, sold, currency, lead in (
        ("0.1", "1000.0001", "EUR", ada.id),
        ("0.2", None, "EUR", ada.id),
        ("900000000000.0003", "5", "EUR", None),
        ("12.5", None, "USD", ada.id),
        ("7", "8", "USD", ben.id),
        ("0", "9", "GBP", ben.id),
        (None, None, None, None),
    ):
        await factory.client(
            partner,
            managed_mrr=None if amount is None else Decimal(amount),
            sold_mrr=None if sold is None else Decimal(sold),
            currency=currency,
            lead_id=lead,
        )
    await factory.client(await factory.partner(), managed_mrr=Decimal(10**6), currency="EUR")
    caller = await Caller.signed_in(factory, ada)
    found = await overview(caller)
    assert clients(found) == (7, 5, 2)
    # The sum of floats would be 900000000000.3004.
    assert totals(found) == {
        "EUR": ("900000000000.3003", "1005.0001", 3),
        "GBP": ("0", "9", 0),
        "USD": ("19.5", "8", 2),
    }
    assert [total["currency"] for total in found["totals"]] == ["EUR", "GBP", "USD"]
    assert found["withoutManagedMrr"]["totalCount"] == len(found["withoutManagedMrr"]["nodes"]) == 2
    by_lead = found["byLead"]
    assert [node["lead"]["user"]["name"] for node in by_lead["nodes"]] == ["Ada Zorn", "Ben Abel"]
    assert by_lead["totalCount"] == 2
    assert [totals(node) for node in by_lead["nodes"]] == [
        {"EUR": ("0.3", "1000.0001", 2), "USD": ("12.5", "0", 1)},
        {"GBP": ("0", "9", 0), "USD": ("7", "8", 1)},
    ]
    assert [clients(node) for node in by_lead["nodes"]] == [(3, 3, 0), (2, 1, 1)]
    rest = found["withoutLead"]
    assert (rest["lead"], clients(rest)) == (None, (2, 1, 1))
    assert totals(rest) == {"EUR": ("900000000000.0003", "5", 1)}


async def test_f56_without_clients_there_is_nothing_to_add_up(factory: Factory) -> None:
    caller = await Caller.signed_in(factory, await factory.member(await factory.partner()))
    found = await overview(caller)
    assert (clients(found), found["totals"]) == ((0, 0, 0), [])
    assert (found["byLead"]["totalCount"], found["byLead"]["nodes"]) == (0, [])
    assert clients(found["withoutLead"]) == (0, 0, 0)


async def test_t3_leads_are_read_page_by_page_with_as_many_statements_for_each(
    factory: Factory, recorder: StatementRecorder
) -> None:
    partner = await factory.partner()
    names = [f"Person {letter}" for letter in "ABCDE"]
    for number, name in enumerate(names, 1):
        lead = await factory.member(partner, name)
        await factory.clients(partner, number, lead_id=lead.id)
    caller = await Caller.signed_in(factory, await factory.member(partner))
    counts, shown, after = [], [], None
    for size in (1, 3, 3):
        with recorder:
            page = (await overview(caller, first=size, after=after))["byLead"]
        counts.append(recorder.count)
        shown += [(node["lead"]["user"]["name"], node["totalClients"]) for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert len(set(counts)) == 1
    assert shown == [(name, number) for number, name in enumerate(names, 1)]
    assert not page["pageInfo"]["hasNextPage"]


async def test_t3_nothing_reads_any_more_when_a_failed_query_is_answered(factory: Factory, database: Database) -> None:
    partner = await factory.partner()
    await factory.clients(partner, 2, lead_id=(await factory.member(partner)).id)
    caller = await Caller.signed_in(factory, await factory.member(partner))
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    await caller.data(OVERVIEW)
    for _ in range(3):
        # The other fields have begun to read when this one fails, and takes the answer with it.
        assert await caller.code(OVERVIEW, after="x") == "BAD_CURSOR"
        assert pool.checkedout() == 0


async def test_t3_nothing_reads_any_more_when_a_query_is_given_up(
    factory: Factory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a client goes away, or completes what it has asked over a WebSocket."""
    partner = await factory.partner()
    caller = await Caller.signed_in(factory, await factory.member(partner))
    reads: list[str] = []
    in_a_wave, plain = asyncio.Event(), Loader.run

    async def slow(loader: Loader) -> None:
        reads.append(f"{loader.name} begins")
        if "Clients" in loader.name:
            in_a_wave.set()
        await asyncio.sleep(0.05)
        await plain(loader)
        reads.append(f"{loader.name} ends")

    monkeypatch.setattr(Loader, "run", slow)
    asked = asyncio.ensure_future(caller.data(OVERVIEW))
    await in_a_wave.wait()
    await asyncio.sleep(0.01)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    told = list(reads)
    assert sum(read.endswith("begins") for read in told) == sum(read.endswith("ends") for read in told) > 0
    await asyncio.sleep(0.2)
    assert reads == told


async def test_f02_t1_only_with_the_manager_and_of_ones_own_partner(factory: Factory) -> None:
    partner = await factory.partner()
    client = await factory.client(partner, managed_mrr=Decimal(5))
    closed = await Caller.signed_in(factory, await factory.member(partner, manager_rights="NONE"))
    assert await closed.code(OVERVIEW) == "FORBIDDEN"
    stranger = await factory.partner()
    await factory.client(stranger, account=client.account, managed_mrr=Decimal(7))
    caller = await Caller.signed_in(factory, await factory.member(stranger))
    assert (await caller.data(OF_PARTNER, id=encode("Partner", partner.id)))["partner"] is None
    found = await overview(caller)
    assert totals(found) == {"EUR": ("7", "0", 1)}
