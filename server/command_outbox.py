"""`cam outbox`: the mails that the service has written."""

from typing import Annotated

import typer

from resolvers.outbox import newest_mails, retry, written_mail
from server.command_database import in_transaction, reading

app = typer.Typer(help="Look at the mails that wait, were sent or were given up.", invoke_without_command=True)

Number = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The number that `cam outbox` shows.")]


@app.callback()
def list_mails(
    context: typer.Context,
    everything: Annotated[  # noqa: FBT002 an option of a command line
        bool, typer.Option("--all/--pending", help="Also those that were sent, or only those that were not.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The most to list, the newest first.")] = 100,
) -> None:
    """List mails: number, state, when it was written, recipient, subject, tries, what went wrong last.

    Mails are sent while the service runs, if CAM_SMTP_URL names a mail server; otherwise they wait here.
    """
    if context.invoked_subcommand is not None:
        return
    for mail in reading(lambda connection: newest_mails(connection, limit, unsent=not everything)):
        shown = (
            str(mail.id),
            mail.state,
            f"{mail.created_at:%Y-%m-%d %H:%M}",
            mail.recipient,
            mail.subject,
            f"{mail.tries} tries",
            mail.last_error or "",
        )
        typer.echo("\t".join(shown).rstrip("\t"))


@app.command("show")
def show(number: Number) -> None:
    """Print a mail as its recipient reads it."""
    mail = reading(lambda connection: written_mail(connection, number))
    for name, value in (
        ("To", mail.recipient),
        ("Subject", mail.subject),
        ("Date", f"{mail.created_at:%Y-%m-%d %H:%M} UTC"),
        ("About", mail.event),
    ):
        typer.echo(f"{name}: {value}")
    typer.echo(f"\n{mail.text}", nl=False)


@app.command("retry")
def try_again(number: Number) -> None:
    """Make a mail due now, also one that was given up.

    The running service sends it within seconds, or minutes where the mail server fails.
    """
    in_transaction(lambda connection: retry(connection, number))
    typer.echo(f"Mail {number} is due.")
