"""The number of SQL statements of each read does not grow with the rows (T3)."""

import json
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.access_link import LinkAnswer, access_links, link_approvals
from models.account import accounts
from models.asset import AssetKind, asset_holdings
from models.client import clients
from models.confirmation_link import confirmation_link_members, confirmation_links
from models.database import Database
from models.feedback import wish_votes
from models.grant import AccessType, GrantStatus, Seat, grants
from models.member import MemberKind, MemberStatus, members
from models.operation import cell_key, operations
from models.table import now
from models.team import grant_teams, teams
from models.timeline_entry import timeline_entries
from models.user import users
from models.wish import WISHES
from schema.node import encode
from tests.api.caller import Caller, operation
from tests.api.example import READS, is_for_the_client, variables
from tests.factory import MOMENT, ClientRow, Factory, MemberRow, PartnerRow, SetRow
from tests.life_factory import LifeFactory
from tests.statement_recorder import StatementRecorder


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
        await connection.execute(insert(timeline_entries), await _changes(connection, grant_rows))
        await connection.execute(insert(asset_holdings), [_holding(row) for row in grant_rows])
        links = [_link(place, f"{base}.{n}") for n in numbers]
        keys = await add(
            access_links,
            [
                {**row, "member_id": member, "client_key": 0, "single_use": False, "ended": 0, "reference": ""}
                for row, member in zip(links, member_ids, strict=True)
            ],
        )
        answered = {
            "partner_id": partner.id,
            "account_id": client.account_id,
            "client_id": client.id,
            "answer": LinkAnswer.APPROVED,
            "answered_by_id": viewer.user_id,
            "answered_at": MOMENT,
        }
        await connection.execute(insert(link_approvals), [{**answered, "link_id": key} for key in keys])
        rows = [{**row, "client_id": client.id, "token_hash": f"c{row['nonce']}"} for row in links]
        confirming = await add(confirmation_links, rows)
        named = [{"link_id": link, "member_id": member} for link, member in zip(confirming, member_ids, strict=True)]
        await connection.execute(insert(confirmation_link_members), named)
        votes = [{"wish": next(iter(WISHES)), "user_id": user, "created_at": MOMENT} for user in people]
        await connection.execute(insert(wish_votes), votes)
        if not database.is_sqlite:
            # As PostgreSQL does by itself within a minute or so; ours is told not to, since it would at any moment.
            await connection.execute(text("ANALYZE"))


def _link(place: Place, mark: str) -> dict[str, Any]:
    """What both kinds of links have."""
    return {
        "partner_id": place.partner.id,
        "nonce": mark,
        "token_hash": mark,
        "created_by_id": place.viewer.user_id,
        "created_at": MOMENT,
        "expires_at": now() + timedelta(days=1),
    }


def _holding(row: dict[str, Any]) -> dict[str, Any]:
    place = {"client_id": row["client_id"], "member_id": row["member_id"]}
    return {**place, "kind": AssetKind.DEAL, "total": 3, "version": 1}


async def _changes(connection: AsyncConnection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The timeline's entries of new grants."""
    mine = select(operations.c.id).where(operations.c.partner_id == rows[0]["partner_id"]).limit(1)
    operation_id = (await connection.execute(mine)).scalar_one()
    return [
        {
            **{key: row[key] for key in ("id", "partner_id", "account_id", "client_id", "member_id")},
            "operation_id": operation_id,
            "grant_id": row["id"],
            "at": MOMENT,
            "after_status": row["status"],
            "after_access_type": row["access_type"],
            "after_seat": row["seat"],
            "after_state_id": row["state_id"],
        }
        for row in rows
    ]


async def test_a_thousand_rows_need_as_many_statements_as_ten(
    factory: Factory, life_factory: LifeFactory, recorder: StatementRecorder
) -> None:
    """T3: every read in queries/, ten rows against a thousand of each kind; what is for clients, by the client's own side."""
    partner = await factory.partner()
    viewer, client = await factory.member(partner), await factory.client(partner, "0 first")
    first = await factory.permission_set(partner, {"contacts.view": "ALL"})
    await factory.new_version(first, {"contacts.view": "TEAM"})
    await factory.partner_admin(client, viewer)
    place = Place(partner, client, viewer, first)
    await crowd(factory.database, place, 10)
    caller, user = await Caller.signed_in(factory, viewer), await factory.user()
    await factory.own_person(client, user)
    office = await Caller.signed_in(factory, user)
    # Newer than everybody else's, so that the first page has it however many there are.
    link = await life_factory.access_link(viewer, client=client, reference="ours", expires_at=now() + timedelta(days=1))
    known = {
        "first": 100,
        "hubId": str(client.hub_id),
        "email": viewer.email,
        "id": encode("Client", client.id),
        "client": encode("Client", client.id),
        "member": encode("Member", viewer.id),
        "clients": None,
        "token": link.token,
        "filter": None,
    }

    async def counted() -> tuple[dict[str, int], dict[str, int]]:
        statements, sizes = {}, {}
        for name in READS:
            who = office if is_for_the_client(name) else caller
            with recorder:
                data = await who.data(operation(name), **{**variables(name), **known})
            assert None not in data.values(), name
            statements[name], sizes[name] = recorder.count, len(json.dumps(data))
        return statements, sizes

    # What permission states contain the process keeps: whoever is the first to ask reads it.
    await counted()
    few, small = await counted()
    await crowd(factory.database, place, 990)
    many, large = await counted()
    assert many == few
    assert max(few.values()) <= 16
    assert {name for name in READS if large[name] > small[name]} >= {
        "access_links",
        "account",
        "accounts",
        "client",
        "clients",
        "clients_by_access",
        "confirmation_links",
        "contractors",
        "employees",
        "grant_permissions",
        "leaver_report",
        "member",
        "members",
        "outdated_grants",
        "removal_review",
        "removal_review_of_client",
        "timeline",
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
