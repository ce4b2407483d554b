"""Builders for rows, each a transaction of its own; what is not said gets a plausible value, different each time.

Written with the tables only, not with the code under test. Counters of clients and members are kept true, and each grant has
the operation, decision, outcome and timeline entry that would have made it.
"""

import hashlib
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import AccountType, accounts
from models.api_token import api_tokens
from models.client import clients
from models.database import Database
from models.dialect import insert_or_ignore
from models.grant import AccessType, GrantStatus, Seat, grants
from models.lifetime import fork_of
from models.member import ManagerRights, MemberKind, MemberStatus, members
from models.operation import OperationKind, OperationState, OutcomeStatus, RuleMode, cell_key, decisions, operations
from models.outcome import outcomes
from models.partner import PartnerProgram, partners
from models.permission.built_in import PARTNER_ADMIN_SET, SUPER_ADMIN_STATE
from models.permission.catalogue import catalogue
from models.permission.state import State
from models.permission_set import PermissionSetOrigin, permission_set_versions, permission_sets
from models.permission_state import digest_of, permission_states
from models.team import grant_teams, teams
from models.text import fold
from models.timeline_entry import timeline_entries
from models.user import full_name, users

MOMENT = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
"""When everything that a builder makes was made, if the test does not say otherwise."""

Levels: TypeAlias = Mapping[str, str] | State
"""Permissions by key and level, closed under requirements by the builder, or a state as it is."""


@dataclass(frozen=True, slots=True)
class PartnerRow:
    id: int
    hub_id: int
    name: str


@dataclass(frozen=True, slots=True)
class UserRow:
    id: int
    email: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    id: int
    partner_id: int
    user_id: int
    email: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    id: int
    hub_id: int
    name: str


@dataclass(frozen=True, slots=True)
class ClientRow:
    id: int
    partner_id: int
    account_id: int
    hub_id: int
    name: str

    @property
    def account(self) -> AccountRow:
        """The account itself; its name is the one shown."""
        return AccountRow(self.account_id, self.hub_id, self.name)


@dataclass(frozen=True, slots=True)
class TeamRow:
    id: int
    account_id: int
    name: str


@dataclass(frozen=True, slots=True)
class SetRow:
    id: int
    version_id: int
    version: int
    state_id: int
    state: State


@dataclass(frozen=True, slots=True)
class GrantRow:
    id: int
    partner_id: int | None
    client_id: int | None
    member_id: int | None
    account_id: int
    user_id: int
    status: GrantStatus
    access_type: AccessType
    seat: Seat
    state_id: int
    state: State
    set_version_id: int | None
    version: int


class Factory:
    """``partner = await factory.partner()`` and so on; every builder is one transaction and returns what it made."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._numbers = itertools.count(1)

    async def partner(
        self, name: str | None = None, *, program: PartnerProgram = PartnerProgram.SOLUTIONS_PARTNER
    ) -> PartnerRow:
        """An agency in a program that may own access data (F01)."""
        number = next(self._numbers)
        name = name or f"Agency {number}"
        async with self._connection() as connection:
            key = await _insert(
                connection, partners, hub_id=900_000 + number, name=name, program=program, created_at=MOMENT
            )
        return PartnerRow(key, 900_000 + number, name)

    async def user(self, name: str | None = None, *, email: str | None = None) -> UserRow:
        """A person who can sign in and is nobody's member yet; ``name`` is first and last name."""
        async with self._connection() as connection:
            return await self._user(connection, name, email)

    async def member(self, partner: PartnerRow, name: str | None = None, **values: Any) -> MemberRow:
        """A verified, active employee with EDIT rights, unless ``values`` (columns, or user or email) say otherwise."""
        async with self._connection() as connection:
            return await self._member(connection, partner, name, **values)

    async def members(self, partner: PartnerRow, count: int, **values: Any) -> list[MemberRow]:
        """Several members alike, in one transaction."""
        async with self._connection() as connection:
            return [await self._member(connection, partner, None, **values) for _ in range(count)]

    async def account(self, name: str | None = None, **values: Any) -> AccountRow:
        """A client's account that nobody has as a client yet; ``values`` are columns, tiers a text such as "SALES_STARTER"."""
        async with self._connection() as connection:
            return await self._account(connection, name, **values)

    async def client(
        self,
        partner: PartnerRow,
        name: str | None = None,
        *,
        account: AccountRow | None = None,
        ceiling: Levels | None = None,
        **values: Any,
    ) -> ClientRow:
        """A client, in a new account unless one is given; ``values`` are columns of client or of the new account."""
        async with self._connection() as connection:
            return await self._client(connection, partner, name, account=account, ceiling=ceiling, **values)

    async def clients(self, partner: PartnerRow, count: int, **values: Any) -> list[ClientRow]:
        """Several clients alike, in one transaction."""
        async with self._connection() as connection:
            return [await self._client(connection, partner, None, **values) for _ in range(count)]

    async def team(self, client: ClientRow | AccountRow, name: str | None = None) -> TeamRow:
        """A team of a client's account (F54)."""
        name = name or f"Team {next(self._numbers)}"
        account_id = client.account_id if isinstance(client, ClientRow) else client.id
        async with self._connection() as connection:
            return TeamRow(await _insert(connection, teams, account_id=account_id, name=name), account_id, name)

    async def state(self, levels: Levels) -> int:
        """The key of an interned state."""
        async with self._connection() as connection:
            return await _intern(connection, _state(levels))

    async def built_in_set(self, key: str = PARTNER_ADMIN_SET.key) -> SetRow:
        """The published built-in set of that key (F06)."""
        async with self.database.read() as connection:
            return await _current(connection, permission_sets.c.key == key)

    async def permission_set(
        self, owner: PartnerRow | AccountRow, levels: Levels, name: str | None = None, *, archived: bool = False
    ) -> SetRow:
        """A partner's or an account's own set at version 1 (P12)."""
        name = name or f"Set {next(self._numbers)}"
        own: dict[str, Any] = {"origin": PermissionSetOrigin.CLIENT, "account_id": owner.id}
        if isinstance(owner, PartnerRow):
            own = {"origin": PermissionSetOrigin.PARTNER, "partner_id": owner.id}
        async with self._connection() as connection:
            key = await _insert(
                connection,
                permission_sets,
                **own,
                name=name,
                name_key=fold(name),
                description="",
                version=1,
                archived_at=MOMENT if archived else None,
            )
            return await _version(connection, key, 1, _state(levels))

    async def new_version(self, permission_set: SetRow, levels: Levels) -> SetRow:
        """The next version of a set, as an edit makes it (P12)."""
        async with self._connection() as connection:
            number = permission_set.version + 1
            await connection.execute(
                update(permission_sets).where(permission_sets.c.id == permission_set.id).values(version=number)
            )
            return await _version(connection, permission_set.id, number, _state(levels))

    async def grant(
        self,
        client: ClientRow,
        member: MemberRow,
        levels: Levels | None = None,
        *,
        permission_set: SetRow | None = None,
        access_type: AccessType = AccessType.STANDARD,
        seat: Seat = Seat.PARTNER,
        status: GrantStatus = GrantStatus.ACTIVE,
        teams: Sequence[TeamRow] = (),
        **values: Any,
    ) -> GrantRow:
        """Access on behalf of the partner, from levels or a set (or neither: nothing); the first team is the primary one."""
        async with self._connection() as connection:
            made = await _grant(
                connection,
                user_id=member.user_id,
                account_id=client.account_id,
                client=client,
                member=member,
                state=permission_set.state if levels is None and permission_set else _state(levels or 0),
                set_version_id=permission_set.version_id if permission_set else None,
                access_type=access_type,
                seat=seat,
                **values,
            )
            for position, team in enumerate(teams):
                await connection.execute(
                    insert(grant_teams).values(grant_id=made.id, team_id=team.id, is_primary=position == 0)
                )
            return made if status is GrantStatus.ACTIVE else await _move(connection, made, status)

    async def partner_admin(
        self, client: ClientRow, member: MemberRow, *, without: Sequence[str] = (), **values: Any
    ) -> GrantRow:
        """A grant from the built-in set Partner Admin; ``without`` names keys that this admin lacks (F08, F32)."""
        levels = catalogue.levels(PARTNER_ADMIN_SET.state)
        lacking = catalogue.largest_closed_subset(
            catalogue.state({key: level for key, level in levels.items() if key not in without})
        )
        values.setdefault("permission_set", await self.built_in_set())
        if without:
            values.setdefault("customised", True)
        return await self.grant(client, member, lacking, access_type=AccessType.PARTNER_ADMIN, **values)

    async def super_admin(self, client: ClientRow, member: MemberRow, **values: Any) -> GrantRow:
        """A partner's person who is super admin of the client's account, on a seat of the account's (F05)."""
        values.setdefault("seat", Seat.CORE)
        return await self.grant(client, member, SUPER_ADMIN_STATE, access_type=AccessType.SUPER_ADMIN, **values)

    async def own_person(
        self, account: AccountRow | ClientRow, user: UserRow, levels: Levels | None = None, **values: Any
    ) -> GrantRow:
        """One of the account's own people, on behalf of no partner; without levels a super admin."""
        values = {"seat": Seat.CORE, "set_version_id": None, **values}
        kind = AccessType.SUPER_ADMIN if levels is None else AccessType.STANDARD
        async with self._connection() as connection:
            return await _grant(
                connection,
                user_id=user.id,
                account_id=account.account_id if isinstance(account, ClientRow) else account.id,
                client=None,
                member=None,
                state=SUPER_ADMIN_STATE if levels is None else _state(levels),
                access_type=values.pop("access_type", kind),
                **values,
            )

    async def move(self, grant: GrantRow, status: GrantStatus) -> GrantRow:
        """The grant after it was deactivated, reactivated or removed, with an operation that did it."""
        async with self._connection() as connection:
            return await _move(connection, grant, status)

    async def api_token(self, user: UserRow | MemberRow, scopes: str = "read write", **values: Any) -> str:
        """An API token of a user, as sent in the header; ``values`` are columns such as expires_at (T1)."""
        token = f"cam_{secrets.token_urlsafe(32)}"
        async with self._connection() as connection:
            await _insert(
                connection,
                api_tokens,
                user_id=user.user_id if isinstance(user, MemberRow) else user.id,
                name="test",
                token_hash=hashlib.sha256(token.encode()).hexdigest(),
                scopes=scopes,
                created_at=MOMENT,
                **values,
            )
        return token

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        async with self.database.write() as session:
            yield await session.connection()

    async def _user(self, connection: AsyncConnection, name: str | None, email: str | None) -> UserRow:
        number = next(self._numbers)
        first, _, last = (name or f"Person {number}").partition(" ")
        email = email or f"{fold(name or 'person').replace(' ', '.')}.{number}@example.com"
        key = await _insert(
            connection,
            users,
            email=email,
            email_key=email.lower(),
            first_name=first,
            last_name=last,
            created_at=MOMENT,
        )
        return UserRow(key, email)

    async def _member(
        self,
        connection: AsyncConnection,
        partner: PartnerRow,
        name: str | None,
        *,
        user: UserRow | MemberRow | None = None,
        email: str | None = None,
        **values: Any,
    ) -> MemberRow:
        if user is None:
            user = await self._user(connection, name, email)
        user_id = user.user_id if isinstance(user, MemberRow) else user.id
        known = (await connection.execute(select(users).where(users.c.id == user_id))).one()
        first, _, last = (name or f"{known.first_name} {known.last_name}").partition(" ")
        shown = full_name(first, last, known.email)
        columns = {
            "kind": MemberKind.EMPLOYEE,
            "status": MemberStatus.ACTIVE,
            "verified": True,
            "manager_rights": ManagerRights.EDIT,
            "super_admin": False,
            "active_clients": 0,
            "first_name": first,
            "last_name": last,
            "sort_name": fold(shown),
            "search_text": _searched(shown, known.email),
            "created_at": MOMENT,
            **values,
        }
        key = await _insert(connection, members, partner_id=partner.id, user_id=user_id, **columns)
        return MemberRow(key, partner.id, user_id, known.email)

    async def _account(self, connection: AsyncConnection, name: str | None, **values: Any) -> AccountRow:
        number = next(self._numbers)
        name = name or f"Client {number}"
        columns = {
            "hub_id": 5_000_000_000 + number,
            "domain": f"client-{number}.example",
            "account_type": AccountType.STANDARD,
            "tiers": "MARKETING_PROFESSIONAL SALES_PROFESSIONAL SERVICE_PROFESSIONAL",
            "created_at": MOMENT,
            **values,
        }
        key = await _insert(connection, accounts, official_name=name, **columns)
        return AccountRow(key, columns["hub_id"], name)

    async def _client(
        self,
        connection: AsyncConnection,
        partner: PartnerRow,
        name: str | None,
        *,
        account: AccountRow | None = None,
        ceiling: Levels | None = None,
        **values: Any,
    ) -> ClientRow:
        official = {key: values.pop(key) for key in list(values) if key in accounts.c and key not in clients.c}
        if account is None:
            account = await self._account(connection, name, **official)
        known = (await connection.execute(select(accounts).where(accounts.c.id == account.id))).one()
        shown = values.get("display_name") or known.official_name
        columns = {
            "managed_mrr": Decimal(100),
            "currency": "EUR",
            "ceiling_id": None if ceiling is None else await _intern(connection, _state(ceiling)),
            "active_people": 0,
            "deactivated_people": 0,
            "active_partner_admins": 0,
            "sort_name": fold(shown),
            "search_text": _searched(values.get("display_name"), known.official_name, known.domain, str(known.hub_id)),
            "since": MOMENT,
            **values,
        }
        key = await _insert(connection, clients, partner_id=partner.id, account_id=account.id, **columns)
        return ClientRow(key, partner.id, account.id, account.hub_id, shown)


def _searched(*parts: str | None) -> str:
    """Returns what a search looks through; nothing matches across two parts (F22)."""
    return "\n".join(fold(part) for part in parts if part)


def removal(at: datetime = MOMENT) -> dict[str, Any]:
    """What is different in the row of a grant once it is REMOVED."""
    return {
        "status": GrantStatus.REMOVED.value,
        "ended": grants.c.id,
        "removed_at": at,
        "fork": fork_of(grants.c.since, at),
    }


def _state(levels: Levels) -> State:
    return levels if isinstance(levels, State) else catalogue.closure(catalogue.state(levels))


async def _insert(connection: AsyncConnection, table: Table, **values: Any) -> int:
    result = await connection.execute(insert(table).values(**values).returning(table.c.id))
    return int(result.scalar_one())


async def _intern(connection: AsyncConnection, state: State) -> int:
    content = catalogue.encode(state)
    row = {"digest": digest_of(content), "content": content}
    await connection.execute(insert_or_ignore(connection, permission_states).values(row))
    found = await connection.execute(select(permission_states.c.id).where(permission_states.c.digest == row["digest"]))
    return int(found.scalar_one())


async def _version(connection: AsyncConnection, set_id: int, version: int, state: State) -> SetRow:
    state_id = await _intern(connection, state)
    key = await _insert(
        connection, permission_set_versions, set_id=set_id, version=version, state_id=state_id, created_at=MOMENT
    )
    return SetRow(set_id, key, version, state_id, state)


async def _current(connection: AsyncConnection, condition: ColumnElement[bool]) -> SetRow:
    version = permission_set_versions
    row = (
        await connection.execute(
            select(
                permission_sets.c.id, version.c.id, version.c.version, version.c.state_id, permission_states.c.content
            )
            .join(
                version, (version.c.set_id == permission_sets.c.id) & (version.c.version == permission_sets.c.version)
            )
            .join(permission_states, permission_states.c.id == version.c.state_id)
            .where(condition)
        )
    ).one()
    return SetRow(row[0], row[1], row[2], row[3], catalogue.decode(row[4]))


async def _grant(
    connection: AsyncConnection,
    *,
    user_id: int,
    account_id: int,
    client: ClientRow | None,
    member: MemberRow | None,
    state: State,
    set_version_id: int | None,
    access_type: AccessType,
    seat: Seat,
    **values: Any,
) -> GrantRow:
    operation_id = await _operation(connection, client, OperationKind.GRANT)
    made = GrantRow(
        id=cell_key(operation_id, 0),
        partner_id=client.partner_id if client else None,
        client_id=client.id if client else None,
        member_id=member.id if member else None,
        account_id=account_id,
        user_id=user_id,
        status=GrantStatus.ACTIVE,
        access_type=access_type,
        seat=seat,
        state_id=await _intern(connection, state),
        state=state,
        set_version_id=set_version_id,
        version=1,
    )
    columns = asdict(made)
    del columns["state"]
    await connection.execute(
        insert(grants).values(**{"ended": 0, "customised": False, "since": MOMENT, **columns, **values})
    )
    await _record(connection, operation_id, None, made)
    return made


async def _move(connection: AsyncConnection, before: GrantRow, status: GrantStatus) -> GrantRow:
    kind = {
        GrantStatus.ACTIVE: OperationKind.REACTIVATE,
        GrantStatus.DEACTIVATED: OperationKind.DEACTIVATE,
        GrantStatus.REMOVED: OperationKind.REMOVE,
    }[status]
    after = replace(before, status=status, version=before.version + 1)
    ended = removal() if status is GrantStatus.REMOVED else {"status": status}
    await connection.execute(update(grants).where(grants.c.id == before.id).values(version=after.version, **ended))
    await _record(connection, await _operation(connection, before, kind), before, after)
    return after


async def _operation(connection: AsyncConnection, target: ClientRow | GrantRow | None, kind: OperationKind) -> int:
    return await _insert(
        connection,
        operations,
        partner_id=target.partner_id if target else None,
        kind=kind,
        state=OperationState.COMPLETED,
        mode=RuleMode.CLAMP,
        atomic=False,
        request="{}",
        created_at=MOMENT,
        finished_at=MOMENT,
        # It counts outcomes, and those are of clients and members.
        total=int(target is not None and target.partner_id is not None),
        applied=int(target is not None and target.partner_id is not None),
        noop=0,
        rejected=0,
        failed=0,
    )


async def _record(connection: AsyncConnection, operation_id: int, before: GrantRow | None, after: GrantRow) -> None:
    """Writes what an operation of one cell leaves behind, and moves the counters."""
    if after.client_id is not None:
        await connection.execute(
            insert(decisions).values(
                operation_id=operation_id,
                number=0,
                status=OutcomeStatus.APPLIED,
                before_status=before.status if before else None,
                before_access_type=before.access_type if before else None,
                before_state_id=before.state_id if before else None,
                after_status=after.status,
                after_access_type=after.access_type,
                after_state_id=after.state_id,
                seat=after.seat,
                set_version_id=after.set_version_id,
                customised=False,
            )
        )
        await connection.execute(
            insert(outcomes).values(
                operation_id=operation_id,
                position=0,
                client_id=after.client_id,
                member_id=after.member_id,
                grant_id=after.id,
                decision=0,
                status=OutcomeStatus.APPLIED,
            )
        )
    await connection.execute(
        insert(timeline_entries).values(
            id=cell_key(operation_id, 0),
            operation_id=operation_id,
            grant_id=after.id,
            at=MOMENT,
            before_status=before.status if before else None,
            before_access_type=before.access_type if before else None,
            before_state_id=before.state_id if before else None,
            after_status=after.status,
            after_access_type=after.access_type,
            after_seat=after.seat,
            after_state_id=after.state_id,
            after_set_version_id=after.set_version_id,
            **{key: getattr(after, key) for key in ("partner_id", "account_id", "client_id", "member_id")},
        )
    )
    for row, sign in ((before, -1), (after, 1)):
        if row is not None and row.client_id is not None:
            await _count(connection, row, sign)


async def _count(connection: AsyncConnection, row: GrantRow, sign: int) -> None:
    active = sign * (row.status is GrantStatus.ACTIVE)
    await connection.execute(
        update(clients)
        .where(clients.c.id == row.client_id)
        .values(
            active_people=clients.c.active_people + active,
            deactivated_people=clients.c.deactivated_people + sign * (row.status is GrantStatus.DEACTIVATED),
            active_partner_admins=clients.c.active_partner_admins
            + active * (row.access_type is AccessType.PARTNER_ADMIN),
        )
    )
    await connection.execute(
        update(members).where(members.c.id == row.member_id).values(active_clients=members.c.active_clients + active)
    )
