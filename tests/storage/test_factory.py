"""The builders that other tests stand on."""

from sqlalchemy import func, select

from models.access_link import access_links, link_approvals
from models.asset import AssetKind, asset_holdings, asset_transfers, assets
from models.client import clients
from models.database import Database
from models.grant import GrantStatus, grants
from models.member import members
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.timeline_entry import timeline_entries
from resolvers.api_token import token_hash
from resolvers.sign_in import sign_in
from tests.factory import Factory
from tests.life_factory import LifeFactory
from tests.statement_recorder import StatementRecorder


async def test_builders_keep_counters_and_record_what_happened(factory: Factory, recorder: StatementRecorder) -> None:
    partner = await factory.partner()
    client = await factory.client(partner, "Zoë & Söhne", ceiling={"contacts.view": "ALL"})
    admin, colleague, left = await factory.members(partner, 3)
    team = await factory.team(client)
    await factory.super_admin(client, admin, teams=[team])
    dormant = await factory.grant(client, colleague, {"contacts.view": "OWNED"}, status=GrantStatus.DEACTIVATED)
    await factory.grant(client, left, status=GrantStatus.REMOVED)
    await factory.own_person(client, await factory.user("Ana Own"))
    async with factory.database.read() as connection:
        with recorder:
            counted = (await connection.execute(select(clients))).one()
            person = (await connection.execute(select(members).where(members.c.id == admin.id))).one()
            entries = (await connection.execute(select(func.count()).select_from(timeline_entries))).scalar_one()
            kept = (await connection.execute(select(grants).where(grants.c.id == dormant.id))).one()
    assert (counted.active_people, counted.deactivated_people, counted.active_partner_admins) == (1, 1, 0)
    assert (person.active_clients, entries, kept.version, recorder.count) == (1, 6, 2, 4)


async def test_each_test_finds_only_the_built_in_sets(database: Database, factory: Factory) -> None:
    assert (await factory.partner()).id == 1
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(members))).scalar_one() == 0


async def test_a_token_signs_its_user_in(factory: Factory) -> None:
    member = await factory.member(await factory.partner())
    viewer = await sign_in(factory.database, await factory.api_token(member, "read"))
    assert (viewer.user_id, viewer.scopes) == (member.user_id, frozenset({"read"}))


async def test_a_partner_admin_may_lack_something_and_a_set_gets_versions(factory: Factory) -> None:
    """The example of F32: an admin without Reports has nothing that requires Reports either."""
    partner = await factory.partner()
    admin, colleague = await factory.members(partner, 2)
    client, other = await factory.clients(partner, 2, currency="USD")
    whole = await factory.partner_admin(client, admin)
    lacking = await factory.partner_admin(client, colleague, without=["reports.view"])
    assert not any(key.startswith("reports.") for key in catalogue.levels(lacking.state))
    assert whole.state == (await factory.built_in_set()).state
    assert catalogue.level(whole.state, "reports.view") is PermissionLevel.ALL
    assert catalogue.is_valid(lacking.state)
    first = await factory.permission_set(partner, {"contacts.view": "ALL"})
    second = await factory.new_version(first, {"contacts.view": "TEAM"})
    assert (second.id, second.version) == (first.id, 2)
    assert (await factory.grant(other, admin, permission_set=second)).set_version_id == second.version_id


async def test_links_know_their_tokens_and_holdings_count_the_assets(
    factory: Factory, life_factory: LifeFactory, database: Database
) -> None:
    partner = await factory.partner()
    client, member = await factory.client(partner), await factory.member(partner)
    grant = await factory.grant(client, member)
    link = await life_factory.access_link(member)
    await life_factory.link_approval(link, client, await factory.user(), grant=grant)
    await life_factory.link_approval(link, await factory.account(), await factory.user())
    await life_factory.assets(client, member, AssetKind.DEAL, 3)
    last = (await life_factory.assets(client, member, AssetKind.DEAL, 2))[-1]
    await life_factory.assets(client, member, AssetKind.TASK)
    await life_factory.asset_transfer(grant, AssetKind.DEAL, total=5)
    async with database.read() as connection:
        assert await connection.scalar(select(access_links.c.token_hash)) == token_hash(link.token)
        approved = list(await connection.execute(select(link_approvals.c.client_id).order_by(link_approvals.c.id)))
        held = asset_holdings.c
        holdings = list(await connection.execute(select(held.kind, held.total, held.version).order_by(held.kind)))
        name = await connection.scalar(select(assets.c.name).where(assets.c.id == last.id))
        operation = await connection.scalar(select(timeline_entries.c.operation_id).order_by(timeline_entries.c.id))
        transferred = await connection.scalar(select(asset_transfers.c.operation_id))
    assert approved == [(client.id,), (None,)]
    assert holdings == [("DEAL", 5, 2), ("TASK", 1, 1)]
    assert (name, transferred) == (last.name, operation)
