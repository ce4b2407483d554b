"""What PostgreSQL undoes in favour of another transaction is done again, as long as nothing of it is there yet."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError

from models import conflict
from models.client import clients
from models.conflict import TRIES, again_after_conflict
from models.database import Database
from models.dialect import lock_keys
from models.timeline_entry import timeline_entries
from server.error import is_database_unavailable
from tests.api.write_story import APPLIED, Story, mutation, permissions, product
from tests.factory import Factory
from tests.pristine import Pristine


@pytest.fixture
async def database(postgresql_pristine: Pristine) -> AsyncIterator[Database]:
    postgresql_pristine.restore()
    database = Database(postgresql_pristine.service_url)
    yield database
    await database.dispose()


@pytest.fixture
def other(postgresql_pristine: Pristine) -> Iterator[psycopg.Connection]:
    """Somebody else's session, which does not look for deadlocks itself within the time of a test."""
    dialect: Any = PGDialect_psycopg  # SQLAlchemy's own way from an address to libpq's parameters, which has no types
    _, options = dialect().create_connect_args(postgresql_pristine.service_url)
    with psycopg.connect(**options) as connection:
        connection.execute("SELECT set_config('cam.partners', '*', false)")
        connection.commit()
        yield connection


@contextmanager
def losing(other: psycopg.Connection, times: int) -> Iterator[None]:
    """Lets whoever changes a client lose to a deadlock a number of times."""
    other.execute("CREATE SEQUENCE lost")
    other.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF nextval('lost') <= {times} THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF; "
        "RETURN NEW; END $$"
    )
    other.execute("CREATE TRIGGER lose BEFORE UPDATE ON client FOR EACH ROW EXECUTE FUNCTION lose()")
    other.commit()
    try:
        yield
    finally:
        other.rollback()
        other.execute("DROP TRIGGER lose ON client")
        other.execute("DROP FUNCTION lose")
        other.execute("DROP SEQUENCE lost")
        other.commit()


async def test_a_mutation_that_lost_is_carried_out_once(factory: Factory, other: psycopg.Connection) -> None:
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    before = await entries(factory.database)
    with losing(other, TRIES - 1):
        told = await story.grant(person, permissions({"contacts.view": "OWNED"}))
    assert told.verdict == APPLIED
    assert await entries(factory.database) == before + 1


async def test_who_loses_again_and_again_is_told_to_come_back(
    factory: Factory, other: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conflict, "PAUSE_SECONDS", 0.0)
    story = await Story.begin(factory, {"contacts.view": "ALL"})
    person = await factory.member(story.partner)
    before = await entries(factory.database)
    with losing(other, 1000):
        _, errors = await story.run(
            mutation("grantAccess"),
            input={
                "targets": product([person], [story.client]),
                "access": permissions({"contacts.view": "OWNED"}),
            },
        )
        assert len(errors) == 1
        assert other.execute("SELECT last_value FROM lost").fetchone() == (TRIES,)
    assert await entries(factory.database) == before


async def test_a_real_deadlock_is_lost_and_done_again(
    postgresql_pristine: Pristine, factory: Factory, other: psycopg.Connection
) -> None:
    partner = await factory.partner()
    first, second = await factory.clients(partner, 2)
    url = postgresql_pristine.service_url
    impatient = Database(url.update_query_dict({"options": f"-c deadlock_timeout=20ms {url.query.get('options', '')}"}))
    locking = "SELECT 1 FROM client WHERE id = %s FOR UPDATE"
    tries: list[asyncio.Task[None]] = []

    def take_both() -> None:
        other.execute(locking, (second.id,))
        other.commit()

    async def work() -> None:
        async with impatient.write() as session:
            connection = await session.connection()
            await lock_keys(connection, clients, [second.id])
            if not tries:
                tries.append(asyncio.create_task(asyncio.to_thread(take_both)))
                await waiting(factory.database)
            await lock_keys(connection, clients, [first.id])
            await connection.execute(update(clients).values(display_name="Ours"))

    other.execute(locking, (first.id,))
    asking = asyncio.create_task(again_after_conflict(work))
    try:
        async with asyncio.timeout(60):
            await asking
    finally:
        await impatient.dispose()
    async with factory.database.read() as connection:
        names = (await connection.execute(select(clients.c.display_name))).scalars().all()
    assert set(names) == {"Ours"}


async def test_what_is_partly_there_is_not_done_again(factory: Factory) -> None:
    partner = await factory.partner()
    await factory.client(partner)
    done: list[str] = []

    async def work() -> None:
        async with factory.database.write() as session:
            await (await session.connection()).execute(update(clients).values(display_name="Ours"))
        done.append("half")
        raise lost()

    with pytest.raises(DBAPIError) as failed:
        await again_after_conflict(work)
    assert done == ["half"]
    assert is_database_unavailable(failed.value), "which says that it may be tried again"


async def test_another_error_is_not_tried_again() -> None:
    tried: list[int] = []

    async def work() -> None:
        tried.append(1)
        raise DBAPIError("SELECT", {}, psycopg.errors.UniqueViolation("twice"))

    with pytest.raises(DBAPIError):
        await again_after_conflict(work)
    assert tried == [1]


def lost() -> DBAPIError:
    return DBAPIError.instance("UPDATE", {}, DeadlockDetected("deadlock detected"), psycopg.Error)  # type: ignore[return-value]


async def waiting(database: Database) -> None:
    """Returns when somebody waits for a lock."""
    while True:
        async with database.read() as connection:
            if await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                return
        await asyncio.sleep(0.01)


async def entries(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(timeline_entries))).scalar_one())
