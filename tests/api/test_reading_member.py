"""People as a viewer finds them (F21, F24, F25, F30)."""

from typing import Any

import pytest

from models.grant import GrantStatus
from models.member import ManagerRights, MemberKind, MemberStatus
from tests.api.caller import Caller, operation
from tests.factory import Factory

EMAILS = """
query Emails($filter: MemberFilter, $search: String, $orderBy: MemberOrder) {
  partner { members(filter: $filter, search: $search, orderBy: $orderBy) { totalCount nodes { user { email } } } }
}
"""


async def emails(caller: Caller, **variables: Any) -> list[str]:
    found = (await caller.data(EMAILS, **variables))["partner"]["members"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["user"]["email"] for node in found["nodes"]]


async def agency(factory: Factory) -> Caller:
    """Four people, of whom one left, each with another kind, status, verification and rights."""
    partner = await factory.partner()
    viewer = await factory.member(partner, "Vera Vogel", email="vera@x.example")
    await factory.member(
        partner,
        "Ärne Carl",
        email="B@x.example",
        kind=MemberKind.CONTRACTOR,
        verified=False,
        manager_rights=ManagerRights.VIEW,
    )
    await factory.member(
        partner, "zoe", email="a@x.example", status=MemberStatus.DEACTIVATED, manager_rights=ManagerRights.NONE
    )
    await factory.member(partner, "Left Long", email="left@x.example", status=MemberStatus.LEFT)
    await factory.grant(await factory.client(partner), viewer)
    return await Caller.signed_in(factory, viewer)


async def test_employees_and_contractors_are_separate_lists_and_one_unified(factory: Factory) -> None:
    """F24, F25: kind and status are shown; F21: people without any client are listed."""
    caller = await agency(factory)
    lists = {
        name: (await caller.data(operation(name)))["partner"][name] for name in ("members", "employees", "contractors")
    }
    shown = {
        name: [(node["user"]["name"], node["kind"], node["status"], node["totalClients"]) for node in found["nodes"]]
        for name, found in lists.items()
    }
    contractor, employee = ("Ärne Carl", "CONTRACTOR", "ACTIVE", 0), ("Vera Vogel", "EMPLOYEE", "ACTIVE", 1)
    dormant = ("zoe", "EMPLOYEE", "DEACTIVATED", 0)
    assert shown == {
        "members": [contractor, employee, dormant],
        "employees": [employee, dormant],
        "contractors": [contractor],
    }
    assert {name: found["totalCount"] for name, found in lists.items()} == {
        "members": 3,
        "employees": 2,
        "contractors": 1,
    }


async def test_filters_of_people_combine(factory: Factory) -> None:
    """F22, F24: OR within a filter, AND between; people who LEFT only when asked for."""
    caller = await agency(factory)
    vera, arne, zoe, left = "vera@x.example", "b@x.example", "a@x.example", "left@x.example"
    for chosen, expected in (
        ({"kinds": ["CONTRACTOR"]}, [arne]),
        ({"kinds": ["CONTRACTOR", "EMPLOYEE"]}, [arne, vera, zoe]),
        ({"kinds": []}, []),
        ({"statuses": ["LEFT"]}, [left]),
        ({"statuses": ["DEACTIVATED", "LEFT"]}, [left, zoe]),
        ({"verified": False}, [arne]),
        ({"verified": True, "kinds": ["EMPLOYEE"], "managerRights": ["EDIT"]}, [vera]),
        ({"managerRights": ["VIEW", "NONE"]}, [arne, zoe]),
    ):
        assert await emails(caller, filter=chosen) == expected, chosen
    assert await emails(caller, search="X.EXAMPLE", filter={"verified": True}) == [vera, zoe]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_people_are_sorted_the_same_way_on_both_databases(factory: Factory, direction: str) -> None:
    caller = await agency(factory)
    vera, arne, zoe = "vera@x.example", "b@x.example", "a@x.example"
    for field, expected in (
        ("NAME", [arne, vera, zoe]),
        ("EMAIL", [zoe, arne, vera]),
        ("TOTAL_CLIENTS", [arne, zoe, vera]),
        ("KIND", [arne, vera, zoe]),
    ):
        wanted = expected if direction == "ASC" else expected[::-1]
        assert await emails(caller, orderBy={"field": field, "direction": direction}) == wanted, field


async def test_details_of_a_person_list_their_clients(factory: Factory) -> None:
    """F30: also where the viewer has no access; F51: the default set; R8 apart, removed grants only when asked for."""
    partner = await factory.partner()
    viewer = await factory.member(partner)
    own = await factory.permission_set(partner, {"contacts.view": "TEAM"}, "Ours")
    person = await factory.member(partner, "Carla Cruz", email="Carla@X.example", default_permission_set_id=own.id)
    alpha, beta, gamma = [await factory.client(partner, name) for name in ("Alpha", "Beta", "Gamma")]
    await factory.grant(beta, person, permission_set=own)
    await factory.grant(gamma, person, status=GrantStatus.REMOVED)
    await factory.grant(alpha, person, status=GrantStatus.DEACTIVATED)
    caller = await Caller.signed_in(factory, viewer)
    found = (await caller.data(operation("member"), email="cARLA@x.EXAMPLE"))["member"]
    assert (found["user"]["email"], found["totalClients"]) == ("carla@x.example", 1)
    assert (found["defaultPermissionSet"]["name"], found["partner"]["name"]) == ("Ours", partner.name)
    assert found["grants"]["totalCount"] == 2
    assert [
        (grant["client"]["displayName"], grant["client"]["viewerAccessType"], grant["status"])
        for grant in found["grants"]["nodes"]
    ] == [("Alpha", "NONE", "DEACTIVATED"), ("Beta", "NONE", "ACTIVE")]


async def test_viewer_says_who_asks_and_where_they_belong(factory: Factory) -> None:
    """F04, P30: the person, their partners and the token's scopes."""
    one, other = await factory.partner("One"), await factory.partner("Other")
    person = await factory.member(one, "Vera Vogel")
    await factory.member(other, user=person, manager_rights=ManagerRights.NONE, kind=MemberKind.CONTRACTOR)
    caller = await Caller.signed_in(factory, person, "read")
    found = (await caller.data(operation("viewer")))["viewer"]
    assert (found["user"]["name"], found["scopes"]) == ("Vera Vogel", ["read"])
    places = [
        (place["partner"]["name"], place["partner"]["viewerRights"], place["kind"]) for place in found["memberships"]
    ]
    assert places == [("One", "EDIT", "EMPLOYEE"), ("Other", "NONE", "CONTRACTOR")]
    assert [item["name"] for item in (await caller.data(operation("partners")))["partners"]] == ["One", "Other"]
