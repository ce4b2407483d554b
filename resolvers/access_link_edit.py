"""Making access links and revoking them (F15, P06, R12)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import access_links
from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.member import ManagerRights, MemberStatus, members
from models.partner import PartnerProgram, partners
from models.table import now
from resolvers.access_link import PURPOSE
from resolvers.acting_partner import check_acting
from resolvers.error import RefusalCode, refuse
from resolvers.free_text import optional_line, refusing_at
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.invitation import eligible, is_answered, is_living
from resolvers.issuer import Issuer
from resolvers.readable import readable_access_links, readable_clients, readable_members
from resolvers.viewer import Viewer

LONGEST_REFERENCE = 100
DAYS = 90
LONGEST_LIFE = 365
MOST_AWAITING = 10
"""How many links of a kind may await one client's answer: it is not to be flooded with invitations."""

NOT_ELIGIBLE = (
    "The person cannot become partner admin now: they must be an active, verified member of a partner in a program. "
    "Have the person activated or verified first."
)


@dataclass(frozen=True, slots=True)
class LinkDraft:
    """The link that is wanted, as the caller writes it; keys are 0 for ids that cannot be read."""

    member_id: int | None = None
    """Whose link; the viewer's own if None."""
    partner_id: int | None = None
    client_id: int | None = None
    single_use: bool = False
    reference: str = ""
    expires_in_days: int = DAYS


async def get_access_link(
    database: Database, viewer: Viewer, issuer: Issuer, draft: LinkDraft, call: IdempotentCall | None = None
) -> int:
    """Returns the key of the person's living link of this kind, which is made if there is none (F15).

    Raises:
        RefusedError: INVALID_INPUT, NOT_FOUND, FORBIDDEN, NOT_A_PARTNER, LINK_OWNER_NOT_ELIGIBLE, or CONFLICT for a link that
            was made under another secret key and cannot be shown again, and where too many await the client's answer.
    """
    check_life(draft.expires_in_days)
    with refusing_at("The reference", "input", "reference"):
        reference = optional_line(draft.reference, LONGEST_REFERENCE)
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        owner = await _owner(connection, viewer, draft)
        if draft.client_id is not None:
            await _check_client(connection, viewer, owner, draft.client_id)
        wanted = {
            "member_id": owner.id,
            "single_use": draft.single_use,
            "client_key": draft.client_id or 0,
            "reference": reference,
            "ended": 0,
        }
        made = {"partner_id": owner.partner_id, "client_id": draft.client_id, "created_by_id": viewer.user_id}
        key = await _living_or_new(connection, issuer, wanted, made, draft.expires_in_days)
        await remember(session, call, key)
    return key


async def revoke_access_link(
    database: Database, viewer: Viewer, link_id: int | None, call: IdempotentCall | None = None
) -> int:
    """Revokes a link for good and returns its key; what clients have approved stays, and a link that has ended stays as it is.

    Raises:
        RefusedError: NOT_FOUND (T1), FORBIDDEN or NOT_A_PARTNER (F02).
    """
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        known = (
            select(access_links.c.id, access_links.c.partner_id, access_links.c.member_id)
            .where(access_links.c.id == link_id)
            .where(access_links.c.id.in_(readable_access_links(viewer)))
        )
        link = (await connection.execute(known)).one_or_none()
        if link is None:
            raise refuse(RefusalCode.NOT_FOUND, "There is no such access link.", "input", "accessLink")
        await _check_may_use(connection, viewer, link.partner_id, link.member_id)
        moment = now()
        living = (access_links.c.id == link.id) & is_living(access_links, moment)
        values = {"ended": link.id, "revoked_at": moment, "revoked_by_id": viewer.user_id}
        await connection.execute(update(access_links).where(living).values(values))
        await remember(session, call, link.id)
    key: int = link.id
    return key


async def _owner(connection: AsyncConnection, viewer: Viewer, draft: LinkDraft) -> Row[Any]:
    """Returns the membership whose link is wanted, locked: it stays eligible until the link is there (R12).

    The client is locked before it, as everybody locks them.
    """
    member_id = _own_place(viewer, draft.partner_id) if draft.member_id is None else draft.member_id
    known = select(members.c.partner_id).where(members.c.id == member_id, members.c.id.in_(readable_members(viewer)))
    partner_id = (await connection.execute(known)).scalar_one_or_none()
    if partner_id is None or (draft.partner_id is not None and draft.partner_id != partner_id):
        raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", "input", "member")
    if draft.client_id is not None:
        known_client = select(clients.c.id).where(clients.c.id == draft.client_id)
        await lock_rows(connection, known_client.where(clients.c.id.in_(readable_clients(viewer))))
    await lock_rows(connection, select(members.c.id).where(members.c.id == member_id))
    await _check_may_use(connection, viewer, partner_id, member_id)
    statement = (
        select(members.c.id, members.c.partner_id, eligible(members).label("eligible"))
        .join(partners, partners.c.id == members.c.partner_id)
        .where(members.c.id == member_id)
    )
    owner = (await connection.execute(statement)).one()
    if not owner.eligible:
        raise refuse(RefusalCode.LINK_OWNER_NOT_ELIGIBLE, NOT_ELIGIBLE, "input", "member")
    return owner


def _own_place(viewer: Viewer, partner_id: int | None) -> int:
    """Returns the viewer's own membership in the partner that is named, or in the only one whose manager is open to them."""
    field = ("input", "partner")
    places = [place for place in viewer.memberships if partner_id in {None, place.partner_id}]
    if not places and partner_id is not None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such partner.", *field)
    open_places = [place for place in places if place.sees]
    if len(open_places) > 1:
        raise refuse(RefusalCode.INVALID_INPUT, "You are a member of several partners: say for which one.", *field)
    if not open_places:
        raise _closed(any(place.eligible for place in places) or not places)
    return open_places[0].member_id


def _closed(in_program: bool) -> Exception:  # noqa: FBT001 private
    if not in_program:
        message = "Only a partner in the Solutions Partner or Provider program can have access links."
        return refuse(RefusalCode.NOT_A_PARTNER, message)
    message = "This needs the right Partner employee management: ask a super admin of the partner account."
    return refuse(RefusalCode.FORBIDDEN, message)


async def _check_may_use(connection: AsyncConnection, viewer: Viewer, partner_id: int, member_id: int) -> None:
    """Refuses whoever may not have this person's links: EDIT for another's, and an open manager for one's own (F02)."""
    if all(place.member_id != member_id for place in viewer.memberships):
        await check_acting(connection, viewer, partner_id)
        return
    sees = or_(members.c.super_admin, members.c.manager_rights != ManagerRights.NONE.value)
    own = (
        select(partners.c.program)
        .join(members, members.c.partner_id == partners.c.id)
        .where(members.c.id == member_id, members.c.status == MemberStatus.ACTIVE.value, sees)
    )
    program = (await connection.execute(own)).scalar_one_or_none()
    if program is None or program == PartnerProgram.NONE:
        raise _closed(program is None)


async def _check_client(connection: AsyncConnection, viewer: Viewer, owner: Row[Any], client_id: int) -> None:
    known = select(clients.c.partner_id).where(clients.c.id == client_id, clients.c.id.in_(readable_clients(viewer)))
    if (await connection.execute(known)).scalar_one_or_none() != owner.partner_id:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such client.", "input", "client")


async def _living_or_new(
    connection: AsyncConnection, issuer: Issuer, wanted: dict[str, Any], made: dict[str, Any], days: int
) -> int:
    """Returns the living link with the unique key that is wanted; the owner's row is locked, so nobody makes another meanwhile."""
    moment = now()
    columns = access_links.c
    same_kind = [columns[name] == value for name, value in wanted.items()]
    await connection.execute(
        update(access_links).where(*same_kind, columns.expires_at <= moment).values(ended=columns.id)
    )
    living = select(columns.id, columns.nonce, columns.token_hash).where(*same_kind)
    found = (await connection.execute(living)).one_or_none()
    if found is not None:
        if issuer.shown(PURPOSE, found.nonce, found.token_hash) is None:
            raise refuse(
                RefusalCode.CONFLICT,
                "The link was made under another secret key of the service and cannot be shown again: it is the one in "
                "partner.accessLinks that is LIVE without url. Revoke it, then ask again.",
                "input",
            )
        return int(found.id)
    if made["client_id"] is not None:
        await check_awaiting(connection, access_links, made["client_id"], ~is_answered())
    row = {**issuer.secret(PURPOSE), "created_at": moment, "expires_at": moment + timedelta(days=days)}
    new = await connection.execute(insert(access_links).values({**wanted, **made, **row}).returning(columns.id))
    key: int = new.scalar_one()
    return key


def check_life(days: int) -> None:
    """Refuses a life of a link that is too short or too long.

    Raises:
        RefusedError: INVALID_INPUT.
    """
    if not 1 <= days <= LONGEST_LIFE:
        message = f"A link can expire in 1 to {LONGEST_LIFE} days; {DAYS} if you leave it out."
        raise refuse(RefusalCode.INVALID_INPUT, message, "input", "expiresInDays")


async def check_awaiting(
    connection: AsyncConnection,
    links: Table,
    client_id: int,
    condition: ColumnElement[bool] = true(),  # noqa: B008 an immutable value
) -> None:
    """Refuses one more link for a client if as many as there may be await its answer; the client's row is locked."""
    awaiting = select(func.count()).where(links.c.client_id == client_id, is_living(links, now()), condition)
    if (await connection.execute(awaiting)).scalar_one() >= MOST_AWAITING:
        raise refuse(
            RefusalCode.CONFLICT,
            f"{MOST_AWAITING} such links await this client's answer already. Revoke one of them, or wait for the answer.",
            "input",
            "client",
        )
