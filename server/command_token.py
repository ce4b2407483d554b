"""`cam token`: API tokens."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from models.table import now
from resolvers.api_token import LONGEST_LIFE, MadeToken, create_token, list_tokens, revoke_token
from resolvers.partner_creation import user_by_email
from server.command_database import in_transaction

app = typer.Typer(help="Make, list and revoke API tokens.", no_args_is_help=True)


@app.command("create")
def create(
    email: Annotated[str, typer.Option(help="Address of the person who signs in with it.")],
    scope: Annotated[list[str], typer.Option(help="read, or write, which includes reading; read,write for both.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=LONGEST_LIFE, help="Days until it expires; never, unless told.")
    ] = None,
) -> None:
    """Make a token and print it, alone on the last line. It is shown this once: only a hash of it is stored."""
    scopes = [word for text in scope for word in text.replace(",", " ").split()]

    async def work(connection: AsyncConnection) -> MadeToken:
        user_id = await user_by_email(connection, email)
        return await create_token(connection, user_id, scopes=scopes, name=name, expires_in_days=expires_in_days)

    made = in_transaction(work)
    typer.echo(f"Token {made.id} of {email}; revoke it with: cam token revoke {made.id}", err=True)
    typer.echo(made.secret)


@app.command("list")
def list_all(email: Annotated[str | None, typer.Option(help="Only the tokens of this person.")] = None) -> None:
    """List tokens: number, state, person, scopes, name, last use. The tokens themselves are not stored."""
    moment = now()
    for token in in_transaction(lambda connection: list_tokens(connection, email=email)):
        used = f"used {token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
        shown = (str(token.id), token.state(moment), token.email, token.scopes, token.name, used)
        typer.echo("\t".join(shown))


@app.command("revoke")
def revoke(number: Annotated[int, typer.Argument(help="The number that `cam token list` shows.")]) -> None:
    """Revoke a token for good."""
    if not in_transaction(lambda connection: revoke_token(connection, number)):
        raise typer.BadParameter(f"There is no token {number}; see cam token list.")
    typer.echo(f"Token {number} is revoked.")
