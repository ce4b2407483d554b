"""Clients as a viewer finds them (F19 to F23, F29, T2)."""

from decimal import Decimal
from typing import Any

import pytest

from models.account import AccountType
from models.grant import AccessType, GrantStatus
from tests.api.caller import Caller, operation
from tests.factory import Factory

NAMES = """
query Names($filter: ClientFilter, $search: String, $orderBy: ClientOrder) {
  partner { clients(filter: $filter, search: $search, orderBy: $orderBy) { totalCount nodes { displayName } } }
}
"""


async def names(caller: Caller, **variables: Any) -> list[str]:
    found = (await caller.data(NAMES, **variables))["partner"]["clients"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["displayName"] for node in found["nodes"]]


async def test_a_page_of_clients_shows_access_people_and_counts(factory: Factory) -> None:
    """F19, F21, R15: all clients, one's own access type, ACTIVE people counted with the deactivated beside them."""
    partner = await factory.partner()
    viewer, colleague, dormant = [await factory.member(partner, name) for name in ("Vera", "Carl", "Dora")]
    first, second = [await factory.client(partner, name) for name in ("Alpha", "Beta")]
    await factory.partner_admin(first, viewer)
    await factory.grant(first, colleague, {"contacts.view": "ALL"})
    await factory.grant(first, dormant, status=GrantStatus.DEACTIVATED)
    caller = await Caller.signed_in(factory, viewer)
    page = (await caller.data(operation("clients")))["partner"]["clients"]
    assert page["totalCount"] == 2
    alpha, beta = page["nodes"]
    assert (alpha["displayName"], alpha["hubId"]) == ("Alpha", str(first.hub_id))
    assert (alpha["viewerAccessType"], alpha["totalEmployees"]) == ("PARTNER_ADMIN", 2)
    people = [
        (grant["member"]["user"]["name"], grant["accessType"], grant["status"], grant["permissionSet"])
        for grant in alpha["grants"]["nodes"]
    ]
    assert [person[:3] for person in people] == [
        ("Vera", "PARTNER_ADMIN", "ACTIVE"),
        ("Carl", "STANDARD", "ACTIVE"),
        ("Dora", "STANDARD", "DEACTIVATED"),
    ]
    assert people[0][3]["name"] == "Partner Admin"
    assert people[1][3] is None
    assert (beta["hubId"], beta["viewerAccessType"], beta["totalEmployees"]) == (str(second.hub_id), "NONE", 0)


async def test_access_type_is_each_viewers_own_and_only_while_active(factory: Factory) -> None:
    """T2: two people see the same clients with different access types; a deactivated grant is NONE."""
    partner = await factory.partner()
    one, other = await factory.members(partner, 2)
    client = await factory.client(partner)
    await factory.super_admin(client, one)
    grant = await factory.partner_admin(client, other)
    query = "query($hub: String!) { client(by: { hubId: $hub }) { viewerAccessType } }"
    hub = str(client.hub_id)
    first, second = await Caller.signed_in(factory, one), await Caller.signed_in(factory, other)
    assert (await first.data(query, hub=hub))["client"]["viewerAccessType"] == "SUPER_ADMIN"
    assert (await second.data(query, hub=hub))["client"]["viewerAccessType"] == "PARTNER_ADMIN"
    await factory.move(grant, GrantStatus.DEACTIVATED)
    assert (await second.data(query, hub=hub))["client"]["viewerAccessType"] == "NONE"
    assert await names(second, filter={"accessTypes": ["PARTNER_ADMIN"]}) == []
    assert await names(second, filter={"accessTypes": ["NONE"]}) == [client.name]


async def test_the_display_name_stands_beside_the_official_one(factory: Factory) -> None:
    """F20: without a company record the official name stands in."""
    partner = await factory.partner()
    viewer = await factory.member(partner)
    account = await factory.account("Beta Holding")
    await factory.client(partner, account=account, display_name="Our Alpha")
    await factory.client(partner, "Gamma")
    caller = await Caller.signed_in(factory, viewer)
    page = await caller.data("{ partner { clients { nodes { displayName officialName } } } }")
    assert page["partner"]["clients"]["nodes"] == [
        {"displayName": "Gamma", "officialName": "Gamma"},
        {"displayName": "Our Alpha", "officialName": "Beta Holding"},
    ]


async def test_filters_combine_or_within_and_between(factory: Factory) -> None:
    """F22: account types, access types with NONE, managed MRR, access problems."""
    partner = await factory.partner()
    viewer, colleague = await factory.members(partner, 2)
    admin, super_, standard, sandbox, empty = [
        await factory.client(partner, name, account_type=kind, managed_mrr=amount)
        for name, kind, amount in (
            ("admin", AccountType.STANDARD, Decimal(10)),
            ("super", AccountType.STANDARD, None),
            ("standard", AccountType.DEVELOPER_TEST, Decimal(0)),
            ("sandbox", AccountType.SANDBOX, Decimal("0.5")),
            ("empty", AccountType.STANDARD, None),
        )
    ]
    await factory.partner_admin(admin, viewer)
    await factory.super_admin(super_, viewer)
    await factory.grant(standard, viewer)
    await factory.grant(sandbox, colleague, status=GrantStatus.DEACTIVATED)
    caller = await Caller.signed_in(factory, viewer)
    by_name = {"field": "NAME"}
    for chosen, expected in (
        ({"accountTypes": ["SANDBOX", "DEVELOPER_TEST"]}, ["sandbox", "standard"]),
        ({"accessTypes": ["PARTNER_ADMIN", "SUPER_ADMIN"]}, ["admin", "super"]),
        ({"accessTypes": ["STANDARD", "NONE"]}, ["empty", "sandbox", "standard"]),
        ({"accessTypes": []}, []),
        ({"hasManagedMrr": True}, ["admin", "sandbox"]),
        ({"hasManagedMrr": False}, ["empty", "standard", "super"]),
        ({"withoutPartnerAdmin": True}, ["sandbox", "standard", "super"]),
        ({"withoutPartnerAdmin": False}, ["admin", "empty"]),
        ({"accessTypes": ["NONE"], "hasManagedMrr": True}, ["sandbox"]),
        (
            {"accountTypes": None, "accessTypes": None, "hasManagedMrr": None},
            sorted(c.name for c in (admin, super_, standard, sandbox, empty)),
        ),
    ):
        assert await names(caller, filter=chosen, orderBy=by_name) == expected, chosen
    assert await names(caller, filter={"accessTypes": ["NONE"]}, search="SAND") == ["sandbox"]
    problems = (await caller.data(operation("clients_with_access_problems")))["partner"]["clients"]
    assert [node["displayName"] for node in problems["nodes"]] == ["sandbox", "standard", "super"]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_every_order_puts_the_same_rows_the_same_way_on_both_databases(factory: Factory, direction: str) -> None:
    """F23, R7: by name without case and accents, by number, by amount with none first, by people, by moment."""
    partner = await factory.partner()
    viewer = await factory.member(partner)
    made = {}
    for name, amount, hub in (
        ("Zebra", None, 77),
        ("ábaco", Decimal(-5), 800),
        ("Ber", Decimal("99.5"), 9),
        ("aber", Decimal(100), 1000),
    ):
        made[name] = await factory.client(partner, name, managed_mrr=amount, hub_id=hub)
    await factory.grant(made["Ber"], viewer)
    caller = await Caller.signed_in(factory, viewer)
    for field, expected in (
        ("NAME", ["ábaco", "aber", "Ber", "Zebra"]),
        ("HUB_ID", ["Ber", "Zebra", "ábaco", "aber"]),
        ("MANAGED_MRR", ["Zebra", "ábaco", "Ber", "aber"]),
        ("TOTAL_EMPLOYEES", ["Zebra", "ábaco", "aber", "Ber"]),
        ("SINCE", ["Zebra", "ábaco", "Ber", "aber"]),
    ):
        wanted = expected if direction == "ASC" else expected[::-1]
        assert await names(caller, orderBy={"field": field, "direction": direction}) == wanted, field


async def test_details_of_a_client_list_its_people_with_set_and_state(factory: Factory) -> None:
    """F29, F54, F49: people, sets that can be used there, teams, lead, money."""
    partner = await factory.partner()
    viewer = await factory.member(partner, "Vera Vogel")
    client = await factory.client(
        partner, "Alpha", lead_id=viewer.id, managed_mrr=Decimal("1250.5000"), sold_mrr=Decimal(3), currency="EUR"
    )
    team, spare = [await factory.team(client, name) for name in ("North", "East")]
    own = await factory.permission_set(partner, {"contacts.view": "TEAM"}, "Ours")
    theirs = await factory.permission_set(client.account, {"contacts.view": "ALL"}, "Theirs")
    await factory.permission_set(await factory.partner(), {"contacts.view": "ALL"}, "Foreign")
    await factory.permission_set(partner, {"contacts.view": "ALL"}, "Archived", archived=True)
    await factory.grant(client, viewer, permission_set=own, teams=[team, spare], granted_by_id=viewer.user_id)
    gone = await factory.grant(client, await factory.member(partner), permission_set=theirs)
    await factory.move(gone, GrantStatus.REMOVED)
    caller = await Caller.signed_in(factory, viewer)
    found = (await caller.data(operation("client"), hubId=str(client.hub_id)))["client"]
    assert found["managedMrr"] == {"amount": "1250.5", "currency": "EUR"}
    assert found["soldMrr"] == {"amount": "3", "currency": "EUR"}
    assert found["lead"]["user"]["name"] == "Vera Vogel"
    assert found["since"] == "2026-11-01T09:00:00Z"
    assert [team["name"] for team in found["teams"]] == ["East", "North"]
    assert [item["name"] for item in found["permissionSets"] if item["origin"] != "BUILT_IN"] == ["Ours", "Theirs"]
    assert found["partnerAdmins"] == []
    [grant] = found["grants"]["nodes"]
    assert found["grants"]["totalCount"] == 1
    assert grant["permissionSet"]["name"] == "Ours"
    assert [(place["primary"], place["team"]["name"]) for place in grant["teams"]] == [(True, "North"), (False, "East")]
    assert grant["grantedBy"]["name"] == "Vera Vogel"


async def test_grants_can_be_filtered_by_status_and_access_type(factory: Factory) -> None:
    partner = await factory.partner()
    people = await factory.members(partner, 4)
    client = await factory.client(partner)
    await factory.partner_admin(client, people[0])
    await factory.grant(client, people[1], status=GrantStatus.DEACTIVATED)
    await factory.grant(client, people[2], status=GrantStatus.REMOVED)
    await factory.grant(client, people[3])
    caller = await Caller.signed_in(factory, people[0])
    query = """query($hub: String!, $filter: GrantFilter) {
      client(by: { hubId: $hub }) { grants(filter: $filter) { totalCount nodes { member { user { email } } } } partnerAdmins { accessType } }
    }"""
    for chosen, expected in (
        (None, [0, 1, 3]),
        ({"statuses": ["REMOVED"]}, [2]),
        ({"statuses": ["ACTIVE", "REMOVED"]}, [0, 2, 3]),
        ({"accessTypes": ["PARTNER_ADMIN"]}, [0]),
        ({"accessTypes": ["STANDARD"], "statuses": ["DEACTIVATED"]}, [1]),
    ):
        found = (await caller.data(query, hub=str(client.hub_id), filter=chosen))["client"]
        emails = [node["member"]["user"]["email"] for node in found["grants"]["nodes"]]
        assert emails == [people[index].email for index in expected]
        assert found["grants"]["totalCount"] == len(expected)
        assert found["partnerAdmins"] == [{"accessType": AccessType.PARTNER_ADMIN}]
