"""Ecosystems to measure with, and two who ask in each: the owner of the largest agency and of one of middling size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.peer.served import QUERIES, Request
from models import migration
from models.client import clients
from models.database import Database
from models.grant import AccessType, GrantStatus, grants
from models.member import MemberStatus, members
from models.operation import OperationKind, operations
from models.outcome import outcomes
from models.partner import partners
from models.permission_set import permission_sets
from models.user import users
from resolvers.api_token import create_token
from resolvers.client_order import BY_NAME
from resolvers.cursor import encode_cursor
from resolvers.demo.agency import FIRST_AGENCY
from resolvers.demo.ecosystem import load_ecosystem
from resolvers.demo.ecosystem_size import EcosystemSize
from resolvers.operation.execute import run
from resolvers.operation.request import FromSet, OperationRequest, Product
from resolvers.sign_in import viewer_of

BULK_CLIENTS, BULK_PEOPLE = 200, 100
"""The most of them in the bulk grant: 20,000 cells, as in a chunk."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The owner of an agency, with something to ask about in it."""

    agency: str
    user_id: int
    partner_id: int
    member_id: int
    email: str
    token: str
    clients: int
    hub_id: int
    deep: str
    """The cursor 90 % into the list of clients."""

    def requests(self) -> Mapping[str, Request]:
        """Returns what is measured, by what it is called."""
        asked: dict[str, tuple[str, Mapping[str, Any]]] = {
            "ClientsPage": ("clients", {}),
            "… 90 % into the list": ("clients", {"after": self.deep}),
            "… search, common": ("clients", {"search": "raven"}),
            "… search, one client": ("clients", {"search": str(self.hub_id)}),
            "ClientsByAccess": ("clients_by_access", {"accessTypes": ["PARTNER_ADMIN", "SUPER_ADMIN"]}),
            "ClientDetails": ("client", {"hubId": str(self.hub_id)}),
            "Members": ("members", {}),
            "… search": ("members", {"search": "pinewhistle"}),
            "MemberDetails": ("member", {"email": self.email}),
            "Contractors": ("contractors", {}),
            "Operations": ("operations", {}),
            "Timeline": ("timeline", {}),
            "OutdatedGrants": ("outdated_grants", {}),
        }
        texts = {name: (QUERIES / f"{name}.graphql").read_text() for name, _ in asked.values()}
        return {title: Request.of(self.token, texts[name], known) for title, (name, known) in asked.items()}


@dataclass(frozen=True, slots=True)
class Stage:
    """An ecosystem in a database."""

    url: str
    people: int
    clients: int
    grants: int
    loading_seconds: float | None
    """None for one that was found."""
    disk_megabytes: float
    askers: tuple[Asker, ...]


async def prepare(url: str, size: EcosystemSize | None) -> Stage:
    """Returns the ecosystem in a database, made in it if a size is given; writes tokens for those who ask."""
    database = Database(url)
    try:
        clock = perf_counter()
        if size is not None:
            await migration.upgrade(database)
            await load_ecosystem(database, size)
        seconds = perf_counter() - clock
        async with database.write() as session:
            connection = await session.connection()
            askers = [one async for one in _askers(connection)]
            people, places, held = [await _count(connection, table) for table in (members, clients, grants)]
        async with database.read() as connection:
            disk = await _megabytes(connection, database)
        return Stage(url, people, places, held, seconds if size else None, disk, tuple(askers))
    finally:
        await database.dispose()


async def _count(connection: AsyncConnection, table: Any) -> int:
    return await connection.scalar(select(func.count()).select_from(table)) or 0


async def _megabytes(connection: AsyncConnection, database: Database) -> float:
    if database.file is None:
        return float(await connection.scalar(text("SELECT pg_database_size(current_database())")) or 0) / 2**20
    files: Iterator[Path] = database.file.parent.glob(f"{database.file.name}*")
    return sum(file.stat().st_size for file in files) / 2**20


async def _askers(connection: AsyncConnection) -> Any:
    ours = select(partners.c.id).where(partners.c.hub_id >= FIRST_AGENCY).order_by(partners.c.hub_id)
    keys = (await connection.scalars(ours)).all()
    if not keys:
        raise SystemExit("There is no ecosystem in this database: load one with cam demo --people 28000.")
    for title, key in (("largest", keys[0]), ("middling", keys[len(keys) // 2])):
        yield await _asker(connection, title, key)


async def _asker(connection: AsyncConnection, title: str, partner_id: int) -> Asker:
    theirs = members.c.partner_id == partner_id
    owner = (
        await connection.execute(
            select(members.c.id, members.c.user_id, users.c.email)
            .join(users, users.c.id == members.c.user_id)
            .where(theirs, members.c.super_admin)
            .order_by(members.c.id)
            .limit(1)
        )
    ).one()
    total = await _count(connection, clients.select().where(clients.c.partner_id == partner_id).subquery())
    deep = (
        await connection.execute(
            select(clients.c.sort_name, clients.c.id)
            .where(clients.c.partner_id == partner_id)
            .order_by(clients.c.sort_name, clients.c.id)
            .offset(total * 9 // 10)
            .limit(1)
        )
    ).one()
    search = select(clients.c.search_text).where(clients.c.partner_id == partner_id).order_by(clients.c.id).limit(1)
    hub_id = int(str(await connection.scalar(search)).rsplit("\n", 1)[-1])
    token = await create_token(connection, owner.user_id, name="benchmark", expires_in_days=1)
    cursor = encode_cursor(BY_NAME.name, BY_NAME.kind, deep.sort_name, deep.id)
    return Asker(title, owner.user_id, partner_id, owner.id, owner.email, token.secret, total, hub_id, cursor)


async def bulk_speed(stage: Stage) -> tuple[int, float]:
    """Returns the cells of a bulk grant in the largest agency, and the seconds it took; it is undone."""
    database, asker = Database(stage.url), stage.askers[0]
    admin = (grants.c.access_type == AccessType.PARTNER_ADMIN.value) & (grants.c.status == GrantStatus.ACTIVE.value)
    where = select(grants.c.client_id).where(grants.c.member_id == asker.member_id, admin).limit(BULK_CLIENTS)
    ours = (members.c.partner_id == asker.partner_id, members.c.status == MemberStatus.ACTIVE.value)
    who = select(members.c.id).where(*ours, members.c.id != asker.member_id).order_by(members.c.id).limit(BULK_PEOPLE)
    reading = select(permission_sets.c.id).where(permission_sets.c.key == "read_only")
    try:
        async with database.rehearse() as session:
            connection = await session.connection()
            places, people = [tuple((await connection.scalars(keys)).all()) for keys in (where, who)]
            access = FromSet(await connection.scalar(reading))
            viewer = await viewer_of(connection, asker.user_id)
            request = OperationRequest(OperationKind.GRANT, Product(people, places), access)
            clock = perf_counter()
            operation_id = await run(session, viewer, request)
            seconds = perf_counter() - clock
            made = select(func.count()).select_from(outcomes).where(outcomes.c.operation_id == operation_id)
            applied = await connection.scalar(select(operations.c.applied).where(operations.c.id == operation_id))
            total = await connection.scalar(made) or 0
            # Some have access already, be it deactivated.
            if (applied or 0) < total / 2:
                raise RuntimeError(f"Only {applied} of {total} cells were applied, so the speed says nothing.")
            return total, seconds
    finally:
        await database.dispose()
