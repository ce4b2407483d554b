"""Writes the partners, people, accounts and clients of a demo."""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import AccountType, accounts
from models.client import clients
from models.dialect import insert_many
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberStatus, members
from models.operation import cell_key
from models.partner import PartnerProgram, partners
from models.permission.built_in import SUPER_ADMIN_STATE
from models.permission.tier import PRODUCTS, RUNGS
from models.team import teams
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers.client_import import client_texts
from resolvers.demo.blueprint import BEGINNING, FIRST_ACCOUNT, Blueprint, Run
from resolvers.demo.cast import Person, cast
from resolvers.demo.name import company_domain, company_name, person_name
from resolvers.email_address import email_key
from resolvers.interning import intern_states
from resolvers.member_name import member_name

_TYPES = (AccountType.STANDARD,) * 8 + (AccountType.SANDBOX, AccountType.DEVELOPER_TEST, AccountType.APP_DEVELOPER)
ONLY_SUPER_ADMIN = 150
"""Of so many clients one has no super admin but the agency's own person (M1)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A member of the demo in the database."""

    person: Person
    member_id: int
    user_id: int


@dataclass(frozen=True, slots=True)
class Troupe:
    """A partner of the demo in the database."""

    blueprint: Blueprint
    partner_id: int
    places: list[Place]


@dataclass(frozen=True, slots=True)
class ClientPlace:
    """A client of the demo in the database."""

    number: int
    client_id: int
    account_id: int


async def write_people(connection: AsyncConnection, blueprint: Blueprint) -> Troupe:
    """Writes a partner with its people."""
    values = {"hub_id": blueprint.hub_id, "name": blueprint.name, "program": PartnerProgram.SOLUTIONS_PARTNER}
    partner_id: int = (
        await connection.execute(insert(partners).values(**values, created_at=BEGINNING).returning(partners.c.id))
    ).scalar_one()
    people = cast(blueprint.index, blueprint.people, blueprint.domain)
    emails = [email_key(person.email) for person in people]
    known = await _user_ids(connection, emails)
    rows = [
        {
            "email": person.email,
            "email_key": email_key(person.email),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "created_at": BEGINNING,
        }
        for person in people
        if email_key(person.email) not in known
    ]
    await insert_many(connection, users, rows)
    keys = await _user_ids(connection, emails)
    member_rows = [
        {
            "partner_id": partner_id,
            "user_id": keys[email_key(person.email)],
            "kind": person.kind,
            "status": person.status,
            "verified": person.verified,
            "manager_rights": person.rights,
            "super_admin": person.super_admin,
            "active_clients": 0,
            "created_at": BEGINNING,
            **member_name(person.first_name, person.last_name, person.email),
        }
        for person in people
    ]
    await insert_many(connection, members, member_rows)
    made = await connection.execute(select(members.c.user_id, members.c.id).where(members.c.partner_id == partner_id))
    by_user = {row.user_id: row.id for row in made}
    user_ids = [keys[email] for email in emails]
    places = [Place(person, by_user[key], key) for person, key in zip(people, user_ids, strict=True)]
    return Troupe(blueprint, partner_id, places)


async def write_defaults(connection: AsyncConnection, troupe: Troupe, set_ids: list[int]) -> None:
    """Gives every third person a default permission set (F51)."""
    rows = [
        {"key": place.member_id, "set_id": set_ids[index % len(set_ids)]}
        for index, place in enumerate(troupe.places)
        if index % 3 == 0
    ]
    chosen = update(members).where(members.c.id == bindparam("key"))
    await connection.execute(chosen.values(default_permission_set_id=bindparam("set_id")), rows)


async def _user_ids(connection: AsyncConnection, keys: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(keys), 1_000):
        chunk = keys[start : start + 1_000]
        rows = await connection.execute(select(users.c.email_key, users.c.id).where(users.c.email_key.in_(chunk)))
        found |= {row.email_key: row.id for row in rows}
    return found


async def write_clients(connection: AsyncConnection, troupe: Troupe, run: Run, operation_id: int) -> list[ClientPlace]:
    """Writes the clients of a run, with the accounts that the partner before does not have, and returns them.

    The operation is the one that holds what the accounts' own people have.
    """
    blueprint, partner_id = troupe.blueprint, troupe.partner_id
    numbers = range(run.first, run.end)
    own = [number for number in numbers if number >= blueprint.shared]
    await insert_many(connection, accounts, [_account(blueprint, partner_id, number) for number in own])
    hub_ids = {FIRST_ACCOUNT + blueprint.account(number): number for number in numbers}
    found = await connection.execute(
        select(accounts.c.hub_id, accounts.c.id, accounts.c.domain).where(accounts.c.hub_id.in_(hub_ids))
    )
    known = {hub_ids[row.hub_id]: row for row in found}
    rows = [_client(troupe, number, known[number].id) for number in numbers]
    await insert_many(connection, clients, rows)
    made = await connection.execute(
        select(clients.c.account_id, clients.c.id).where(
            clients.c.partner_id == partner_id, clients.c.account_id.in_([row["account_id"] for row in rows])
        )
    )
    keys = {row.account_id: row.id for row in made}
    await write_own_people(
        connection, operation_id, {blueprint.account(number): known[number] for number in own if not _alone(number)}
    )
    named = {
        number: ("Marketing", "Sales North", "Support")[: 2 + (number % 10 == 0)] for number in own if number % 5 == 0
    }
    await insert_many(
        connection,
        teams,
        [{"account_id": known[number].id, "name": name} for number, names in named.items() for name in names],
    )
    return [ClientPlace(number, keys[known[number].id], known[number].id) for number in numbers]


def _alone(number: int) -> bool:
    return number % ONLY_SUPER_ADMIN == 7


def _account(blueprint: Blueprint, partner_id: int, number: int) -> dict[str, Any]:
    account = blueprint.account(number)
    rng = random.Random(account)  # noqa: S311 the same demo each time, nothing secret
    name = company_name(account)
    tiers = sorted(f"{product}_{rng.choice(RUNGS)}" for product in rng.sample(PRODUCTS, rng.randint(0, len(PRODUCTS))))
    return {
        "hub_id": FIRST_ACCOUNT + account,
        "official_name": f"{name} {rng.choice(('Ltd', 'GmbH', 'S.L.', 'Inc.', 'SARL'))}",
        "domain": company_domain(name),
        "account_type": _TYPES[account % len(_TYPES)],
        "tiers": " ".join(tiers),
        "registered_by_id": partner_id,
        "created_at": BEGINNING,
    }


def _client(troupe: Troupe, number: int, account_id: int) -> dict[str, Any]:
    blueprint, partner_id, places = troupe.blueprint, troupe.partner_id, troupe.places
    rng = random.Random(f"{blueprint.index}:{number}")  # noqa: S311 the same demo each time, nothing secret
    account = blueprint.account(number)
    official = _account(blueprint, partner_id, number)["official_name"]
    name = company_name(account)
    display = (None, name, name, f"{name} ({rng.choice(('retainer', 'project', 'onboarding'))})")[number % 4]
    paid = number % 4 != 3
    leader = places[number % len(places)]
    return {
        "partner_id": partner_id,
        "account_id": account_id,
        "display_name": display,
        "managed_mrr": Decimal(rng.randint(400, 18_000)) / 2 if paid else None,
        "sold_mrr": Decimal(rng.randint(200, 6_000)) if paid and number % 3 == 0 else None,
        "currency": ("EUR" if number % 3 else "USD") if paid else None,
        "lead_id": leader.member_id if number % 2 and leader.person.status is MemberStatus.ACTIVE else None,
        "active_people": 0,
        "deactivated_people": 0,
        "active_partner_admins": 0,
        "since": BEGINNING,
        **client_texts(display, official, company_domain(name), FIRST_ACCOUNT + account),
    }


async def write_own_people(connection: AsyncConnection, operation_id: int, known: dict[int, Any]) -> None:
    """Gives each account a super admin of its own, by the number of the account in the demo."""
    emails = {number: f"office@{row.domain}" for number, row in known.items()}
    rows = []
    for number, email in emails.items():
        first, last = person_name(number * 3 + 1)
        names = {"first_name": first, "last_name": last}
        rows.append({"email": email, "email_key": email_key(email), **names, "created_at": BEGINNING})
    await insert_many(connection, users, rows)
    keys = await _user_ids(connection, [email_key(email) for email in emails.values()])
    state_id = (await intern_states(connection, [SUPER_ADMIN_STATE]))[SUPER_ADMIN_STATE]
    access = {"access_type": AccessType.SUPER_ADMIN, "status": GrantStatus.ACTIVE, "state_id": state_id}
    granted = [
        {
            "id": cell_key(operation_id, number),
            "account_id": known[number].id,
            "user_id": keys[email_key(email)],
            "ended": 0,
            "seat": Seat.CORE,
            "customised": False,
            "version": 1,
            "since": BEGINNING,
            **access,
        }
        for number, email in emails.items()
    ]
    await insert_many(connection, grants, granted)
    entries = [
        {
            "id": row["id"],
            "operation_id": operation_id,
            "account_id": row["account_id"],
            "grant_id": row["id"],
            "at": BEGINNING,
            "after_seat": Seat.CORE,
            **{f"after_{name}": value for name, value in access.items()},
        }
        for row in granted
    ]
    await insert_many(connection, timeline_entries, entries)
