"""Importing who owns what: each row gets a result, good rows are taken, and holdings stay exact (F38)."""

import asyncio
import io

import pytest

from models.database import Database
from models.member import MemberStatus
from resolvers.asset_import import CHUNK, import_assets
from resolvers.csv_table import CsvTableError
from resolvers.import_result import ImportResult, ImportStatus
from tests.api.asset_story import assert_holdings_are_true, holdings, owners
from tests.factory import ClientRow, Factory, MemberRow, PartnerRow
from tests.statement_recorder import StatementRecorder

HEADER = "hub_id,owner_email,kind,external_id,name\n"
CREATED, UPDATED, UNCHANGED, REJECTED = ImportStatus


@pytest.fixture
async def partner(factory: Factory) -> PartnerRow:
    return await factory.partner()


@pytest.fixture
async def client(factory: Factory, partner: PartnerRow) -> ClientRow:
    return await factory.client(partner)


@pytest.fixture
async def owner(factory: Factory, partner: PartnerRow) -> MemberRow:
    return await factory.member(partner, email="Ann@my.example")


async def load(database: Database, partner: PartnerRow, *rows: str) -> ImportResult:
    return await import_assets(database, partner.id, HEADER + "".join(f"{row}\n" for row in rows))


def statuses(result: ImportResult) -> list[ImportStatus]:
    return [row.status for row in result.rows]


async def test_rows_become_assets_of_the_partners_people(
    database: Database, partner: PartnerRow, client: ClientRow, owner: MemberRow
) -> None:
    """Kinds in whatever case and with spaces, addresses in whatever case, columns in any order."""
    text = (
        "name;kind;external_id;hub_id;owner_email\n"
        f"Big deal;deal;7;{client.hub_id};ann@MY.example\n"
        f"Book me;Meeting page;7;{client.hub_id};ann@my.example\n"
    )
    result = await import_assets(database, partner.id, io.BytesIO(text.encode("utf-8-sig")))
    assert statuses(result) == [CREATED, CREATED]
    assert await holdings(database) == {
        (client.id, owner.id, "DEAL"): (1, 1),
        (client.id, owner.id, "MEETING_PAGE"): (1, 1),
    }


async def test_importing_the_same_file_again_changes_nothing(
    factory: Factory, database: Database, partner: PartnerRow, client: ClientRow, owner: MemberRow
) -> None:
    other = await factory.member(partner, email="bob@my.example")
    rows = [f"{client.hub_id},ann@my.example,DEAL,{number},N" for number in range(3)]
    assert statuses(await load(database, partner, *rows)) == [CREATED] * 3
    assert statuses(await load(database, partner, *rows)) == [UNCHANGED] * 3
    rows[1] = rows[1].replace("ann@", "bob@")
    assert statuses(await load(database, partner, *rows)) == [UNCHANGED, UPDATED, UNCHANGED]
    assert await holdings(database) == {
        (client.id, owner.id, "DEAL"): (2, 2),
        (client.id, other.id, "DEAL"): (1, 1),
    }


async def test_good_rows_are_taken_and_bad_ones_say_what_to_do(
    factory: Factory, database: Database, partner: PartnerRow, client: ClientRow, owner: MemberRow
) -> None:
    """T1: what another partner has looks like what nobody has."""
    stranger = await factory.partner()
    foreign, person = await factory.client(stranger), await factory.member(stranger, email="eve@other.example")
    await factory.member(partner, email="gone@my.example", status=MemberStatus.LEFT)
    hub = client.hub_id
    result = await load(
        database,
        partner,
        f"{hub},ann@my.example,DEAL,1,Good",
        f"x,{owner.email},DEAL,2,N",
        f"{foreign.hub_id},{owner.email},DEAL,3,N",
        f"987654321,{owner.email},DEAL,4,N",
        f"{hub},{person.email},DEAL,5,N",
        f"{hub},nobody@my.example,DEAL,6,N",
        f"{hub},gone@my.example,DEAL,7,N",
        f"{hub},no address,DEAL,8,N",
        f"{hub},{owner.email},YACHT,9,N",
        f"{hub},{owner.email},DEAL,,N",
        f"{hub},{owner.email},DEAL,11,",
        f"{hub},{owner.email},DEAL,1,Again",
        f"{hub},{owner.email},DEAL,{'x' * 201},N",
        f"{hub},{owner.email},DEAL",
    )
    assert statuses(result) == [CREATED] + [REJECTED] * 13
    told = [(row.message or "").replace(str(foreign.hub_id), "987654321") for row in result.rejected]
    assert [message.partition(":")[0] for message in told[:10]] == [
        "hub_id",
        "hub_id",
        "hub_id",
        "owner_email",
        "owner_email",
        "owner_email",
        "owner_email",
        "kind",
        "external_id is empty",
        "name is empty",
    ]
    assert told[1] == told[2]
    assert told[3].replace(person.email, "nobody@my.example") == told[4]
    assert "on line 2 already" in told[10]
    assert "has left" in told[5]
    assert await holdings(database) == {(client.id, owner.id, "DEAL"): (1, 1)}


async def test_two_partners_of_one_account_have_assets_of_their_own(
    factory: Factory, database: Database, partner: PartnerRow, client: ClientRow, owner: MemberRow
) -> None:
    """R9, T1: the same thing in the same account, known to both, once for each."""
    second = await factory.partner()
    place = await factory.client(second, account=client.account)
    there = await factory.member(second, user=owner)
    row = f"{client.hub_id},{owner.email},DEAL,1,N"
    assert statuses(await load(database, partner, row)) == statuses(await load(database, second, row)) == [CREATED]
    assert set(await holdings(database)) == {(client.id, owner.id, "DEAL"), (place.id, there.id, "DEAL")}


async def test_a_large_file_is_written_in_parts_whose_statements_do_not_grow(
    database: Database, partner: PartnerRow, client: ClientRow, owner: MemberRow, recorder: StatementRecorder
) -> None:
    def rows(count: int) -> list[str]:
        return [f"{client.hub_id},{owner.email},CONTACT,{count}-{number},N" for number in range(count)]

    counts, done = [], []
    for count in (CHUNK, 3 * CHUNK):
        file = HEADER + "\n".join(rows(count))
        with recorder:
            result = await import_assets(database, partner.id, file, lambda *so_far: done.append(so_far))
        counts.append(recorder.count)
        assert result.count(CREATED) == count
    assert done == [(CHUNK, CHUNK)] + [(CHUNK * part, 3 * CHUNK) for part in (1, 2, 3)]
    assert counts[1] <= 3 * counts[0]
    await assert_holdings_are_true(database)
    assert (await holdings(database))[client.id, owner.id, "CONTACT"] == (4 * CHUNK, 4)


async def test_two_imports_at_once_lose_no_count(
    factory: Factory, database: Database, partner: PartnerRow, client: ClientRow, owner: MemberRow
) -> None:
    other = await factory.member(partner, email="bob@my.example")
    place = await factory.client(partner)
    files = [
        [f"{hub},{email},DEAL,{number},N" for hub in hubs for number in range(50)]
        for hubs, email in (((client.hub_id, place.hub_id), owner.email), ((place.hub_id, client.hub_id), other.email))
    ]
    results = await asyncio.gather(*(load(database, partner, *rows) for rows in files))
    assert sorted(statuses(result)[0] for result in results) == [CREATED, UPDATED]
    await assert_holdings_are_true(database)
    assert sum(total for total, _ in (await holdings(database)).values()) == 100


async def test_a_file_without_the_columns_is_refused_as_a_whole(database: Database, partner: PartnerRow) -> None:
    with pytest.raises(CsvTableError, match="owner_email"):
        await import_assets(database, partner.id, "hub_id,kind,external_id,name\n1,DEAL,1,N\n")
    assert await owners(database) == {}
