"""What the tests of confirmation links have in common: an agency with a client, the client's admin, and what they ask of the API."""

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import update

from models.confirmation_link import confirmation_links
from models.database import Database
from schema.node import decode_key
from tests.api.caller import Caller
from tests.api.link_story import account_id, token_of
from tests.api.write_story import contents, ids, node_id
from tests.factory import MOMENT, ClientRow, Factory, MemberRow, PartnerRow, UserRow

LINK = """
fragment Link on ConfirmationLink {
  id state url createdAt expiresAt revokedAt answer answeredAt client { id confirmedAt } createdBy { id }
  members { member { id } code message grant { id accessType status seat permissions { permission { key } level } } }
}
"""
ERRORS = "userErrors { code message field }"
CREATE = f"""mutation($input: CreateConfirmationLinkInput!) {{
  createConfirmationLink(input: $input) {{ {ERRORS} confirmationLink {{ ...Link }} }} }} {LINK}"""
REVOKE = f"""mutation($input: RevokeConfirmationLinkInput!) {{
  revokeConfirmationLink(input: $input) {{ {ERRORS} confirmationLink {{ ...Link }} }} }} {LINK}"""
CONFIRM = f"""mutation($input: ConfirmRelationshipInput!) {{ confirmRelationship(input: $input) {{
  {ERRORS} answer changed invitation {{ id kind partnerName }} people {{ name email letIn code message }} }} }}"""
DECLINE = f"""mutation($input: DeclineRelationshipInput!) {{ declineRelationship(input: $input) {{
  {ERRORS} answer changed invitation {{ id kind partnerName }} }} }}"""
LIST = f"""query($first: Int, $after: String) {{ partner {{ confirmationLinks(first: $first, after: $after) {{
  totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ ...Link }} }} }} }} {LINK}"""
NODE = f"query($id: ID!) {{ node(id: $id) {{ id ... on ConfirmationLink {{ ...Link }} }} }} {LINK}"


@dataclass(frozen=True)
class Confirmation:
    """An agency whose person makes links, one of its clients, and the super admin of that client's account."""

    factory: Factory
    partner: PartnerRow
    maker: MemberRow
    client: ClientRow
    admin: UserRow
    agency: Caller
    approver: Caller

    @classmethod
    async def begin(cls, factory: Factory, **client: Any) -> Self:
        partner = await factory.partner("Bright Agency")
        maker = await factory.member(partner, "Mia Maker")
        place = await factory.client(partner, "Acme Works", **client)
        admin = await factory.user("Ada Admin")
        await factory.own_person(place, admin)
        agency, approver = await Caller.signed_in(factory, maker), await Caller.signed_in(factory, admin)
        return cls(factory, partner, maker, place, admin, agency, approver)

    @property
    def database(self) -> Database:
        return self.factory.database

    @property
    def account(self) -> str:
        return account_id(self.client.account)

    async def link(self, *people: MemberRow, by: Caller | None = None, **values: Any) -> Any:
        """A new link for the client that names these people."""
        values = {"client": node_id(self.client), "members": ids(*people), **values}
        return await kept(by or self.agency, CREATE, "confirmationLink", **values)

    async def token(self, *people: MemberRow) -> str:
        return token_of(await self.link(*people))

    async def confirm(self, *, by: Caller | None = None, **values: Any) -> Any:
        """Returns what becomes of a confirmation that is not refused."""
        return await carried_out(by or self.approver, CONFIRM, **{"account": self.account, **values})

    async def decline(self, **values: Any) -> Any:
        return await carried_out(self.approver, DECLINE, **{"account": self.account, **values})

    async def shown(self, link: Any, by: Caller | None = None) -> Any:
        """Returns the link as the agency sees it now."""
        return (await (by or self.agency).data(NODE, id=link["id"]))["node"]

    async def expire(self, link: Any) -> None:
        """Lets the moment pass at which the link ends by itself."""
        columns = confirmation_links.c
        async with self.database.write() as session:
            connection = await session.connection()
            key = decode_key(link["id"], "ConfirmationLink")
            await connection.execute(update(confirmation_links).where(columns.id == key).values(expires_at=MOMENT))


async def carried_out(caller: Caller, query: str, **values: Any) -> Any:
    """Returns the payload of a mutation that must not be refused."""
    (payload,) = (await caller.data(query, input=values)).values()
    assert payload.pop("userErrors") == []
    return payload


async def kept(caller: Caller, query: str, name: str, **values: Any) -> Any:
    return (await carried_out(caller, query, **values))[name]


async def refusals(caller: Caller, query: str, **values: Any) -> list[Any]:
    """Returns why a mutation is refused; nothing at all may have been written, and nothing is told beside it."""
    before = await contents(caller.database)
    (payload,) = (await caller.data(query, input=values)).values()
    assert await contents(caller.database) == before
    errors: list[Any] = payload.pop("userErrors")
    assert errors
    assert not any(payload.values())
    assert all(error["message"].endswith((".", "?")) for error in errors)
    return errors


async def refused(caller: Caller, query: str, **values: Any) -> tuple[str, Any]:
    """Returns code and place of the one reason why a mutation is refused."""
    (error,) = await refusals(caller, query, **values)
    return error["code"], error["field"]
