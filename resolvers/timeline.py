"""The timeline: every change to access, as the partner and as the client see it (F55, N08)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table, and_, func, select, union_all

from models.account import accounts
from models.client import clients
from models.first_of_each import first_of_each
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import members
from models.operation import CELLS, OperationKind, operations
from models.partner import partners
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_state import permission_states
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from models.user import full_name, users
from resolvers.cursor import SortKind, decode_cursor
from resolvers.page import Order, Page, PageRequest, Projection, totals
from resolvers.readable import readable_account_timeline, readable_timeline
from resolvers.reader import Reader
from resolvers.timeline_filter import TimelineFilter, TimelineSide, timeline_conditions
from resolvers.viewer import Viewer

NEWEST_FIRST = Order("timeline", SortKind.KEY, lambda rows: rows.c.id, descending=True)

# Aliases, because clients, people, operations and partners are the parents around an entry.
_OPERATION = operations.alias("entrys_operation")
_PARTNER, _PERSON = partners.alias("persons_partner"), members.alias("entrys_person")
_ASKER, _ASKING_USER = members.alias("asking_member"), users.alias("asking_user")
_BEFORE, _AFTER = permission_states.alias("state_before"), permission_states.alias("state_after")


@dataclass(slots=True, eq=False)
class TimelineStateRecord:
    """What a grant was before or after a change."""

    status: GrantStatus
    access_type: AccessType
    seat: Seat | None
    expires_at: datetime | None
    content: str

    @property
    def held(self) -> State:
        """Returns what it gave: nothing unless it was ACTIVE."""
        return catalogue.decode(self.content) if self.status == GrantStatus.ACTIVE else 0


@dataclass(slots=True, eq=False)
class TimelineRecord:
    """One change of one grant, as far as its reader may know of it."""

    id: int
    at: datetime
    kind: OperationKind
    operation_id: int
    partner_name: str | None
    client_id: int | None
    member_id: int | None
    person_name: str
    person_email: str
    asked_for: TimelineSide
    asked_by_id: int | None
    asked_by_name: str | None
    reason: str | None
    before: TimelineStateRecord | None
    after: TimelineStateRecord

    @property
    def granted(self) -> State:
        """Returns what the person could do afterwards and not before."""
        return self.after.held & ~(self.before.held if self.before else 0)

    @property
    def revoked(self) -> State:
        """Returns what the person could do before and not afterwards."""
        return (self.before.held if self.before else 0) & ~self.after.held


def _columns(_viewer: Viewer, rows: FromClause, source: FromClause) -> Select[Any]:
    """Selects entries with what stands elsewhere, each name as the partner writes it whose people it is about (T1)."""
    asked = _OPERATION.c.requested_by_id
    is_asker = and_(_ASKER.c.user_id == asked, _ASKER.c.partner_id == rows.c.partner_id)
    joined = (
        source.join(_OPERATION, _OPERATION.c.id == rows.c.operation_id)
        .join(grants, grants.c.id == rows.c.grant_id)
        .join(users, users.c.id == grants.c.user_id)
        .join(_AFTER, _AFTER.c.id == rows.c.after_state_id)
        .outerjoin(_BEFORE, _BEFORE.c.id == rows.c.before_state_id)
        .outerjoin(_PARTNER, _PARTNER.c.id == rows.c.partner_id)
        .outerjoin(_PERSON, _PERSON.c.id == rows.c.member_id)
        .outerjoin(_ASKING_USER, _ASKING_USER.c.id == asked)
        .outerjoin(_ASKER, is_asker)
    )
    columns = [
        rows.c.id,
        rows.c.at,
        _OPERATION.c.kind,
        rows.c.operation_id,
        _PARTNER.c.name,
        rows.c.client_id,
        rows.c.member_id,
        _PERSON.c.first_name,
        _PERSON.c.last_name,
        users.c.email_key,
        asked,
        _OPERATION.c.by_client,
        _ASKER.c.first_name,
        _ASKER.c.last_name,
        _ASKING_USER.c.email_key,
        _OPERATION.c.reason,
        *(rows.c[f"before_{name}"] for name in ("status", "access_type", "seat", "expires_at")),
        _BEFORE.c.content,
        *(rows.c[f"after_{name}"] for name in ("status", "access_type", "seat", "expires_at")),
        _AFTER.c.content,
    ]
    return select(*columns).select_from(joined)


def _record(*row: Any) -> TimelineRecord:
    """Returns an entry with all that the account's own people may know of it.

    What a partner's person wrote as the reason is the partner's own. One of the account's own people is shown by the address:
    the name in the user's row may be one that some partner of theirs gave them (T1).
    """
    key, at, kind, operation_id, partner, client_id, member_id, first, last, email = row[:10]
    asked_by_id, by_client, asker_first, asker_last, asker_email, reason = row[10:16]
    side, asker = TimelineSide.SERVICE, None
    if by_client:
        side, asker = TimelineSide.CLIENT, asker_email
    elif asked_by_id is not None:
        side, asker, reason = TimelineSide.PARTNER, full_name(asker_first or "", asker_last or "", asker_email), None
    return TimelineRecord(
        id=key,
        at=at,
        kind=kind,
        operation_id=operation_id,
        partner_name=partner,
        client_id=client_id,
        member_id=member_id,
        person_name=email if member_id is None else full_name(first, last, email),
        person_email=email,
        asked_for=side,
        asked_by_id=asked_by_id,
        asked_by_name=asker,
        reason=reason,
        before=TimelineStateRecord(*row[16:21]) if row[16] else None,
        after=TimelineStateRecord(*row[21:26]),
    )


def _partners_record(*row: Any) -> TimelineRecord:
    """Returns the same for the partner, with every reason; who of the client's people asked is the client's own (T1)."""
    record = _record(*row)
    record.reason = row[15]
    if record.asked_for is TimelineSide.CLIENT:
        record.asked_by_id = record.asked_by_name = None
    return record


_ENTRIES = Projection(timeline_entries, _columns, _partners_record)
_ACCOUNT_ENTRIES = Projection(timeline_entries, _columns, _record)


async def timeline_by_client(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[TimelineRecord]]:
    """Returns one page of what happened to the access of the partner's people in each client, the newest first."""
    return await _pages(reader, clients, timeline_entries.c.client_id, parents, filter, page)


async def timeline_by_member(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[TimelineRecord]]:
    """Returns one page of what happened to each person's access, the newest first."""
    return await _pages(reader, members, timeline_entries.c.member_id, parents, filter, page)


async def timeline_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[TimelineRecord]]:
    """Returns one page of what happened to the access of all of each partner's people, the newest first."""
    return await _pages(reader, partners, timeline_entries.c.partner_id, parents, filter, page)


async def timeline_by_account(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[TimelineRecord]]:
    """Returns one page of what happened to access in each account, by whichever partner or its own people (N08)."""
    newest = _newest_of_account(reader, filter, page)
    choice = readable_account_timeline(reader.viewer).where(timeline_entries.c.id.in_(newest))
    return await _ACCOUNT_ENTRIES.pages(reader, accounts, parents, choice, order=NEWEST_FIRST, request=page)


async def timeline_by_operation(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
    page: PageRequest = PageRequest(),  # noqa: B008 an immutable value
) -> list[Page[TimelineRecord]]:
    """Returns one page of what each operation did, the newest first."""
    choice = _of_operation(reader, filter)
    return await _ENTRIES.pages(reader, operations, parents, choice, order=NEWEST_FIRST, request=page)


async def timeline_entries_by_id(reader: Reader, keys: Sequence[int]) -> list[TimelineRecord | None]:
    """Returns the entries with these keys as the partner sees them; None for those the viewer does not know of (T1)."""
    return await _ENTRIES.by_key(reader, readable_timeline(reader.viewer), keys)


async def account_timeline_entries_by_id(reader: Reader, keys: Sequence[int]) -> list[TimelineRecord | None]:
    """Returns the same as the account's own people see them; the caller has made sure that the viewer decides for it."""
    return await _ACCOUNT_ENTRIES.by_key(reader, readable_account_timeline(reader.viewer), keys)


async def timeline_total_by_client(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many entries each client has in such a list."""
    return await _totals(reader, timeline_entries.c.client_id, parents, filter)


async def timeline_total_by_member(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many entries each person has in such a list."""
    return await _totals(reader, timeline_entries.c.member_id, parents, filter)


async def timeline_total_by_partner(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many entries each partner has in such a list."""
    return await _totals(reader, timeline_entries.c.partner_id, parents, filter)


async def timeline_total_by_operation(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many entries each operation has in such a list."""
    counted: list[ColumnElement[Any]] = [func.count()]
    number = _of_operation(reader, filter).with_only_columns(*counted).correlate(operations).scalar_subquery()
    rows: Sequence[Any] = await reader.rows(select(operations.c.id, number).where(operations.c.id.in_(set(parents))))
    found: dict[int, int] = dict(rows)
    return [found.get(key, 0) for key in parents]


async def timeline_total_by_account(
    reader: Reader,
    parents: Sequence[int],
    *,
    filter: TimelineFilter | None = None,  # noqa: A002 the argument's name in the API
) -> list[int]:
    """Returns how many entries each account has in such a list."""
    entries, keys = timeline_entries.c, set(parents)
    # By the clients of the accounts: the index by account is of the own people's entries alone.
    theirs = select(clients.c.id).where(clients.c.account_id.in_(keys))
    parts = (entries.client_id.in_(theirs), and_(entries.client_id.is_(None), entries.account_id.in_(keys)))
    counts = [
        readable_account_timeline(reader.viewer)
        .where(part, *timeline_conditions(reader.viewer, filter, timeline_entries, for_account=True))
        .with_only_columns(*[entries.account_id.label("account_id"), func.count().label("number")])
        .group_by(entries.account_id)
        for part in parts
    ]
    both = union_all(*counts).subquery("counted")
    found = dict.fromkeys(parents, 0)
    rows: Sequence[Any] = await reader.rows(select(both))
    for account_id, number in rows:
        found[account_id] += number
    return [found[key] for key in parents]


def _of_operation(reader: Reader, filter_: TimelineFilter | None) -> Select[Any]:
    """Selects what one operation did: between the keys of its first and its last block, where an index finds it.

    Refers to the row of `operations` around it.
    """
    entries, first = timeline_entries.c, operations.c.id
    last = select(func.max(timeline_blocks.c.id)).where(timeline_blocks.c.operation_id == first).correlate(operations)
    return readable_timeline(reader.viewer).where(
        entries.operation_id == first,
        entries.id >= first * CELLS,
        entries.id < (func.coalesce(last.scalar_subquery(), first) + 1) * CELLS,
        *timeline_conditions(reader.viewer, filter_, timeline_entries),
    )


def _newest_of_account(reader: Reader, filter_: TimelineFilter | None, page: PageRequest) -> Select[Any]:
    """Selects the keys among which one account's page is: as many as it needs of each client and of its own people.

    Refers to the row of `accounts` around it. An OR of the two would make both databases sort all that ever happened there.
    """

    def place(cursor: str | None) -> int | None:
        return None if cursor is None else decode_cursor(NEWEST_FIRST.name, NEWEST_FIRST.kind, cursor)[1]

    after, before = place(page.after), place(page.before)

    def first(rows: FromClause, of: ColumnElement[bool]) -> Select[Any]:
        chosen = select(rows.c.id).where(of, *timeline_conditions(reader.viewer, filter_, rows, for_account=True))
        if after is not None:
            chosen = chosen.where(rows.c.id < after)
        if before is not None:
            chosen = chosen.where(rows.c.id > before)
        return chosen.order_by(rows.c.id if page.backward else rows.c.id.desc()).limit(page.size + 1)

    own, theirs, row = (timeline_entries.alias(name) for name in ("own_entry", "client_entry", "client_row"))
    of_account = and_(own.c.account_id == accounts.c.id, own.c.client_id.is_(None))
    own_people = first(own, of_account).correlate(accounts).subquery("own_people")
    of_client = first(theirs, theirs.c.client_id == clients.c.id)
    of_clients = first_of_each(clients, row, of_client, lateral=not reader.database.is_sqlite)
    partners_people = select(row.c.id).select_from(of_clients).where(clients.c.account_id == accounts.c.id)
    newest = union_all(select(own_people.c.id), partners_people.correlate(accounts)).subquery("newest")
    return select(newest.c.id)


async def _pages(  # noqa: PLR0917 private
    reader: Reader,
    parents: Table,
    parent: ColumnElement[int],
    keys: Sequence[int],
    filter_: TimelineFilter | None,
    page: PageRequest,
) -> list[Page[TimelineRecord]]:
    choice = readable_timeline(reader.viewer).where(
        parent == parents.c.id, *timeline_conditions(reader.viewer, filter_, timeline_entries)
    )
    return await _ENTRIES.pages(reader, parents, keys, choice, order=NEWEST_FIRST, request=page)


async def _totals(
    reader: Reader, parent: ColumnElement[int], keys: Sequence[int], filter_: TimelineFilter | None
) -> list[int]:
    choice = readable_timeline(reader.viewer).where(*timeline_conditions(reader.viewer, filter_, timeline_entries))
    return await totals(reader, parent, keys, choice)


async def new_entries(
    reader: Reader, partner_id: int, client_id: int | None, which: ColumnElement[bool], number: int
) -> list[TimelineRecord]:
    """Returns the first entries of a partner's timeline, or of one client in it, for which a condition holds, the oldest first."""
    entries = timeline_entries.c
    chosen = readable_timeline(reader.viewer).where(entries.partner_id == partner_id, which)
    if client_id is not None:
        chosen = chosen.where(entries.client_id == client_id)
    return await _ENTRIES.records(reader, chosen.order_by(entries.id).limit(number))
