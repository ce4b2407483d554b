"""A PostgreSQL server of a test's own, that can be stopped and started: a copy of the one of all tests, with the databases there."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import URL

from tests import postgresql


class Cluster:
    """The server and its folder; it can be reached through a socket there."""

    def __init__(self, binaries: Path, place: Path, user: str | None) -> None:
        self._binaries = binaries
        self._place = place
        self._user = user
        self._keeper: subprocess.Popen[bytes] | None = None

    def url(self, database: str | None) -> URL:
        query = {"host": str(self._place)}
        return URL.create("postgresql+psycopg", username="postgres", database=database, query=query)

    def start(self) -> None:
        log = self._place / "log"
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(
                [
                    *("/bin/sh", "-c", postgresql.KEEPER, "sh"),
                    *(self._binaries / "postgres", "-D", self._place / "data", "-k", self._place, *postgresql.FAST),
                ],
                **postgresql._as(self._user),
                # The folder stays when the server stops.
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "FOLDER": ""},
                cwd=self._place,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        postgresql._wait(self.url("postgres"), log)

    def stop(self) -> None:
        """Ends the server the way a machine does that is shut down: connections are cut."""
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait(postgresql.PATIENCE_SECONDS)
        self._keeper = None

    def crash(self) -> None:
        """Ends the server the way of ``pg_ctl stop -m immediate``, without writing anything; it recovers when it is started."""
        (pid, *_) = (self._place / "data" / "postmaster.pid").read_text().split()
        os.kill(int(pid), signal.SIGQUIT)
        self.stop()

    def run(self, statement: str, database: str | None = "postgres") -> Any:
        """Returns the first value of a statement's first row."""
        address = self.url(database).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return None if row is None else row[0]


@contextmanager
def copied(server: URL, *, streaming: bool) -> Iterator[Cluster]:
    """Yields a running copy of a server: one that follows it (``streaming``), or one that goes its own way from now on."""
    folder = postgresql.binaries()
    if folder is None or postgresql.NAMED_SERVER:
        pytest.skip("needs binaries of PostgreSQL to copy a server with, and no server named in CAM_TEST_DATABASE_URL")
    user = postgresql.UNPRIVILEGED if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="cam-pg-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        if user is not None:
            shutil.chown(place, user, pwd.getpwnam(user).pw_gid)
            folder = postgresql._reachable(folder, place, user)
        subprocess.run(
            [
                *(folder / "pg_basebackup", "-h", str(server.query["host"]), "-U", str(server.username)),
                *("-D", place / "data", "--checkpoint=fast", "--no-sync", "--wal-method=stream"),
                *(["--write-recovery-conf"] if streaming else []),
            ],
            **postgresql._as(user),
            cwd=place,
            check=True,
            capture_output=True,
        )
        cluster = Cluster(folder, place, user)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
