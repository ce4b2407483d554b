"""What people have told, for whoever runs the service: feedback and permission issues of all partners (F46, F47)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.client import clients
from models.feedback import feedback, permission_issues
from models.member import members
from models.partner import partners
from models.user import users

_CONCERNED = users.alias("concerned")


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that somebody has told."""

    at: datetime
    kind: str
    """BUG, FEEDBACK, or PERMISSION for a permission issue."""
    email: str
    partner: str | None
    """The partner's name and Hub ID, if one was named."""
    subject: str
    details: str


def _name(row: Any) -> str | None:
    return None if row.hub_id is None else f"{row.name} ({row.hub_id})"


def _messages(most: int) -> Select[Any]:
    """Selects the newest messages of feedback."""
    return (
        select(feedback, users.c.email, partners.c.name, partners.c.hub_id)
        .join(users, users.c.id == feedback.c.user_id)
        .outerjoin(partners, partners.c.id == feedback.c.partner_id)
        .order_by(feedback.c.created_at.desc(), feedback.c.id.desc())
        .limit(most)
    )


def _issues(most: int) -> Select[Any]:
    """Selects the newest permission issues, with whom and what they are about."""
    return (
        select(
            permission_issues,
            users.c.email,
            partners.c.name,
            partners.c.hub_id,
            _CONCERNED.c.email.label("concerned"),
            accounts.c.hub_id.label("client"),
        )
        .join(users, users.c.id == permission_issues.c.user_id)
        .join(partners, partners.c.id == permission_issues.c.partner_id)
        .join(members, members.c.id == permission_issues.c.member_id)
        .join(_CONCERNED, _CONCERNED.c.id == members.c.user_id)
        .join(clients, clients.c.id == permission_issues.c.client_id)
        .join(accounts, accounts.c.id == clients.c.account_id)
        .order_by(permission_issues.c.created_at.desc(), permission_issues.c.id.desc())
        .limit(most)
    )


async def list_told(connection: AsyncConnection, most: int) -> list[Told]:
    """Returns the newest things told, the newest first."""
    found = [
        Told(row.created_at, row.kind, row.email, _name(row), row.subject, row.details)
        for row in await connection.execute(_messages(most))
    ]
    found += [
        Told(
            row.created_at,
            "PERMISSION",
            row.email,
            _name(row),
            f"{row.permission} of {row.concerned} in client {row.client}",
            row.details,
        )
        for row in await connection.execute(_issues(most))
    ]
    return sorted(found, key=lambda told: told.at, reverse=True)[:most]
