"""A database with so many people and clients, one acting partner admin and the built-in permission sets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, text

from models import migration
from models.account import AccountType, accounts
from models.client import clients
from models.database import Database
from models.dialect import insert_many
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.operation import OperationKind, cell_key, decisions, operations
from models.partner import PartnerProgram, partners
from models.permission.built_in import BUILT_IN_SETS, PARTNER_ADMIN_SET
from models.permission_set import permission_set_versions, permission_sets
from models.table import now
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers.interning import intern_states, publish_catalogue
from resolvers.operation.execute import execute
from resolvers.operation.request import FromSet, OperationRequest, Product
from resolvers.viewer import Membership, Viewer

ACTOR = 1
"""The acting partner admin's key as a user and as a member; the partner's key is 1, too."""
SPARE = 2
"""People and clients beyond those that are measured: one of each for the model cell, one of each for warming up."""

VIEWER = Viewer(
    ACTOR,
    frozenset({"read", "write"}),
    (Membership(ACTOR, 1, PartnerProgram.PROVIDER, MemberKind.EMPLOYEE, True, ManagerRights.EDIT),),  # noqa: FBT003
)


@dataclass(frozen=True, slots=True)
class Block:
    """Some people × some clients, whose keys follow one another."""

    first_person: int
    people: int
    first_client: int
    clients: int

    @property
    def size(self) -> int:
        """Returns the number of cells."""
        return self.people * self.clients

    def cells(self) -> Iterable[tuple[int, int, int]]:
        """Yields position, client and member in the order of the positions."""
        for row in range(self.clients):
            for column in range(self.people):
                yield row * self.people + column, self.first_client + row, self.first_person + column


def measured(people: int, clients: int) -> Block:
    """Returns the cells that are measured."""
    return Block(ACTOR + 1, people, 1, clients)


def spare(people: int, clients: int, number: int) -> Block:
    """Returns one of the single cells beside those that are measured."""
    return Block(ACTOR + 1 + people + number, 1, clients + 1 + number, 1)


def grant_request(block: Block, set_id: int) -> OperationRequest:
    """Returns what a caller asks of the service for these cells."""
    return OperationRequest(
        OperationKind.GRANT,
        Product(
            tuple(range(block.first_person, block.first_person + block.people)),
            tuple(range(block.first_client, block.first_client + block.clients)),
        ),
        FromSet(set_id),
    )


@dataclass(frozen=True, slots=True)
class Model:
    """What the service wrote for one cell: the others, the peers' included, are the same but for who and where."""

    set_id: int
    grant: Mapping[str, Any]
    timeline_entry: Mapping[str, Any]
    decision: Mapping[str, Any]


async def populate(database: Database, people: int, clients_count: int) -> None:
    """Fills an empty database, and lets the service write the model cell."""
    await migration.upgrade(database)
    at = now()
    persons = range(1, people + SPARE + 2)
    places = range(1, clients_count + SPARE + 1)
    async with database.write() as session:
        connection = await session.connection()
        await publish_catalogue(connection)
        state_id = (await intern_states(connection, [PARTNER_ADMIN_SET.state]))[PARTNER_ADMIN_SET.state]
        await connection.execute(
            insert(partners).values(
                id=1, hub_id=9_000_000_001, name="Agency", program=PartnerProgram.PROVIDER, created_at=at
            )
        )
        await insert_many(connection, users, [_user(key, at) for key in persons])
        await insert_many(connection, members, [_member(key, at) for key in persons])
        await insert_many(connection, accounts, [_account(key, at) for key in places])
        await insert_many(connection, clients, [_client(key, at) for key in places])
        operation_id = 1
        await connection.execute(
            insert(operations).values(id=operation_id, kind="GRANT", state="COMPLETED", created_at=at)
        )
        if not database.is_sqlite:
            await connection.execute(text("SELECT setval(pg_get_serial_sequence('operation', 'id'), 1)"))
        await insert_many(connection, grants, [_actors_grant(key, operation_id, state_id, at) for key in places])
    role = next(built for built in BUILT_IN_SETS if not built.is_partner_admin)
    async with database.read() as connection:
        set_id = (
            await connection.execute(select(permission_sets.c.id).where(permission_sets.c.key == role.key))
        ).scalar_one()
    await execute(database, VIEWER, grant_request(spare(people, clients_count, 0), set_id))
    if not database.is_sqlite:
        async with database.write() as session:
            await (await session.connection()).execute(text("ANALYZE"))


async def read_model(database: Database) -> Model:
    """Returns what the service wrote for the model cell."""
    async with database.read() as connection:
        key = cell_key(2, 0)
        grant = (await connection.execute(select(grants).where(grants.c.id == key))).one()
        entry = (await connection.execute(select(timeline_entries).where(timeline_entries.c.id == key))).one()
        decision = (await connection.execute(select(decisions).where(decisions.c.operation_id == 2))).one()
        version = select(permission_set_versions.c.set_id).where(permission_set_versions.c.id == grant.set_version_id)
        set_id = (await connection.execute(version)).scalar_one()
    return Model(set_id, dict(grant._mapping), dict(entry._mapping), dict(decision._mapping))  # noqa: SLF001 its public name


def _user(key: int, at: object) -> dict[str, Any]:
    email = f"person{key}@agency.example"
    return {
        "id": key,
        "email": email,
        "email_key": email,
        "first_name": "Person",
        "last_name": str(key),
        "created_at": at,
    }


def _member(key: int, at: object) -> dict[str, Any]:
    return {
        "id": key,
        "partner_id": 1,
        "user_id": key,
        "kind": MemberKind.EMPLOYEE,
        "status": MemberStatus.ACTIVE,
        "verified": True,
        "manager_rights": ManagerRights.EDIT if key == ACTOR else ManagerRights.NONE,
        "first_name": "Person",
        "last_name": str(key),
        "sort_name": f"person {key}",
        "search_text": f"person {key}",
        "created_at": at,
    }


def _account(key: int, at: object) -> dict[str, Any]:
    return {
        "id": key,
        "hub_id": 1_000_000 + key,
        "official_name": f"Client {key}",
        "account_type": AccountType.STANDARD,
        "tiers": "",
        "created_at": at,
    }


def _client(key: int, at: object) -> dict[str, Any]:
    return {
        "id": key,
        "partner_id": 1,
        "account_id": key,
        "active_people": 1,
        "active_partner_admins": 1,
        "sort_name": f"client {key}",
        "search_text": f"client {key}",
        "since": at,
    }


def _actors_grant(client: int, operation_id: int, state_id: int, at: object) -> dict[str, Any]:
    return {
        "id": cell_key(operation_id, client),
        "partner_id": 1,
        "client_id": client,
        "member_id": ACTOR,
        "account_id": client,
        "user_id": ACTOR,
        "status": GrantStatus.ACTIVE,
        "access_type": AccessType.PARTNER_ADMIN,
        "seat": Seat.PARTNER,
        "state_id": state_id,
        "since": at,
    }
