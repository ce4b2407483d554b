"""`cam backup` and `cam restore`: a copy of everything, and everything from a copy."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from models import migration, sqlite_file
from models.database import Database
from models.sqlite_file import check_version
from models.whole_file import FileError, taken, whole_file
from server import postgresql_dump
from server.command_database import with_database
from server.command_verify import FAULTY, told
from server.database import open_past_pooler
from server.setting import Settings, load_settings

KEY_ENDING = ".key"
"""What a key file's name has more than that of its database (``server.secret_key``), or of its backup."""

_KEPT = "The key that makes the tokens of links is not in the backup"


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the backup.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,  # noqa: FBT002 an option of a command line
    with_key: Annotated[  # noqa: FBT002 an option of a command line
        bool, typer.Option("--with-key", help="Copy the secret key that lies beside the SQLite file too, to FILE.key.")
    ] = False,
) -> None:
    """Write all of the database, of one moment, into a file; the service may go on.

    The file appears when it is complete, checked and on the disk. It is readable by its owner alone: it holds personal data.
    """
    settings = load_settings()
    database = open_past_pooler(settings)
    key = _key_file(settings, database)
    copied = file.with_name(f"{file.name}{KEY_ENDING}")
    if with_key and (key is None or not key.exists()):
        raise FileError(
            "There is no key file beside the database to copy: leave --with-key out, and keep CAM_SECRET_KEY elsewhere."
        )
    if with_key and copied.exists() and not force:
        raise taken(copied)
    version = _back_up(database, file, force=force)
    typer.echo(f"Backup {file} ({file.stat().st_size:,} bytes, tables at version {version}) is whole.")
    if key is None:
        typer.echo(f"{_KEPT}: keep what CAM_SECRET_KEY says too. Without it the links that were sent no longer open.")
    elif with_key:
        _copy_key(key, copied, replace=force)
        typer.echo(f"Its secret key is in {copied}: whoever has both can make the links that people have been sent.")
    elif key.exists():
        typer.echo(f"{_KEPT}: keep {key} too, or use --with-key. Without it the links that were sent no longer open.")
    typer.echo(f"Bring it back with cam restore {file}.")


def _key_file(settings: Settings, database: Database) -> Path | None:
    """Returns where the secret key is, if it is in a file of the service's own."""
    if settings.secret_key is not None or database.file is None:
        return None
    return Path(f"{database.file}{KEY_ENDING}")


def _back_up(database: Database, file: Path, *, force: bool) -> str:
    source = database.file
    if source is None:
        return postgresql_dump.dump(database.url, file, replace=force)
    if not source.exists():
        raise FileError(f"There is no database file {source}: check CAM_DATABASE_URL.")
    if file.resolve() == source.resolve():
        raise FileError(f"{file} is the database itself: name another file.")
    return sqlite_file.back_up(source, file, replace=force)


def _copy_key(source: Path, target: Path, *, replace: bool = False) -> None:
    with whole_file(target, replace=replace) as partial:
        partial.write_bytes(source.read_bytes())


def restore(
    file: Annotated[Path, typer.Argument(help="A backup that cam backup has written.", exists=True, dir_okay=False)],
    force: Annotated[  # noqa: FBT002 an option of a command line
        bool, typer.Option("--force", help="Put it in the place of the SQLite file that is there, which is kept aside.")
    ] = False,
) -> None:
    """Bring the database back from a backup, and check it; the service must be stopped.

    An SQLite file that is there keeps its data under another name, …before-restore. On PostgreSQL the database must be empty.
    """
    settings = load_settings()
    database = open_past_pooler(settings)
    target = database.file
    version = sqlite_file.check_file(file) if target is not None else postgresql_dump.dumped_version(file)
    check_version(version)
    if target is None:
        _fill(file, database)
    else:
        old = sqlite_file.restore(file, target, replace=force)
        if old is not None:
            typer.echo(f"The database as it was is kept in {old}.")
        _restore_key(file, _key_file(settings, database))
    typer.echo(f"The database is as in {file}, with tables at version {version}.")
    if target is None:
        typer.echo("Who may use it was not restored: with row-level security, run cam migrate --rls again as before.")
    if version != migration.head():
        typer.echo(f"This service is at version {migration.head()}: run cam migrate, and then cam verify.")
        return
    if not with_database(told):
        raise typer.Exit(FAULTY)
    typer.echo("Start the service: cam serve.")


def _fill(file: Path, database: Database) -> None:
    if asyncio.run(_tables(database)):
        where = database.url.render_as_string(hide_password=True)
        raise FileError(
            f"{where} is not empty, and nothing there is replaced: name a new database in CAM_DATABASE_URL, and in "
            "CAM_DIRECT_DATABASE_URL where that is set."
        )
    postgresql_dump.load(file, database.url)


async def _tables(database: Database) -> bool:
    try:
        return await migration.current(database) is not None
    finally:
        await database.dispose()


def _restore_key(file: Path, key: Path | None) -> None:
    """Brings back the key that lies beside the backup; one that is there already stays."""
    saved = file.with_name(f"{file.name}{KEY_ENDING}")
    if key is None or not saved.exists():
        return
    if not key.exists():
        _copy_key(saved, key)
        typer.echo(f"The secret key is back in {key}.")
    elif key.read_bytes() != saved.read_bytes():
        typer.echo(
            f"The secret key {key} is another one than {saved}, and stays: links that were sent before the backup do not open. "
            f"To open them again, put {saved} in its place."
        )
