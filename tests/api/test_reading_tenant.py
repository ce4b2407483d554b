"""Who may look at what: sign-in, scopes, programs, rights, and the isolation of partners (F01, F02, T1)."""

from typing import Any

import pytest

from models.database import Database
from models.grant import GrantStatus
from models.member import ManagerRights
from models.partner import PartnerProgram
from schema.node import encode
from tests.api.caller import QUERIES, Caller, operation
from tests.factory import Factory
from tests.life_factory import LifeFactory

NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }"
ROOTS = (
    "{ viewer { scopes } }",
    '{ node(id: "x") { id } }',
    '{ nodes(ids: ["x"]) { id } }',
    "{ partners { id } }",
    "{ partner { id } }",
    '{ client(by: { hubId: "1" }) { id } }',
    '{ member(by: { email: "a@b.example" }) { id } }',
)


@pytest.mark.parametrize("query", ROOTS)
async def test_without_a_token_nothing_but_the_catalogue_answers(
    database: Database, factory: Factory, query: str
) -> None:
    nobody = Caller(database, None)
    assert await nobody.code(query) == "UNAUTHENTICATED"
    scopeless = await Caller.signed_in(factory, await factory.member(await factory.partner()), "")
    assert await scopeless.code(query) == "FORBIDDEN"


async def test_the_catalogue_answers_everybody(database: Database) -> None:
    """F03, F14."""
    assert (await Caller(database, None).data(operation("permission_catalog")))["permissionCatalog"]["areas"]


@pytest.mark.parametrize("field", ["clients", "members", "employees", "contractors", "permissionSets"])
async def test_the_manager_is_open_by_program_and_right(factory: Factory, field: str) -> None:
    """F01 NOT_A_PARTNER, F02 FORBIDDEN; a super admin of the partner needs no right; the partner itself is shown."""
    query = f"{{ partner {{ name viewerRights {field} {{ totalCount }} }} }}"
    outside = await factory.partner(program=PartnerProgram.NONE)
    caller = await Caller.signed_in(factory, await factory.member(outside))
    assert await caller.code(query) == "NOT_A_PARTNER"
    assert (await caller.data("{ partner { viewerRights } }"))["partner"] == {"viewerRights": "NONE"}
    partner = await factory.partner()
    for rights, super_admin, expected in (
        (ManagerRights.NONE, False, "FORBIDDEN"),
        (ManagerRights.VIEW, False, None),
        (ManagerRights.NONE, True, None),
    ):
        person = await factory.member(partner, manager_rights=rights, super_admin=super_admin)
        caller = await Caller.signed_in(factory, person)
        data, codes = await caller.run(query)
        assert codes == ([expected] if expected else [])
        assert expected or data["partner"]["viewerRights"] == ("EDIT" if super_admin else "VIEW")


async def test_someone_without_rights_finds_only_themselves(factory: Factory) -> None:
    """F02: neither lists nor ids lead anywhere but to one's own place."""
    partner = await factory.partner()
    person = await factory.member(partner, manager_rights=ManagerRights.NONE)
    colleague, client = await factory.member(partner), await factory.client(partner)
    grant = await factory.grant(client, person)
    caller = await Caller.signed_in(factory, person)
    ids = [("Member", person.id), ("User", person.user_id), ("Partner", partner.id), ("Member", colleague.id)]
    ids += [("User", colleague.user_id), ("Client", client.id), ("Grant", grant.id)]
    found = (await caller.data(NODES, ids=[encode(*key) for key in ids]))["nodes"]
    assert [item and item["__typename"] for item in found] == ["Member", "User", "Partner", None, None, None, None]
    own = "query($id: ID!) { member(by: { id: $id }) { grants { totalCount } } }"
    assert await caller.code(own, id=encode("Member", person.id)) == "FORBIDDEN"


async def test_another_partners_rows_look_like_rows_that_do_not_exist(
    factory: Factory, life_factory: LifeFactory
) -> None:
    """T1: by id, by Hub ID, by e-mail and through a shared account; garbage ids are null as well (R2)."""
    partner, other = await factory.partner(), await factory.partner()
    viewer, foreign = await factory.member(partner), await factory.member(other)
    account = await factory.account("Shared")
    mine, theirs = await factory.client(partner, account=account), await factory.client(other, account=account)
    alone = await factory.client(other, "Theirs alone")
    hidden = {
        "Partner": other.id,
        "Client": theirs.id,
        "Member": foreign.id,
        "User": foreign.user_id,
        "Grant": (await factory.grant(theirs, foreign)).id,
        "PermissionSet": (await factory.permission_set(other, {"contacts.view": "ALL"})).id,
        "Team": (await factory.team(alone)).id,
        "TemplateLockdown": await life_factory.lockdown(other, foreign),
    }
    caller = await Caller.signed_in(factory, viewer)
    garbage = [
        "",
        "!",
        "Client:1",
        "Q2xpZW50OjE=",
        encode("Client", 0),
        encode("Client", "01"),
        encode("Client", 2**63),
    ]
    garbage += [encode("Nothing", 1), encode("Permission", "contacts.view"), "é" * 300, encode("Client", 999)]
    ids = [encode(*item) for item in hidden.items()] + garbage
    assert (await caller.data(NODES, ids=ids))["nodes"] == [None] * len(ids)
    for query, variables in (
        ("query($v: ID!) { found: partner(id: $v) { id } }", encode("Partner", other.id)),
        ("query($v: ID!) { found: client(by: { id: $v }) { id } }", encode("Client", theirs.id)),
        ("query($v: ID!) { found: client(by: { id: $v }) { id } }", encode("Member", viewer.id)),
        ("query($v: String!) { found: client(by: { hubId: $v }) { id } }", str(alone.hub_id)),
        ("query($v: String!) { found: client(by: { hubId: $v }) { id } }", "9" * 40),
        ("query($v: String!) { found: client(by: { hubId: $v }) { id } }", "²"),
        ("query($v: ID!) { found: member(by: { id: $v }) { id } }", encode("Member", foreign.id)),
        ("query($v: EmailAddress!) { found: member(by: { email: $v }) { id } }", foreign.email),
    ):
        assert await caller.data(query, v=variables) == {"found": None}, query
    shared = (await caller.data(operation("client"), hubId=str(account.hub_id)))["client"]
    assert (shared["id"], shared["totalEmployees"], shared["grants"]["nodes"]) == (encode("Client", mine.id), 0, [])


async def test_every_readable_entity_is_found_by_its_id_with_one_statement_a_type(
    factory: Factory, recorder: Any
) -> None:
    """R1: node and nodes; the order is that of the ids, and an id asked for twice is there twice."""
    partner = await factory.partner()
    viewer, client = await factory.member(partner), await factory.client(partner)
    second = await factory.client(partner)
    await factory.grant(client, await factory.member(partner))
    grant = await factory.grant(client, viewer, status=GrantStatus.REMOVED)
    keys = [("Client", second.id), ("Partner", partner.id), ("Client", client.id), ("Member", viewer.id)]
    keys += [("User", viewer.user_id), ("Grant", grant.id), ("Team", (await factory.team(client)).id)]
    keys += [("PermissionSet", (await factory.built_in_set()).id), ("Client", second.id)]
    caller = await Caller.signed_in(factory, viewer)
    ids = [encode(*key) for key in keys]
    with recorder:
        found = (await caller.data(NODES, ids=ids))["nodes"]
    assert [(item["id"], item["__typename"]) for item in found] == [(encode(*key), key[0]) for key in keys]
    assert recorder.count == len({name for name, _ in keys})
    single = await caller.data(operation("node"), id=ids[0])
    assert single["node"]["hubId"] == str(second.hub_id)
    assert await caller.code(NODES, ids=ids * 20) == "BAD_INPUT"


async def test_who_belongs_to_several_partners_says_which(factory: Factory) -> None:
    one, other = await factory.partner(), await factory.partner()
    person = await factory.member(one)
    await factory.member(other, user=person)
    account = await factory.account()
    clients = [await factory.client(partner, account=account) for partner in (one, other)]
    caller = await Caller.signed_in(factory, person)
    by_hub = "query($hub: String!, $partner: ID) { client(by: { hubId: $hub }, partner: $partner) { id } }"
    by_email = "query($email: EmailAddress!, $partner: ID) { member(by: { email: $email }, partner: $partner) { id } }"
    hub = str(account.hub_id)
    assert await caller.code("{ partner { id } }") == "BAD_INPUT"
    assert await caller.code(by_hub, hub=hub) == "BAD_INPUT"
    assert await caller.code(by_email, email=person.email) == "BAD_INPUT"
    for partner, client in zip((one, other), clients, strict=True):
        key = encode("Partner", partner.id)
        assert (await caller.data(by_hub, hub=hub, partner=key))["client"]["id"] == encode("Client", client.id)
        assert (await caller.data(by_email, email=person.email, partner=key))["member"] is not None
    assert (await caller.data(by_hub, hub=hub, partner="garbage"))["client"] is None


def test_the_tenant_filter_stands_in_one_place_only() -> None:
    """T1: whoever needs it starts from readable_<noun>(viewer)."""
    files = [
        file for room in ("models", "resolvers", "schema", "server") for file in (QUERIES.parent / room).rglob("*.py")
    ]
    assert len(files) > 50
    users = {file.name for file in files if "open_partner_ids" in file.read_text()}
    assert users == {"viewer.py", "readable.py"}
