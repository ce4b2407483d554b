"""Behind a pooler in transaction mode: each transaction may run on another connection of the server, so none may rely on its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, Literal

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models import postgresql as connections
from models.database import Database, Topic, database_url
from models.notice import Listener, Sender
from models.postgresql import PREPARED_AFTER, UNLESS_SAID, one_host_each
from server.database import open_database
from server.setting import SettingError, Settings, load_settings
from tests.api.write_story import APPLIED, BRIEF, Story, permissions
from tests.factory import Factory
from tests.pgbouncer import pgbouncer
from tests.pristine import Pristine

CONNECTIONS = 3
LIST = "query($search: String) { partner { clients(search: $search) { totalCount nodes { displayName } } } }"
LEFT_OVER = """
SELECT (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), coalesce(current_setting('cam.partners', true), '')
"""


@pytest.fixture(scope="module")
def pooler_url(postgresql_server: URL, postgresql_pristine: Pristine, service_role: str | None) -> Iterator[URL]:
    url = postgresql_server.set(database=postgresql_pristine.service_url.database)
    with pgbouncer(url, role=service_role, connections=CONNECTIONS) as url:
        yield url


@pytest.fixture
async def database(postgresql_pristine: Pristine, pooler_url: URL) -> AsyncIterator[Database]:
    postgresql_pristine.restore()
    database = Database(pooler_url, pooled=True)
    yield database
    await database.dispose()


async def test_many_at_a_time_read_and_write_through_few_connections(factory: Factory, pooler_url: URL) -> None:
    """Without the setting some fail: a statement was prepared on a connection that somebody else has now, and stays there."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    people = await factory.members(story.partner, 5)
    brief = replace(story, fragment=BRIEF)

    async def work(number: int) -> None:
        for _ in range(PREPARED_AFTER):
            data, codes = await story.run(LIST, search=None if number % 2 else "e")
            assert codes == []
            assert data["partner"]["clients"]["totalCount"] == 1
        told = await brief.grant(people[number], permissions({"contacts.view": "OWNED"}))
        assert told.verdict == APPLIED

    await asyncio.gather(*map(work, range(len(people))))
    assert left_over(pooler_url) == {(0, 0, 0, "")}


async def test_the_next_one_on_a_connection_finds_nothing_of_the_last(factory: Factory, pooler_url: URL) -> None:
    """Nor do those who have been refused or have broken off leave anything behind."""
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    stranger = await Story.begin(factory, {"contacts.view": "ALL"})
    for someone in (story, stranger, story):
        data, _ = await someone.run(LIST)
        assert len(data["partner"]["clients"]["nodes"]) == 1
    data, codes = await story.run("query { node(id: 7) { id } partner { clients(first: 0) { totalCount } } }")
    assert codes
    async with factory.database.rehearse() as session:
        await (await session.connection()).exec_driver_sql("CREATE TEMPORARY TABLE kept (id INTEGER) ON COMMIT DROP")
    assert left_over(pooler_url) == {(0, 0, 0, "")}


def left_over(pooler_url: URL) -> set[tuple[Any, ...]]:
    """What is to be found on the server's connections, looked at all at once so that each is somebody's."""
    address = pooler_url.set(drivername="postgresql").render_as_string(hide_password=False)
    looking = [psycopg.connect(address, prepare_threshold=None) for _ in range(CONNECTIONS)]
    try:
        found = [
            (look.execute("SELECT pg_backend_pid()").fetchone(), look.execute(LEFT_OVER).fetchone()) for look in looking
        ]
    finally:
        for look in looking:
            look.close()
    assert len({pid for pid, _ in found}) == CONNECTIONS
    return {row for _, row in found if row is not None}


async def test_the_setting_leads_past_prepared_statements(
    postgresql_pristine: Pristine,
) -> None:
    address = postgresql_pristine.service_url.render_as_string(hide_password=False)
    poolers: tuple[tuple[Literal["none", "transaction"], bool], ...] = (("none", True), ("transaction", False))
    for pooler, kept in poolers:
        database = open_database(
            Settings(database_url=address, database_pooler=pooler, direct_database_url=address, database_pool_size=1)
        )
        try:
            async with database.read() as connection:
                for _ in range(PREPARED_AFTER + 2):
                    await connection.exec_driver_sql("SELECT 'again' WHERE %s", (True,))
                    await connection.exec_driver_sql("SELECT 'again' WHERE 'x' LIKE %s", ("x",))
                prepared = (await connection.exec_driver_sql("SELECT statement FROM pg_prepared_statements")).all()
        finally:
            await database.dispose()
        # A search is planned for its words each time.
        assert any("WHERE $1" in row[0] for row in prepared) is kept
        assert not any("LIKE" in row[0] for row in prepared)
        assert database.direct_url == database_url(address)


def test_a_pooler_needs_an_address_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_DATABASE_URL", "postgresql://user@pooler/name")
    monkeypatch.setenv("CAM_DATABASE_POOLER", "Transaction")
    with pytest.raises(SettingError, match=r"^CAM_DATABASE_POOLER=transaction needs CAM_DIRECT_DATABASE_URL: "):
        load_settings()
    monkeypatch.setenv("CAM_DIRECT_DATABASE_URL", "sqlite:///data/cam.sqlite3")
    with pytest.raises(
        SettingError, match=r"^CAM_DIRECT_DATABASE_URL has a value that is not allowed; use the address of "
    ):
        load_settings()
    monkeypatch.setenv("CAM_DIRECT_DATABASE_URL", "postgresql://user@host/name")
    assert load_settings().database_pooler == "transaction"


async def test_news_come_past_the_pooler(pooler_url: URL, postgresql_pristine: Pristine) -> None:
    """LISTEN keeps its connection, so it goes to the server itself; what is told goes through the pooler like all else."""
    database = Database(pooler_url, pooled=True, direct=postgresql_pristine.service_url)
    heard: asyncio.Queue[set[Topic]] = asyncio.Queue()
    connected = asyncio.Event()
    listener = Listener(database, heard=heard.put_nowait, connected=connected.set, origin="here")
    listening = asyncio.create_task(listener.listen())
    try:
        async with asyncio.timeout(60):
            await connected.wait()
            sender = Sender(database, "elsewhere")
            sender.send({("timeline", 7)})
            assert await heard.get() == {("timeline", 7)}
            await sender.finish()
    finally:
        listening.cancel()
        await asyncio.wait({listening})
        await database.dispose()


async def test_who_finds_no_connection_free_is_told_so_in_time(
    postgresql_pristine: Pristine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "POOL_SECONDS", 0.05)
    database = Database(postgresql_pristine.service_url, pool_size=1)
    try:
        async with database.read(), database.read():
            with pytest.raises(PoolTimeoutError):
                async with database.read():
                    pass
        async with database.read() as connection:
            assert (await connection.exec_driver_sql("SELECT 1")).scalar_one() == 1
    finally:
        await database.dispose()


async def test_connections_notice_a_lost_machine_and_say_whose_they_are(postgresql_pristine: Pristine) -> None:
    database = Database(postgresql_pristine.service_url)
    try:
        async with database.read() as connection:
            name = (await connection.exec_driver_sql("SELECT current_setting('application_name')")).scalar_one()
            options = (await connection.get_raw_connection()).driver_connection
            assert options is not None
            used = options.info.get_parameters()
    finally:
        await database.dispose()
    assert name == "cam"
    assert {key: used[key] for key in UNLESS_SAID} == UNLESS_SAID


async def test_what_an_address_says_goes_before(postgresql_pristine: Pristine) -> None:
    database = Database(
        postgresql_pristine.service_url.update_query_dict({"application_name": "mine", "keepalives_idle": "99"})
    )
    try:
        async with database.read() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            used = driver.info.get_parameters()
    finally:
        await database.dispose()
    assert (used["application_name"], used["keepalives_idle"], used["keepalives_count"]) == ("mine", "99", "3")


async def test_the_next_host_of_an_address_is_tried(postgresql_pristine: Pristine) -> None:
    """In libpq's own form, which people know from elsewhere: the first host is not there."""
    there = postgresql_pristine.service_url
    query = {**there.query, "host": ("/nowhere", str(there.query["host"]))}
    database = Database(there.set(query=query))
    try:
        async with database.read() as connection:
            assert (await connection.exec_driver_sql("SELECT 1")).scalar_one() == 1
    finally:
        await database.dispose()


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("postgresql://u:p@one:1,two:2/db", "postgresql://u:p@/db?host=one:1&host=two:2"),
        (
            "postgresql://one,two/db?sslmode=verify-full&target_session_attrs=read-write",
            "postgresql:///db?sslmode=verify-full&target_session_attrs=read-write&host=one&host=two",
        ),
        ("postgresql://one:1,two:2", "postgresql:///?host=one:1&host=two:2"),
        ("postgresql://u:a,b@host/db", "postgresql://u:a,b@host/db"),
        ("postgresql:///db?host=one:1&host=two:2", "postgresql:///db?host=one:1&host=two:2"),
        ("sqlite:///a,b.sqlite3", "sqlite:///a,b.sqlite3"),
    ],
)
def test_several_hosts_in_an_address(address: str, read: str) -> None:
    assert one_host_each(address) == read
    assert database_url(address).query == make_url(read).query


def test_an_address_may_begin_as_others_write_it() -> None:
    assert database_url("postgres://u@host/db") == database_url("postgresql://u@host/db")
