"""Who has access in client accounts from before the service: the accounts' own people, and partners' super admins."""

import asyncio

import pytest
from sqlalchemy import insert, select

from models.account import accounts
from models.database import Database
from models.dialect import lock_keys
from models.grant import GrantStatus, grants
from models.member import MemberStatus
from models.operation import operations
from models.partner import PartnerProgram
from models.permission.built_in import BUILT_IN_SETS, SUPER_ADMIN_STATE
from models.table import now
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers import people_import
from resolvers.csv_table import CsvTableError
from resolvers.error import RefusedError
from resolvers.import_result import ImportResult, ImportStatus
from resolvers.interning import state_contents
from resolvers.people_import import import_people
from resolvers.super_admin_import import import_super_admins
from tests.api.counters import assert_counters_are_true
from tests.api.write_story import contents
from tests.factory import Factory, PartnerRow

HEADER = "hub_id,email,first_name,last_name,access\n"
TEMPLATE = next(built for built in BUILT_IN_SETS if not built.is_partner_admin)


async def run(database: Database, *rows: str, partner: PartnerRow | None = None) -> ImportResult:
    text = HEADER + "\n".join(rows)
    if partner is None:
        return await import_people(database, text)
    return await import_super_admins(database, partner.id, text)


def told(result: ImportResult) -> list[str]:
    return [row.status.value for row in result.rows]


async def held(database: Database) -> dict[tuple[int, str], tuple[str, str, int | None]]:
    """The accounts' own people: access type, status, version of the set, by Hub ID and address."""
    async with database.read() as connection:
        rows = await connection.execute(
            select(accounts.c.hub_id, users.c.email, grants.c.access_type, grants.c.status, grants.c.set_version_id)
            .join(accounts, accounts.c.id == grants.c.account_id)
            .join(users, users.c.id == grants.c.user_id)
            .where(grants.c.client_id.is_(None), grants.c.ended == 0)
        )
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


async def test_own_people_are_recorded_with_operation_and_timeline_and_once(
    database: Database, factory: Factory
) -> None:
    first, second = await factory.account(), await factory.account()
    known = await factory.user("Known Before", email="known@x.example")
    version = (await factory.built_in_set(TEMPLATE.key)).version_id
    rows = (
        f"{first.hub_id},Anna@x.example,Anna,Aalto,SUPER_ADMIN",
        f"{first.hub_id},KNOWN@x.example,Other,Name,{TEMPLATE.name.upper()}",
        f"{second.hub_id},anna@x.example,,,{TEMPLATE.key}",
    )
    result = await run(database, *rows)
    assert told(result) == ["CREATED"] * 3
    assert await held(database) == {
        (first.hub_id, "Anna@x.example"): ("SUPER_ADMIN", "ACTIVE", None),
        (first.hub_id, known.email): ("STANDARD", "ACTIVE", version),
        (second.hub_id, "Anna@x.example"): ("STANDARD", "ACTIVE", version),
    }
    async with database.read() as connection:
        entries = (await connection.execute(select(timeline_entries))).all()
        (operation,) = (await connection.execute(select(operations))).all()
        names = (await connection.execute(select(users.c.first_name).order_by(users.c.first_name))).scalars().all()
        states = await state_contents(connection, [entry.after_state_id for entry in entries])
    assert {entry.grant_id for entry in entries} == {row.key for row in result.rows}
    assert {(entry.partner_id, entry.client_id, entry.member_id, entry.before_status) for entry in entries} == {
        (None, None, None, None)
    }
    assert set(states.values()) == {SUPER_ADMIN_STATE, TEMPLATE.state}
    assert (operation.partner_id, operation.requested_by_id, operation.kind) == (None, None, "GRANT")
    assert names == ["Anna", "Known"]
    before = await contents(database)
    assert told(await run(database, *rows)) == ["UNCHANGED"] * 3
    assert await contents(database) == before


async def test_a_person_takes_the_new_access_and_the_history_stays(database: Database, factory: Factory) -> None:
    account = await factory.account()
    await run(database, f"{account.hub_id},a@x.example,,,SUPER_ADMIN", f"{account.hub_id},b@x.example,,,super admin")
    result = await run(database, f"{account.hub_id},b@x.example,,,{TEMPLATE.key}")
    assert told(result) == ["UPDATED"]
    assert (await held(database))[account.hub_id, "b@x.example"][0] == "STANDARD"
    async with database.read() as connection:
        entry = (await connection.execute(select(timeline_entries).order_by(timeline_entries.c.id.desc()))).first()
        grant = (await connection.execute(select(grants).where(grants.c.id == result.rows[0].key))).one()
    assert entry is not None
    assert (entry.before_access_type, entry.after_access_type, entry.before_seat) == ("SUPER_ADMIN", "STANDARD", "CORE")
    assert grant.version == 2
    assert told(await run(database, f"{account.hub_id},b@x.example,,,SUPER_ADMIN")) == ["UPDATED"]


async def test_who_was_deactivated_or_has_expired_counts_again(database: Database, factory: Factory) -> None:
    account = await factory.account()
    off, late = await factory.user(email="off@x.example"), await factory.user(email="late@x.example")
    await factory.move(await factory.own_person(account, off), GrantStatus.DEACTIVATED)
    async with database.read() as connection:
        moment = (await connection.execute(select(users.c.created_at))).scalars().first()
    await factory.own_person(account, late, expires_at=moment)
    rows = [f"{account.hub_id},{name}@x.example,,,SUPER_ADMIN" for name in ("off", "late")]
    assert told(await run(database, *rows)) == ["UPDATED", "UPDATED"]
    assert told(await run(database, *rows)) == ["UNCHANGED", "UNCHANGED"]


async def test_f42_a_file_never_takes_the_last_active_super_admin(database: Database, factory: Factory) -> None:
    """Of several the last in the file stays; whom the file makes super admin, and a partner's, count."""
    account = await factory.account()

    def row(name: str, access: str) -> str:
        return f"{account.hub_id},{name}@x.example,,,{access}"

    await run(database, row("a", "SUPER_ADMIN"), row("b", "SUPER_ADMIN"))
    result = await run(database, row("b", TEMPLATE.key), row("a", TEMPLATE.key))
    assert told(result) == ["UPDATED", "REJECTED"]
    assert "only active super admin" in str(result.rejected[0].message)
    assert told(await run(database, row("a", TEMPLATE.key))) == ["REJECTED"]
    assert told(await run(database, row("a", TEMPLATE.key), row("c", "SUPER_ADMIN"))) == ["UPDATED", "CREATED"]
    partner = await factory.partner()
    client = await factory.client(partner, account=account)
    await factory.super_admin(client, await factory.member(partner))
    assert told(await run(database, row("c", TEMPLATE.key))) == ["UPDATED"]


async def test_m4_two_files_at_once_leave_one_super_admin(database: Database, factory: Factory) -> None:
    account = await factory.account()
    rows = [f"{account.hub_id},{name}@x.example,,," for name in ("a", "b")]
    await run(database, *(f"{row}SUPER_ADMIN" for row in rows))
    results = await asyncio.gather(*(run(database, f"{row}{TEMPLATE.key}") for row in rows))
    assert sorted(told(result)[0] for result in results) == ["REJECTED", "UPDATED"]


async def test_accounts_are_locked_in_the_order_of_their_keys_whatever_their_hub_ids(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunk by chunk and by Hub ID, it would hold the second and wait for the first, the reverse of what operations do."""
    monkeypatch.setattr(people_import, "CHUNK", 1)
    first, second = await factory.account(hub_id=900_002), await factory.account(hub_id=900_001)
    async with database.write() as session:
        connection = await session.connection()
        await lock_keys(connection, accounts, [first.id])
        task = asyncio.create_task(run(database, *(f"{at.hub_id},a@x.example,,,SUPER_ADMIN" for at in (first, second))))
        await asyncio.sleep(0.5)
        await lock_keys(connection, accounts, [second.id])
    assert told(await task) == ["CREATED"] * 2


async def test_users_are_made_in_the_order_of_their_addresses_whatever_the_accounts(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files with the same new people in different accounts do not wait for each other."""
    monkeypatch.setattr(people_import, "CHUNK", 1)
    first, second = await factory.account(), await factory.account()

    def user(name: str) -> dict[str, object]:
        address = f"{name}@x.example"
        return {"email": address, "email_key": address, "first_name": "", "last_name": "", "created_at": now()}

    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(insert(users).values(user("a")))
        rows = [f"{first.hub_id},b@x.example,,,SUPER_ADMIN", f"{second.hub_id},a@x.example,,,SUPER_ADMIN"]
        task = asyncio.create_task(run(database, *rows))
        await asyncio.sleep(0.5)
        await connection.execute(insert(users).values(user("b")))
    assert told(await task) == ["CREATED"] * 2


async def test_two_equal_files_at_once_make_everybody_once(database: Database, factory: Factory) -> None:
    account = await factory.account()
    rows = [f"{account.hub_id},p{number}@x.example,,,SUPER_ADMIN" for number in range(20)]
    results = await asyncio.gather(run(database, *rows), run(database, *rows[::-1]))
    assert sorted({status for result in results for status in told(result)}) == ["CREATED", "UNCHANGED"]
    assert len(await held(database)) == 20


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("x,a@x.example,,,SUPER_ADMIN", "hub_id"),
        ("0,a@x.example,,,SUPER_ADMIN", "hub_id"),
        (",a@x.example,,,SUPER_ADMIN", "hub_id"),
        ("77,a@x.example,,,SUPER_ADMIN", "hub_id: there is no account"),
        ("{hub},no address,,,SUPER_ADMIN", "email"),
        ("{hub},,,,SUPER_ADMIN", "email"),
        ("{hub},a@x.example,,,", "access: it is empty"),
        ("{hub},a@x.example,,,GOD", "access: “GOD”"),
        ("{hub},a@x.example,,,partner_admin", "access"),
        ("{hub},a@x.example,,,Partner Admin", "access"),
        ("{hub},a@x.example," + "x" * 201 + ",,SUPER_ADMIN", "first_name"),
        ("{hub},GOOD@x.example,,,SUPER_ADMIN", "on line 2 already"),
    ],
)
async def test_bad_rows_are_named_by_their_line_and_the_good_are_taken(
    database: Database, factory: Factory, row: str, place: str
) -> None:
    hub_id = (await factory.account()).hub_id
    result = await run(database, f"{hub_id},good@x.example,,,SUPER_ADMIN", row.format(hub=hub_id))
    assert told(result) == ["CREATED", "REJECTED"]
    assert (result.rejected[0].line, place in str(result.rejected[0].message)) == (3, True)
    assert set(await held(database)) == {(hub_id, "good@x.example")}


async def test_a_file_that_is_no_table_writes_nothing(database: Database, factory: Factory) -> None:
    partner = await factory.partner()
    before = await contents(database)
    with pytest.raises(CsvTableError, match="access"):
        await import_people(database, "hub_id,email,first_name,last_name\n1,a@x.example,,\n")
    with pytest.raises(CsvTableError):
        await import_super_admins(database, partner.id, b"")
    assert await contents(database) == before


async def test_a_long_file_is_written_in_parts_that_keep_accounts_together(
    database: Database, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_import, "CHUNK", 3)
    made = [await factory.account() for _ in range(3)]
    rows = [f"{account.hub_id},p{number}@x.example,,,SUPER_ADMIN" for number in range(4) for account in made]
    steps: list[tuple[int, int]] = []
    result = await import_people(database, HEADER + "\n".join(rows), lambda done, total: steps.append((done, total)))
    assert result.count(ImportStatus.CREATED) == 12
    assert steps == [(4, 12), (8, 12), (12, 12)]
    assert [row.line for row in result.rows] == list(range(2, 14))


async def test_a_partners_super_admins_are_recorded_through_an_operation(database: Database, factory: Factory) -> None:
    partner, other = await factory.partner(), await factory.partner()
    client, foreign = await factory.client(partner), await factory.client(other)
    sue, left = await factory.member(partner), await factory.member(partner, status=MemberStatus.LEFT)
    off, boss = await factory.member(partner), await factory.member(partner)
    stranger = await factory.member(other)
    await factory.super_admin(client, off, status=GrantStatus.DEACTIVATED)
    await factory.partner_admin(client, boss)
    rows = [
        f"{client.hub_id},{sue.email.upper()},,,super_admin",
        f"{client.hub_id},{left.email},,,SUPER_ADMIN",
        f"{client.hub_id},{off.email},,,SUPER_ADMIN",
        f"{client.hub_id},{boss.email},,,SUPER_ADMIN",
        f"{client.hub_id},{stranger.email},,,SUPER_ADMIN",
        f"{foreign.hub_id},{sue.email},,,SUPER_ADMIN",
        f"{client.hub_id},nobody@x.example,,,SUPER_ADMIN",
        f"{client.hub_id},{boss.email.upper()}x,,,{TEMPLATE.key}",
    ]
    result = await run(database, *rows, partner=partner)
    assert told(result) == ["CREATED"] + ["REJECTED"] * 7
    messages = [str(row.message) for row in result.rejected]
    assert "no active member" in messages[0]
    assert "DEACTIVATED" in messages[1]
    assert "PARTNER_ADMIN" in messages[2]
    assert "no active member" in messages[3]
    assert messages[4].startswith("hub_id: no client of this partner")
    assert "write SUPER_ADMIN" in messages[6]
    async with database.read() as connection:
        grant = (await connection.execute(select(grants).where(grants.c.id == result.rows[0].key))).one()
        operation = (await connection.execute(select(operations).order_by(operations.c.id.desc()))).first()
        entry = (await connection.execute(select(timeline_entries).order_by(timeline_entries.c.id.desc()))).first()
    assert (grant.access_type, grant.seat, grant.status, grant.member_id) == ("SUPER_ADMIN", "CORE", "ACTIVE", sue.id)
    assert operation is not None
    assert entry is not None
    assert (operation.partner_id, operation.total, operation.applied) == (partner.id, 1, 1)
    assert (entry.grant_id, entry.client_id, entry.member_id) == (grant.id, client.id, sue.id)
    await assert_counters_are_true(database)
    before = await contents(database)
    assert told(await run(database, *rows[:1], partner=partner)) == ["UNCHANGED"]
    assert await contents(database) == before


async def test_f01_a_partner_without_a_program_has_no_super_admins_to_record(
    database: Database, factory: Factory
) -> None:
    partner = await factory.partner(program=PartnerProgram.NONE)
    client, member = await factory.client(partner), await factory.member(partner)
    with pytest.raises(RefusedError, match="eligible program"):
        await run(database, f"{client.hub_id},{member.email},,,SUPER_ADMIN", partner=partner)
