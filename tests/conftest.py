"""What every test can ask for: a database of each kind, builders for rows, a recorder of statements."""

import gc
import os
import shutil
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck
from sqlalchemy.engine import URL

from models import migration
from models.database import Database
from resolvers.demo.load import load_demo
from resolvers.interning import publish_catalogue
from tests import postgresql
from tests.factory import Factory
from tests.kept_engines import KeptEngines
from tests.life_factory import LifeFactory
from tests.pristine import Pristine
from tests.statement_recorder import StatementRecorder

DATABASES = ("sqlite", "postgresql")
LONG_FILES = (
    "tests/histories/test_client.py",
    "tests/histories/test_manager.py",
    "tests/histories/test_side_by_side.py",
    "tests/storms/test_concurrent_history.py",
    "tests/storage/test_timeline_chain.py",
    "tests/api/test_status_table.py",
    "tests/storms/test_kill_storm.py",
    "tests/api/test_writing_statement.py",
    "tests/api/test_reading_statement.py",
    "tests/api/test_migration_concurrency.py",
    "tests/server/test_mail_killed.py",
    "tests/server/test_readme.py",
    "tests/browser/test_graphiql.py",
)
"""Those with few tests that take long."""

WHOLE = frozenset(
    {
        *("test_tenant_wall", "test_migration_concurrency", "test_durable_operation", "test_queries"),
        *("test_reading_statement", "test_writing_statement", "test_subscription_process", "test_timeline_chain"),
        "test_pod_concurrency",
    }
)
"""Those of the API that are all played on PostgreSQL too: what is decided there by the database."""

# A machine that is busy with other things must not fail a test.
hypothesis.settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="thousands of examples where the quick run has hundreds")


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI", "").lower() in {"1", "true"} and not postgresql.available():
        pytest.exit(postgresql.HOW_TO_GET_IT, returncode=3)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--thorough"):
        long = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
        spared = _spared(config, items)
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in set(spared)]
    if hasattr(config, "workerinput"):
        # Long files first, so that no worker is left alone with one; needs --no-loadscope-reorder.
        last = len(LONG_FILES)
        ranks = {str(config.rootpath / name): rank for rank, name in enumerate(LONG_FILES)}
        items.sort(key=lambda item: ranks.get(str(item.path), last))
    if not postgresql.available():
        out = [item for item in items if _needs_postgresql(item)]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _spared(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Returns what the quick run leaves out on PostgreSQL: of what asks through the API, it plays each seventh, by the file.

    All of it is played on SQLite, and with --thorough on both.
    """
    api, seen, spared = config.rootpath / "tests" / "api", Counter[Path](), []
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if item.path.parent != api or item.path.stem in WHOLE or parameters.get("database_url") != "postgresql":
            continue
        seen[item.path] += 1
        if seen[item.path] % 7 != 1:
            spared.append(item)
    return spared


def pytest_collection_finish() -> None:
    # What there is by now stays to the end, and looking for garbage in it again and again costs a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _needs_postgresql(item: pytest.Item) -> bool:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return any(parameters.get(name) == "postgresql" for name in ("database_url", "empty_database_url", "demo_url"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not postgresql.available():
        terminalreporter.write_line(postgresql.HOW_TO_GET_IT, red=True, bold=True)


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether thousands of examples are wanted."""
    return bool(request.config.getoption("--thorough"))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    """One server for this worker, started when the first test needs it."""
    if not postgresql.available():
        pytest.skip(postgresql.HOW_TO_GET_IT)
    with postgresql.server() as url:
        yield url


async def _prepare(url: str | URL) -> None:
    database = Database(url, durable=False)
    try:
        await migration.upgrade(database)
        if not database.is_sqlite:
            await migration.secure(database)
        async with database.write() as session:
            await publish_catalogue(await session.connection())
    finally:
        await database.dispose()


async def _with_demo(url: str) -> str:
    """Loads the demo agency into a migrated database."""
    database = Database(url, durable=False)
    try:
        await load_demo(database)
    finally:
        await database.dispose()
    return url


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file; a test's database is a copy of it."""
    file = tmp_path_factory.mktemp("template") / "template.sqlite3"
    await _prepare(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def service_role(postgresql_server: URL) -> Iterator[str | None]:
    """The role that owns the tests' database: row-level security is always on, and holds for the service as for any other."""
    with postgresql.service_role(postgresql_server) as role:
        yield role


@pytest.fixture(scope="session")
async def postgresql_pristine(
    postgresql_server: URL, service_role: str | None, kept_engines: KeptEngines
) -> AsyncIterator[Pristine]:
    """A migrated database behind row-level security; each test that asks for it finds it as if new."""
    name = f"cam_test_{uuid.uuid4().hex}"
    owned = "" if service_role is None else f"OWNER {service_role}"
    postgresql.administer(postgresql_server, f"CREATE DATABASE {name} {owned}")
    url = postgresql_server.set(database=name)
    service_url = postgresql.acting_as(service_role, url)
    try:
        await _prepare(service_url)
        pristine = Pristine(url, service_url)
        yield pristine
        await kept_engines.close()
        pristine.close()
    finally:
        postgresql.administer(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database with the built-in permission sets and nothing else, once of each kind."""
    if request.param == "sqlite":
        file = tmp_path / "cam.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    pristine: Pristine = request.getfixturevalue("postgresql_pristine")
    pristine.restore()
    return pristine.service_url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
async def sqlite_demo(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a file with the demo agency."""
    file = tmp_path_factory.mktemp("demo") / "demo.sqlite3"
    shutil.copyfile(sqlite_template, file)
    return await _with_demo(f"sqlite:///{file}")


@pytest.fixture(scope="session")
async def postgresql_demo(postgresql_server: URL, service_role: str | None) -> AsyncIterator[str]:
    """The address of a database with the demo agency, behind row-level security."""
    name = f"cam_demo_{uuid.uuid4().hex}"
    owned = "" if service_role is None else f"OWNER {service_role}"
    postgresql.administer(postgresql_server, f"CREATE DATABASE {name} {owned}")
    url = postgresql.acting_as(service_role, postgresql_server.set(database=name))
    try:
        await _prepare(url)
        yield await _with_demo(url.render_as_string(hide_password=False))
    finally:
        postgresql.administer(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=DATABASES)
def demo_url(request: pytest.FixtureRequest) -> str:
    """The address of a database with the demo agency, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_demo")
    return url


@pytest.fixture
async def demo_agency(demo_url: str) -> AsyncIterator[Database]:
    """The demo agency, once of each kind; all tests share it, and only read."""
    database = Database(demo_url, durable=False)
    yield database
    await database.dispose()


@pytest.fixture(scope="session")
def kept_engines() -> KeptEngines:
    """One engine of each kind for all tests of this worker."""
    return KeptEngines()


@pytest.fixture
async def database(database_url: str, kept_engines: KeptEngines) -> AsyncIterator[Database]:
    """A migrated database with the built-in permission sets and nothing else, once of each kind."""
    database = kept_engines.lend(database_url)
    yield database
    await kept_engines.take_back(database)


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    server: URL = request.getfixturevalue("postgresql_server")
    name = f"cam_test_{uuid.uuid4().hex}"
    postgresql.administer(server, f"CREATE DATABASE {name}")
    yield server.set(database=name).render_as_string(hide_password=False)
    postgresql.administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database(empty_database_url: str) -> AsyncIterator[Database]:
    """A database without any table, once of each kind."""
    database = Database(empty_database_url, durable=False)
    yield database
    await database.dispose()


@pytest.fixture
def recorder(database: Database) -> StatementRecorder:
    """Records the statements sent to ``database``."""
    return StatementRecorder(database)


@pytest.fixture
def factory(database: Database) -> Factory:
    """Builds rows in ``database``."""
    return Factory(database)


@pytest.fixture
def life_factory(factory: Factory) -> LifeFactory:
    """Builds links, assets, mails and feedback in ``database``."""
    return LifeFactory(factory)
