"""`cam feedback`: what people have told whoever runs the service."""

from typing import Annotated

import typer

from resolvers.feedback_list import list_told
from server.command_database import reading


def feedback(
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many at the most.")] = 50,
) -> None:
    """List what people have told, the newest first: feedback, and permissions that do not work as they should."""
    for told in reading(lambda connection: list_told(connection, most)):
        typer.echo("\t".join((f"{told.at:%Y-%m-%d %H:%M}", told.kind, told.email, told.partner or "-", told.subject)))
        for line in told.details.split("\n"):
            typer.echo(f"    {line}")
