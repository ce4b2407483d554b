"""Finds out who asks: from a bearer token to a Viewer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import String, bindparam, cast, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.api_token import api_tokens
from models.database import Database
from models.grant import grants
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.partner import PartnerProgram, partners
from models.table import now
from resolvers.api_token import PREFIX, SCOPES, token_hash
from resolvers.error import AccessCode, AccessError
from resolvers.viewer import Membership, Viewer

LONGEST = 200
"""Characters; whatever is longer is no token and is not even hashed."""
USE_INTERVAL = timedelta(minutes=1)
"""How exactly the last use of a token is known."""

_uses: WeakKeyDictionary[Database, dict[int, datetime]] = WeakKeyDictionary()
"""Uses that are not in the database yet: a sign-in never waits for a writer."""


class InvalidTokenError(AccessError):
    """The token opens nothing; unknown, malformed, expired and revoked ones look alike (T1)."""

    def __init__(self) -> None:
        super().__init__(
            AccessCode.UNAUTHENTICATED,
            "The token is unknown, expired or revoked. Make a new one with `cam token create` and send it in the header "
            "Authorization: Bearer cam_…",
        )


_PLACE = (
    members.c.id.label("member_id"),
    members.c.kind,
    members.c.verified,
    members.c.manager_rights,
    members.c.super_admin,
    partners.c.id.label("partner_id"),
    partners.c.program,
)
_ACCOUNT_IDS = (
    select(func.aggregate_strings(cast(grants.c.account_id, String), " "))
    .where(grants.c.user_id == api_tokens.c.user_id, grants.c.client_id.is_(None), grants.c.ended == 0)
    .correlate(api_tokens)
    .scalar_subquery()
)
_SIGN_IN = (
    select(
        api_tokens.c.id,
        api_tokens.c.user_id,
        api_tokens.c.scopes,
        api_tokens.c.expires_at,
        api_tokens.c.last_used_at,
        _ACCOUNT_IDS.label("account_ids"),
        *_PLACE,
    )
    .outerjoin(members, (members.c.user_id == api_tokens.c.user_id) & (members.c.status == MemberStatus.ACTIVE))
    .outerjoin(partners, partners.c.id == members.c.partner_id)
    .where(api_tokens.c.token_hash == bindparam("hash"), api_tokens.c.revoked_at.is_(None))
    .order_by(members.c.partner_id)
)
_PLACES = (
    select(*_PLACE)
    .join(partners, partners.c.id == members.c.partner_id)
    .where(members.c.user_id == bindparam("user"), members.c.status == MemberStatus.ACTIVE)
    .order_by(members.c.partner_id)
)


async def sign_in(database: Database, token: str) -> Viewer:
    """Returns who sends this token, with one statement.

    Raises:
        InvalidTokenError: if it is not a token that opens anything now.
    """
    if not token.startswith(PREFIX) or len(token) > LONGEST or not token.isascii():
        raise InvalidTokenError
    async with database.read() as connection:
        rows = (await connection.execute(_SIGN_IN, {"hash": token_hash(token)})).all()
    moment = now()
    if not rows or (rows[0].expires_at is not None and rows[0].expires_at <= moment):
        raise InvalidTokenError
    first = rows[0]
    if first.last_used_at is None or moment - first.last_used_at >= USE_INTERVAL:
        _uses.setdefault(database, {})[first.id] = moment
    return Viewer(
        user_id=first.user_id,
        scopes=frozenset(first.scopes.split()),
        memberships=_memberships(rows),
        account_ids=tuple(int(key) for key in (first.account_ids or "").split()),
        token_expires_at=first.expires_at,
    )


async def viewer_of(connection: AsyncConnection, user_id: int) -> Viewer:
    """Returns somebody as they are now, for what they asked for before and is carried out now."""
    rows = (await connection.execute(_PLACES, {"user": user_id})).all()
    return Viewer(user_id=user_id, scopes=frozenset(SCOPES), memberships=_memberships(rows))


def _memberships(rows: Sequence[Any]) -> tuple[Membership, ...]:
    return tuple(
        Membership(
            member_id=row.member_id,
            partner_id=row.partner_id,
            program=PartnerProgram(row.program),
            kind=MemberKind(row.kind),
            verified=row.verified,
            rights=ManagerRights.EDIT if row.super_admin else ManagerRights(row.manager_rights),
        )
        for row in rows
        if row.member_id is not None
    )


async def record_last_uses(database: Database) -> int:
    """Writes the uses that sign-ins have remembered, and returns how many tokens they were of.

    The server calls it every minute and once more when it stops.
    """
    uses = _uses.pop(database, {})
    if uses:
        rows = [{"token": key, "moment": moment} for key, moment in uses.items()]
        older = or_(api_tokens.c.last_used_at.is_(None), api_tokens.c.last_used_at < bindparam("moment"))
        statement = update(api_tokens).where(api_tokens.c.id == bindparam("token"), older)
        async with database.write() as session:
            connection = await session.connection()
            await connection.execute(statement.values(last_used_at=bindparam("moment")), rows)
    return len(uses)
