"""The commands of `cam`, and those that need no file of their own."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from models import migration
from models.database import Database
from models.permission.rule_cases import answer_cases
from models.search_index import search_advice
from server import (
    command_activity,
    command_backup,
    command_export,
    command_feedback,
    command_import,
    command_matrix,
    command_outbox,
    command_partner,
    command_serve,
    command_token,
    command_verify,
    command_worker,
)
from server.command_database import migrate, with_database

app = typer.Typer(
    name="cam",
    help="Client Access Manager: an agency's access in all of its client accounts.\n\n"
    "Settings come from environment variables CAM_*; CAM_DATABASE_URL names the database "
    "(an SQLite file, data/cam.sqlite3, unless told otherwise).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(command_serve.serve)
app.command("worker")(command_worker.worker)
command_import.app.command("activity")(command_activity.activity)
app.add_typer(command_import.app, name="import")
app.add_typer(command_matrix.app, name="matrix")
app.add_typer(command_export.app, name="export")
app.command("demo")(command_import.demo)
app.add_typer(command_token.app, name="token")
app.add_typer(command_partner.app, name="partner")
app.add_typer(command_outbox.app, name="outbox")
app.command("feedback")(command_feedback.feedback)
app.command("verify")(command_verify.verify)
app.command("backup")(command_backup.backup)
app.command("restore")(command_backup.restore)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 Typer's callback of a flag
    if wanted:
        typer.echo(f"cam {version('client-access-manager')}, tables {migration.head()}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[  # noqa: FBT002 an option of a command line
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Takes the options that come before a command."""


@app.command("migrate")
def run_migrate(
    walls: Annotated[
        bool | None,
        typer.Option(
            "--rls/--no-rls",
            help="Switch row-level security of PostgreSQL on or off, a second wall between agencies; otherwise it stays as it is.",
        ),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="With --rls: the role of the service, if this command runs under another one.")
    ] = None,
) -> None:
    """Bring the database to the version of this service; repeating it changes nothing."""
    if role is not None and not walls:
        raise typer.BadParameter("--role is about row-level security: say --rls too.")

    async def work(database: Database) -> tuple[str | None, str | None]:
        before = await migration.current(database)
        await migrate(database, walls=walls, role=role)
        return before, await search_advice(database)

    before, advice = with_database(work, migrated=False)
    now = migration.head()
    typer.echo(
        f"The database is at version {now}." if before == now else f"Migrated from {before or 'empty'} to {now}."
    )
    if advice:
        typer.echo(advice, err=True)


@app.command("schema")
def print_schema() -> None:
    """Print the GraphQL schema as text."""
    # Not before: every other command would wait for the schema to be built.
    from schema.schema import sdl  # noqa: PLC0415

    typer.echo(sdl(), nl=False)


@app.command("rule")
def rule(file: Annotated[Path, typer.Argument(help="JSON file with a list of cases; - for standard input.")]) -> None:
    """Answer cases of the bounded rule, with the function that the service uses, as JSON.

    A case is {"id", "catalogue", "actor", "ceiling", "target", "requested"}; states are {"key": "LEVEL"}. Without a catalogue it
    is about this service's own permissions.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
        cases = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}. Write a list of cases.") from None
    typer.echo(json.dumps(answer_cases(cases), indent=2, ensure_ascii=False))
