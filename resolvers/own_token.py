"""The API tokens of the person who asks: nobody sees or revokes another's (P30, T1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Select, select

from models.api_token import api_tokens
from models.database import Database
from models.user import users
from resolvers.api_token import LONGEST_NAME, create_token, revoke_token
from resolvers.cursor import SortKind
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.free_text import one_line, refusing_at
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.reader import Reader
from resolvers.viewer import Viewer


@dataclass(slots=True, eq=False)
class ApiTokenRecord:
    """What may be shown of a token: never the token itself, of which only a hash is stored."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenDraft:
    """The token that is wanted."""

    name: str
    scopes: tuple[str, ...]
    expires_in_days: int | None = None


def _readable_tokens(viewer: Viewer) -> Select[Any]:
    """Selects the viewer's own tokens."""
    return select(api_tokens.c.id).where(api_tokens.c.user_id == viewer.user_id)


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    columns = rows.c
    return select(
        columns.id,
        columns.name,
        columns.scopes,
        columns.created_at,
        columns.expires_at,
        columns.last_used_at,
        columns.revoked_at,
    ).select_from(source)


def _record(key: int, name: str, scopes: str, *moments: Any) -> ApiTokenRecord:
    return ApiTokenRecord(key, name, scopes.split(), *moments)


_TOKENS = Projection(api_tokens, _columns, _record)
_NEWEST = Order("api_token.newest", SortKind.KEY, lambda rows: rows.c.id, descending=True)


async def api_tokens_by_id(reader: Reader, keys: Sequence[int]) -> list[ApiTokenRecord | None]:
    """Returns the tokens with these keys; None for those that are not the viewer's own (T1)."""
    return await _TOKENS.by_key(reader, _readable_tokens(reader.viewer), keys)


async def api_tokens_by_user(
    reader: Reader,
    parents: Sequence[int],
    *,
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[ApiTokenRecord]]:
    """Returns one page of each user's tokens, the newest first, the revoked and the expired among them."""
    choice = _readable_tokens(reader.viewer).where(api_tokens.c.user_id == users.c.id)
    return await _TOKENS.pages(reader, users, parents, choice, order=_NEWEST, request=page)


async def api_token_totals_by_user(reader: Reader, parents: Sequence[int]) -> list[int]:
    """Returns how many tokens each user has in such a list."""
    return await totals(reader, api_tokens.c.user_id, parents, _readable_tokens(reader.viewer))


async def create_own_token(
    database: Database, viewer: Viewer, draft: TokenDraft, call: IdempotentCall | None = None
) -> tuple[int, str | None]:
    """Makes a token of the viewer's and returns its key and the secret, which a retry of the call cannot give again.

    It lives no longer than the token that asks: a short-lived one must not make itself a successor for ever.

    Raises:
        RefusedError: INVALID_INPUT.
    """
    with refusing_at("The name", "input", "name"):
        name = one_line(draft.name, LONGEST_NAME)
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first), None
        connection = await session.connection()
        try:
            made = await create_token(
                connection,
                viewer.user_id,
                scopes=draft.scopes,
                name=name,
                expires_in_days=draft.expires_in_days,
                no_later_than=viewer.token_expires_at,
            )
        except RefusedError as error:
            raise RefusedError([_in_input(refusal) for refusal in error.refusals]) from None
        # Only the key is kept: a stored secret would be a second copy of what nobody else may have.
        await remember(session, call, made.id)
    return made.id, made.secret


def _in_input(refusal: Refusal) -> Refusal:
    return Refusal(refusal.code, refusal.message, ("input", *refusal.field))


async def revoke_own_token(
    database: Database, viewer: Viewer, token_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Revokes a token of the viewer's for good and returns its key; revoking it again changes nothing.

    Raises:
        RefusedError: NOT_FOUND, for what is unknown and what is somebody else's alike (T1).
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        if token_id is None or not await revoke_token(connection, token_id, user_id=viewer.user_id):
            raise refuse(RefusalCode.NOT_FOUND, "There is no such API token of yours.", "input", "apiToken")
        await remember(session, call, token_id)
    return token_id
