"""What clients say to access links: approving and declining (F16 to F18, L1 to L9, P06 to P08)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from models.access_link import access_links, link_approvals
from models.grant import AccessType, GrantStatus, Seat, grants
from models.permission.built_in import PARTNER_ADMIN_SET
from models.permission.catalogue import catalogue
from models.timeline_entry import timeline_entries
from resolvers.client_import import import_clients
from tests.api.caller import Caller
from tests.api.counters import assert_counters_are_true
from tests.api.held_rows import end_now, holding, until_waiting
from tests.api.link_story import (
    APPROVE,
    DECLINE,
    LINK,
    LOOK,
    PENDING,
    REVOKE,
    Links,
    account_id,
    ceiling,
    get_link,
    outbox,
    refused,
    token_of,
)
from tests.api.test_access_link import change_member
from tests.api.write_story import contents, levels_of, living_grants, node_id, permissions, product
from tests.factory import Factory, GrantRow, removal
from tests.life_factory import LifeFactory
from tests.statement_recorder import StatementRecorder

ADMIN_LEVELS = levels_of(PARTNER_ADMIN_SET.state)
NARROW = levels_of(catalogue.closure(catalogue.partner_admin | catalogue.state({"contacts.view": "ALL"})))
READ_LINK = f"query($id: ID!) {{ node(id: $id) {{ ... on AccessLink {{ ...Shown }} }} }} {LINK}"
OPERATIONS = """query { partner { operations { nodes { kind reason requestedBy { id } counts { applied noop rejected }
  outcomes { nodes { member { id } client { id } status code } } } } } }"""


def held(grant: Any) -> dict[str, str]:
    return {at["permission"]["key"]: at["level"] for at in grant["permissions"]}


async def approvals(links: Links) -> list[str]:
    async with links.database.read() as connection:
        return list((await connection.execute(select(link_approvals.c.answer).order_by(link_approvals.c.id))).scalars())


async def test_an_approval_makes_a_partner_admin_a_client_and_one_mail(factory: Factory) -> None:
    """F15 to F18, F12: all of it in one transaction, as an operation whose author the agency does not get to know (T1)."""
    links = await Links.begin(factory)
    link = await get_link(links.agency, reference="Autumn")
    answer = await links.approve(token_of(link))
    assert answer["changed"] is True
    assert answer["invitation"]["reference"] == "Autumn"
    (client,) = await links.clients()
    assert (client["displayName"], client["hubId"], client["totalEmployees"]) == (
        "Acme Works",
        str(links.account.hub_id),
        1,
    )
    assert client["viewerAccessType"] == "PARTNER_ADMIN"
    (grant,) = client["grants"]["nodes"]
    assert (grant["member"]["id"], grant["accessType"], grant["seat"], grant["status"]) == (
        node_id(links.owner),
        "PARTNER_ADMIN",
        "PARTNER",
        "ACTIVE",
    )
    assert grant["permissionSet"] == {"isPartnerAdmin": True}
    assert (grant["customised"], grant["expiresAt"], grant["grantedBy"]) == (False, None, None)
    assert held(grant) == ADMIN_LEVELS
    (operation,) = (await links.agency.data(OPERATIONS))["partner"]["operations"]["nodes"]
    assert (operation["kind"], operation["requestedBy"]) == ("GRANT", None)
    assert operation["reason"] == "The client approved the access link “Autumn”."
    (outcome,) = operation["outcomes"]["nodes"]
    assert outcome == {
        "member": {"id": node_id(links.owner)},
        "client": {"id": client["id"]},
        "status": "APPLIED",
        "code": None,
    }
    (mail,) = await outbox(links.database)
    assert mail.recipient == links.owner.email
    assert mail.event.startswith("access-link-approval:")
    assert mail.event.endswith(":owner")
    assert "Acme Works" in mail.subject
    assert "Autumn" in mail.text
    shown = (await links.agency.data(READ_LINK, id=link["id"]))["node"]
    assert shown["approvals"]["totalCount"] == 1
    (said,) = shown["approvals"]["nodes"]
    assert (said["answer"], said["accountName"], said["client"]) == ("APPROVED", "Acme Works", {"id": client["id"]})
    async with links.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(timeline_entries)) == 2
    await assert_counters_are_true(links.database)
    found = await links.agency.data(
        "query($s: String) { partner { clients(search: $s) { totalCount } } }", s=str(links.account.hub_id)
    )
    assert found["partner"]["clients"]["totalCount"] == 1


async def test_a_second_approval_by_the_same_client_changes_nothing(factory: Factory) -> None:
    """L1: no second mail, no second answer, no operation; not even for a partner admin who was narrowed since."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    await links.approve(token)
    narrowed = await links.clients()
    before = await contents(links.database)
    assert (await links.approve(token))["changed"] is False
    assert await contents(links.database) == before
    assert await links.clients() == narrowed


async def test_an_approval_does_not_widen_a_partner_admin_whom_somebody_narrowed(factory: Factory) -> None:
    """L1, F07."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    await factory.partner_admin(client, links.owner, without=("reports.view",))
    before = await contents(links.database)
    token = token_of(await get_link(links.agency))
    assert (await links.approve(token))["changed"] is False
    after = await contents(links.database)
    assert {name for name in before if before[name] != after[name]} == {"access_link"}


async def test_a_super_admin_is_not_lowered(factory: Factory) -> None:
    """L2: ALREADY_SUPER_ADMIN hints at the migration; no answer, no mail, nothing else."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    await factory.super_admin(client, links.owner)
    token = token_of(await get_link(links.agency))
    before = await contents(links.database)
    asked = {"token": token, "account": account_id(links.account), "ceiling": ceiling(NARROW)}
    (error,) = (await links.client.data(APPROVE, input=asked))["approveAccessLink"]["userErrors"]
    assert (error["code"], error["field"]) == ("ALREADY_SUPER_ADMIN", ["input", "token"])
    assert "migrateToPartnerAdmin" in error["message"]
    assert await contents(links.database) == before


async def test_other_access_gets_the_partner_admin_set_added(factory: Factory) -> None:
    """L3, with what the Partner Admin set does not have."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    extra = {"billing": "ALL"}
    grant = await factory.grant(client, links.owner, extra, seat=Seat.CORE)
    assert await _approved(links) is True
    ((shown,),) = [client["grants"]["nodes"] for client in await links.clients()]
    assert (shown["accessType"], shown["seat"], shown["customised"]) == ("PARTNER_ADMIN", "PARTNER", True)
    assert held(shown) == levels_of(PARTNER_ADMIN_SET.state | grant.state)
    assert held(shown) != ADMIN_LEVELS
    await assert_counters_are_true(links.database)


async def _approved(links: Links) -> bool:
    token = token_of(await get_link(links.agency))
    changed: bool = (await links.approve(token))["changed"]
    return changed


@pytest.mark.parametrize("kind", ["partner_admin", "standard", "super_admin"])
async def test_a_deactivated_grant_becomes_that_of_a_partner_admin_again(factory: Factory, kind: str) -> None:
    """L4; R11, M11: a deactivated super admin comes back as partner admin only."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    status: dict[str, Any] = {"status": GrantStatus.DEACTIVATED}
    grant: GrantRow
    if kind == "partner_admin":
        grant = await factory.partner_admin(client, links.owner, **status)
    elif kind == "super_admin":
        grant = await factory.super_admin(client, links.owner, **status)
    else:
        grant = await factory.grant(client, links.owner, {"contacts.view": "ALL"}, **status)
    assert await _approved(links) is True
    (row,) = [row for row in await living_grants(links.database) if row.member_id == links.owner.id]
    assert (row.id, row.status, row.access_type) == (grant.id, GrantStatus.ACTIVE, AccessType.PARTNER_ADMIN)
    ((shown,),) = [client["grants"]["nodes"] for client in await links.clients()]
    assert held(shown) == ADMIN_LEVELS
    assert len(await outbox(links.database)) == 1
    await assert_counters_are_true(links.database)


async def test_expired_access_is_given_anew_without_an_end(factory: Factory) -> None:
    """L4 for what counts for nothing because it has expired."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    await factory.partner_admin(client, links.owner, expires_at=datetime.now(UTC) - timedelta(hours=1))
    assert await _approved(links) is True
    ((shown,),) = [client["grants"]["nodes"] for client in await links.clients()]
    assert (shown["accessType"], shown["expiresAt"]) == ("PARTNER_ADMIN", None)


async def test_two_approvals_at_once_make_one_grant_and_one_mail(factory: Factory) -> None:
    """L7, with the client row made by whoever comes first."""
    links = await Links.begin(factory)
    second_admin = await factory.user()
    await factory.own_person(links.account, second_admin)
    other = await Caller.signed_in(factory, second_admin)
    token = token_of(await get_link(links.agency))
    answers = await asyncio.gather(*(links.approve(token, by=caller) for caller in (links.client, other) * 3))
    assert sorted(answer["changed"] for answer in answers) == [False] * 5 + [True]
    assert len(await outbox(links.database)) == 1
    assert await approvals(links) == ["APPROVED"]
    (client,) = await links.clients()
    assert len(client["grants"]["nodes"]) == client["totalEmployees"] == 1
    await assert_counters_are_true(links.database)


async def test_of_two_clients_at_once_with_a_single_use_link_exactly_one_succeeds(factory: Factory) -> None:
    """P06."""
    links = await Links.begin(factory)
    link = await get_link(links.agency, singleUse=True)
    places = [(links.account, links.client), *[await links.another_account(f"Works {number}") for number in range(3)]]
    asked = [{"token": token_of(link), "account": account_id(account)} for account, _ in places]
    answers = await asyncio.gather(
        *(caller.data(APPROVE, input=values) for (_, caller), values in zip(places, asked, strict=True))
    )
    codes = [[error["code"] for error in answer["approveAccessLink"]["userErrors"]] for answer in answers]
    assert sorted(codes) == [[], *[["NOT_FOUND"]] * 3]
    assert len(await links.clients()) == len(await outbox(links.database)) == 1
    shown = (await links.agency.data(READ_LINK, id=link["id"]))["node"]
    assert (shown["state"], shown["url"], shown["approvals"]["totalCount"]) == ("USED", None, 1)
    assert shown["usedAt"]
    assert token_of(await get_link(links.agency, singleUse=True)) != token_of(link)


async def test_a_single_use_link_is_not_used_up_by_what_changes_nothing(factory: Factory) -> None:
    """L1, P06."""
    links = await Links.begin(factory)
    assert await _approved(links) is True
    link = await get_link(links.agency, singleUse=True)
    assert (await links.approve(token_of(link)))["changed"] is False
    _, other = place = await links.another_account()
    assert (await links.approve(token_of(link), by=other, account=account_id(place[0])))["changed"] is True


async def test_l1_a_second_approval_of_a_single_use_link_by_who_has_used_it_changes_nothing(factory: Factory) -> None:
    """For everybody else, and for the same account when that access is gone, it is used up (L8)."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency, singleUse=True))
    asked = {"token": token, "account": account_id(links.account)}
    first = await links.approve(token)
    assert first["changed"] is True
    before = await contents(links.database)
    assert await links.approve(token) == {**first, "changed": False}
    with_ceiling = {**asked, "ceiling": ceiling(ADMIN_LEVELS)}
    assert await refused(links.client, APPROVE, **with_ceiling) == ("CONFLICT", ["input", "ceiling"])
    assert await contents(links.database) == before
    account, other = await links.another_account()
    unknown = await other.data(APPROVE, input={"token": "A" * 43, "account": account_id(account)})
    assert await other.data(APPROVE, input={"token": token, "account": account_id(account)}) == unknown
    assert unknown["approveAccessLink"]["userErrors"][0]["code"] == "NOT_FOUND"
    assert await refused(links.client, DECLINE, **asked) == ("NOT_FOUND", ["input", "token"])
    (row,) = [row for row in await living_grants(links.database) if row.access_type == AccessType.PARTNER_ADMIN]
    for status in (GrantStatus.DEACTIVATED, GrantStatus.REMOVED):
        async with links.database.write() as session:
            ended = removal() if status is GrantStatus.REMOVED else {"status": status.value}
            await (await session.connection()).execute(update(grants).where(grants.c.id == row.id).values(ended))
        assert await links.client.data(APPROVE, input=asked) == unknown


async def test_l7_two_approvals_of_a_single_use_link_by_one_account_at_once_are_one(factory: Factory) -> None:
    """Also where it is named as one of the account's invitations."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    await get_link(links.agency, singleUse=True, client=node_id(client))
    (pending,) = (await links.client.data(PENDING, id=account_id(links.account)))["account"]["pendingInvitations"]
    asked = {"invitation": pending["id"], "account": account_id(links.account)}
    answers = await asyncio.gather(*(links.client.data(APPROVE, input=asked) for _ in range(4)))
    told = [answer["approveAccessLink"] for answer in answers]
    assert [answer["userErrors"] for answer in told] == [[]] * 4
    assert sorted(answer["changed"] for answer in told) == [False] * 3 + [True]
    assert len(await outbox(links.database)) == 1
    assert await approvals(links) == ["APPROVED"]


@pytest.mark.parametrize("query", [APPROVE, DECLINE], ids=["approve", "decline"])
@pytest.mark.parametrize("ends", ["link", "right"])
async def test_l8_what_ends_while_an_answer_waits_its_turn_is_not_accepted(
    factory: Factory, query: str, ends: str
) -> None:
    """L6: neither a link that expires meanwhile nor the right of whoever answers."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    asked = {"token": token, "account": account_id(links.account)}
    async with holding(links.database, links.owner) as connection:
        answer = asyncio.create_task(refused(links.client, query, **asked))
        await until_waiting(links.database)
        if ends == "link":
            await end_now(connection, access_links, access_links.c.member_id == links.owner.id)
        else:
            await end_now(connection, grants, grants.c.user_id == links.admin.id)
    assert await answer == ("NOT_FOUND", ["input", "token" if ends == "link" else "account"])
    assert await approvals(links) == []
    assert await links.clients() == []
    assert await outbox(links.database) == []


async def test_f17_an_import_of_the_account_and_its_first_approval_at_once_make_one_client(factory: Factory) -> None:
    """Both would make it: whoever comes second finds it there."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    csv = f"hub_id,official_name,display_name,domain,account_type,managed_mrr,currency\n{links.account.hub_id},Acme Works,Acme,,,,\n"
    async with holding(links.database, links.owner):
        approval = asyncio.create_task(links.approve(token))
        await until_waiting(links.database)
        loading = asyncio.create_task(import_clients(links.database, links.partner.id, csv))
        await until_waiting(links.database, 2)
    answer, loaded = await asyncio.gather(approval, loading)
    assert answer["changed"] is True
    assert len(loaded.rows) == 1
    assert loaded.rejected == []
    (client,) = await links.clients()
    assert (client["displayName"], client["totalEmployees"]) == ("Acme", 1)
    await assert_counters_are_true(links.database)


async def test_approving_and_revoking_at_once_leave_no_grant_behind_a_refusal(factory: Factory) -> None:
    """L8: whichever comes first, the answer says what happened."""
    links = await Links.begin(factory)
    for number in range(4):
        account, caller = await links.another_account(f"Works {number}")
        link = await get_link(links.agency, reference=str(number))
        asked = {"token": token_of(link), "account": account_id(account)}
        _, answer = await asyncio.gather(
            links.agency.data(REVOKE, input={"accessLink": link["id"]}), caller.data(APPROVE, input=asked)
        )
        codes = [error["code"] for error in answer["approveAccessLink"]["userErrors"]]
        there = account.name in {client["displayName"] for client in await links.clients()}
        assert (codes, there) in (([], True), (["NOT_FOUND"], False))
        assert (await links.agency.data(READ_LINK, id=link["id"]))["node"]["state"] == "REVOKED"


async def test_many_answers_at_once_across_accounts_and_agencies_all_come_through(factory: Factory) -> None:
    """L7, L9: they share owners, accounts and partners, and are sent in opposite orders."""
    links = await Links.begin(factory)
    rival = await factory.partner("Rival Agency")
    people = [links.owner, *await factory.members(links.partner, 2), *await factory.members(rival, 2)]
    tokens = [token_of(await get_link(await Caller.signed_in(factory, person))) for person in people]
    places = [(links.account, links.client), *[await links.another_account(f"Works {number}") for number in range(2)]]
    asked = [(token, account, admin) for token in tokens for account, admin in places]
    answers = await asyncio.gather(
        *(links.approve(token, by=admin, account=account_id(account)) for token, account, admin in asked + asked[::-1])
    )
    assert sorted(answer["changed"] for answer in answers) == [False] * len(asked) + [True] * len(asked)
    assert len(await outbox(links.database)) == len(asked)
    admins = [row for row in await living_grants(links.database) if row.access_type == AccessType.PARTNER_ADMIN]
    assert len(admins) == len({(row.client_id, row.member_id) for row in admins}) == len(asked)
    assert len(await links.clients()) == len(places)
    await assert_counters_are_true(links.database)


async def test_one_link_serves_several_clients_and_each_approval_is_separate(factory: Factory) -> None:
    """F15, F17."""
    links = await Links.begin(factory)
    link = await get_link(links.agency)
    other, admin = await links.another_account()
    await links.approve(token_of(link))
    await links.decline(token_of(link), by=admin, account=account_id(other))
    shown = (await links.agency.data(READ_LINK, id=link["id"]))["node"]["approvals"]["nodes"]
    assert [(said["answer"], said["accountName"], said["client"] is None) for said in shown] == [
        ("DECLINED", "Other Works", True),
        ("APPROVED", "Acme Works", False),
    ]
    await links.approve(token_of(link), by=admin, account=account_id(other))
    shown = (await links.agency.data(READ_LINK, id=link["id"]))["node"]["approvals"]["nodes"]
    assert [(said["answer"], said["client"] is None) for said in shown] == [
        ("APPROVED", False),
        ("DECLINED", False),
        ("APPROVED", False),
    ]


async def test_several_partners_links_in_one_account_do_not_see_each_other(factory: Factory) -> None:
    """L9, T1."""
    links = await Links.begin(factory)
    rival = await factory.partner("Rival Agency")
    rivals_person = await factory.member(rival, "Rita Rival")
    rivals = await Caller.signed_in(factory, rivals_person)
    mine, theirs = await get_link(links.agency), await get_link(rivals)
    assert mine["id"] != theirs["id"]
    await links.approve(token_of(mine), ceiling=ceiling(NARROW))
    await links.approve(token_of(theirs))
    (here,), (there,) = await links.clients(), await links.clients(rivals)
    assert here["id"] != there["id"]
    assert [grant["member"]["id"] for grant in here["grants"]["nodes"]] == [node_id(links.owner)]
    assert [grant["member"]["id"] for grant in there["grants"]["nodes"]] == [node_id(rivals_person)]
    assert held(here["grants"]["nodes"][0]) == NARROW
    assert held(there["grants"]["nodes"][0]) == ADMIN_LEVELS
    told = repr([await links.agency.data(OPERATIONS), await links.agency.data(READ_LINK, id=mine["id"]), here])
    assert "Rival" not in told
    assert node_id(rivals_person) not in told
    assert (await links.agency.data(READ_LINK, id=theirs["id"]))["node"] is None


async def test_what_stands_behind_a_link_is_shown_before_deciding(factory: Factory) -> None:
    """F16: who asks for what on behalf of whom; any signed-in person who has the token may look."""
    links = await Links.begin(factory)
    editor = await Caller.signed_in(factory, await factory.member(links.partner, "Edda Editor"))
    link = await get_link(editor, member=node_id(links.owner), reference="Autumn", expiresInDays=5)
    shown = (await links.client.data(LOOK, token=token_of(link)))["accessLink"]
    assert (shown["kind"], shown["partnerName"], shown["partnerHubId"]) == (
        "ACCESS_LINK",
        "Bright Agency",
        str(links.partner.hub_id),
    )
    assert (shown["requestedBy"], shown["reference"], shown["singleUse"]) == ("Edda Editor", "Autumn", False)
    assert shown["people"] == [{"name": "Olga Owner", "email": links.owner.email, "eligible": True}]
    assert (shown["accountName"], shown["accountHubId"]) == (None, None)
    assert (shown["createdAt"], shown["expiresAt"]) == (link["createdAt"], link["expiresAt"])
    assert {at["permission"]["key"]: at["level"] for at in shown["permissions"]} == ADMIN_LEVELS
    await change_member(links.database, links.owner.id, verified=False)
    shown = (await links.client.data(LOOK, token=token_of(link)))["accessLink"]
    assert shown["people"][0]["eligible"] is False
    nobody = Caller(links.database, None)
    assert await nobody.code(LOOK, token=token_of(link)) == "UNAUTHENTICATED"


async def test_a_link_for_one_client_opens_there_alone(factory: Factory) -> None:
    """By its token and by its id; elsewhere it is as unknown as any other (T1, L8)."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account, display_name="Our Acme")
    link = await get_link(links.agency, client=node_id(client))
    other, stranger = await links.another_account()
    assert (await stranger.data(LOOK, token=token_of(link)))["accessLink"] is None
    refusal = await links.refusal(token_of(link), by=stranger, account=account_id(other))
    assert refusal == ("NOT_FOUND", ["input", "token"])
    shown = (await links.client.data(LOOK, token=token_of(link)))["accessLink"]
    assert (shown["accountName"], shown["accountHubId"]) == ("Acme Works", str(links.account.hub_id))
    (pending,) = (await links.client.data(PENDING, id=account_id(links.account)))["account"]["pendingInvitations"]
    assert pending == shown
    assert (await stranger.data(PENDING, id=account_id(other)))["account"]["pendingInvitations"] == []
    by_id = {"token": None, "invitation": pending["id"]}
    asked = {"account": account_id(other), **by_id}
    assert await refused(stranger, APPROVE, **asked) == ("NOT_FOUND", ["input", "invitation"])
    assert await refused(stranger, DECLINE, **asked) == ("NOT_FOUND", ["input", "invitation"])
    answer = (await links.client.data(APPROVE, input={**asked, "account": account_id(links.account)}))[
        "approveAccessLink"
    ]
    assert (answer["userErrors"], answer["changed"]) == ([], True)
    assert (await links.client.data(PENDING, id=account_id(links.account)))["account"]["pendingInvitations"] == []
    (client_shown,) = await links.clients()
    assert (client_shown["id"], client_shown["displayName"]) == (node_id(client), "Our Acme")


async def test_an_id_does_not_open_a_link_that_is_for_nobody_in_particular(factory: Factory) -> None:
    """L8: ids can be guessed; only a token opens it."""
    links = await Links.begin(factory)
    link = await get_link(links.agency)
    shown = (await links.client.data(LOOK, token=token_of(link)))["accessLink"]
    asked = {"account": account_id(links.account), "invitation": shown["id"]}
    assert await refused(links.client, APPROVE, **asked) == ("NOT_FOUND", ["input", "invitation"])
    assert (await links.client.data(PENDING, id=account_id(links.account)))["account"]["pendingInvitations"] == []


async def test_what_waits_for_an_account_leaves_out_what_cannot_be_answered(
    factory: Factory, life_factory: LifeFactory
) -> None:
    """P07, R12, T1: both kinds of link, the newest first; not the suspended, the ended, the declined and other accounts'."""
    links = await Links.begin(factory)
    client = await factory.client(links.partner, account=links.account)
    other_client = await factory.client(links.partner)
    rival = await factory.partner("Rival Agency")
    rivals = await factory.client(rival, account=links.account)
    rivals_person = await factory.member(rival)
    moment = datetime.now(UTC)

    def living(minutes: int) -> dict[str, Any]:
        return {"created_at": moment - timedelta(minutes=minutes), "expires_at": moment + timedelta(days=1)}

    await life_factory.access_link(links.owner, client=client, reference="first", **living(9))
    await life_factory.confirmation_link(rivals, rivals_person, [rivals_person], **living(5))
    await life_factory.access_link(rivals_person, client=rivals, reference="last", **living(1))
    await life_factory.access_link(links.owner, client=client, reference="over", created_at=moment, expires_at=moment)
    await life_factory.access_link(links.owner, client=client, reference="revoked", revoked=True, **living(3))
    await life_factory.access_link(links.owner, client=other_client, reference="elsewhere", **living(3))
    gone = await factory.member(links.partner, verified=False)
    await life_factory.access_link(gone, client=client, reference="suspended", **living(3))
    said = await life_factory.access_link(links.owner, client=client, reference="declined", **living(3))
    await links.decline(said.token)
    pending = (await links.client.data(PENDING, id=account_id(links.account)))["account"]["pendingInvitations"]
    assert [(found["kind"], found["partnerName"], found["reference"]) for found in pending] == [
        ("ACCESS_LINK", "Rival Agency", "last"),
        ("CONFIRMATION_LINK", "Rival Agency", ""),
        ("ACCESS_LINK", "Bright Agency", "first"),
    ]
    assert [len(found["people"]) for found in pending] == [1, 1, 1]


async def test_a_declined_link_is_told_once_and_can_still_be_approved(factory: Factory) -> None:
    """P07."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency, reference="Autumn"))
    assert (await links.decline(token))["changed"] is True
    before = await contents(links.database)
    assert (await links.decline(token))["changed"] is False
    assert await contents(links.database) == before
    (mail,) = await outbox(links.database)
    assert mail.recipient == links.owner.email
    assert mail.event.startswith("access-link-decline:")
    assert await links.clients() == []
    assert (await links.approve(token))["changed"] is True
    assert await approvals(links) == ["DECLINED", "APPROVED"]
    assert len(await outbox(links.database)) == 2
    asked = {"token": token, "account": account_id(links.account)}
    (error,) = (await links.client.data(DECLINE, input=asked))["declineAccessLink"]["userErrors"]
    assert (error["code"], error["field"]) == ("CONFLICT", ["input", "token"])
    assert "revokePartnerAccess" in error["message"]


async def test_two_who_decline_at_once_write_one_answer_and_one_mail(factory: Factory) -> None:
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    answers = await asyncio.gather(*(links.decline(token) for _ in range(4)))
    assert sorted(answer["changed"] for answer in answers) == [False, False, False, True]
    assert await approvals(links) == ["DECLINED"]
    assert len(await outbox(links.database)) == 1


async def test_declining_a_suspended_link_tells_nobody_who_left(factory: Factory) -> None:
    """R12: the answer is kept, and the former member gets no mail about the client."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    await change_member(links.database, links.owner.id, status="LEFT")
    assert (await links.decline(token))["changed"] is True
    assert await approvals(links) == ["DECLINED"]
    assert await outbox(links.database) == []


async def test_the_ceiling_of_an_approval_limits_the_partner_admin_and_the_colleagues(factory: Factory) -> None:
    """P08: it is the client's, for everybody of this partner, and stays when a later approval says none."""
    links = await Links.begin(factory)
    link = await get_link(links.agency)
    await links.approve(token_of(link), ceiling=ceiling(NARROW))
    ((mine,),) = [client["grants"]["nodes"] for client in await links.clients()]
    assert (held(mine), mine["customised"]) == (NARROW, True)
    colleague = await factory.member(links.partner, "Cleo Colleague")
    second = await get_link(await Caller.signed_in(factory, colleague))
    await links.approve(token_of(second))
    ((_, theirs),) = [client["grants"]["nodes"] for client in await links.clients()]
    assert held(theirs) == NARROW


async def test_a_ceiling_that_comes_with_a_second_approval_is_not_silently_left_out(factory: Factory) -> None:
    """L1, P08: the same ceiling again changes nothing, another one belongs to setCeiling."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    await links.approve(token, ceiling=ceiling(NARROW))
    before = await contents(links.database)
    assert (await links.approve(token, ceiling=ceiling(NARROW)))["changed"] is False
    assert await links.refusal(token, ceiling=ceiling(ADMIN_LEVELS)) == ("CONFLICT", ["input", "ceiling"])
    assert await contents(links.database) == before


async def test_under_a_ceiling_without_the_partner_admin_permission_an_approval_names_a_new_one(
    factory: Factory,
) -> None:
    """P08."""
    links = await Links.begin(factory)
    await factory.client(links.partner, account=links.account, ceiling={"contacts.view": "ALL"})
    token = token_of(await get_link(links.agency))
    before = await contents(links.database)
    assert await links.refusal(token) == ("INVALID_INPUT", ["input", "ceiling"])
    assert await contents(links.database) == before
    assert (await links.approve(token, ceiling=ceiling(NARROW)))["changed"] is True


async def test_the_new_partner_admin_acts_within_the_ceiling(factory: Factory) -> None:
    """P08, F33: what the actor passes on is withheld above the ceiling."""
    links = await Links.begin(factory)
    await links.approve(token_of(await get_link(links.agency)), ceiling=ceiling(NARROW))
    colleague = await factory.member(links.partner)
    (client,) = await links.clients()
    query = """mutation($input: GrantAccessInput!) { grantAccess(input: $input) { userErrors { code } operation {
      outcomes { nodes { status withheld { permission { key } } grant { permissions { permission { key } } } } } } } }"""
    asked = permissions(levels_of(catalogue.closure(catalogue.state({"contacts.view": "ALL", "deals.view": "ALL"}))))
    targets = {"product": {**product([colleague], [])["product"], "clients": [client["id"]]}}
    answer = (await links.agency.data(query, input={"targets": targets, "access": asked}))["grantAccess"]
    (outcome,) = answer["operation"]["outcomes"]["nodes"]
    assert outcome["status"] == "APPLIED"
    assert [at["permission"]["key"] for at in outcome["withheld"]] == ["deals.view"]
    assert [at["permission"]["key"] for at in outcome["grant"]["permissions"]] == ["contacts.view"]


async def test_a_retry_with_the_same_key_gets_the_first_answer(factory: Factory) -> None:
    """R22: of a single-use link, which is used up by then, too."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency, singleUse=True))
    query = APPROVE.replace("(input: $input) {", '(input: $input) @idempotent(key: "k") {')
    asked = {"token": token, "account": account_id(links.account)}
    first = await links.client.data(query, input=asked)
    assert first["approveAccessLink"]["changed"] is True
    assert await links.client.data(query, input=asked) == first
    assert len(await outbox(links.database)) == 1
    keyed = DECLINE.replace("(input: $input) {", '(input: $input) @idempotent(key: "k") {')
    asked["token"] = token_of(await get_link(links.agency))
    said = await links.client.data(keyed, input=asked)
    assert said["declineAccessLink"]["changed"] is True
    assert await links.client.data(keyed, input=asked) == said
    assert len(await outbox(links.database)) == 2


async def test_after_a_removal_the_living_link_can_be_approved_again(factory: Factory) -> None:
    """F41: only a new approval by the client restores access; the history stays."""
    links = await Links.begin(factory)
    token = token_of(await get_link(links.agency))
    await links.approve(token)
    (row,) = [row for row in await living_grants(links.database) if row.member_id == links.owner.id]
    known = ("id", "partner_id", "client_id", "member_id", "account_id", "user_id", "state_id", "set_version_id")
    removed = GrantRow(
        **{name: getattr(row, name) for name in known},
        status=GrantStatus.ACTIVE,
        access_type=AccessType.PARTNER_ADMIN,
        seat=Seat.PARTNER,
        state=PARTNER_ADMIN_SET.state,
        version=row.version,
    )
    await factory.move(removed, GrantStatus.REMOVED)
    assert (await links.decline(token))["changed"] is True
    assert (await links.approve(token))["changed"] is True
    (again,) = [row for row in await living_grants(links.database) if row.member_id == links.owner.id]
    assert again.id != row.id
    assert await approvals(links) == ["APPROVED", "DECLINED", "APPROVED"]
    await assert_counters_are_true(links.database)


async def test_what_waits_for_several_accounts_is_read_as_for_one(
    factory: Factory, life_factory: LifeFactory, recorder: StatementRecorder
) -> None:
    """T3."""
    links = await Links.begin(factory)
    query = "{ viewer { accounts { pendingInvitations { reference people { name } permissions { level } } } } }"
    moment = datetime.now(UTC)
    counts = []
    for number in (1, 4):
        for _ in range(number):
            account = await factory.account()
            await factory.own_person(account, links.admin)
            client = await factory.client(links.partner, account=account)
            for reference in ("a", "b"):
                values: dict[str, Any] = {
                    "created_at": moment,
                    "expires_at": moment + timedelta(days=1),
                    "reference": reference,
                }
                await life_factory.access_link(links.owner, client=client, **values)
        client_side = await Caller.signed_in(factory, links.admin)
        with recorder:
            accounts = (await client_side.data(query))["viewer"]["accounts"]
        found = sorted(len(account["pendingInvitations"]) for account in accounts)
        assert found == [0, *[2] * (len(found) - 1)]
        counts.append(recorder.count)
    assert counts[0] == counts[1]
