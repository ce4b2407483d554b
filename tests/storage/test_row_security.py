"""Row-level security on PostgreSQL: which rows a transaction finds, whoever asks in whatever words."""

import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import Row, Table, delete, event, func, insert, select, text, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, NotSupportedError, ProgrammingError

from models import migration, row_security
from models.client import clients
from models.database import Database
from models.feedback import feedback
from models.grant import grants
from models.idempotency_key import idempotency_keys
from models.metadata import TABLES, metadata
from models.operation import (
    CELLS,
    operation_cancellations,
    operation_retries,
    operation_undos,
    operations,
)
from models.operation_chunk import (
    operation_chunks,
    operation_clients,
    operation_members,
    operation_pairs,
    queued_operations,
)
from models.partner import partners
from models.row_security import POLICIES, SHARED, Policy, RowSecurityError
from models.table import now
from models.tenancy import Tenancy, everything
from models.timeline_block import NOBODYS
from resolvers.interning import publish_catalogue
from resolvers.timeline_chain.window import seal_the_rest
from server.command import FAILED, MISUSED, main
from tests import postgresql
from tests.factory import AccountRow, ClientRow, Factory, MemberRow, PartnerRow, UserRow
from tests.life_factory import LifeFactory
from tests.statement_recorder import StatementRecorder

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
PARENTS = {
    "operation_id": "operation",
    "client_id": "client",
    "grant_id": "grant",
    "link_id": "confirmation_link",
    "lockdown_id": "template_lockdown",
    "set_id": "permission_set",
}
"""Whose rows the rows without a partner are, by the column that tells."""


@dataclass(frozen=True, slots=True)
class Agency:
    """A partner with at least one row in each of the tables under a policy."""

    partner: PartnerRow
    person: MemberRow
    client: ClientRow
    client_person: UserRow

    @property
    def tenancy(self) -> Tenancy:
        """What a member of it sees."""
        return Tenancy((self.partner.id,), (), self.person.user_id)

    @property
    def accounts_tenancy(self) -> Tenancy:
        """What one of the client's own people sees."""
        return Tenancy((), (self.client.account_id,), self.client_person.id)


async def _agency(factory: Factory, life: LifeFactory, account: AccountRow | None = None) -> Agency:
    """Makes an agency in an account of its own, or in one that another works in too."""
    partner = await factory.partner()
    person, client_person = await factory.member(partner), await factory.user()
    client = await factory.client(partner, account=account)
    await factory.own_person(client.account, client_person)
    team = await factory.team(client)
    grant = await factory.partner_admin(client, person, teams=[team])
    ours = await factory.permission_set(partner, {"contacts.view": "ALL"})
    await life.lockdown(partner, person, [ours])
    await life.pod(grant, ours, await factory.member(partner))
    link = await life.access_link(person)
    await life.link_approval(link, client, client_person, grant=grant)
    await life.confirmation_link(client, person, [person])
    await life.assets(client, person)
    await life.activity(client, person)
    await life.asset_transfer(grant)
    await life.feedback(person, partner=partner)
    await life.permission_issue(client, person, person)
    await life.hand_off(grant, await factory.member(partner))
    await life.planned(grant)
    await factory.api_token(person)
    await life.mail(person)
    operation_id = grant.id // CELLS
    of_operation = {"operation_id": operation_id, "partner_id": partner.id}
    place = {"position": 0, "member_id": person.id}
    async with factory.database.write() as session:
        connection = await session.connection()
        for table, values in (
            (operation_retries, {"retried_id": operation_id}),
            (operation_undos, {"undone_id": operation_id}),
            (operation_cancellations, {"user_id": person.user_id, "at": now()}),
            (queued_operations, {"turn": 0}),
            (operation_chunks, {"number": 0, "size": 1, "attempts": 0}),
            (operation_clients, {"chunk": 0, "position": 0, "client_id": client.id}),
            (operation_members, place),
            (operation_pairs, {"chunk": 0, "client_id": client.id, **place}),
        ):
            await connection.execute(insert(table).values(**of_operation, **values))
        # What its grants and the others came of: the factory seals nothing.
        await seal_the_rest(connection)
        key = {
            "user_id": person.user_id,
            "field": "f",
            "key": "k",
            "request_digest": "d",
            "answer": "",
            "created_at": now(),
        }
        await connection.execute(insert(idempotency_keys).values(key))
    return Agency(partner, person, client, client_person)


@pytest.fixture
async def agencies(factory: Factory, life_factory: LifeFactory) -> list[Agency]:
    """Two agencies that have nothing to do with each other."""
    return [await _agency(factory, life_factory) for _ in range(2)]


async def _rows(database: Database, table: Table) -> set[Any]:
    async with database.read() as connection:
        return set((await connection.execute(select(table))).all())


def _tables() -> Iterator[Table]:
    for table in TABLES:
        if table.name in POLICIES:
            yield table


def test_every_table_is_behind_the_wall_or_there_is_a_reason() -> None:
    """A new table belongs into POLICIES or, with the reason, into SHARED."""
    assert POLICIES.keys() | SHARED.keys() == {table.name for table in TABLES} | {"alembic_version"}
    assert not POLICIES.keys() & SHARED.keys()
    with_tenant = {table.name for table in TABLES if "partner_id" in table.c}
    assert not with_tenant & SHARED.keys()
    assert all(SHARED.values())


@on_postgresql
async def test_each_partner_finds_its_own_rows_and_no_others(database: Database, agencies: Sequence[Agency]) -> None:
    """T1: what each table has for a partner is found out from the rows themselves, without the policies."""
    everyones = {table.name: await _rows(database, table) for table in _tables()}
    one, other = agencies
    for table in _tables():
        own = {row for row in everyones[table.name] if _is_of(one, table.name, row, everyones)}
        others = {row for row in everyones[table.name] if _is_of(other, table.name, row, everyones)}
        shared = own & others
        assert await _rows(database.for_tenants(one.tenancy), table) == own, table.name
        assert await _rows(database.for_tenants(other.tenancy), table) == others, table.name
        assert (own - shared and others - shared) or table.name == "mail", f"{table.name}: the agencies have no rows"


def _is_of(agency: Agency, table: str, row: Row[Any], everyones: dict[str, set[Any]]) -> bool:
    """Says whether a row is one that the agency's person may find."""
    columns = row._mapping
    told: dict[str, tuple[str, set[int | None]]] = {
        "partner": ("id", {agency.partner.id}),
        "team": ("account_id", {agency.client.account_id}),
        "api_token": ("user_id", {agency.person.user_id}),
        "idempotency_key": ("user_id", {agency.person.user_id}),
        # Built-in sets, and the service's own operations, are nobody's.
        "permission_set": ("partner_id", {None, agency.partner.id}),
        "operation": ("partner_id", {None, agency.partner.id}),
        "timeline_block": ("chain", {NOBODYS, agency.partner.id}),
        "mail": ("id", set()),
    }
    if table in told:
        name, keys = told[table]
        return columns[name] in keys
    if "partner_id" in columns:
        return bool(columns["partner_id"] == agency.partner.id)
    parent, key = next((PARENTS[name], value) for name, value in columns.items() if name in PARENTS)
    return any(found.id == key and _is_of(agency, parent, found, everyones) for found in everyones[parent])


@on_postgresql
async def test_an_accounts_own_people_find_what_concerns_the_account(
    database: Database, factory: Factory, life_factory: LifeFactory, agencies: Sequence[Agency]
) -> None:
    """N08, T1: all agencies that were let in, none that has merely written down the Hub ID, and nothing of other clients."""
    one, _ = agencies
    beside = await _agency(factory, life_factory, one.client.account)
    merely = await factory.client(await factory.partner(), account=one.client.account)
    elsewhere = await factory.client(one.partner)
    hidden = await factory.grant(elsewhere, await factory.member(one.partner))
    view = database.for_tenants(one.accounts_tenancy)
    let_in = {one.client.id, beside.client.id}
    assert {row.id for row in await _rows(view, clients)} == let_in
    assert merely.id not in let_in
    assert {row.id for row in await _rows(view, partners)} == {one.partner.id, beside.partner.id}
    found = await _rows(view, grants)
    assert {row.account_id for row in found} == {one.client.account_id}
    assert {row.client_id for row in found} == {None, *let_in}
    keys = {row.id for row in await _rows(view, operations)}
    assert {row.id // CELLS for row in found} <= keys
    assert hidden.id // CELLS not in keys
    for name in (
        "outcome",
        "decision",
        "asset",
        "asset_holding",
        "access_link",
        "confirmation_link",
        "queued_operation",
        "mail",
    ):
        assert await _rows(view, metadata.tables[name]) == set(), name


@on_postgresql
async def test_without_settings_nobody_finds_anything_not_even_the_owner(
    database: Database, agencies: Sequence[Agency]
) -> None:
    """FORCE: the tests' role owns the tables."""
    async with database.read() as connection:
        owner = await connection.scalar(
            text("SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'client'")
        )
        assert owner
    for table in _tables():
        assert await _rows(database, table)
        assert await _rows(database.for_tenants(Tenancy()), table) == set(), table.name
        assert await _bare_count(database, table) == 0, table.name


async def _execute(database: Database, statement: Any) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(statement)


async def _bare_count(database: Database, table: Table) -> int:
    """Counts rows on a connection of the pool that the service has used, past everything that makes its transactions."""
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        cursor = await driver.execute(f'SELECT count(*) FROM "{table.name}"')
        (count,) = await cursor.fetchone()
        await driver.rollback()
    return int(count)


@on_postgresql
@pytest.mark.parametrize("ending", ["commit", "rollback", "error"])
async def test_the_next_user_of_a_pooled_connection_finds_nothing(
    database: Database, agencies: Sequence[Agency], ending: str
) -> None:
    """However the transaction ended, its settings end with it: a session-level SET would stay."""
    view = database.for_tenants(agencies[0].tenancy)
    count = select(func.count()).select_from(clients)
    if ending == "commit":
        async with view.write() as session:
            assert await (await session.connection()).scalar(count) == 1
    elif ending == "rollback":
        async with view.rehearse() as session:
            assert await (await session.connection()).scalar(count) == 1
    else:
        with pytest.raises(DataError, match="division by zero"):
            await _execute(view, text("SELECT 1 / 0"))
    assert await _bare_count(database, clients) == 0
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        cursor = await driver.execute(
            "SELECT current_setting('cam.partners', true), current_setting('cam.accounts', true)"
        )
        assert not any(await cursor.fetchone())
        await driver.rollback()


@on_postgresql
async def test_nobody_writes_into_another_tenant(database: Database, agencies: Sequence[Agency]) -> None:
    one, other = agencies
    view = database.for_tenants(one.tenancy)
    row = {
        "partner_id": other.partner.id,
        "account_id": one.client.account_id,
        "since": now(),
        "sort_name": "",
        "search_text": "",
    }
    counters = {"active_people": 0, "deactivated_people": 0, "active_partner_admins": 0}
    moving = update(clients).where(clients.c.id == one.client.id).values(partner_id=other.partner.id)
    for statement in (insert(clients).values(**row, **counters), moving):
        with pytest.raises(ProgrammingError, match="row-level security policy"):
            await _execute(view, statement)
    async with view.write() as session:
        connection = await session.connection()
        assert (await connection.execute(update(clients).values(display_name="Mine"))).rowcount == 1
        assert (await connection.execute(delete(queued_operations))).rowcount == 1
        assert (await connection.execute(delete(queued_operations))).rowcount == 0
    names = {row.id: row.display_name for row in await _rows(database, clients)}
    assert names == {one.client.id: "Mine", other.client.id: names[other.client.id]}
    assert names[other.client.id] != "Mine"


@on_postgresql
async def test_what_an_account_sees_of_its_agencies_it_does_not_write(
    database: Database, agencies: Sequence[Agency]
) -> None:
    view = database.for_tenants(agencies[0].accounts_tenancy)
    assert len(await _rows(view, clients)) == 1
    async with view.write() as session:
        connection = await session.connection()
        assert (await connection.execute(update(clients).values(display_name="Ours"))).rowcount == 0
        assert (await connection.execute(delete(grants))).rowcount == 0


@on_postgresql
async def test_a_rule_may_count_what_others_have_and_no_statement_after_it(
    database: Database, agencies: Sequence[Agency]
) -> None:
    """F42: an account's super admins are those of all its agencies, and its own."""
    count = select(func.count()).select_from(clients)
    for whole, seen in ((database, 2), (database.for_tenants(agencies[0].tenancy), 1)):
        async with whole.write() as session:
            connection = await session.connection()
            assert await connection.scalar(count) == seen
            async with everything(connection):
                assert await connection.scalar(count) == 2
            assert await connection.scalar(count) == seen


async def test_everything_and_a_view_are_the_same_database(database: Database) -> None:
    told: list[Any] = []
    database.on_commit.append(told.append)
    view = database.for_tenants(Tenancy((1,), (2,), 3))
    assert view.on_commit is database.on_commit
    assert view.everything() is database
    assert view.for_tenants(Tenancy()).everything() is database
    assert database.everything() is database
    assert view.engine.pool is database.engine.pool
    assert (view is database) is database.is_sqlite


@on_postgresql
async def test_a_transaction_costs_one_small_statement_more(database: Database) -> None:
    """It is there whether the wall is or not, and no statement of the service's (tests/statement_recorder.py)."""
    sent: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement.split("(", maxsplit=1)[0])

    event.listen(database.engine.sync_engine, "before_cursor_execute", record)
    try:
        for view in (database, database.for_tenants(Tenancy((1,)))):
            sent.clear()
            await _rows(view, feedback)
            assert len(sent) == 2
            assert sent[0] == "SELECT set_config"
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", record)


@on_postgresql
async def test_there_is_no_view_past_the_wall(database: Database) -> None:
    """A plain view would show everything, and a function of its definer's might: the schema has none of ours."""
    async with database.read() as connection:
        views = await connection.scalars(
            text("SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace")
        )
        assert views.all() == []
        definers = await connection.scalars(
            text("SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace")
        )
        assert definers.all() == []
        open_ = await connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT (relrowsecurity AND relforcerowsecurity)"
            )
        )
        assert {name for name in open_ if not name.startswith(migration.JOB_QUEUE)} == set(SHARED)


@on_postgresql
async def test_switching_on_again_changes_nothing_and_a_new_version_what_is_new(
    database: Database, recorder: StatementRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorder:
        await migration.secure(database)
        await migration.upgrade(database)
    assert not _changes(recorder)
    monkeypatch.setitem(row_security.POLICIES, "asset", Policy(own="false"))
    monkeypatch.setitem(row_security.POLICIES, "team", replace(POLICIES["team"], seen=""))
    with recorder:
        await migration.upgrade(database)
    changes = {change.split(" FOR ")[0] for change in _changes(recorder) if not change.startswith("COMMENT")}
    went = {f'DROP POLICY {name} ON "team"' for name in ("cam_read", "cam_insert", "cam_update", "cam_delete")}
    made = {
        f'{what} cam_own ON "{table}"'
        for what in ("DROP POLICY IF EXISTS", "CREATE POLICY")
        for table in ("asset", "team")
    }
    assert changes == went | made
    monkeypatch.undo()
    await migration.upgrade(database)
    with recorder:
        await migration.upgrade(database)
    assert not _changes(recorder)


def _changes(recorder: StatementRecorder) -> list[str]:
    return [statement for statement in recorder.statements if " POLICY " in statement or "LEVEL SECURITY" in statement]


# Whoever runs the migrations, and the service's role.


@pytest.fixture
def own_database(postgresql_server: URL) -> Iterator[URL]:
    """The address of an empty PostgreSQL database, with the rights of who started the server."""
    name = f"cam_test_{uuid.uuid4().hex}"
    postgresql.administer(postgresql_server, f"CREATE DATABASE {name}")
    yield postgresql_server.set(database=name)
    postgresql.administer(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def migrating(own_database: URL) -> AsyncIterator[Database]:
    """A migrated database, open under the role that migrates."""
    database = Database(own_database, durable=False)
    await migration.upgrade(database)
    yield database
    await database.dispose()


@pytest.fixture
async def serving(own_database: URL, service_role: str | None) -> AsyncIterator[Database]:
    """The same database, open under the service's role."""
    if service_role is None:
        pytest.skip("The named server does not let us make roles.")
    database = Database(postgresql.acting_as(service_role, own_database), durable=False)
    yield database
    await database.dispose()


async def test_the_service_may_have_a_role_of_its_own(
    migrating: Database, serving: Database, service_role: str
) -> None:
    """It is given the tables, those that are made later too, and cannot change or unlock them."""
    await migration.secure(migrating, service_role)
    factory = Factory(serving)
    async with serving.write() as session:
        await publish_catalogue(await session.connection())
    life = LifeFactory(factory)
    agencies = [await _agency(factory, life) for _ in range(2)]
    for table in (clients, grants, operations, queued_operations):
        assert len(await _rows(serving, table)) > len(await _rows(serving.for_tenants(agencies[0].tenancy), table)) > 0
    assert await _bare_count(serving, clients) == 0
    await migration.check_writable(serving)
    await _execute(migrating, text("CREATE TABLE later (id BIGINT GENERATED BY DEFAULT AS IDENTITY, name TEXT)"))
    await _execute(serving, text("INSERT INTO later (name) VALUES ('x')"))
    for statement in (
        "ALTER TABLE client DISABLE ROW LEVEL SECURITY",
        "DROP POLICY cam_read ON client",
        "TRUNCATE client CASCADE",
    ):
        with pytest.raises(ProgrammingError, match=r"owner|denied"):
            await _execute(serving, text(statement))
    with pytest.raises(migration.MigrationError, match="owner"):
        await migration.unsecure(serving)


async def test_a_role_for_which_the_wall_would_not_hold_is_refused(
    migrating: Database, postgresql_server: URL, service_role: str | None
) -> None:
    if service_role is None:
        pytest.skip("The named server does not let us make roles.")
    with pytest.raises(
        RowSecurityError, match=r"is a superuser, .*CREATE ROLE cam .*cam migrate --rls --role cam"
    ) as refused:
        await migration.secure(migrating)
    assert "\n" not in str(refused.value)
    with pytest.raises(RowSecurityError, match="no role nobody_at_all"):
        await migration.secure(migrating, "nobody_at_all")
    bypassing = f"cam_test_{uuid.uuid4().hex}"
    postgresql.administer(postgresql_server, f"CREATE ROLE {bypassing} BYPASSRLS")
    try:
        with pytest.raises(RowSecurityError, match="has BYPASSRLS"):
            await migration.secure(migrating, bypassing)
    finally:
        postgresql.administer(postgresql_server, f"DROP ROLE {bypassing}")
    assert await _secured(migrating) == set()
    await migration.check_writable(migrating)
    await migration.secure(migrating, service_role)
    # A service that starts past the wall would show its users no difference, until something leaks.
    with pytest.raises(RowSecurityError, match="is a superuser"):
        await migration.check_writable(migrating)


async def test_sqlite_has_no_such_wall(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'cam.sqlite3'}", durable=False)
    try:
        await migration.upgrade(database)
        with pytest.raises(RowSecurityError, match="leave --rls out"):
            await migration.secure(database)
        await migration.unsecure(database)
        assert database.for_tenants(Tenancy()) is database
    finally:
        await database.dispose()


async def test_every_step_goes_down_and_up_with_the_wall(migrating: Database, service_role: str) -> None:
    """Down it goes without the wall, for an earlier service may know nothing of it."""
    await migration.secure(migrating, service_role)
    for revision in ("-1", "0001", "base"):
        await migration.downgrade(migrating, revision)
        assert await _secured(migrating) == set()
        await migration.upgrade(migrating)
        assert await _secured(migrating) == set()
        await migration.secure(migrating, service_role)
    assert await _secured(migrating) == set(POLICIES)


async def test_a_step_need_not_know_of_the_wall(
    migrating: Database, serving: Database, service_role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that a policy names could not change under it; afterwards the wall stands as before."""
    await migration.secure(migrating, service_role)
    change = "ALTER TABLE client ALTER COLUMN confirmed_at TYPE timestamp"
    with pytest.raises(NotSupportedError, match="policy"):
        await _execute(migrating, text(change))
    monkeypatch.setattr(migration, "head", lambda: "9999")
    monkeypatch.setattr(command, "upgrade", lambda config, _: config.attributes["connection"].execute(text(change)))
    await migration.upgrade(migrating)
    assert await _secured(migrating) == set(POLICIES)
    assert await _bare_count(serving, clients) == 0


async def test_switched_off_nothing_is_left_of_it(migrating: Database, service_role: str) -> None:
    await migration.secure(migrating, service_role)
    assert await _secured(migrating) == set(POLICIES)
    await migration.unsecure(migrating)
    assert await _secured(migrating) == set()
    await migration.unsecure(migrating)
    async with migrating.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM pg_policy")) == 0


async def _secured(database: Database) -> set[str]:
    async with database.read() as connection:
        found = await connection.scalars(
            text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        )
        return set(found)


def test_the_command_switches_the_wall_on_and_off(
    own_database: URL, service_role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAM_DATABASE_URL", own_database.render_as_string(hide_password=False))

    def cam(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cam", "migrate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    def policies() -> int:
        with psycopg.connect(
            own_database.set(drivername="postgresql").render_as_string(hide_password=False)
        ) as connection:
            (count,) = connection.execute("SELECT count(*) FROM pg_policy").fetchone() or (0,)
            return int(count)

    code, said = cam("--rls")
    assert code == FAILED
    assert "is a superuser" in said
    assert policies() == 0
    assert cam("--role", service_role)[0] == MISUSED
    assert cam("--rls", "--role", service_role)[0] == 0
    made = policies()
    assert made > len(POLICIES)
    assert cam()[0] == 0
    assert policies() == made
    assert cam("--no-rls")[0] == 0
    assert policies() == 0
