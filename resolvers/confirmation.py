"""What a client answers to a confirmation link: it confirms that it works with the partner, or declines (F53, L11, P07)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import LinkAnswer
from models.account import accounts
from models.client import clients
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.database import Database
from models.dialect import lock_rows
from models.member import MemberStatus, members
from models.operation import OperationKind, OutcomeStatus
from models.partner import PartnerProgram, partners
from models.permission.level import PermissionLevel
from models.permission.state import State
from models.table import now
from models.user import full_name, users
from resolvers.account_manager import check_account_manager
from resolvers.approval import ACCOUNT, CEILING, Answered
from resolvers.confirmation_letter import AdmittedPerson, GivenAnswer, tell
from resolvers.confirmation_link import RefusedAdmission
from resolvers.direct_operation import DirectOperation, Recorded
from resolvers.error import RefusalCode, RefusedError, refuse
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.interning import intern_states, state_contents
from resolvers.invitation import NOTHING_OPENS, InvitationKind, WayIn, find_invitation, is_named
from resolvers.operation.outcome_code import OutcomeCode
from resolvers.partner_admin import AdmittingClient, Newcomer, admit_people
from resolvers.permission_request import requested_state
from resolvers.readable import readable_answered_links
from resolvers.reader import Reader
from resolvers.viewer import Viewer

REASON = "The client has confirmed that it works with the partner."

_REFUSED = {
    OutcomeCode.TARGET_IS_SUPER_ADMIN: RefusedAdmission.ALREADY_SUPER_ADMIN,
    OutcomeCode.EXCEEDS_AUTHORITY: RefusedAdmission.EXCEEDS_AUTHORITY,
}
_NAMED = (members.c.id, members.c.user_id, members.c.status, members.c.verified, partners.c.program)


@dataclass(frozen=True, slots=True)
class ConfirmationDraft:
    """A client's answer to a link."""

    way: WayIn
    account_id: int | None
    answer: LinkAnswer
    ceiling: tuple[tuple[str, PermissionLevel], ...] | None = None
    """The most that the partner's people may hold from now on (P08); None leaves it as it is."""


@dataclass(slots=True, eq=False)
class ConfirmedPersonRecord:
    """Somebody whom the link named, as the client sees it."""

    name: str
    email: str
    code: RefusedAdmission | None


async def answer_confirmation(
    database: Database, viewer: Viewer, draft: ConfirmationDraft, call: IdempotentCall | None = None
) -> Answered:
    """Answers a link, with all that follows from it, in one transaction.

    Who is named and eligible becomes partner admin by one operation; for the others the relation stands and both sides are
    told (L11). A link is answered once: the same answer again, also one that comes at the same time, changes nothing.

    Raises:
        RefusedError: NOT_FOUND for an account that is not the viewer's and for a link that does not open for it (L8, T1),
            FORBIDDEN for somebody who does not decide for the account, or for the ceiling as ``requested_state`` says, or CONFLICT if
            it comes too late.
    """
    ceiling = None if draft.ceiling is None else requested_state(draft.ceiling, *CEILING)
    async with database.everything().write() as session:
        first = await remembered(session, call)
        if first is not None:
            return Answered(*first)
        connection = await session.connection()
        await check_account_manager(connection, viewer, draft.account_id, *ACCOUNT)
        answered = await _answered(connection, viewer, draft, ceiling)
        await remember(session, call, [answered.link_id, answered.changed])
    return answered


async def _answered(
    connection: AsyncConnection, viewer: Viewer, draft: ConfirmationDraft, ceiling: State | None
) -> Answered:
    try:
        link = await find_invitation(connection, InvitationKind.CONFIRMATION_LINK, draft.way, draft.account_id or 0)
        client = await _answer(connection, viewer, draft, link)
    except RefusedError:
        await check_account_manager(connection, viewer, draft.account_id, *ACCOUNT)
        link_id = await _said_before(connection, draft, ceiling)
        if link_id is None:
            raise
        return Answered(link_id, changed=False)
    people: list[AdmittedPerson] = []
    if draft.answer is LinkAnswer.APPROVED:
        people = await _confirm(connection, viewer, ceiling, client)
    await tell(connection, GivenAnswer(client, viewer.user_id, draft.answer, people))
    return Answered(link.id, changed=True)


async def _said_before(connection: AsyncConnection, draft: ConfirmationDraft, ceiling: State | None) -> int | None:
    """Returns the link, if it is one for this account and the account has given it the same answer already."""
    columns = confirmation_links.c
    named = is_named(InvitationKind.CONFIRMATION_LINK, draft.way, draft.account_id or 0)
    statement = (
        select(columns.id, columns.token_hash, clients.c.ceiling_id)
        .join(clients, clients.c.id == columns.client_id)
        .where(named, columns.answer == draft.answer.value, clients.c.account_id == draft.account_id)
    )
    found = (await connection.execute(statement)).one_or_none()
    if found is None or not draft.way.opens(found.token_hash):
        return None
    if ceiling is not None:
        await _check_ceiling(connection, found.ceiling_id, ceiling)
    key: int = found.id
    return key


async def _check_ceiling(connection: AsyncConnection, ceiling_id: int | None, wanted: State) -> None:
    """Refuses a ceiling that comes too late: nobody is to believe that it holds now (P08)."""
    present = None if ceiling_id is None else (await state_contents(connection, [ceiling_id]))[ceiling_id]
    if present != wanted:
        raise refuse(
            RefusalCode.CONFLICT,
            "Your account has confirmed with this link already, so confirming changes nothing: set the ceiling with setCeiling.",
            *CEILING,
        )


async def _answer(connection: AsyncConnection, viewer: Viewer, draft: ConfirmationDraft, link: Row[Any]) -> Any:
    """Writes the answer, and returns the client as it is then, locked, with the link's key and who made it.

    The people whom the link names are locked too: who is eligible stays so until they are let in.
    """
    await lock_rows(connection, select(clients.c.id).where(clients.c.id == link.client_id))
    people = members.c.id.in_(_whom(link.id))
    await lock_rows(connection, select(members.c.id).where(people).order_by(members.c.id))
    # Judged once more: while the answer waited, the link or the right to answer may have ended.
    await check_account_manager(connection, viewer, draft.account_id, *ACCOUNT)
    columns, moment = confirmation_links.c, now()
    living = columns.answer.is_(None) & columns.revoked_at.is_(None) & (columns.expires_at > moment)
    values = {"answer": draft.answer.value, "answered_by_id": viewer.user_id, "answered_at": moment}
    written = await connection.execute(
        update(confirmation_links).where(columns.id == link.id, living).values(values).returning(columns.id)
    )
    if written.one_or_none() is None:
        raise refuse(RefusalCode.NOT_FOUND, NOTHING_OPENS, *draft.way.field)
    statement = (
        select(
            columns.id.label("link_id"),
            columns.created_by_id,
            columns.answered_at,
            clients.c.id,
            clients.c.partner_id,
            clients.c.account_id,
            clients.c.ceiling_id,
            func.coalesce(clients.c.display_name, accounts.c.official_name).label("shown_name"),
            accounts.c.official_name,
            accounts.c.hub_id,
            partners.c.name.label("partner_name"),
        )
        .join(clients, clients.c.id == columns.client_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .join(partners, partners.c.id == clients.c.partner_id)
        .where(columns.id == link.id)
    )
    return (await connection.execute(statement)).one()


async def _confirm(
    connection: AsyncConnection, viewer: Viewer, ceiling: State | None, client: Any
) -> list[AdmittedPerson]:
    """Confirms the relation, and lets in whom the link names as far as they are eligible now (L11)."""
    ceiling_id = client.ceiling_id
    if ceiling is not None:
        ceiling_id = (await intern_states(connection, [ceiling]))[ceiling]
    confirmed = func.coalesce(clients.c.confirmed_at, client.answered_at)
    values = {"ceiling_id": ceiling_id, "confirmed_at": confirmed}
    await connection.execute(update(clients).where(clients.c.id == client.id).values(values))
    named = await _named(connection, client.link_id)
    codes = {person.id: _ineligible(person) for person in named}
    let_in = [Newcomer(person.id, person.user_id) for person in named if codes[person.id] is None]
    operation = DirectOperation(
        client.partner_id,
        OperationKind.GRANT,
        client.answered_at,
        requested_by_id=viewer.user_id,
        reason=REASON,
        by_client=True,
    )
    place = AdmittingClient(client.id, client.account_id, ceiling_id)
    recorded = await admit_people(connection, operation, [place], let_in)
    became = {newcomer.member_id: outcome for newcomer, outcome in zip(let_in, recorded, strict=True)}
    for member_id, outcome in became.items():
        if outcome.decision.status is OutcomeStatus.REJECTED:
            codes[member_id] = _refused(outcome)
    await _keep(connection, client.link_id, codes, became)
    return [
        AdmittedPerson(
            person.user_id,
            full_name(person.first_name, person.last_name, person.email_key),
            person.email_key,
            codes[person.id],
            person.id in became and became[person.id].decision.status is OutcomeStatus.APPLIED,
        )
        for person in named
    ]


def _whom(link_id: int) -> Select[Any]:
    """Selects the keys of those whom a link names."""
    return select(confirmation_link_members.c.member_id).where(confirmation_link_members.c.link_id == link_id)


async def _named(connection: AsyncConnection, link_id: int) -> Sequence[Any]:
    """Returns whom the link names."""
    statement = (
        select(*_NAMED, members.c.first_name, members.c.last_name, users.c.email_key)
        .join(partners, partners.c.id == members.c.partner_id)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.id.in_(_whom(link_id)))
        .order_by(members.c.id)
    )
    return (await connection.execute(statement)).all()


def _ineligible(person: Any) -> RefusedAdmission | None:
    """Returns why a person cannot become partner admin anywhere now (F01, F09); None if they can."""
    if person.program == PartnerProgram.NONE:
        return RefusedAdmission.NOT_A_PARTNER
    if person.status == MemberStatus.LEFT:
        return RefusedAdmission.NOT_A_MEMBER
    if person.status != MemberStatus.ACTIVE:
        return RefusedAdmission.NOT_ACTIVE
    return None if person.verified else RefusedAdmission.NOT_VERIFIED


def _refused(outcome: Recorded) -> RefusedAdmission:
    code = outcome.decision.code
    if code not in _REFUSED:
        raise RuntimeError(f"An admission is not rejected with {code}.")
    return _REFUSED[code]


async def _keep(
    connection: AsyncConnection,
    link_id: int,
    codes: dict[int, RefusedAdmission | None],
    became: dict[int, Recorded],
) -> None:
    """Keeps what came of each person beside the link, for the partner to see."""
    rows = [
        {
            "named_member": member_id,
            "came_code": None if code is None else code.value,
            "came_grant": became[member_id].grant_id if code is None else None,
        }
        for member_id, code in codes.items()
    ]
    if rows:
        columns = confirmation_link_members.c
        statement = update(confirmation_link_members).where(
            columns.link_id == link_id, columns.member_id == bindparam("named_member")
        )
        await connection.execute(statement.values(code=bindparam("came_code"), grant_id=bindparam("came_grant")), rows)


async def confirmed_people(reader: Reader, keys: Sequence[int]) -> list[list[ConfirmedPersonRecord]]:
    """Returns what came of the people whom links named, for links that an account of the viewer's has answered."""
    named = confirmation_link_members
    statement = (
        readable_answered_links(reader.viewer)
        .join(named, named.c.link_id == confirmation_links.c.id)
        .join(members, members.c.id == named.c.member_id)
        .join(users, users.c.id == members.c.user_id)
        .where(named.c.link_id.in_(set(keys)))
        .with_only_columns(
            *[named.c.link_id, members.c.first_name, members.c.last_name, users.c.email_key, named.c.code]
        )
        .order_by(named.c.link_id, named.c.member_id)
    )
    by_link: dict[int, list[ConfirmedPersonRecord]] = {key: [] for key in keys}
    rows: Sequence[Any] = await reader.rows(statement)
    for link_id, first, last, email, code in rows:
        person = ConfirmedPersonRecord(full_name(first, last, email), email, code and RefusedAdmission(code))
        by_link[link_id].append(person)
    return [by_link[key] for key in keys]
