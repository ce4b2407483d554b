"""Tokens with which to sign in as the people of a demo."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.api_token import api_tokens
from models.operation import OperationState, operations
from models.table import now
from models.user import users
from resolvers.api_token import create_token
from resolvers.demo.agency import agencies
from resolvers.demo.cast import DEMO_PEOPLE, THE_CLIENT, THE_OTHER_OWNER, DemoPerson
from resolvers.demo.ecosystem_size import EcosystemSize
from resolvers.demo.load import MARK

NAME = "demo sign-in"
DAYS = 7


@dataclass(frozen=True, slots=True)
class DemoToken:
    """A token of one demo person."""

    email: str
    who: str
    secret: str


async def demo_people(connection: AsyncConnection) -> dict[str, str]:
    """Returns who can be signed in as, with who they are, by e-mail address; nobody if this is no demo database."""
    marks = await connection.scalars(
        select(operations.c.request).where(
            operations.c.partner_id.is_(None),
            operations.c.state == OperationState.COMPLETED,
            operations.c.request.startswith(MARK, autoescape=True),
        )
    )
    who = {person.email: person.who for mark in marks.all() for person in _people(mark)}
    found = set(await connection.scalars(select(users.c.email).where(users.c.email.in_(who))))
    return {email: words for email, words in who.items() if email in found}


def _people(mark: str) -> Iterable[DemoPerson]:
    """Returns who of a demo is worth signing in as, by the request of the operation that says which one it is."""
    size = EcosystemSize.of_json(mark)
    if size is None:
        return (*DEMO_PEOPLE, THE_OTHER_OWNER, THE_CLIENT)
    largest = agencies(size)[0]
    office = DemoPerson(
        f"office@{largest.company(0).domain}",
        f"the client's own side: super admin of account {largest.company(0).hub_id}",
    )
    owner = f"super admin of the largest agency, {largest.name}: {largest.people} people, {largest.clients} clients"
    return DemoPerson(largest.staff[0].email, owner), office


async def demo_tokens(connection: AsyncConnection) -> list[DemoToken]:
    """Makes a token for each demo person and revokes those of earlier starts; none if this is no demo database."""
    who = await demo_people(connection)
    found = await connection.execute(select(users.c.id, users.c.email).where(users.c.email.in_(who)))
    keys = {row.email: row.id for row in found}
    await connection.execute(
        update(api_tokens)
        .where(api_tokens.c.name == NAME, api_tokens.c.user_id.in_(keys.values()), api_tokens.c.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    tokens = []
    for email, words in who.items():
        made = await create_token(connection, keys[email], name=NAME, expires_in_days=DAYS)
        tokens.append(DemoToken(email, words, made.secret))
    return tokens
