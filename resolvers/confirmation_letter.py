"""Whom an answer to a confirmation link is told to by mail, and in which words (F53, L11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import LinkAnswer
from models.client import clients
from models.member import ManagerRights, MemberStatus, members
from models.user import users
from resolvers.confirmation_link import REASONS, RefusedAdmission
from resolvers.mail import Letter, post


@dataclass(frozen=True, slots=True)
class AdmittedPerson:
    """Somebody whom the link names, and what came of it."""

    user_id: int
    name: str
    email: str
    code: RefusedAdmission | None
    is_new: bool
    """Became partner admin just now; otherwise was it before, or was not let in."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer to a link, as it was written."""

    client: Any
    """The client with the link's key and maker, and the names of client and partner."""
    answered_by_id: int
    answer: LinkAnswer
    people: Sequence[AdmittedPerson]

    @property
    def place(self) -> str:
        """Returns how the partner calls the client."""
        return f"{self.client.shown_name} ({self.client.hub_id})"

    def event(self, kind: str, user_id: int) -> str:
        """Returns what makes sure that a person is told of this answer once."""
        return f"{kind}:{self.client.link_id}:{user_id}"


async def tell(connection: AsyncConnection, given: GivenAnswer) -> None:
    """Tells the partner what the client has answered, the new partner admins that they are, and the client who was not let in."""
    for row in await _partners_side(connection, given.client):
        await post(connection, _report(given, row.user_id, row.email_key))
    for person in given.people:
        if person.is_new:
            # Nothing is posted to whom the report has told it already: the event is the same.
            await post(connection, _welcome(given, person))
    refused = [person for person in given.people if person.code is not None]
    if refused:
        email = await connection.scalar(select(users.c.email_key).where(users.c.id == given.answered_by_id))
        await post(connection, _refusal(given, refused, str(email)))


async def _partners_side(connection: AsyncConnection, client: Any) -> Sequence[Any]:
    """Returns who hears of the answer: who made the link.

    If they no longer work there, it is the partner's super admins; where none is active, whoever may make such links.
    """
    is_maker, makes_links = (
        members.c.user_id == client.created_by_id,
        members.c.manager_rights == ManagerRights.EDIT.value,
    )
    statement = (
        select(
            members.c.user_id, users.c.email_key, case((is_maker, 0), (members.c.super_admin, 1), else_=2).label("turn")
        )
        .join(users, users.c.id == members.c.user_id)
        .join(clients, clients.c.partner_id == members.c.partner_id)
        .where(clients.c.id == client.id, members.c.status == MemberStatus.ACTIVE.value)
        .where(or_(is_maker, members.c.super_admin, makes_links))
        .order_by("turn", members.c.id)
    )
    found: Sequence[Any] = (await connection.execute(statement)).all()
    return [row for row in found if row.turn == found[0].turn]


def _report(given: GivenAnswer, user_id: int, email: str) -> Letter:
    if given.answer is LinkAnswer.DECLINED:
        return Letter(
            given.event("confirmation-decline", user_id),
            email,
            f"{given.place} has declined",
            (
                f"{given.place} has declined to confirm that it works with {given.client.partner_name}.",
                "Nobody has got access. Ask your contact there before you send another link.",
            ),
        )
    let_in = [f"{person.name} ({person.email})" for person in given.people if person.code is None]
    lines = [f"{given.place} has confirmed that it works with {given.client.partner_name}."]
    if let_in:
        lines.append(f"Partner admins there now: {', '.join(let_in)}.")
    lines += _reasons(given.people)
    return Letter(given.event("confirmation", user_id), email, f"{given.place} has confirmed your link", tuple(lines))


def _welcome(given: GivenAnswer, person: AdmittedPerson) -> Letter:
    return Letter(
        given.event("confirmation", person.user_id),
        person.email,
        f"You are partner admin of {given.place}",
        (
            f"{given.place} works with {given.client.partner_name}, as it has confirmed: you are partner admin there now.",
            "You can give other people of your agency access there as far as your own permissions reach.",
        ),
    )


def _refusal(given: GivenAnswer, refused: Sequence[AdmittedPerson], email: str) -> Letter:
    partner = given.client.partner_name
    return Letter(
        given.event("confirmation-refused", given.answered_by_id),
        email,
        f"Not everybody of {partner} was let in",
        (
            f"You have confirmed that {given.client.official_name} ({given.client.hub_id}) works with {partner}. That stands.",
            *_reasons(refused),
        ),
    )


def _reasons(people: Sequence[AdmittedPerson]) -> list[str]:
    return [
        f"Not let in: {person.name} ({person.email}). {REASONS[person.code]}"
        for person in people
        if person.code is not None
    ]
