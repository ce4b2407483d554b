"""What the tests of access links have in common: an agency's person, a client's admin, and what they ask of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import select

from models.database import Database
from models.mail import mails
from schema.node import encode
from tests.api.caller import Caller
from tests.factory import AccountRow, Factory, MemberRow, PartnerRow, UserRow

LINK = """
fragment Shown on AccessLink {
  id reference singleUse state url ageInDays createdAt expiresAt revokedAt usedAt
  member { id } client { id } createdBy { id }
  approvals { totalCount nodes { answer accountName answeredAt client { id } } }
}
"""
GET = f"""mutation($input: GetAccessLinkInput!) {{
  getAccessLink(input: $input) {{ userErrors {{ code message field }} accessLink {{ ...Shown }} }} }} {LINK}"""
REVOKE = f"""mutation($input: RevokeAccessLinkInput!) {{
  revokeAccessLink(input: $input) {{ userErrors {{ code message field }} accessLink {{ ...Shown }} }} }} {LINK}"""
INVITATION = """
fragment Asked on AccessLinkInvitation {
  id kind partnerName partnerHubId requestedBy reference singleUse createdAt expiresAt accountName accountHubId
  people { name email eligible } permissions { permission { key } level }
}
"""
LOOK = f"query($token: String!) {{ accessLink(token: $token) {{ ...Asked }} }} {INVITATION}"
APPROVE = """mutation($input: ApproveAccessLinkInput!) {
  approveAccessLink(input: $input) { userErrors { code message field } answer changed invitation { id reference } } }"""
DECLINE = """mutation($input: DeclineAccessLinkInput!) {
  declineAccessLink(input: $input) { userErrors { code message field } answer changed invitation { id reference } } }"""
PENDING = f"query($id: ID!) {{ account(by: {{ id: $id }}) {{ pendingInvitations {{ ...Asked }} }} }} {INVITATION}"
PEOPLE = """query { partner { clients { nodes { id hubId displayName totalEmployees viewerAccessType
  grants { nodes { member { id } accessType seat status customised expiresAt permissionSet { isPartnerAdmin }
    permissions { permission { key } level } grantedBy { id } } } } } } }"""


def account_id(account: AccountRow) -> str:
    return encode("Account", account.id)


def token_of(link: Mapping[str, Any]) -> str:
    """What follows the # in a link's address."""
    return str(link["url"].partition("#")[2])


def ceiling(levels: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"permission": key, "level": level} for key, level in levels.items()]


async def outbox(database: Database) -> list[Any]:
    """The mails, as (event, recipient, subject)."""
    async with database.read() as connection:
        statement = select(mails.c.event, mails.c.recipient, mails.c.subject, mails.c.text).order_by(mails.c.id)
        return list((await connection.execute(statement)).all())


async def get_link(caller: Caller, **input: Any) -> Any:  # noqa: A002 the argument's name in the API
    """Returns the link that somebody asks for and gets."""
    answer = (await caller.data(GET, input=input))["getAccessLink"]
    assert answer["userErrors"] == []
    return answer["accessLink"]


async def refused(caller: Caller, query: str, **input: Any) -> tuple[str, Any]:  # noqa: A002 the argument's name in the API
    """Returns code and place of the one reason why a mutation is refused; its message says something."""
    ((_, answer),) = (await caller.data(query, input=input)).items()
    (error,) = answer["userErrors"]
    assert error["message"].endswith((".", "?"))
    return error["code"], error["field"]


@dataclass(frozen=True)
class Links:
    """An agency's person who wants to become partner admin, and an account that is nobody's client yet, with its super admin."""

    factory: Factory
    partner: PartnerRow
    owner: MemberRow
    account: AccountRow
    admin: UserRow
    agency: Caller
    client: Caller

    @classmethod
    async def begin(cls, factory: Factory, **owner: Any) -> Self:
        partner = await factory.partner("Bright Agency")
        member = await factory.member(partner, "Olga Owner", **owner)
        account = await factory.account("Acme Works")
        admin = await factory.user("Ada Admin")
        await factory.own_person(account, admin)
        agency, client = await Caller.signed_in(factory, member), await Caller.signed_in(factory, admin)
        return cls(factory, partner, member, account, admin, agency, client)

    @property
    def database(self) -> Database:
        return self.factory.database

    async def another_account(self, name: str = "Other Works") -> tuple[AccountRow, Caller]:
        """Another account, and its super admin."""
        account, admin = await self.factory.account(name), await self.factory.user(f"Admin of {name}")
        await self.factory.own_person(account, admin)
        return account, await Caller.signed_in(self.factory, admin)

    async def approve(self, token: str, *, by: Caller | None = None, **input: Any) -> Any:  # noqa: A002
        """Returns what becomes of an approval that is not refused."""
        input = {"token": token, "account": account_id(self.account), **input}  # noqa: A001
        answer = (await (by or self.client).data(APPROVE, input=input))["approveAccessLink"]
        assert answer["userErrors"] == []
        assert answer["answer"] == "APPROVED"
        return answer

    async def decline(self, token: str, *, by: Caller | None = None, **input: Any) -> Any:  # noqa: A002
        input = {"token": token, "account": account_id(self.account), **input}  # noqa: A001
        answer = (await (by or self.client).data(DECLINE, input=input))["declineAccessLink"]
        assert answer["userErrors"] == []
        assert answer["answer"] == "DECLINED"
        return answer

    async def refusal(self, token: str, *, by: Caller | None = None, **input: Any) -> tuple[str, Any]:  # noqa: A002
        """Returns code and place of the reason why an approval is refused; nothing at all is written."""
        return await refused(
            by or self.client, APPROVE, **{"token": token, "account": account_id(self.account), **input}
        )

    async def clients(self, by: Caller | None = None) -> Any:
        """The agency's clients and who is in them, as one of the agency sees them."""
        return (await (by or self.agency).data(PEOPLE))["partner"]["clients"]["nodes"]
