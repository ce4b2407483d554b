"""Making confirmation links and revoking them (F53)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.database import Database
from models.dialect import insert_many, lock_rows
from models.member import members
from models.partner import partners
from models.table import now
from resolvers.access_link_edit import DAYS, NOT_ELIGIBLE, check_awaiting, check_life
from resolvers.acting_partner import check_acting
from resolvers.confirmation_link import PURPOSE
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.invitation import eligible, is_living
from resolvers.issuer import Issuer
from resolvers.readable import readable_clients, readable_confirmation_links
from resolvers.viewer import Viewer

MOST_MEMBERS = 50


@dataclass(frozen=True, slots=True)
class ConfirmationLinkDraft:
    """The link that is wanted; keys are None for ids that cannot be read."""

    client_id: int | None
    member_ids: tuple[int | None, ...] = ()
    expires_in_days: int = DAYS


async def create_confirmation_link(
    database: Database,
    viewer: Viewer,
    issuer: Issuer,
    draft: ConfirmationLinkDraft,
    call: IdempotentCall | None = None,
) -> int:
    """Makes a link with which the client confirms that it works with the partner, and returns its key.

    Raises:
        RefusedError: INVALID_INPUT, NOT_FOUND (T1), FORBIDDEN or NOT_A_PARTNER (F02), or LINK_OWNER_NOT_ELIGIBLE for somebody
            who cannot become partner admin (F09), or CONFLICT where too many links await the client's answer.
    """
    check_life(draft.expires_in_days)
    if len(draft.member_ids) > MOST_MEMBERS:
        message = f"A link names at most {MOST_MEMBERS} people: make another for the others."
        raise refuse(RefusalCode.INVALID_INPUT, message, "input", "members")
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        known = select(clients.c.id, clients.c.partner_id).where(
            clients.c.id == draft.client_id, clients.c.id.in_(readable_clients(viewer))
        )
        client = (await connection.execute(known)).one_or_none()
        if client is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such client.", "input", "client")
        await lock_rows(connection, select(clients.c.id).where(clients.c.id == client.id))
        await check_acting(connection, viewer, client.partner_id)
        await check_awaiting(connection, confirmation_links, client.id)
        people = await _people(connection, client.id, draft.member_ids)
        moment = now()
        row = {
            "partner_id": client.partner_id,
            "client_id": client.id,
            **issuer.secret(PURPOSE),
            "created_by_id": viewer.user_id,
            "created_at": moment,
            "expires_at": moment + timedelta(days=draft.expires_in_days),
        }
        made = await connection.execute(insert(confirmation_links).values(row).returning(confirmation_links.c.id))
        key: int = made.scalar_one()
        named = [{"link_id": key, "member_id": member_id} for member_id in people]
        await insert_many(connection, confirmation_link_members, named)
        await remember(session, call, key)
    return key


async def _people(connection: AsyncConnection, client_id: int, member_ids: Sequence[int | None]) -> list[int]:
    """Returns who is named, each once: people of the client's partner who can become partner admin now."""
    wanted = {key for key in member_ids if key is not None}
    await lock_rows(connection, select(members.c.id).where(members.c.id.in_(wanted)).order_by(members.c.id))
    statement = (
        select(members.c.id, eligible(members).label("eligible"))
        .join(partners, partners.c.id == members.c.partner_id)
        .join(clients, clients.c.partner_id == members.c.partner_id)
        .where(clients.c.id == client_id, members.c.id.in_(wanted))
    )
    found = {row.id: row.eligible for row in await connection.execute(statement)}
    refusals = [
        Refusal(RefusalCode.LINK_OWNER_NOT_ELIGIBLE, NOT_ELIGIBLE, ("input", "members", str(index)))
        if key in found
        else Refusal(RefusalCode.NOT_FOUND, "There is no such member.", ("input", "members", str(index)))
        for index, key in enumerate(member_ids)
        if key is None or not found.get(key)
    ]
    if refusals:
        raise RefusedError(refusals)
    return sorted(wanted)


async def revoke_confirmation_link(
    database: Database, viewer: Viewer, link_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Revokes a link for good and returns its key; one that has ended already stays as it is.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN or NOT_A_PARTNER (F02), or CONFLICT for a link that the client has answered.
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        known = select(confirmation_links.c.id, confirmation_links.c.partner_id).where(
            confirmation_links.c.id == link_id, confirmation_links.c.id.in_(readable_confirmation_links(viewer))
        )
        link = (await connection.execute(known)).one_or_none()
        if link is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such confirmation link.", "input", "confirmationLink")
        await check_acting(connection, viewer, link.partner_id)
        moment, columns = now(), confirmation_links.c
        living = is_living(confirmation_links, moment)
        revoking = update(confirmation_links).where(columns.id == link.id, living).values(revoked_at=moment)
        await connection.execute(revoking)
        if await connection.scalar(select(columns.answer).where(columns.id == link.id)) is not None:
            raise refuse(
                RefusalCode.CONFLICT,
                "The client has answered this link, so there is nothing left to revoke. Access that came of it ends with removeAccess.",
                "input",
                "confirmationLink",
            )
        await remember(session, call, link.id)
    key: int = link.id
    return key
