"""The second wall (T1): with the tenant filter of the resolvers out of action, PostgreSQL still shows nobody a foreign row.

The same tests on SQLite, which has no second wall, show that the filter was out of action indeed: there the rows are found.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import ColumnElement, FromClause, Select, Table, func, select, true

from models.access_link import access_links, link_approvals
from models.account import accounts
from models.activity import activity_days, activity_events, last_activities
from models.client import clients
from models.confirmation_link import confirmation_links
from models.database import Database
from models.feedback import permission_issues
from models.grant import AccessType, grants
from models.hand_off import hand_offs
from models.member import members
from models.operation import CELLS, operations
from models.partner import partners
from models.permission_set import permission_sets
from models.pod import pods
from models.schedule import scheduled_leaves
from models.team import teams
from models.template_lockdown import template_lockdowns
from models.timeline_entry import timeline_entries
from models.user import users
from resolvers import readable
from resolvers.reader import Reader
from schema.node import encode
from tests.api.caller import Caller, operation
from tests.factory import ClientRow, Factory, MemberRow, PartnerRow
from tests.life_factory import LifeFactory

NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }"
ALL_ROWS = {
    "readable_partners": partners,
    "readable_clients": clients,
    "readable_members": members,
    "readable_users": users,
    "readable_grants": grants,
    "readable_teams": teams,
    "readable_permission_sets": permission_sets,
    "readable_account_sets": permission_sets,
    "readable_lockdowns": template_lockdowns,
    "readable_account_lockdowns": template_lockdowns,
    "readable_timeline": timeline_entries,
    "readable_account_timeline": timeline_entries,
    "readable_activity": activity_events,
    "readable_account_activity": activity_events,
    "readable_activity_days": activity_days,
    "readable_account_activity_days": activity_days,
    "readable_last_activity": last_activities,
    "readable_account_last_activity": last_activities,
    "readable_access_links": access_links,
    "readable_link_approvals": link_approvals,
    "readable_confirmation_links": confirmation_links,
    "readable_answered_links": confirmation_links,
    "readable_operations": operations,
    "readable_hand_offs": hand_offs,
    "readable_pods": pods,
    "readable_scheduled_leaves": scheduled_leaves,
    "readable_account_partners": clients,
    "readable_accounts": accounts,
}


HIDDEN = ("AccountPartner", "AccountPerson")
"""What a second question keeps from the viewer, whether they decide for the account."""


@pytest.fixture
def no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every function of the filter select all rows, wherever it was imported to."""

    def everything(table: Table) -> Callable[..., Select[Any]]:
        return lambda _viewer: select(table.c.id if "id" in table.c else table)

    def known(_viewer: Any, _rows: FromClause) -> ColumnElement[bool]:
        return true()

    stand_ins: dict[str, Any] = {name: everything(table) for name, table in ALL_ROWS.items()} | {
        "is_known_place": known
    }
    assert stand_ins.keys() == {name for name in vars(readable) if name.startswith(("readable_", "is_known"))}
    for module in [module for name, module in sys.modules.items() if name.startswith("resolvers.")]:
        for name in stand_ins.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, stand_ins[name])


@dataclass(frozen=True, slots=True)
class Foreign:
    """An agency with an entity of every kind that is found by its id."""

    partner: PartnerRow
    person: MemberRow
    client: ClientRow
    keys: dict[str, int]

    def id(self, name: str) -> str:
        """The id of one of them."""
        return str(encode(name, self.keys[name]))


@pytest.fixture
async def foreign(factory: Factory, life_factory: LifeFactory) -> Foreign:
    """What the viewer has nothing to do with."""
    partner = await factory.partner()
    person = await factory.member(partner)
    client = await factory.client(partner)
    await life_factory.assets(client, person)
    await life_factory.activity(client, person)
    team = await factory.team(client)
    grant = await factory.partner_admin(client, person, teams=[team])
    ours = await factory.permission_set(partner, {"contacts.view": "ALL"})
    keys = {
        "Partner": partner.id,
        "Client": client.id,
        "Member": person.id,
        "Grant": grant.id,
        "PermissionSet": ours.id,
        "Pod": await life_factory.pod(grant, ours, await factory.member(partner)),
        "Team": team.id,
        "TemplateLockdown": await life_factory.lockdown(partner, person),
        "Operation": grant.id // CELLS,
        "AccessLink": (await life_factory.access_link(person)).id,
        "ConfirmationLink": (await life_factory.confirmation_link(client, person, [person])).id,
        "AccountPartner": client.id,
        "AccountPerson": grant.id,
    }
    return Foreign(partner, person, client, keys)


@pytest.fixture
async def caller(factory: Factory) -> Caller:
    """Somebody with EDIT in an agency of their own."""
    return await Caller.signed_in(factory, await factory.member(await factory.partner()))


@pytest.mark.usefixtures("no_filter")
async def test_no_id_leads_past_the_wall(database: Database, foreign: Foreign, caller: Caller) -> None:
    ids = [foreign.id(name) for name in foreign.keys]
    found = {node["__typename"] for node in (await caller.data(NODES, ids=ids))["nodes"] if node}
    assert found == (set(foreign.keys) - set(HIDDEN) if database.is_sqlite else set())


@pytest.mark.usefixtures("no_filter")
async def test_no_name_leads_past_the_wall(database: Database, foreign: Foreign, caller: Caller) -> None:
    names = {partner["name"] for partner in (await caller.data("{ partners { name } }"))["partners"]}
    assert len(names) == (2 if database.is_sqlite else 1)
    assert (foreign.partner.name in names) is database.is_sqlite
    by_hub_id = "query($hub: String!) { client(by: { hubId: $hub }) { displayName } }"
    found = await caller.data(by_hub_id, hub=str(foreign.client.hub_id))
    assert (found["client"] is not None) is database.is_sqlite
    by_email = "query($email: EmailAddress!) { member(by: { email: $email }) { status } }"
    found = await caller.data(by_email, email=foreign.person.email)
    assert (found["member"] is not None) is database.is_sqlite


@pytest.mark.usefixtures("no_filter")
async def test_no_write_goes_past_the_wall(database: Database, foreign: Foreign, caller: Caller) -> None:
    """A report needs no more than that its client and member are known, which the filter would have said."""
    report = {
        "client": foreign.id("Client"),
        "member": foreign.id("Member"),
        "permission": "contacts.view",
        "details": "It does not work.",
    }
    written = await caller.data(operation("report_permission_issue"), input=report)
    codes = [error["code"] for error in written["reportPermissionIssue"]["userErrors"]]
    assert codes == ([] if database.is_sqlite else ["NOT_FOUND"])
    async with database.read() as connection:
        count = await connection.scalar(select(func.count()).select_from(permission_issues))
    assert count == (1 if database.is_sqlite else 0)


@pytest.mark.usefixtures("no_filter")
async def test_what_others_have_in_an_account_stays_theirs(
    database: Database, factory: Factory, foreign: Foreign
) -> None:
    """F20, F42: two agencies in one account count each other's super admins, and see nothing of them."""
    partner = await factory.partner()
    person = await factory.member(partner)
    client = await factory.client(partner, account=foreign.client.account)
    await factory.super_admin(client, person)
    caller = await Caller.signed_in(factory, person)
    query = """query($id: ID!) { member(by: { id: $id }) {
        removalReview { entries { nodes { lastSuperAdmin client { id } } } }
        leaverReport { clients { nodes { consequence client { id } } } } } }"""
    alone = (await caller.data(query, id=encode("Member", person.id)))["member"]
    (entry,) = [
        row for row in alone["removalReview"]["entries"]["nodes"] if row["client"]["id"] == encode("Client", client.id)
    ]
    assert entry["lastSuperAdmin"] is True
    await factory.super_admin(foreign.client, await factory.member(foreign.partner))
    beside = (await caller.data(query, id=encode("Member", person.id)))["member"]
    for rows in (beside["removalReview"]["entries"]["nodes"], beside["leaverReport"]["clients"]["nodes"]):
        (row,) = rows
        assert row["client"]["id"] == encode("Client", client.id)
        assert row.get("lastSuperAdmin", False) is False
        assert row.get("consequence", "NONE") == "NONE"


@pytest.mark.usefixtures("no_filter")
async def test_an_accounts_person_sees_only_the_agencies_of_the_account(
    database: Database, factory: Factory, life_factory: LifeFactory, foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N08, P07: even if also the question who decides is out of action."""

    async def all_decide(_reader: Reader, keys: Sequence[int]) -> list[bool]:
        return [True for _ in keys]

    for module in [module for name, module in sys.modules.items() if name.startswith(("resolvers.", "schema."))]:
        if "decides_by_account" in vars(module):
            monkeypatch.setattr(module, "decides_by_account", all_decide)
    person = await factory.user()
    account = await factory.account()
    await factory.own_person(account, person, access_type=AccessType.SUPER_ADMIN)
    caller = await Caller.signed_in(factory, person)
    query = """query($hub: String!) { account(by: { hubId: $hub }) {
        partners { name people { totalCount } } pendingInvitations { partnerName } timeline { totalCount nodes { id } }
        activity { totalCount nodes { id } } } }"""
    found = (await caller.data(query, hub=str(foreign.client.hub_id)))["account"]
    listed = [len(found["partners"]), len(found["pendingInvitations"]), found["timeline"]["totalCount"]]
    # The account itself is no tenant's. What it is asked is read past the wall, so that is narrowed on both.
    assert listed == ([1, 0, listed[2] or 1] if database.is_sqlite else [0, 0, 0])
    told = [found["activity"]["totalCount"], len(found["activity"]["nodes"])]
    assert told == ([1, 1] if database.is_sqlite else [0, 0])
    ids = [foreign.id(name) for name in foreign.keys]
    found_nodes = [node["__typename"] for node in (await caller.data(NODES, ids=ids))["nodes"] if node]
    assert found_nodes == (list(foreign.keys) if database.is_sqlite else [])
