"""One mail for each event that demands one, and none about what has not happened (P06, P07, L11, N02)."""

from sqlalchemy import ColumnElement, String, and_, cast, except_, func, literal, select

from models.access_link import LinkAnswer, link_approvals
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.hand_off import HandOffState, hand_offs
from models.mail import mails
from models.member import members
from models.operation import operations
from models.timeline_entry import timeline_entries
from resolvers.confirmation import REASON
from resolvers.consistency.check import Check, selected

_APPROVED, _DECLINED = LinkAnswer.APPROVED.value, LinkAnswer.DECLINED.value
_named = confirmation_link_members
_link = confirmation_links


def _event(kind: str, *keys: ColumnElement[int] | str) -> ColumnElement[str]:
    """Returns the event of a mail, as the modules that post one write it."""
    text: ColumnElement[str] = literal(kind, String)
    for key in keys:
        text = text + literal(":", String) + (literal(key, String) if isinstance(key, str) else cast(key, String))
    return text


def _missing(key: str, title: str, event: ColumnElement[str], *where: ColumnElement[bool]) -> Check:
    demanded = select(event.label("event")).where(*where).distinct().subquery("demanded")
    return Check(
        key,
        title,
        [mails],
        selected(
            select(demanded.c.event).outerjoin(mails, mails.c.event == demanded.c.event).where(mails.c.id.is_(None)),
            lambda row: f"there is no mail about {row.event}",
        ),
    )


def _unfounded(kind: str, event: ColumnElement[str], *where: ColumnElement[bool]) -> Check:
    written = select(mails.c.event).where(mails.c.event.startswith(f"{kind}:", autoescape=True))
    return Check(
        f"mail_{kind.replace('-', '_')}",
        f"each mail “{kind}” is about something that has happened",
        [mails],
        selected(except_(written, select(event).where(*where)), lambda row: f"the mail {row.event} is about nothing"),
    )


def _unique() -> Check:
    number = func.count()
    return Check(
        "mail_events",
        "no event has two mails",
        [mails],
        selected(
            select(mails.c.event, number.label("number")).group_by(mails.c.event).having(number > 1),
            lambda row: f"there are {row.number} mails about {row.event}",
        ),
    )


_approval = _event("access-link-approval", link_approvals.c.id, "owner")
_decline = _event("access-link-decline", link_approvals.c.id, "owner")
_answers = (HandOffState.ACCEPTED.value, HandOffState.DECLINED.value)
_of_link = _named.c.link_id == _link.c.id
_answered = _link.c.answer == _APPROVED
_first = (
    select(timeline_entries.c.id)
    .where(timeline_entries.c.grant_id == _named.c.grant_id, timeline_entries.c.at >= _link.c.answered_at)
    .order_by(timeline_entries.c.at, timeline_entries.c.id)
    .limit(1)
    .scalar_subquery()
)
_let_in = (
    select(_link.c.id.label("link_id"), _named.c.member_id, _first.correlate(_named, _link).label("entry_id"))
    .where(_of_link, _answered, _named.c.grant_id.is_not(None))
    .subquery("let_in")
)
# Who had the access before the answer is told nothing: the next that becomes of it is no confirmation, or that of a later link.
_admitted = (
    select(func.min(_let_in.c.link_id).label("link_id"), func.min(_let_in.c.member_id).label("member_id"))
    .join(timeline_entries, timeline_entries.c.id == _let_in.c.entry_id)
    .join(operations, operations.c.id == timeline_entries.c.operation_id)
    .where(operations.c.by_client, operations.c.reason == REASON)
    .group_by(_let_in.c.entry_id)
    .having(func.count() == 1)
    .subquery("admitted")
)

OUTBOX_CHECKS = (
    _unique(),
    _missing(
        "mails_of_approvals",
        "the owner of each approved access link has a mail",
        _approval,
        link_approvals.c.answer == _APPROVED,
    ),
    _missing(
        "mails_of_admissions",
        "whoever was let in by a confirmation link has a mail",
        _event("confirmation", _admitted.c.link_id, members.c.user_id),
        members.c.id == _admitted.c.member_id,
    ),
    _missing(
        "mails_of_refusals",
        "the client who confirmed has a mail about those who were not let in",
        _event("confirmation-refused", _link.c.id, _link.c.answered_by_id),
        and_(_of_link, _answered, _named.c.code.is_not(None)),
    ),
    _missing("mails_of_hand_offs", "whoever is asked by a hand-off has a mail", _event("hand-off", hand_offs.c.id)),
    _unfounded("hand-off", _event("hand-off", hand_offs.c.id)),
    # Whoever has left is not told: an answer may have no mail.
    _unfounded("hand-off-answer", _event("hand-off-answer", hand_offs.c.id), hand_offs.c.state.in_(_answers)),
    _unfounded("access-link-approval", _approval, link_approvals.c.answer == _APPROVED),
    # Whoever no longer works for the partner is not told: a decline may have no mail.
    _unfounded("access-link-decline", _decline, link_approvals.c.answer == _DECLINED),
)
