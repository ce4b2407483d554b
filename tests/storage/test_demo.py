"""The demo: the same each time, true in all its counters, and valid under the rules."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.account import accounts
from models.activity import activity_events, last_activities
from models.client import clients
from models.database import Database
from models.grant import AccessType, GrantStatus, grants
from models.member import members
from models.metadata import TABLES
from models.operation import CELLS, OutcomeStatus, decisions, operations
from models.outcome import outcomes
from models.partner import partners
from models.permission.catalogue import catalogue
from models.permission.rule import apply_rule
from models.permission_set import permission_set_versions, permission_sets
from models.team import grant_teams, teams
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers.demo.load import is_new, load_demo
from resolvers.demo.name import company_domain, company_name
from resolvers.demo.sign_in import demo_tokens
from resolvers.error import RefusedError
from resolvers.interning import state_contents
from resolvers.sign_in import InvalidTokenError, sign_in
from tests.factory import Factory

REPORTS = catalogue.where(lambda permission: permission.area == "reports")

LINK_MOMENTS = {"created_at", "expires_at"}
# A letter has a name of its own, and tells until when it can be answered.
LETTERS = {"message_id", "text", "html", "created_at", "due_at"}
# A seal is over the rows as the database holds them: SQLite's are others than PostgreSQL's.
SEALS = {"sealed_at", "hash"}
MOMENTS = {
    "access_link": LINK_MOMENTS,
    "confirmation_link": LINK_MOMENTS,
    "timeline_block": SEALS,
    "mail": LETTERS,
    "hand_off": {"created_at", "expires_at"},
}


async def everything(connection: AsyncConnection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but the moments at which the loader ran."""
    found = {}
    for table in TABLES:
        columns = [column for column in table.c if column.name not in MOMENTS.get(table.name, {"created_at"})]
        rows = await connection.execute(select(*columns).order_by(*table.primary_key.columns))
        found[table.name] = [tuple(row) for row in rows]
    return found


async def check_counters(connection: AsyncConnection) -> None:
    """R15."""
    active, off = (
        func.sum(case((grants.c.status == status, 1), else_=0))
        for status in (GrantStatus.ACTIVE, GrantStatus.DEACTIVATED)
    )
    admins = func.sum(
        case(((grants.c.status == GrantStatus.ACTIVE) & (grants.c.access_type == AccessType.PARTNER_ADMIN), 1), else_=0)
    )
    counted = await connection.execute(
        select(grants.c.client_id, active, off, admins)
        .where(grants.c.client_id.is_not(None))
        .group_by(grants.c.client_id)
    )
    truth = {key: tuple(numbers) for key, *numbers in counted}
    kept = await connection.execute(
        select(clients.c.id, clients.c.active_people, clients.c.deactivated_people, clients.c.active_partner_admins)
    )
    for key, *numbers in kept:
        assert tuple(numbers) == truth.get(key, (0, 0, 0))
    by_member = await connection.execute(
        select(grants.c.member_id, active).where(grants.c.member_id.is_not(None)).group_by(grants.c.member_id)
    )
    places = {row[0]: row[1] for row in by_member}
    for row in await connection.execute(select(members.c.id, members.c.active_clients)):
        assert row.active_clients == places.get(row.id, 0)


async def check_history(connection: AsyncConnection) -> None:
    """Each grant's timeline leads to what it is, and each operation counts its outcomes."""
    last: dict[int, Any] = {}
    for entry in await connection.execute(select(timeline_entries).order_by(timeline_entries.c.id)):
        before = last.get(entry.grant_id)
        assert entry.before_status == (before.after_status if before else None)
        assert before is None or entry.before_state_id == before.after_state_id
        assert before is None or before.at <= entry.at
        last[entry.grant_id] = entry
    for grant in await connection.execute(select(grants)):
        entry = last.pop(grant.id)
        assert (entry.after_status, entry.after_state_id, entry.after_access_type) == (
            grant.status,
            grant.state_id,
            grant.access_type,
        )
        assert entry.after_set_version_id == grant.set_version_id
    assert not last
    counts = Counter(row.operation_id for row in await connection.execute(select(outcomes.c.operation_id)))
    for operation in await connection.execute(select(operations)):
        assert operation.total == counts[operation.id] == operation.applied + operation.noop + operation.rejected
        assert operation.total < CELLS


async def check_states(connection: AsyncConnection) -> None:
    """Every state is closed, and every decision is what the bounded rule says."""
    rows = (await connection.execute(select(decisions).where(decisions.c.status == OutcomeStatus.APPLIED))).all()
    used = {row.state_id for row in await connection.execute(select(grants.c.state_id))}
    names = ("before_state_id", "after_state_id", "requested_state_id", "authority_state_id")
    used |= {getattr(row, name) for row in rows for name in names}
    states = await state_contents(connection, used - {None})
    assert all(catalogue.is_valid(state) for state in states.values())
    for row in rows:
        if row.after_access_type != AccessType.SUPER_ADMIN and row.after_status == GrantStatus.ACTIVE:
            target, requested, authority = (
                states[key] for key in (row.before_state_id, row.requested_state_id, row.authority_state_id)
            )
            assert apply_rule(target, requested, authority, catalogue).after == states[row.after_state_id]
            is_admin = bool(states[row.after_state_id] & catalogue.partner_admin)
            assert (row.after_access_type == AccessType.PARTNER_ADMIN) == is_admin


async def test_the_agency_is_what_people_are_promised(database: Database) -> None:
    assert await is_new(database)
    assert await load_demo(database)
    assert not await is_new(database)
    async with database.read() as connection:
        agency, studio = (await connection.execute(select(partners).order_by(partners.c.hub_id))).all()
        assert (agency.hub_id, studio.hub_id) == (9000001, 9000002)
        people = (
            await connection.execute(
                select(members, users.c.email).join(users, users.c.id == members.c.user_id).order_by(members.c.id)
            )
        ).all()
        ours = [row for row in people if row.partner_id == agency.id]
        assert Counter(row.kind for row in ours) == {"EMPLOYEE": 45, "CONTRACTOR": 12}
        assert all(row.email.endswith(".example") for row in people)
        assert {row.status for row in ours} == {"ACTIVE", "DEACTIVATED"}
        assert {row.manager_rights for row in ours} == {"NONE", "VIEW", "EDIT"}
        assert any(not row.verified for row in ours)
        assert any(row.default_permission_set_id for row in ours)
        theirs = {row.user_id for row in people if row.partner_id == studio.id}
        assert len(theirs & {row.user_id for row in ours}) == 1

        places = (
            await connection.execute(select(clients, accounts).join(accounts, accounts.c.id == clients.c.account_id))
        ).all()
        mine = [row for row in places if row.partner_id == agency.id]
        assert sorted(row.hub_id for row in mine) == list(range(1000001, 1000301))
        assert {row.account_type for row in mine} == {"STANDARD", "SANDBOX", "DEVELOPER_TEST", "APP_DEVELOPER"}
        assert len({row.tiers for row in mine}) > 20
        assert {row.currency for row in mine} == {"EUR", "USD", None}
        assert any(row.managed_mrr is None for row in mine)
        assert any(row.display_name is None for row in mine)
        assert any(row.active_people and not row.active_partner_admins for row in mine)
        assert any(not row.active_people for row in mine)
        shared = {row.account_id for row in mine} & {row.account_id for row in places if row.partner_id == studio.id}
        assert len(shared) == 15

        living = (await connection.execute(select(grants).where(grants.c.partner_id == agency.id))).all()
        assert {row.status for row in living} == {"ACTIVE", "DEACTIVATED", "REMOVED"}
        assert {row.access_type for row in living} == {"SUPER_ADMIN", "PARTNER_ADMIN", "STANDARD"}
        assert {row.customised for row in living} == {True, False}
        outdated = (
            select(func.count())
            .select_from(grants)
            .join(permission_set_versions, permission_set_versions.c.id == grants.c.set_version_id)
            .join(permission_sets, permission_sets.c.id == permission_set_versions.c.set_id)
            .where(permission_set_versions.c.version < permission_sets.c.version)
        )
        assert await connection.scalar(outdated)
        assert await connection.scalar(select(func.count()).select_from(teams))
        assert await connection.scalar(select(func.count()).select_from(grant_teams))
        by_email = {row.email: row for row in ours}
        rafael, sigrid = by_email["rafael@fox-agency.example"], by_email["sigrid@fox-agency.example"]
        held = [row for row in living if row.member_id == rafael.id]
        states = await state_contents(connection, {row.state_id for row in held})
        assert len(held) > 50
        assert {row.access_type for row in held} == {"PARTNER_ADMIN"}
        assert all(not states[row.state_id] & REPORTS for row in held)
        assert {row.access_type for row in living if row.member_id == sigrid.id} == {"SUPER_ADMIN"}
        others = select(grants.c.account_id).where(
            grants.c.access_type == AccessType.SUPER_ADMIN, grants.c.client_id.is_(None)
        )
        own = set((await connection.execute(others)).scalars())
        assert [row.hub_id for row in mine if row.account_id not in own] == [1000008, 1000158]


async def test_the_agencys_people_were_active_as_far_as_their_access_reaches(demo_agency: Database) -> None:
    """F52, P25: some never, so that the inactivity list has somebody; nothing before the access began."""
    event = activity_events.c
    living = (grants.c.client_id == event.client_id) & (grants.c.member_id == event.member_id) & (grants.c.ended == 0)
    pair = select(last_activities.c.at).where(
        last_activities.c.client_id == grants.c.client_id, last_activities.c.member_id == grants.c.member_id
    )
    async with demo_agency.read() as connection:
        rows = (
            await connection.execute(
                select(event.at, event.kind, grants.c.since).select_from(activity_events.join(grants, living))
            )
        ).all()
        assert len(rows) == await connection.scalar(select(func.count()).select_from(activity_events))
        assert 5_000 < len(rows) < 15_000
        assert all(row.at > row.since for row in rows)
        assert (max(row.at for row in rows) - min(row.at for row in rows)).days > 365
        assert {row.kind for row in rows} >= {"SIGNED_IN", "VIEWED", "UPDATED", "CREATED", "COMMUNICATED"}
        never = select(func.count()).where(grants.c.status == GrantStatus.ACTIVE.value, grants.c.client_id.is_not(None))
        assert await connection.scalar(never.where(~pair.correlate(grants).exists()))


async def test_the_agency_is_valid_under_the_rules(demo_agency: Database) -> None:
    async with demo_agency.read() as connection:
        await check_counters(connection)
        await check_history(connection)
        await check_states(connection)


async def test_the_demo_is_the_same_on_both_databases_and_each_time(demo_agency: Database) -> None:
    async with demo_agency.read() as connection:
        found = await everything(connection)
    first = SEEN.setdefault("demo", found)
    assert found.keys() == first.keys()
    for name, rows in found.items():
        assert rows == first[name], name


SEEN: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
"""The demo of the first run of the test above, which each later one must equal."""


async def test_loading_again_changes_nothing(demo_agency: Database) -> None:
    async with demo_agency.read() as connection:
        before = await everything(connection)
    assert not await load_demo(demo_agency)
    async with demo_agency.read() as connection:
        assert await everything(connection) == before


async def test_a_database_with_partners_of_its_own_gets_no_demo(database: Database, factory: Factory) -> None:
    await factory.partner()
    with pytest.raises(RefusedError, match="partners already"):
        await load_demo(database)


class StopError(Exception):
    pass


def stop(done: int, total: int) -> None:
    if 0 < done < total:
        raise StopError


async def test_an_interrupted_agency_leaves_nothing(database: Database) -> None:
    with pytest.raises(StopError):
        await load_demo(database, stop)
    assert await is_new(database)
    assert await load_demo(database)


def test_every_company_has_a_name_and_a_domain_of_its_own() -> None:
    names = [company_name(number) for number in range(55_000)]
    assert len(set(names)) == len({company_domain(name) for name in names}) == 55_000


async def test_each_start_gives_the_demo_people_new_tokens(database: Database) -> None:
    async with database.write() as session:
        assert await demo_tokens(await session.connection()) == []
    await load_demo(database)
    async with database.write() as session:
        first = await demo_tokens(await session.connection())
    async with database.write() as session:
        second = await demo_tokens(await session.connection())
    assert len(second) == 8
    viewers = {token.email: await sign_in(database, token.secret) for token in second}
    assert viewers["olivia@fox-agency.example"].memberships[0].acts
    assert viewers["vera@fox-agency.example"].memberships[0].sees
    assert not viewers["vera@fox-agency.example"].memberships[0].acts
    assert not viewers["nils@fox-agency.example"].memberships[0].sees
    assert len(viewers["carlos@freelance.example"].memberships) == 2
    for token in first:
        with pytest.raises(InvalidTokenError):
            await sign_in(database, token.secret)
