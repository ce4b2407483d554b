"""Becoming a partner admin (section 6, access links): its persons tell it in order, through the API, with only the clock moved."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import table
from models.member import ManagerRights
from models.permission.catalogue import catalogue
from tests.api.caller import Caller
from tests.api.counters import assert_counters_are_true
from tests.api.link_story import (
    APPROVE,
    DECLINE,
    GET,
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
from tests.api.write_story import levels_of, node_id
from tests.factory import AccountRow, Factory, MemberRow

CEILING = levels_of(
    catalogue.closure(catalogue.partner_admin | catalogue.state({"contacts.edit": "ALL", "contacts.delete": "TEAM"}))
)
READ_LINK = f"query($id: ID!) {{ node(id: $id) {{ ... on AccessLink {{ ...Shown }} }} }} {LINK}"
WORKING_HERE = """query($id: ID!) { account(by: { id: $id }) { partners {
  id name activePeople ceiling { permission { key } level } people { nodes { id name accessType } } } } }"""
REVOKE_PERSON = """mutation($input: RevokePartnerAccessInput!) { revokePartnerAccess(input: $input) {
  userErrors { code message } revoked } }"""
GRANT = """mutation($input: GrantAccessInput!) { grantAccess(input: $input) { userErrors { code message } operation {
  outcomes { nodes { status code withheld { permission { key } } grant { permissions { permission { key } level } } } } } } }"""
UPDATE = (
    "mutation($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { code } member { status } } }"
)


class Clock:
    """The present moment of the whole service, which a story moves on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.moment, real = datetime.now(UTC), table.now
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] in {"models", "resolvers"} and getattr(module, "now", None) is real:
                patch.setattr(module, "now", self.now)

    def now(self) -> datetime:
        return self.moment

    def pass_days(self, days: int) -> None:
        self.moment += timedelta(days=days)


@pytest.fixture
def clock() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield Clock(patch)


class Story:
    """Olga, Cleo and Dora of the agency, Ada and Carl of Acme Works, Bea of Beta Works, Gus of Gamma Works."""

    links: Links
    clock: Clock
    cleo: MemberRow
    dora: MemberRow
    carl: Caller
    beta: AccountRow
    bea: Caller
    acme: str
    client_id: str
    """Acme as the agency's client, once it is one."""
    link: Any
    """Olga's personal link, of which there are three in the course of time."""

    @classmethod
    async def begin(cls, factory: Factory, clock: Clock) -> "Story":
        story = cls()
        story.clock, story.links = clock, await Links.begin(factory)
        story.cleo = await factory.member(story.links.partner, "Cleo Colleague", manager_rights=ManagerRights.NONE)
        story.dora = await factory.member(story.links.partner, "Dora Deputy")
        carl = await factory.user("Carl Clerk")
        await factory.own_person(story.links.account, carl, {"contacts.view": "ALL"})
        story.carl = await Caller.signed_in(factory, carl)
        story.beta, story.bea = await story.links.another_account("Beta Works")
        story.acme = account_id(story.links.account)
        return story

    @property
    def token(self) -> str:
        return token_of(self.link)

    async def now_shown(self, link: Any, by: Caller | None = None) -> Any:
        return (await (by or self.links.agency).data(READ_LINK, id=link["id"]))["node"]

    async def mails(self) -> list[Any]:
        return await outbox(self.links.database)

    async def working_at_acme(self) -> Any:
        read = await self.links.client.data(WORKING_HERE, id=self.acme)
        (found,) = read["account"]["partners"]
        return found

    async def grant(self, person: MemberRow, levels: dict[str, str]) -> Any:
        targets = {"product": {"members": [node_id(person)], "clients": [self.client_id]}}
        asked = {"targets": targets, "access": {"permissions": ceiling(levels)}}
        answer = (await self.links.agency.data(GRANT, input=asked))["grantAccess"]
        assert answer["userErrors"] == []
        return answer["operation"]["outcomes"]["nodes"][0]


async def test_an_agency_becomes_partner_admin_with_its_clients_approval(factory: Factory, clock: Clock) -> None:
    """F15 to F18, L1, L5, L8, P06 to P08, R12, F41."""
    story = await Story.begin(factory, clock)
    await olga_asks_for_her_link(story)
    await ada_looks_before_she_decides(story)
    await ada_approves_as_far_as_contacts_go(story)
    await olga_lets_cleo_work_there(story)
    await ada_approves_once_more(story)
    await bea_declines_and_approves_after_all(story)
    await ada_approves_a_link_that_waits_for_acme(story)
    await olga_revokes_her_link(story)
    await the_next_link_ends_by_itself(story)
    await ada_ends_olgas_access_and_gives_it_back(story)
    await olga_is_deactivated_in_the_agency_for_a_while(story)
    await everybody_was_told_once(story)


async def olga_asks_for_her_link(story: Story) -> None:
    """She knows no client yet, and finds the same link the next day."""
    links = story.links
    assert await links.clients() == []
    story.link = await get_link(links.agency)
    story.clock.pass_days(1)
    assert (await get_link(links.agency))["url"] == story.link["url"]


async def ada_looks_before_she_decides(story: Story) -> None:
    """Carl may look too, but decides nothing; nor can Olga approve for Acme herself."""
    links = story.links
    asked = (await links.client.data(LOOK, token=story.token))["accessLink"]
    assert (asked["partnerName"], asked["requestedBy"]) == ("Bright Agency", "Olga Owner")
    assert [person["name"] for person in asked["people"]] == ["Olga Owner"]
    assert (await story.carl.data(LOOK, token=story.token))["accessLink"] == asked
    values = {"token": story.token, "account": story.acme}
    assert await refused(story.carl, APPROVE, **values) == ("FORBIDDEN", ["input", "account"])
    assert await refused(links.agency, APPROVE, **values) == ("NOT_FOUND", ["input", "account"])
    assert await links.clients() == []


async def ada_approves_as_far_as_contacts_go(story: Story) -> None:
    """Olga gets one mail; Acme is her client, and she is partner admin there."""
    links = story.links
    assert (await links.approve(story.token, ceiling=ceiling(CEILING)))["changed"] is True
    (mail,) = await story.mails()
    assert (mail.recipient, "Acme Works" in mail.subject) == (links.owner.email, True)
    (client,) = await links.clients()
    assert (client["displayName"], client["viewerAccessType"]) == ("Acme Works", "PARTNER_ADMIN")
    story.client_id = client["id"]
    partner = await story.working_at_acme()
    assert partner["name"] == "Bright Agency"
    assert {at["permission"]["key"]: at["level"] for at in partner["ceiling"]} == CEILING
    assert [(p["name"], p["accessType"]) for p in partner["people"]["nodes"]] == [("Olga Owner", "PARTNER_ADMIN")]


async def olga_lets_cleo_work_there(story: Story) -> None:
    """What lies above the ceiling is withheld, and said."""
    asked = {"contacts.view": "ALL", "contacts.edit": "ALL", "deals.view": "ALL"}
    outcome = await story.grant(story.cleo, asked)
    assert (outcome["status"], [at["permission"]["key"] for at in outcome["withheld"]]) == ("APPLIED", ["deals.view"])
    held = {at["permission"]["key"]: at["level"] for at in outcome["grant"]["permissions"]}
    assert held == {"contacts.view": "ALL", "contacts.edit": "ALL"}


async def ada_approves_once_more(story: Story) -> None:
    """She has found the mail with the link again: nothing happens."""
    assert (await story.links.approve(story.token))["changed"] is False
    assert len(await story.mails()) == 1


async def bea_declines_and_approves_after_all(story: Story) -> None:
    """Olga is told, and Beta does not become a client; then they talk, and the same link does."""
    links, beta = story.links, account_id(story.beta)
    assert (await links.decline(story.token, by=story.bea, account=beta))["changed"] is True
    assert (await story.mails())[-1].subject.startswith("Beta Works")
    said = (await story.now_shown(story.link))["approvals"]["nodes"]
    assert [answer["answer"] for answer in said] == ["DECLINED", "APPROVED"]
    assert len(await links.clients()) == 1
    assert (await links.approve(story.token, by=story.bea, account=beta))["changed"] is True
    assert sorted(found["displayName"] for found in await links.clients()) == ["Acme Works", "Beta Works"]


async def ada_approves_a_link_that_waits_for_acme(story: Story) -> None:
    """Olga has made it for Dora, for Acme alone and for once; it needs no token there, and opens nothing elsewhere."""
    links = story.links
    values = {"client": story.client_id, "singleUse": True, "reference": "Deputy"}
    once = await get_link(links.agency, member=node_id(story.dora), **values)
    elsewhere = {"token": token_of(once), "account": account_id(story.beta)}
    assert await refused(story.bea, APPROVE, **elsewhere) == ("NOT_FOUND", ["input", "token"])
    (waiting,) = (await links.client.data(PENDING, id=story.acme))["account"]["pendingInvitations"]
    assert (waiting["reference"], waiting["people"][0]["name"]) == ("Deputy", "Dora Deputy")
    asked = {"account": story.acme, "invitation": waiting["id"]}
    assert (await links.client.data(APPROVE, input=asked))["approveAccessLink"]["changed"] is True
    assert (await links.client.data(PENDING, id=story.acme))["account"]["pendingInvitations"] == []
    assert (await story.now_shown(once))["state"] == "USED"
    assert (await links.approve(token_of(once)))["changed"] is False


async def olga_revokes_her_link(story: Story) -> None:
    """Forty days later: what was approved stays, and the link opens nothing any more."""
    links = story.links
    story.clock.pass_days(40)
    assert (await story.now_shown(story.link))["ageInDays"] == 41
    await links.agency.data(REVOKE, input={"accessLink": story.link["id"]})
    assert (await story.now_shown(story.link))["approvals"]["totalCount"] == 3
    assert (await links.client.data(LOOK, token=story.token))["accessLink"] is None
    asked = {"token": story.token, "account": account_id(story.beta)}
    assert await refused(story.bea, DECLINE, **asked) == ("NOT_FOUND", ["input", "token"])
    assert {found["viewerAccessType"] for found in await links.clients()} == {"PARTNER_ADMIN"}


async def the_next_link_ends_by_itself(story: Story) -> None:
    """After ninety days, to the moment."""
    links = story.links
    second = await get_link(links.agency)
    story.clock.moment = datetime.fromisoformat(second["expiresAt"]) - timedelta(microseconds=1)
    assert (await links.client.data(LOOK, token=token_of(second)))["accessLink"]
    story.clock.moment += timedelta(microseconds=1)
    assert (await links.client.data(LOOK, token=token_of(second)))["accessLink"] is None
    assert (await story.now_shown(second))["state"] == "EXPIRED"
    story.link = await get_link(links.agency)
    assert story.link["id"] != second["id"]


async def ada_ends_olgas_access_and_gives_it_back(story: Story) -> None:
    """Only an approval by Acme brings it back (F41), and the ceiling still holds."""
    links, partner = story.links, await story.working_at_acme()
    (olga,) = [person for person in partner["people"]["nodes"] if person["name"] == "Olga Owner"]
    ended = {"account": story.acme, "partner": partner["id"], "person": olga["id"]}
    revoked = (await links.client.data(REVOKE_PERSON, input=ended))["revokePartnerAccess"]
    assert (revoked["userErrors"], revoked["revoked"]) == ([], 1)
    assert (await story.grant(story.cleo, {"contacts.view": "ALL"}))["code"] == "NOT_PARTNER_ADMIN"
    assert (await links.approve(story.token))["changed"] is True
    (here,) = [found for found in await links.clients() if found["id"] == story.client_id]
    (mine,) = [grant for grant in here["grants"]["nodes"] if grant["member"]["id"] == node_id(links.owner)]
    assert {at["permission"]["key"]: at["level"] for at in mine["permissions"]} == CEILING


async def olga_is_deactivated_in_the_agency_for_a_while(story: Story) -> None:
    """Her link is suspended, and nobody gets a new one for her; once she is back, Gus of Gamma approves it."""
    links = story.links
    gamma, gus = await links.another_account("Gamma Works")
    dora = await Caller.signed_in(links.factory, story.dora)
    asked = {"token": story.token, "account": account_id(gamma)}
    olga = {"member": node_id(links.owner)}
    assert (await dora.data(UPDATE, input={**olga, "status": "DEACTIVATED"}))["updateMember"]["userErrors"] == []
    assert (await story.now_shown(story.link, dora))["state"] == "SUSPENDED"
    assert await refused(gus, APPROVE, **asked) == ("LINK_OWNER_NOT_ELIGIBLE", ["input", "token"])
    assert await refused(dora, GET, **olga) == ("LINK_OWNER_NOT_ELIGIBLE", ["input", "member"])
    assert (await dora.data(UPDATE, input={**olga, "status": "ACTIVE"}))["updateMember"]["userErrors"] == []
    assert (await story.now_shown(story.link, dora))["state"] == "LIVE"
    assert (await links.approve(story.token, by=gus, account=account_id(gamma)))["changed"] is True


async def everybody_was_told_once(story: Story) -> None:
    """And nothing was counted wrong."""
    told = [(mail.event.partition(":")[0], mail.recipient) for mail in await story.mails()]
    answers = [found for found in told if found[0].startswith("access-link-")]
    olga, dora = story.links.owner.email, story.dora.email
    assert answers == [
        ("access-link-approval", olga),
        ("access-link-decline", olga),
        ("access-link-approval", olga),
        ("access-link-approval", dora),
        ("access-link-approval", olga),
        ("access-link-approval", olga),
    ]
    await assert_counters_are_true(story.links.database)
