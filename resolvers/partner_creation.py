"""A new partner with its first super admin: how an agency that hosts the service itself begins."""

from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.dialect import insert_many, insert_or_ignore
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.partner import PartnerProgram, partners
from models.table import now
from models.user import users
from resolvers.email_address import email_address, email_key
from resolvers.error import RefusalCode, refuse
from resolvers.member_name import member_name

_LISTED = 10
"""How many partners a message names at the most."""


@dataclass(frozen=True, slots=True)
class NewPartner:
    """What is known of a partner and its owner at the beginning."""

    name: str
    hub_id: int
    program: PartnerProgram
    owner_email: str
    owner_name: str = ""


async def create_partner(connection: AsyncConnection, new: NewPartner) -> int:
    """Writes the partner and its owner, a verified employee and super admin of the partner account (F02); returns its key.

    Raises:
        RefusedError: INVALID_INPUT, for a name, Hub ID or address that cannot be used or a Hub ID that is taken.
    """
    name = " ".join(new.name.split())
    if not 1 <= len(name) <= 200:
        raise refuse(RefusalCode.INVALID_INPUT, "A partner's name has 1 to 200 characters.", "name")
    if not 1 <= new.hub_id < 10**15:
        raise refuse(RefusalCode.INVALID_INPUT, "A Hub ID is a number like 9000001.", "hubId")
    try:
        email = email_address(new.owner_email)
    except ValueError as error:
        raise refuse(RefusalCode.INVALID_INPUT, f"The owner's address: {error}", "ownerEmail") from None
    if await connection.scalar(select(partners.c.id).where(partners.c.hub_id == new.hub_id)) is not None:
        raise refuse(RefusalCode.INVALID_INPUT, f"There is a partner with the Hub ID {new.hub_id} already.", "hubId")
    moment = now()
    values = {"name": name, "hub_id": new.hub_id, "program": new.program, "created_at": moment}
    made = await connection.execute(insert(partners).values(values).returning(partners.c.id))
    partner_id: int = made.scalar_one()
    first, _, last = " ".join(new.owner_name.split()).partition(" ")
    person = {"email": email, "email_key": email_key(email), "first_name": first, "last_name": last}
    await insert_many(connection, insert_or_ignore(connection, users), [{**person, "created_at": moment}])
    owner_id = (await connection.execute(select(users.c.id).where(users.c.email_key == email_key(email)))).scalar_one()
    member = {
        "partner_id": partner_id,
        "user_id": owner_id,
        "kind": MemberKind.EMPLOYEE,
        "status": MemberStatus.ACTIVE,
        "verified": True,
        "manager_rights": ManagerRights.EDIT,
        "super_admin": True,
        "active_clients": 0,
        "created_at": moment,
    }
    await insert_many(connection, members, [{**member, **member_name(first, last, email)}])
    return partner_id


async def partner_by_hub_id(connection: AsyncConnection, hub_id: int | None) -> int:
    """Returns the key of a partner; with None, of the only one there is.

    Raises:
        RefusedError: NOT_FOUND, or INVALID_INPUT if one of several must be named.
    """
    statement = select(partners.c.id, partners.c.hub_id, partners.c.name).order_by(partners.c.hub_id)
    if hub_id is not None:
        statement = statement.where(partners.c.hub_id == hub_id)
    found = (await connection.execute(statement.limit(_LISTED))).all()
    if not found:
        which = "no partner yet" if hub_id is None else f"no partner with the Hub ID {hub_id}"
        raise refuse(RefusalCode.NOT_FOUND, f"There is {which}. Make it with cam partner create.", "partner")
    if len(found) > 1:
        listed = ", ".join(f"{row.hub_id} ({row.name})" for row in found)
        raise refuse(RefusalCode.INVALID_INPUT, f"Say which partner with --partner: {listed}.", "partner")
    key: int = found[0].id
    return key


async def user_by_email(connection: AsyncConnection, email: str) -> int:
    """Returns the key of a user.

    Raises:
        RefusedError: NOT_FOUND.
    """
    key: int | None = await connection.scalar(select(users.c.id).where(users.c.email_key == email_key(email.strip())))
    if key is None:
        raise refuse(
            RefusalCode.NOT_FOUND,
            f"Nobody has the address {email}. Bring a partner's people in with cam import members, a client's own with "
            "cam import people.",
            "email",
        )
    return key
