"""Builders for what comes with the life of access: links, assets, mails, feedback. Written with the tables only, as ``Factory`` is."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import LinkAnswer, access_links, link_approvals
from models.activity import ActivityKind, activity_days, activity_events, activity_sources, last_activities
from models.asset import AssetKind, asset_holdings, asset_transfers, assets
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.dialect import insert_or_ignore
from models.expiry import ExpiryAction, expiry_holds, expiry_reminders, expiry_rules
from models.feedback import FeedbackKind, feedback, permission_issues, wish_votes
from models.hand_off import HandOffState, hand_off_cells, hand_offs
from models.mail import mails
from models.operation import CELLS
from models.pod import pod_cells, pod_clients, pod_editors, pod_exclusions, pod_members, pods
from models.schedule import scheduled_leaves, scheduled_operations
from models.table import now
from models.template_lockdown import template_lockdown_sets, template_lockdowns
from resolvers.api_token import token_hash
from resolvers.issuer import EPHEMERAL, Issuer, new_nonce
from tests.factory import MOMENT, AccountRow, ClientRow, Factory, GrantRow, MemberRow, PartnerRow, SetRow, UserRow

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

    async def lockdown(
        self,
        owner: PartnerRow | AccountRow,
        by: UserRow | MemberRow,
        sets: Sequence[SetRow] = (),
        *,
        ended: bool = False,
    ) -> int:
        """A lockdown to permission sets, in force or ended; without sets all may be given (P27)."""
        column = "partner_id" if isinstance(owner, PartnerRow) else "account_id"
        over = {"ended_by_id": _user_id(by), "ended_at": MOMENT} if ended else {}
        values = {column: owner.id, "set_by_id": _user_id(by), "since": MOMENT, **over}
        async with self._connection() as connection:
            key = await _insert(connection, template_lockdowns, **values)
            for row in sets:
                await connection.execute(insert(template_lockdown_sets).values(lockdown_id=key, set_id=row.id))
        return key

    async def activity(self, client: ClientRow, member: MemberRow, event_id: str = "1") -> None:
        """An event that a tool called crm has told, with what is kept of it."""
        of_partner = {"partner_id": client.partner_id}
        place = {**of_partner, "client_id": client.id, "member_id": member.id}
        done = {"kind": ActivityKind.UPDATED.value, "permission": "deals.edit"}
        async with self._connection() as connection:
            source = insert_or_ignore(connection, activity_sources).values(**of_partner, name="crm")
            await connection.execute(source)
            of_source = select(activity_sources.c.id).filter_by(**of_partner, name="crm").scalar_subquery()
            told = {"source_id": of_source, "event_id": event_id, "subject": "Deal 1", "at": MOMENT}
            await connection.execute(insert(activity_events).values(**place, **done, **told))
            day = {"day": MOMENT.date(), "total": 1, "last_at": MOMENT}
            await connection.execute(insert(activity_days).values(**place, **done, **day))
            await connection.execute(insert(last_activities).values(**place, at=MOMENT))

    async def planned(self, grant: GrantRow) -> None:
        """What a partner has decided about the end of access, why a grant stays, and that its holder is to leave (P04, P14)."""
        of_partner = {"partner_id": grant.partner_id}
        leave = {"member_id": grant.member_id, "requested_by_id": grant.user_id, "run_at": MOMENT, "request": "{}"}
        ahead = {"operation_id": grant.id // CELLS, "run_at": MOMENT, "taken_at": MOMENT}
        async with self._connection() as connection:
            rule = insert(expiry_rules).values(**of_partner, action=ExpiryAction.REMOVE, remind_days="")
            await connection.execute(rule)
            hold = {"grant_id": grant.id, "expires_at": MOMENT, "code": "LAST_SUPER_ADMIN", "at": MOMENT}
            await connection.execute(insert(expiry_holds).values(**of_partner, **hold))
            told = {"grant_id": grant.id, "expires_at": MOMENT, "days": 14}
            await connection.execute(insert(expiry_reminders).values(**of_partner, **told))
            await connection.execute(insert(scheduled_leaves).values(**of_partner, **leave, created_at=MOMENT))
            await connection.execute(insert(scheduled_operations).values(**of_partner, **ahead))

    async def hand_off(self, grant: GrantRow, to: MemberRow) -> int:
        """The holder of a grant has handed off the outcome that made it, and the colleague has accepted (N02)."""
        operation_id, position = divmod(grant.id, CELLS)
        of_partner = {"partner_id": grant.partner_id}
        values = {
            **of_partner,
            "operation_id": operation_id,
            "asker_id": grant.member_id,
            "asked_id": to.id,
            "note": "",
            "reply": "",
            "state": HandOffState.ACCEPTED,
            "created_at": MOMENT,
            "expires_at": now() + LIFE,
            "answered_at": MOMENT,
            "accepted_id": operation_id,
            "total": 1,
            "left_out": 0,
        }
        where = {"client_id": grant.client_id, "member_id": grant.member_id}
        seen = {"seen_grant_id": grant.id, "seen_version": 1}
        async with self._connection() as connection:
            key = await _insert(connection, hand_offs, **values)
            cell = {**of_partner, "hand_off_id": key, "position": position, **where, **seen}
            await connection.execute(insert(hand_off_cells).values(cell))
        return key

    async def pod(self, grant: GrantRow, permission_set: SetRow, excluded: MemberRow) -> int:
        """A pod that gave somebody the access that they have, and gives somebody else nothing (P09)."""
        of_partner = {"partner_id": grant.partner_id}
        where, maker = {"client_id": grant.client_id}, {"created_by_id": excluded.user_id, "created_at": MOMENT}
        async with self._connection() as connection:
            names = {"name": f"Pod {permission_set.id}", "name_key": f"pod {permission_set.id}"}
            key = await _insert(connection, pods, **of_partner, **names, set_id=permission_set.id, **maker)
            place = {**of_partner, "pod_id": key}
            given = {"member_id": grant.member_id, "grant_id": grant.id, "set_id": permission_set.id}
            for table, values in (
                (pod_clients, {**place, **where}),
                (pod_members, {**place, "member_id": grant.member_id}),
                (pod_exclusions, {**place, **where, "member_id": excluded.id}),
                (pod_cells, {**place, **where, **given}),
                (pod_editors, {**of_partner, "member_id": excluded.id, "given_by_id": excluded.user_id}),
            ):
                await connection.execute(insert(table).values(values))
        return key

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
