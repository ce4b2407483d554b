"""Backups of a PostgreSQL database with its own tools; the password is in the environment and never on a command line."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from sqlalchemy.engine import URL

from models.tenancy import ALL
from models.whole_file import FileError, whole_file

_VERSION = re.compile(r"^COPY \S*alembic_version .*\n(\S+)\n", re.MULTILINE)


def dump(url: URL, target: Path, *, replace: bool = False) -> str:
    """Writes all of the database, of one moment, into a file, and returns the version of its tables.

    Raises:
        FileError: if there is no pg_dump, or it or the disk refuses.
    """
    # Row-level security is for everybody, so the dump says that it is about all rows (``_run``): without, it would be refused.
    arguments = ["--format=custom", "--enable-row-security"]
    tool = _tool("pg_dump", [*arguments, f"--file={target}", f"--dbname={_address(url)}"])
    with whole_file(target, replace=replace) as partial:
        _run([tool, *arguments, f"--file={partial}", f"--dbname={_address(url)}"], url)
        return dumped_version(partial)


def dumped_version(file: Path) -> str:
    """Returns the version of the tables in a dump that can be read to its end.

    Raises:
        FileError: if it cannot, or is no dump of this service.
    """
    tool = _tool("pg_restore", ["--list", str(file)])
    # To the end of everything, as a restore reads it; what comes out is thrown away.
    _run([tool, f"--file={os.devnull}", str(file)], None)
    found = _VERSION.search(_run([tool, "--data-only", "--table=alembic_version", "--file=-", str(file)], None))
    if found is None:
        raise FileError(f"{file.name} is no backup of this service.")
    return found.group(1)


def load(file: Path, url: URL) -> None:
    """Fills an empty database from a dump, all of it or nothing.

    Raises:
        FileError: if there is no pg_restore, or it or the database refuses.
    """
    arguments = [
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        f"--dbname={_address(url)}",
    ]
    _run([_tool("pg_restore", [*arguments, str(file)]), *arguments, str(file)], url)


def _tool(name: str, arguments: list[str]) -> str:
    found = shutil.which(name)
    if found is None:
        line = shlex.join([name, *arguments])
        raise FileError(
            f"{name} is not here: install PostgreSQL's client programs, of the server's version or later, or run this where they "
            f"are, with the password in PGPASSWORD or a file named by PGPASSFILE: {line}"
        )
    return found


def _address(url: URL) -> str:
    query = {name: value for name, value in url.query.items() if name not in {"password", "options"}}
    return url.set(drivername="postgresql", query=query)._replace(password=None).render_as_string()


def _run(command: list[str], url: URL | None) -> str:
    """Returns what a tool has written; the last thing that it complains of is the reason why it failed."""
    environment = dict(os.environ)
    if url is not None:
        options = (environment.get("PGOPTIONS"), url.query.get("options"), f"-c cam.partners={ALL}")
        environment["PGOPTIONS"] = " ".join(str(option) for option in options if option)
        password = url.password or url.query.get("password")
        if password:
            environment["PGPASSWORD"] = str(password)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 our own arguments
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"it ended with {done.returncode}"]
        raise FileError(f"{Path(command[0]).name} refuses: {' '.join(said[:2])}")
    return done.stdout
