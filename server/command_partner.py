"""`cam partner`: what only the operator of the service does."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from models.partner import PartnerProgram
from resolvers.admission import AdmissionResult, admit
from resolvers.partner_creation import NewPartner, create_partner, partner_by_hub_id
from server.command_database import in_transaction

app = typer.Typer(help="Set up an agency that hosts the service itself.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="Name of the agency.")],
    hub_id: Annotated[int, typer.Option(help="Hub ID of its own account.")],
    owner_email: Annotated[str, typer.Option(help="Address of its first super admin.")],
    owner_name: Annotated[str, typer.Option(help="First and last name of that person.")] = "",
    program: Annotated[PartnerProgram, typer.Option(help="Program it is in.")] = PartnerProgram.SOLUTIONS_PARTNER,
) -> None:
    """Make a partner and its first super admin, who can then import people and clients."""
    new = NewPartner(name, hub_id, program, owner_email, owner_name)
    in_transaction(lambda connection: create_partner(connection, new))
    typer.echo(f"Partner {hub_id} is made. Sign in: cam token create --email {owner_email} --scope read --scope write")


@app.command("admit")
def admit_partner_admin(
    email: Annotated[str, typer.Option(help="Address of the member.")],
    partner: Annotated[
        int | None, typer.Option(help="Hub ID of the partner; needed only if there are several.")
    ] = None,
    clients: Annotated[Path | None, typer.Option(help="File with a client's Hub ID on each line.")] = None,
    everywhere: Annotated[bool, typer.Option("--all", help="In all clients of the partner.")] = False,  # noqa: FBT002
) -> None:
    """Record that clients have made a member their partner admin before this service existed.

    This goes past the bounded rule, as a client's approval does, so it is for the operator alone: whoever can run this command
    with the database's address is trusted with it. Each admission is an operation with outcomes, and stands in the timeline.
    """
    if everywhere == (clients is not None):
        raise typer.BadParameter("Say where: --clients FILE or --all, one of the two.")
    hub_ids = None if clients is None else _hub_ids(clients)
    if hub_ids == []:
        raise typer.BadParameter(f"{clients} names no client: write a Hub ID on each line.")

    async def work(connection: AsyncConnection) -> AdmissionResult:
        partner_id = await partner_by_hub_id(connection, partner)
        return await admit(connection, partner_id, email, hub_ids)

    result = in_transaction(work)
    for hub_id in result.unknown:
        typer.echo(f"{hub_id}: no client of this partner. Import it first.", err=True)
    typer.echo(
        f"{email}: partner admin in {result.admitted} clients, was it already in {result.already}, "
        f"stays super admin in {result.rejected}."
    )
    if result.unknown:
        raise typer.Exit(1)


def _hub_ids(file: Path) -> list[int]:
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not text in UTF-8.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        word = line.strip()
        if word and not (word.isascii() and word.isdigit() and len(word) <= 15):
            raise typer.BadParameter(f"{file}, line {number}: “{word:.40}” is no Hub ID; write one on each line.")
        if word:
            found.append(int(word))
    return found
