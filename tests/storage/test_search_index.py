"""Search with trigrams on PostgreSQL (F22, T5): where it is there, where it is used, and that it finds what SQLite finds."""

import uuid
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.dialects import postgresql as dialect
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from models.client import clients
from models.database import Database
from models.search_index import ADVICE, INDEXES, search_advice
from models.text import fold
from resolvers.search import contains
from server.command_line import app
from tests import postgresql
from tests.factory import Factory
from tests.pristine import Pristine

# Not just what LIKE reads, but what trigrams are made of: letters and digits, words and their ends, one or two characters.
NAMES = (
    "paper boat",
    "paper_boat",
    "paper%boat",
    r"paper\boat",
    r"100\% sure_",
    "ab",
    "a b",
    "a",
    "%",
    "_",
    "\\",
    "'; drop table client; --",
    'say "no"',
    "łódź straße",
    "日本語 株式会社",
    "🙂🙃",
    "x" * 190,
    "...---...",
    "((a|b)*)$",
)
SEARCHES = (
    *NAMES,
    "APER",
    "t\n1",
    "boat\n",
    "%%",
    "__",
    r"\%",
    r"\\",
    "日本",
    "🙃",
    "Łódź",
    "xxx",
    "--",
    "r_b",
    "r%b",
    "a%",
    "_a",
    "  ab  ",
    "zzz",
    "*",
)

BY_INDEX = "-c enable_seqscan=off -c enable_indexscan=off"


@pytest.fixture
async def unwalled(postgresql_server: URL, postgresql_pristine: Pristine) -> AsyncIterator[Database]:
    """The tests' PostgreSQL as one without row-level security has it, and with nothing but the index to search with."""
    postgresql_pristine.restore()
    url = postgresql_server.set(database=postgresql_pristine.service_url.database)
    database = Database(url.update_query_dict({"options": BY_INDEX}))
    yield database
    await database.dispose()


async def fill(database: Database) -> None:
    """One client for each name, as an import folds it, with its number behind it."""
    factory = Factory(database)
    made = await factory.clients(await factory.partner(), len(NAMES))
    async with database.write() as session:
        connection = await session.connection()
        for number, (client, name) in enumerate(zip(made, NAMES, strict=True)):
            await connection.execute(
                update(clients).where(clients.c.id == client.id).values(search_text=f"{fold(name)}\n{number}")
            )


async def found(database: Database, search: str) -> list[int]:
    """The numbers of the clients that a search finds."""
    statement = select(clients.c.search_text).where(contains(clients.c.search_text, search))
    async with database.read() as connection:
        return sorted(int(row.rpartition("\n")[2]) for row in (await connection.execute(statement)).scalars())


def expected(search: str) -> list[int]:
    """What is found by looking at each name."""
    return [number for number, name in enumerate(NAMES) if fold(search) in f"{fold(name)}\n{number}"]


async def test_both_databases_find_the_same(database: Database) -> None:
    await fill(database)
    for search in SEARCHES:
        assert await found(database, search) == expected(search), search


async def test_the_index_finds_the_same(unwalled: Database) -> None:
    """Every character stands for itself, also for those that no trigram is made of."""
    await fill(unwalled)
    for search in SEARCHES:
        assert await found(unwalled, search) == expected(search), search
    assert "ix_client_search" in await plan(unwalled, "paper_")


async def plan(database: Database, search: str) -> str:
    statement = select(clients.c.id).where(contains(clients.c.search_text, search))
    compiled = statement.compile(dialect=dialect.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    async with database.read() as connection:
        return "\n".join((await connection.execute(text(f"EXPLAIN {compiled}".replace(":", r"\:")))).scalars())


async def test_behind_the_wall_the_index_is_not_used(postgresql_pristine: Pristine) -> None:
    """LIKE is not leakproof: behind row-level security the tenant's rows come first, and the search looks at those alone."""
    postgresql_pristine.restore()
    url = postgresql_pristine.service_url
    walled = Database(url.update_query_dict({"options": f"{url.query.get('options', '')} {BY_INDEX}"}))
    try:
        await fill(walled)
        assert "ix_client_search" not in await plan(walled, "paper_")
        assert await found(walled, "paper_") == expected("paper_")
    finally:
        await walled.dispose()


@pytest.fixture
def poor_role(postgresql_server: URL) -> Iterator[tuple[URL, str]]:
    """The address of an empty database whose role may make tables but no extensions; and the database's name."""
    name = f"cam_test_{uuid.uuid4().hex}"
    postgresql.administer(
        postgresql_server,
        f"CREATE DATABASE {name}",
        f"CREATE ROLE {name} NOSUPERUSER",
        f"GRANT CONNECT ON DATABASE {name} TO {name}",
    )
    there = postgresql_server.set(database=name)
    postgresql.administer(there, f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    yield postgresql.acting_as(name, there), name
    postgresql.administer(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}")


def test_without_the_right_to_make_the_extension_migrate_says_what_to_do(
    poor_role: tuple[URL, str], postgresql_server: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once that is done, wherever the extension is, the next `cam migrate` makes the index."""
    url, name = poor_role
    monkeypatch.setenv("CAM_DATABASE_URL", url.render_as_string(hide_password=False))
    cam = CliRunner()
    first = cam.invoke(app, ["migrate"])
    assert (first.exit_code, first.stderr.strip()) == (0, ADVICE)
    there = postgresql_server.set(database=name)
    postgresql.administer(
        there,
        "CREATE SCHEMA elsewhere",
        f"GRANT USAGE ON SCHEMA elsewhere TO {name}",
        "CREATE EXTENSION pg_trgm SCHEMA elsewhere",
    )
    for _ in range(2):
        again = cam.invoke(app, ["migrate"])
        assert (again.exit_code, again.stderr) == (0, "")
    with psycopg.connect(there.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        made = connection.execute("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%'").fetchall()
    assert {row[0] for row in made} == set(INDEXES)


async def test_there_is_nothing_to_advise_where_the_index_is(database: Database) -> None:
    assert await search_advice(database) is None
