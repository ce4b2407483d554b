"""The story of section 7's leaving, told by its persons through the API: look, prepare, review, hand over, remove, come back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from models.member import ManagerRights
from tests.api.caller import Caller
from tests.api.link_story import APPROVE, GET, account_id, token_of
from tests.factory import AccountRow, Factory, UserRow

ADD = """mutation($input: AddMemberInput!) { addMember(input: $input) { userErrors { code } member { id status } } }"""
CLIENT = (
    """mutation($input: UpdateClientInput!) { updateClient(input: $input) { userErrors { code } client { id } } }"""
)
GRANT = """mutation($input: GrantAccessInput!) { grantAccess(input: $input) {
  userErrors { code } operation { counts { applied rejected } } } }"""
RECORD = """mutation($input: RecordAssetsInput!) { recordAssets(input: $input) { userErrors { code } counts { created } } }"""
SETS = "query { partner { permissionSets(first: 100) { nodes { id isPartnerAdmin origin } } } }"
CLIENTS = """query { partner { clients(first: 100) { nodes { id displayName totalEmployees deactivatedEmployees lead { id }
  partnerAdmins { member { id } } } } members(filter: { statuses: [ACTIVE, DEACTIVATED, LEFT] }) { nodes { id status } } } }"""
REPORT = """query($id: ID!) { node(id: $id) { ... on Member { leaverReport { canLeave lastEditor accessLinks
  assets { kind total } leads { nodes { id } } clients(first: 100) { nodes {
    client { id } consequence assets { kind total } suggestedSuccessor { id } } } } } } }"""
REVIEW = """query($id: ID!) { node(id: $id) { ... on Member { removalReview { token grantCount totals { kind total }
  entries { nodes { client { id } assets { kind total } } } } } } }"""
REMOVE = """mutation($input: RemoveMemberInput!) { removeMember(input: $input) {
  userErrors { code field message } member { status managerRights totalClients }
  operation { kind dryRun counts { applied rejected } outcomes(first: 100) { nodes {
    client { id } status code assetTransfers { kind total to { id } } } } } } }"""


@dataclass
class Cast:
    """The agency's four people, three clients' admins, and the ids by which they know each other's things."""

    factory: Factory
    boss: Caller
    people: dict[str, str]
    callers: dict[str, Caller]
    clients: dict[str, str]
    accounts: dict[str, tuple[AccountRow, Caller]]
    users: dict[str, UserRow]
    partner_admin: str

    async def give(self, giver: str, taker: str, client: str, access: Mapping[str, Any]) -> None:
        """One person gives another access in a client."""
        targets = {"pairs": [{"member": self.people[taker], "client": self.clients[client]}]}
        asked = {"targets": targets, "access": access, "onExisting": "CHANGE"}
        data = await self.callers[giver].data(GRANT, input=asked)
        assert data["grantAccess"] == {"userErrors": [], "operation": {"counts": {"applied": 1, "rejected": 0}}}

    async def report(self, name: str) -> Any:
        data = await self.boss.data(REPORT, id=self.people[name])
        return data["node"]["leaverReport"]

    async def review(self, name: str) -> Any:
        data = await self.boss.data(REVIEW, id=self.people[name])
        return data["node"]["removalReview"]

    async def remove(self, name: str, **values: Any) -> Any:
        data = await self.boss.data(REMOVE, input={"member": self.people[name], **values})
        return data["removeMember"]

    async def record(self, owner: str, client: str, kind: str, count: int) -> None:
        """The boss records what somebody owns."""
        of_kind = {"client": self.clients[client], "owner": self.people[owner], "kind": kind, "name": "Something"}
        listed = [{**of_kind, "externalId": f"{kind} {owner} {number}"} for number in range(count)]
        data = await self.boss.data(RECORD, input={"assets": listed})
        assert data["recordAssets"] == {"userErrors": [], "counts": {"created": count}}


def by_client(nodes: list[Any]) -> dict[str, Any]:
    return {node["client"]["id"]: node for node in nodes}


async def approve(cast: Cast, name: str, client: str) -> Any:
    """A client's admin approves the personal link of one of the agency's people."""
    data = await cast.callers[name].data(GET, input={})
    token = token_of(data["getAccessLink"]["accessLink"])
    account, admin = cast.accounts[client]
    data = await admin.data(APPROVE, input={"account": account_id(account), "token": token})
    return data["approveAccessLink"]


@pytest.fixture
async def cast(factory: Factory) -> Cast:
    """Lena is partner admin of three clients by their will; she has let Carl and Leo in, and Leo leads Birch."""
    partner = await factory.partner("North Agency")
    boss = await factory.member(partner, "Bea Boss", super_admin=True, manager_rights=ManagerRights.NONE)
    told = Cast(factory, await Caller.signed_in(factory, boss), {}, {}, {}, {}, {}, "")
    for name in ("Acorn", "Birch", "Cedar"):
        account, admin = await factory.account(name), await factory.user(f"{name} Admin")
        await factory.own_person(account, admin)
        told.accounts[name] = account, await Caller.signed_in(factory, admin)
    for name in ("Lena", "Carl", "Leo"):
        user = told.users[name] = await factory.user(name)
        new = {"email": user.email, "firstName": name, "kind": "EMPLOYEE", "managerRights": "EDIT", "verified": True}
        data = await told.boss.data(ADD, input=new)
        assert data["addMember"]["userErrors"] == []
        told.people[name] = data["addMember"]["member"]["id"]
        told.callers[name] = await Caller.signed_in(factory, user)
    for name in told.accounts:
        assert (await approve(told, "Lena", name))["userErrors"] == []
    listed = (await told.boss.data(CLIENTS))["partner"]["clients"]["nodes"]
    told.clients = {node["displayName"]: node["id"] for node in listed}
    sets = (await told.boss.data(SETS))["partner"]["permissionSets"]["nodes"]
    (told.partner_admin,) = [node["id"] for node in sets if node["isPartnerAdmin"] and node["origin"] == "BUILT_IN"]
    reader = {"permissions": [{"permission": "contacts.view", "level": "ALL"}]}
    await told.give("Lena", "Carl", "Acorn", reader)
    await told.give("Lena", "Leo", "Birch", reader)
    await told.give("Lena", "Carl", "Cedar", {"permissionSet": told.partner_admin})
    for client, leader in (("Birch", "Leo"), ("Cedar", "Lena")):
        data = await told.boss.data(CLIENT, input={"client": told.clients[client], "lead": told.people[leader]})
        assert data["updateClient"]["userErrors"] == []
    await told.record("Lena", "Acorn", "DEAL", 3)
    await told.record("Lena", "Birch", "WORKFLOW", 2)
    await told.record("Lena", "Cedar", "FORM", 1)
    return told


async def afterwards(cast: Cast) -> None:
    """The list of clients: nobody is locked out, and only Cedar, which Lena led, and Acorn have no lead."""
    acorn, birch, cedar = (cast.clients[name] for name in ("Acorn", "Birch", "Cedar"))
    lena, carl, leo = (cast.people[name] for name in ("Lena", "Carl", "Leo"))
    after = (await cast.boss.data(CLIENTS))["partner"]
    shown = {node["id"]: node for node in after["clients"]["nodes"]}
    assert {key: [grant["member"]["id"] for grant in node["partnerAdmins"]] for key, node in shown.items()} == {
        acorn: [carl],
        birch: [leo],
        cedar: [carl],
    }
    assert {node["totalEmployees"] for node in shown.values()} == {1}
    assert {node["deactivatedEmployees"] for node in shown.values()} == {0}
    assert {key: node["lead"] for key, node in shown.items()} == {acorn: None, birch: {"id": leo}, cedar: None}
    statuses = {node["id"]: node["status"] for node in after["members"]["nodes"]}
    assert (statuses[lena], statuses[carl], statuses[leo]) == ("LEFT", "ACTIVE", "ACTIVE")
    successor = await cast.report("Carl")
    assert successor["assets"] == [{"kind": "CONTACT", "total": 1}, {"kind": "DEAL", "total": 3}]


async def test_section_7_lena_leaves_and_nothing_is_left_behind(cast: Cast) -> None:
    """N03, N04, F38, F39, R5, R8, R12: in the order in which it happens."""
    acorn, birch, cedar = (cast.clients[name] for name in ("Acorn", "Birch", "Cedar"))
    carl, leo = (cast.people[name] for name in ("Carl", "Leo"))

    # The boss looks first: two clients would be locked out, and each says who could take over.
    told = await cast.report("Lena")
    at = by_client(told["clients"]["nodes"])
    assert {client: (at[client]["consequence"], at[client]["suggestedSuccessor"]["id"]) for client in at} == {
        acorn: ("NO_PARTNER_ADMIN_LEFT", carl),
        birch: ("NO_PARTNER_ADMIN_LEFT", leo),
        cedar: ("ONE_PARTNER_ADMIN_LEFT", carl),
    }
    assert (told["canLeave"], told["lastEditor"], told["accessLinks"]) == (False, False, 1)
    totals = [{"kind": "DEAL", "total": 3}, {"kind": "WORKFLOW", "total": 2}, {"kind": "FORM", "total": 1}]
    assert (told["assets"], told["leads"]["nodes"]) == (totals, [{"id": cedar}])

    # In a hurry, she tries at once: without a review nothing goes, and with one the lockout guard holds all of it.
    hasty = await cast.remove("Lena")
    assert [(error["code"], error["field"]) for error in hasty["userErrors"]] == [
        ("INVALID_INPUT", ["input", "reviewToken"])
    ]
    seen = await cast.review("Lena")
    assert (seen["grantCount"], seen["totals"]) == (3, totals)
    hasty = await cast.remove("Lena", reviewToken=seen["token"])
    assert [error["code"] for error in hasty["userErrors"]] == ["WOULD_LOCK_OUT"]
    assert hasty["operation"]["counts"] == {"applied": 0, "rejected": 3}
    assert hasty["member"]["status"] == "ACTIVE"

    # So Lena makes the successors partner admins, as suggested; then she could leave.
    await cast.give("Lena", "Carl", "Acorn", {"permissionSet": cast.partner_admin})
    await cast.give("Lena", "Leo", "Birch", {"permissionSet": cast.partner_admin})
    told = await cast.report("Lena")
    assert {node["consequence"] for node in told["clients"]["nodes"]} == {"ONE_PARTNER_ADMIN_LEFT"}
    assert told["canLeave"] is True

    # Until the last minute she works: a new deal makes the review stale where it lies, and the boss looks again.
    seen = await cast.review("Lena")
    await cast.record("Lena", "Acorn", "CONTACT", 1)
    late = await cast.remove("Lena", reviewToken=seen["token"])
    assert [error["code"] for error in late["userErrors"]] == ["STALE_REVIEW"]
    codes = {client: node["code"] for client, node in by_client(late["operation"]["outcomes"]["nodes"]).items()}
    assert codes == {acorn: "STALE_REVIEW", birch: "ATOMIC_REJECTED", cedar: "ATOMIC_REJECTED"}
    seen = await cast.review("Lena")
    entries = by_client(seen["entries"]["nodes"])
    assert entries[acorn]["assets"] == [{"kind": "CONTACT", "total": 1}, {"kind": "DEAL", "total": 3}]

    # What she owns in Acorn goes to a colleague, in Birch to the lead; the rest keeps her as former owner.
    handover = {
        "reviewToken": seen["token"],
        "reassign": [{"client": acorn, "to": carl}, {"client": birch, "toLead": True}],
    }
    rehearsed = await cast.remove("Lena", **handover, options={"dryRun": True})
    assert (rehearsed["userErrors"], rehearsed["operation"]["dryRun"]) == ([], True)
    assert rehearsed["member"]["status"] == "ACTIVE"
    done = await cast.remove("Lena", **handover, options={"reason": "Leaves at the end of the month"})
    assert done["userErrors"] == []
    assert done["member"] == {"status": "LEFT", "managerRights": "NONE", "totalClients": 0}
    assert (done["operation"]["kind"], done["operation"]["counts"]) == ("REMOVE", {"applied": 3, "rejected": 0})
    outcomes = by_client(done["operation"]["outcomes"]["nodes"])
    taken = {
        client: [(each["kind"], each["total"], each["to"]) for each in outcomes[client]["assetTransfers"]]
        for client in outcomes
    }
    assert taken == {
        acorn: [("CONTACT", 1, {"id": carl}), ("DEAL", 3, {"id": carl})],
        birch: [("WORKFLOW", 2, {"id": leo})],
        cedar: [("FORM", 1, None)],
    }
    foreseen = by_client(rehearsed["operation"]["outcomes"]["nodes"])
    assert {client: (foreseen[client]["status"], foreseen[client]["code"]) for client in foreseen} == dict.fromkeys(
        outcomes, ("APPLIED", None)
    )

    await afterwards(cast)


async def test_section_7_who_left_opens_nothing_and_comes_back_with_nothing(cast: Cast) -> None:
    """R6, R12: the manager is closed, the link of the former time opens nothing, and addMember begins anew."""
    data = await cast.callers["Lena"].data(GET, input={})
    token = token_of(data["getAccessLink"]["accessLink"])
    seen = await cast.review("Lena")
    done = await cast.remove("Lena", reviewToken=seen["token"], options={"acceptLockout": True})
    assert (done["userErrors"], done["member"]["status"]) == ([], "LEFT")
    again = await cast.remove("Lena", reviewToken=seen["token"])
    assert (again["userErrors"], again["operation"], again["member"]) == ([], None, done["member"])

    lena = await Caller.signed_in(cast.factory, cast.users["Lena"])
    assert await lena.data("query { viewer { memberships { id } } }") == {"viewer": {"memberships": []}}
    account = await cast.factory.account("Dogwood")
    admin = await cast.factory.user("Dogwood Admin")
    await cast.factory.own_person(account, admin)
    answer = {"account": account_id(account), "token": token}
    data = await (await Caller.signed_in(cast.factory, admin)).data(APPROVE, input=answer)
    assert [error["code"] for error in data["approveAccessLink"]["userErrors"]] == ["LINK_OWNER_NOT_ELIGIBLE"]

    new = {"email": cast.users["Lena"].email, "kind": "CONTRACTOR", "verified": True}
    data = await cast.boss.data(ADD, input=new)
    assert data["addMember"] == {"userErrors": [], "member": {"id": cast.people["Lena"], "status": "ACTIVE"}}
    told = await cast.report("Lena")
    assert (told["clients"]["nodes"], told["assets"], told["leads"]["nodes"]) == ([], [], [])
    shown = (await cast.boss.data(CLIENTS))["partner"]["clients"]["nodes"]
    assert cast.people["Lena"] not in [grant["member"]["id"] for node in shown for grant in node["partnerAdmins"]]
