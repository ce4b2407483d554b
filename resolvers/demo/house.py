"""An agency of an ecosystem in the database: its people and its permission sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.member import MemberStatus, members
from models.partner import PartnerProgram, partners
from models.permission.state import State
from models.permission_set import PermissionSetOrigin, permission_set_versions, permission_sets
from models.text import fold
from models.user import users
from resolvers.demo.agency import Agency
from resolvers.demo.blueprint import BEGINNING
from resolvers.demo.house_set import HOUSE, templates, versions
from resolvers.demo.row_stream import Keys, RowStream
from resolvers.demo.template import SECOND_VERSION_AT
from resolvers.email_address import email_key
from resolvers.member_name import member_name


@dataclass(frozen=True, slots=True)
class BuiltInSet:
    """A built-in set in the database."""

    set_id: int
    version_id: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """What all agencies use: the built-in sets by key, and the keys of the states."""

    built_in: Mapping[str, BuiltInSet]
    state_ids: Mapping[State, int]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What an agency is written with, inside one transaction."""

    connection: AsyncConnection
    rows: RowStream
    keys: Keys
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class House:
    """The keys of an agency, its people and its sets."""

    agency: Agency
    partner_id: int
    first_member: int
    """The people's keys as members follow one another."""
    user_ids: Sequence[int]
    version_ids: Sequence[int]
    """By the place of the template; 0 for the sets of others."""


async def write_house(workshop: Workshop, agency: Agency, active_clients: Sequence[int]) -> House:
    """Writes an agency with its people and sets; so many of its clients is each person active in."""
    rows, keys = workshop.rows, workshop.keys
    partner_id = keys.take(partners)
    rows.into(partners)((partner_id, agency.hub_id, agency.name, PartnerProgram.SOLUTIONS_PARTNER.value, BEGINNING))
    user_ids = await _write_users(workshop, agency)
    version_ids, set_ids = _write_sets(workshop, agency, partner_id, user_ids[0])
    first_member = keys.take(members, agency.people)
    add = rows.into(members)
    for number, person in enumerate(agency.staff):
        name = member_name(person.first_name, person.last_name, person.email)
        add(
            (
                first_member + number,
                partner_id,
                user_ids[number],
                person.kind.value,
                person.status.value,
                person.verified,
                person.rights.value,
                person.super_admin,
                *(name["first_name"], name["last_name"]),
                set_ids[number % len(set_ids)] if number % 3 == 0 and person.status is MemberStatus.ACTIVE else None,
                active_clients[number],
                *(name["sort_name"], name["search_text"]),
                BEGINNING,
            )
        )
    return House(agency, partner_id, first_member, user_ids, version_ids)


async def _write_users(workshop: Workshop, agency: Agency) -> list[int]:
    """Writes the people who are new, and returns the keys of all."""
    rows, keys = workshop.rows, workshop.keys
    borrowed = [person.email for person in agency.staff[agency.people - agency.borrowed :]]
    known: dict[str, int] = {}
    if borrowed:
        # Their first agency may be among the rows that wait.
        await rows.flush()
        wanted = users.c.email_key.in_(map(email_key, borrowed))
        found = await workshop.connection.execute(select(users.c.email_key, users.c.id).where(wanted))
        known = {row.email_key: row.id for row in found}
    own = agency.people - len(borrowed)
    first, add = keys.take(users, own), rows.into(users)
    for number, person in enumerate(agency.staff[:own]):
        key = email_key(person.email)
        add((first + number, person.email, key, person.first_name, person.last_name, BEGINNING))
    return [*range(first, first + own), *(known[email_key(email)] for email in borrowed)]


def _write_sets(workshop: Workshop, agency: Agency, partner_id: int, author_id: int) -> tuple[list[int], list[int]]:
    """Returns the keys of the versions by template, and those of the sets that somebody can have as default."""
    rows, keys, shelf = workshop.rows, workshop.keys, workshop.shelf
    add_set, add_version = rows.into(permission_sets), rows.into(permission_set_versions)
    own: list[int] = []
    for house in HOUSE[: agency.house_sets]:
        own.append(keys.take(permission_sets))
        names = (house.name, fold(house.name), house.description)
        add_set((own[-1], PermissionSetOrigin.PARTNER.value, partner_id, *names, versions(house)))
    version_ids: list[int] = []
    for template in templates():
        if template.key is not None:
            version_ids.append(shelf.built_in[template.key].version_id)
        elif template.house is not None and template.house < len(own):
            version_ids.append(keys.take(permission_set_versions))
            at = BEGINNING if template.version == 1 else SECOND_VERSION_AT
            state_id = shelf.state_ids[template.state]
            add_version((version_ids[-1], own[template.house], template.version, state_id, author_id, at))
        else:
            version_ids.append(0)
    built_in = [shelf.built_in[template.key].set_id for template in templates()[1:] if template.key is not None]
    return version_ids, built_in + own
