"""The story of a confirmation link, told by its persons in order: an agency asks, its client looks and confirms (F53, L11).

An agency has a new client. Mia makes a link that names Ann, Ben and Sue. Before the client opens it, Ben's verification is taken
away, and the client has made Sue super admin by itself. Ada, who decides for the client's account, looks at the link and confirms.
"""

from typing import Any

from models.member import ManagerRights
from schema.node import encode
from tests.api.caller import Caller
from tests.api.confirmation_story import CONFIRM, CREATE, LIST, REVOKE, carried_out, kept, refused
from tests.api.link_story import LOOK, PENDING, account_id, outbox, token_of
from tests.api.write_story import ids, node_id
from tests.factory import Factory

CLIENTS = "{ partner { clients { nodes { displayName confirmedAt viewerAccessType totalEmployees } } } }"
GRANT = """mutation($input: GrantAccessInput!) { grantAccess(input: $input) {
  userErrors { code } operation { outcomes { nodes { status code } } } } }"""
UPDATE = """mutation($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { code } member { verified } } }"""


async def test_f53_an_agency_and_its_client_find_together(factory: Factory) -> None:
    partner = await factory.partner("Bright Agency")
    mia, ann, ben, sue = [
        await factory.member(partner, name, manager_rights=rights)
        for name, rights in (
            ("Mia Maker", ManagerRights.EDIT),
            ("Ann Able", ManagerRights.EDIT),
            ("Ben Busy", ManagerRights.NONE),
            ("Sue Super", ManagerRights.NONE),
        )
    ]
    acme = await factory.client(partner, "Acme Works")
    ada = await factory.user("Ada Admin")
    await factory.own_person(acme, ada)
    agency, client, able = [await Caller.signed_in(factory, person) for person in (mia, ada, ann)]

    # The agency: a first link by mistake for Ben alone, revoked at once, and then the right one.
    mistake = await kept(agency, CREATE, "confirmationLink", client=node_id(acme), members=ids(ben))
    await kept(agency, REVOKE, "confirmationLink", confirmationLink=mistake["id"])
    link = await kept(
        agency, CREATE, "confirmationLink", client=node_id(acme), members=ids(ann, ben, sue), expiresInDays=14
    )
    assert await clients(agency) == [seen(confirmed=False, own="NONE", people=0)]
    assert await outbox(factory.database) == []

    # Meanwhile: Ben is not verified any more, and Sue is super admin in the account.
    changed = await carried_out(agency, UPDATE, member=node_id(ben), verified=False)
    assert changed["member"] == {"verified": False}
    await factory.super_admin(acme, sue)

    # The client: the link shows who asks for what, and stands among the pending invitations; the mistake does not.
    asked = (await client.data(LOOK, token=token_of(link)))["accessLink"]
    assert (asked["kind"], asked["partnerName"], asked["requestedBy"]) == (
        "CONFIRMATION_LINK",
        "Bright Agency",
        "Mia Maker",
    )
    assert [(person["name"], person["eligible"]) for person in asked["people"]] == [
        ("Ann Able", True),
        ("Ben Busy", False),
        ("Sue Super", True),
    ]
    assert asked["accountName"] == "Acme Works"
    assert (await client.data(LOOK, token=token_of(mistake)))["accessLink"] is None
    account = account_id(acme.account)
    assert (await client.data(PENDING, id=account))["account"]["pendingInvitations"] == [asked]
    assert (await agency.data(LOOK, token=token_of(link)))["accessLink"] is None

    # Mia cannot confirm for her own client, and Ada confirms by the invitation.
    answer = await refused(agency, CONFIRM, account=account, token=token_of(link))
    assert answer == ("NOT_FOUND", ["input", "account"])
    told = await carried_out(client, CONFIRM, account=account, invitation=asked["id"])
    assert [(person["name"], person["letIn"], person["code"]) for person in told["people"]] == [
        ("Ann Able", True, None),
        ("Ben Busy", False, "NOT_VERIFIED"),
        ("Sue Super", False, "ALREADY_SUPER_ADMIN"),
    ]
    assert (await client.data(PENDING, id=account))["account"]["pendingInvitations"] == []
    assert (await client.data(LOOK, token=token_of(link)))["accessLink"] is None

    # The agency: the relation stands, and the list of links tells what came of each person.
    assert await clients(able) == [seen(confirmed=True, own="PARTNER_ADMIN", people=2)]
    listed = (await agency.data(LIST))["partner"]["confirmationLinks"]["nodes"]
    assert [(shown["state"], shown["answer"]) for shown in listed] == [("ANSWERED", "APPROVED"), ("REVOKED", None)]
    assert [member["code"] for member in listed[0]["members"]] == [None, "NOT_VERIFIED", "ALREADY_SUPER_ADMIN"]

    # All of them are told, once each: Mia and Ada of everything, Ann that she is in.
    mails = await outbox(factory.database)
    assert sorted(mail.recipient for mail in mails) == sorted([mia.email, ann.email, ada.email])
    by_recipient = {mail.recipient: mail.text for mail in mails}
    for email in (mia.email, ada.email):
        assert "Ben Busy" in by_recipient[email]
        assert "migrateToPartnerAdmin" in by_recipient[email]
    assert not any(token_of(link) in mail.text for mail in mails)

    # Confirming again changes nothing; and Ann goes on with what she has got.
    again = await carried_out(client, CONFIRM, account=account, token=token_of(link))
    assert (again["changed"], again["people"]) == (False, told["people"])
    assert await outbox(factory.database) == mails
    given = await carried_out(
        able,
        GRANT,
        targets={"product": {"members": ids(ben), "clients": ids(acme)}},
        access={"permissions": [{"permission": "contacts.view", "level": "ALL"}]},
    )
    assert given["operation"]["outcomes"]["nodes"] == [{"status": "APPLIED", "code": None}]
    node = await agency.data("query($id: ID!) { node(id: $id) { id } }", id=encode("ConfirmationLink", 2))
    assert node["node"] == {"id": link["id"]}


def seen(*, confirmed: bool, own: str, people: int) -> dict[str, Any]:
    return {"displayName": "Acme Works", "confirmed": confirmed, "viewerAccessType": own, "totalEmployees": people}


async def clients(caller: Caller) -> list[dict[str, Any]]:
    """The agency's clients as somebody sees them, with whether each has confirmed."""
    found = (await caller.data(CLIENTS))["partner"]["clients"]["nodes"]
    return [{"confirmed": client.pop("confirmedAt") is not None, **client} for client in found]
