"""`cam matrix`: an agency's wanted access as a file: exported, planned and applied as a named person (P28)."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import typer

from models.database import Database
from models.operation import OperationState, OutcomeStatus, RuleMode
from resolvers.error import RefusedError
from resolvers.matrix.change import MatrixChange, MatrixPlan, apply_matrix, plan_matrix
from resolvers.matrix.entry import Matrix, read_csv, read_json
from resolvers.matrix.export import export_matrix
from resolvers.matrix.refused_row import refused_rows
from resolvers.matrix.text import MatrixFormat, matrix_text
from resolvers.operation.outcome_code import MESSAGES, OutcomeCode
from resolvers.operation.queue import QueueLimits
from resolvers.operation.record import OperationRecord, operations_by_id
from resolvers.operation.request import WriteOptions
from server.command_database import with_database
from server.command_output import partner_reader, write_file
from server.secret_key import link_issuer
from server.setting import load_settings

app = typer.Typer(help="Export, plan and apply who has what where, as a CSV or JSON file.", no_args_is_help=True)

InFile = Annotated[
    Path, typer.Argument(help="CSV or JSON file as cam matrix export writes it; - for CSV from standard input.")
]
As = Annotated[str, typer.Option("--as", help="Address of the person in whose name it is done.")]
HubId = Annotated[
    int | None, typer.Option("--partner", help="Hub ID of the partner; needed only if the person acts for several.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Reject what lies beyond the person's own permissions.")]
Atomic = Annotated[bool, typer.Option("--atomic", help="One rejection rejects all.")]
AcceptLockout = Annotated[
    bool, typer.Option("--accept-lockout", help="Accept that a client is left without an active partner admin.")
]
IncludeSelf = Annotated[bool, typer.Option("--include-self", help="The person's own access is meant as well.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the record.")]


_Line: TypeAlias = tuple[str, OutcomeStatus, str, int, OutcomeCode | None]
"""Where in the file, what became of it, who, in which client, and why."""
_Result = TypeVar("_Result")
_SHOWN = (OutcomeStatus.APPLIED, OutcomeStatus.NOOP, OutcomeStatus.REJECTED, OutcomeStatus.FAILED)


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="File to write; - for standard output.")],
    name: As,
    partner: HubId = None,
    form: Annotated[
        MatrixFormat | None, typer.Option("--format", help="csv or json; by the file's ending unless told otherwise.")
    ] = None,
) -> None:
    """Write who of a partner's people has what in which client, a row for each grant.

    Columns: email, hub_id, permission_set, version, seat, expires_at, customised, status, grant_version.
    """
    chosen = form or (MatrixFormat.JSON if file.suffix.lower() == ".json" else MatrixFormat.CSV)

    async def work(database: Database) -> None:
        reader, partner_id = await partner_reader(database, name, partner)
        await write_file(file, matrix_text(export_matrix(reader, partner_id), chosen))

    with_database(work)


@app.command("plan")
def plan(
    file: InFile,
    *,
    name: As,
    partner: HubId = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Write the plan's token there and not to the last line.")
    ] = None,
    strict: Strict = False,
    atomic: Atomic = False,
    accept_lockout: AcceptLockout = False,
    include_self: IncludeSelf = False,
) -> None:
    """Say what applying a file would do, and write nothing; the last line is the token that cam matrix apply takes.

    Each row that is not as wanted is printed: its line, what would become of it, person and client, and why. Exit code 1 if a row
    would be rejected.
    """
    options = _options(strict=strict, atomic=atomic, accept_lockout=accept_lockout, include_self=include_self)
    matrix, settings = _read(file), load_settings()

    async def work(database: Database) -> MatrixPlan:
        reader, partner_id = await partner_reader(database, name, partner)
        return await plan_matrix(
            reader.database, reader.viewer, MatrixChange(partner_id, matrix, link_issuer(settings), options)
        )

    found = _told(lambda: with_database(work))
    _print(_planned(found))
    counts = found.dry_run.counts
    typer.echo(f"Plan: {_counted(counts)}.", err=True)
    if token_file is None:
        typer.echo(found.token)
    else:
        token_file.write_text(f"{found.token}\n")
    if counts.get(OutcomeStatus.REJECTED):
        raise typer.Exit(1)


@app.command("apply")
def apply(
    file: InFile,
    *,
    name: As,
    partner: HubId = None,
    token: Annotated[
        str | None,
        typer.Option("--plan", help="The token that cam matrix plan has printed, or @ and the name of a file with it."),
    ] = None,
    strict: Strict = False,
    atomic: Atomic = False,
    accept_lockout: AcceptLockout = False,
    include_self: IncludeSelf = False,
    reason: Reason = None,
) -> None:
    """Bring access to what a file says, as one operation; applying it twice changes nothing.

    Rows that are left out are left alone. With the token of a plan, what has changed since then is left alone too (CONFLICT). A large
    one is queued: the service, or cam worker, carries it out. Exit code 1 if a row was rejected.
    """
    options = _options(
        strict=strict, atomic=atomic, accept_lockout=accept_lockout, include_self=include_self, reason=reason
    )
    matrix, settings = _read(file), load_settings()
    if token is not None and token.startswith("@"):
        token = Path(token[1:]).read_text().strip()

    async def work(database: Database) -> tuple[OperationRecord, list[_Line]]:
        reader, partner_id = await partner_reader(database, name, partner)
        change = MatrixChange(partner_id, matrix, link_issuer(settings), options, token)
        limits = QueueLimits(settings.queue_above, settings.chunk_cells)
        key = await apply_matrix(reader.database, reader.viewer, change, None, limits)
        (record,) = await operations_by_id(reader, [key])
        if record is None:
            raise RuntimeError("The operation is not known to whoever asked for it.")
        return record, [("", *row) for row in await refused_rows(reader, key)]

    record, lines = _told(lambda: with_database(work))
    _print(lines)
    if record.state == OperationState.QUEUED:
        typer.echo(
            f"Operation {record.id}: {record.total:,} rows are queued; the service or cam worker carries them out."
        )
        return
    typer.echo(f"Operation {record.id}: {_counted({status: record.count(status) for status in _SHOWN})}.")
    if record.rejected:
        raise typer.Exit(1)


def _options(
    *, strict: bool, atomic: bool, accept_lockout: bool, include_self: bool, reason: str | None = None
) -> WriteOptions:
    return WriteOptions(
        atomic=atomic,
        mode=RuleMode.STRICT if strict else RuleMode.CLAMP,
        accept_lockout=accept_lockout,
        include_self=include_self,
        reason=reason,
    )


def _read(file: Path) -> Matrix:
    def read() -> Matrix:
        if str(file) == "-":
            return read_csv(sys.stdin.buffer)
        if file.suffix.lower() == ".json":
            return read_json(file.read_bytes())
        with file.open("rb") as stream:
            return read_csv(stream)

    return _told(read)


def _told(work: Callable[[], _Result]) -> _Result:
    """Returns what some work does; what is wrong with the rows is printed line by line."""
    try:
        return work()
    except RefusedError as error:
        for refusal in error.refusals:
            typer.echo(refusal.message, err=True)
        raise typer.Exit(1) from None


def _planned(found: MatrixPlan) -> list[_Line]:
    """Returns what would become of each row that is not as wanted."""
    dry_run = found.dry_run
    decided = [dry_run.verdicts[number] for number in dry_run.decisions]
    return [
        (f"{row.entry.row.shown}: ", decision.status, row.entry.email, row.entry.hub_id, decision.code)
        for row, decision in zip(found.rows, decided, strict=True)
        if decision.status is not OutcomeStatus.NOOP
    ]


def _print(lines: Sequence[_Line]) -> None:
    for place, status, email, hub_id, code in lines:
        why = f": {MESSAGES[code]}" if code else ""
        typer.echo(f"{place}{status} {email} {hub_id}{why}")


def _counted(counts: Mapping[OutcomeStatus, int]) -> str:
    return ", ".join(f"{counts.get(status, 0):,} {status.lower()}" for status in _SHOWN)
