"""`cam export`: records for auditors as files, read as a named person (F55, P23)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from models.database import Database
from models.grant import AccessType
from models.operation import OperationKind
from resolvers.account import account_by_hub_id
from resolvers.client import client_by_hub_id
from resolvers.elevated_access.report import ElevatedAccessFilter
from resolvers.error import AccessCode, AccessError
from resolvers.export.elevated_access import COLUMNS as ELEVATED_ACCESS_COLUMNS
from resolvers.export.elevated_access import export_elevated_access
from resolvers.export.source import ExportSource
from resolvers.export.text import ExportFormat, export_text
from resolvers.export.timeline import COLUMNS as TIMELINE_COLUMNS
from resolvers.export.timeline import export_timeline
from resolvers.member import member_by_email
from resolvers.reader import Reader
from resolvers.timeline_filter import TimelineFilter, TimelineSide
from schema.node import encode
from schema.scalar import read_date_time
from server.command_database import with_database
from server.command_output import named_reader, partner_reader, write_file

app = typer.Typer(help="Write records for auditors to a file: CSV, or JSON lines.", no_args_is_help=True)

Found = TypeVar("Found")


def _moment(text: str) -> datetime:
    try:
        return read_date_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


OutFile = Annotated[Path, typer.Argument(help="File to write; - for standard output.")]
As = Annotated[str, typer.Option("--as", help="Address of the person who may read it.")]
Partner = Annotated[
    int | None, typer.Option(help="Hub ID of the partner; needed only if the person belongs to several.")
]
Account = Annotated[
    str | None, typer.Option(help="Hub ID of a client's account, read as one of its own people; not with --partner.")
]
Since = Annotated[
    datetime | None, typer.Option(parser=_moment, metavar="TIME", help="From this moment on: 2026-11-21T09:30:00Z.")
]
Until = Annotated[datetime | None, typer.Option(parser=_moment, metavar="TIME", help="Only before this moment.")]
Clients = Annotated[list[str] | None, typer.Option("--client", help="Hub ID of a client; several by repeating it.")]
Members = Annotated[list[str] | None, typer.Option("--member", help="Address of a person; several by repeating it.")]
Search = Annotated[str | None, typer.Option(help="Text in the name or the address of the person.")]
Format = Annotated[
    ExportFormat | None,
    typer.Option("--format", help="csv or jsonl; by the file's ending unless told otherwise."),
]


@app.command("timeline")
def timeline(
    file: OutFile,
    *,
    name: As,
    partner: Partner = None,
    account: Account = None,
    since: Since = None,
    until: Until = None,
    client: Clients = None,
    member: Members = None,
    search: Search = None,
    kind: Annotated[
        list[OperationKind] | None, typer.Option(help="What was asked for; several by repeating it.")
    ] = None,
    asked_for: Annotated[
        list[TimelineSide] | None, typer.Option(help="On whose behalf it was asked for; several by repeating it.")
    ] = None,
    asked_by_name: Annotated[str | None, typer.Option(help="Text in the name of who asked.")] = None,
    form: Format = None,
) -> None:
    """Write every change of access, the oldest first: who, when, what, and what came and went by it."""

    async def work(database: Database) -> None:
        reader, source = await _source(database, name, partner, account)
        filter_ = TimelineFilter(
            kinds=_several(kind),
            since=since,
            until=until,
            search=search,
            member_ids=await _members(reader, source, member),
            client_ids=await _clients(reader, source, client),
            asked_for=_several(asked_for),
            asked_by=asked_by_name,
        )
        rows = export_timeline(reader, source, filter_, encode)
        await write_file(file, export_text(TIMELINE_COLUMNS, rows, _format(file, form)))

    with_database(work)


@app.command("elevated-access")
def elevated_access(
    file: OutFile,
    *,
    name: As,
    partner: Partner = None,
    account: Account = None,
    since: Since = None,
    until: Until = None,
    client: Clients = None,
    member: Members = None,
    search: Search = None,
    access_type: Annotated[
        list[AccessType] | None, typer.Option(help="What the access made of the person; several by repeating it.")
    ] = None,
    permission: Annotated[
        list[str] | None, typer.Option(help="Key of a sensitive permission, such as billing; several by repeating it.")
    ] = None,
    still_held: Annotated[
        bool | None, typer.Option("--still-held/--ended", help="Only what is held now, or only what has ended.")
    ] = None,
    form: Format = None,
) -> None:
    """Write who held partner admin, super admin or a sensitive permission: from when to when, given and ended by whom, and why."""

    async def work(database: Database) -> None:
        reader, source = await _source(database, name, partner, account)
        filter_ = ElevatedAccessFilter(
            since=since,
            until=until,
            access_types=_several(access_type),
            permissions=_several(permission),
            member_ids=await _members(reader, source, member),
            client_ids=await _clients(reader, source, client),
            still_held=still_held,
            search=search,
        )
        rows = export_elevated_access(reader, source, filter_, encode)
        await write_file(file, export_text(ELEVATED_ACCESS_COLUMNS, rows, _format(file, form)))

    with_database(work)


async def _source(
    database: Database, email: str, partner: int | None, account: str | None
) -> tuple[Reader, ExportSource]:
    """Returns what the person reads with, and whose records are meant."""
    if account is None:
        reader, partner_id = await partner_reader(database, email, partner)
        return reader, ExportSource(partner_id=partner_id)
    if partner is not None:
        raise typer.BadParameter("--partner and --account do not go together: a file is of one of them.")
    reader = await named_reader(database, email)
    found = await account_by_hub_id(reader, account)
    if found is None:
        raise AccessError(AccessCode.NOT_FOUND, f"{email} is not one of the own people of an account {account}.")
    return reader, ExportSource(account_id=found.id)


async def _clients(reader: Reader, source: ExportSource, hub_ids: list[str] | None) -> tuple[int, ...] | None:
    return await _each(hub_ids, "client", lambda hub_id: client_by_hub_id(reader, hub_id, source.partner_id))


async def _members(reader: Reader, source: ExportSource, emails: list[str] | None) -> tuple[int, ...] | None:
    return await _each(emails, "member", lambda email: member_by_email(reader, email, source.partner_id))


async def _each(
    texts: list[str] | None, noun: str, find: Callable[[str], Awaitable[Found | None]]
) -> tuple[int, ...] | None:
    """Returns the keys of what was named; a typing error must not look like a quiet period."""
    keys = []
    for text in texts or ():
        found = await find(text)
        if found is None:
            raise AccessError(AccessCode.NOT_FOUND, f"There is no {noun} {text}.")
        keys.append(int(getattr(found, "id")))  # noqa: B009 clients and members have it, and nothing else in common
    return tuple(keys) if texts else None


def _several(values: Sequence[Found] | None) -> tuple[Found, ...] | None:
    return tuple(values) if values else None


def _format(file: Path, form: ExportFormat | None) -> ExportFormat:
    return form or (ExportFormat.JSONL if file.suffix.lower() in {".jsonl", ".ndjson"} else ExportFormat.CSV)
