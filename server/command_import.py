"""`cam import` and `cam demo`: bringing data in, with a progress bar."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.database import Database
from resolvers.asset_import import import_assets
from resolvers.client_import import import_clients
from resolvers.demo.ecosystem import load_ecosystem
from resolvers.demo.ecosystem_size import ecosystem_size
from resolvers.demo.load import load_demo
from resolvers.demo.sign_in import demo_people
from resolvers.import_result import ImportResult, ImportStatus
from resolvers.import_result import Progress as Report
from resolvers.member_import import import_members
from resolvers.partner_creation import partner_by_hub_id
from resolvers.people_import import import_people
from resolvers.super_admin_import import import_super_admins
from server.command_database import with_database
from server.secret_key import link_issuer
from server.setting import load_settings

app = typer.Typer(help="Bring clients, people or assets of a partner in from a CSV file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="CSV file in UTF-8 with a header line; - for standard input.")]
HubId = Annotated[
    int | None, typer.Option("--partner", help="Hub ID of the partner; needed only if there are several.")
]

Importer = Callable[[Database, int, BinaryIO, Report], Awaitable[ImportResult]]


@contextmanager
def progress_bar(what: str) -> Iterator[Report]:
    """Shows a bar on a terminal's standard error, and yields what tells it how far the work is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@app.command("clients")
def clients(file: File, partner: HubId = None) -> None:
    """Import clients.

    Columns: hub_id, official_name, display_name, domain, account_type, managed_mrr, currency. Good rows are taken, bad ones are
    named by their line; importing the same file again changes nothing. Exit code 1 if a row was rejected.
    """
    _import("Clients", import_clients, file, partner)


@app.command("members")
def members(file: File, partner: HubId = None) -> None:
    """Import a partner's people.

    Columns: email, first_name, last_name, kind (EMPLOYEE or CONTRACTOR), manager_rights (NONE, VIEW or EDIT), verified (true or
    false). Where the names, manager_rights or verified are empty, a member keeps what is there, and a new one begins without a
    name, with NONE, or unverified. Good rows are taken, bad ones are named by their line; importing the same file again changes nothing. Exit code 1 if a
    row was rejected.
    """
    _import("People", import_members, file, partner)


@app.command("people")
def people(
    file: File,
    partner: Annotated[
        int | None, typer.Option(help="Hub ID of the partner whose people they are; without it, the accounts' own.")
    ] = None,
) -> None:
    """Import who has access in client accounts from before this service.

    Columns: hub_id (of the account), email, first_name, last_name, access. Without --partner the people are the accounts' own, and
    access is SUPER_ADMIN or the name of a built-in permission set; names count for people who are new. With --partner they are
    members of it, and access is SUPER_ADMIN. Good rows are taken, bad ones are named by their line; importing the same file again
    changes nothing. Exit code 1 if a row was rejected. For the operator alone: nobody becomes super admin otherwise.
    """
    if partner is None:
        _report("Own people", import_people, file)
    else:
        _import("Super admins", import_super_admins, file, partner)


@app.command("assets")
def assets(file: File, partner: HubId = None) -> None:
    """Import who owns what in client accounts.

    Columns: hub_id (of the client), owner_email, kind (CONTACT, DEAL, WORKFLOW …), external_id, name. The owner is one of the
    partner's people who has not left, with or without access there; a known asset gets the owner and name of its row. Good rows are
    taken, bad ones are named by their line; importing the same file again changes nothing. Exit code 1 if a row was rejected.
    """
    _import("Assets", import_assets, file, partner)


def _import(what: str, importer: Importer, file: Path, partner: int | None) -> None:
    async def work(database: Database, stream: BinaryIO, report: Report) -> ImportResult:
        async with database.read() as connection:
            partner_id = await partner_by_hub_id(connection, partner)
        return await importer(database, partner_id, stream, report)

    _report(what, work, file)


def _report(what: str, work: Callable[[Database, BinaryIO, Report], Awaitable[ImportResult]], file: Path) -> None:
    with opened(file) as stream, progress_bar(what) as report:
        result = with_database(lambda database: work(database, stream, report))
    for row in result.rejected:
        typer.echo(f"line {row.line}: {row.message}", err=True)
    counts = ", ".join(f"{result.count(status)} {status.lower()}" for status in ImportStatus)
    typer.echo(f"{what}: {counts}.")
    if result.rejected:
        raise typer.Exit(1)


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Yields the file, or the standard input for ``-``."""
    if str(file) == "-":
        yield sys.stdin.buffer
    else:
        with file.open("rb") as stream:
            yield stream


def demo(
    people: Annotated[int | None, typer.Option(help="People in all agencies together.")] = None,
    clients: Annotated[int | None, typer.Option(help="Clients in all agencies together; two for each person.")] = None,
    agencies: Annotated[
        int | None, typer.Option(help="Agencies, a few large and many small; 600 for 28000 people.")
    ] = None,
    grants: Annotated[int | None, typer.Option(help="Grants in all agencies together; 18 for each client.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives other data of the same size; 1.")] = None,
) -> None:
    """Fill a new database with a fictitious agency, or with an ecosystem of any size.

    Without options: 45 employees, 12 contractors and 300 clients, and a second agency that shares some accounts. With options:
    agencies of all sizes with a history of their own, in a new database or beside the demo agency. The same options give the same
    data each time; what is there already stays. An ecosystem that was interrupted goes on when the same command is repeated.
    """
    numbers = (people, clients, agencies, grants, seed)
    size = (
        None
        if numbers == (None,) * len(numbers)
        else ecosystem_size(people, clients, agencies, grants, 1 if seed is None else seed)
    )
    with progress_bar("Clients") as report:

        async def work(database: Database) -> tuple[bool, dict[str, str]]:
            if size is None:
                made = await load_demo(database, report, issuer=link_issuer(load_settings()))
            else:
                made = await load_ecosystem(database, size, report)
            async with database.read() as connection:
                return made, await demo_people(connection)

        made, signing_in = with_database(work)
    typer.echo("The demo is loaded." if made else "The demo is there already; nothing was changed.")
    if signing_in:
        typer.echo("Sign in with cam token create --scope read --scope write --email, as one of:")
    for email, who in signing_in.items():
        typer.echo(f"  {email}: {who}")
