"""Grants are where they say, and replaying the timeline gives exactly what there is (F55, E26)."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.client import clients
from models.grant import GrantStatus, grants
from models.lifetime import fork
from models.member import members
from models.operation import CELLS
from models.table import now
from models.timeline_block import timeline_blocks
from models.timeline_entry import timeline_entries
from resolvers.consistency.check import Check, differ, selected, streamed
from resolvers.moment import MOST_AHEAD

_first, _last, _entry = (timeline_entries.alias(name) for name in ("first_entry", "last_entry", "entry"))
_STATES = ("status", "access_type", "seat", "state_id", "set_version_id", "expires_at")
# What was recorded elsewhere, as the demo is, may leave the others out of what was before; then there is no seat either.
_ALWAYS = ("status", "access_type", "state_id")


def _places() -> Check:
    """On behalf of a partner, a grant is in its client's account and of its member's user."""
    joined = grants.outerjoin(clients, clients.c.id == grants.c.client_id).outerjoin(
        members, members.c.id == grants.c.member_id
    )
    elsewhere = differ(
        (grants.c.partner_id, clients.c.partner_id),
        (grants.c.partner_id, members.c.partner_id),
        (grants.c.account_id, clients.c.account_id),
        (grants.c.user_id, members.c.user_id),
    )
    return Check(
        "grant_places",
        "each grant is of its client, its person and their agency",
        [grants],
        selected(
            select(grants.c.id, grants.c.client_id, grants.c.member_id)
            .select_from(joined)
            .where(grants.c.client_id.is_not(None), elsewhere)
            .order_by(grants.c.id),
            lambda row: (
                f"grant {row.id}: its agency, account or user is not that of client {row.client_id} and member {row.member_id}"
            ),
        ),
    )


def _living() -> Check:
    key = (grants.c.account_id, grants.c.user_id, grants.c.partner_id)
    living = select(*key, func.count().label("number"), func.max(grants.c.id).label("newest")).where(
        grants.c.ended == 0
    )
    return Check(
        "living_grants",
        "nobody has two living grants in an account on behalf of the same agency",
        [grants],
        selected(
            living.group_by(*key).having(func.count() > 1),
            lambda row: (
                f"user {row.user_id} has {row.number} living grants in account {row.account_id} "
                f"(agency {row.partner_id or 'none'}); the newest is grant {row.newest}"
            ),
        ),
    )


def _begun() -> Check:
    """A grant begins with the first of its entries."""
    oldest = select(func.min(_entry.c.id)).where(_entry.c.grant_id == grants.c.id).correlate(grants).scalar_subquery()
    wrong = or_(_first.c.id.is_(None), _first.c.before_status.is_not(None))
    return Check(
        "timeline_begins",
        "each grant begins with an entry of the timeline that has nothing before it",
        [grants],
        selected(
            select(grants.c.id, _first.c.id.label("entry_id"))
            .select_from(grants.outerjoin(_first, _first.c.id == oldest))
            .where(wrong)
            .order_by(grants.c.id),
            _tell_beginning,
        ),
    )


def _tell_beginning(row: Any) -> str:
    if row.entry_id is None:
        return f"grant {row.id}: the timeline does not tell how it began"
    return f"grant {row.id}: its first entry, {row.entry_id}, says that something was there before"


def _chained() -> Check:
    """Each entry begins where the one before it has ended."""
    window: dict[str, Any] = {"partition_by": _entry.c.grant_id, "order_by": _entry.c.id}
    ended = [func.lag(_entry.c[f"after_{name}"]).over(**window).label(f"was_{name}") for name in _STATES]
    began = [_entry.c[f"before_{name}"] for name in _STATES]
    rows = select(
        _entry.c.id, _entry.c.grant_id, func.lag(_entry.c.id).over(**window).label("previous_id"), *began, *ended
    ).subquery("followed")
    sides = {name: (rows.c[f"before_{name}"], rows.c[f"was_{name}"]) for name in _STATES}
    broken = or_(
        differ(*(sides[name] for name in _ALWAYS)),
        and_(rows.c.before_seat.is_not(None), differ(*(sides[name] for name in _STATES if name not in _ALWAYS))),
    )
    return Check(
        "timeline_follows",
        "each entry of the timeline begins where the one before it ended",
        [timeline_entries],
        selected(
            select(rows).where(rows.c.previous_id.is_not(None), broken),
            _tell_break,
        ),
    )


def _tell_break(row: Any) -> str:
    said = [name for name in _STATES if getattr(row, f"before_{name}") != getattr(row, f"was_{name}")]
    told = ", ".join(f"{name} {getattr(row, f'before_{name}')} and not {getattr(row, f'was_{name}')}" for name in said)
    return f"entry {row.id} of grant {row.grant_id} follows entry {row.previous_id} and says before: {told}"


def _in_time() -> Check:
    """The moments of a grant's entries are in the order of their keys, and none is yet to come (N05)."""
    # By the moment and then the key, as the index is that has all of it: nothing is sorted.
    window: dict[str, Any] = {"partition_by": _entry.c.grant_id, "order_by": (_entry.c.at, _entry.c.id)}
    rows = select(
        *(_entry.c[name] for name in ("id", "grant_id", "at")),
        func.lag(_entry.c.id).over(**window).label("later_id"),
        func.lag(_entry.c.at, type_=_entry.c.at.type).over(**window).label("later_at"),
    ).subquery("in_time")

    async def search(connection: AsyncConnection) -> AsyncIterator[str]:
        ahead = now() + MOST_AHEAD
        wrong = select(rows).where(or_(rows.c.later_id > rows.c.id, rows.c.at > ahead))
        async for row in streamed(connection, wrong):
            if row.later_id is not None and row.later_id > row.id:
                yield (
                    f"entry {row.later_id} of grant {row.grant_id} came after entry {row.id}, but is of {row.later_at} and that "
                    f"of {row.at}: a clock was wrong, and access as of a moment in between is told wrongly. Remove this access "
                    "and give it anew, so that what follows is told rightly"
                )
            if row.at > ahead:
                yield (
                    f"entry {row.id} of grant {row.grant_id} is of {row.at}, which is yet to come: a clock was far ahead, and "
                    "access as of a moment until then is told wrongly. Wait for that moment, or remove this access and give it "
                    "anew"
                )

    return Check(
        "timeline_moments",
        "the entries of a grant are of moments in their order, and of none that is yet to come",
        [timeline_entries],
        search,
    )


def _replayed() -> Check:
    """The last entry is what the grant is, and each change has counted its version up."""
    same_grant: dict[str, Any] = {"partition_by": _entry.c.grant_id}
    newest = select(
        _entry.c.grant_id,
        _entry.c.id,
        func.count().over(**same_grant).label("number"),
        func.row_number().over(**same_grant, order_by=_entry.c.id.desc()).label("back"),
    ).subquery("newest")
    wrong = or_(
        differ(*((grants.c[name], _last.c[f"after_{name}"]) for name in _STATES)),
        grants.c.version != newest.c.number,
    )
    return Check(
        "timeline_replays",
        "replaying the timeline gives the grants as they are",
        [grants, timeline_entries],
        selected(
            select(
                *(grants.c[name] for name in ("id", "version", *_STATES)),
                *(_last.c[f"after_{name}"] for name in _STATES),
                _last.c.id.label("entry_id"),
                newest.c.number,
            )
            .select_from(newest)
            .join(_last, _last.c.id == newest.c.id)
            .join(grants, grants.c.id == newest.c.grant_id)
            .where(newest.c.back == 1, wrong),
            _tell_difference,
        ),
    )


def _tell_difference(row: Any) -> str:
    said = [name for name in _STATES if getattr(row, name) != getattr(row, f"after_{name}")]
    told = [f"{name} is {getattr(row, name)} and not {getattr(row, f'after_{name}')}" for name in said]
    if row.version != row.number:
        told.append(f"version is {row.version} after {row.number} entries")
    return f"grant {row.id}, by its last entry {row.entry_id}: {', '.join(told)}"


def _located() -> Check:
    """An entry has the key of a block of its operation, and tells of its grant's own place."""
    names = ("partner_id", "account_id", "client_id", "member_id")
    wrong = or_(
        differ((timeline_blocks.c.operation_id, _entry.c.operation_id)),
        differ(*((_entry.c[name], grants.c[name]) for name in names)),
    )
    return Check(
        "timeline_places",
        "each entry of the timeline is of its operation and of its grant's client and person",
        [timeline_entries],
        selected(
            select(_entry.c.id, _entry.c.operation_id, _entry.c.grant_id)
            .select_from(
                _entry.join(grants, grants.c.id == _entry.c.grant_id).outerjoin(
                    timeline_blocks, timeline_blocks.c.id == _entry.c.id // CELLS
                )
            )
            .where(wrong)
            .order_by(_entry.c.id),
            lambda row: (
                f"entry {row.id}: it is not of operation {row.operation_id}, or not where grant {row.grant_id} is"
            ),
        ),
    )


def _lived() -> Check:
    """A grant begins and ends when its entries say so, and what has ended hangs where a moment in between finds it."""
    of_grant = select(_entry.c.at).where(_entry.c.grant_id == grants.c.id).limit(1).correlate(grants)
    removing = of_grant.where(_entry.c.after_status == GrantStatus.REMOVED.value)
    first = of_grant.order_by(_entry.c.id).scalar_subquery()
    last = removing.order_by(_entry.c.id.desc()).scalar_subquery()
    columns = (grants.c.id, grants.c.since, grants.c.removed_at, grants.c.fork)
    # Where a life hangs is worked out here; what lives hangs nowhere, as the database itself makes sure.
    wrong = differ((grants.c.since, first), (grants.c.removed_at, last))
    lives = (
        select(*columns, first.label("first"), last.label("last"))
        .where(first.is_not(None), or_(wrong, grants.c.removed_at.is_not(None)))
        .order_by(grants.c.id)
    )

    async def search(connection: AsyncConnection) -> AsyncIterator[str]:
        async for row in streamed(connection, lives):
            if (row.since, row.removed_at) != (row.first, row.last):
                yield (
                    f"grant {row.id}: it lasted from {row.since} to {row.removed_at or 'now'} "
                    f"and not, as its entries say, from {row.first} to {row.last or 'now'}"
                )
            elif row.fork != fork(row.since, row.removed_at):
                yield f"grant {row.id}: its life hangs at {row.fork} and not at {fork(row.since, row.removed_at)}"

    return Check("grant_lives", "each grant lasted as long as its entries say, and is found by that", [grants], search)


GRANT_CHECKS = (_places(), _living(), _begun(), _chained(), _in_time(), _replayed(), _located(), _lived())
