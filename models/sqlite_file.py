"""A database that is a file: whole copies of it while others write, and putting a copy in its place."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from alembic.script import ScriptDirectory

from models.migration import NEWER, alembic_config
from models.whole_file import FileError, flush_folder, unwritten, whole_file

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file while it is in use."""
_PATIENCE_SECONDS = 1.0
_FAULTS = 3
_UNWRITTEN = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")
_LOCK_BYTES = (0x40000000, 512)
"""Where in the file SQLite's locks are."""


def back_up(source: Path, target: Path, *, replace: bool = False) -> str:
    """Writes a whole copy of one moment, while others go on writing, and returns the version of its tables.

    Raises:
        FileError: if there is no database, no room for the copy, or the copy is not whole.
    """
    with whole_file(target, replace=replace) as partial:
        try:
            with closing(_opened(source, "mode=rw")) as connection:
                # A file that is no database is found out here, so that what comes is about the copy.
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                _vacuum(connection, partial, target)
        except sqlite3.Error as error:
            raise FileError(f"{source} cannot be read: {error}. See cam verify.") from error
        return check_file(partial)


def _vacuum(connection: sqlite3.Connection, partial: Path, target: Path) -> None:
    try:
        connection.execute("VACUUM INTO ?", (str(partial),))
    except sqlite3.Error as error:
        if str(getattr(error, "sqlite_errorname", "")).startswith(_UNWRITTEN):
            raise unwritten(target, str(error)) from error
        raise


def check_file(file: Path) -> str:
    """Returns the version of the tables in a copy that nobody writes.

    Raises:
        FileError: if it is no database of this service, or not whole.
    """
    wal = file.with_name(f"{file.name}-wal")
    if wal.exists() and wal.stat().st_size:
        raise FileError(
            f"{file} is a database in use, not a backup: part of it is in {wal.name}. Copy it with cam backup."
        )
    try:
        with closing(_opened(file, "immutable=1")) as connection:
            said = [said for (said,) in connection.execute(f"PRAGMA integrity_check({_FAULTS})") if said != "ok"]
            lost = connection.execute("PRAGMA foreign_key_check").fetchmany(_FAULTS)
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise FileError(f"{file.name} is damaged, or no database of this service: {error}.") from error
    faults = [*said, *(f"{table} names a row of {parent} that is not there" for table, _, parent, _ in lost)]
    if faults:
        raise FileError(f"{file.name} is damaged: {'; '.join(faults)}. See cam verify, and take an older backup.")
    if found is None:
        raise FileError(f"{file.name} is empty: there is nothing in it to keep.")
    return str(found[0])


def check_version(version: str) -> None:
    """Makes sure that this service knows a version of the tables.

    Raises:
        FileError: if it is a newer one.
    """
    if version not in {step.revision for step in ScriptDirectory.from_config(alembic_config()).walk_revisions()}:
        raise FileError(NEWER)


def restore(backup: Path, target: Path, *, replace: bool = False) -> Path | None:
    """Puts a copy of a checked backup in the place of a database; returns where the old one is now, if there was one.

    There is no moment without a database, and nobody can have the old one open when it goes.

    Raises:
        FileError: if there is a database and it is not to be replaced, if it is in use, or if there is no room.
    """
    target = target.resolve()
    if target.exists() and not replace:
        raise FileError(
            f"There is a database {target}: with --force the backup takes its place, and what is there now is kept aside."
        )
    if not target.exists():
        with whole_file(target) as partial:
            _copy(backup, partial)
            _drop_rest(target)
        return None
    old = _free_name(target)
    with _unused(target, old), whole_file(target, replace=True) as partial:
        _copy(backup, partial)
        _belong_as(target, partial)
        # It has both names until the new one takes its own.
        old.hardlink_to(target)
        flush_folder(target.parent)
    return old


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing)


def _belong_as(old: Path, new: Path) -> None:
    """Lets those use the new file who could use the old one: the service need not be who restores."""
    shutil.copymode(old, new)
    with suppress(PermissionError):
        os.chown(new, old.stat().st_uid, old.stat().st_gid)


def _drop_rest(file: Path) -> None:
    """Removes what a database that is gone has left behind: SQLite would take it for the new one's."""
    for ending in BESIDE:
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


def _free_name(file: Path) -> Path:
    names = (file.with_name(f"{file.name}.before-restore{f'-{number}' if number else ''}") for number in range(10_000))
    return next(name for name in names if not name.exists())


@contextmanager
def _unused(file: Path, old: Path) -> Iterator[None]:
    """Makes sure that nobody has the database open, and that all of it is in the one file, which is to be called ``old``.

    Raises:
        FileError: if somebody has.
    """
    logs = _keep_logs(file, old)
    connection = _opened(file, "mode=rw")
    try:
        # Leaving the WAL takes everybody else to have closed the file, readers too, and writes the log back into it.
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        connection.close()
        # A file may be too damaged for SQLite to tell; the locks on it tell as well.
        if str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY") or _is_locked(file):
            _remove(logs)
            raise FileError(
                f"{file} is in use: stop the service, and whatever else works with it, and try again."
            ) from error
        # Its log is kept beside it.
        _drop_rest(file)
    else:
        _remove(logs)
    with closing(connection):
        yield


def _keep_logs(file: Path, old: Path) -> list[Path]:
    """Copies the logs of changes that are not in the file yet: closing a damaged one, SQLite throws them away."""
    kept = []
    for ending in ("-wal", "-journal"):
        log = file.with_name(f"{file.name}{ending}")
        if log.exists() and log.stat().st_size:
            kept.append(old.with_name(f"{old.name}{ending}"))
            shutil.copy2(log, kept[-1])
    return kept


def _remove(files: list[Path]) -> None:
    for file in files:
        file.unlink()


def _is_locked(file: Path) -> bool:
    start, length = _LOCK_BYTES
    with file.open("rb+") as opened:
        try:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        except OSError:
            return True
    return False


def _opened(file: Path, how: str) -> sqlite3.Connection:
    address = f"{file.absolute().as_uri()}?{how}"
    try:
        return sqlite3.connect(address, uri=True, isolation_level=None, timeout=_PATIENCE_SECONDS)
    except sqlite3.Error as error:
        raise FileError(f"{file} cannot be opened: {error}.") from error
