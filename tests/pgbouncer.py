"""A real PgBouncer in transaction mode before the tests' PostgreSQL, where this machine has one."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from tests import postgresql

HOW_TO_GET_IT = "no PgBouncer here: install it (apt-get install pgbouncer), or name its binary in CAM_TEST_PGBOUNCER; with CI=true it must be there"
# Read at once: tests of the settings clear the variables that begin with CAM_.
BINARY = os.environ.get("CAM_TEST_PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ.get('PATH')}:/usr/sbin")
IS_CI = os.environ.get("CI", "").lower() in {"1", "true"}
PATIENCE_SECONDS = 30.0

CONFIGURATION = """
[databases]
{name} = {server} dbname={name} user={user} connect_query='{query}'
[pgbouncer]
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
auth_type = any
listen_addr =
listen_port = 6432
unix_socket_dir = {place}
"""


@contextmanager
def pgbouncer(url: URL, *, role: str | None, connections: int) -> Iterator[URL]:
    """Yields the address of a database behind a pooler that shares a few connections; as ``role``, if one is given."""
    if BINARY is None:
        if IS_CI:
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)
    user = postgresql.UNPRIVILEGED if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="cam-pooler-") as name:
        place = Path(name)
        host = url.query.get("host", url.host)
        configuration = place / "pgbouncer.ini"
        configuration.write_text(
            CONFIGURATION.format(
                name=url.database,
                server=f"host={host} port={url.port or 5432}",
                user=url.username,
                query="SELECT 1" if role is None else f"SET ROLE {role}",
                connections=connections,
                place=place,
            )
        )
        if user is not None:
            for path in (place, configuration):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        pooler = subprocess.Popen(
            [BINARY, configuration], **postgresql._as(user), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            reached = URL.create(
                "postgresql+psycopg", username=url.username, database=url.database, port=6432, query={"host": name}
            )
            _wait(reached, pooler)
            yield reached
        finally:
            pooler.kill()
            pooler.communicate()


def _wait(url: URL, pooler: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return postgresql.administer(url, "SELECT 1")
        except psycopg.OperationalError as error:
            if pooler.poll() is not None or time.monotonic() > deadline:
                pooler.kill()
                raise RuntimeError(f"PgBouncer did not start: {pooler.communicate()[0].decode()}") from error
            time.sleep(0.05)
