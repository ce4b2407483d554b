"""Importing clients: each row gets a result, good rows are taken, and nobody learns of another partner."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from models.account import accounts
from models.client import clients
from models.database import Database
from resolvers.client_import import import_clients
from resolvers.csv_table import CsvTableError
from resolvers.import_result import ImportResult, ImportStatus
from tests.factory import Factory, PartnerRow
from tests.statement_recorder import StatementRecorder

HEADER = "hub_id,official_name,display_name,domain,account_type,managed_mrr,currency\n"
CREATED, UPDATED, UNCHANGED, REJECTED = ImportStatus


@pytest.fixture
async def partner(factory: Factory) -> PartnerRow:
    return await factory.partner()


async def load(database: Database, partner: PartnerRow, *rows: str) -> ImportResult:
    return await import_clients(database, partner.id, HEADER + "".join(f"{row}\n" for row in rows))


def statuses(result: ImportResult) -> list[ImportStatus]:
    return [row.status for row in result.rows]


async def stored(database: Database, partner: PartnerRow) -> list[dict[str, Any]]:
    joined = select(
        clients, accounts.c.hub_id, accounts.c.official_name, accounts.c.domain, accounts.c.account_type
    ).join(accounts, accounts.c.id == clients.c.account_id)
    async with database.read() as connection:
        rows = await connection.execute(joined.where(clients.c.partner_id == partner.id).order_by(accounts.c.hub_id))
        return [dict(row._mapping) for row in rows]


async def test_a_row_becomes_an_account_and_the_partners_client(database: Database, partner: PartnerRow) -> None:
    result = await load(database, partner, "1000001,Ágora Ltd,Agora (retainer),AGORA.example,sandbox,1234.50,EUR")
    assert statuses(result) == [CREATED]
    (client,) = await stored(database, partner)
    assert result.rows[0].key == client["id"]
    assert (client["hub_id"], client["official_name"], client["domain"]) == (1000001, "Ágora Ltd", "agora.example")
    assert (client["account_type"], client["managed_mrr"], client["currency"]) == ("SANDBOX", Decimal("1234.50"), "EUR")
    assert client["sort_name"] == "agora (retainer)"
    assert client["search_text"].split("\n") == ["agora (retainer)", "agora ltd", "agora.example", "1000001"]


async def test_importing_the_same_file_twice_changes_nothing_and_writes_nothing(
    database: Database, partner: PartnerRow, recorder: StatementRecorder
) -> None:
    rows = [f"{1000001 + number},Client {number},,c{number}.example,,{number}.25,USD" for number in range(30)]
    await load(database, partner, *rows)
    before = await stored(database, partner)
    with recorder:
        again = await load(database, partner, *rows)
    assert set(statuses(again)) == {UNCHANGED}
    assert await stored(database, partner) == before
    assert not [text for text in recorder.statements if not text.lstrip().upper().startswith("SELECT")]


async def test_the_number_of_statements_does_not_grow_with_the_rows(
    database: Database, partner: PartnerRow, recorder: StatementRecorder
) -> None:
    counts = []
    for first, number in ((1, 10), (2000, 1000)):
        with recorder:
            result = await load(database, partner, *(f"{first + index},Client,,,,1,EUR" for index in range(number)))
        assert statuses(result) == [CREATED] * number
        counts.append(recorder.count)
    assert counts[0] == counts[1]


async def test_a_changed_row_is_updated(database: Database, partner: PartnerRow) -> None:
    await load(database, partner, "1,One,Shown,one.example,,10,EUR", "2,Two,,,,,")
    result = await load(database, partner, "1,One,Other,one.example,,11.5,EUR", "2,Two,,,,,")
    assert statuses(result) == [UPDATED, UNCHANGED]
    client = (await stored(database, partner))[0]
    assert (client["display_name"], client["managed_mrr"], client["sort_name"]) == ("Other", Decimal("11.5"), "other")
    assert "shown" not in client["search_text"]
    emptied = await load(database, partner, "1,One,,one.example,,,")
    assert statuses(emptied) == [UPDATED]
    client = (await stored(database, partner))[0]
    assert (client["display_name"], client["managed_mrr"], client["currency"], client["sort_name"]) == (
        None,
        None,
        None,
        "one",
    )


async def test_official_data_follows_the_partner_that_brought_the_account_in(
    database: Database, partner: PartnerRow, factory: Factory
) -> None:
    """T1, F20: another partner's file links the account, keeps its own names and learns nothing."""
    other = await factory.partner()
    await load(database, partner, "1,First name,,first.example,STANDARD,,")
    foreign = await load(database, other, "1,Wrong name,Theirs,wrong.example,SANDBOX,5,EUR")
    new = await load(database, other, "2,Wrong name,Theirs,wrong.example,SANDBOX,5,EUR")
    assert (statuses(foreign), foreign.rows[0].message) == (statuses(new), new.rows[0].message)
    theirs = (await stored(database, other))[0]
    assert (theirs["official_name"], theirs["domain"], theirs["account_type"]) == (
        "First name",
        "first.example",
        "STANDARD",
    )
    assert (theirs["display_name"], theirs["managed_mrr"]) == ("Theirs", Decimal(5))
    assert "wrong" not in theirs["search_text"]
    assert statuses(await load(database, other, "1,Wrong name,Theirs,wrong.example,SANDBOX,5,EUR")) == [UNCHANGED]

    assert statuses(await load(database, partner, "1,Éclair,,new.example,,,")) == [UPDATED]
    mine, theirs = (await stored(database, partner))[0], (await stored(database, other))[0]
    assert (mine["sort_name"], theirs["sort_name"]) == ("eclair", "theirs")
    assert "eclair" in theirs["search_text"]
    assert "first" not in theirs["search_text"]
    assert mine["account_type"] == "STANDARD"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (",Name,,,,,", "hub_id: it is empty"),
        ("12a,Name,,,,,", "hub_id"),
        ("0,Name,,,,,", "hub_id"),
        ("-5,Name,,,,,", "hub_id"),
        ("١٢,Name,,,,,", "hub_id"),
        ("1.0E+06,Name,,,,,", "hub_id"),
        ("9999999999999999,Name,,,,,", "hub_id"),
        ("7,,,,,,", "official_name is empty"),
        (f"7,{'x' * 201},,,,,", "official_name is longer"),
        ("7,Name,,https://x.example/a,,,", "domain"),
        ("7,Name,,localhost,,,", "domain"),
        ("7,Name,,,NORMAL,,", "STANDARD, SANDBOX, DEVELOPER_TEST, APP_DEVELOPER"),
        ('7,Name,,,,"1.234,50",EUR', "managed_mrr: “1.234,50”"),
        ('7,Name,,,,"1,234.50",EUR', "managed_mrr"),
        ("7,Name,,,,$100,USD", "managed_mrr: “$100”"),
        ("7,Name,,,,-1,USD", "managed_mrr"),
        ("7,Name,,,,1e3,USD", "managed_mrr"),
        ("7,Name,,,,NaN,USD", "managed_mrr"),
        ("7,Name,,,,1.00005,USD", "at most four decimals"),
        ("7,Name,,,,1234567890123,USD", "managed_mrr"),
        ("7,Name,,,,100,", "currency: it is empty, but there is an amount"),
        ("7,Name,,,,100,usd", "three capital letters"),
        ("7,Name,,,,100,XQX", "three capital letters"),
        ("7,Name", "2 cells"),
    ],
)
async def test_a_wrong_value_is_named_by_line_and_column_and_the_rest_is_taken(
    database: Database, partner: PartnerRow, row: str, told: str
) -> None:
    result = await load(database, partner, "1,Good,,,,,", row, "2,Good too,,,,,")
    assert statuses(result) == [CREATED, REJECTED, CREATED]
    assert (result.rejected[0].line, result.rejected[0].key) == (3, None)
    assert told in (result.rejected[0].message or "")
    assert [client["hub_id"] for client in await stored(database, partner)] == [1, 2]


async def test_the_second_row_of_a_hub_id_is_rejected_and_names_the_first(
    database: Database, partner: PartnerRow
) -> None:
    result = await load(database, partner, "5,First,,,,,", "", "0005,Second,,,,,")
    assert statuses(result) == [CREATED, REJECTED]
    assert result.rejected[0].line == 4
    assert "line 2" in (result.rejected[0].message or "")
    assert (await stored(database, partner))[0]["official_name"] == "First"


async def test_amounts_are_exact(database: Database, partner: PartnerRow) -> None:
    await load(database, partner, "1,A,,,,0.1,EUR", "2,A,,,,999999999999.9999,JPY", "3,A,,,,0,EUR")
    amounts = [client["managed_mrr"] for client in await stored(database, partner)]
    assert amounts == [Decimal("0.1"), Decimal("999999999999.9999"), Decimal(0)]


async def test_the_currency_of_a_sold_amount_stays(database: Database, partner: PartnerRow, factory: Factory) -> None:
    account = await factory.account("Sold", hub_id=9)
    await factory.client(partner, account=account, managed_mrr=None, sold_mrr=Decimal(3), currency="EUR")
    result = await load(database, partner, "9,Sold,,,,5,USD")
    assert statuses(result) == [REJECTED]
    assert "EUR" in (result.rejected[0].message or "")
    assert statuses(await load(database, partner, "9,Sold,Shown,,,,")) == [UPDATED]
    assert (await stored(database, partner))[0]["currency"] == "EUR"


@pytest.mark.parametrize("source", [b"", b"\xff\xfea\0", b"PK\x03\x04", b"hub_id,name\n1,2\n", b"hub_id\n1\n"])
async def test_a_file_that_cannot_be_read_changes_nothing(
    database: Database, partner: PartnerRow, source: bytes
) -> None:
    with pytest.raises(CsvTableError):
        await import_clients(database, partner.id, source)
    assert await stored(database, partner) == []


async def test_text_that_is_not_utf_8_far_down_takes_nothing(database: Database, partner: PartnerRow) -> None:
    good = "".join(f"{number},Client {number},,,,,\n" for number in range(1, 500))
    with pytest.raises(CsvTableError, match="Line 501"):
        await import_clients(database, partner.id, (HEADER + good).encode() + "501,Café,,,,,\n".encode("latin-1"))
    assert await stored(database, partner) == []


async def test_progress_counts_the_rows(database: Database, partner: PartnerRow) -> None:
    told: list[tuple[int, int]] = []
    text = HEADER + "".join(f"{number},Client,,,,,\n" for number in range(1, 2_502))
    await import_clients(database, partner.id, text, lambda done, total: told.append((done, total)))
    assert told == [(2_000, 2_501), (2_501, 2_501)]


async def test_two_imports_at_once_make_each_client_once(
    database: Database, partner: PartnerRow, factory: Factory
) -> None:
    import asyncio

    other = await factory.partner()
    text = HEADER + "".join(f"{number},Client {number},,,,,\n" for number in range(1, 200))
    results = await asyncio.gather(
        *(import_clients(database, who.id, text) for who in (partner, other, partner, other))
    )
    created = [result.count(CREATED) for result in results]
    assert sorted(created) == [0, 0, 199, 199]
    assert len(await stored(database, partner)) == len(await stored(database, other)) == 199


async def test_the_partners_own_account_is_no_client(database: Database, partner: PartnerRow) -> None:
    result = await load(database, partner, f"{partner.hub_id},Own,,,,,", "5,Other,,,,,")
    assert statuses(result) == [REJECTED, CREATED]
    assert "own account" in str(result.rejected[0].message)
