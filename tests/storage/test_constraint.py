"""Each constraint says one of the rules: the wrong row is refused by SQLite and by PostgreSQL, the right one beside it is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, String, Table, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from models.access_link import LinkAnswer, access_links
from models.account import accounts
from models.activity import activity_days, activity_events, activity_sources, last_activities
from models.api_token import api_tokens
from models.asset import AssetKind, asset_holdings
from models.client import clients
from models.confirmation_link import confirmation_links
from models.database import Database
from models.expiry import expiry_rules
from models.grant import AccessType, GrantStatus, Seat, grants
from models.hand_off import HandOffState, hand_offs
from models.idempotency_key import idempotency_keys
from models.member import members
from models.metadata import TABLES
from models.operation import cell_key, operation_cancellations, operation_retries, operation_undos, operations
from models.operation_chunk import (
    operation_chunks,
    operation_clients,
    operation_members,
    operation_pairs,
    queued_operations,
)
from models.partner import PartnerProgram, partners
from models.permission_set import permission_sets
from models.permission_state import permission_states
from models.pod import pod_cells, pod_clients, pod_exclusions, pods
from models.schedule import scheduled_leaves
from models.team import grant_teams
from models.template_lockdown import template_lockdowns
from models.timeline_block import timeline_blocks
from models.user import users
from tests.factory import MOMENT, ClientRow, Factory, GrantRow, MemberRow, PartnerRow, removal
from tests.life_factory import LifeFactory

LARGEST = 2**63 - 1
UNIQUE = r"(?i)unique"


@dataclass(frozen=True, slots=True)
class World:
    partner: PartnerRow
    client: ClientRow
    member: MemberRow
    grant: GrantRow


@pytest.fixture
async def world(factory: Factory) -> World:
    partner = await factory.partner()
    client = await factory.client(partner)
    member = await factory.member(partner)
    return World(partner, client, member, await factory.grant(client, member, teams=[await factory.team(client)]))


@pytest.fixture
async def life(world: World, factory: Factory, life_factory: LifeFactory) -> None:
    """A row in each table that the life of access needs."""
    member, client = world.member, world.client
    approver = await factory.user()
    link = await life_factory.access_link(member, client=client, revoked=True)
    await life_factory.link_approval(link, client, approver, grant=world.grant)
    confirmed = {"answer": LinkAnswer.APPROVED, "answered_by_id": approver.id, "answered_at": MOMENT}
    await life_factory.confirmation_link(client, member, [member], **confirmed)
    await life_factory.assets(client, member, former_owner_id=member.id)
    await life_factory.asset_transfer(world.grant, to=member)
    await life_factory.mail(approver)
    await life_factory.feedback(member, partner=world.partner)
    await life_factory.permission_issue(client, member, member)
    await life_factory.wish_vote(approver, "wish")
    await life_factory.hand_off(world.grant, await factory.member(world.partner))
    await life_factory.planned(world.grant)
    await life_factory.activity(client, member)
    ours = await factory.permission_set(world.partner, {"contacts.view": "ALL"}, "Locked")
    await life_factory.pod(world.grant, ours, await factory.member(world.partner))
    await life_factory.lockdown(client.account, approver)
    await life_factory.lockdown(world.partner, member, [ours], ended=True)


async def _refused(database: Database, statement: Any) -> str:
    """Returns what the database said; the statement's transaction is gone."""
    with pytest.raises(IntegrityError) as error:
        async with database.write() as session:
            await (await session.connection()).execute(statement)
    return str(error.value.orig).lower()


async def _accepted(database: Database, statement: Any) -> None:
    async with database.write() as session:
        await (await session.connection()).execute(statement)


async def _row(database: Database, table: Table, **changed: Any) -> dict[str, Any]:
    """Returns the first row of a table as the values of another: without its automatic key, with changes."""
    async with database.read() as connection:
        row = (await connection.execute(select(table))).mappings().first()
    assert row is not None
    automatic = [column.name for column in table.primary_key if column.name == "id" and column.autoincrement == "auto"]
    return {key: value for key, value in row.items() if key not in automatic} | changed


@pytest.mark.usefixtures("life")
async def test_a_word_outside_an_enumeration_is_refused(database: Database, world: World, factory: Factory) -> None:
    await factory.permission_set(world.partner, {"contacts.view": "ALL"})
    tried = 0
    for table in TABLES:
        for check in table.constraints:
            if not isinstance(check, CheckConstraint) or not isinstance(check.name, str):
                continue
            column = check.name.removeprefix(f"ck_{table.name}_")
            if column in table.c and isinstance(table.c[column].type, String):
                said = await _refused(database, update(table).values({column: "SOMETHING"}))
                assert f"ck_{table.name}_" in said, check.name
                tried += 1
    assert tried >= 20


@pytest.mark.usefixtures("life")
async def test_a_reference_to_nothing_is_refused(database: Database, world: World, factory: Factory) -> None:
    await factory.api_token(world.member)
    await factory.permission_set(world.partner, {"contacts.view": "ALL"})
    await factory.permission_set(await factory.account(), {"contacts.view": "ALL"})
    key = {"user_id": world.member.user_id, "field": "grantAccess", "key": "a", "request_digest": "", "answer": ""}
    await _accepted(database, insert(idempotency_keys).values(**key, created_at=MOMENT))
    await _queue(database, world)
    tried = 0
    for table in TABLES:
        for reference in table.foreign_keys:
            column = reference.parent
            rows = update(table)
            if table.name in {"permission_set", "template_lockdown"}:
                rows = rows.where(column.is_not(None))
            elif "id" in table.c:
                rows = rows.where(table.c.id.in_(select(func.max(table.c.id))))
            changed = {column.name: LARGEST}
            if table is access_links and column.name == "client_id":
                changed["client_key"] = LARGEST
            said = await _refused(database, rows.values(changed))
            assert "foreign key" in said, f"{table.name}.{column.name}"
            tried += 1
    assert tried >= 125


async def _queue(database: Database, world: World) -> None:
    """Puts an operation into the queue, stops it and tries it again."""
    async with database.read() as connection:
        key = await connection.scalar(select(func.max(operations.c.id)))
    of_operation = {"operation_id": key, "partner_id": world.partner.id}
    where, who = {"client_id": world.client.id}, {"member_id": world.member.id}
    rows: list[tuple[Table, dict[str, Any]]] = [
        (queued_operations, {"turn": 0}),
        (operation_chunks, {"number": 0, "size": 1, "attempts": 0}),
        (operation_clients, {"chunk": 0, "position": 0, **where}),
        (operation_members, {"position": 0, **who}),
        (operation_pairs, {"chunk": 0, "position": 0, **where, **who}),
        (operation_cancellations, {"user_id": world.member.user_id, "at": MOMENT}),
        (operation_retries, {"retried_id": key}),
        (operation_undos, {"undone_id": key}),
    ]
    for table, values in rows:
        await _accepted(database, insert(table).values({**of_operation, **values}))
    block = {"id": key, "operation_id": key, "chain": world.partner.id, "number": 1, "closing": True}
    counted = {"entries": 1, "outcomes": 1, "sealed_at": MOMENT, "hash": ""}
    await _accepted(database, insert(timeline_blocks).values({**block, **counted}))


async def test_what_is_referred_to_cannot_be_deleted(database: Database, world: World) -> None:
    for table in (partners, users, members, accounts, clients, permission_states, operations, grants):
        assert "foreign key" in await _refused(database, table.delete()), table.name


async def test_a_person_has_one_living_grant_in_a_client(database: Database, world: World, factory: Factory) -> None:
    for status in (GrantStatus.ACTIVE, GrantStatus.DEACTIVATED):
        twin = await _row(database, grants, id=cell_key(9, 9), status=status)
        assert "unique" in await _refused(database, insert(grants).values(twin))


async def test_after_a_removal_a_new_grant_may_live_however_often(world: World, factory: Factory) -> None:
    grant = world.grant
    for _ in range(3):
        await factory.move(grant, GrantStatus.REMOVED)
        grant = await factory.grant(world.client, world.member)
    grant = await factory.move(grant, GrantStatus.DEACTIVATED)
    await factory.move(grant, GrantStatus.ACTIVE)


@pytest.mark.parametrize(
    ("status", "ended"), [(GrantStatus.REMOVED, 0), (GrantStatus.ACTIVE, "id"), (GrantStatus.REMOVED, 77)]
)
async def test_a_grant_has_ended_exactly_when_it_is_removed(
    database: Database, world: World, status: GrantStatus, ended: int | str
) -> None:
    value = grants.c.id if ended == "id" else ended
    assert "ck_grant_ended" in await _refused(database, update(grants).values(status=status, ended=value))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("removed", {"removed_at": None, "fork": None}),
        ("removed", {"status": GrantStatus.ACTIVE, "ended": 0}),
        ("filed", {"fork": None}),
        ("filed", {"since": MOMENT + timedelta(days=1)}),
        ("filed", {"removed_at": MOMENT}),
        ("filed", {"status": GrantStatus.ACTIVE, "ended": 0, "removed_at": None}),
    ],
)
async def test_a_grant_that_was_removed_says_when_and_is_filed_unless_it_lasted_for_no_time(
    database: Database, world: World, name: str, values: dict[str, Any]
) -> None:
    """N05: a life that hung nowhere would be found at no moment."""
    await _accepted(database, update(grants).values(removal(MOMENT + timedelta(hours=1))))
    assert f"ck_grant_{name}" in await _refused(database, update(grants).values(values))


@pytest.mark.parametrize("seat", [seat for seat in Seat if seat is not Seat.PARTNER])
async def test_a_partner_admin_needs_the_partner_seat(database: Database, world: World, seat: Seat) -> None:
    """F12: the PARTNER seat comes with the Partner Admin permission."""
    wrong = {"access_type": AccessType.PARTNER_ADMIN, "seat": seat}
    assert "ck_grant_partner_seat" in await _refused(database, update(grants).values(wrong))
    await _accepted(database, update(grants).values(access_type=AccessType.STANDARD, seat=seat))


async def test_no_grant_has_access_type_none(database: Database, world: World) -> None:
    """F19: NONE is what somebody without a grant has."""
    assert "ck_grant_access_type" in await _refused(database, update(grants).values(access_type=AccessType.NONE))


@pytest.mark.parametrize("missing", [("partner_id",), ("client_id",), ("member_id",), ("partner_id", "client_id")])
async def test_a_grant_is_on_behalf_of_a_partner_or_not_at_all(
    database: Database, world: World, missing: tuple[str, ...]
) -> None:
    assert "ck_grant_on_behalf" in await _refused(database, update(grants).values(dict.fromkeys(missing)))


async def test_one_of_the_accounts_own_people_has_one_living_grant(
    database: Database, world: World, factory: Factory
) -> None:
    user = await factory.user()
    first = await factory.own_person(world.client, user)
    with pytest.raises(IntegrityError, match=UNIQUE):
        await factory.own_person(world.client, user)
    await factory.move(first, GrantStatus.REMOVED)
    await factory.own_person(world.client, user)
    await factory.own_person(await factory.account(), user)


async def test_own_people_and_partner_people_are_separate_grants_of_one_user(world: World, factory: Factory) -> None:
    partner = await factory.partner()
    client = await factory.client(partner, account=world.client.account)
    colleague = await factory.member(partner, user=world.member)
    await factory.grant(client, colleague)
    with pytest.raises(IntegrityError, match=UNIQUE):
        await factory.grant(client, colleague)


async def test_a_grant_has_one_primary_team_and_each_team_once(
    database: Database, world: World, factory: Factory
) -> None:
    """F54: one primary, the others additional."""
    second, third = await factory.team(world.client), await factory.team(world.client)
    row: Mapping[str, Any] = {"grant_id": world.grant.id, "team_id": second.id}
    assert "unique" in await _refused(database, insert(grant_teams).values(**row, is_primary=True))
    await _accepted(database, insert(grant_teams).values(**row, is_primary=False))
    assert "unique" in await _refused(database, insert(grant_teams).values(**row, is_primary=False))
    await _accepted(database, insert(grant_teams).values({**row, "team_id": third.id, "is_primary": False}))


@pytest.mark.parametrize("counter", ["active_people", "deactivated_people", "active_partner_admins"])
async def test_a_counter_is_never_negative(database: Database, world: World, counter: str) -> None:
    assert "ck_client_counters" in await _refused(database, update(clients).values({counter: -1}))


async def test_an_address_is_one_user_whatever_its_case(factory: Factory) -> None:
    await factory.user(email="Ana.Boß@Example.com")
    with pytest.raises(IntegrityError, match=UNIQUE):
        await factory.user(email="ana.boß@EXAMPLE.com")
    await factory.user(email="ana.boss@example.com")


async def test_a_user_is_a_member_of_a_partner_once_and_of_others_too(world: World, factory: Factory) -> None:
    with pytest.raises(IntegrityError, match=UNIQUE):
        await factory.member(world.partner, user=world.member)
    await factory.member(await factory.partner(), user=world.member)


async def test_an_account_is_a_client_of_a_partner_once_and_of_others_too(world: World, factory: Factory) -> None:
    account = world.client.account
    with pytest.raises(IntegrityError, match=UNIQUE):
        await factory.client(world.partner, account=account)
    await factory.client(await factory.partner(), account=account)


@pytest.mark.parametrize("hub_id", [2**31, 2**53 + 1, LARGEST])
async def test_hub_ids_have_64_bits(factory: Factory, database: Database, hub_id: int) -> None:
    account = await factory.account(hub_id=hub_id)
    await _accepted(
        database,
        insert(partners).values(hub_id=hub_id, name="A", program=PartnerProgram.PROVIDER, created_at=MOMENT),
    )
    async with database.read() as connection:
        assert await connection.scalar(select(accounts.c.hub_id).where(accounts.c.id == account.id)) == hub_id
        assert await connection.scalar(select(partners.c.id).where(partners.c.hub_id == hub_id))


async def test_a_hub_id_is_one_account_and_one_partner(factory: Factory, database: Database) -> None:
    await factory.account(hub_id=LARGEST)
    with pytest.raises(IntegrityError, match=UNIQUE):
        await factory.account(hub_id=LARGEST)
    await factory.partner()
    assert "unique" in await _refused(database, insert(partners).values(await _row(database, partners, name="Other")))


async def test_keys_made_by_the_service_have_64_bits(database: Database, world: World) -> None:
    key = cell_key(2**39 - 1, 2**24 - 1)
    assert key == LARGEST
    row = await _row(database, grants, id=key, status=GrantStatus.REMOVED, ended=key, removed_at=MOMENT)
    await _accepted(database, insert(grants).values(row))
    async with database.read() as connection:
        assert await connection.scalar(select(grants.c.ended).where(grants.c.id == key)) == key


async def test_a_set_belongs_to_whom_its_origin_says(database: Database, world: World, factory: Factory) -> None:
    """P12: built-in sets belong to nobody, the others to exactly one partner or one account."""
    await factory.permission_set(world.partner, {"contacts.view": "ALL"})
    row = {"name": "Other", "name_key": "other", "description": "", "version": 1}
    wrong: list[dict[str, Any]] = [
        {"origin": "BUILT_IN", "key": None},
        {"origin": "BUILT_IN", "key": "x", "partner_id": world.partner.id},
        {"origin": "PARTNER"},
        {"origin": "PARTNER", "partner_id": world.partner.id, "account_id": world.client.account_id},
        {"origin": "CLIENT"},
        {"origin": "CLIENT", "partner_id": world.partner.id, "account_id": world.client.account_id},
    ]
    for owner in wrong:
        assert "ck_permission_set_owner" in await _refused(database, insert(permission_sets).values(row | owner))


async def test_two_living_sets_of_one_owner_differ_by_more_than_case(world: World, factory: Factory) -> None:
    levels = {"contacts.view": "ALL"}
    account = world.client.account
    for owner in (world.partner, account):
        await factory.permission_set(owner, levels, "Über alles", archived=True)
        await factory.permission_set(owner, levels, "Über alles")
        with pytest.raises(IntegrityError, match=UNIQUE):
            await factory.permission_set(owner, levels, "UBER ALLES")
    await factory.permission_set(await factory.partner(), levels, "Über alles")


async def test_a_set_has_each_version_once(world: World, factory: Factory) -> None:
    permission_set = await factory.permission_set(world.partner, {"contacts.view": "ALL"})
    await factory.new_version(permission_set, {"contacts.view": "TEAM"})
    with pytest.raises(IntegrityError, match=UNIQUE):
        await factory.new_version(permission_set, {"contacts.view": "OWNED"})


async def test_the_same_state_is_one_row(factory: Factory, database: Database) -> None:
    first = await factory.state({"contacts.edit": "ALL"})
    assert await factory.state({"contacts.edit": "ALL", "contacts.view": "ALL"}) == first
    row = await _row(database, permission_states)
    assert "unique" in await _refused(database, insert(permission_states).values(row))


async def test_an_idempotency_key_is_one_callers_for_one_field(database: Database, world: World) -> None:
    """R22."""
    row = {"user_id": world.member.user_id, "field": "grantAccess", "key": "a", "request_digest": "x", "answer": ""}
    await _accepted(database, insert(idempotency_keys).values(**row, created_at=MOMENT))
    assert "unique" in await _refused(database, insert(idempotency_keys).values(**row, created_at=MOMENT))
    await _accepted(database, insert(idempotency_keys).values({**row, "field": "changeAccess", "created_at": MOMENT}))


async def test_a_token_hash_is_one_token(database: Database, world: World, factory: Factory) -> None:
    await factory.api_token(world.member)
    assert "unique" in await _refused(database, insert(api_tokens).values(await _row(database, api_tokens)))


async def test_a_member_has_one_living_link_of_each_kind(
    database: Database, world: World, life_factory: LifeFactory
) -> None:
    """F15: stable until it ends; for another client, for single use and under another reference there are others."""
    await life_factory.access_link(world.member)
    with pytest.raises(IntegrityError, match=UNIQUE):
        await life_factory.access_link(world.member)
    for other in ({"client": world.client}, {"single_use": True}, {"reference": "spring"}):
        await life_factory.access_link(world.member, **other)
    for _ in range(2):
        await life_factory.access_link(world.member, revoked=True)
    assert "ck_access_link_ended" in await _refused(database, update(access_links).values(ended=LARGEST))
    assert "ck_access_link_client_key" in await _refused(database, update(access_links).values(client_key=LARGEST))


async def test_a_link_token_is_one_link(database: Database, world: World, life_factory: LifeFactory) -> None:
    """L8."""
    await life_factory.access_link(world.member)
    await life_factory.confirmation_link(world.client, world.member)
    twin = await _row(database, access_links, reference="other")
    assert "unique" in await _refused(database, insert(access_links).values(twin))
    assert "unique" in await _refused(
        database, insert(confirmation_links).values(await _row(database, confirmation_links))
    )


async def test_an_asset_is_recorded_once_and_never_counted_below_zero(
    database: Database, world: World, life_factory: LifeFactory
) -> None:
    """F38."""
    await life_factory.assets(world.client, world.member, external_id="7")
    with pytest.raises(IntegrityError, match=UNIQUE):
        await life_factory.assets(world.client, world.member, external_id="7")
    await life_factory.assets(world.client, world.member, AssetKind.DEAL, external_id="7")
    assert "ck_asset_holding_total" in await _refused(database, update(asset_holdings).values(total=-1))


async def test_an_event_is_one_mail_and_a_wish_has_one_vote_of_a_person(
    world: World, life_factory: LifeFactory
) -> None:
    """F48."""
    await life_factory.mail(event="once")
    with pytest.raises(IntegrityError, match=UNIQUE):
        await life_factory.mail(event="once")
    await life_factory.wish_vote(world.member, "teams")
    with pytest.raises(IntegrityError, match=UNIQUE):
        await life_factory.wish_vote(world.member, "teams")
    await life_factory.wish_vote(world.member, "pods")


async def test_one_lockdown_of_an_owner_is_in_force_and_it_is_a_partners_or_an_accounts(
    database: Database, world: World, life_factory: LifeFactory
) -> None:
    """P27."""
    for owner in (world.partner, world.client.account):
        for _ in range(2):
            await life_factory.lockdown(owner, world.member, ended=True)
        await life_factory.lockdown(owner, world.member)
        with pytest.raises(IntegrityError, match=UNIQUE):
            await life_factory.lockdown(owner, world.member)
    for wrong in ({"partner_id": None}, {"account_id": world.client.account_id}):
        of_partner = update(template_lockdowns).where(template_lockdowns.c.partner_id.is_not(None)).values(wrong)
        assert "ck_template_lockdown_owner" in await _refused(database, of_partner)


async def test_an_event_of_a_source_is_recorded_once_and_a_day_has_events(
    database: Database, world: World, life_factory: LifeFactory
) -> None:
    """F52."""
    await life_factory.activity(world.client, world.member)
    twin = await _row(database, activity_events)
    assert "unique" in await _refused(database, insert(activity_events).values(twin))
    await _accepted(database, insert(activity_events).values({**twin, "event_id": "2"}))
    assert "unique" in await _refused(database, insert(activity_sources).values(await _row(database, activity_sources)))
    assert "ck_activity_day_total" in await _refused(database, update(activity_days).values(total=0))
    for table in (activity_days, last_activities):
        assert "unique" in await _refused(database, insert(table).values(await _row(database, table)))


@pytest.mark.usefixtures("life")
async def test_a_person_leaves_once_at_a_time_and_a_limit_is_a_time(database: Database) -> None:
    """P04, P14: planned anew as soon as the first plan is over."""
    twin = await _row(database, scheduled_leaves)
    assert "unique" in await _refused(database, insert(scheduled_leaves).values(twin))
    await _accepted(database, update(scheduled_leaves).values(ended_at=MOMENT))
    await _accepted(database, insert(scheduled_leaves).values(twin))
    assert "ck_expiry_rule_longest" in await _refused(database, update(expiry_rules).values(longest_days=0))


async def test_a_hand_off_is_between_two_and_is_open_until_it_is_answered(
    database: Database, world: World, factory: Factory, life_factory: LifeFactory
) -> None:
    """N02."""
    await life_factory.hand_off(world.grant, await factory.member(world.partner))
    wrong: dict[str, list[dict[str, Any]]] = {
        "answered": [{"answered_at": None}],
        "accepted": [{"accepted_id": None}],
        "colleagues": [{"asked_id": hand_offs.c.asker_id}],
        "size": [{"total": 0}, {"left_out": 1}, {"left_out": -1}],
        "state": [{"state": HandOffState.EXPIRED, "accepted_id": None}],
    }
    for name, changes in wrong.items():
        for changed in changes:
            assert f"ck_hand_off_{name}" in await _refused(database, update(hand_offs).values(changed))


async def test_a_pod_has_each_name_pair_and_cell_once_and_a_cell_that_leaves_was_given(
    database: Database, world: World, factory: Factory, life_factory: LifeFactory
) -> None:
    """P09."""
    ours = await factory.permission_set(world.partner, {"contacts.view": "ALL"})
    await life_factory.pod(world.grant, ours, await factory.member(world.partner))
    assert "name" in await _refused(database, insert(pods).values(await _row(database, pods)))
    for table in (pod_exclusions, pod_cells, pod_clients):
        said = await _refused(database, insert(table).values(await _row(database, table)))
        assert "unique" in said or "duplicate" in said, table.name
    wrong: dict[str, dict[str, Any]] = {
        "given": {"set_id": None},
        "leaving": {"leaving": True, "grant_id": None, "set_id": None},
    }
    for name, changed in wrong.items():
        assert f"ck_pod_cell_{name}" in await _refused(database, update(pod_cells).values(changed))
    await _accepted(database, update(pod_cells).values(leaving=True))
