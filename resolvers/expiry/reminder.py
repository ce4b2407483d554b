"""Reminds people that access ends soon: one mail a day at most for each, about all of it (P04).

Everybody hears of their own access, and the lead person of a client of everybody's there. A round tells of what is within reach of a
reminder, and writes down for each grant of which end it has told, and by which reminder. So nothing is told twice, and nothing is left
out: neither what was given, shortened or reactivated since the last round, nor what a new reminder reaches, nor what came near while
the service stood still or its clock was wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, delete, exists, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.database import Database
from models.dialect import insert_many, insert_or_ignore
from models.expiry import REMIND_DAYS, ExpiryAction, expiry_reminders, expiry_rules
from models.grant import grants, is_active
from models.member import MemberStatus, members
from models.partner import partners
from models.table import now
from models.user import full_name, users
from resolvers.due_work import each_by_itself
from resolvers.mail import Letter, post

ROUND = timedelta(days=1)
"""Between two rounds of a partner."""
AT_ONCE = 5_000
"""Keys in one statement."""
LISTED = 50
"""How much access one mail lists; the rest is counted."""

_leads, _lead_users = members.alias("lead"), users.alias("lead_user")


@dataclass(slots=True)
class _Digest:
    """What one person is told."""

    email: str
    own: list[str] = field(default_factory=list)
    led: list[str] = field(default_factory=list)


async def remind_due(database: Database, link: str | None = None) -> int:
    """Carries out the rounds that are due, a transaction for each partner, and returns how many there were."""
    rule = expiry_rules.c
    due = or_(rule.partner_id.is_(None), _due(now()))
    statement = select(partners.c.id).outerjoin(expiry_rules, rule.partner_id == partners.c.id).where(due)
    async with database.read() as connection:
        partner_ids = list((await connection.execute(statement.order_by(partners.c.id))).scalars())
    return await each_by_itself(partner_ids, lambda key: _remind(database, key, link), "reminding people of partner")


def _due(at: datetime) -> ColumnElement[bool]:
    """Returns the condition that a partner's last round is a day ago, or in what the clock has called a time to come."""
    last = expiry_rules.c.reminded_at
    return or_(last.is_(None), last <= at - ROUND, last > at)


async def _remind(database: Database, partner_id: int, link: str | None) -> bool:
    rule = expiry_rules.c
    async with database.write() as session:
        connection = await session.connection()
        default = {"partner_id": partner_id, "action": ExpiryAction.DEACTIVATE.value, "remind_days": REMIND_DAYS}
        await connection.execute(insert_or_ignore(connection, expiry_rules).values(default))
        at = now()
        ours = (rule.partner_id == partner_id, _due(at))
        days = await connection.scalar(select(rule.remind_days).where(*ours).with_for_update(skip_locked=True))
        if days is None:
            return False
        await connection.execute(update(expiry_rules).where(rule.partner_id == partner_id).values(reminded_at=at))
        over = delete(expiry_reminders).where(expiry_reminders.c.partner_id == partner_id)
        await connection.execute(over.where(expiry_reminders.c.expires_at <= at))
        if days:
            rows = await _near(connection, partner_id, sorted(map(int, days.split())), at)
            await _note(connection, partner_id, rows)
            for user_id, digest in _digests(rows).items():
                await post(
                    connection, _letter(f"expiry-reminder:{partner_id}:{user_id}:{at:%Y%m%dT%H%M%S}", digest, link)
                )
    return True


async def _note(connection: AsyncConnection, partner_id: int, rows: Sequence[Row[Any]]) -> None:
    """Writes down what is told."""
    told = [
        {"grant_id": row.id, "partner_id": partner_id, "expires_at": row.expires_at, "days": row.days} for row in rows
    ]
    for start in range(0, len(told), AT_ONCE):
        part = [row["grant_id"] for row in told[start : start + AT_ONCE]]
        await connection.execute(delete(expiry_reminders).where(expiry_reminders.c.grant_id.in_(part)))
    await insert_many(connection, expiry_reminders, told)


async def _near(connection: AsyncConnection, partner_id: int, days: Sequence[int], at: datetime) -> Sequence[Row[Any]]:
    """Returns the grants that end within reach of a reminder, the nearest of which was not told yet, nor one nearer still."""
    reach = case(*((grants.c.expires_at <= at + timedelta(days=near), literal(near)) for near in days))
    told = and_(
        expiry_reminders.c.grant_id == grants.c.id,
        expiry_reminders.c.expires_at == grants.c.expires_at,
        expiry_reminders.c.days <= reach,
    )
    leads = and_(_leads.c.id == clients.c.lead_id, _leads.c.status == MemberStatus.ACTIVE.value)
    statement = (
        select(
            grants.c.id,
            grants.c.expires_at,
            reach.label("days"),
            func.coalesce(clients.c.display_name, accounts.c.official_name).label("client"),
            accounts.c.hub_id,
            members.c.first_name,
            members.c.last_name,
            members.c.status,
            members.c.user_id,
            users.c.email,
            users.c.email_key,
            _leads.c.user_id.label("lead_user_id"),
            _lead_users.c.email_key.label("lead_email"),
        )
        .join(clients, clients.c.id == grants.c.client_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .join(members, members.c.id == grants.c.member_id)
        .join(users, users.c.id == members.c.user_id)
        .outerjoin(_leads, leads)
        .outerjoin(_lead_users, _lead_users.c.id == _leads.c.user_id)
        .where(is_active(grants), grants.c.partner_id == partner_id, ~exists().where(told).correlate(grants))
        .where(grants.c.expires_at > at, grants.c.expires_at <= at + timedelta(days=days[-1]))
        .order_by(grants.c.expires_at, grants.c.client_id, grants.c.member_id)
    )
    found: Sequence[Any] = (await connection.execute(statement)).all()
    return found


def _digests(rows: Sequence[Row[Any]]) -> dict[int, _Digest]:
    """Returns what each person hears of, by the key of the user."""
    found: dict[int, _Digest] = {}
    for row in rows:
        place = f"{row.client} ({row.hub_id}), on {row.expires_at:%Y-%m-%d}"
        if row.status == MemberStatus.ACTIVE.value:
            found.setdefault(row.user_id, _Digest(row.email_key)).own.append(place)
        if row.lead_user_id is not None and row.lead_user_id != row.user_id:
            name = full_name(row.first_name, row.last_name, row.email)
            found.setdefault(row.lead_user_id, _Digest(row.lead_email)).led.append(f"{name}: {place}")
    return found


def _letter(event: str, digest: _Digest, link: str | None) -> Letter:
    count = len(digest.own) + len(digest.led)
    lines: list[str] = []
    for title, ends in (("Your access:", digest.own), ("In clients that you lead:", digest.led)):
        if ends:
            lines += [title, *ends[:LISTED]]
        if len(ends) > LISTED:
            lines.append(f"And {len(ends) - LISTED:,} more.")
    return Letter(
        event=event,
        recipient=digest.email,
        subject="Access in a client ends soon" if count == 1 else f"Access in {count:,} cases ends soon",
        lines=(
            "This access ends by itself soon, and counts for nothing from then on.",
            *lines,
            "If it is still needed, a partner admin of the client can extend it, within what the agency and the client allow.",
        ),
        url=link,
    )
