"""What a link opens for whoever it reaches: who asks for what, on behalf of whom, before anybody decides (F16, F53, P07).

Both kinds of link are found here, by their token or, if a link is for one client, by its id among that account's invitations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, Table, false, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import access_links, link_approvals
from models.account import accounts
from models.client import clients
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.member import MemberStatus, members
from models.partner import PartnerProgram, partners
from models.table import now
from models.user import full_name, users
from resolvers.api_token import token_hash
from resolvers.error import RefusalCode, refuse
from resolvers.issuer import TOKEN_LENGTH, same
from resolvers.readable import readable_accounts
from resolvers.reader import Reader

NOTHING_OPENS = (
    "No link opens with this: it may be cut, or expired, revoked, used or answered already, or meant for another account. "
    "Ask the agency for a new link."
)


class InvitationKind(StrEnum):
    """The two kinds of link."""

    ACCESS_LINK = "ACCESS_LINK"
    CONFIRMATION_LINK = "CONFIRMATION_LINK"


@dataclass(frozen=True, slots=True)
class WayIn:
    """How somebody names an invitation: by the token of a link, or by its kind and key among an account's invitations."""

    token: str | None = None
    listed: tuple[InvitationKind, int] | None = None

    @property
    def field(self) -> tuple[str, ...]:
        """Returns where in the input it stands."""
        return ("input", "token" if self.listed is None else "invitation")

    @property
    def hashed(self) -> str:
        """Returns the hash of the token."""
        return token_hash(_readable_token(self.token))

    def opens(self, hashed: str) -> bool:
        """Says whether a link that was found this way is the one that is named, in constant time (L8)."""
        return self.listed is not None or same(hashed, self.hashed)


@dataclass(frozen=True, slots=True)
class InvitedPerson:
    """Somebody who would become partner admin."""

    name: str
    email: str
    eligible: bool
    """Whether they can become partner admin now: ACTIVE, verified, of a partner in a program (L5, L11)."""


@dataclass(slots=True, eq=False)
class InvitationRecord:
    """What a link asks for."""

    kind: InvitationKind
    link_id: int
    partner_name: str
    partner_hub_id: int
    requested_by: str
    reference: str
    single_use: bool
    created_at: datetime
    expires_at: datetime
    account_id: int | None
    account_name: str | None
    account_hub_id: int | None
    people: list[InvitedPerson] = field(default_factory=list)


_LINKS: dict[InvitationKind, Table] = {
    InvitationKind.ACCESS_LINK: access_links,
    InvitationKind.CONFIRMATION_LINK: confirmation_links,
}
_AS_READ = (
    *("partner_name", "partner_hub_id", "reference", "single_use", "created_at", "expires_at"),
    *("account_id", "account_name", "account_hub_id"),
)
_FOR, _ASKED = clients.alias("meant_client"), clients.alias("asked_client")
_PERSON, _ASKER = members.alias("invited_member"), members.alias("asking_member")
_PERSON_USER, _ASKER_USER = users.alias("invited_user"), users.alias("asking_user")


def is_living(links: FromClause, at: datetime) -> ColumnElement[bool]:
    """Says whether a row of either table of links can still be answered, whoever its people are."""
    unanswered = links.c.ended == 0 if "ended" in links.c else links.c.answer.is_(None)
    return unanswered & links.c.revoked_at.is_(None) & (links.c.expires_at > at)


def is_answered() -> ColumnElement[bool]:
    """Says whether the account for which a row of access links is meant has answered it."""
    return (
        select(link_approvals.c.id)
        .join(_ASKED, _ASKED.c.account_id == link_approvals.c.account_id)
        .where(link_approvals.c.link_id == access_links.c.id, _ASKED.c.id == access_links.c.client_id)
        .correlate(access_links)
        .exists()
    )


def is_named(kind: InvitationKind, way: WayIn, account_id: int) -> ColumnElement[bool]:
    """Says whether a row of this kind's table is the link that is named for an account; ``WayIn.opens`` says it for certain.

    By its id, a link opens only for the account that it is meant for: ids can be guessed, tokens cannot.
    """
    links = _LINKS[kind]
    if way.listed is None:
        return links.c.token_hash == way.hashed
    here = select(clients.c.id).where(clients.c.account_id == account_id)
    return (links.c.id == way.listed[1]) & links.c.client_id.in_(here) if way.listed[0] is kind else false()


def eligible(people: FromClause, partner: FromClause = partners) -> ColumnElement[bool]:
    """Says whether a row of members, joined with its partner, may become partner admin now (F01, F09, R12)."""
    in_program = partner.c.program != PartnerProgram.NONE.value
    return (people.c.status == MemberStatus.ACTIVE.value) & people.c.verified & in_program


async def find_invitation(connection: AsyncConnection, kind: InvitationKind, way: WayIn, account_id: int) -> Row[Any]:
    """Returns the row of the living link of this kind that opens for an account, with all columns of its table.

    The caller has checked that whoever asks decides for the account.

    Raises:
        RefusedError: NOT_FOUND, the same for everything that does not open (L8).
    """
    links = _LINKS[kind]
    statement = (
        select(links, _FOR.c.account_id.label("meant_account_id"))
        .outerjoin(_FOR, _FOR.c.id == links.c.client_id)
        .where(is_named(kind, way, account_id), is_living(links, now()))
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None or not way.opens(row.token_hash) or row.meant_account_id not in {None, account_id}:
        raise refuse(RefusalCode.NOT_FOUND, NOTHING_OPENS, *way.field)
    return row


async def invitation_by_token(reader: Reader, token: str) -> InvitationRecord | None:
    """Returns what a token opens for the viewer; None for everything that does not open, which all looks alike (L8).

    A link for one client opens only for that account's own people.
    """
    hashed, at = token_hash(_readable_token(token)), now()
    meant = or_(_FOR.c.account_id.is_(None), _FOR.c.account_id.in_(readable_accounts(reader.viewer)))
    found = await _invitations(
        reader.everything(),
        [links.c.token_hash == hashed for links in _LINKS.values()],
        is_living_at=at,
        conditions=[meant],
    )
    return next((invitation for hash_, invitation in found if same(hash_, hashed)), None)


async def pending_invitations(reader: Reader, account_ids: Sequence[int]) -> list[list[InvitationRecord]]:
    """Returns, the newest first, what each account of the viewer's is asked and has not answered: links for it alone (P07).

    A link whose owner cannot become partner admin at present is left out until they can (R12).
    """
    # Of the viewer's own accounts even if nothing else said so: who asks is seen past the wall, being of no tenant of theirs.
    here = select(clients.c.id).where(clients.c.account_id.in_(set(account_ids) & set(reader.viewer.account_ids)))
    narrowed = [access_links.c.client_id.in_(here) & ~is_answered(), confirmation_links.c.client_id.in_(here)]
    own = _FOR.c.account_id.in_(readable_accounts(reader.viewer))
    in_program = partners.c.program != PartnerProgram.NONE.value
    by_account: dict[int | None, list[InvitationRecord]] = {key: [] for key in account_ids}
    asked = await _invitations(reader.everything(), narrowed, is_living_at=now(), conditions=[own, in_program])
    for _, found in asked:
        if found.kind is InvitationKind.CONFIRMATION_LINK or any(person.eligible for person in found.people):
            by_account[found.account_id].append(found)
    for pending in by_account.values():
        pending.sort(key=lambda found: (found.created_at, found.kind, found.link_id), reverse=True)
    return [by_account[key] for key in account_ids]


async def answered_invitation(reader: Reader, kind: InvitationKind, link_id: int) -> InvitationRecord:
    """Returns what a link asked for, living or not, for whoever has just answered it."""
    named = [links.c.id == link_id if links is _LINKS[kind] else false() for links in _LINKS.values()]
    ((_, found),) = await _invitations(reader.everything(), named)
    return found


def _readable_token(token: str | None) -> str:
    """Returns the token, or for what cannot be one a text that is none: looked up all the same, so both take as long (L8)."""
    return token if token is not None and len(token) == TOKEN_LENGTH and token.isascii() else ""


async def _invitations(
    reader: Reader,
    narrowed: Sequence[ColumnElement[bool]],
    *,
    is_living_at: datetime | None = None,
    conditions: Sequence[ColumnElement[bool]] = (),
) -> list[tuple[str, InvitationRecord]]:
    """Returns invitations with their tokens' hashes, all by one statement.

    Args:
        reader: what to read with.
        narrowed: which rows of each table of links, in the order of the tables: within each, so that an index serves.
        is_living_at: leaves out what could not be answered at that moment.
        conditions: on what the links are joined with.
    """
    parts = []
    for (kind, links), narrow in zip(_LINKS.items(), narrowed, strict=True):
        part = _part(kind).where(narrow)
        parts.append(part if is_living_at is None else part.where(is_living(links, is_living_at)))
    link = union_all(*parts).subquery("link")
    statement = (
        select(
            link,
            partners.c.name.label("partner_name"),
            partners.c.hub_id.label("partner_hub_id"),
            *_name_columns("asking", _ASKER, _ASKER_USER),
            accounts.c.id.label("account_id"),
            accounts.c.official_name.label("account_name"),
            accounts.c.hub_id.label("account_hub_id"),
            *_name_columns("invited", _PERSON, _PERSON_USER),
            eligible(_PERSON).label("eligible"),
        )
        .join(partners, partners.c.id == link.c.partner_id)
        .join(_ASKER_USER, _ASKER_USER.c.id == link.c.created_by_id)
        .outerjoin(_ASKER, (_ASKER.c.user_id == link.c.created_by_id) & (_ASKER.c.partner_id == link.c.partner_id))
        .outerjoin(_PERSON, _PERSON.c.id == link.c.member_id)
        .outerjoin(_PERSON_USER, _PERSON_USER.c.id == _PERSON.c.user_id)
        .outerjoin(_FOR, _FOR.c.id == link.c.client_id)
        .outerjoin(accounts, accounts.c.id == _FOR.c.account_id)
        .where(*conditions)
        .order_by(link.c.kind, link.c.id, _PERSON.c.id)
    )
    found: dict[tuple[str, int], tuple[str, InvitationRecord]] = {}
    for row in await reader.rows(statement):
        key = row.kind, row.id
        if key not in found:
            found[key] = row.token_hash, _record(row)
        if row.invited_email is not None:
            name = full_name(row.invited_first_name, row.invited_last_name, row.invited_email)
            found[key][1].people.append(InvitedPerson(name, row.invited_email, row.eligible))
    return list(found.values())


def _name_columns(prefix: str, person: FromClause, user: FromClause) -> list[ColumnElement[Any]]:
    return [
        person.c.first_name.label(f"{prefix}_first_name"),
        person.c.last_name.label(f"{prefix}_last_name"),
        user.c.email_key.label(f"{prefix}_email"),
    ]


def _record(row: Row[Any]) -> InvitationRecord:
    return InvitationRecord(
        kind=InvitationKind(row.kind),
        link_id=row.id,
        requested_by=full_name(row.asking_first_name, row.asking_last_name, row.asking_email),
        **{name: getattr(row, name) for name in _AS_READ},
    )


def _part(kind: InvitationKind) -> Select[Any]:
    """Selects the links of one kind, each once for each person whom it is about."""
    links = _LINKS[kind]
    source: FromClause = links
    person: ColumnElement[Any]
    reference: ColumnElement[Any]
    single_use: ColumnElement[Any]
    if kind is InvitationKind.ACCESS_LINK:
        person, reference, single_use = links.c.member_id, links.c.reference, links.c.single_use
    else:
        named = confirmation_link_members
        source = links.outerjoin(named, named.c.link_id == links.c.id)
        person, reference, single_use = named.c.member_id, literal(""), literal(value=True)
    shared = ("token_hash", "id", "partner_id", "client_id", "created_by_id", "created_at", "expires_at")
    return select(
        literal(kind.value).label("kind"),
        *(links.c[name] for name in shared),
        person.label("member_id"),
        reference.label("reference"),
        single_use.label("single_use"),
    ).select_from(source)
