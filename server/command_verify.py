"""`cam verify`: whether the database agrees with itself."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from models.database import Database
from resolvers.consistency.chain import noted_seals_check
from resolvers.consistency.check import Finding
from resolvers.consistency.ledger import findings
from resolvers.timeline_chain.noted_seal import FORM, NotedSeal
from server.command_database import with_database

FAULTY = 1
ADVICE = (
    "Keep this database as it is, and stop the service if the faults concern access that people have now. The newest backup for "
    "which cam verify finds nothing is the one to restore (cam restore); what has happened since then is in the timeline here."
)


def _seal(text: str) -> NotedSeal:
    try:
        return NotedSeal.of_text(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,  # noqa: FBT002 an option of a command line
    seals: Annotated[
        list[NotedSeal] | None,
        typer.Option(
            "--seal",
            parser=_seal,
            metavar=FORM,
            help="A seal of a timeline that was noted down, as timelineSeal.note gives it: a chain that was written anew since then is "
            "found by it. Several by repeating it.",
        ),
    ] = None,
) -> None:
    """Check that the database agrees with itself; nothing is written, and the service may go on.

    Replaying the timeline must give exactly the access that there is, counters must be what a recount gives, and each event that
    demands a mail must have one. Ends with 1 if anything is wrong.
    """
    if not with_database(lambda database: told(database, as_json=as_json, seals=seals or ())):
        raise typer.Exit(FAULTY)


async def told(database: Database, *, as_json: bool = False, seals: Sequence[NotedSeal] = ()) -> bool:
    """Prints the findings, each as soon as it is known, and returns whether there are no faults."""
    found = []
    async for finding in findings(database, [noted_seals_check(seals)] if seals else ()):
        found.append(finding)
        if not as_json:
            _tell(finding)
    faults = sum(finding.faults for finding in found)
    if as_json:
        typer.echo(json.dumps({"consistent": not faults, "checks": [_as_json(finding) for finding in found]}, indent=2))
    elif faults:
        typer.echo(f"{faults} faults. {ADVICE}")
    else:
        typer.echo(f"No faults in {len(found)} checks.")
    return not faults


def _tell(finding: Finding) -> None:
    mark = "FAULT" if finding.faults else "ok"
    typer.echo(f"{mark:<6} {finding.check.title} ({finding.rows:,} rows)")
    for line in finding.told:
        typer.echo(f"       {line}")
    if finding.faults > len(finding.told):
        typer.echo(f"       and {finding.faults - len(finding.told):,} more")


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check.key,
        "title": finding.check.title,
        "rows": finding.rows,
        "faults": finding.faults,
        "told": finding.told,
    }
