"""What a client says to an access link: approving it, which makes its owner partner admin there, or declining it (F16 to F18, P07)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import LinkAnswer, access_links, link_approvals
from models.account import accounts
from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.grant import AccessType, GrantStatus, grants, unexpired
from models.member import MemberStatus, members
from models.operation import OperationKind, OutcomeStatus
from models.partner import partners
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from models.table import now
from models.user import users
from resolvers.account_manager import check_account_manager
from resolvers.direct_operation import DirectOperation
from resolvers.error import RefusalCode, RefusedError, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.interning import intern_states
from resolvers.invitation import NOTHING_OPENS, InvitationKind, WayIn, eligible, find_invitation, is_named
from resolvers.link_client import as_client, locked_client, make_client, name_client
from resolvers.mail import Letter, post
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.partner_admin import AdmittingClient, Newcomer, admit_people
from resolvers.permission_request import requested_state
from resolvers.viewer import Viewer

ACCOUNT, CEILING = ("input", "account"), ("input", "ceiling")


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer has come to."""

    link_id: int
    changed: bool
    """False if it had been said before, or the person was partner admin already: then nothing was written (L1)."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who wants to answer for which account, and how the link is named."""

    connection: AsyncConnection
    viewer: Viewer
    way: WayIn
    account_id: int


@dataclass(frozen=True, slots=True)
class _Answer(_Asked):
    """An answer on its way, about a link that opens at this moment."""

    link: Row[Any]
    at: datetime


async def approve_access_link(
    database: Database,
    viewer: Viewer,
    way: WayIn,
    account_id: int,
    *,
    ceiling: tuple[tuple[str, PermissionLevel], ...] | None = None,
    call: IdempotentCall | None = None,
) -> Answered:
    """Makes the owner of a link partner admin in an account, by the will of whoever decides for it, all in one transaction.

    Whoever is an ACTIVE partner admin there already stays exactly as they are (L1), also where a single-use link is approved
    once more by the account that has used it; other access gets the Partner Admin set added (L3), and deactivated access becomes
    ACTIVE again (L4).

    Raises:
        RefusedError: NOT_FOUND (T1, L8), FORBIDDEN, INVALID_INPUT for a ceiling that cannot be used, LINK_OWNER_NOT_ELIGIBLE
            (L5, R12), ALREADY_SUPER_ADMIN (L2), or CONFLICT for a ceiling that would come too late.
    """
    limit = None if ceiling is None else approved_ceiling(ceiling)
    async with database.everything().write() as session:
        first = await remembered(session, call)
        if first is not None:
            return Answered(*first)
        answered = await _approve(_Asked(await session.connection(), viewer, way, account_id), limit)
        await remember(session, call, [answered.link_id, answered.changed])
    return answered


async def decline_access_link(
    database: Database, viewer: Viewer, way: WayIn, account_id: int, call: IdempotentCall | None = None
) -> Answered:
    """Records that an account does not want what a link asks for, and tells its owner once (P07).

    It may still approve later, with the same link.

    Raises:
        RefusedError: NOT_FOUND (T1, L8), FORBIDDEN, or CONFLICT if the access that the link gave is there.
    """
    async with database.everything().write() as session:
        first = await remembered(session, call)
        if first is not None:
            return Answered(*first)
        answered = await _decline(_Asked(await session.connection(), viewer, way, account_id))
        await remember(session, call, [answered.link_id, answered.changed])
    return answered


def approved_ceiling(permissions: tuple[tuple[str, PermissionLevel], ...]) -> State:
    """Returns the most that a client lets a partner's people hold, as it says so while it lets a partner admin in (P08).

    Raises:
        RefusedError: INVALID_INPUT without the Partner Admin permission, and as ``requested_state``.
    """
    state = requested_state(permissions, *CEILING)
    if not state & catalogue.partner_admin:
        raise refuse(
            RefusalCode.INVALID_INPUT,
            f"Nobody can be partner admin under this ceiling: add {_partner_admin_key()} at ALL with what it requires, or "
            "decline the link.",
            *CEILING,
        )
    return state


def _partner_admin_key() -> str:
    ((key, _),) = catalogue.atoms(catalogue.partner_admin)
    return key


async def _begin(asked: _Asked) -> _Answer:
    """Checks who answers for which account and what the link is, in this order: outsiders learn nothing of links.

    Done once more when all rows are locked: while the answer waited for them, the link or the right to answer may have ended.
    """
    connection, viewer, way, account_id = asked.connection, asked.viewer, asked.way, asked.account_id
    await check_account_manager(connection, viewer, account_id, *ACCOUNT)
    link = await find_invitation(connection, InvitationKind.ACCESS_LINK, way, account_id)
    return _Answer(connection, viewer, way, account_id, link, now())


async def _approve(asked: _Asked, limit: State | None) -> Answered:
    connection = asked.connection
    try:
        link = (await _begin(asked)).link
        made = await make_client(connection, link, asked.account_id)
        client = await locked_client(connection, link, asked.account_id)
        await lock_rows(connection, select(members.c.id).where(members.c.id == link.member_id))
        answer = await _begin(asked)
    except RefusedError:
        await check_account_manager(connection, asked.viewer, asked.account_id, *ACCOUNT)
        answered = await _used_before(asked, limit)
        if answered is None:
            raise
        return answered
    if made:
        await name_client(connection, client)
    return await _let_in(answer, client, limit)


async def _let_in(answer: _Answer, client: Row[Any], limit: State | None) -> Answered:
    """Makes the owner of the link partner admin; all rows that this concerns are locked."""
    connection, link, at = answer.connection, answer.link, answer.at
    owner = await _owner(connection, link.member_id)
    if not owner.eligible:
        raise refuse(
            RefusalCode.LINK_OWNER_NOT_ELIGIBLE,
            f"{owner.email} cannot become partner admin now, because they are not an active, verified member of a partner in a "
            "program. Ask the agency who else could, and for that person's link.",
            *answer.way.field,
        )
    ceiling_id = client.ceiling_id
    if limit is not None:
        ceiling_id = (await intern_states(connection, [limit]))[limit]
    if await _is_partner_admin(connection, client.id, owner.id, at):
        _check_ceiling(owner, client.ceiling_id, ceiling_id)
        return Answered(link.id, changed=False)
    await _claim(answer)
    if ceiling_id != client.ceiling_id:
        await connection.execute(update(clients).where(clients.c.id == client.id).values(ceiling_id=ceiling_id))
    operation = DirectOperation(
        link.partner_id,
        OperationKind.GRANT,
        at,
        requested_by_id=answer.viewer.user_id,
        reason=f"The client approved {_called(link)}.",
        by_client=True,
    )
    place = AdmittingClient(client.id, client.account_id, ceiling_id)
    (admitted,) = await admit_people(connection, operation, [place], [Newcomer(owner.id, owner.user_id)])
    if admitted.decision.status is not OutcomeStatus.APPLIED:
        raise _not_admitted(answer, owner, admitted.decision.code)
    approval_id = await _record(answer, LinkAnswer.APPROVED, client_id=client.id, grant_id=admitted.grant_id)
    await post(
        connection,
        Letter(
            event=f"access-link-approval:{approval_id}:owner",
            recipient=owner.email,
            subject=f"{client.official_name} has made you partner admin",
            lines=(
                f"{client.official_name} (Hub ID {client.hub_id}) has approved {_called(link)}.",
                "From now on you are partner admin there: with EDIT in the manager you can give your colleagues access.",
            ),
        ),
    )
    return Answered(link.id, changed=True)


async def _used_before(asked: _Asked, limit: State | None) -> Answered | None:
    """Returns what a single-use link has come to that this account has used, while the access that it gave is there (L1)."""
    said, columns = link_approvals.c, access_links.c
    statement = (
        select(columns.id, columns.member_id, columns.token_hash, clients.c.ceiling_id)
        .join(link_approvals, said.link_id == columns.id)
        .join(clients, clients.c.id == said.client_id)
        .join(grants, grants.c.id == said.grant_id)
        .where(is_named(InvitationKind.ACCESS_LINK, asked.way, asked.account_id), columns.used_at.is_not(None))
        .where(said.account_id == asked.account_id, said.answer == LinkAnswer.APPROVED, *_partner_admin(now()))
    )
    used = (await asked.connection.execute(statement)).one_or_none()
    if used is None or not asked.way.opens(used.token_hash):
        return None
    if limit is not None:
        ceiling_id = (await intern_states(asked.connection, [limit]))[limit]
        _check_ceiling(await _owner(asked.connection, used.member_id), used.ceiling_id, ceiling_id)
    return Answered(used.id, changed=False)


def _check_ceiling(owner: Row[Any], present_id: int | None, wanted_id: int | None) -> None:
    """Refuses a ceiling that comes too late: nobody is to believe that it holds now (P08)."""
    if wanted_id != present_id:
        raise refuse(
            RefusalCode.CONFLICT,
            f"{owner.email} is partner admin of this account already, so approving changes nothing: set the ceiling with "
            "setCeiling.",
            *CEILING,
        )


async def _decline(asked: _Asked) -> Answered:
    connection, link = asked.connection, (await _begin(asked)).link
    await lock_rows(connection, select(members.c.id).where(members.c.id == link.member_id))
    answer = await _begin(asked)
    client_id = (await connection.execute(as_client(link.id, answer.account_id))).scalar_one_or_none()
    last = await _last_answer(answer)
    if last is not None and last.answer == LinkAnswer.DECLINED:
        return Answered(link.id, changed=False)
    if last is not None and last.ended == 0:
        raise refuse(
            RefusalCode.CONFLICT,
            "This account has approved the link, and the access is there: take it away with revokePartnerAccess.",
            *answer.way.field,
        )
    approval_id = await _record(answer, LinkAnswer.DECLINED, client_id=client_id)
    owner = await _owner(connection, link.member_id)
    # Whoever no longer works for the partner hears nothing of its clients any more.
    if owner.status != MemberStatus.ACTIVE:
        return Answered(link.id, changed=True)
    account = (
        await connection.execute(
            select(accounts.c.official_name, accounts.c.hub_id).where(accounts.c.id == answer.account_id)
        )
    ).one()
    await post(
        connection,
        Letter(
            event=f"access-link-decline:{approval_id}:owner",
            recipient=owner.email,
            subject=f"{account.official_name} has declined your access link",
            lines=(
                f"{account.official_name} (Hub ID {account.hub_id}) has declined {_called(link)}.",
                "Nothing has changed there. Talk to the client before you send the link again.",
            ),
        ),
    )
    return Answered(link.id, changed=True)


async def _owner(connection: AsyncConnection, member_id: int) -> Row[Any]:
    statement: Select[Any] = (
        select(
            members.c.id,
            members.c.user_id,
            members.c.status,
            users.c.email_key.label("email"),
            eligible(members).label("eligible"),
        )
        .join(partners, partners.c.id == members.c.partner_id)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.id == member_id)
    )
    owner: Row[Any] = (await connection.execute(statement)).one()
    return owner


async def _is_partner_admin(connection: AsyncConnection, client_id: int, member_id: int, at: datetime) -> bool:
    found = await connection.execute(
        select(grants.c.id).where(grants.c.client_id == client_id, grants.c.member_id == member_id, *_partner_admin(at))
    )
    return found.one_or_none() is not None


def _partner_admin(at: datetime) -> list[ColumnElement[bool]]:
    """Says whether a row of grants makes somebody partner admin at a moment."""
    columns = grants.c
    access = columns.access_type == AccessType.PARTNER_ADMIN.value
    return [columns.ended == 0, columns.status == GrantStatus.ACTIVE.value, access, unexpired(grants, at)]


async def _claim(answer: _Answer) -> None:
    """Uses the link: one guarded statement, so of two clients at once with a single-use link exactly one succeeds."""
    link, columns = answer.link, access_links.c
    values = {"used_at": answer.at, "ended": link.id} if link.single_use else {"used_at": None}
    living = (columns.id == link.id) & (columns.ended == 0) & (columns.expires_at > answer.at)
    claimed = await answer.connection.execute(update(access_links).where(living).values(values))
    if claimed.rowcount != 1:
        raise refuse(RefusalCode.NOT_FOUND, NOTHING_OPENS, *answer.way.field)


async def _last_answer(answer: _Answer) -> Row[Any] | None:
    """Returns what the account said last to the link, with ``ended`` 0 if access that it gave is still there."""
    said = link_approvals.c
    statement: Select[Any] = (
        select(said.answer, grants.c.ended)
        .outerjoin(grants, grants.c.id == said.grant_id)
        .where(said.link_id == answer.link.id, said.account_id == answer.account_id)
        .order_by(said.id.desc())
        .limit(1)
    )
    last: Row[Any] | None = (await answer.connection.execute(statement)).one_or_none()
    return last


async def _record(
    answer: _Answer, said: LinkAnswer, *, client_id: int | None = None, grant_id: int | None = None
) -> int:
    values = {
        "link_id": answer.link.id,
        "partner_id": answer.link.partner_id,
        "account_id": answer.account_id,
        "client_id": client_id,
        "grant_id": grant_id,
        "answer": said.value,
        "answered_by_id": answer.viewer.user_id,
        "answered_at": answer.at,
    }
    made = await answer.connection.execute(insert(link_approvals).values(values).returning(link_approvals.c.id))
    key: int = made.scalar_one()
    return key


def _called(link: Row[Any]) -> str:
    return f"the access link “{link.reference}”" if link.reference else "the access link"


def _not_admitted(answer: _Answer, owner: Row[Any], code: OutcomeCode | None) -> Exception:
    if code is OutcomeCode.TARGET_IS_SUPER_ADMIN:
        return refuse(
            RefusalCode.ALREADY_SUPER_ADMIN,
            f"{owner.email} is super admin of this account already and stays that. The agency makes them partner admin instead "
            "with migrateToPartnerAdmin.",
            *answer.way.field,
        )
    return refuse(
        RefusalCode.INVALID_INPUT,
        f"Nobody can be partner admin under the ceiling that this account has set for the agency: approve with a ceiling that "
        f"has {_partner_admin_key()}.",
        *CEILING,
    )
