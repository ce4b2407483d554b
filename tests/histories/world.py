"""Where histories begin: two agencies with people, four accounts with people of their own, some access; names for everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from models.database import Database
from models.grant import AccessType, Seat
from models.member import ManagerRights, MemberKind
from models.permission.level import PermissionLevel
from tests.factory import AccountRow, ClientRow, Factory, MemberRow, PartnerRow, UserRow
from tests.histories.model import (
    ADMIN,
    ADMIN_SET,
    EVERYTHING,
    MANAGES_USERS,
    SETS,
    Atoms,
    Held,
    Model,
    Person,
    Place,
    closed,
)

ALPHA, BETA = "Alpha", "Beta"
OAK, ELM, FIR, YEW = "Oak", "Elm", "Fir", "Yew"
"""Oak works with both agencies, Elm with Alpha, Fir with Beta, and Yew with nobody yet."""
SALES, SERVICE, FIELD = "Oak sales", "Oak service", "Elm field"
TEAMS = {SALES: OAK, SERVICE: OAK, FIELD: ELM}
MEMBERS = {
    "ada@Alpha": Person(ALPHA, "ada", rights=ManagerRights.EDIT, super_admin=True),
    "ben@Alpha": Person(ALPHA, "ben", rights=ManagerRights.EDIT),
    "cleo@Alpha": Person(ALPHA, "cleo", verified=False, rights=ManagerRights.VIEW),
    "dan@Alpha": Person(ALPHA, "dan", kind=MemberKind.CONTRACTOR),
    "finn@Beta": Person(BETA, "finn", rights=ManagerRights.EDIT, super_admin=True),
    "gail@Beta": Person(BETA, "gail", rights=ManagerRights.EDIT),
    "dan@Beta": Person(BETA, "dan", kind=MemberKind.CONTRACTOR, rights=ManagerRights.EDIT),
}
CLIENTS = {"Alpha/Oak": (ALPHA, OAK), "Alpha/Elm": (ALPHA, ELM), "Beta/Oak": (BETA, OAK), "Beta/Fir": (BETA, FIR)}
OWN_PEOPLE = {"olga": OAK, "otto": OAK, "emil": ELM, "ben": ELM, "fred": FIR, "yara": YEW}
"""Olga, Emil, Fred and Yara are super admins, or not; Otto, for 60 days, and Ben of Alpha may add and edit users."""
USERS = ("ada", "ben", "cleo", "dan", "eve", "finn", "gail", "olga", "otto", "emil", "fred", "yara")
"""Eve works for nobody yet."""

PICKED: dict[str, Atoms] = {
    "none of it": frozenset(),
    "contacts": closed(frozenset({("contacts.edit", PermissionLevel.ALL)})),
    "some deals": closed(frozenset({("deals.view", PermissionLevel.TEAM), ("contacts.view", PermissionLevel.OWNED)})),
    "reports": closed(frozenset({("reports.view", PermissionLevel.ALL), ("sandboxes", PermissionLevel.ALL)})),
    "billing": closed(frozenset({("billing", PermissionLevel.ALL)})),
    "small admin": closed(frozenset({ADMIN, ("contacts.view", PermissionLevel.ALL)})),
    "team admin": closed(frozenset({ADMIN, ("deals.edit", PermissionLevel.TEAM), ("teams.edit", PermissionLevel.ALL)})),
}
"""Requests and ceilings by name."""


@dataclass(frozen=True)
class Beginning:
    """What is different from history to history: the access that there is, by client and member."""

    access: dict[tuple[str, str], str]
    managers: frozenset[str] = frozenset()
    """Who of the accounts' own people is no super admin, but may add and edit users."""

    def held(self, model: Model) -> dict[tuple[str, str], Held]:
        return {cell: _held(kind, model) for cell, kind in self.access.items()}


def _held(kind: str, model: Model) -> Held:
    birth = model.give_birth()
    if kind == "super admin":
        return Held(EVERYTHING, AccessType.SUPER_ADMIN, Seat.CORE, birth=birth)
    if kind == "partner admin":
        return Held(SETS[ADMIN_SET], AccessType.PARTNER_ADMIN, Seat.PARTNER, origin=ADMIN_SET, birth=birth)
    atoms, admin = PICKED[kind], ADMIN in PICKED[kind]
    access_type, seat = (AccessType.PARTNER_ADMIN, Seat.PARTNER) if admin else (AccessType.STANDARD, Seat.CORE)
    return Held(atoms, access_type, seat, birth=birth)


@dataclass
class World:
    """The keys of the rows by name, and the model of it all."""

    model: Model
    began: datetime
    partners: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    teams: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)
    clients: dict[str, int] = field(default_factory=dict)


class OneTransaction(Factory):
    """Builds everything in one transaction: it is quicker."""

    def __init__(self, database: Database, factory: Factory, connection: AsyncConnection) -> None:
        super().__init__(database)
        self._numbers = factory._numbers
        self._open = connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        yield self._open


async def begin(factory: Factory, beginning: Beginning, at: datetime) -> World:
    """Writes the rows with which a history begins."""
    async with factory.database.write() as session:
        return await _begin(OneTransaction(factory.database, factory, await session.connection()), beginning, at)


async def _begin(factory: Factory, beginning: Beginning, at: datetime) -> World:
    model = Model()
    world = World(model, at)
    partners = {name: await factory.partner(name) for name in (ALPHA, BETA)}
    world.partners = {name: row.id for name, row in partners.items()}
    accounts = {name: await factory.account(name) for name in (OAK, ELM, FIR, YEW)}
    world.accounts = {name: row.id for name, row in accounts.items()}
    users = {name: await factory.user(name.capitalize()) for name in USERS}
    world.users = {name: row.id for name, row in users.items()}
    world.emails = {name: row.email for name, row in users.items()}
    world.tokens = {name: await factory.api_token(row) for name, row in users.items()}
    clients: dict[str, ClientRow] = {}
    for name, (partner, account) in CLIENTS.items():
        clients[name] = await factory.client(partners[partner], account=accounts[account])
        model.clients[name] = Place(partner, account)
    world.clients = {name: row.id for name, row in clients.items()}
    members: dict[str, MemberRow] = {}
    for name, person in MEMBERS.items():
        members[name] = await _member(factory, partners[person.partner], users[person.user], person)
        model.people[name] = Person(**vars(person))
    world.members = {name: row.id for name, row in members.items()}
    world.teams = {name: (await factory.team(accounts[account], name)).id for name, account in TEAMS.items()}
    model.teams = dict(TEAMS)
    await _own_people(factory, world, beginning.managers, accounts, users)
    await _access(factory, world, beginning, clients, members)
    return world


async def _member(factory: Factory, partner: PartnerRow, user: UserRow, person: Person) -> MemberRow:
    return await factory.member(
        partner,
        user=user,
        kind=person.kind,
        verified=person.verified,
        manager_rights=person.rights,
        super_admin=person.super_admin,
    )


async def _own_people(
    factory: Factory, world: World, managers: frozenset[str], accounts: dict[str, AccountRow], users: dict[str, UserRow]
) -> None:
    manages = closed(MANAGES_USERS)
    for user, account in OWN_PEOPLE.items():
        expires = world.began + timedelta(days=60) if user == "otto" else None
        is_manager = user in {"otto", "ben"} | managers
        levels = levels_of(manages) if is_manager else None
        await factory.own_person(accounts[account], users[user], levels, expires_at=expires)
        kind = AccessType.STANDARD if is_manager else AccessType.SUPER_ADMIN
        held = manages if is_manager else EVERYTHING
        world.model.own[account, user] = Held(held, kind, Seat.CORE, expires=expires)


async def _access(
    factory: Factory,
    world: World,
    beginning: Beginning,
    clients: dict[str, ClientRow],
    members: dict[str, MemberRow],
) -> None:
    admin_set = await factory.built_in_set(ADMIN_SET)
    for cell, held in beginning.held(world.model).items():
        client, member = clients[cell[0]], members[cell[1]]
        if held.kind is AccessType.SUPER_ADMIN:
            await factory.super_admin(client, member)
        elif held.origin == ADMIN_SET:
            await factory.partner_admin(client, member, permission_set=admin_set)
        else:
            await factory.grant(client, member, levels_of(held.atoms), access_type=held.kind, seat=held.seat)
        world.model.held[cell] = held
        world.model.clients[cell[0]].ever = True


def levels_of(atoms: Atoms) -> dict[str, str]:
    """The highest level of each permission."""
    highest: dict[str, PermissionLevel] = {}
    for key, level in atoms:
        highest[key] = max(highest.get(key, level), level, key=lambda found: found.rank)
    return {key: level.value for key, level in highest.items()}
