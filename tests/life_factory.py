"""Builders for what comes with the life of access: links, assets, mails, feedback. Written with the tables only, as ``Factory`` is."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import LinkAnswer, access_links, link_approvals
from models.asset import AssetKind, asset_holdings, asset_transfers, assets
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.dialect import insert_or_ignore
from models.feedback import FeedbackKind, feedback, permission_issues, wish_votes
from models.mail import mails
from models.operation import CELLS
from models.table import now
from resolvers.api_token import token_hash
from resolvers.issuer import EPHEMERAL, Issuer, new_nonce
from tests.factory import MOMENT, AccountRow, ClientRow, Factory, GrantRow, MemberRow, PartnerRow, UserRow

LIFE = timedelta(days=90)
"""How long a link lives unless the test says otherwise (F15)."""


@dataclass(frozen=True, slots=True)
class LinkRow:
    id: int
    partner_id: int
    token: str


@dataclass(frozen=True, slots=True)
class AssetRow:
    id: int
    kind: AssetKind
    external_id: str
    name: str


class LifeFactory:
    """Builds on what a ``Factory`` has made; every builder is one transaction."""

    def __init__(self, factory: Factory, issuer: Issuer = EPHEMERAL) -> None:
        self.factory = factory
        self.issuer = issuer
        """Whose key makes the tokens: the one that a context has, if the test does not say otherwise."""
        self._numbers = itertools.count(1)

    async def access_link(
        self,
        owner: MemberRow,
        *,
        client: ClientRow | None = None,
        created_by: MemberRow | None = None,
        revoked: bool = False,
        **values: Any,
    ) -> LinkRow:
        """A member's link, living unless ``values`` (columns such as expires_at) or ``revoked`` say otherwise (F15)."""
        nonce, token = self._token("access link")
        columns = {
            "client_id": client.id if client else None,
            "client_key": client.id if client else 0,
            "single_use": False,
            "ended": 0,
            "reference": "",
            **self._made(created_by or owner),
            **({"revoked_at": MOMENT, "revoked_by_id": owner.user_id} if revoked else {}),
            **values,
        }
        async with self._connection() as connection:
            key = await _insert(
                connection,
                access_links,
                partner_id=owner.partner_id,
                member_id=owner.id,
                nonce=nonce,
                token_hash=token_hash(token),
                # Until it has a key to end with, it must differ from the living link beside it.
                **columns | ({"reference": nonce} if revoked else {}),
            )
            if revoked:
                ended = {"ended": key, "reference": columns["reference"]}
                await connection.execute(update(access_links).where(access_links.c.id == key).values(ended))
        return LinkRow(key, owner.partner_id, token)

    async def link_approval(
        self,
        link: LinkRow,
        place: ClientRow | AccountRow,
        by: UserRow | MemberRow,
        answer: LinkAnswer = LinkAnswer.APPROVED,
        *,
        grant: GrantRow | None = None,
    ) -> int:
        """What an account said to an access link, and the grant that came of it (F17, P07); the grant is made by ``Factory``."""
        account, client = (place.account, place) if isinstance(place, ClientRow) else (place, None)
        async with self._connection() as connection:
            return await _insert(
                connection,
                link_approvals,
                link_id=link.id,
                partner_id=link.partner_id,
                account_id=account.id,
                client_id=client.id if client else None,
                grant_id=grant.id if grant else None,
                answer=answer,
                answered_by_id=_user_id(by),
                answered_at=MOMENT,
            )

    async def confirmation_link(
        self, client: ClientRow, created_by: MemberRow, people: Sequence[MemberRow] = (), **values: Any
    ) -> LinkRow:
        """A link for one client, unanswered unless ``values`` say otherwise, with the people it names (F53)."""
        nonce, token = self._token("confirmation link")
        columns = {**self._made(created_by), **values}
        async with self._connection() as connection:
            key = await _insert(
                connection,
                confirmation_links,
                partner_id=client.partner_id,
                client_id=client.id,
                nonce=nonce,
                token_hash=token_hash(token),
                **columns,
            )
            for person in people:
                await connection.execute(insert(confirmation_link_members).values(link_id=key, member_id=person.id))
        return LinkRow(key, client.partner_id, token)

    async def assets(
        self, client: ClientRow, owner: MemberRow, kind: AssetKind = AssetKind.CONTACT, count: int = 1, **values: Any
    ) -> list[AssetRow]:
        """Assets of one kind that a person owns in a client; the holding counts them and has a new version (F38)."""
        made = []
        async with self._connection() as connection:
            for _ in range(count):
                number = next(self._numbers)
                row = {"external_id": f"{kind.lower()}-{number}", "name": f"{kind.capitalize()} {number}", **values}
                key = await _insert(
                    connection,
                    assets,
                    partner_id=client.partner_id,
                    client_id=client.id,
                    owner_id=owner.id,
                    kind=kind,
                    recorded_at=MOMENT,
                    **row,
                )
                made.append(AssetRow(key, kind, row["external_id"], row["name"]))
            await _hold(connection, client, owner, kind, count)
        return made

    async def asset_transfer(
        self, grant: GrantRow, kind: AssetKind = AssetKind.CONTACT, *, total: int = 1, to: MemberRow | None = None
    ) -> None:
        """What became of assets, at the operation that made the grant (F39)."""
        async with self._connection() as connection:
            await connection.execute(
                insert(asset_transfers).values(
                    operation_id=grant.id // CELLS,
                    position=grant.id % CELLS,
                    kind=kind,
                    total=total,
                    to_id=to.id if to else None,
                )
            )

    async def mail(self, recipient: UserRow | MemberRow | None = None, **values: Any) -> int:
        """A mail in the outbox, due since MOMENT; ``values`` are columns such as event, sent_at or tries."""
        number = next(self._numbers)
        columns = {
            "event": f"test:{number}",
            "message_id": f"test-{number}@example.com",
            "recipient": recipient.email if recipient else f"person-{number}@example.com",
            "subject": f"Subject {number}",
            "text": f"Text {number}\n",
            "html": f"<p>Text {number}</p>\n",
            "created_at": MOMENT,
            "due_at": MOMENT,
            "tries": 0,
            **values,
        }
        async with self._connection() as connection:
            return await _insert(connection, mails, **columns)

    async def feedback(
        self,
        user: UserRow | MemberRow,
        kind: FeedbackKind = FeedbackKind.FEEDBACK,
        *,
        partner: PartnerRow | None = None,
        **values: Any,
    ) -> int:
        """What a person says about the service (F46)."""
        columns = {"subject": f"Subject {next(self._numbers)}", "details": "Details", "created_at": MOMENT, **values}
        async with self._connection() as connection:
            return await _insert(
                connection,
                feedback,
                user_id=_user_id(user),
                partner_id=partner.id if partner else None,
                kind=kind,
                **columns,
            )

    async def permission_issue(
        self, client: ClientRow, member: MemberRow, by: MemberRow, permission: str = "contacts.view", **values: Any
    ) -> int:
        """A report that a permission does not work as it should (F47)."""
        columns = {"details": "Details", "created_at": MOMENT, **values}
        async with self._connection() as connection:
            return await _insert(
                connection,
                permission_issues,
                partner_id=client.partner_id,
                client_id=client.id,
                member_id=member.id,
                user_id=by.user_id,
                permission=permission,
                **columns,
            )

    async def wish_vote(self, user: UserRow | MemberRow, wish: str) -> None:
        """A person's vote for a wish (F48)."""
        async with self._connection() as connection:
            await connection.execute(insert(wish_votes).values(wish=wish, user_id=_user_id(user), created_at=MOMENT))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        async with self.factory.database.write() as session:
            yield await session.connection()

    def _token(self, purpose: str) -> tuple[str, str]:
        nonce = new_nonce()
        return nonce, self.issuer.token(purpose, nonce)

    @staticmethod
    def _made(by: MemberRow) -> dict[str, Any]:
        return {"created_by_id": by.user_id, "created_at": MOMENT, "expires_at": now() + LIFE}


def _user_id(person: UserRow | MemberRow) -> int:
    return person.user_id if isinstance(person, MemberRow) else person.id


async def _insert(connection: AsyncConnection, table: Table, **values: Any) -> int:
    result = await connection.execute(insert(table).values(**values).returning(table.c.id))
    return int(result.scalar_one())


async def _hold(connection: AsyncConnection, client: ClientRow, owner: MemberRow, kind: AssetKind, count: int) -> None:
    place = {"client_id": client.id, "member_id": owner.id, "kind": kind}
    await connection.execute(insert_or_ignore(connection, asset_holdings).values(**place, total=0, version=0))
    held = asset_holdings.c
    await connection.execute(
        update(asset_holdings)
        .where(held.client_id == client.id, held.member_id == owner.id, held.kind == kind)
        .values(total=held.total + count, version=held.version + 1)
    )
