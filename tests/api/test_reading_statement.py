"""The number of SQL statements of each read does not grow with the rows (T3)."""

import json
from typing import Any, NamedTuple

from graphql import OperationDefinitionNode, OperationType, parse
from sqlalchemy import insert, select

from models.account import accounts
from models.client import clients
from models.database import Database
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberKind, MemberStatus, members
from models.operation import cell_key
from models.team import grant_teams, teams
from models.user import users
from schema.node import encode
from tests.api.caller import QUERIES, Caller, operation
from tests.factory import MOMENT, ClientRow, Factory, MemberRow, PartnerRow, SetRow
from tests.statement_recorder import StatementRecorder


def _is_read(name: str) -> bool:
    first = next(part for part in parse(operation(name)).definitions if isinstance(part, OperationDefinitionNode))
    return first.operation is OperationType.QUERY


READS = sorted(path.stem for path in QUERIES.glob("*.graphql") if _is_read(path.stem))


class Place(NamedTuple):
    """Where a crowd goes."""

    partner: PartnerRow
    client: ClientRow
    viewer: MemberRow
    ours: SetRow


async def crowd(database: Database, place: Place, count: int) -> None:
    """Adds people with access in the client, and clients in which the viewer has access, so many of each."""
    partner, client, viewer, ours = place
    numbers = range(count)
    async with database.write() as session:
        connection = await session.connection()

        async def add(table: Any, rows: list[dict[str, Any]]) -> list[int]:
            made = await connection.execute(insert(table).returning(table.c.id, sort_by_parameter_order=True), rows)
            return [row[0] for row in made]

        base = (await connection.execute(select(users.c.id).order_by(users.c.id.desc()).limit(1))).scalar_one()
        user_rows = [
            {
                "email": f"p{base}.{n}@x.example",
                "email_key": f"p{base}.{n}@x.example",
                "first_name": "P",
                "last_name": str(n),
                "created_at": MOMENT,
            }
            for n in numbers
        ]
        people = await add(users, user_rows)
        member_rows = [
            {
                "partner_id": partner.id,
                "user_id": user,
                "kind": kind,
                "status": MemberStatus.ACTIVE,
                "verified": True,
                "manager_rights": "NONE",
                "super_admin": False,
                "active_clients": 1,
                "first_name": "P",
                "last_name": str(user),
                "sort_name": f"p {user}",
                "search_text": "p",
                "created_at": MOMENT,
                "default_permission_set_id": ours.id,
            }
            for user, kind in zip(people, [MemberKind.EMPLOYEE, MemberKind.CONTRACTOR] * count, strict=False)
        ]
        member_ids = await add(members, member_rows)
        account_ids = await add(
            accounts,
            [
                {
                    "hub_id": 10**9 + base * 10**5 + n,
                    "official_name": f"n{n}",
                    "account_type": "STANDARD",
                    "tiers": "",
                    "created_at": MOMENT,
                }
                for n in numbers
            ],
        )
        client_rows = [
            {
                "partner_id": partner.id,
                "account_id": account,
                "active_people": 1,
                "deactivated_people": 0,
                "active_partner_admins": 0,
                "sort_name": f"n{account}",
                "search_text": "n",
                "since": MOMENT,
                "lead_id": viewer.id,
            }
            for account in account_ids
        ]
        client_ids = await add(clients, client_rows)
        team_ids = await add(teams, [{"account_id": client.account_id, "name": f"t{base}.{n}"} for n in numbers])
        cells = [(client.id, client.account_id, member, user) for member, user in zip(member_ids, people, strict=True)]
        cells += [
            (key, account, viewer.id, viewer.user_id) for key, account in zip(client_ids, account_ids, strict=True)
        ]
        grant_rows = [
            {
                "id": cell_key(base + 1_000, position),
                "partner_id": partner.id,
                "client_id": client_id,
                "member_id": member,
                "account_id": account,
                "user_id": user,
                "status": GrantStatus.ACTIVE,
                "ended": 0,
                "access_type": AccessType.PARTNER_ADMIN if position % 2 else AccessType.STANDARD,
                "seat": Seat.PARTNER,
                "state_id": ours.state_id,
                "set_version_id": ours.version_id,
                "customised": False,
                "version": 1,
                "granted_by_id": user,
                "since": MOMENT,
            }
            for position, (client_id, account, member, user) in enumerate(cells)
        ]
        await connection.execute(insert(grants), grant_rows)
        places = [
            {"grant_id": row["id"], "team_id": team, "is_primary": True}
            for row, team in zip(grant_rows, team_ids, strict=False)
        ]
        await connection.execute(insert(grant_teams), places)


async def test_a_thousand_rows_need_as_many_statements_as_ten(factory: Factory, recorder: StatementRecorder) -> None:
    """T3: every read in queries/, ten rows against a thousand of each kind."""
    partner = await factory.partner()
    viewer, client = await factory.member(partner), await factory.client(partner, "0 first")
    first = await factory.permission_set(partner, {"contacts.view": "ALL"})
    await factory.new_version(first, {"contacts.view": "TEAM"})
    await factory.partner_admin(client, viewer)
    place = Place(partner, client, viewer, first)
    await crowd(factory.database, place, 10)
    caller = await Caller.signed_in(factory, viewer)
    known = {"first": 100, "hubId": str(client.hub_id), "email": viewer.email, "id": encode("Client", client.id)}

    async def counted() -> tuple[dict[str, int], dict[str, int]]:
        statements, sizes = {}, {}
        for name in READS:
            beside = QUERIES / f"{name}.variables.json"
            own = json.loads(beside.read_text()) if beside.exists() else {}
            with recorder:
                data = await caller.data(operation(name), **{**own, **known})
            statements[name], sizes[name] = recorder.count, len(json.dumps(data))
        return statements, sizes

    few, small = await counted()
    await crowd(factory.database, place, 990)
    many, large = await counted()
    assert many == few
    assert max(few.values()) <= 12
    assert {name for name in READS if large[name] > small[name]} >= {
        "client",
        "clients",
        "clients_by_access",
        "contractors",
        "employees",
        "grant_permissions",
        "member",
        "members",
        "outdated_grants",
    }


async def test_the_page_of_clients_is_six_statements_and_counts_only_when_asked(
    factory: Factory, recorder: StatementRecorder
) -> None:
    """R6: partner, clients, total, grants, people, permission sets; without totalCount one less."""
    partner = await factory.partner()
    viewer = await factory.member(partner)
    for client in await factory.clients(partner, 3):
        await factory.partner_admin(client, viewer)
    caller = await Caller.signed_in(factory, viewer)
    for query, expected in ((operation("clients"), 6), (operation("clients").replace("totalCount\n", ""), 5)):
        with recorder:
            await caller.data(query)
        assert recorder.count == expected
        assert sum("count(" in statement.lower() for statement in recorder.statements) == expected - 5
