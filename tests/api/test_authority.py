"""Ways around the bounded rule that are none: by the client's side, by an approval, by a team, and by waiting."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models.client import clients
from models.database import Database
from models.dialect import lock_rows
from models.grant import AccessType, GrantStatus, grants
from models.operation import OperationKind
from models.permission.built_in import FINANCIAL_STATE, PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from models.permission.level import PermissionLevel
from models.permission.state import State
from models.table import now
from models.timeline_entry import timeline_entries
from resolvers.interning import state_contents
from resolvers.operation.execute import execute, run
from resolvers.operation.request import FromPermissions, OperationRequest, Product
from resolvers.viewer import Viewer
from tests.api.caller import Caller
from tests.api.client_story import REVOKE, ClientStory, person_id
from tests.api.ending_story import REACTIVATE, one
from tests.api.link_story import APPROVE, Links, account_id, ceiling, get_link, refused, token_of
from tests.api.write_story import APPLIED, Story, levels_of, permissions
from tests.factory import Factory

TEAM_NOT_HELD = ("REJECTED", "TEAM_NOT_HELD")
WITHOUT_TEAMS = {
    key: level
    for key, level in levels_of(PARTNER_ADMIN_SET.state).items()
    if not key.startswith(("deals.", "teams")) and key != "deals"
}


async def _held(database: Database, grant_id: int) -> tuple[str, str, State]:
    async with database.read() as connection:
        row = (await connection.execute(select(grants).where(grants.c.id == grant_id))).one()
        return row.status, row.access_type, (await state_contents(connection, [row.state_id]))[row.state_id]


async def test_f05_only_a_super_admin_of_the_account_ends_a_super_admin(factory: Factory) -> None:
    story = await ClientStory.begin(factory)
    grant = await factory.super_admin(story.client, await story.someone(name="Sam Super"))
    clerk = await factory.user("Clara Clerk")
    await factory.own_person(story.account, clerk, {"users.add": "ALL", "users.edit": "ALL"})
    caller = await Caller.signed_in(factory, clerk)
    answer = await story.answer(REVOKE, caller=caller, person=person_id(grant))
    assert (answer["revoked"], [kept["code"] for kept in answer["notRevoked"]]) == (0, ["TARGET_IS_SUPER_ADMIN"])
    assert (await story.decide(REVOKE, person=person_id(grant)))["revoked"] == 1


async def test_p08_an_approval_brings_back_no_more_than_its_ceiling(factory: Factory) -> None:
    """L4: what had been deactivated held billing, which the client now leaves out."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    billing = catalogue.closure(FINANCIAL_STATE & catalogue.delegable)
    grant = await factory.grant(client, links.owner, billing, status=GrantStatus.DEACTIVATED)
    limit = levels_of(PARTNER_ADMIN_SET.state)
    await links.approve(token_of(await get_link(links.agency)), ceiling=ceiling(limit))
    assert await _held(factory.database, grant.id) == ("ACTIVE", "PARTNER_ADMIN", PARTNER_ADMIN_SET.state)


async def test_l4_without_a_ceiling_an_approval_brings_everything_back(factory: Factory) -> None:
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    billing = catalogue.closure(FINANCIAL_STATE & catalogue.delegable)
    grant = await factory.grant(client, links.owner, billing, status=GrantStatus.DEACTIVATED)
    await links.approve(token_of(await get_link(links.agency)))
    _, _, held = await _held(factory.database, grant.id)
    assert held == catalogue.closure(PARTNER_ADMIN_SET.state | billing)


async def test_p08_nobody_becomes_partner_admin_again_under_a_ceiling_without_it(factory: Factory) -> None:
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account, ceiling={"contacts.view": "ALL"})
    grant = await factory.partner_admin(client, links.owner, status=GrantStatus.DEACTIVATED)
    token = token_of(await get_link(links.agency))
    assert (await refused(links.client, APPROVE, token=token, account=account_id(links.account)))[0] == "INVALID_INPUT"
    assert (await _held(factory.database, grant.id))[:2] == ("DEACTIVATED", "PARTNER_ADMIN")


async def test_e6_nobody_is_brought_back_into_a_team_that_the_actor_is_not_in(factory: Factory) -> None:
    """At TEAM level another team means other records; whoever may edit teams, or is in it, brings them back."""
    story = await Story.begin(factory, {**WITHOUT_TEAMS, "deals.view": "TEAM"})
    foreign, person = await factory.team(story.client), await factory.member(story.partner)
    off = GrantStatus.DEACTIVATED
    await factory.grant(story.client, person, {"deals.view": "TEAM"}, status=off, teams=[foreign])
    assert (await one(story, REACTIVATE, person)).verdict == TEAM_NOT_HELD
    colleague = await factory.member(story.partner)
    await factory.partner_admin(story.client, colleague)
    assert (await one(await story.as_member(colleague), REACTIVATE, person)).verdict == APPLIED


async def test_e6_a_team_is_no_matter_where_nothing_reaches_to_it(factory: Factory) -> None:
    story = await Story.begin(factory, {**WITHOUT_TEAMS, "deals.view": "ALL"})
    foreign, person = await factory.team(story.client), await factory.member(story.partner)
    off = GrantStatus.DEACTIVATED
    await factory.grant(story.client, person, {"deals.view": "ALL"}, status=off, teams=[foreign])
    assert (await one(story, REACTIVATE, person)).verdict == APPLIED


async def test_e6_nobody_in_such_a_team_is_raised_to_it(factory: Factory) -> None:
    mine = {**WITHOUT_TEAMS, "deals.view": "TEAM", "deals.edit": "TEAM"}
    story = await Story.begin(factory, mine)
    foreign, person = await factory.team(story.client), await factory.member(story.partner)
    await factory.grant(story.client, person, {"deals.view": "OWNED"}, teams=[foreign])
    raised = await story.change(person, permissions({"deals.view": "TEAM"}))
    assert raised.verdict == TEAM_NOT_HELD
    assert (await story.change(person, permissions({"deals.view": "OWNED", "contacts.view": "ALL"}))).verdict == APPLIED
    own = await factory.team(story.client)
    actor = await factory.member(story.partner)
    await factory.grant(story.client, actor, mine, access_type=AccessType.PARTNER_ADMIN, teams=[foreign, own])
    inside = await story.as_member(actor)
    assert (await inside.change(person, permissions({"deals.view": "TEAM"}))).verdict == APPLIED


@pytest.mark.parametrize("access", [None, permissions({"deals.view": "TEAM"})])
async def test_e6_expired_access_in_such_a_team_is_not_brought_back(factory: Factory, access: Any) -> None:
    """Extending gives all of it again, as reactivating does."""
    story = await Story.begin(factory, {**WITHOUT_TEAMS, "deals.view": "TEAM"})
    foreign, person = await factory.team(story.client), await factory.member(story.partner)
    yesterday, later = now() - timedelta(days=1), (now() + timedelta(days=9)).isoformat()
    await factory.grant(story.client, person, {"deals.view": "TEAM"}, teams=[foreign], expires_at=yesterday)
    assert (await story.change(person, access, expiresAt=later)).verdict == TEAM_NOT_HELD


def _viewer(story: Story) -> Viewer:
    assert story.viewer is not None
    return story.viewer


async def _waiting(story: Story, request: OperationRequest, *, seconds: float, meanwhile: Any = None) -> None:
    """Carries a request out that has to wait for the client's row, while another transaction does something."""
    async with story.database.write() as session:
        connection = await session.connection()
        await lock_rows(connection, select(clients.c.id).where(clients.c.id == story.client.id))
        task = asyncio.create_task(execute(story.database, _viewer(story), request))
        await asyncio.sleep(seconds)
        if meanwhile is not None:
            await run(session, _viewer(story), meanwhile)
    await task


async def test_authority_is_taken_when_the_change_executes_and_not_when_it_was_asked_for(factory: Factory) -> None:
    """Spec 2.2: the actor's own access ends while the request waits for another one."""
    story = await Story.begin(factory, held={"expires_at": now() + timedelta(seconds=0.6)})
    fresh = await factory.member(story.partner)
    view = FromPermissions((("contacts.view", PermissionLevel.ALL),))
    give = OperationRequest(OperationKind.GRANT, Product((fresh.id,), (story.client.id,)), access=view)
    await _waiting(story, give, seconds=1.0)
    async with factory.database.read() as connection:
        assert (await connection.execute(select(grants.c.id).where(grants.c.member_id == fresh.id))).all() == []


async def test_f55_the_moments_of_the_timeline_follow_the_order_of_the_changes(
    factory: Factory, database: Database
) -> None:
    story = await Story.begin(factory)
    person = await factory.member(story.partner)
    await factory.grant(story.client, person, {"contacts.view": "ALL"})
    cell = Product((person.id,), (story.client.id,))
    off, on = (OperationRequest(kind, cell) for kind in (OperationKind.DEACTIVATE, OperationKind.REACTIVATE))
    await _waiting(story, on, seconds=0.5, meanwhile=off)
    async with database.read() as connection:
        entries = select(timeline_entries.c.at, timeline_entries.c.after_status)
        rows = (
            await connection.execute(
                entries.where(timeline_entries.c.member_id == person.id).order_by(timeline_entries.c.id)
            )
        ).all()
    assert [row.after_status for row in rows] == ["ACTIVE", "DEACTIVATED", "ACTIVE"]
    assert [row.at for row in rows] == sorted(row.at for row in rows)
