"""What people tell whoever runs the service: feedback, and permissions that do not work as they should (F46, F47)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Select, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.database import Database
from models.feedback import FeedbackKind, feedback, permission_issues
from models.member import members
from models.permission.catalogue import catalogue
from models.permission.error import UnknownPermissionError
from models.table import now
from resolvers.error import Refusal, RefusalCode, RefusedError, refuse
from resolvers.free_text import one_line, refusing_at, several_lines
from resolvers.idempotency import IdempotentCall, remember, remembered
from resolvers.page import Projection
from resolvers.readable import readable_clients, readable_members
from resolvers.reader import Reader
from resolvers.viewer import Viewer

LONGEST_SUBJECT = 200
LONGEST_DETAILS = 10_000


@dataclass(slots=True, eq=False)
class FeedbackRecord:
    """A message of the viewer's."""

    id: int
    kind: FeedbackKind
    subject: str
    details: str
    created_at: datetime


@dataclass(slots=True, eq=False)
class PermissionIssueRecord:
    """A report of the viewer's about a permission."""

    id: int
    client_id: int
    member_id: int
    permission: str
    details: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FeedbackDraft:
    """What somebody wants to say."""

    kind: FeedbackKind
    subject: str
    details: str
    partner_id: int | None = None
    """The partner for which they say it, if they name one."""


@dataclass(frozen=True, slots=True)
class PermissionIssueDraft:
    """Which permission of whom does not work where; a key is None for an id that cannot be read."""

    client_id: int | None
    member_id: int | None
    permission: str
    details: str


def _own_feedback(viewer: Viewer) -> Select[Any]:
    return select(feedback.c.id).where(feedback.c.user_id == viewer.user_id)


def _own_issues(viewer: Viewer) -> Select[Any]:
    """Selects the viewer's reports, as long as the client is one that the viewer may know of."""
    own = permission_issues.c.user_id == viewer.user_id
    return select(permission_issues.c.id).where(own, permission_issues.c.client_id.in_(readable_clients(viewer)))


def _feedback_columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    return select(rows.c.id, rows.c.kind, rows.c.subject, rows.c.details, rows.c.created_at).select_from(source)


def _issue_columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    columns = rows.c
    shown = (columns.id, columns.client_id, columns.member_id, columns.permission, columns.details, columns.created_at)
    return select(*shown).select_from(source)


_FEEDBACK = Projection(feedback, _feedback_columns, FeedbackRecord)
_ISSUES = Projection(permission_issues, _issue_columns, PermissionIssueRecord)


async def feedback_by_id(reader: Reader, keys: Sequence[int]) -> list[FeedbackRecord | None]:
    """Returns the messages with these keys; None for those that are not the viewer's own (T1)."""
    return await _FEEDBACK.by_key(reader, _own_feedback(reader.viewer), keys)


async def permission_issues_by_id(reader: Reader, keys: Sequence[int]) -> list[PermissionIssueRecord | None]:
    """Returns the reports with these keys; None for those that are not the viewer's own (T1)."""
    return await _ISSUES.by_key(reader, _own_issues(reader.viewer), keys)


async def submit_feedback(
    database: Database, viewer: Viewer, draft: FeedbackDraft, call: IdempotentCall | None = None
) -> int:
    """Keeps a message and returns its key (F46).

    Raises:
        RefusedError: INVALID_INPUT, for each text that is blank or cannot be used; NOT_FOUND for the partner.
    """
    subject, details = _checked(draft.subject, draft.details)
    if draft.partner_id is not None and viewer.membership(draft.partner_id) is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such partner.", "input", "partner")
    values = {"partner_id": draft.partner_id, "kind": draft.kind.value, "subject": subject, "details": details}
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        row = {**values, "user_id": viewer.user_id, "created_at": now()}
        key: int = (await connection.execute(insert(feedback).values(row).returning(feedback.c.id))).scalar_one()
        await remember(session, call, key)
    return key


async def report_permission_issue(
    database: Database, viewer: Viewer, draft: PermissionIssueDraft, call: IdempotentCall | None = None
) -> int:
    """Keeps the report of a permission that does not work as it should, and returns its key (F47).

    Whoever the manager is open to may report, with VIEW as well; the person need not have access there, as that may be the issue.

    Raises:
        RefusedError: NOT_FOUND, UNKNOWN_PERMISSION, or INVALID_INPUT for blank details.
    """
    details = _details(draft.details)
    if draft.permission not in catalogue.permissions:
        message = str(UnknownPermissionError(draft.permission))
        raise refuse(RefusalCode.UNKNOWN_PERMISSION, message, "input", "permission")
    async with database.write() as session:
        first = await remembered(session, call)
        if first is not None:
            return int(first)
        connection = await session.connection()
        partner_id = await _partner(connection, viewer, draft)
        row = {
            "partner_id": partner_id,
            "client_id": draft.client_id,
            "member_id": draft.member_id,
            "permission": draft.permission,
            "details": details,
            "user_id": viewer.user_id,
            "created_at": now(),
        }
        made = await connection.execute(insert(permission_issues).values(row).returning(permission_issues.c.id))
        key: int = made.scalar_one()
        await remember(session, call, key)
    return key


async def _partner(connection: AsyncConnection, viewer: Viewer, draft: PermissionIssueDraft) -> int:
    """Returns the partner whose client and member they are, for the viewer to know of both (T1)."""
    client = select(clients.c.partner_id).where(
        clients.c.id == draft.client_id, clients.c.id.in_(readable_clients(viewer))
    )
    partner_id: int | None = await connection.scalar(client)
    if partner_id is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such client.", "input", "client")
    person = (
        select(members.c.id)
        .join(clients, clients.c.partner_id == members.c.partner_id)
        .where(clients.c.id == draft.client_id)
        .where(members.c.id == draft.member_id, members.c.id.in_(readable_members(viewer)))
    )
    if await connection.scalar(person) is None:
        raise refuse(RefusalCode.NOT_FOUND, "There is no such member.", "input", "member")
    return partner_id


def _checked(subject: str, details: str) -> tuple[str, str]:
    """Returns both texts as they are kept, or refuses whatever is wrong with either at once (R15)."""
    refusals: list[Refusal] = []
    kept = {"subject": "", "details": ""}
    try:
        with refusing_at("The subject", "input", "subject"):
            kept["subject"] = one_line(subject, LONGEST_SUBJECT)
    except RefusedError as error:
        refusals += error.refusals
    try:
        kept["details"] = _details(details)
    except RefusedError as error:
        refusals += error.refusals
    if refusals:
        raise RefusedError(refusals)
    return kept["subject"], kept["details"]


def _details(text: str) -> str:
    with refusing_at("The text", "input", "details"):
        # Several lines may be blank; what is told here may not, so it must make a line as well.
        one_line(text, LONGEST_DETAILS)
        return several_lines(text, LONGEST_DETAILS)
